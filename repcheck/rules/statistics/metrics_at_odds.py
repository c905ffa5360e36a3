"""Two metrics of one method on one dataset contradict each other.

## What it catches
A top-5 accuracy below the top-1, an F1 above the harmonic mean of its precision and recall, an
error and an accuracy that do not make a whole, an RMSE below the MAE: numbers of different runs,
tables or test sets side by side.

## When it is legitimate
Averages over seeds, folds, classes or images: only what averaging keeps is asked (an order, a
linear identity, one side of a convex one). Perplexity and loss count different things where tokens
are not words or labels are smoothed: that is a note.

## How it is decided
From the names of the metrics and the printed digits, with the widest rounding. What truncation
explains is a note.

## How to fix
Compute both metrics from the same predictions, or name what differs between them.

## Source
hzwer 6.3; the definitions of the metrics
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from repcheck.claims.model import Claims, Metric, Result
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, centre_of, printed, written
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Severity,
    Undetermined,
    rule,
)
from repcheck.stats.forensics_relations import contradictions, relations_asked
from repcheck.stats.printed import Rounding

_TOPS = {"percent": 100, "fraction": 1}
_READINGS = {
    Rounding.TRUNCATED: "; only if they were truncated",
    Rounding.ANY: "; only if one was rounded up",
}


@rule("RC913", Severity.MINOR, part=Part.FORENSIC, worst=Severity.MINOR)
def check(claims: Claims, table: Table) -> Answer:
    if len(claims.metrics) < 2:
        return NotApplicable(message="fewer than two metrics")
    asked, found, closed = 0, [], 0
    for rows in _groups(table):
        units = {_unit(table.metric_of(row)) for row in rows.values()}
        shares = units & {*_TOPS}
        cells = {name: printed(centre_of(row)) for name, row in rows.items()}
        pairs = relations_asked(cells)
        if len(shares) > 1 or "" in units:
            closed += pairs
            continue
        asked += pairs
        found += list(_contradictions(rows, _TOPS.get(next(iter(shares), ""), 100)))
    if found:
        return found
    return _nothing(claims, asked, closed)


def _unit(metric: Metric) -> str:
    return "" if metric.unit.undeclared else metric.unit.get("none")


def _groups(table: Table) -> Iterator[Mapping[str, Result]]:
    """Yield, by metric, the rows of each method on each dataset; the mean or value of each."""
    groups: dict[tuple[str, str], dict[str, Result]] = {}
    for (method, dataset, metric), rows in table.index.items():
        plain = [row for row in rows if not written(row, "at") and not written(row, "aggregate")]
        if len(plain) == 1 and (written(plain[0], "mean") or written(plain[0], "single")):
            groups.setdefault((method, dataset), {})[metric] = plain[0]
    return (rows for rows in groups.values() if len(rows) > 1)


def _contradictions(rows: Mapping[str, Result], most: int) -> Iterator[Flagged]:
    cells = {name: printed(centre_of(row)) for name, row in rows.items()}
    for found in contradictions(cells, most=most):
        leaf = centre_of(rows[found.names[0]])
        certain = found.certain and found.mode is None
        yield Flagged(
            message=f"{rows[found.names[0]].method}: {found.words}"
            + (" under any rounding" if found.mode is None else _READINGS[found.mode]),
            kind=Kind.MISMATCH,
            severity=Severity.MINOR if certain else Severity.NOTE,
            seen=Quantity(
                name=found.names[0], value=leaf.value, level=Level.FORENSIC, source=str(leaf.place)
            ),
            at=leaf.place,
        )


def _nothing(claims: Claims, asked: int, closed: int) -> Outcome:
    if asked:
        return Cleared(
            message=f"{asked} pairs of metrics go with each other",
            seen=Quantity(name="pairs of metrics", value=asked, level=Level.FORENSIC),
            limit="would have seen a difference of two rounding units",
        )
    if closed:
        lacking = next((m.unit for m in claims.metrics.values() if m.unit.undeclared), None)
        why = "not stated" if lacking else "percent here and a fraction there"
        return Undetermined(
            message=f"{closed} pairs of metrics cannot be compared: their unit is {why}",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"declare `{lacking.path}`" if lacking else "one unit for both metrics",
        )
    return NotApplicable(message="no two metrics that say something about each other")
