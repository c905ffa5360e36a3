"""What the methods cost: parameters, forward and training FLOPs, in one convention.

One MAC (multiply-accumulate) is two FLOPs. Many papers print MACs under the name of FLOPs, so a
ratio near two between figures whose convention is not stated says nothing.

What a rerun measured whole takes the place of what is stated. Two methods are compared on one
basis, though: both as measured, else both as stated, as a measured cost beside one that is stated
in an unknown convention, or for another input, has no ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from repcheck.amount import Amount
from repcheck.budget import stated_flops
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims, Efficiency, Flops, Method
from repcheck.claims.stated import Stated
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.compute import Compute, Measured
from repcheck.units import print_scaled
from repcheck.where import Where

MACS_LOOK = (1.9, 2.1)
Which = Literal["params", "forward", "training", "total"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One cost with what it counts; `convention` is empty where the authors do not state it."""

    name: str
    value: float
    unit: str = "FLOPs"
    convention: str = ""
    at_input: tuple[int, ...] = ()
    per: str = ""
    place: Where = field(default_factory=Where)
    disclosed: bool = False
    level: Level = Level.DECLARED
    source: str = ""
    at_least: str = ""

    def __str__(self) -> str:
        bound = "at least " if self.at_least else ""
        return f"{bound}{print_scaled(self.value, self.unit)}"

    @property
    def measured(self) -> bool:
        """Whether a rerun measured it."""
        return self.level is Level.OBSERVED

    @property
    def quantity(self) -> Quantity:
        """Return the cost as evidence."""
        return Quantity(
            name=self.name,
            value=self.value,
            unit=self.unit,
            level=self.level,
            source=self.source or str(self.place),
        )

    def over(self, other: Cost) -> float:
        """Return the ratio of two costs.

        Raises:
            Missing: if they count at different inputs or per different things.
            Inapplicable: if the other is zero.
        """
        for mine, theirs, key in (
            (self.at_input, other.at_input, "at_input"),
            (self.per, other.per, "per"),
        ):
            if mine and theirs and mine != theirs:
                raise Missing(
                    Reason.CONFLICTING_EVIDENCE,
                    f"give `{self.name}` and `{other.name}` with one `{key}`: "
                    f"{mine} and {theirs} are not comparable",
                )
        if other.value == 0:
            raise Inapplicable(f"`{other.name}` is stated as zero: there is no ratio")
        return self.value / other.value

    def looks_like_macs(self, other: Cost) -> bool:
        """Return whether the two may be the same cost, once in FLOPs and once in MACs."""
        if self.unit != "FLOPs" or (self.convention and other.convention):
            return False
        ratio = self.over(other)
        return any(MACS_LOOK[0] <= r <= MACS_LOOK[1] for r in (ratio, 1 / ratio if ratio else 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs(Fact):
    """The cost of every method: as measured where it was measured whole, else as stated."""

    label: ClassVar[str] = "costs"
    claims: Claims
    compute: Compute = field(default_factory=Compute)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Read the stated costs, and take what was measured."""
        return cls(claims=evidence.claims, compute=evidence.get(Compute))

    def params(self, method: Method) -> Cost:
        """Return the parameter count: as measured, else the model's own, else the table's.

        Raises:
            Missing: if nobody knows it.
        """
        return self._of("params", method)

    def forward(self, method: Method) -> Cost:
        """Return the forward FLOPs of one example, of the whole model, in all its views.

        Raises:
            Missing: if they were not measured and neither the model nor an end-to-end efficiency
                row states them.
        """
        return self._of("forward", method)

    def training(self, method: Method) -> Cost:
        """Return the training FLOPs of one sample, forward and backward, in the training form.

        Raises:
            Missing: if they are neither measured nor stated.
        """
        return self._of("training", method)

    def total(self, method: Method) -> Cost:
        """Return the whole training: in FLOPs, else in GPU hours on a named machine.

        Raises:
            Missing: if nothing is stated, or the machine is not.
        """
        return self._of("total", method)

    def both(self, which: Which, comparison: Comparison) -> tuple[Cost, Cost]:
        """Return a cost of the method and of its baseline: both measured, else both stated.

        Raises:
            Missing: if neither is to be had, with what would decide it.
        """
        sides = (comparison.method, comparison.baseline)
        found = [self.measured(which, side, comparison.dataset) for side in sides]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
        try:
            ours, theirs = (self.stated(which, side) for side in sides)
        except Missing as lacking:
            if not any(found):
                raise
            unseen = sides[0] if found[0] is None else sides[1]
            raise Missing(
                lacking.reason, f"rerun `{unseen.id}`, or {lacking.would_decide}"
            ) from None
        return ours, theirs

    def measured(self, which: Which, method: Method, dataset: str = "") -> Cost | None:
        """Return a cost as it was measured; nothing where it was not."""
        cost = self.compute.find(method, dataset)
        if cost is None:
            return None
        try:
            amount = _MEASURED[which](cost)
        except Missing:
            return None
        return self._joined(which, method, amount)

    def views(self, method: Method, dataset: str = "") -> float:
        """Return in how many views a measured example was evaluated, 1 where none was measured."""
        cost = self.compute.find(method, dataset)
        return cost.example.views if cost and cost.example else 1.0

    def more_views(self, comparison: Comparison) -> float:
        """Return how many times as many views of an example the method was evaluated in."""
        sides = (comparison.method, comparison.baseline)
        ours, theirs = (self.views(side, comparison.dataset) for side in sides)
        return ours / theirs

    def stated(self, which: Which, method: Method) -> Cost:
        """Return a cost as the authors state it.

        Raises:
            Missing: if they do not.
        """
        return _STATED[which](self, method)

    def _of(self, which: Which, method: Method) -> Cost:
        found = self.measured(which, method)
        if found is not None and not found.at_least:
            return found
        try:
            return self.stated(which, method)
        except Missing:
            if found is None:
                raise
            return found

    def _joined(self, which: Which, method: Method, amount: Amount) -> Cost:
        """Return a measured cost, which stands where the stated one does."""
        try:
            stated: Cost | None = self.stated(which, method)
        except (Missing, Inapplicable):
            stated = None
        return Cost(
            name=f"{method.id}.{_NAMES[which]}",
            value=amount.value,
            unit="parameters" if which == "params" else "FLOPs",
            convention="flops",
            per="" if which in {"params", "total"} else "example",
            place=stated.place if stated else method.model.place,
            disclosed=stated.disclosed if stated else False,
            level=Level.OBSERVED,
            source=amount.made_of,
            at_least=amount.at_least,
        )

    def _params(self, method: Method) -> Cost:
        rows = (row.params for row in self.rows(method))
        leaf = _first((method.model.params, *rows))
        return _plain(f"{method.id}.params", leaf, "parameters")

    def _forward(self, method: Method) -> Cost:
        stated = method.model.flops
        if not stated.value.known:
            rows = (row.flops for row in self.rows(method) if whole(row))
            stated = next((flops for flops in rows if flops.value.known), stated)
        return flops_cost(f"{method.id}.flops", stated)

    def _training(self, method: Method) -> Cost:
        return flops_cost(f"{method.id}.train_flops", method.model.train_flops_per_sample)

    def _total(self, method: Method) -> Cost:
        stated = method.train_cost.train_flops
        if stated.value.known:
            return flops_cost(f"{method.id}.total_train_flops", stated)
        hours = _first((method.train_cost.gpu_hours, method.train.gpu_hours))
        cost = _plain(f"{method.id}.gpu_hours", hours, "GPU hours")
        return replace(cost, unit=f"GPU hours on {method.train.hardware.value}")

    def rows(self, method: Method) -> Sequence[Efficiency]:
        """Return the method's rows of the efficiency table."""
        return [row for row in self.claims.efficiency if row.method.get("") == method.id]

    def tabled(self, method: Method) -> bool:
        """Return whether the efficiency table gives the method's FLOPs, speed or latency."""
        return any(
            leaf.known
            for row in self.rows(method)
            for leaf in (row.flops.value, row.latency_ms, row.throughput)
        )


_NAMES: dict[Which, str] = {
    "params": "params",
    "forward": "flops",
    "training": "train_flops",
    "total": "total_train_flops",
}
_MEASURED: dict[Which, Callable[[Measured], Amount]] = {
    "params": lambda cost: cost.params,
    "forward": lambda cost: cost.inference,
    "training": lambda cost: cost.useful,
    "total": lambda cost: cost.total,
}
_STATED: dict[Which, Callable[[Costs, Method], Cost]] = {
    "params": Costs._params,
    "forward": Costs._forward,
    "training": Costs._training,
    "total": Costs._total,
}


def counted(mine: Cost, other: Cost, *, above: bool) -> None:
    """Say that a ratio of costs decides: bounds exclude nothing, and show `above` by one side only.

    Raises:
        Missing: if one of the costs is a lower bound and the ratio could be another.
    """
    for cost in (other,) if above else (mine, other):
        if cost.at_least:
            raise Missing(
                Reason.NOT_OBSERVED,
                f"a whole count of `{cost.name}`, which is {cost} ({cost.at_least})",
            )


def whole(row: Efficiency) -> bool:
    """Return whether a row counts the whole method: no other scope, and nothing excluded."""
    scope = row.scope.get("end-to-end").lower().replace("_", "-").replace(" ", "-")
    return scope in {"end-to-end", "total", "whole", "full"} and not row.components_excluded.get(())


def _first(leaves: Iterable[Stated[float]]) -> Stated[float]:
    found = list(leaves)
    return next((leaf for leaf in found if leaf.known), found[0])


def _plain(name: str, leaf: Stated[float], unit: str) -> Cost:
    return Cost(
        name=name,
        value=leaf.value,
        unit=unit,
        place=leaf.place,
        disclosed=leaf.disclosure.in_paper,
    )


def flops_cost(name: str, stated: Flops) -> Cost:
    """Return a stated cost in FLOPs; MACs are doubled.

    The word FLOPs printed behind a number is no convention: people use it for either.

    Raises:
        Missing: if the value is not stated.
    """
    leaf: Stated[Any] = stated.value
    amount = stated_flops(stated)
    said = stated.convention.get("flops") if stated.convention.known else ""
    if said == "flops" and stated.convention.place == leaf.place:
        said = ""
    return Cost(
        name=name,
        value=amount.value,
        convention=said,
        at_input=stated.at_input.get(()),
        per=stated.per.get("example") if stated.per.known else "",
        place=leaf.place,
        disclosed=leaf.disclosure.in_paper or stated.disclosure.in_paper,
    )
