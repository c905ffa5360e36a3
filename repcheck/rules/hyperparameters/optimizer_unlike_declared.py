"""The optimizer that ran has other settings than those stated.

## What it catches
Another optimizer, momentum, weight decay, betas, epsilon or clipping in a rerun than in the paper.

## When it is legitimate
Another spelling, a fused implementation, no weight decay on biases and norms, AdamW for Adam where
nothing decays, a momentum that the schedule moves.

## How it is decided
Each stated field of `optimizer` other than `lr` beside what the optimizer had in a rerun, after its
first step, in its largest group of parameters (numbers to one millionth; none, n/a, false and zero
are the same). Up to 10 % apart is minor, anything else major. For Adam and its kin, a stated
momentum is compared with the first beta. A class that is not a well-known optimizer has no name
that could be compared. A stated weight decay or clipping that the optimizer has not may be done by
hand elsewhere in the code: a person has to look.

## How to fix
State the settings that are run, or run the ones that are stated, and rerun what depends on it.

## Source
Trick 2.4 of the hzwer list: optimizers have lots of hyperparameters to tune, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.model import Method
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.facts.optimizers import (
    FIELDS,
    KNOWN,
    Knobs,
    Optimizers,
    Value,
    alike,
    said,
    short,
)
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

Leaves = dict[str, Stated[Value]]
BY_HAND = ("weight_decay", "clip_norm")


@rule("RC204b", Severity.MINOR)
def check(method: Method, optimizers: Optimizers, *, minor: float = 0.10) -> Answer:
    knobs = optimizers.of(method)
    if method.optimizer.absent:
        return NotApplicable(message=f"`{method.optimizer.place.path}` is stated as not used")
    stated = {
        field: leaf for field in FIELDS if not (leaf := getattr(method.optimizer, field)).undeclared
    }
    if not stated:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{method.optimizer.type.path}`")
    unlike = {field: leaf for field, leaf in stated.items() if _differs(leaf, knobs, field)}
    hidden = {f: leaf for f, leaf in unlike.items() if f in BY_HAND and not knobs.value(f)}
    open_ones = [_open(knobs, stated, hidden)] if hidden or _unnamed(knobs, stated) else []
    found = list(_mismatches(knobs, unlike, hidden, minor))
    if found or open_ones:
        return [*found, *open_ones]
    compared = [f for f in stated if f != "type" or _named(knobs, stated)]
    listed = ", ".join(f"{field} {said(knobs.value(field))}" for field in compared)
    return Cleared(
        message=f"`{method.id}` ran as stated: {listed}",
        seen=tuple(knobs.quantity(field) for field in compared),
        limit="any difference of a stated field",
    )


def _differs(leaf: Stated[Value], knobs: Knobs, field: str) -> bool:
    told: Value = leaf.content if leaf.known else None
    if field == "type":
        names = {short(str(told)), knobs.name}
        unused = names == {"adam", "adamw"} and knobs.without_decay()
        return len(names) > 1 and names <= KNOWN and not unused
    if field in knobs.seen.changed:
        return False
    ran = knobs.value(field)
    if field == "momentum" and ran is None:
        betas = knobs.value("betas")
        ran = betas[0] if isinstance(betas, tuple) and betas and told else None
        return ran is not None and not alike(told, ran)
    if field in {"betas", "eps", "nesterov"} and ran is None:
        return False
    return not alike(tuple(told) if isinstance(told, list) else told, ran)


def _unnamed(knobs: Knobs, stated: Leaves) -> bool:
    """Return whether the type alone is stated, and the class has no name to compare it with."""
    return set(stated) == {"type"} and not _named(knobs, stated)


def _named(knobs: Knobs, stated: Leaves) -> bool:
    name = short(str(stated["type"]))
    return name == knobs.name or {name, knobs.name} <= KNOWN


def _mismatches(knobs: Knobs, unlike: Leaves, hidden: Leaves, minor: float) -> Iterator[Flagged]:
    for field, leaf in unlike.items():
        if field in hidden:
            continue
        yield Flagged(
            message=f"`{field}` of `{knobs.method}` is stated as {leaf} and was "
            f"{said(knobs.value(field))} in a rerun",
            kind=Kind.MISMATCH,
            severity=Severity.MINOR if _near(leaf, knobs.value(field), minor) else Severity.MAJOR,
            seen=knobs.quantity(field),
            at=leaf.place,
        )


def _near(leaf: Stated[Value], ran: Value, minor: float) -> bool:
    told = leaf.content if leaf.known else None
    if not isinstance(told, int | float) or not isinstance(ran, int | float):
        return False
    return abs(told - ran) <= minor * max(abs(told), abs(ran))


def _open(knobs: Knobs, stated: Leaves, hidden: Leaves) -> Undetermined:
    if not hidden:
        return Undetermined(
            message=f"`{knobs.method}` is stated with {stated['type']} and ran a "
            f"{knobs.seen.cls}, which may be another name for it",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"whether {knobs.seen.cls} is {stated['type']}",
            seen=knobs.quantity("type"),
        )
    listed = " and ".join(f"{field} {leaf}" for field, leaf in hidden.items())
    return Undetermined(
        message=f"`{knobs.method}` is stated with {listed}, and the optimizer had none: it may be "
        "done by hand elsewhere",
        reason=Reason.NEEDS_HUMAN,
        would_decide=f"where the code of `{knobs.method}` applies {' and '.join(hidden)}",
        seen=tuple(knobs.quantity(field) for field in hidden),
    )
