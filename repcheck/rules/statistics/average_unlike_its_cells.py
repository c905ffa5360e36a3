"""A table's average is not the average of its cells.

## What it catches
An average row or column that the cells beside it do not give: a cell left out, a cell changed after
the average was taken, an average from another table.

## When it is legitimate
Cells are rounded before they are printed and the average is not: an honest average may differ from
the printed cells' mean by (unit of the average + largest unit of a cell) / 2. Medians, weighted,
geometric and harmonic means are averages too: say which.

## How it is decided
The interval rule, which has no false alarms; then truncation and the other means, among them those
of a suite that average the scores of one task first, as GLUE does (a note); then means without one
or two cells (minor, and named). What nothing explains is major. A dataset called `average` whose
rows do not say of which cells is undetermined.

## How to fix
Compute the average again from the cells, or name the cells it is made of.

## Source
hzwer 6.3
"""

from __future__ import annotations

from repcheck.claims.model import Claims, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, centre_of, printed, written
from repcheck.over_rows import name_of
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
from repcheck.stats.forensics import Fit, average_fit
from repcheck.stats.forensics_suites import is_average
from repcheck.stats.printed import Printed


@rule("RC911", Severity.MINOR, part=Part.FORENSIC)
def check(claims: Claims, table: Table) -> Answer:
    averages = [
        row for row in claims.results if written(row, "aggregate") and row.aggregate.mean_of.known
    ]
    found: list[Outcome] = [_asked(row, table) for row in averages]
    named = {name for name in claims.datasets if is_average(name)}
    silent = [r for r in claims.results if named and _is_silent(r, table.dataset_of(r), named)]
    if silent:
        key = silent[0].place.join("aggregate")
        more = f" (and {len(silent) - 1} rows more)" if len(silent) > 1 else ""
        found.append(
            Undetermined(
                message=f"{name_of(silent[0])}: an average by name{more}, and not of which cells",
                reason=Reason.UNDECLARED_KEY,
                would_decide=f"declare `{key}`, as in `{{mean_of: [a, b]}}`",
            )
        )
    return found or NotApplicable(message="no row of `results` is said to be an average of others")


def _is_silent(row: Result, dataset: str, named: set[str]) -> bool:
    return dataset in named and not written(row, "aggregate")


def _asked(row: Result, table: Table) -> Outcome:
    try:
        return _judge(row, table)
    except Missing as missing:
        return Undetermined(
            message=f"the average in `{row.place.path}` cannot be judged: {missing.would_decide}",
            reason=missing.reason,
            would_decide=missing.would_decide,
        )


def _judge(row: Result, table: Table) -> Outcome:
    shown = printed(centre_of(row))
    cells = {name: _cell(row, name, table) for name in row.aggregate.mean_of.value}
    if not cells:
        raise Missing(Reason.UNDECLARED_KEY, f"name the cells in `{row.aggregate.mean_of.path}`")
    found = average_fit(shown, cells, _weights(row, table))
    middle = float(sum(c.value for c in cells.values())) / len(cells)
    seen = Quantity(
        name="mean of the cells",
        value=round(middle, 6),
        level=Level.FORENSIC,
        source=str(centre_of(row).place),
    )
    if found.fit is Fit.NEAREST:
        return Cleared(
            message=f"{shown.text} is the mean of its {len(cells)} cells",
            seen=seen,
            limit="would have seen a difference of two rounding units",
        )
    severity, because = Severity.MAJOR, ", under any rounding"
    if found.innocent:
        severity, because = Severity.NOTE, f"; it is {found.how}"
    elif found.how:
        severity, because = Severity.MINOR, f"; it is their mean without {found.how}"
    digits = len(shown.text.partition(".")[2]) + 1
    return Flagged(
        message=f"the average is given as {shown.text}, its {len(cells)} cells have a mean of "
        f"{middle:.{digits}f}{because}",
        kind=Kind.MISMATCH,
        severity=severity,
        seen=seen,
        at=centre_of(row).place,
    )


def _cell(row: Result, name: str, table: Table) -> Printed:
    """Return one cell: the same method on a dataset of that name, or under a metric of it."""
    method, metric = row.method.get(""), table.metric_of(row).id
    if name in table.claims.metrics and name not in table.claims.datasets:
        return printed(centre_of(table.row(method, table.dataset_of(row), name)))
    return printed(centre_of(table.row(method, name, metric)))


def _weights(row: Result, table: Table) -> list[int] | None:
    named = [table.claims.datasets.get(name) for name in row.aggregate.mean_of.value]
    sizes = [dataset.test.size.get(0) for dataset in named if dataset is not None]
    return sizes if len(sizes) == len(named) and all(sizes) else None
