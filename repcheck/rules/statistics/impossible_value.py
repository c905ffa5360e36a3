"""A number lies outside what its metric can give.

## What it catches
An accuracy above 100 percent or below zero, a fraction above one, a percent metric whose every
value is below one (a fraction in disguise), a spread larger than any set of such scores can have.

## When it is legitimate
What is no share (word error rates, relative gains, normalised returns) may exceed 100 percent or
one, and error rates may well be below one percent: neither is flagged.

## How it is decided
From the printed digits with the widest rounding. A score's sample deviation is at most
sqrt(n / (n - 1) m (1 - m)), with m its mean as a share.

## How to fix
State the unit in which the number is printed, or correct the number.

## Source
hzwer 6.3; DEBIT (Heathers and Brown 2019) for the bound on the spread
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from repcheck.claims.metrics import ceiling
from repcheck.claims.model import Claims, Metric, Result
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, centre_of, printed, written
from repcheck.rule import Answer, Cleared, Flagged, Kind, Part, Severity, rule
from repcheck.stats.forensics import largest_deviation
from repcheck.stats.printed import Rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """A share of something: at least nothing, at most `top`."""

    metric: Metric
    top: int


Bounded = tuple[Result, _Range]


@rule("RC909", Severity.MAJOR, part=Part.FORENSIC)
def check(claims: Claims, table: Table) -> Answer:
    ranges = {name: _range(metric) for name, metric in claims.metrics.items()}
    bounded: list[Bounded] = [
        (row, within)
        for row in claims.results
        if (within := ranges.get(table.metric_of(row).id)) is not None
    ]
    if not bounded:
        lacking = next((m.unit for m in claims.metrics.values() if m.unit.undeclared), None)
        raise Missing(
            Reason.UNDECLARED_KEY,
            f"declare `{lacking.path}`" if lacking else "add rows of a bounded metric to `results`",
        )
    found = [flag for row, within in bounded for flag in _row(row, within)]
    found += _in_disguise(bounded)
    return found or Cleared(
        message=f"{len(bounded)} numbers lie within the range of their metric",
        seen=Quantity(name="numbers", value=len(bounded), level=Level.FORENSIC),
        limit="would have seen a value above a perfect score or below none",
    )


def _range(metric: Metric) -> _Range | None:
    # A fraction that is no share may exceed one (a normalised return, a word error rate), and an
    # error is no score.
    top = ceiling(metric) if metric.higher_is_better.get(True) else None
    return None if top is None else _Range(metric=metric, top=top)


def _row(row: Result, within: _Range) -> Iterator[Flagged]:
    leaf, name, top = centre_of(row), within.metric.id, within.top
    for place, value in _values(row, leaf):
        if value > top:
            words = f"{name} is given as {value:g}, above a perfect score of {top}"
            yield _flag(place, value, words)
            return
        if value < 0:
            yield _flag(place, value, f"{name} is given as {value:g}, below zero")
            return
    if leaf.known and written(row, "std") and written(row, "n"):
        yield from _spread(row, name, top)


def _values(
    row: Result, leaf: Stated[float]
) -> Iterator[tuple[Stated[float] | Stated[tuple[float, ...]], float]]:
    if leaf.known:
        yield leaf, leaf.value
    if written(row, "per_seed"):
        for value in row.per_seed.value:
            yield row.per_seed, value


def _flag(leaf: Stated[float] | Stated[tuple[float, ...]], value: float, words: str) -> Flagged:
    source = str(leaf.place)
    return Flagged(
        message=words,
        kind=Kind.MISMATCH,
        severity=Severity.MINOR if words.endswith("score of 1") else Severity.MAJOR,
        seen=Quantity(name="printed value", value=value, level=Level.FORENSIC, source=source),
        at=leaf.place,
    )


def _spread(row: Result, name: str, top: int) -> Iterator[Flagged]:
    leaf = centre_of(row)
    share, n, spread = leaf.value / top, row.n.value, row.std.value / top
    if n < 2 or spread <= 0.9 * (share * (1 - share)) ** 0.5:  # quick, and far from the bound
        return
    if row.std_kind.get("sample") not in {"sample", "population"}:
        return
    scale = Fraction(1, top)
    most = largest_deviation(printed(leaf).scaled(scale).within(Rounding.ANY), n)
    if printed(row.std).scaled(scale).within(Rounding.ANY).low > most:
        yield _flag(
            row.std,
            row.std.value,
            f"{name} has a spread of {row.std}; {n} scores of mean {leaf} differ by "
            f"{float(most) * top:.3g} at most",
        )


def _in_disguise(bounded: Sequence[Bounded]) -> Iterator[Flagged]:
    """Find percent metrics of which every printed value is below one."""
    highest: dict[str, float] = {}
    first: dict[str, tuple[Metric, Stated[float]]] = {}
    for row, within in bounded:
        leaf, name = centre_of(row), within.metric.id
        if within.top == 100 and leaf.known:
            highest[name] = max(leaf.value, highest.get(name, leaf.value))
            first.setdefault(name, (within.metric, leaf))
    for name, (metric, leaf) in first.items():
        if highest[name] < 1 and metric.higher_is_better.get(False):
            yield Flagged(
                message=f"{name} is in percent, and no value reaches 1: fractions?",
                kind=Kind.MISMATCH,
                severity=Severity.MINOR,
                seen=Quantity(
                    name="highest value",
                    value=highest[name],
                    level=Level.FORENSIC,
                    source=str(leaf.place),
                ),
                at=leaf.place,
            )
