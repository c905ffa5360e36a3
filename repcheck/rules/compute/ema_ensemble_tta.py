"""The method is scored with averaged weights, models or views, the baseline plain.

## What it catches
An average of weights (EMA, SWA), an ensemble, test-time augmentation or self-distillation that
the proposed method has and its baseline has not: each is worth points to any model.

## When it is legitimate
Both have it; or it is what the paper offers (`attributed_to: [ema]`); or the table also has the
method's plain number.

## How it is decided
For each of `ema`, `swa`, `ensemble_size`, `tta` and `distillation.self`: used by the method (more
members or views than the baseline's) and not used by the baseline, as a rerun showed it (RC108b
tells how), else as stated (`none`, `false`, 1). What was seen counts even where nobody states it.
Where one of the two is neither seen nor stated, nothing is decided, and the answer names the key.
Two sides of a key that differ are a mismatch of this rule.

## How to fix
Give the baseline the same post-processing, or report the plain number of both.

## Source
Trick 1.8 of the hzwer list: EMA and multi-model fusion for points; where possible, self-distil
too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.claims.stated import Section, Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.agreement import Agreement
from repcheck.finding import conservative, contribution, mismatches
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Outcome, Severity, rule
from repcheck.where import Where

KEYS = ("ema", "ema.decay", "swa", "ensemble_size", "tta", "tta.views", "distillation.self_")
ALIKE = 0.1
LIMIT = "averaged weights, one more member, one more view"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How strongly a part is used: 0 is not, nothing is unknown; in words, and where it stands."""

    value: float | None
    words: str
    place: Where
    seen: Quantity | None = None
    silent: bool = False


def _section(section: Section, count: Stated[int] | None = None) -> Strength:
    if section.undeclared:
        return Strength(value=None, words=section.place.path, place=section.place, silent=True)
    if section.absent:
        return Strength(value=0.0, words="none", place=section.place)
    views = float(count.get(2)) if count is not None and count.known else 2.0
    short = getattr(section, type(section).short or "", None)
    words = str(short) if isinstance(short, Stated) and short.known else "used"
    return Strength(value=max(0.0, views - 1), words=words, place=section.place)


def _ensemble(method: Method) -> Strength:
    leaf = method.ensemble_size
    if leaf.undeclared:
        return Strength(value=None, words=leaf.path, place=leaf.place, silent=True)
    return Strength(value=float(leaf.get(1) - 1), words=str(leaf.get(1)), place=leaf.place)


def _self_distillation(method: Method) -> Strength:
    leaf, section = method.distillation.self_, method.distillation
    if section.absent or leaf.known:
        used = leaf.get(False)
        return Strength(value=float(used), words="used" if used else "none", place=leaf.place)
    return Strength(value=None, words=leaf.path, place=leaf.place, silent=True)


FACTORS: dict[str, tuple[str, Callable[[Method], Strength]]] = {
    "ema": ("ema", lambda method: _section(method.ema)),
    "swa": ("swa", lambda method: _section(method.swa)),
    "ensemble_size": ("ensemble_size", _ensemble),
    "tta": ("tta.views", lambda method: _section(method.tta, method.tta.views)),
    "distillation.self": ("distillation.self", _self_distillation),
}


def _strength(method: Method, agreement: Agreement, name: str) -> Strength:
    """Return how strongly a part is used: as it was seen, else as it is stated."""
    key, stated = FACTORS[name]
    told, line = stated(method), agreement.line(method, key)
    if line is None or line.quantity is None or line.state == "unseen":
        return told
    if key == "distillation.self" and line.quantity.value and line.state != "same":
        return told  # a copy that is asked may be a target network
    value = float(line.quantity)
    counted = key in {"tta.views", "ensemble_size"}
    return Strength(
        value=max(0.0, value - 1) if counted else float(value > 0),
        words=line.observed,
        place=told.place,
        seen=line.quantity,
        silent=told.silent,
    )


@rule("RC108", Severity.MAJOR, factors=("ema", "swa", "ensemble_size", "tta", "distillation.self"))
def check(comparison: Comparison, agreement: Agreement) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    answers: list[Outcome] = []
    missing: list[Missing] = []
    for name in FACTORS:
        try:
            answers.append(_one(comparison, agreement, name))
        except Missing as lacking:
            missing.append(lacking)
    if flagged := [answer for answer in answers if isinstance(answer, Flagged)]:
        return flagged
    if missing:
        raise missing[0]
    if exempt := [answer for answer in answers if isinstance(answer, NotApplicable)]:
        return exempt[0]
    seen = tuple(
        _quantity(method, name, _strength(method, agreement, name))
        for name in FACTORS
        for method in (comparison.method, comparison.baseline)
    )
    return Cleared(message="both are evaluated alike", seen=seen, limit=LIMIT)


def _quantity(method: Method, name: str, strength: Strength) -> Quantity:
    return strength.seen or Quantity(
        name=f"{method.id}.{name}", value=strength.words, source=str(strength.place)
    )


def _one(comparison: Comparison, agreement: Agreement, name: str) -> Outcome:
    mine = _strength(comparison.method, agreement, name)
    other = _strength(comparison.baseline, agreement, name)
    if mine.value is None:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{mine.words}`")
    if mine.value and other.value is None:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{other.words}`")
    both = (
        _quantity(comparison.method, name, mine),
        _quantity(comparison.baseline, name, other),
    )
    words = (
        f"`{name}` is {mine.words} for `{comparison.method.id}` and {other.words} for "
        f"`{comparison.baseline.id}`"
    )
    if other.value is None or abs(mine.value - other.value) <= ALIKE * (1 + other.value):
        return Cleared(message=words, seen=both[0], limit=LIMIT)
    if mine.value < other.value:
        return conservative(words, both, mine.place)
    hidden = mine.silent and mine.seen is not None
    return contribution(comparison, name) or Flagged(
        message=f"{words}, which is not declared" if hidden else words,
        kind=Kind.OMISSION if hidden else Kind.ASYMMETRY,
        seen=both,
        at=mine.place,
    )
