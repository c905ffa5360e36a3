"""The training work of each method: steps, samples, effective epochs and tokens.

What the authors state, until a probe has counted: what it counted then takes the place of the
statement, unit by unit, and the rules that ask here do not change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self

from repcheck.amount import spread
from repcheck.budget import Amount, Budget, Known, figure, stated_budget
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims, Method
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.compute import Compute
from repcheck.facts.observed import COUNTED, Observed, source_of
from repcheck.facts.pace import Pace, against, fewer_devices, in_views, middle, paces, repetition
from repcheck.where import Where

Unit = Literal[
    "length",
    "per_step",
    "train_size",
    "draws",
    "steps",
    "samples",
    "epochs",
    "tokens",
    "env_steps",
    "train_flops",
    "inference_flops",
    "wall",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A method's budget, of which some units were counted and the others are stated."""

    method: str
    budget: Budget

    def has(self, *units: Unit) -> bool:
        """Return whether all these units can be had."""
        return all(self.budget.has(unit) for unit in units)

    def counted(self, *units: Unit) -> bool:
        """Return whether a probe counted all these units."""
        return self.budget.counted.issuperset(units)

    def amount(self, unit: Unit) -> Amount:
        """Return the amount in a unit.

        Raises:
            Missing: with the key that would decide it.
        """
        amount: Amount = getattr(self.budget, unit)
        return amount

    def value(self, unit: Unit) -> float:
        """Return the number in a unit, or raise `Missing`."""
        return self.amount(unit).value

    def quantity(self, unit: Unit) -> Quantity:
        """Return the amount as evidence: `ours.samples`, with its origin."""
        amount = self.amount(unit)
        return Quantity(
            name=f"{self.method}.{unit}",
            value=amount.value,
            unit=amount.unit,
            level=Level.OBSERVED if self.counted(unit) else Level.DECLARED,
            source=amount.made_of if self.counted(unit) else f"{amount.place} ({amount.made_of})",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Fact):
    """The work of every method; `observed` is what a probe saw, if anything was rerun."""

    label: ClassVar[str] = "training work"
    claims: Claims
    observed: Observed | None = None
    compute: Compute = field(default_factory=Compute)
    _made: dict[tuple[str, str, str], Seen] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Read the stated budgets, and take what was counted where there are runs."""
        observed = evidence.get(Observed) if evidence.runs else None
        return cls(claims=evidence.claims, observed=observed, compute=evidence.get(Compute))

    def of(self, method: Method, *, beside: Method | None = None, dataset: str = "") -> Seen:
        """Return a method's work, as observed or else as stated beside another's."""
        key = (method.id, beside.id if beside else "", dataset)
        if key not in self._made:
            self._made[key] = self._of(method, beside, dataset)
        return self._made[key]

    def _of(self, method: Method, beside: Method | None, dataset: str) -> Seen:
        stated = stated_budget(self.claims, method, beside=beside, dataset=dataset)
        found = self.paces(method, stated, dataset)
        fewer = bool(found) and fewer_devices(method, middle(found).training)
        whole = found and not fewer
        counted = _counted(method, stated, found) if whole else {}
        mixed = _mixed(stated, found) if whole else set()
        counted |= self._cost(method, stated, dataset, fewer=fewer)
        return Seen(method=method.id, budget=stated.overruled(counted, mixed))

    def _cost(
        self, method: Method, stated: Budget, dataset: str, *, fewer: bool
    ) -> dict[str, Known]:
        """Return what was measured of the cost; a bound takes the place of no statement.

        A training on fewer devices than stated is another training.
        """
        cost = self.compute.find(method, dataset)
        if cost is None:
            return {}
        seen: dict[str, Known] = {}
        for unit, name in (
            ("train_flops", "total"),
            ("inference_flops", "inference"),
            ("wall", "wall"),
        ):
            if fewer and unit != "inference_flops":
                continue
            try:
                amount: Amount = getattr(cost, name)
            except Missing as missing:
                if not stated.has(unit):
                    seen[unit] = missing
                continue
            if not (amount.at_least and stated.has(unit)):
                seen[unit] = amount
        return seen

    def paces(self, method: Method, stated: Budget, dataset: str = "") -> list[Pace]:
        """Return what was counted of each run of a method; nothing if no training was seen."""
        if self.observed is None:
            return []
        size = stated.train_size.value if stated.has("train_size") else None
        try:
            return paces(self.observed.of(method, dataset), size)
        except Missing:
            return []

    def views(self, method: Method, dataset: str = "") -> float:
        """Return in how many views or pairs each drawn sample enters a step; 1 if not seen."""
        stated = stated_budget(self.claims, method, dataset=dataset)
        found = self.paces(method, stated, dataset)
        return in_views(method, middle(found).training) if found else 1.0

    def both(self, comparison: Comparison) -> tuple[Seen, Seen]:
        """Return the work of the method and of the baseline it is compared with."""
        ours, theirs = comparison.method, comparison.baseline
        return (
            self.of(ours, beside=theirs, dataset=comparison.dataset),
            self.of(theirs, beside=ours, dataset=comparison.dataset),
        )


def _mixed(stated: Budget, found: list[Pace]) -> set[str]:
    """Return the units that rest on the stated size of the training set."""
    if middle(found).sized:
        return set()
    in_epochs = stated.has("length") and stated.length.unit == "epochs"
    return {"epochs", "draws", "length"} if in_epochs else {"epochs", "draws"}


def _counted(method: Method, stated: Budget, found: list[Pace]) -> dict[str, Known]:
    """Return the units that were counted; the others stay as stated.

    Steps alone say nothing of a length in epochs: all of it then stays as stated.
    """
    pace = middle(found)
    if pace.samples is None and stated.has("length") and stated.length.unit == "epochs":
        return {}
    train = method.train
    step, sample, passes = train.iterations.place, train.samples.place, train.epochs.place
    seen: dict[str, Known | None] = {
        "steps": _amount(found, lambda one: one.training.steps, "steps", step),
        "samples": _amount(found, lambda one: one.samples, "samples", sample),
        "per_step": _amount(
            found, lambda one: one.per_step, "samples a step", train.batch_size.place
        ),
    }
    size = stated.train_size.place if stated.has("train_size") else train.subset.place
    if pace.sized:
        seen["train_size"] = _amount(found, lambda one: one.unique, "training samples", size)
    seen["epochs"] = _amount(found, lambda one: one.epochs, "epochs", passes)
    made = {unit: known for unit, known in seen.items() if known is not None}
    return made | _length(method, stated, found, made)


def _length(
    method: Method, stated: Budget, found: list[Pace], made: dict[str, Known]
) -> dict[str, Known]:
    """Return the length in the unit it is stated in, and the draws of a stated epoch."""
    unit = stated.length.unit if stated.has("length") else "iterations"
    if unit in {"iterations", "samples"}:
        known = made.get("steps" if unit == "iterations" else unit)
        return {"length": replace(known, unit=unit)} if isinstance(known, Amount) else {}
    whole, pace = made.get("epochs"), middle(found)
    beside = against(method, stated, pace) if unit == "epochs" else None
    if beside is None or not isinstance(whole, Amount):
        return {}
    once = stated.draws.value if stated.has("draws") else 1.0
    shown = repetition(method, pace, beside.ratio)
    if beside.same or (beside.ratio > 1 and shown):
        draws = once * beside.ratio
        at = method.train.repeats.place
        return {
            "draws": replace(whole, value=draws, unit="draws", span="", place=at),
            "length": replace(whole, value=whole.value / draws, span=""),
        }
    words = (
        f"`{method.id}` trained {figure(beside.counted)} epochs where {stated.length} are stated"
    )
    return {"draws": Inapplicable(f"{words} (RC102b)"), "length": whole}


def _amount(
    found: list[Pace], get: Callable[[Pace], float | None], unit: str, place: Where
) -> Amount | None:
    """Return the middle run's value, with the span over all runs; None if it was not seen."""
    run = middle(found)
    value = get(run)
    if value is None:
        return None
    values = [float(one) for one in map(get, found) if one is not None]
    return Amount(
        value=float(value),
        unit=unit,
        made_of=f"{source_of(run.run)}{COUNTED}",
        place=place,
        span=spread(values, unit),
    )


