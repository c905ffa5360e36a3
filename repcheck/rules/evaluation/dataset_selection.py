"""Datasets were tried and left out of the report.

## What it catches
The authors say that they ran on datasets which no table shows; they say that nothing was left out
while a dataset they describe has no row; or a claim speaks of many benchmarks and stands on two.

## When it is legitimate
A subset chosen beforehand, with the reason in `measured_not_reported.reason`, is a note. Data that
a method is only trained on needs no row.

## How it is decided
From the declared lists and the words of the claims alone: what the artifact's files name beside
them is RC502b's question. An empty list says that nothing was left out; a missing key decides
nothing.

## How to fix
Report the null and the negative datasets too, in an appendix if need be.

## Source
hzwer 5.2
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repcheck.claims.model import Claim, Claims
from repcheck.fact import Quantity
from repcheck.facts.table import Table
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, rule

_MANY = re.compile(
    r"\b(?:across|on)\s+(?:many|several|various|diverse|numerous|a (?:wide |broad )?"
    r"(?:range|variety) of)\s+(?:\w+\s+)?(?:benchmarks|datasets|data sets)\b",
    re.IGNORECASE,
)
# "All datasets" are all of the paper's, and more than one is enough for "across datasets".
_PLURAL = re.compile(
    r"\b(?:across|on)\s+(?:all|multiple)\s+(?:\w+\s+)?(?:benchmarks|datasets|data sets)\b"
    r"|\bacross\s+(?:benchmarks|datasets)\b",
    re.IGNORECASE,
)


@rule("RC502", Severity.MAJOR)
def check(claims: Claims, table: Table, *, few: int = 3) -> Answer:
    reported = {dataset for _, dataset, _ in table.index if dataset}
    reported |= {c.dataset.value for c in claims.claims if c.dataset.known}
    boasts = list(_boasts(claims, table, few))
    left_out = claims.measured_not_reported
    if boasts and left_out.datasets.undeclared:
        return boasts
    hidden = [name for name in left_out.datasets.value if name not in reported]
    seen = Quantity(
        name="datasets tried and not reported",
        value=len(hidden),
        source=str(left_out.datasets.place),
    )
    if hidden:
        boasts.append(
            Flagged(
                message=f"of {len(hidden) + len(reported)} datasets tried, {len(reported)} "
                f"reported; left out: {', '.join(hidden)}",
                kind=Kind.OMISSION,
                severity=Severity.NOTE if left_out.reason.known else Severity.MINOR,
                seen=seen,
                at=left_out.datasets.place,
                disclosed=left_out.datasets.disclosure.in_paper,
            )
        )
    boasts += _unlisted(claims, reported, seen)
    return boasts or Cleared(
        message=f"datasets reported: {len(reported)}, left out: 0",
        seen=seen,
        limit="the authors' list",
    )


def _unlisted(claims: Claims, reported: set[str], seen: Quantity) -> Iterator[Flagged]:
    admitted = {*reported, *claims.measured_not_reported.datasets.value}
    admitted |= {m.train_data.value for m in claims.methods.values() if m.train_data.known}
    for dataset in claims.datasets.values():
        if dataset.id not in admitted and dataset.test.declared and claims.results:
            yield Flagged(
                message=f"nothing is said to be left out, and {dataset.id}, which has a test "
                "split, has no row in `results`",
                kind=Kind.MISMATCH,
                severity=Severity.MINOR,
                seen=seen,
                at=dataset.place,
            )


def _boasts(claims: Claims, table: Table, few: int) -> Iterator[Flagged]:
    """Find claims about many benchmarks that fewer than `few` datasets carry."""
    for claim in claims.claims:
        text = claim.text.get("")
        words = _MANY.search(text) or _PLURAL.search(text)
        if words is None:
            continue
        found = _carriers(claim, table)
        if 0 < len(found) < (few if words.re is _MANY else 2):
            yield Flagged(
                message=f'the claim says "{words.group()}", this file has results on {len(found)}: '
                f"{', '.join(sorted(found))}",
                kind=Kind.UNSUPPORTED,
                severity=Severity.MINOR,
                seen=Quantity(
                    name="datasets with results", value=len(found), source=str(claim.text.place)
                ),
                at=claim.text.place,
            )


def _carriers(claim: Claim, table: Table) -> set[str]:
    method = claim.method.get("")
    rows = {dataset for name, dataset, _ in table.index if name == method and dataset}
    return rows | set(claim.datasets.get(()))
