"""A general claim rests on a small part of the data that everybody else trains on.

## What it catches
Training on a fraction of the usual training set, where whatever fights over-fitting wins, and a
claim that does not say so.

## When it is legitimate
The claim is about little data (`protocol: low-data`, or its text says so); or the results are
given against the amount of data; or the subset is what the paper offers (`attributed_to:
[train.subset]`); or there is no larger set.

## How it is decided
U, the training samples of the method (`train.subset`, else the dataset's `train.size`), over
`standard_train_size` (else, for a subset, over the full split). The finding is a share below
0.50, unless the dataset's protocol is `low-data`, the text of every claim speaks of the amount,
or at least three results of the method state different `at: {train_size: ...}`. Two sides of
these keys that differ are a mismatch of this rule.

## How to fix
Add the learning curve: the gain at a quarter, half and all of the data.

## Source
Trick 1.9 of the hzwer list: choose a super-small training set so that only over-fitting has to be
solved.
"""

from __future__ import annotations

import re

from repcheck.claims.comparison import Comparison, dataset_named
from repcheck.claims.model import Claims, Dataset, Method
from repcheck.claims.stated import Stated
from repcheck.fact import Quantity
from repcheck.facts.work import Work
from repcheck.finding import contribution, mismatches
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Severity, rule

_LITTLE = re.compile(
    r"\b(?:low|little|small|scarce|limited|few(?:er)?)[\s-]+(?:\w+[\s-]+)?"
    r"(?:data|resources?|shots?|labels|samples|examples|images|training)"
    r"|\b(?:subset|fraction|part) of (?:the |its )?"
    r"|\b(?:few-shot|low-data|low-resource|semi-supervised|data-efficien\w+|label-efficien\w+)"
    r"|\d\s?(?:%|percent|per cent)\s+(?:of\s+)?(?:the |its )?(?:\w+\s+)?"
    r"(?:data|labels|samples|examples|images)"
    r"|\d\s+(?:\w+\s+)?(?:labels|samples|examples|images)\b",
    re.IGNORECASE,
)


@rule("RC109", Severity.MINOR, factors=("train.subset", "train_data"))
def check(comparison: Comparison, work: Work, *, share: float = 0.50, sizes: int = 3) -> Answer:
    method, claims = comparison.method, work.claims
    dataset = dataset_named(claims, method.train_data.get("") or comparison.dataset)
    found = mismatches(comparison, keys=("train.subset",))
    if found := found + mismatches(dataset, keys=("train.size",)):
        return found
    if dataset.protocol.get("standard") == "low-data":
        return NotApplicable(message=f"little data is the declared protocol of `{dataset.id}`")
    seen, _ = work.both(comparison)
    used, usual = seen.value("train_size"), _usual(dataset, method)
    quantities = (
        seen.quantity("train_size"),
        Quantity.declared(f"{dataset.id}.usual_train_size", usual, "training samples"),
    )
    part = used / usual.value
    words = (
        f"`{method.id}` trains on {used:,.0f} of the usual {usual.value:,} samples of "
        f"`{dataset.id}` ({part:.0%})"
    )
    # What is usual is a yardstick; a clearance rests on the samples that a rerun counted.
    if part >= share:
        limit = f"would have seen below {share:.0%}"
        return Cleared(message=words, seen=quantities[0], limit=limit)
    if _sizes(claims, method) >= sizes:
        curve = f"{words}, with a learning curve"
        return Cleared(message=curve, seen=quantities, limit="reported")
    if exempt := contribution(comparison, "train.subset", "train.size"):
        return exempt
    if all(_LITTLE.search(claim.text.get("")) for claim in comparison.claims):
        return NotApplicable(message=f"{words}, and the claim says so")
    return Flagged(
        message=f"{words}, and the claim does not speak of little data",
        kind=Kind.UNSUPPORTED,
        seen=quantities,
        at=seen.amount("train_size").place,
    )


def _usual(dataset: Dataset, method: Method) -> Stated[int]:
    """Return what others train on, or the key that would say so."""
    silent = dataset.standard_train_size.undeclared and method.train.subset.known
    return (
        dataset.train.size if silent and dataset.train.size.known else dataset.standard_train_size
    )


def _sizes(claims: Claims, method: Method) -> int:
    stated = (
        r.at.get({}).get("train_size") for r in claims.results if r.method.get("") == method.id
    )
    return len({str(size) for size in stated if size is not None})
