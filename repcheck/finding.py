"""What several rules say the same way: a graded ratio, and a key whose two sides disagree."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Dataset, Method, Metric
from repcheck.claims.stated import ArtifactSide, Section, Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.rule import (
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Seen,
    Severity,
    Undetermined,
)
from repcheck.units import NotANumber, read_number
from repcheck.where import Where

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.facts.agreement import Agreement, Line

Owner = Method | Dataset | Metric


def times(ratio: float) -> str:
    """Return a ratio as every message prints it: `×3.00`."""
    return f"×{ratio:.2f}"


def graded(ratio: float, minor: float, major: float) -> Severity | None:
    """Return the weight of a ratio that favours the method: nothing within the aligned band."""
    if ratio <= minor:
        return None
    return Severity.MAJOR if ratio > major else Severity.MINOR


def conservative(message: str, seen: Seen, at: Where) -> Flagged:
    """Return the note that a difference is to the baseline's advantage."""
    return Flagged(
        message=f"conservative comparison: {message}",
        kind=Kind.ASYMMETRY,
        severity=Severity.NOTE,
        seen=seen,
        at=at,
        fix="Nothing to mend: the difference favours the baseline.",
    )


def maybe_macs(words: str, method: Method, seen: Seen) -> Undetermined:
    """Return that a ratio near two may be MACs beside FLOPs, which is never a finding."""
    return Undetermined(
        message=f"{words}: the unit looks like MACs in one of the two",
        reason=Reason.CONFLICTING_EVIDENCE,
        would_decide=f"declare `{method.model.flops_convention.path}` and the baseline's",
        seen=seen,
    )


def contribution(comparison: Comparison, *factors: str) -> NotApplicable | None:
    """Return why a difference is exempt: the claims say that it is what the paper offers."""
    named = next((factor for factor in factors if comparison.contributes(factor)), None)
    if named is None:
        return None
    return NotApplicable(message=f"`{named}` is the declared contribution of {comparison.id}")


def mismatches(*subjects: Comparison | Owner, keys: tuple[str, ...]) -> list[Flagged]:
    """Return a finding for each of these keys whose paper side and artifact side differ."""
    found: list[Flagged] = []
    for subject in subjects:
        if isinstance(subject, Comparison):
            owners: tuple[Owner, ...] = (subject.method, subject.baseline)
        else:
            owners = (subject,)
        found += [flagged for owner in owners for flagged in _in(owner, keys)]
    return found


def differing(method: Method, agreement: Agreement, keys: tuple[str, ...]) -> list[Flagged]:
    """Return a finding for each of these keys that is declared one way and observed another.

    The observed value alone carries the level: the declared one is what it is held against. What
    the difference costs the method (or gives the baseline it is beaten with) is a note.
    """
    return [
        unlike(method, agreement, line)
        for line in agreement.of(method)
        if line.key in keys and line.state == "differs"
    ]


