"""The numbers of the paper have a pattern that runs hardly ever leave.

## What it catches
The same spread behind three or more different means, a gain that is one number on every dataset,
more operations than the stated devices can do in the stated hours: numbers that were copied,
pooled, or never came out of a run.

## When it is legitimate
One pooled spread printed in every row; rows taken over from another table; the peak of one
precision beside training in another. Numbers of few digits repeat themselves by chance, and scores
of few test examples do: where the chance is not negligible, nothing is said.

## How it is decided
From the printed numbers alone. Equal spreads and equal gains are minor where honest numbers show
them with a chance below `rare`, computed from digits, seeds and test sets; repeated rows and odd
last digits are notes. Training FLOPs above 100 % of the stated peak are impossible (major, minor
where the precision of the peak is not stated). Shares, means and averages have rules of their own
(RC901, RC906, RC909, RC911). Nothing found is no pass: that the numbers come out of runs is shown
by a rerun alone.

## How to fix
Give the logs and the predictions behind the numbers, and say which rows share runs.

## Source
hzwer 6.3
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from repcheck.budget import figure
from repcheck.claims.comparison import comparisons
from repcheck.claims.model import Claims, Method, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, centre_of, printed, written
from repcheck.over_rows import name_of
from repcheck.rule import Answer, Flagged, Kind, Outcome, Part, Severity, Undetermined, rule
from repcheck.stats.forensics_compute import PLAUSIBLE, SECONDS_AN_HOUR, utilisation
from repcheck.stats.forensics_patterns import (
    Spread,
    constant_gain,
    equal_spreads,
    last_digits,
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
        *(one for method in claims.methods.values() for one in _devices(method, claims)),
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
    n = row.n.get(len(row.per_seed.get(()))) if written(row, "n") else 0
    metric = table.metric_of(row)
    dataset = table.claims.datasets.get(table.dataset_of(row))
    size = dataset.test.size.get(0) if dataset is not None else 0
    items = metric.n_test.get(size)
    return Spread(mean=printed(row.mean), spread=printed(row.std), n=n, items=items)


def _spreads(rows: list[Result], table: Table, rare: float) -> Iterator[Flagged]:
    """Look among the rows of one metric: an accuracy and its error share their spread rightly."""
    columns: dict[str, dict[int, Spread]] = defaultdict(dict)
    for i, row in enumerate(rows):
        if (spread := _spread(row, table)) is not None:
            columns[table.metric_of(row).id][i] = spread
    for cells in columns.values():
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
        found = last_digits([printed(centre_of(row)) for row in column])
        if found is not None and found.p < _NOTED:
            yield Flagged(
                message=f"the last digits 0 to 9 of {len(column)} numbers of {metric} stand "
                f"{found.counts} times (chi squared {found.statistic:.1f})",
                kind=Kind.UNSUPPORTED,
                severity=Severity.NOTE,
                seen=_seen(column[0], "chi squared of the last digits", round(found.statistic, 2)),
                at=column[0].place,
            )


# --- devices ----------------------------------------------------------------------------------


def _devices(method: Method, claims: Claims) -> Iterator[Flagged]:
    cost, machine = method.train_cost, claims.hardware.get(method.train.hardware.get(""))
    hours = _device_hours(method)
    flops = cost.train_flops
    if machine is None or not (machine.peak_tflops.known and flops.value.known and hours):
        return
    if flops.scope.get("total") != "total" or not flops.value.value:
        return
    by = 2 if flops.convention.known and flops.convention.value == "macs" else 1
    share = utilisation(by * flops.value.value, hours, machine.peak_tflops.value)
    if share <= PLAUSIBLE:
        return
    severity = Severity.NOTE
    if share > 1:
        severity = Severity.MAJOR if machine.precision.known else Severity.MINOR
    yield Flagged(
        message=f"training {method.id} takes {figure(by * flops.value.value)} FLOPs in "
        f"{hours:g} device hours: {share:.0%} of the stated peak",
        kind=Kind.MISMATCH,
        severity=severity,
        seen=Quantity(
            name="share of the devices' peak", value=round(share, 4), level=Level.FORENSIC,
            source=str(flops.value.place),
        ),
        at=flops.value.place,
    )  # fmt: skip


def _device_hours(method: Method) -> float:
    cost, train = method.train_cost, method.train
    for leaf in (cost.gpu_hours, train.gpu_hours):
        if leaf.known:
            return leaf.value
    wall = cost.wall_clock if cost.wall_clock.known else train.wall_clock
    if not (wall.known and train.devices.known):
        return 0.0
    return wall.value * train.devices.value / SECONDS_AN_HOUR
