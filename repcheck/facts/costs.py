"""What the methods cost: parameters, forward and training FLOPs, in one convention.

One MAC (multiply-accumulate) is two FLOPs. Many papers print MACs under the name of FLOPs, so a
ratio near two between figures whose convention is not stated says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from repcheck.claims.model import Claims, Efficiency, Flops, Method
from repcheck.claims.stated import Stated
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.units import print_scaled
from repcheck.where import Where

MACS_LOOK = (1.9, 2.1)
Scope = Literal["forward", "train-sample"]


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

    def __str__(self) -> str:
        return print_scaled(self.value, self.unit)

    @property
    def quantity(self) -> Quantity:
        """Return the cost as evidence."""
        return Quantity(
            name=self.name,
            value=self.value,
            unit=self.unit,
            level=self.level,
            source=str(self.place),
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
    """The cost of every method, as stated."""

    label: ClassVar[str] = "costs"
    claims: Claims

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Read the stated costs."""
        return cls(claims=evidence.claims)

    def params(self, method: Method) -> Cost:
        """Return the parameter count: the model's own, else the efficiency table's.

        Raises:
            Missing: if neither states it.
        """
        rows = (row.params for row in self.rows(method))
        leaf = _first((method.model.params, *rows))
        return _plain(f"{method.id}.params", leaf, "parameters")

    def forward(self, method: Method) -> Cost:
        """Return the forward FLOPs of one example, the whole model's.

        Raises:
            Missing: if neither the model nor an end-to-end efficiency row states them.
        """
        stated = method.model.flops
        if not stated.value.known:
            rows = (row.flops for row in self.rows(method) if whole(row))
            stated = next((flops for flops in rows if flops.value.known), stated)
        return flops_cost(f"{method.id}.flops", stated)

    def training(self, method: Method) -> Cost:
        """Return the training FLOPs of one sample, forward and backward, in the training form.

        Raises:
            Missing: if they are not stated.
        """
        return flops_cost(f"{method.id}.train_flops", method.model.train_flops_per_sample)

    def total(self, method: Method) -> Cost:
        """Return the whole training: in FLOPs, else in GPU hours on a named machine.

        Raises:
            Missing: if neither is stated, or the machine is not.
        """
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
    if leaf.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{stated.place.path}`")
    said = stated.convention.get("flops") if stated.convention.known else ""
    if said == "flops" and stated.convention.place == leaf.place:
        said = ""
    return Cost(
        name=name,
        value=float(leaf.value) * (2.0 if said == "macs" else 1.0),
        convention=said,
        at_input=stated.at_input.get(()),
        per=stated.per.get("example") if stated.per.known else "",
        place=leaf.place,
        disclosed=leaf.disclosure.in_paper or stated.disclosure.in_paper,
    )
