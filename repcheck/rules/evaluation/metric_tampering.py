"""Rows of one table follow different definitions of the metric.

## What it catches
A copied baseline whose own paper defines the metric otherwise (PSNR on RGB beside PSNR on Y, micro
beside macro F1), one method read at its best epoch and the other at its last, or a definition in
the paper that the artifact contradicts.

## When it is legitimate
A new metric beside the standard one, with one definition for every row. Different files or key
names for the same quantity are no finding.

## How it is decided
Declared words alone: `metrics.M.definition` against `reference.published.M.definition` of each
copied row (where one only says more than the other, a person has to look); the part after `@` of
the two readers; the two sides of a long form.

## How to fix
Evaluate all rows with one script and one definition, and state it.

## Source
hzwer 5.4
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method, Metric
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.table import Table
from repcheck.finding import mismatches
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
)  # fmt: skip

_COPIED = frozenset({"copied-from-paper", "copied", "third-party"})
_BEST = frozenset({"max", "min"})
_ALIKE = {"luminance": "y", "luma": "y", "colour": "rgb", "color": "rgb", "averaged": "mean",
          "average": "mean", "avg": "mean", "ap": "map", "acc": "accuracy"}  # fmt: skip
_FILLERS = frozenset({
    "a", "an", "the", "on", "in", "of", "over", "for", "with", "at", "as", "only", "is", "and",
    "channel", "channels", "ycbcr", "space", "computed", "measured", "score", "standard", "all",
})  # fmt: skip
KEYS = (
    "unit", "definition", "average", "n_test", "aggregation", "implementation", "computed_on",
    "colour_channel", "crop_border", "data_range", "top_k", "higher_is_better",
)  # fmt: skip


@rule("RC504", Severity.MAJOR)
def check(comparison: Comparison, table: Table) -> Answer:
    names = {c.metric.value for c in comparison.claims if c.metric.known}
    if not names and len(table.claims.metrics) == 1:
        names = set(table.claims.metrics)
    metrics = [table.claims.metrics[name] for name in sorted(names) if name in table.claims.metrics]
    if not metrics:
        return NotApplicable(message="the comparison names no metric")
    found = [flag for metric in metrics for flag in _findings(comparison, metric)]
    return found or [_definitions(comparison, table, metric) for metric in metrics]


def _findings(comparison: Comparison, metric: Metric) -> Iterator[Flagged]:
    ours, theirs = _reader(comparison.method, metric), _reader(comparison.baseline, metric)
    a, b = ours.rpartition("@")[2], theirs.rpartition("@")[2]
    if ours and theirs and a != b and {a, b} & _BEST:
        place = comparison.method.read.get(metric.id, metric.from_).place
        yield Flagged(
            message=f"{metric.id} of {comparison.method.id} is read at {_words(ours)}, that of "
            f"{comparison.baseline.id} at {_words(theirs)}",
            kind=Kind.ASYMMETRY,
            seen=Quantity(name=f"reader of {metric.id}", value=ours, source=str(place)),
            at=place,
        )
    yield from mismatches(metric, keys=KEYS)


def _reader(method: Method, metric: Metric) -> str:
    return method.read.get(metric.id, metric.from_).get("")


def _words(reader: str) -> str:
    how = reader.rpartition("@")[2] if "@" in reader else "last"
    return {"max": "its highest", "min": "its lowest", "last": "its last"}.get(how, how)


def _definitions(comparison: Comparison, table: Table, metric: Metric) -> Outcome:
    """Compare the definition of the table with that of the paper a row was copied from."""
    baseline = comparison.baseline
    rows = table.rows(baseline.id, comparison.dataset, metric.id)
    kinds = [row.source.kind for row in rows if row.source.kind.known] or [baseline.source.kind]
    seen = _quantity(metric.id, metric.definition)
    if kinds[0].undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{baseline.source.place.path}`")
    if kinds[0].value not in _COPIED:
        return Cleared(
            message=f"{metric.id} has one definition, and {baseline.id} was run here",
            seen=seen,
            limit="the authors' words",
        )
    published = baseline.reference.published.get(metric.id)
    if published is None:
        key = baseline.reference.place.join("published")
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{key}.{metric.id}.definition`")
    theirs = published.definition
    if theirs.value.casefold() == metric.definition.value.casefold():
        words = f"{metric.id} is {theirs} in both papers"
        return Cleared(message=words, seen=seen, limit="the authors' words")
    if not _contradict(metric.definition.value, theirs.value):
        return Undetermined(
            message=f"{metric.id} is worded otherwise in the paper of {baseline.id}: "
            f"{metric.definition} here, {theirs} there",
            reason=Reason.NEEDS_HUMAN,
            would_decide="a person who reads both definitions, and writes the same words for one",
            seen=(seen, _quantity(baseline.id, theirs)),
        )
    return Flagged(
        message=f"{metric.id} is {metric.definition} in this table, and {baseline.id}'s copied "
        f"value is {theirs}",
        kind=Kind.ASYMMETRY,
        seen=(seen, _quantity(baseline.id, theirs)),
        at=theirs.place,
    )


def _contradict(ours: str, theirs: str) -> bool:
    """Return whether each definition says something that the other does not.

    Fillers do not count, nor do two words for one thing; where one definition only says more than
    the other, or both say the same in other words, nothing is contradicted.
    """
    mine, other = (
        {_ALIKE.get(word, word) for word in re.findall(r"[^\W_]+", text.casefold())} - _FILLERS
        for text in (ours, theirs)
    )
    return bool(mine - other) and bool(other - mine)


def _quantity(name: str, leaf: Stated[str]) -> Quantity:
    return Quantity(name=f"definition of {name}", value=leaf.value, source=str(leaf.place))
