"""No confusion matrix gives the printed scores together.

## What it catches
Accuracy, sensitivity, specificity, precision and F1 of two classes that no numbers of true
positives and true negatives give at once: scores of different runs or thresholds in one row, other
numbers of examples, a typing error.

## When it is legitimate
Macro or weighted scores, scores of several thresholds (sensitivity at a given specificity), folds,
rounding: macro and weighted scores are not judged. Means over seeds keep the accuracy, sensitivity
and specificity on one line, and nothing else is asked of them.

## How it is decided
The test examples of each class (`labels.counts`, if they add up to the test set) and whole numbers:
every matrix is tried, with either class as the positive one, with the nearest and then any
rounding. Minor if none gives all scores; what truncation explains is a note. Where the scores one
to four digits beside the printed ones would pass as well, it is *not testable*.

## How to fix
Compute all scores from one set of predictions, and say which class is the positive one.

## Source
Fazekas and Kovacs 2024 (mlscorecheck)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from repcheck.claims.model import Claims, Dataset, Metric, Result
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
from repcheck.stats.forensics_confusion import Scores, fit_of, reach, score_of
from repcheck.stats.printed import Printed, Rounding

_SCALES = {"percent": Fraction(1, 100), "fraction": Fraction(1)}
_BINARY = frozenset({"", "binary", "none"})
_LINEAR = frozenset({"accuracy", "sensitivity", "specificity"})
_ALL_COUNTED = frozenset({"", "micro", "binary", "none"})
Rows = Mapping[str, Result]


@rule("RC915", Severity.MINOR, part=Part.FORENSIC, worst=Severity.MINOR)
def check(claims: Claims, table: Table) -> Answer:
    kinds = {name: score_of(name) for name in claims.metrics}
    asked = {name: kind for name, kind in kinds.items() if kind and _plain(claims.metrics[name])}
    if len(set(asked.values())) < 2:
        return NotApplicable(message="fewer than two scores of a confusion matrix")
    found = [one for key, rows in _groups(table, asked) for one in _asked(key, rows, table)]
    return found or NotApplicable(message="no row has two scores of a confusion matrix")


def _plain(metric: Metric) -> bool:
    average = metric.average.get("").lower()
    kind = score_of(metric.id)
    return average in (_ALL_COUNTED if kind == "accuracy" else _BINARY)


def _groups(table: Table, asked: Mapping[str, str]) -> Iterator[tuple[str, Rows]]:
    """Yield the dataset and, by metric, the rows of each method on it."""
    groups: dict[tuple[str, str], dict[str, Result]] = {}
    for (method, dataset, metric), rows in table.index.items():
        plain = [row for row in rows if not written(row, "at") and not written(row, "aggregate")]
        stated = len(plain) == 1 and (written(plain[0], "mean") or written(plain[0], "single"))
        if metric in asked and stated:
            groups.setdefault((method, dataset), {})[metric] = plain[0]
    for (_, dataset), found in groups.items():
        if len({asked[metric] for metric in found}) > 1:
            yield dataset, found


def _asked(dataset: str, rows: Rows, table: Table) -> Iterator[Outcome]:
    try:
        yield _judge(dataset, rows, table)
    except Missing as missing:
        first = next(iter(rows.values()))
        yield Undetermined(
            message=f"{name_of(first)}: cannot be judged: {missing.would_decide}",
            reason=missing.reason,
            would_decide=missing.would_decide,
        )


def _judge(name: str, rows: Rows, table: Table) -> Outcome:
    dataset = table.claims.datasets.get(name)
    if dataset is None:
        return NotApplicable(message="a dataset that is not described")
    counts = _counts(dataset)
    if len(counts) != 2:
        return NotApplicable(message=f"{len(counts)} classes have no one confusion matrix of two")
    seeds = {_seeds(row) for row in rows.values()}
    if len(seeds) > 1:
        raise Missing(Reason.CONFLICTING_EVIDENCE, "scores of as many seeds each")
    n = seeds.pop()
    scores = {
        kind: shown
        for metric, row in rows.items()
        if (kind := score_of(metric)) in _LINEAR or n == 1
        for shown in [_share(row, table.claims.metrics[metric])]
    }
    if len(scores) < 2:
        return NotApplicable(message="means over seeds of which only one keeps its counts")
    return _verdict(rows, Scores(counts=counts, n=n, shown=scores), table)


def _seeds(row: Result) -> int:
    if written(row, "single"):
        return 1
    return row.n.value if not written(row, "per_seed") else len(row.per_seed.value)


def _share(row: Result, metric: Metric) -> Printed:
    unit = metric.unit.value
    if unit not in _SCALES:
        raise Missing(Reason.UNDECLARED_KEY, f"state `{metric.unit.path}` as percent or fraction")
    return printed(centre_of(row)).scaled(_SCALES[unit])


def _counts(dataset: Dataset) -> tuple[int, ...]:
    """Return how many test examples each class has, the positive one first or last."""
    leaf = dataset.labels.counts
    if leaf.undeclared:
        raise Missing(
            Reason.UNDECLARED_KEY, f"declare `{leaf.path}` (the test examples of each class)"
        )
    value = leaf.value
    numbers = list(value.values()) if isinstance(value, Mapping) else list(value)
    if not all(isinstance(one, int) and one >= 0 for one in numbers):
        raise Missing(Reason.UNDECLARED_KEY, f"write `{leaf.path}` as one whole number a class")
    size = dataset.test.size
    if size.undeclared or size.value != sum(numbers):
        raise Missing(
            Reason.UNDECLARED_KEY,
            f"declare `{size.path}`, and `{leaf.path}` of the test set ({sum(numbers):,} in all)",
        )
    return tuple(numbers)


def _verdict(rows: Rows, of: Scores, table: Table) -> Outcome:
    first = next(iter(rows.values()))
    leaf = centre_of(first)
    said = ", ".join(f"{kind} {shown.text}" for kind, shown in of.shown.items())
    words = f"{name_of(first)}: {said} of {of.counts[0]:,} and {of.counts[1]:,} test examples"
    words += f", {of.n} seeds" if of.n > 1 else ""
    seen = Quantity(
        name="scores together", value=len(of.shown), level=Level.FORENSIC, source=str(leaf.place)
    )
    fit = fit_of(of)
    if fit.known and fit.mode is Rounding.NEAREST and (power := reach(of)):
        limit = f"would have seen {float(100 * power):.0f} % of scores 1 to 4 digits beside them"
        return Cleared(message=f"{words}: some matrix gives them", seen=seen, limit=limit)
    if not fit.known or fit.mode is Rounding.NEAREST:
        why = "so many examples give any such scores" if fit.known else "too many matrices to try"
        return Undetermined(
            message=f"not testable: {words}: {why}",
            reason=Reason.NOT_TESTABLE,
            would_decide="more digits, or the confusion matrix",
            seen=seen,
        )
    if fit.mode is None and (silent := _silent(rows, table)):
        return Undetermined(
            message=f"{words}: no matrix gives them, unless they are macro or weighted",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"declare `{silent}` (binary, macro or weighted)",
            seen=seen,
        )
    because = "" if fit.mode is None else "; truncated or rounded up?"
    return Flagged(
        message=f"{words}: no confusion matrix gives them under "
        f"{'any' if fit.mode is None else 'the nearest'} rounding{because}",
        kind=Kind.MISMATCH,
        severity=Severity.MINOR if fit.mode is None else Severity.NOTE,
        seen=seen,
        at=leaf.place,
    )


def _silent(rows: Rows, table: Table) -> str:
    """Return the key of the first score of which nobody says how classes are averaged."""
    metrics = [table.claims.metrics[name] for name in rows]
    open_ = (m for m in metrics if score_of(m.id) != "accuracy" and m.average.undeclared)
    return next((m.average.path for m in open_), "")
