"""Metrics were measured and left out of the report.

## What it catches
The authors say that they measured metrics which no table shows; or they say that nothing was left
out while a metric that the evaluation writes has no row.

## When it is legitimate
A primary metric chosen beforehand, diagnostics of training, and metrics that say the same twice.
With a reason in `measured_not_reported.reason` and a metric marked `primary`, it is a note. Losing
on a metric that is reported is honest, and no finding.

## How it is decided
From `measured_not_reported.metrics`: an empty list says that nothing was left out; a missing key
decides nothing. After runs it is held against what they wrote: where the metrics files hold no
other metric than the reported ones it is cleared, and where they do although nothing is said to be
left out it is a note. Whether the method loses on those is RC501b's question.

## How to fix
Report all metrics for both methods, in an appendix if need be, and mark the primary one.

## Source
hzwer 5.1
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.model import Claims
from repcheck.fact import Level, Quantity
from repcheck.facts.unreported import Unreported, in_other_tables, reported_metrics
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, rule

_MOST = 8


@rule("RC501", Severity.MAJOR)
def check(claims: Claims, unreported: Unreported) -> Answer:
    left_out = claims.measured_not_reported
    reported = reported_metrics(claims)
    if unreported.nothing_else and not left_out.metrics.get(()):
        return Cleared(
            message=f"metrics reported: {len(reported)}; the metrics files hold no other",
            seen=_observed(unreported, 0),
            limit="would have seen only what the evaluation writes into its metrics files",
        )
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
    found = [*_unlisted(claims, reported, seen), *_written(claims, unreported)]
    return found or Cleared(
        message=f"metrics reported: {len(reported)}, left out: 0",
        seen=seen,
        limit="the authors' list",
    )


def _unlisted(claims: Claims, reported: set[str], seen: Quantity) -> Iterator[Flagged]:
    """Find metrics that the evaluation writes, that no row shows and no list admits."""
    admitted = {*reported, *claims.measured_not_reported.metrics.value}
    admitted |= in_other_tables(claims)
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


def _written(claims: Claims, unreported: Unreported) -> Iterator[Flagged]:
    """Note what the metrics files hold although nothing is said to be left out."""
    if names := unreported.left_out:
        more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
        yield Flagged(
            message="nothing is said to be left out, and the metrics files hold "
            f"{', '.join(names[:_MOST])}{more} too",
            kind=Kind.MISMATCH,
            severity=Severity.NOTE,
            seen=_observed(unreported, len(names)),
            at=claims.measured_not_reported.metrics.place,
        )


def _observed(unreported: Unreported, count: int) -> Quantity:
    return Quantity(
        name="metrics in the metrics files and not reported",
        value=count,
        level=Level.RERUN,
        source=f"{', '.join(unreported.sources[:2])}, out/",
    )
