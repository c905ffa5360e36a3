"""The gain of a distillation or a curriculum is there at its own constants, and lost beside them.

## What it catches
A recipe of temperatures, weights and phase thresholds that gains only where its authors left it: if
others cannot make it work, "it needs tuning".

## When it is legitimate
A recipe that keeps its gain at half and at twice each of its constants, or whose sensitivity is
reported with it. A recipe that only needs its own learning rate is RC807's question.

## How it is decided
Where `distillation` or `curriculum` is stated, or a rerun shows a teacher. By the sweep that the
claims file asks for (`tuning: {sweep: [temperature, distillation_weight]}`): each constant of the
recipe at half and at twice its value, one at a time, with the fresh seeds. Constants of the recipe
are those that the method alone has. The share of the counted settings that keep half of the gain is
the retention; below `share` of at least `fewest` counted settings, even if every open one were
kept, is minor; `share` or more of as many, even if every open one and every one that was not seen
were lost, is cleared. What is kept, lost, open and counted is said under RC807. Without a sweep
nothing is decided. That a plainly distilled baseline does as well, the arms of RC407 say (`factor:
distillation`).

## How to fix
Publish every constant of the recipe with its sensitivity, and a row with a plainly distilled
baseline.

## Source
Trick 4.7 of the hzwer list: very complicated curriculum learning, fancy distillation; if others
cannot make it work, "it needs tuning".
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.network_words import words_of
from repcheck.facts.origins import Origins
from repcheck.facts.sensitivity import Sensitivity, Setting, Sweep
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
)
from repcheck.swept import gain, told, undecided

WORDS = frozenset(
    {"temperature", "temp", "tau", "kd", "distill", "distillation", "teacher", "hint", "pace"}
    | {"curriculum", "phase", "threshold", "stage", "soft", "hard"}
)


@rule("RC407b", Severity.MINOR, worst=Severity.MINOR)
def check(
    comparison: Comparison,
    sensitivity: Sensitivity,
    origins: Origins,
    *,
    share: float = 0.5,
    fewest: int = 4,
) -> Answer:
    recipe = _recipe(comparison, origins)
    if not recipe:
        return NotApplicable(
            message=f"no distillation and no curriculum of `{comparison.method.id}` is stated or"
            " was seen"
        )
    names = {one.name for one in sensitivity.asked(comparison) if one.theirs is None}
    if not names:
        return _not_asked(comparison.method, recipe)
    return list(_swept(comparison, sensitivity, names, (share, fewest)))


def _recipe(comparison: Comparison, origins: Origins) -> str:
    method = comparison.method
    if method.distillation.declared:
        return "distillation"
    if method.curriculum.known and method.curriculum.content:
        return "curriculum"
    try:
        return "teacher" if origins.tutor(method, comparison.dataset).teachers else ""
    except Missing:
        return ""


def _not_asked(method: Method, recipe: str) -> Undetermined:
    named = [str(name) for name in method.hyperparameters.get({}) if words_of(str(name)) & WORDS]
    listed = ", ".join(named or ["temperature", "distillation_weight"])
    return Undetermined(
        message=f"whether the {recipe} of `{method.id}` works beside its own constants was not"
        " asked: no sweep of them is declared",
        reason=Reason.UNDECLARED_KEY,
        would_decide=f"`sweep: [{listed}]` under `{method.place.join('tuning')}`: at least two"
        " constants of the recipe, declared under `hyperparameters` and taken by the command",
    )


def _swept(
    comparison: Comparison, sensitivity: Sensitivity, names: set[str], limits: tuple[float, int]
) -> Iterator[Outcome]:
    for found in sensitivity.each(comparison):
        if isinstance(found, Sweep):
            yield _judged(comparison, found, names, limits)
        else:
            yield undecided(found)


def _judged(
    comparison: Comparison, found: Sweep, names: set[str], limits: tuple[float, int]
) -> Outcome:
    share, fewest = limits
    mine = [one for one in found.settings if one.point.name in names]
    counted = [one for one in mine if one.standing != "apart"]
    kept = sum(one.standing == "kept" for one in counted)
    still = sum(one.standing == "open" for one in counted)
    unseen = [one for one in mine if one.standing == "apart"]
    hidden = sum(one.reason is not Reason.NOT_TESTABLE for one in unseen)
    seen = _seen(comparison.method, found, mine, kept)
    words = (
        f"{kept} of {len(counted)} one-step changes of the recipe's constants keep half of the"
        f" {gain(comparison, found)}"
        + (f", {still} open" if still else "")
        + "".join(f"; {told(one)}" for one in counted)
    )
    if len(counted) >= fewest and (kept + still) / len(counted) < share:
        return Flagged(
            message=words, kind=Kind.UNSUPPORTED, seen=seen, at=comparison.method.tuning.sweep.place
        )
    if len(counted) >= fewest and kept / (len(counted) + hidden) >= share:
        return Cleared(
            message=words,
            seen=seen,
            limit=f"a retention below {share:.0%}, by half and twice each constant alone;"
            f" {len(counted)} settings",
        )
    few = len(counted) < fewest
    why = "; ".join(f"{one.point.label}: {one.why}" for one in unseen)
    return Undetermined(
        message=f"{words}; {fewest} settings are needed" if few else words,
        reason=Reason.UNDERPOWERED,
        would_decide=(
            f"one more constant of the recipe in `{comparison.method.tuning.sweep.path}`"
            if few
            else "more seeds per arm (`budget: {seeds_per_arm: ...}`)"
        )
        + (f"; not counted: {why}" if why else ""),
        seen=seen,
    )


def _seen(method: Method, found: Sweep, mine: list[Setting], kept: int) -> tuple[Quantity, ...]:
    counted = sum(one.standing != "apart" for one in mine)
    labels = {f"gain at {one.point.label}" for one in mine} | {"gain as declared"}
    return (
        Quantity(
            name=f"{method.id}.retention",
            value=round(kept / counted, 4) if counted else "not known",
            unit="share of changed constants",
            level=Level.RERUN,
        ),
        *(one for one in found.quantities() if one.name in labels),
    )
