"""Where a number comes from, and what an operation count counts."""

from __future__ import annotations

from typing import ClassVar, Literal

from repcheck.claims.kinds import (
    NOTHING,
    Flop,
)
from repcheck.claims.stated import Section, Stated, section


@section
class Source(Section):
    """Where a number or a method comes from."""

    short: ClassVar[str | None] = "kind"
    kind: Stated[
        Literal[
            "ours-rerun", "retrained-by-us", "copied-from-paper", "official-checkpoint",
            "third-party", "measured", "copied",
        ]
    ] = NOTHING  # fmt: skip
    ref: Stated[str] = NOTHING


@section
class Flops(Section):
    """A cost in FLOPs or MACs (one MAC is two FLOPs), with what it counts."""

    short: ClassVar[str | None] = "value"
    value: Stated[Flop] = NOTHING
    convention: Stated[Literal["flops", "macs"]] = NOTHING
    at_input: Stated[tuple[int, ...]] = NOTHING
    counter: Stated[str] = NOTHING
    per: Stated[Literal["example", "batch", "second"]] = NOTHING
    scope: Stated[Literal["forward", "train-step", "total"]] = NOTHING
