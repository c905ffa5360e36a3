"""Speeds that were measured under different conditions stand side by side.

## What it catches
Latency or throughput of the method and its baseline on different hardware, precision, batch size,
threads or framework; a speed measured here beside one copied from a paper.

## When it is legitimate
Copied speeds, said to be copied and never put in a ratio. FLOPs and parameters depend on no
machine. A method that is slower here than its baseline gains nothing from it: a note.

## How it is decided
The declared conditions of both rows of `efficiency`, key by key. Equal words only say that the
authors say so; a key that one of them leaves out decides nothing. Where a rerun counted the FLOPs
of both, the claimed speed-up stands beside their ratio: that says how plausible it is, and decides
nothing either, as memory and kernels cost time too.

## How to fix
Measure both on one machine, with one precision, batch size and framework.

## Source
hzwer 5.7
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims, Efficiency
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.costs import Costs
from repcheck.facts.recipe import same_words
from repcheck.facts.table import Table
from repcheck.finding import times
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Severity,
    Undetermined,
    rule,
)
from repcheck.units import print_duration

_KEYS = ("hardware", "precision", "batch_size", "threads", "framework")
_PRECISIONS = {"float16": "fp16", "half": "fp16", "float32": "fp32", "single": "fp32",
               "bfloat16": "bf16"}  # fmt: skip
_NEEDED = ("hardware", "precision", "batch_size")
_COPIED = frozenset({"copied", "copied-from-paper", "third-party"})
_MEASURED = frozenset({"measured", "ours-rerun", "retrained-by-us"})
BEYOND = 1.5
_SPEED = frozenset({"speed", "efficiency"})


@rule("RC507", Severity.MAJOR)
def check(comparison: Comparison, table: Table, costs: Costs) -> Answer:
    ours = _speeds(table.claims, comparison.method.id)
    theirs = _speeds(table.claims, comparison.baseline.id)
    if not ours or not theirs:
        return _nothing(comparison, table.claims)
    pair = _pair(ours, theirs)
    if pair is None:
        return NotApplicable(message="no two speeds of the same scope and form")
    found = list(_differences(comparison, *pair))
    if found:
        return found
    for key in _NEEDED:
        for row in pair:
            getattr(row, key).value  # noqa: B018  (raises with the key that is missing)
    if beside := _beside_flops(comparison, costs, *pair):
        return beside
    return Cleared(
        message="both speeds were measured under the same declared conditions",
        seen=Quantity(name="hardware", value=pair[0].hardware.value, source=str(pair[0].place)),
        limit="the authors' words",
    )


def _beside_flops(
    comparison: Comparison, costs: Costs, ours: Efficiency, theirs: Efficiency
) -> Undetermined | None:
    """Return the claimed speed-up beside the ratio of measured FLOPs, which decides nothing."""
    names = (comparison.method.id, comparison.baseline.id)
    mine = costs.measured("forward", comparison.method, comparison.dataset)
    other = costs.measured("forward", comparison.baseline, comparison.dataset)
    faster = _speed_up(ours, theirs)
    if mine is None or other is None or not mine.value or faster is None:
        return None
    fewer = other.value / mine.value
    word = "more than its FLOPs give" if faster > fewer * BEYOND else "as far as FLOPs tell"
    return Undetermined(
        message=f"`{names[0]}` is timed {times(faster)} as fast as `{names[1]}` under the same "
        f"declared conditions; `{names[1]}` takes {times(fewer)} its FLOPs an example ({other} vs "
        f"{mine}), {word}{_paces(comparison, costs)}",
        reason=Reason.NOT_OBSERVED,
        would_decide="time both on one machine in turns (ABAB), after a warm-up, at least 30 times",
        seen=(mine.quantity, other.quantity),
    )


def _speed_up(ours: Efficiency, theirs: Efficiency) -> float | None:
    if ours.latency_ms.known and theirs.latency_ms.known and ours.latency_ms.value:
        return theirs.latency_ms.value / ours.latency_ms.value
    if ours.throughput.known and theirs.throughput.known and theirs.throughput.value:
        return ours.throughput.value / theirs.throughput.value
    return None


def _paces(comparison: Comparison, costs: Costs) -> str:
    """Return how long the reruns took for a training sample, on this machine, in words."""
    each = []
    for side in (comparison.method, comparison.baseline):
        cost = costs.compute.find(side, comparison.dataset)
        if cost is None or cost.sample is None or not cost.has_wall:
            return ""
        each.append(print_duration(cost.wall.value / cost.sample.samples))
    return f"; their reruns took {each[0]} and {each[1]} a training sample here, start included"


def _nothing(comparison: Comparison, claims: Claims) -> NotApplicable:
    if any(claim.kind in _SPEED for claim in comparison.claims):
        key = claims.place.join("efficiency")
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{key}` rows of both methods")
    return NotApplicable(message="no speeds of both methods")


def _speeds(claims: Claims, method: str) -> list[Efficiency]:
    return [
        row
        for row in claims.efficiency
        if row.method.get("") == method and (row.latency_ms.known or row.throughput.known)
    ]


def _pair(ours: list[Efficiency], theirs: list[Efficiency]) -> tuple[Efficiency, Efficiency] | None:
    """Return the two rows that belong together: the same scope, form and dataset, best equal."""
    candidates = [
        (a, b)
        for a in ours
        for b in theirs
        if all(
            getattr(a, key).get("") == getattr(b, key).get("")
            for key in ("scope", "form", "dataset")
        )
        and a.latency_ms.known == b.latency_ms.known
    ]

    def unlike(pair: tuple[Efficiency, Efficiency]) -> int:
        a, b = pair
        return sum(str(getattr(a, key)) != str(getattr(b, key)) for key in _KEYS)

    return min(candidates, key=unlike, default=None)


def _differences(comparison: Comparison, ours: Efficiency, theirs: Efficiency) -> Iterator[Flagged]:
    severity = None if any(c.kind in _SPEED for c in comparison.claims) else Severity.MINOR
    if _slower(ours, theirs):
        severity = Severity.NOTE
    for key in _KEYS:
        a, b = getattr(ours, key), getattr(theirs, key)
        if a.known and b.known and not _alike(a.value, b.value):
            word = key.replace("_", " ")
            yield Flagged(
                message=f"{comparison.method.id} was timed with {word} {a}, "
                f"{comparison.baseline.id} with {b}",
                kind=Kind.ASYMMETRY,
                severity=severity,
                seen=(
                    Quantity(
                        name=f"{word} of {comparison.method.id}", value=a.value, source=str(a.place)
                    ),
                    Quantity(
                        name=f"{word} of {comparison.baseline.id}",
                        value=b.value,
                        source=str(b.place),
                    ),
                ),
                at=b.place,
            )
    first, second = ours.source.kind.get("measured"), theirs.source.kind
    if second.known and second.value in _COPIED and first in _MEASURED:
        yield Flagged(
            message=f"the speed of {comparison.baseline.id} is copied, that of "
            f"{comparison.method.id} measured here",
            kind=Kind.ASYMMETRY,
            severity=severity,
            seen=Quantity(name="source", value=second.value, source=str(second.place)),
            at=second.place,
        )


def _alike(ours: object, theirs: object) -> bool:
    """Return whether two conditions are one: `FP16` is `float16`."""
    if not (isinstance(ours, str) and isinstance(theirs, str)):
        return ours == theirs
    mine, other = (_PRECISIONS.get(text.lower(), text) for text in (ours, theirs))
    return same_words(mine, other)


def _slower(ours: Efficiency, theirs: Efficiency) -> bool:
    if ours.latency_ms.known and theirs.latency_ms.known:
        return ours.latency_ms.value > theirs.latency_ms.value
    if ours.throughput.known and theirs.throughput.known:
        return ours.throughput.value < theirs.throughput.value
    return False
