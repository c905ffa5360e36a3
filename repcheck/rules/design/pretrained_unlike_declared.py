"""Weights were loaded before the first step, and the claims file says that training starts fresh.

## What it catches
`pretrained: none` beside a rerun that loads weights it did not write itself into what it then
trains.

## When it is legitimate
A checkpoint that the same run wrote; the weights of a teacher or of a metric's network; fixed
filters that are no one's training.

## How it is decided
A load before the first step that changed more than 1 % of the elements of a trained module, from a
file that the run did not write, is a mismatch with `pretrained: none`. A load that may have been a
teacher's, or of which nobody knows what it changed, decides nothing. Weights that are stated and
not loaded are no finding: they may be read on a path that no probe sees.

## How to fix
State the weights and the data and labels behind them, or train from scratch and report that.

## Source
Trick 4.6 of the hzwer list: take pretrained parameters from another model: higher start, higher
ceiling, equal to adding data and labels.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.errors import Reason
from repcheck.facts.origins import NOTICED, Origins, named
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


@rule("RC406b", Severity.MAJOR)
def check(method: Method, origins: Origins) -> Answer:
    stated = method.pretrained
    if stated.used():
        return NotApplicable(message=f"`{method.id}` is stated as starting from {_weights(method)}")
    origin = origins.of(method)
    seen = origin.quantity()
    if origin.borrowed:
        return Flagged(
            message=f"`{method.id}` is stated as not pretrained and starts from {origin.said()}",
            kind=Kind.MISMATCH,
            severity=Severity.MAJOR,
            seen=seen,
            at=stated.place,
        )
    if origin.resumed or origin.unclear:
        loads = named((*origin.resumed, *origin.unclear))
        return Undetermined(
            message=f"`{method.id}` is stated as not pretrained and reads {', '.join(loads)} "
            "before its first step",
            reason=Reason.CONFLICTING_EVIDENCE,
            would_decide=f"what {', '.join(loads)} holds, and into what it is loaded",
            seen=seen,
        )
    if head_start := origin.head_start():
        return Undetermined(
            message=f"`{method.id}` is stated as not pretrained, but {head_start}",
            reason=Reason.CONFLICTING_EVIDENCE,
            would_decide=f"where the first weights of `{method.id}` come from",
            seen=seen,
        )
    return Cleared(
        message=f"`{method.id}` is stated as not pretrained and loads no weights before its first "
        "step",
        seen=seen,
        limit=f"a load of {NOTICED:.0%} of a module's elements; numbers that are changed while "
        "they are copied by hand are not seen",
    )


def _weights(method: Method) -> str:
    weights = method.pretrained.weights
    return str(weights) if weights.known else "pretrained weights"
