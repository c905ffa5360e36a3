"""The two arms of a claim are tested on different data.

## What it catches
A method and its baseline whose numbers come from different test sets under one heading: another
dataset, another version, a test file with another hash.

## When it is legitimate
Two entries for one dataset (another preprocessing of the same examples) share their test file:
declare the same `test.sha256` in both, and nothing is said.

## How it is decided
The baseline's row for the claim's dataset is looked up; where there is none, the dataset of the
baseline is compared by hash, then by name and version, then by size. Unequal hashes, names or sizes
are flagged; where none of them is stated, the keys that would decide are named.

## How to fix
Test both on the same split, or claim no difference between them.

## Source
hzwer 5.3 and 5.4
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Dataset
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.recipe import same_words
from repcheck.facts.table import Table
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Part, Severity, rule


@rule("RC908", Severity.MAJOR, part=Part.FORENSIC)
def check(comparison: Comparison, table: Table) -> Answer:
    ours = comparison.dataset
    if not ours:
        if not table.claims.datasets and comparison.baseline.dataset.undeclared:
            raise Missing(Reason.UNDECLARED_KEY, "declare `datasets` and the dataset of the claim")
        first = comparison.claims[0]
        if several := first.datasets.get(()):
            own = comparison.baseline.dataset
            if own.undeclared or own.value in several:
                return Cleared(
                    message=f"both are tested on {', '.join(several)}",
                    seen=_seen(comparison, "datasets of the claim", ", ".join(several)),
                    limit="would have seen another name",
                )
        ours = first.dataset.value
    theirs = comparison.baseline.dataset.get(ours)
    if theirs == ours or table.metrics_of(comparison.baseline.id, ours):
        return Cleared(
            message=f"both are tested on {ours}",
            seen=_seen(comparison, "dataset of the baseline", ours),
            limit="would have seen another name",
        )
    a, b = table.claims.datasets.get(ours), table.claims.datasets.get(theirs)
    if a is None or b is None:
        return NotApplicable(message="a dataset that is not described")
    return _compare(comparison, a, b)


def _seen(comparison: Comparison, name: str, value: str) -> Quantity:
    source = str(comparison.baseline.dataset.place)
    return Quantity(name=name, value=value, level=Level.FORENSIC, source=source)


def _compare(comparison: Comparison, ours: Dataset, theirs: Dataset) -> Answer:
    method, baseline = comparison.method.id, comparison.baseline.id
    first, second = ours.test.sha256, theirs.test.sha256
    seen = _seen(comparison, "test set of the baseline", theirs.id)
    if first.known and second.known and first.value == second.value:
        words = f"{ours.id} and {theirs.id} have the same test file"
        return Cleared(message=words, seen=seen, limit="would have seen another hash")
    pairs = (
        (first, second, "hashes"),
        (ours.name, theirs.name, "names"),
        (ours.version, theirs.version, "versions"),
        (ours.test.size, theirs.test.size, "sizes"),
    )
    for a, b, words in pairs:
        if a.known and b.known and not same_words(str(a.value), str(b.value)):
            return Flagged(
                message=f"{method} is tested on {ours.id}, {baseline} on {theirs.id}: "
                f"their test sets have different {words} ({a} and {b})",
                kind=Kind.ASYMMETRY,
                seen=seen,
                at=comparison.baseline.dataset.place,
            )
    lacking = second if first.known else first
    raise Missing(
        Reason.UNDECLARED_KEY,
        f"declare `{lacking.path}`: {method} is tested on {ours.id}, {baseline} on {theirs.id}",
    )