def as_declared(
    method: Method, agreement: Agreement, keys: tuple[str, ...], limit: str
) -> list[Outcome]:
    """Return what a rule answers that asks whether these keys are declared as they were observed.

    `limit` says what would have been seen. Each key that could not be seen, or that differs as two
    conventions do, is undetermined beside those that agree.

    Raises:
        Missing: if nothing was rerun, or none of these keys is declared.
    """
    if agreement.observed is None:
        raise Missing(Reason.NOT_OBSERVED, "rerun it with `repcheck check`")
    lines = [one for one in agreement.of(method) if one.key in keys and one.declared]
    if not lines:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{method.place.join(keys[0])}`")
    if found := differing(method, agreement, keys):
        return list(found)
    same = [one for one in lines if one.state == "same"]
    unseen = [one for one in lines if one.state == "unseen"]
    answers: list[Outcome] = []
    if same:
        told = [f"`{one.key}` {one.observed} (declared {one.declared})" for one in same]
        words = f"`{method.id}` ran as declared: {'; '.join(told)}"
        seen = tuple(one.quantity for one in same if one.quantity)
        answers.append(Cleared(message=words, seen=seen, limit=limit))
    answers += [_as_a_unit(method, one) for one in lines if one.state == "unit"]
    return [*answers, _unseen(method, unseen)] if unseen else answers


def _unseen(method: Method, lines: list[Line]) -> Undetermined:
    told = ", ".join(f"`{one.key}` {one.declared}" for one in lines)
    return Undetermined(
        message=f"`{method.id}` declares {told}, and a rerun does not show it: {lines[0].why}",
        reason=Reason.NOT_OBSERVED,
        would_decide=f"a rerun that shows {', '.join(f'`{one.key}`' for one in lines)}",
    )


def _as_a_unit(method: Method, line: Line) -> Undetermined:
    return Undetermined(
        message=f"`{line.key}` of `{method.id}` is declared {line.declared} and observed "
        f"{line.observed}: {line.why}",
        reason=Reason.CONFLICTING_EVIDENCE,
        would_decide=f"say in `{line.place.path}` what is meant",
        seen=() if line.quantity is None else line.quantity,
    )


def unlike(method: Method, agreement: Agreement, line: Line) -> Flagged:
    """Return the finding of one line that differs."""
    side = agreement.side(method)
    harmless = (line.gain > 0 and side == "baseline") or (line.gain < 0 and side == "proposed")
    ratio = f" ({times(line.size)})" if line.size is not None else ""
    why = f": {line.why}" if line.why else ""
    words = (
        f"`{line.key}` of `{method.id}` is declared {line.declared} and observed "
        f"{line.observed}{ratio}{why}"
    )
    assert line.quantity is not None
    if harmless:
        return conservative(words, line.quantity, line.place)
    return Flagged(
        message=words,
        kind=Kind.MISMATCH,
        severity=_apart(line.size),
        seen=line.quantity,
        at=line.place,
        fix=f"Declare what is run, or run what `{line.place.path}` declares, and rerun what "
        "depends on it.",
    )


def _apart(size: float | None) -> Severity | None:
    """Return the weight of a count that is not the declared one: beyond a tenth it is major."""
    if size is None:
        return None
    far = size <= 0 or max(size, 1 / size) > 1.10
    return Severity.MAJOR if far else Severity.MINOR


@cache
def _getter(key: str) -> attrgetter[Any]:
    return attrgetter(key)


def _in(owner: Owner, keys: tuple[str, ...]) -> Iterator[Flagged]:
    told: set[tuple[int, int]] = set()
    for key in keys:
        top = getattr(owner, key.partition(".")[0])
        if top.undeclared:
            continue
        item: Stated[Any] | Section = _getter(key)(owner)
        side = item.disclosure.artifact
        here = (item.place.line, item.place.column)
        if side is None or here in told:
            continue
        told.add(here)  # a section and its short key stand in one place
        leaf = item if isinstance(item, Stated) else _short(item)
        if _same(leaf, side.value):
            continue
        name = key.removesuffix(".value").removesuffix("_")
        paper, code = str(leaf), _printed(side)
        said, found = (f" ({text})" if text else "" for text in (item.disclosure.where, side.where))
        yield Flagged(
            message=f"`{name}` of `{owner.id}` is stated as {paper}{said} and is {code} in the "
            f"artifact{found}",
            kind=Kind.MISMATCH,
            seen=(
                Quantity(name=f"{owner.id}.{name}", value=paper, source=str(leaf.place)),
                Quantity(
                    name=f"{owner.id}.{name} in the artifact",
                    value=code,
                    level=Level.STATIC,
                    source=side.where or str(leaf.place),
                ),
            ),
            at=leaf.place,
            fix=f"Make paper and artifact agree on `{leaf.path}`, and rerun what depends on it.",
        )


def _printed(side: ArtifactSide) -> str:
    listed = isinstance(side.value, tuple | list)
    return str(list(side.value)) if listed else side.text or str(side.value)


def _short(section: Section) -> Stated[Any]:
    """Return what a section says in one word: its short key, else its state."""
    leaf = getattr(section, type(section).short or "", None)
    if isinstance(leaf, Stated) and leaf.known:
        return leaf
    return Stated(state=section.state, place=section.place)


def _same(leaf: Stated[Any], other: object) -> bool:
    if not leaf.known:
        return other in (None, False, "none", "n/a", 0) and not leaf.undeclared
    mine: Any = leaf.content
    if isinstance(mine, int | float) and isinstance(other, int | float):
        return _one_number(mine, other, macs="flops" in leaf.path)
    if isinstance(mine, int | float) and isinstance(other, str):
        try:
            read = read_number(other, "flops" if "flops" in leaf.path else "count").value
        except NotANumber:
            return str(leaf) == other
        return _one_number(mine, read, macs="flops" in leaf.path)
    if isinstance(mine, tuple | list) and isinstance(other, tuple | list):
        return list(mine) == list(other)
    return bool(mine == other) or str(leaf) == str(other)


def _one_number(mine: float, other: float, *, macs: bool) -> bool:
    """Return whether two numbers are one; twice as many FLOPs may be the same in MACs."""
    if abs(mine - other) <= 1e-9 * max(abs(mine), abs(other)):
        return True
    low, high = sorted((abs(mine), abs(other)))
    return macs and 1.9 * low <= high <= 2.1 * low
