"""Metrics were measured and left out of the report.

## What it catches
The authors say that they measured metrics which no table shows; or they say that nothing was left
out while a metric that the evaluation writes has no row.

## When it is legitimate
A primary metric chosen beforehand, diagnostics of training, and metrics that say the same twice.
With a reason in `measured_not_reported.reason` and a metric marked `primary`, it is a note. Losing
on a metric that is reported is honest, and no finding.

## How it is decided
From `measured_not_reported.metrics` alone, so far: no file and no run is opened. An empty list says
that nothing was left out; a missing key decides nothing.

## How to fix
Report all metrics for both methods, in an appendix if need be, and mark the primary one.

## Source
hzwer 5.1
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repcheck.claims.model import Claims
from repcheck.fact import Quantity
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, rule

_COST = re.compile(
    r"latency|throughput|speed|fps|memory|params|flops|runtime|hours|\bm?s\b|/ ?s(?:ec)?\b"
)


@rule("RC501", Severity.MAJOR)
def check(claims: Claims) -> Answer:
    left_out = claims.measured_not_reported
    reported = _reported(claims)
    hidden = [name for name in left_out.metrics.value if name not in reported]
    seen = Quantity(
        name="metrics measured and not reported",
        value=len(hidden),
        source=str(left_out.metrics.place),
    )
    if hidden:
        reasoned = left_out.reason.known and any(
            m.primary.get(False) for m in claims.metrics.values()
        )
        return Flagged(
            message=f"of {len(hidden) + len(reported)} metrics measured, {len(reported)} reported; "
            f"left out: {', '.join(hidden)}",
            kind=Kind.OMISSION,
            severity=Severity.NOTE if reasoned else Severity.MINOR,
            seen=seen,
            at=left_out.metrics.place,
            disclosed=left_out.metrics.disclosure.in_paper,
        )
    return list(_unlisted(claims, reported, seen)) or Cleared(
        message=f"metrics reported: {len(reported)}, left out: 0",
        seen=seen,
        limit="the authors' list",
    )


def _reported(claims: Claims) -> set[str]:
    rows = {row.metric.value for row in claims.results if row.metric.known}
    rows |= {claim.metric.value for claim in claims.claims if claim.metric.known}
    return rows or set(claims.metrics) if len(claims.metrics) == 1 else rows


def _unlisted(claims: Claims, reported: set[str], seen: Quantity) -> Iterator[Flagged]:
    """Find metrics that the evaluation writes, that no row shows and no list admits."""
    admitted = {*reported, *claims.measured_not_reported.metrics.value}
    admitted |= _in_other_tables(claims)
    for metric in claims.metrics.values():
        if metric.id not in admitted and metric.from_.known and claims.results:
            yield Flagged(
                message=f"nothing is said to be left out, and {metric.id}, which the evaluation "
                "writes, has no row in `results`",
                kind=Kind.MISMATCH,
                severity=Severity.MINOR,
                seen=seen,
                at=metric.place,
            )


def _in_other_tables(claims: Claims) -> set[str]:
    """Return the metrics that stand in a claim's ratio, an ablation or the table of costs."""
    shown = {name for claim in claims.claims for name in claim.ratio.get({})}
    shown |= {name for row in claims.ablations or () for name in row.result.get({})}
    if claims.efficiency:
        words = {
            m.id: f"{m.id} {m.unit.get('')} {m.definition.get('')}" for m in claims.metrics.values()
        }
        shown |= {name for name, said in words.items() if _COST.search(said.lower())}
    return shown
