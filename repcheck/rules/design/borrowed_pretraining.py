"""The method starts from pretrained weights, the baseline from scratch.

## What it catches
A start from another model's weights, or from weights that saw more data or labels than the
baseline's: a higher start and a higher ceiling, equal to more training data.

## When it is legitimate
Transfer learning is good practice when the baseline starts from the same weights, or when
pretraining is what the paper offers (`attributed_to: [pretrained]`) and its data are counted.

## How it is decided
Where both were seen in a rerun: weights that the run did not write itself and that changed more
than 1 % of a trained module before the first step, in the method and not in the baseline, are
major, and an omission where `pretrained` is not stated. Otherwise, and where both loaded,
`pretrained` of both, as stated: the method pretrained and the baseline stated as not (`none`) is
major; so are more images (above 1.05 times) or labels where the baseline's weights saw none; other
weights or other data alone are minor. Where the baseline is silent, nothing is decided, and the
answer names the key. A training that is resumed has an earlier one that nobody saw: that is RC102's
question. Weights copied by hand count where whole tensors are those of a file that numpy or torch
read; numbers that are changed on the way are not seen. Two sides of these keys that differ are a
mismatch of this rule.

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
from repcheck.facts.origins import NOTICED, Origin, Origins, named
from repcheck.facts.recipe import equal
from repcheck.finding import conservative, contribution, mismatches, times
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Severity,
    Undetermined,
    rule,
)

FIELDS = ("weights", "data", "images", "labels")
KEYS = ("pretrained", *(f"pretrained.{field}" for field in FIELDS))


@rule("RC406", Severity.MAJOR, factors=("pretrained",))
def check(comparison: Comparison, origins: Origins, *, band: float = 1.05) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    try:
        ours = origins.of(comparison.method, comparison.dataset)
    except Missing:
        return _as_stated(comparison, band)
    try:
        theirs = origins.of(comparison.baseline, comparison.dataset)
    except Missing:
        theirs = None
    return _as_seen(comparison, ours, theirs, band)


def _as_seen(comparison: Comparison, ours: Origin, theirs: Origin | None, band: float) -> Answer:
    if ours.resumed:
        return NotApplicable(
            message=f"`{ours.method}` resumes {', '.join(named(ours.resumed))}: what it was "
            "trained on before is unknown (RC102)"
        )
    if ours.borrowed:
        return _against(comparison, ours, theirs, band)
    if ours.unclear and not comparison.method.pretrained.undeclared:
        return _as_stated(comparison, band)
    if ours.unclear:
        return Undetermined(
            message=f"`{ours.method}` reads {', '.join(named(ours.unclear))} before its first "
            "step, and what that changed in the trained model was not seen",
            reason=Reason.NOT_OBSERVED,
            would_decide=f"declare `{comparison.method.pretrained.place.path}` and "
            f"`{comparison.method.distillation.place.path}`",
            seen=ours.quantity(),
        )
    if head_start := ours.head_start():
        return Undetermined(
            message=f"`{ours.method}` loads no weights that could be seen, but {head_start}",
            reason=Reason.CONFLICTING_EVIDENCE,
            would_decide=f"where the first weights of `{ours.method}` come from",
            seen=ours.quantity(),
        )
    if theirs is not None and theirs.borrowed:
        words = f"only `{theirs.method}` starts from {theirs.said()}"
        seen = (ours.quantity(), theirs.quantity())
        return conservative(words, seen, comparison.place)
    return Cleared(
        message=f"`{ours.method}` loads no weights before its first step",
        seen=ours.quantity(),
        limit=f"a load of {NOTICED:.0%} of a module's elements; numbers changed while they are "
        "copied by hand are not seen",
    )


def _against(comparison: Comparison, ours: Origin, theirs: Origin | None, band: float) -> Answer:
    if exempt := contribution(comparison, "pretrained"):
        return exempt
    if theirs is not None and theirs.borrowed:
        seen = (ours.quantity(), theirs.quantity())
        if set(ours.names) == set(theirs.names):
            words = f"both start from {', '.join(ours.names)}"
            return Cleared(message=words, seen=seen, limit="other weights")
        return _as_stated(comparison, band)
    if theirs is None or theirs.unclear or theirs.resumed:
        if comparison.baseline.pretrained.absent and not (theirs and theirs.resumed):
            return _flagged(comparison, ours, (ours.quantity(),), "is stated as from scratch")
        raise Missing(
            Reason.NOT_OBSERVED,
            f"a rerun that shows what `{comparison.baseline.id}` starts from "
            f"(`{ours.method}` starts from {ours.said()}), or declare "
            f"`{comparison.baseline.pretrained.place.path}`",
        )
    both = (ours.quantity(), theirs.quantity())
    return _flagged(comparison, ours, both, "loads nothing before its first step")


def _flagged(
    comparison: Comparison, ours: Origin, seen: tuple[Quantity, ...], words: str
) -> Flagged:
    stated = comparison.method.pretrained
    unsaid = "" if not stated.undeclared else ", which is not stated"
    return Flagged(
        message=f"`{ours.method}` starts from {ours.said()}{unsaid}; `{comparison.baseline.id}` "
        f"{words}",
        kind=Kind.OMISSION if stated.undeclared else Kind.ASYMMETRY,
        severity=Severity.MAJOR,
        seen=seen,
        at=comparison.place if stated.undeclared else stated.place,
        disclosed=stated.disclosure.in_paper or stated.weights.disclosure.in_paper,
    )


def _as_stated(comparison: Comparison, band: float) -> Answer:
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
