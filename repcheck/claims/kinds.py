"""The kinds of leaves that the sections of the claims file are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal, TypeVar

from repcheck.claims.stated import Section, Stated
from repcheck.units import Ge, Gt, Le, Unit

Role = Literal["proposed", "baseline", "ablation", "teacher", "trivial"]
ClaimType = Literal[
    "improvement", "value", "speed", "convergence", "efficiency", "robustness", "equivalence",
    "qualitative", "existence",
]  # fmt: skip
StdKind = Literal["sample", "population", "sem", "ci95"]

Amount = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Whole = Annotated[int, Ge(0)]
Natural = Annotated[int, Gt(0)]
SeedCount = Annotated[int, Gt(0), Le(10_000)]
Share = Annotated[float, Ge(0), Le(1)]
PValue = Annotated[float, Unit("p"), Ge(0), Le(1)]
Flop = Annotated[float, Unit("flops"), Ge(0)]
Seconds = Annotated[float, Unit("seconds"), Ge(0)]
Hours = Annotated[float, Unit("hours"), Ge(0)]
Megabytes = Annotated[float, Unit("MB"), Ge(0)]
Score = Annotated[float, Unit("score")]
Free = Mapping[str, Any]
Names = tuple[str, ...]

S = TypeVar("S", bound=Section)


def silent(cls: type[S]) -> S:
    """Make the field of a section that is silent until a file fills it."""
    return field(default_factory=cls)


NOTHING: Stated[Any] = Stated()
