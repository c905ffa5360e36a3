"""The gain, or the last digits, are finer than the test set can tell.

## What it catches
A gain of fewer answers than chance moves between two test sets of that size, and numbers printed to
digits that n test examples cannot fix.

## When it is legitimate
Both methods err on nearly the same examples: a paired test then sees gains that an unpaired one
does not, and the predictions show it. A number printed with its spread has its digits.

## How it is decided
A share p of n examples has a standard error sqrt(p (1 - p) / n), a difference of two at most the
root of the sum of their squares. A gain above 1.96 of those is resolved. One below 1.96 sqrt((g /
seeds - g^2) / n), the least that any agreement between the two allows, is not (minor). Between
them the predictions decide. Digits below a tenth of the standard error are a note, below a
thousandth minor, unless a spread stands beside the number. Averages of cells, and metrics that
count no answers, are not judged.

## How to fix
Give a confidence interval (paired, from the predictions), fewer digits, or a larger test set.

## Source
Karpathy's recipe for training neural networks: mind the significance of the last digits; McNemar's
test for the bound on paired differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from repcheck.claims.comparison import Comparison
from repcheck.claims.metrics import is_count
from repcheck.claims.model import Claims, Metric, Result
from repcheck.claims.stated import Stated
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
    Severity,
    Undetermined,
    rule,
)

_Z = 1.96
_TOPS = {"percent": 100, "fraction": 1}
_NO_COUNT = NotApplicable(message="no metric of the claims counts right answers")


@rule("RC814", Severity.MINOR, worst=Severity.MINOR)
def check(
    comparison: Comparison, table: Table, *, digits: float = 10, minor: float = 1000
) -> Answer:
    claims = table.claims
    names = dict.fromkeys(_metric_name(claim.metric, claims) for claim in comparison.claims)
    found = [claims.metrics[name] for name in names if name in claims.metrics]
    counted = [metric for metric in found if is_count(metric) and metric.unit.get("") in _TOPS]
    if not counted:
        return _NO_COUNT
    return [
        outcome
        for metric in counted
        for outcome in _asked(comparison, metric, table, (digits, minor))
    ]


def _metric_name(leaf: Stated[str], claims: Claims) -> str:
    return leaf.get(next(iter(claims.metrics)) if len(claims.metrics) == 1 else "")


def _asked(
    comparison: Comparison, metric: Metric, table: Table, limits: tuple[float, float]
) -> Iterator[Outcome]:
    pair = [
        table.row(method.id, comparison.dataset, metric.id)
        for method in (comparison.method, comparison.baseline)
    ]
    if any(written(row, "aggregate") for row in pair):
        yield NotApplicable(message="an average of cells")
        return
    items, top = _items(comparison, metric, table).value, _TOPS[metric.unit.value]
    shares = [centre_of(row).value / top for row in pair]
    if not all(0 <= share <= 1 for share in shares):
        yield NotApplicable(message="a share above one (RC909)")
        return
    yield _resolved(pair, shares, items, top)
    for row, share in zip(pair, shares, strict=True):
        yield from _digits(row, sqrt(share * (1 - share) / items) * top, items, limits)


def _items(comparison: Comparison, metric: Metric, table: Table) -> Stated[int]:
    if metric.n_test.known:
        return metric.n_test
    dataset = table.claims.datasets.get(comparison.dataset)
    if dataset is None or dataset.test.size.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{metric.n_test.path}`")
    return dataset.test.size


def _resolved(pair: list[Result], shares: list[float], items: int, top: int) -> Outcome:
    gain = abs(shares[0] - shares[1])
    seeds = max(max(row.n.get(1), len(row.per_seed.get(())), 1) for row in pair)
    error = sqrt(sum(share * (1 - share) for share in shares) / items)
    least = sqrt(max(0.0, gain / seeds - gain * gain) / items)
    low, high = ((gain + side * _Z * error) * top for side in (-1, 1))
    span = f"unpaired 95 % interval [{low:+.2g}, {high:+.2g}]"
    words = f"a difference of {gain * top:.3g} with {items:,} test examples: {span}"
    seen = Quantity(
        name="standard error of the difference",
        value=round(error * top, 6),
        level=Level.FORENSIC,
        source=str(centre_of(pair[0]).place),
    )
    if not gain:
        return NotApplicable(message="no difference is reported")
    if gain > _Z * error:
        return Cleared(message=words, seen=seen, limit=f"a difference of {_Z * error * top:.2g}")
    if gain > _Z * least:
        return Undetermined(
            message=words,
            reason=Reason.UNDERPOWERED,
            would_decide="the predictions of both methods (a paired test), or more test examples",
            seen=seen,
        )
    return Flagged(
        message=f"{words}; below what this test set resolves, however alike both methods err",
        kind=Kind.UNSUPPORTED,
        seen=seen,
        at=centre_of(pair[0]).place,
    )


def _digits(
    row: Result, error: float, items: int, limits: tuple[float, float]
) -> Iterator[Flagged]:
    shown = printed(centre_of(row))
    unit = float(shown.unit)
    if written(row, "std") or not error or unit >= error / limits[0]:
        return
    yield Flagged(
        message=f"{name_of(row)}: {shown.text} is printed to {unit:g}, its standard error with "
        f"{items:,} test examples is {error:.2g}",
        kind=Kind.UNSUPPORTED,
        severity=Severity.MINOR if unit < error / limits[1] else Severity.NOTE,
        seen=Quantity(
            name="standard error",
            value=round(error, 6),
            level=Level.FORENSIC,
            source=str(centre_of(row).place),
        ),
        at=centre_of(row).place,
    )
