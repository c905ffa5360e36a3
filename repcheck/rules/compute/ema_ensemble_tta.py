"""The method is scored with averaged weights, models or views, the baseline plain.

## What it catches
An average of weights (EMA, SWA), an ensemble, test-time augmentation or self-distillation that
the proposed method has and its baseline has not: each is worth points to any model.

## When it is legitimate
Both have it; or it is what the paper offers (`attributed_to: [ema]`); or the table also has the
method's plain number.

## How it is decided
For each of `ema`, `swa`, `ensemble_size`, `tta` and `distillation.self`: stated as used by the
method (more members or views than the baseline's) and stated as not used by the baseline (`none`,
`false`, 1). Where one of the two is silent, nothing is decided, and the answer names the key. Two
sides of a key that differ are a mismatch of this rule.

## How to fix
Give the baseline the same post-processing, or report the plain number of both.

## Source
Trick 1.8 of the hzwer list: EMA and multi-model fusion for points; where possible, self-distil
too.
"""

from __future__ import annotations

from collections.abc import Callable

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.claims.stated import Section, Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.finding import conservative, contribution, mismatches
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Outcome, Severity, rule
from repcheck.where import Where

Strength = tuple[float | None, str, Where]
KEYS = ("ema", "ema.decay", "swa", "ensemble_size", "tta", "tta.views", "distillation.self_")


def _section(section: Section, count: Stated[int] | None = None) -> Strength:
    """Return how strongly a part is used (0 is not, nothing is unknown), in words, and where."""
    if section.undeclared:
        return None, section.place.path, section.place
    if section.absent:
        return 0.0, "none", section.place
    views = float(count.get(2)) if count is not None and count.known else 2.0
    short = getattr(section, type(section).short or "", None)
    words = str(short) if isinstance(short, Stated) and short.known else "used"
    return max(0.0, views - 1), words, section.place


def _ensemble(method: Method) -> Strength:
    leaf = method.ensemble_size
    if leaf.undeclared:
        return None, leaf.path, leaf.place
    return float(leaf.get(1) - 1), str(leaf.get(1)), leaf.place


def _self_distillation(method: Method) -> Strength:
    leaf, section = method.distillation.self_, method.distillation
    if section.absent or leaf.known:
        used = leaf.get(False)
        return float(used), "used" if used else "none", leaf.place
    return None, leaf.path, leaf.place


FACTORS: dict[str, Callable[[Method], Strength]] = {
    "ema": lambda method: _section(method.ema),
    "swa": lambda method: _section(method.swa),
    "ensemble_size": _ensemble,
    "tta": lambda method: _section(method.tta, method.tta.views),
    "distillation.self": _self_distillation,
}


@rule("RC108", Severity.MAJOR)
def check(comparison: Comparison) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    answers: list[Outcome] = []
    missing: list[Missing] = []
    for name in FACTORS:
        try:
            answers.append(_one(comparison, name))
        except Missing as lacking:
            missing.append(lacking)
    if flagged := [answer for answer in answers if isinstance(answer, Flagged)]:
        return flagged
    if missing:
        raise missing[0]
    exempt = [answer for answer in answers if isinstance(answer, NotApplicable)]
    seen = tuple(
        Quantity(name=f"{method.id}.{name}", value=words, source=str(place))
        for name, strength in FACTORS.items()
        for method in (comparison.method, comparison.baseline)
        for _, words, place in (strength(method),)
    )
    if exempt:
        return exempt[0]
    return Cleared(message="both are evaluated alike", seen=seen, limit="one more member or view")


def _one(comparison: Comparison, name: str) -> Outcome | Cleared:
    (mine, mine_said, at), (other, other_said, there) = (
        FACTORS[name](method) for method in (comparison.method, comparison.baseline)
    )
    if mine is None:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{mine_said}`")
    seen = Quantity(name=f"{comparison.method.id}.{name}", value=mine_said, source=str(at))
    if mine and other is None:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{other_said}`")
    both = (
        seen,
        Quantity(name=f"{comparison.baseline.id}.{name}", value=other_said, source=str(there)),
    )
    words = (
        f"`{name}` is {mine_said} for `{comparison.method.id}` and {other_said} for "
        f"`{comparison.baseline.id}`"
    )
    if other is not None and mine < other:
        return conservative(words, both, at)
    if other is None or mine == other:
        return Cleared(message=words, seen=seen, limit="one more member or view")
    return contribution(comparison, name) or Flagged(
        message=words, kind=Kind.ASYMMETRY, seen=both, at=at
    )
