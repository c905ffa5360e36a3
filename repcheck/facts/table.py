"""The paper's tables: every reported number, found by what it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

from repcheck.claims.model import Claims, Method, Metric, Result
from repcheck.claims.stated import State, Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact
from repcheck.stats.printed import Printed, parse, parse_all

Key = tuple[str, str, str]
_NO_METRIC = Metric()
_ONE = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Fact):
    """All rows of `results`, indexed once; a row without a dataset is read as its method's."""

    label: ClassVar[str] = "the reported numbers"

    claims: Claims
    index: Mapping[Key, tuple[Result, ...]]
    columns: Mapping[tuple[str, str], tuple[Result, ...]]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Index the rows."""
        claims = evidence.claims
        found: dict[Key, list[Result]] = defaultdict(list)
        columns: dict[tuple[str, str], list[Result]] = defaultdict(list)
        for row in claims.results:
            key = _key(claims, row)
            found[key].append(row)
            columns[key[1:]].append(row)
        return cls(
            claims=claims,
            index={key: tuple(rows) for key, rows in found.items()},
            columns={key: tuple(rows) for key, rows in columns.items()},
        )

    def rows(
        self, method: str, dataset: str, metric: str, at: Mapping[str, Any] | None = None
    ) -> tuple[Result, ...]:
        """Return the rows about these; with `at`, those of that operating point only."""
        rows = self.index.get((method, dataset, metric), ())
        return tuple(row for row in rows if _same_point(row, at))

    def row(
        self, method: str, dataset: str, metric: str, at: Mapping[str, Any] | None = None
    ) -> Result:
        """Return the one row about these.

        Raises:
            Missing: if there is none, or more than one.
        """
        found = self.rows(method, dataset, metric, at)
        about = f"{method} for {metric}" + (f" on {dataset}" if dataset else "")
        if not found and not dataset and self._named(method, metric):
            raise Missing(
                Reason.NO_RULE_YET,
                f"name one dataset: `results` has rows of {about} on {self._named(method, metric)}",
            )
        if not found:
            raise Missing(Reason.UNDECLARED_KEY, f"add a row of {about} to `results`")
        if len(found) > 1:
            raise Missing(
                Reason.CONFLICTING_EVIDENCE,
                f"`results` has {len(found)} rows of {about}: tell them apart by `at`",
            )
        return found[0]

    def _named(self, method: str, metric: str) -> str:
        known = [on for name, on, what in self.index if on and (name, what) == (method, metric)]
        return ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "")

    def dataset_of(self, row: Result) -> str:
        """Return the dataset that a row is about."""
        return _key(self.claims, row)[1]

    def metric_of(self, row: Result) -> Metric:
        """Return the metric of a row, or one of which nothing is stated."""
        return self.claims.metrics.get(_metric_name(self.claims, row), _NO_METRIC)

    def beside(self, row: Result) -> tuple[Result, ...]:
        """Return all rows of the same dataset and metric, this one included."""
        _, dataset, metric = _key(self.claims, row)
        return self.columns.get((dataset, metric), ())

    def metrics_of(self, method: str, dataset: str) -> Mapping[str, tuple[Result, ...]]:
        """Return the rows of a method on a dataset, by metric."""
        return {
            metric: rows
            for metric in self.claims.metrics
            if (rows := self.index.get((method, dataset, metric), ()))
        }


def _key(claims: Claims, row: Result) -> Key:
    name = row.method.get("")
    return name, row_dataset(claims, row, claims.methods.get(name)), _metric_name(claims, row)


def row_dataset(claims: Claims, row: Result, method: Method | None) -> str:
    """Return a row's dataset: its own, its method's, or the only one there is."""
    if row.dataset.known:
        return row.dataset.value
    if method is not None and method.dataset.known:
        return method.dataset.value
    return next(iter(claims.datasets)) if len(claims.datasets) == 1 else ""


def _metric_name(claims: Claims, row: Result) -> str:
    if row.metric.known or len(claims.metrics) != 1:
        return row.metric.get("")
    return next(iter(claims.metrics))


def _same_point(row: Result, at: Mapping[str, Any] | None) -> bool:
    if at is None:
        return not written(row, "at")
    return row.at.known and dict(row.at.value) == dict(at)


def written(row: Result, key: str) -> bool:
    """Return whether a row states a key, without making a leaf of what nobody wrote."""
    keys = row.place.keys
    return (not keys or key in keys) and getattr(row, key).state is State.DECLARED


def centre_of(row: Result) -> Stated[float]:
    """Return the reported number of a row, whichever statistic it is."""
    for key in ("mean", "single", "best", "median"):
        if written(row, key):
            return getattr(row, key)  # type: ignore[no-any-return]
    return row.mean


def printed(leaf: Stated[float]) -> Printed:
    """Return a stated number as it was printed, in the unit its value is kept in.

    Raises:
        Missing: if the key is undeclared.
        Inapplicable: if it is stated as none.
    """
    value = leaf.value
    try:
        shown = parse(leaf.text)
    except ValueError:
        return parse(repr(value))
    by = _scale(float(shown.value), value)
    return shown if by is _ONE else shown.scaled(by)


def printed_list(leaf: Stated[tuple[float, ...]]) -> tuple[Printed, ...]:
    """Return a list of stated numbers as they were printed.

    Where the text is not at hand, the longest number tells the decimals of all.

    Raises:
        Missing: if the key is undeclared.
    """
    values = leaf.value
    shown = parse_all(leaf.text)
    if len(shown) == len(values) and all(
        abs(float(a.value) - b) <= 1e-9 * max(1.0, abs(b))
        for a, b in zip(shown, values, strict=True)
    ):
        return shown
    return _alike(tuple(parse(repr(value)) for value in values))


def _alike(numbers: Sequence[Printed]) -> tuple[Printed, ...]:
    unit = min((n.unit for n in numbers), default=Fraction(1))
    return tuple(Printed(value=n.value, unit=unit, text=n.text) for n in numbers)


def _scale(shown: float, value: float) -> Fraction:
    """Return the power of ten between the digits and the value (a percent kept as a fraction)."""
    if shown in {0, value}:
        return _ONE
    ratio = value / shown
    for power in (0, -2, 2, -3, 3, 6, 9):
        if abs(ratio / 10**power - 1) < 1e-9:
            return Fraction(10) ** power
    return Fraction(ratio)
