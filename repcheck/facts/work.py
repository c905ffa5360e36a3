"""The training work of each method: steps, samples, effective epochs and tokens.

What the authors state, until a probe has counted: an observed budget then takes its place, and the
rules that ask here do not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

from repcheck.budget import Amount, Budget, stated_budget
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims, Method
from repcheck.errors import Inapplicable
from repcheck.fact import Evidence, Fact, Level, Quantity

Unit = Literal[
    "length", "per_step", "train_size", "draws", "steps", "samples", "epochs", "tokens", "env_steps"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A method's budget and the level at which it is known."""

    method: str
    budget: Budget
    level: Level = Level.DECLARED

    def has(self, *units: Unit) -> bool:
        """Return whether all these units can be had."""
        return all(self.budget.has(unit) for unit in units)

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
            level=self.level,
            source=f"{amount.place} ({amount.made_of})",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Fact):
    """The work of every method; `observed` holds what a probe counted, by method."""

    label: ClassVar[str] = "training work"
    claims: Claims
    observed: Mapping[str, Budget] = field(default_factory=dict)
    _made: dict[tuple[str, str, str], Seen] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Read the stated budgets."""
        return cls(claims=evidence.claims)

    def of(self, method: Method, *, beside: Method | None = None, dataset: str = "") -> Seen:
        """Return a method's work, as observed or else as stated beside another's."""
        key = (method.id, beside.id if beside else "", dataset)
        if key not in self._made:
            self._made[key] = self._of(method, beside, dataset)
        return self._made[key]

    def _of(self, method: Method, beside: Method | None, dataset: str) -> Seen:
        if method.id in self.observed:
            budget, level = self.observed[method.id], Level.OBSERVED
        else:
            budget = stated_budget(self.claims, method, beside=beside, dataset=dataset)
            level = Level.DECLARED
        return Seen(method=method.id, budget=budget, level=level)

    def both(self, comparison: Comparison) -> tuple[Seen, Seen]:
        """Return the work of the method and of the baseline it is compared with."""
        ours, theirs = comparison.method, comparison.baseline
        return (
            self.of(ours, beside=theirs, dataset=comparison.dataset),
            self.of(theirs, beside=ours, dataset=comparison.dataset),
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
