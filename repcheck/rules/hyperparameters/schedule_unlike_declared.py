"""The learning rate did not move as the claims file says.

## What it catches
A schedule stated as cosine that is constant in the run, or the reverse; a decay planned for a
longer training than it gets; a warm-up that is not there; a scheduler that is stepped once a batch
with a horizon in epochs, so that the rate swings instead of falling.

## When it is legitimate
Other names for the same curve; a floor, a horizon or a warm-up that the file leaves open; a plateau
rule, which moves as the losses do.

## How it is decided
The trace of the learning rate in a rerun, as lr / peak over the training, beside the stated type.
Stated constant and ending below 0.95 of its peak, or stated as a decay and constant, is a mismatch.
Cosine and linear decays are drawn, with the stated horizon, floor and warm-up, or with whatever
horizon, floor and warm-up fit best where they are not stated: a mean distance up to 0.05 is
aligned, up to 0.15 minor, above major; a rate that is set once an epoch may lag behind by as much.
A stated warm-up that differs by more than 2 % of the steps, and ends in another epoch, is minor.
Other types are compared by what they say of the end only. The learning rate itself is RC202b's.

## How to fix
State the schedule that is run, or run the one that is stated, and rerun what depends on it.

## Source
Trick 2.1 of the hzwer list, and decay traps that a trace shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.model import Method
from repcheck.errors import Reason
from repcheck.fact import Quantity
from repcheck.facts.recipe import UNANNEALED, schedule
from repcheck.facts.schedule import FLAT, Trace, Traces, off_family
from repcheck.facts.work import Work
from repcheck.finding import graded
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, Undetermined, rule
from repcheck.where import Where

LOW_FLOOR = 0.2
DECAYS = frozenset({"cosine", "linear", "step", "exponential", "polynomial", "inverse-sqrt"})


@rule("RC201b", Severity.MINOR)
def check(
    method: Method, work: Work, traces: Traces, *, minor: float = 0.05, major: float = 0.15
) -> Answer:
    trace = traces.of(method)
    stated = schedule(method, work.of(method))
    at = _where(method)
    seen = trace.quantity("lr_schedule", f"{trace.kind}, ends at {trace.last:.4g} of its peak")
    words = f"`{method.id}` is stated as {stated.type} and {trace.said()}"
    if contradiction := _contradiction(stated.type, trace):
        return Flagged(message=f"{words}: {contradiction}", kind=Kind.MISMATCH, seen=seen, at=at)
    if warm := list(_warm_up(method, trace)):
        return warm
    off = _distance(method, work, trace)
    if off is None and trace.kind != stated.type:
        return Undetermined(
            message=f"{words}; a stated {stated.type} has no one curve to compare it with",
            reason=Reason.UNDECLARED_KEY,
            would_decide=_would_draw(method, stated.type),
            seen=seen,
        )
    if off is None or off <= minor:
        return Cleared(message=words, seen=seen, limit=f"a mean distance of {minor}")
    return Flagged(
        message=f"{words}: mean distance {off:.2f}",
        kind=Kind.MISMATCH,
        severity=graded(off, minor, major),
        seen=seen,
        at=at,
    )


def _where(method: Method) -> Where:
    stated = method.lr_schedule
    return stated.place if stated.absent else stated.type.place


def _contradiction(stated: str, trace: Trace) -> str:
    after = trace.shape[int(trace.warm * len(trace.shape)) :]
    if stated in UNANNEALED and min(after) < 0.95:
        return f"the rate fell to {min(after):.2f} of its peak"
    if stated in DECAYS and min(after) >= FLAT:
        return "the rate never fell"
    return ""


def _warm_up(method: Method, trace: Trace) -> Iterator[Flagged]:
    stated = method.lr_schedule.warmup_steps
    if stated.undeclared or trace.cycles:
        return
    wanted, found = stated.get(0.0), trace.warm_up_steps()
    slack = max(2, 0.02 * trace.steps)
    if found - slack <= wanted <= found + slack + (trace.warm_up_stair() if found else 0):
        return
    yield Flagged(
        message=f"`{method.id}` is stated with {stated} warm-up steps and reaches its peak rate "
        f"after {found} of {trace.steps} steps",
        kind=Kind.MISMATCH,
        severity=Severity.MINOR,
        seen=_steps(trace, found),
        at=stated.place,
    )


def _steps(trace: Trace, found: int) -> Quantity:
    return trace.quantity("warmup_steps", found, "steps")


def _distance(method: Method, work: Work, trace: Trace) -> float | None:
    """Return how far the trace is from what is stated; None where nothing can be drawn."""
    stated = schedule(method, work.of(method))
    if stated.shape is None or stated.type in UNANNEALED:
        return 0.0 if stated.type in UNANNEALED else None
    told = stated.distance(trace.schedule) or 0.0
    if stated.type != "step":
        lags = 2 if method.lr_schedule.warmup_steps.get(0.0) else 1
        told = max(0.0, told - lags * trace.lag)
    if not _open(method, trace):
        return told
    loose = off_family(trace.shape, stated.type)
    return told if loose is None else min(told, loose)


def _open(method: Method, trace: Trace) -> bool:
    """Return whether the file leaves room for another horizon, or for a floor such as this."""
    stated = method.lr_schedule
    return stated.horizon.undeclared or (stated.final_lr.undeclared and trace.last <= LOW_FLOOR)


def _would_draw(method: Method, kind: str) -> str:
    stated = method.lr_schedule
    if kind == "step":
        return f"declare `{stated.milestones.path}` and `{stated.gamma.path}`"
    if kind in {"cosine", "linear"}:
        return f"state `{stated.horizon.path}` in the unit of the training length"
    return f"a `{stated.type.path}` that can be drawn: constant, cosine, linear or step"