def ratio(ours: float, theirs: float) -> float:
    """Return ours over theirs; equal zeros are a ratio of one."""
    if theirs == 0:
        return 1.0 if ours == 0 else float("inf")
    return ours / theirs


def more_samples(ours: Seen, theirs: Seen) -> float:
    """Return how many times more training the method sees, in one unit.

    In samples; also in effective epochs where both can be had, and then the smaller of the two, so
    that a larger training set alone is no longer training. Tokens and environment steps compare
    directly where both sides state them.

    Raises:
        Missing: with the key that would decide it, on either side.
        Inapplicable: if the baseline is stated as not trained.
    """
    lengths = (ours.amount("length"), theirs.amount("length"))
    if lengths[1].value == 0:
        raise Inapplicable(f"`{theirs.method}` is not trained: {lengths[1]}")
    if lengths[0].unit == lengths[1].unit and lengths[0].unit not in {"epochs", "iterations"}:
        return ratio(lengths[0].value, lengths[1].value)
    units: tuple[Unit, ...] = ("samples", "epochs")
    shared = [unit for unit in units if ours.has(unit) and theirs.has(unit)]
    return min(ratio(ours.value(u), theirs.value(u)) for u in shared or units[:1])


def through_batch(ours: Seen, theirs: Seen, band: float) -> bool:
    """Return whether the steps match and only the samples of a step differ.

    Such a difference belongs to the batch (RC101), not to the length or the repeats.
    """
    if not (ours.budget.steps_stated or theirs.budget.steps_stated):
        return False
    if not all(seen.has("steps", "per_step") for seen in (ours, theirs)):
        return False
    steps = ratio(ours.value("steps"), theirs.value("steps"))
    batch = ratio(ours.value("per_step"), theirs.value("per_step"))
    return (steps <= band < batch) or (batch < 1 / band <= steps)


def assumed(*amounts: Amount) -> str:
    """Return the clause about factors that nobody stated, or nothing."""
    keys = sorted({path.rpartition(".")[2] for amount in amounts for path in amount.assumed})
    verb = "counts" if len(keys) == 1 else "count"
    return f"; {' and '.join(keys)}, undeclared for both, {verb} as 1" if keys else ""
