"""Declared beside observed, key by key, for each method.

Undeclared keys never differ: what was seen of them stands in the line, and a rule that holds it
against the other side of a comparison does so on what was observed alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

from repcheck.budget import stated_budget
from repcheck.claims.comparison import Comparison, comparisons, dataset_named
from repcheck.claims.model import Claims, Method
from repcheck.errors import Missing
from repcheck.fact import Evidence, Fact
from repcheck.facts.compute import measured
from repcheck.facts.cost_lines import cost_lines
from repcheck.facts.evaluation_lines import evaluation_lines
from repcheck.facts.length_lines import length_lines
from repcheck.facts.line import Line, Sides
from repcheck.facts.observed import Observed, Sight
from repcheck.facts.pace import Pace, paces
from repcheck.facts.recipe_lines import recipe_lines
from repcheck.facts.schedule import Trace, Traces

__all__ = ["Agreement", "Line"]

Side = Literal["proposed", "baseline", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement(Fact):
    """What was seen of each method beside what is declared of it; no lines before a rerun."""

    label: ClassVar[str] = "declared beside observed"
    claims: Claims
    observed: Observed | None
    comparisons: tuple[Comparison, ...] = ()
    _made: dict[str, tuple[Line, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the claims, and what was observed where anything was rerun."""
        claims = evidence.claims
        return cls(
            claims=claims,
            observed=evidence.get(Observed) if evidence.runs else None,
            comparisons=tuple(comparisons(claims)),
        )

    def of(self, method: Method) -> tuple[Line, ...]:
        """Return the lines of a method, in the order of the keys; `unseen` where it did not run."""
        if self.observed is None:
            return ()
        if method.id not in self._made:
            self._made[method.id] = tuple(_lines(self.claims, self.observed, method))
        return self._made[method.id]

    def line(self, method: Method, key: str) -> Line | None:
        """Return the line of one key, or nothing where it is neither declared nor seen."""
        return next((line for line in self.of(method) if line.key == key), None)

    def side(self, method: Method) -> Side:
        """Return the side a method is on: by the claims that compare it, else by its role."""
        ours = any(one.method.id == method.id for one in self.comparisons)
        theirs = any(one.baseline.id == method.id for one in self.comparisons)
        if ours == theirs:
            role = method.role.get("ablation") if not ours else ""
            return (
                "proposed" if role == "proposed" else "baseline" if role == "baseline" else "both"
            )
        return "proposed" if ours else "baseline"


def dataset_of_runs(observed: Observed, method: Method) -> str:
    """Return the dataset a method is held against: its own, or that of its first run."""
    first = (run.dataset for run in observed.runs if run.method == method.id and run.dataset)
    return method.dataset.get("") or next(first, "")


def _lines(claims: Claims, observed: Observed, method: Method) -> list[Line]:
    name = dataset_of_runs(observed, method)
    sight: Sight | None = None
    why = ""
    try:
        sight = observed.of(method, name)
    except Missing as missing:
        why = missing.would_decide
    if not name and len(claims.datasets) == 1:
        name = next(iter(claims.datasets))
    sides = Sides(
        claims=claims, method=method, dataset=dataset_named(claims, name), sight=sight, why=why
    )
    stated = stated_budget(claims, method, dataset=name)
    size = stated.train_size.value if stated.has("train_size") else None
    found: list[Pace] = []
    if sight is not None:
        try:
            found = paces(sight, size)
        except Missing as missing:
            why = missing.would_decide
    lines = [
        *length_lines(sides, stated, found, why),
        *recipe_lines(sides, _trace(observed, method, name)),
        *evaluation_lines(sides),
        *cost_lines(sides, None if sight is None else measured(sight), why),
    ]
    return [line for line in lines if line is not None]


def _trace(observed: Observed, method: Method, dataset: str) -> Trace | None:
    try:
        return Traces(observed=observed).of(method, dataset)
    except Missing:
        return None
