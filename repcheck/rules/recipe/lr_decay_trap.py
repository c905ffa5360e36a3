"""The baseline's learning rate dies too early, or swings because it is stepped too often.

## What it catches
Milestones or a decay in epochs of another dataset: the baseline spends most of its training at a
rate that moves nothing. A scheduler that is stepped once a batch with a horizon in epochs, so that
a single decay becomes a swing.

## When it is legitimate
Warm restarts and cyclic schedules that are stated; one-cycle; a decay that both sides have.

## How it is decided
The trace of the learning rate in a rerun. More than 50 % of the baseline's steps below 1 % of its
peak, and not so for the method, is major. A baseline's rate that comes back up three times or more
and the method's not, while its schedule is stated as one that only falls, is major too; where it is
not stated, it may be meant. The same of the method alone is a note.

## How to fix
Time the decay to the training that the baseline gets, or give it a constant rate with a final
decay.

## Source
Karpathy's recipe for training neural networks: do not trust learning-rate decay defaults.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Reason
from repcheck.fact import Quantity
from repcheck.facts.recipe import family
from repcheck.facts.schedule import Trace, Traces
from repcheck.finding import conservative
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, Undetermined, rule

FALLING = frozenset({"constant", "cosine", "linear", "step", "exponential", "polynomial"})


@rule("RC828", Severity.MAJOR)
def check(comparison: Comparison, traces: Traces, *, dead: float = 0.50, swings: int = 3) -> Answer:
    ours, theirs = traces.both(comparison)
    seen = (_low(ours), _low(theirs))
    words = f"{_said(ours)}, {_said(theirs)}"
    if theirs.low > dead and ours.low <= dead:
        return _flagged(comparison, words, seen)
    swung = (_cycles(ours), _cycles(theirs))
    if theirs.cycles >= swings > ours.cycles:
        return _swings(comparison, theirs, swung)
    if (ours.low > dead) > (theirs.low > dead):
        return conservative(words, seen, comparison.place)
    return Cleared(
        message=words, seen=(*seen, *swung), limit=f"{dead:.0%} of the steps; {swings} swings"
    )


def _said(trace: Trace) -> str:
    return (
        f"the learning rate of `{trace.method}` is below 1 % of its peak {trace.peak:g} for "
        f"{trace.low:.0%} of {trace.steps} steps"
    )


def _low(trace: Trace) -> Quantity:
    return trace.quantity("steps below 1 % of the peak lr", round(trace.low, 4), "share")


def _cycles(trace: Trace) -> Quantity:
    return trace.quantity("swings of the lr", trace.cycles)


def _flagged(comparison: Comparison, words: str, seen: tuple[Quantity, ...]) -> Flagged:
    stated = comparison.baseline.lr_schedule
    return Flagged(
        message=words,
        kind=Kind.ASYMMETRY,
        severity=Severity.MAJOR,
        seen=seen,
        at=comparison.place if stated.undeclared else stated.place,
    )


def _swings(comparison: Comparison, theirs: Trace, seen: tuple[Quantity, ...]) -> Answer:
    baseline = comparison.baseline
    words = (
        f"the learning rate of `{theirs.method}` comes back up {theirs.cycles} times in "
        f"{theirs.steps} steps, that of `{comparison.method.id}` does not"
    )
    if _only_falls(baseline):
        return _flagged(comparison, f"{words}; stated: {_stated(baseline)}", seen)
    return Undetermined(
        message=words,
        reason=Reason.UNDECLARED_KEY,
        would_decide=f"declare `{baseline.lr_schedule.type.path}`: restarts may be meant",
        seen=seen,
    )


def _only_falls(method: Method) -> bool:
    stated = method.lr_schedule
    return stated.absent or (stated.type.known and family(stated.type.value) in FALLING)


def _stated(method: Method) -> str:
    return "none" if method.lr_schedule.absent else str(method.lr_schedule.type)
