"""Components of the method add nothing to what it scores.

## What it catches
A heap of components, each presented as a contribution, most of which can be taken out without a
loss; and a single one that is credited and not needed.

## When it is legitimate
A large design of which each part is ablated. Parts that do the same may each go singly as long as
they cannot go together.

## How it is decided
By arms that train the method without a component (`factor: NAME, kind: remove`) or without several
at once (`factor: components` for all but the largest, `factor: a+b` for these two), with the seeds
of the method. The arm without several decides: a 90 % interval of what is lost within the margin
(a quarter of the claimed gain, or the tolerance where that is more, at most half the gain) is a
finding, a 95 % interval above zero clears it. A component that can go singly is a finding where no
other can, or where it is the only one; else they may stand in for each other, and the arm without
all of them is asked for. Major where `attributed_to` names the part (of several parts, where it
names two). Arms are asked for where three or more modules are declared. Components that are
switched off at evaluation alone decide nothing: what was trained with them leans on them.

## How to fix
Keep what works, and show the row without the rest.

## Source
Trick 4.4 of the hzwer list: design a heap of components and add them all with learnable weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from repcheck.ablated import is_trained_without, not_run, said_of, standing
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Component
from repcheck.errors import Missing, Reason
from repcheck.facts.worth import Worth, Worths, is_gate
from repcheck.rule import Answer, NotApplicable, Outcome, Part, Severity, Undetermined, rule
from repcheck.where import NOWHERE

FIX = "Keep what works, and show the row without the rest."
ALL = ("components", "component")


@rule("RC404", Severity.MINOR, part=Part.EFFECT, factors=("components", "component"))
def check(comparison: Comparison, worths: Worths, *, many: int = 3) -> Answer:
    arms = _retrained([standing(arm) for arm in worths.of(comparison, "component")])
    joint = [one for one in arms if _several(one)]
    single = [one for one in arms if not _several(one)]
    refused = list(worths.refused(comparison, "component"))
    answers = [*(_of_several(comparison, one) for one in joint), *not_run(refused)]
    if not any(one.verdict in {"contributes", "decorative"} for one in joint):
        answers += _of_each(comparison, single, several=bool(joint))
    if answers or worths.elsewhere(comparison, "component"):
        return [*answers, *_unasked(comparison, arms, many)] if not refused else answers
    if comparison.method.components is None:
        path = comparison.method.place.join("components")
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{path}`")
    if len(modules(comparison)) < many:
        n = len(modules(comparison))
        return NotApplicable(message=f"{n} of the declared components are modules, not {many}")
    return _unasked(comparison, arms, many)


def modules(comparison: Comparison) -> list[Component]:
    """Return the components that are parts of the network and have a name."""
    stated = [part for part in comparison.method.components or () if part.name.known]
    return [part for part in stated if part.kind.get("module") == "module"]


def _retrained(arms: list[Worth]) -> list[Worth]:
    """Leave out the evaluations of what an arm trained without it tells better."""
    trained = {one.arm.factors for one in arms if is_trained_without(one)}
    return [one for one in arms if is_trained_without(one) or one.arm.factors not in trained]


def _several(worth: Worth) -> bool:
    return any(factor in ALL or "+" in factor for factor in worth.arm.factors)


def _of_several(comparison: Comparison, worth: Worth) -> Outcome:
    names = {part.name.value for part in modules(comparison)}
    given = [name for name in worth.names if name in names]
    listed = " and ".join(f"`{name}`" for name in given)
    part = f"{listed} together" if listed else "all components but the largest"
    taken = set(given) or names
    credited = {*worth.claim.attributed_to.get(())} & taken
    enough = 1 if given else 2  # which one was left in is not known
    severity = Severity.MAJOR if len(credited) >= enough else Severity.MINOR
    return said_of(worth, part, severity=severity, at=NOWHERE, fix=FIX)


def _of_each(comparison: Comparison, arms: Sequence[Worth], *, several: bool) -> list[Outcome]:
    """Return what the arms without one component say, where none without several decides."""
    idle = [one for one in arms if one.verdict == "decorative" and is_trained_without(one)]
    others = {part.name.value for part in modules(comparison)}
    needed = {name for one in arms if one.verdict == "contributes" for name in one.names}
    sure = len(idle) == 1 and others <= needed | {*idle[0].names}
    open_ones = [] if sure else idle
    answers = [_of_one(comparison, one) for one in arms if one not in open_ones]
    if open_ones and not several:
        answers.append(_together(comparison, open_ones, others))
    return answers


def _of_one(comparison: Comparison, worth: Worth) -> Outcome:
    parts = comparison.method.components or ()
    of = next((part for part in parts if part.name.get("") in worth.names), None)
    at = of.place if of is not None else NOWHERE
    return said_of(worth, f"`{worth.names[-1]}`", severity=Severity.MINOR, at=at, fix=FIX)


def _together(comparison: Comparison, idle: Sequence[Worth], others: set[str]) -> Undetermined:
    method = comparison.method.id
    names = [one.names[-1] for one in idle]
    listed = " and ".join(f"`{name}`" for name in names)
    if len(names) > 1:
        asked = (
            f"`arms: [{{id: {method}-rest, of: {method}, factor: {'+'.join(names)}, kind: remove,"
            " override: {...}}]`, with an override that takes all of them"
        )
    else:
        left = [name for name in sorted(others) if name not in names]
        asked = "; ".join(_arm(method, name) for name in left)
    return Undetermined(
        message=f"`{method}` scores the same without {listed}; whether other parts stand in for"
        " it is not known",
        reason=Reason.NOT_OBSERVED,
        would_decide=asked,
    )


def _arm(method: str, name: str) -> str:
    return (
        f"`arms: [{{id: {method}-{name}, of: {method}, factor: {name}, kind: remove,"
        " override: {...}}]`"
    )


def _unasked(comparison: Comparison, arms: Sequence[Worth], many: int) -> list[Undetermined]:
    """Return the arms to add, where there are many components and not all are ablated."""
    parts = [part for part in modules(comparison) if not is_gate(part.name.value)]
    tested = {name for one in arms for name in one.names}
    left = [part for part in parts if part.name.value not in tested]
    if len(modules(comparison)) < many or any(map(_several, arms)) or not left:
        return []
    method = comparison.method.id
    names = [part.name.value for part in left]
    listed = ", ".join(f"`{name}`" for name in names)
    joint = (
        f"`arms: [{{id: {method}-rest, of: {method}, factor: components, kind: remove,"
        " override: {...}}]` without all but the largest"
    )
    return [
        Undetermined(
            message=f"no arm trains `{method}` without {listed}",
            reason=Reason.NOT_OBSERVED,
            would_decide="; ".join([*(_arm(method, name) for name in names), joint]),
        )
    ]
