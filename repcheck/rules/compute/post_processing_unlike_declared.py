"""The number is made with averaged weights, members or views that the paper says are not used.

## What it catches
`ema: none`, `tta: none` or `ensemble_size: 1` beside a rerun whose evaluation averages weights,
views or models; and the reverse for a baseline: declared with an average, evaluated without.

## When it is legitimate
Statistics of batch normalisation; a target or momentum network that is not evaluated; the best
checkpoint of the same run; windows over a larger example, in both arms alike; a frozen network
that is evaluated beside the model.

## How it is decided
Averaged weights: the evaluated values follow the trained ones as a moving average, fitted over
several steps, or stand in torch's `AveragedModel`. Views: evaluated rows over different examples,
by their indices or by the stated test size, from 1.5 on. Members: different models of one class
that met the same examples. Other views or models in passes of their own may be averaged, or
reported each for itself, and decide nothing. Self-distillation, where `distillation.self` is
declared: an untrained copy of the model that is asked on the training samples may be a target
network, so it decides nothing, and its absence clears. Only what is declared can differ; what is
used and not declared is RC108's, beside the baseline. What is to the disadvantage of the method, or
to the advantage of a baseline, is a note.

## How to fix
Declare the post-processing, or report the plain number.

## Source
Trick 1.8 of the hzwer list: EMA and multi-model fusion for points; where possible, self-distil
too.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.errors import Reason
from repcheck.facts.agreement import Agreement, Line
from repcheck.finding import as_declared
from repcheck.rule import Answer, Severity, Undetermined, rule

KEYS = ("ema", "swa", "tta.views", "ensemble_size", "distillation.self")
VIEWS = "tta.views"
SELF = "distillation.self"


@rule("RC108b", Severity.MAJOR)
def check(method: Method, agreement: Agreement) -> Answer:
    limit = "averaged weights, one more member, 1.5 views of an example"
    keys = tuple(key for key in KEYS if key != SELF or method.distillation.self_.known)
    views = agreement.line(method, VIEWS)
    if views is None or views.state != "differs" or not _of_the_protocol(method, agreement, views):
        return as_declared(method, agreement, keys, limit)
    others = tuple(key for key in keys if key != VIEWS)
    told = any(line.key in others and line.declared for line in agreement.of(method))
    rest = as_declared(method, agreement, others, limit) if told else []
    return [*rest, _protocol(method, views)]


def _of_the_protocol(method: Method, agreement: Agreement, mine: Line) -> bool:
    """Return whether all that a method is compared with are evaluated in as many rows."""
    pairs = [(one.method, one.baseline) for one in agreement.comparisons]
    others = [b if a.id == method.id else a for a, b in pairs if method.id in {a.id, b.id}]
    lines = [agreement.line(other, VIEWS) for other in others]
    seen = [line.quantity for line in lines if line is not None]
    values = [float(one) for one in seen if one is not None]
    if mine.quantity is None or len(values) < len(others) or not values:
        return False
    return all(abs(value - float(mine.quantity)) <= 0.1 * value for value in values)


def _protocol(method: Method, views: Line) -> Undetermined:
    return Undetermined(
        message=f"`{method.id}` and all it is compared with are evaluated in {views.observed}: "
        "windows over an example, or views of it",
        reason=Reason.CONFLICTING_EVIDENCE,
        would_decide=f"say in `{views.place.path}` whether these are views",
        seen=() if views.quantity is None else views.quantity,
    )
