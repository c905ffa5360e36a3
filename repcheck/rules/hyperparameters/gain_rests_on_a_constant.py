"""The gain is there at one value of a number that only the code states.

## What it catches
A constant in the code that nobody declares, and without whose exact value the claimed gain is gone:
half or twice of it loses what the paper credits its idea with.

## When it is legitimate
The number is declared, with how it was found: then a narrow window is a property of the method that
RC807 tells of. A setting in which the baseline does not train either says nothing.

## How it is decided
By reruns that the claims file asks for: `tuning: {sweep: {aux: {constant: "loss.py:41", from:
0.173}}}` runs the method at half and at twice the number of that line (the baseline too where its
`tuning.sweep` names it), with the fresh seeds. A gain is lost if surely less than half of it is
left (95 % interval); lost in one of them is major, kept in all is cleared, anything else is open.
The code is changed in a copy of the artifact alone.

## How to fix
State the number, say on which split it was found, and report the gain at half and twice of it.

## Source
hzwer 2.3
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repcheck.claims.comparison import Comparison
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.facts.sensitivity import Sensitivity, Sweep
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
from repcheck.sweep import unstated
from repcheck.swept import told, undecided


@rule("RC203b", Severity.MAJOR, part=Part.EFFECT)
def check(comparison: Comparison, sensitivity: Sensitivity) -> Answer:
    hidden = unstated(comparison.method)
    if not hidden:
        return NotApplicable(message="no number of the code is swept that the claims do not state")
    outcomes = [
        one
        for found in sensitivity.each(comparison)
        for one in _each(comparison, found, list(hidden))
    ]
    return outcomes or NotApplicable(message="no claim of this comparison names a metric")


def _each(
    comparison: Comparison, found: Sweep | Missing | Inapplicable, names: Sequence[str]
) -> Iterator[Outcome]:
    if isinstance(found, Missing | Inapplicable):
        yield undecided(found)
    else:
        for name in names:
            yield _judged(comparison, found, name)


def _judged(comparison: Comparison, found: Sweep, name: str) -> Outcome:
    settings = [one for one in found.settings if one.point.name == name]
    way = unstated(comparison.method)[name]
    where = way.get("constant") or way.get("config") or name
    words = (
        f"with `{where}` ({name}, {way['from']} as it stands and declared nowhere) "
        f"`{comparison.method.id}` gains {found.declared.estimate:+.3g} over "
        f"`{comparison.baseline.id}` (n = {found.n_method} and {found.n_baseline}); "
        + "; ".join(map(told, settings))
    )
    if any(one.standing == "lost" for one in settings):
        return Flagged(
            message=words, kind=Kind.UNSUPPORTED, seen=found.quantities(), at=found.claim.place
        )
    if settings and all(one.standing == "kept" for one in settings):
        return Cleared(
            message=words,
            seen=found.quantities(),
            limit="half and twice the value alone, one number at a time",
        )
    apart = next((one for one in settings if one.reason), None)
    return Undetermined(
        message=words,
        reason=apart.reason if apart and apart.reason else Reason.UNDERPOWERED,
        would_decide=apart.why if apart else "more seeds per arm (`budget: {seeds_per_arm: ...}`)",
        seen=found.quantities(),
    )
