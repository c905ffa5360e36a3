"""The highest learning rate of a rerun is not the one stated.

## What it catches
A learning rate in the paper that the code does not use: for the proposed method, or, worse, for the
baseline.

## When it is legitimate
A base rate that is scaled with the batch or the devices; several rates for several groups of
parameters, of which the file states another than that of most parameters.

## How it is decided
The highest rate that the optimizer had in a rerun beside `optimizer.lr`, to one millionth; up to
5 % below where a schedule moves it, since its peak may fall between two steps. Up to 10 % apart is
minor, more is major. A factor that the batch or the number of devices explains decides nothing, nor
does a difference where several groups of parameters are no weight-decay groups.

## How to fix
State the peak rate that is run, or run the one that is stated, and rerun what depends on it.

## Source
Trick 2.2 of the hzwer list: raise one's own learning rate a little, lower the baseline's.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.errors import Reason
from repcheck.facts.agreement import Agreement
from repcheck.facts.schedule import Trace, Traces
from repcheck.finding import times
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, Undetermined, rule


@rule("RC202b", Severity.MINOR)
def check(method: Method, traces: Traces, agreement: Agreement, *, minor: float = 0.10) -> Answer:
    trace = traces.of(method)
    stated = method.optimizer.lr
    lr = stated.value
    line = agreement.line(method, "optimizer.lr")
    state = line.state if line else "unseen"
    seen = trace.quantity("peak lr", trace.peak)
    words = f"`{method.id}` is stated with learning rate {stated} and its highest is {trace.peak:g}"
    if state == "same":
        return Cleared(message=words, seen=seen, limit="one millionth; 5 % of a moving rate")
    if line is None or state != "differs" or _several(trace):
        groups = f"the rate is that of the largest of {trace.optimizer.groups} groups"
        return Undetermined(
            message=f"{words}: {line.why if line and line.why else groups}",
            reason=Reason.CONFLICTING_EVIDENCE,
            would_decide=f"say in `{stated.path}` which rate is meant",
            seen=seen,
        )
    far = abs(trace.peak - lr) > minor * max(lr, trace.peak)
    return Flagged(
        message=f"{words} ({times(trace.peak / lr)})" if lr else words,
        kind=Kind.MISMATCH,
        severity=Severity.MAJOR if far else Severity.MINOR,
        seen=seen,
        at=stated.place,
    )


def _several(trace: Trace) -> bool:
    """Return whether the groups may have rates of their own, and not only weight decays."""
    return trace.optimizer.groups > 1 and not trace.optimizer.no_decay_share
