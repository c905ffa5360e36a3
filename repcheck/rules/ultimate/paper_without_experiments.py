"""The numbers of the paper have a pattern that runs hardly ever leave.

## What it catches
The same spread behind three or more different means, the same mean and spread in two cells, a gain
that is one number on every dataset: numbers that were copied, pooled, or never came out of a run.

## When it is legitimate
One pooled spread printed in every row; rows taken over from another table. Numbers of few digits
repeat themselves by chance, and scores of few test examples do: where the chance is not negligible,
nothing is said.

## How it is decided
From the printed numbers alone. Equal spreads and equal gains are minor where honest numbers show
them with a chance below `rare`, computed from digits, seeds and test sets; repeated cells and rows
and odd last digits (fifty or more, on a grid of scores much finer than a digit) are notes. Shares,
means, averages and hours of devices have rules of their own (RC901, RC906, RC909, RC911, RC916).
Nothing found is no pass: that the numbers come out of runs is shown by a rerun alone.

## How to fix
Give the logs and the predictions behind the numbers, and say which rows share runs.

## Source
hzwer 6.3
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from repcheck.claims.comparison import comparisons
from repcheck.claims.metrics import is_count
from repcheck.claims.model import Claims, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, centre_of, printed, written
from repcheck.over_rows import name_of
from repcheck.rule import Answer, Flagged, Kind, Outcome, Part, Severity, Undetermined, rule
from repcheck.stats.forensics_patterns import (
    ENOUGH_DIGITS,
    Spread,
    constant_gain,
    equal_spreads,
    last_digits,
    repeated_cells,
    repeated_rows,
)

_NOTED = 1e-4


@rule("RC603", Severity.MINOR, part=Part.FORENSIC)
def check(claims: Claims, table: Table, *, rare: float = 1e-6) -> Answer:
    rows = [row for row in claims.results if centre_of(row).known and not written(row, "aggregate")]
    if not rows:
        raise Missing(Reason.UNDECLARED_KEY, "add the rows of the paper's tables to `results`")
    found: list[Outcome] = [
        *_spreads(rows, table, rare),
        *_gains(table, rare),
        *_rows(table),
        *_digits(rows, table),
    ]
    return found or Undetermined(
        message=f"{len(rows)} numbers show no pattern that chance would not; whether they come out "
        "of runs is not shown by that",
        reason=Reason.NOT_OBSERVED,
        would_decide="a rerun, and its evaluation with shuffled labels",
        seen=Quantity(name="numbers", value=len(rows), level=Level.FORENSIC),
    )


def _seen(row: Result, name: str, value: float) -> Quantity:
    source = str(centre_of(row).place)
    return Quantity(name=name, value=value, level=Level.FORENSIC, source=source)


# --- spreads and gains ------------------------------------------------------------------------


def _spread(row: Result, table: Table) -> Spread | None:
    if not (written(row, "std") and written(row, "mean")):
        return None
    n, items = _seeds(row), _items(row, table)
    return Spread(mean=printed(row.mean), spread=printed(row.std), n=n, items=items)


def _seeds(row: Result) -> int:
    """Return of how many seeds a row is, 0 where nobody says."""
    if written(row, "n"):
        return row.n.value
    return len(row.per_seed.value) if written(row, "per_seed") else 0


def _items(row: Result, table: Table) -> int:
    """Return how many test examples a row is of, 0 where nobody says."""
    dataset = table.claims.datasets.get(table.dataset_of(row))
    size = dataset.test.size.get(0) if dataset is not None else 0
    return table.metric_of(row).n_test.get(size)


def _spreads(rows: list[Result], table: Table, rare: float) -> Iterator[Flagged]:
    """Look among the rows of one metric: an accuracy and its error share their spread rightly."""
    columns: dict[str, dict[int, Spread]] = defaultdict(dict)
    for i, row in enumerate(rows):
        if (spread := _spread(row, table)) is not None:
            columns[table.metric_of(row).id][i] = spread
    for cells in columns.values():
        yield from _cells(cells, rows)
        for found in equal_spreads(cells):
            if found.chance > _NOTED:
                continue
            known = all(cells[i].items and cells[i].n >= 2 for i in found.cells)
            certain = known and found.chance <= rare
            row, names = rows[found.cells[0]], [name_of(rows[i]) for i in found.cells]
            yield Flagged(
                message=f"{len(names)} rows have the same spread {found.text} around different "
                f"means: {'; '.join(names[:4])} (chance below {max(found.chance, 1e-12):.0e})",
                kind=Kind.UNSUPPORTED,
                severity=Severity.MINOR if certain else Severity.NOTE,
                seen=_seen(row, "rows with one spread", len(names)),
                at=row.std.place,
            )


def _cells(cells: Mapping[int, Spread], rows: list[Result]) -> Iterator[Flagged]:
    """Look for one mean and spread in two rows of a metric."""
    for found in repeated_cells(cells):
        if found.chance <= _NOTED:
            first = rows[found.cells[0]]
            names = "; ".join(name_of(rows[i]) for i in found.cells[:4])
            yield Flagged(
                message=f"{len(found.cells)} rows have the mean and spread {found.text}: {names} "
                f"(chance below {max(found.chance, 1e-12):.0e})",
                kind=Kind.UNSUPPORTED,
                severity=Severity.NOTE,
                seen=_seen(first, "rows with one mean and spread", len(found.cells)),
                at=centre_of(first).place,
            )


def _gains(table: Table, rare: float) -> Iterator[Flagged]:
    asked = dict.fromkeys((one.method.id, one.baseline.id) for one in comparisons(table.claims))
    for ours, theirs in asked:
        for metric in table.claims.metrics:
            pairs = _pairs(table, ours, theirs, metric)
            found = constant_gain({name: (a, b) for name, (a, b, _) in pairs.items()})
            if found is None or found.chance > _NOTED:
                continue
            row = next(iter(pairs.values()))[2]
            yield Flagged(
                message=f"{ours} gains {found.text} {metric} over {theirs} on each of {len(pairs)} "
                f"datasets (chance below {max(found.chance, 1e-12):.0e})",
                kind=Kind.UNSUPPORTED,
                severity=Severity.MINOR if found.chance <= rare else Severity.NOTE,
                seen=_seen(row, "datasets with one gain", len(pairs)),
                at=centre_of(row).place,
            )


def _pairs(
    table: Table, ours: str, theirs: str, metric: str
) -> Mapping[str, tuple[Spread, Spread, Result]]:
    found = {}
    for dataset in table.claims.datasets:
        mine, other = (table.rows(name, dataset, metric) for name in (ours, theirs))
        if len(mine) == len(other) == 1 and not written(mine[0], "aggregate"):
            a, b = _spread(mine[0], table), _spread(other[0], table)
            if a is not None and b is not None:
                found[dataset] = (a, b, mine[0])
    return found


# --- whole tables -----------------------------------------------------------------------------


def _rows(table: Table) -> Iterator[Flagged]:
    """Look for two methods with the same numbers wherever both are tested."""
    methods: dict[str, dict[tuple[str, str], Result]] = defaultdict(dict)
    for (method, dataset, metric), rows in table.index.items():
        if len(rows) == 1 and centre_of(rows[0]).known and not written(rows[0], "aggregate"):
            methods[method][dataset, metric] = rows[0]
    columns = list(dict.fromkeys(key for cells in methods.values() for key in cells))
    if len(columns) < 3:
        return
    values = {
        method: [printed(centre_of(cells[key])) if key in cells else None for key in columns]
        for method, cells in methods.items()
    }
    for found in repeated_rows(values):
        if found.chance <= _NOTED:
            row = next(iter(methods[found.cells[0]].values()))
            names = " and ".join(found.cells[:3])
            yield Flagged(
                message=f"{names} have the same numbers ({found.text}, ...)",
                kind=Kind.UNSUPPORTED,
                severity=Severity.NOTE,
                seen=_seen(row, "methods with the same numbers", len(found.cells)),
                at=row.place,
            )


def _digits(rows: list[Result], table: Table) -> Iterator[Flagged]:
    columns: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        columns[table.metric_of(row).id].append(row)
    for metric, column in columns.items():
        if len(column) < ENOUGH_DIGITS:
            continue
        grid = 0
        if is_count(table.metric_of(column[0])):
            grid = min(_items(row, table) * max(1, _seeds(row)) for row in column)
            if not grid:  # the scores may lie on a grid that few digits end on
                continue
        found = last_digits([printed(centre_of(row)) for row in column], grid)
        if found is not None and found.p < _NOTED:
            yield Flagged(
                message=f"the last digits 0 to 9 of {len(column)} numbers of {metric} stand "
                f"{found.counts} times (chi squared {found.statistic:.1f})",
                kind=Kind.UNSUPPORTED,
                severity=Severity.NOTE,
                seen=_seen(column[0], "chi squared of the last digits", round(found.statistic, 2)),
                at=column[0].place,
            )
