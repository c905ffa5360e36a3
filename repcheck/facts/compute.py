"""What training and inference cost each method in FLOPs, as counted in its runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

from repcheck.amount import FLOPS, SECONDS, Amount, Known, have, spread
from repcheck.budget import PER_EXAMPLE, PER_SAMPLE, training_flops
from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.bill import (
    ExampleCost,
    SampleCost,
    eval_bill,
    evaluated_params,
    train_bill,
    trained_params,
)
from repcheck.facts.observed import COUNTED, DOUBTS, Observed, Sight, possible, source_of
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import Observation

B = TypeVar("B")
_SMALLER = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A method's measured compute: of the run in the middle, with the span over all its runs.

    `sample` and `example` are the bills that the amounts were made of (None: not counted).
    """

    method: str
    sample: SampleCost | None = None
    example: ExampleCost | None = None
    _per_sample: Known
    _total: Known
    _inference: Known
    _trained_params: Known
    _evaluated_params: Known
    _wall: Known

    @property
    def per_sample(self) -> Amount:
        """Return the FLOPs of one training sample: forward, backward, recomputed, teachers."""
        return have(self._per_sample)

    @property
    def useful(self) -> Amount:
        """Return the FLOPs of one training sample without those that saved memory.

        Checkpointing computes activations again, and learns nothing from it.
        """
        made = self.per_sample
        again = self.sample.recompute if self.sample else 0.0
        return replace(made, value=made.value - again, span="") if again else made

    @property
    def total(self) -> Amount:
        """Return the FLOPs of the whole training, optimizer steps included and no search."""
        return have(self._total)

    @property
    def inference(self) -> Amount:
        """Return the FLOPs of one evaluated example, over all views and modules."""
        return have(self._inference)

    @property
    def trained_params(self) -> Amount:
        """Return the parameters of all modules that are trained."""
        return have(self._trained_params)

    @property
    def params(self) -> Amount:
        """Return the parameters of what is evaluated, else of what is trained."""
        if isinstance(self._evaluated_params, Amount):
            return self._evaluated_params
        return self.trained_params

    @property
    def wall(self) -> Amount:
        """Return the seconds that one run took here."""
        return have(self._wall)

    @property
    def has_wall(self) -> bool:
        """Whether the time was measured."""
        return isinstance(self._wall, Amount)

    @property
    def folded(self) -> float | None:
        """Return how many times dearer the trained form's forward is than the evaluated one's.

        Nothing where one of them was not counted whole.
        """
        mine, deployed = self.sample, self.example
        if mine is None or deployed is None or mine.at_least or deployed.at_least:
            return None
        one = deployed.forward / deployed.views
        return mine.forward / mine.passes / one if one else None

    def folds(self, band: float) -> bool | None:
        """Return whether a dearer and larger form is trained than the one that is evaluated.

        What is dearer in training for another reason (more parts, larger inputs) has as many
        parameters in the evaluation. None where it was not seen.
        """
        sizes = (self._trained_params, self._evaluated_params)
        if self.folded is None or not all(isinstance(size, Amount) for size in sizes):
            return None
        return self.folded > band and have(sizes[0]).value > _SMALLER * have(sizes[1]).value

    def quantity(self, name: str, amount: Amount) -> Quantity:
        """Return an amount as evidence: its run, and whether it is a lower bound."""
        bound = f" (at least: {amount.at_least})" if amount.at_least else ""
        return Quantity(
            name=f"{self.method}.{name}",
            value=amount.value,
            unit=f"{amount.unit}{bound}",
            level=Level.OBSERVED,
            source=amount.made_of,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute(Fact):
    """The measured compute of every method; nothing of it before a rerun."""

    label: ClassVar[str] = "measured compute"
    observed: Observed | None = None
    _made: dict[tuple[str, str], Measured | Missing] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take what was observed, where anything was rerun."""
        return cls(observed=evidence.get(Observed) if evidence.runs else None)

    def of(self, method: Method, dataset: str = "") -> Measured:
        """Return what was measured of a method (an empty dataset matches any).

        Raises:
            Missing: if nothing was rerun, or none of its runs was seen.
        """
        if self.observed is None:
            raise Missing(Reason.NOT_OBSERVED, f"rerun `{method.id}` with `repcheck check`")
        key = (method.id, dataset)
        if key not in self._made:
            try:
                self._made[key] = measured(self.observed.of(method, dataset))
            except Missing as missing:
                self._made[key] = missing
        found = self._made[key]
        if isinstance(found, Missing):
            raise found
        return found

    def find(self, method: Method, dataset: str = "") -> Measured | None:
        """Return what was measured of a method, or nothing."""
        try:
            return self.of(method, dataset)
        except Missing:
            return None

    def files_read(self, method: Method, dataset: str = "") -> frozenset[str]:
        """Return the files that runs of a method opened and did not write; none where none ran."""
        try:
            runs = [] if self.observed is None else self.observed.of(method, dataset).observations()
        except Missing:
            return frozenset()
        used = [one for _, seen in runs for one in seen.files]
        written = {one.path for one in used if one.written}
        return frozenset(one.path for one in used if not one.written) - written


def measured(sight: Sight) -> Measured:
    """Return what the runs of one method measured."""
    trained = _found(sight, _sample, "training")
    evaluated = _found(sight, eval_bill, "evaluation")
    walls = _Found(bills=tuple((run, run.wall_s) for run in sight.runs if run.wall_s > 0))
    return Measured(
        method=sight.method,
        sample=trained.middle(_cost),
        example=evaluated.middle(_forward),
        _per_sample=trained.amount(_cost, PER_SAMPLE),
        _total=trained.amount(_total, FLOPS),
        _inference=evaluated.amount(_forward, PER_EXAMPLE),
        _trained_params=_found(sight, trained_params, "size").amount(float, "parameters"),
        _evaluated_params=_found(sight, evaluated_params, "size").amount(float, "parameters"),
        _wall=walls.amount(lambda seconds: seconds, SECONDS),
    )


def _cost(bill: SampleCost) -> float:
    return bill.whole


def _forward(bill: ExampleCost) -> float:
    return bill.forward


def _total(bill: SampleCost) -> float:
    """Return the FLOPs of a run's whole training."""
    return training_flops(
        Amount(value=bill.whole, unit=PER_SAMPLE),
        Amount(value=bill.samples, unit="samples"),
        Amount(value=bill.update, unit=FLOPS),
        Amount(value=bill.steps, unit="steps"),
    ).value


def train_flops_of(seen: Observation) -> float | None:
    """Return the FLOPs of one run's whole training, a bound or not; None if it was not counted."""
    try:
        return _total(_sample(seen))
    except Missing:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found(Generic[B]):
    """One bill a run, or why there is none."""

    bills: tuple[tuple[Run, B], ...]
    why: str = ""

    def middle(self, cost: Callable[[B], float]) -> B | None:
        """Return the bill of the run in the middle."""
        ranked = sorted(self.bills, key=lambda one: cost(one[1]))
        return ranked[(len(ranked) - 1) // 2][1] if ranked else None

    def amount(self, get: Callable[[B], float], unit: str) -> Known:
        """Return a number of the run in the middle, with the span over all runs."""
        ranked = sorted(self.bills, key=lambda one: get(one[1]))
        if not ranked:
            return Missing(Reason.NOT_OBSERVED, self.why or "it was not measured")
        run, bill = ranked[(len(ranked) - 1) // 2]
        values = [float(get(one)) for _, one in ranked]
        if not values[-1]:
            return Missing(Reason.NOT_OBSERVED, f"no {unit} were seen")
        whys = dict.fromkeys(getattr(one, "at_least", "") for _, one in ranked)
        return Amount(
            value=float(get(bill)),
            unit=unit,
            made_of=f"{source_of(run)}{COUNTED}",
            span=spread(values, unit),
            at_least="; ".join(filter(None, whys)),
        )


def _found(sight: Sight, make: Callable[[Observation], B], what: str) -> _Found[B]:
    bills, why = [], ""
    for run, seen in sight.observations():
        try:
            bills.append((run, make(seen)))
        except Missing as missing:
            why = why or missing.would_decide
    words = f"the {what} of `{sight.method}` was not measured: {why}"
    return _Found(bills=tuple(bills), why=words)


def _sample(seen: Observation) -> SampleCost:
    gap = seen.gap("training", *DOUBTS)
    if gap is not None or seen.training is None or not possible(seen.training):
        why = gap.why if gap else "no training was seen whole"
        raise Missing(Reason.NOT_OBSERVED, why)
    return train_bill(seen, seen.training)
