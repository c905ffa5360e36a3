"""The method starts from pretrained weights, the baseline from scratch.

## What it catches
A start from another model's weights, or from weights that saw more data or labels than the
baseline's: a higher start and a higher ceiling, equal to more training data.

## When it is legitimate
Transfer learning is good practice when the baseline starts from the same weights, or when
pretraining is what the paper offers (`attributed_to: [pretrained]`) and its data are counted.

## How it is decided
`pretrained` of both, as stated. The method pretrained and the baseline stated as not (`none`) is
major; so are more images (above 1.05 times) or labels where the baseline's weights saw none;
other weights or other data alone are minor. Where the baseline is silent, nothing is decided, and
the answer names the key. Two sides of these keys that differ are a mismatch of this rule.

## How to fix
Start the baseline from the same weights, add a from-scratch row, and count the data behind the
weights.

## Source
Trick 4.6 of the hzwer list: take pretrained parameters from another model: higher start, higher
ceiling, equal to adding data and labels.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Pretrained
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.recipe import equal
from repcheck.finding import conservative, contribution, mismatches, times
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, rule

FIELDS = ("weights", "data", "images", "labels")
KEYS = ("pretrained", *(f"pretrained.{field}" for field in FIELDS))


@rule("RC406", Severity.MAJOR)
def check(comparison: Comparison, *, band: float = 1.05) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    ours, theirs = comparison.method.pretrained, comparison.baseline.pretrained
    mine = _quantity(comparison.method.id, ours)
    if not ours.used():
        if theirs.declared:
            words = f"only `{comparison.baseline.id}` starts from pretrained weights"
            return conservative(
                words, (mine, _quantity(comparison.baseline.id, theirs)), ours.place
            )
        words = f"`{comparison.method.id}` starts from scratch"
        return Cleared(message=words, seen=mine, limit="any weights loaded")
    borrowed = theirs.used()
    seen = (mine, _quantity(comparison.baseline.id, theirs))
    grade, words = _difference(ours, theirs, band) if borrowed else (Severity.MAJOR, "from scratch")
    if grade is None:
        return Cleared(message="both start from the same weights", seen=seen, limit=words)
    if exempt := contribution(comparison, "pretrained"):
        return exempt
    start = f"`{comparison.method.id}` starts from {mine.value}"
    return Flagged(
        message=f"{start}, `{comparison.baseline.id}` {words}",
        kind=Kind.ASYMMETRY,
        severity=grade,
        seen=seen,
        at=ours.place,
        disclosed=ours.disclosure.in_paper or ours.weights.disclosure.in_paper,
    )


def _quantity(name: str, stated: Pretrained) -> Quantity:
    value = (
        str(stated.weights) if stated.declared and stated.weights.known else "pretrained weights"
    )
    return Quantity(
        name=f"{name}.pretrained",
        value=value if stated.declared else stated.state.value,
        source=str(stated.place),
    )


def _difference(ours: Pretrained, theirs: Pretrained, band: float) -> tuple[Severity | None, str]:
    """Return how the sources differ, in weight and words.

    Raises:
        Missing: if one side alone states a field, and nothing else differs.
    """
    if ours.weights.known and theirs.weights.known and equal(ours.weights, theirs.weights):
        return None, "other weights"
    if ours.images.known and theirs.images.known and ours.images.value > band * theirs.images.value:
        if not theirs.images.value:
            return Severity.MAJOR, "from weights that saw no images"
        ratio = ours.images.value / theirs.images.value
        return Severity.MAJOR, f"from weights that saw fewer images ({times(ratio)})"
    if ours.labels.get(False) and not theirs.labels.get(True):
        return Severity.MAJOR, "from weights that saw no labels"
    pairs = {field: (getattr(ours, field), getattr(theirs, field)) for field in FIELDS}
    for field in ("weights", "data"):
        mine, other = pairs[field]
        if mine.known and other.known and not equal(mine, other):
            return Severity.MINOR, f"from other {field} ({other})"
    for mine, other in pairs.values():
        if mine.undeclared != other.undeclared:
            silent = mine if mine.undeclared else other
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{silent.path}`")
    return None, "other weights or data"
