"""The method learns from a teacher, and the baseline does without.

## What it catches
A second, frozen network that is run on the training samples of the proposed method: a teacher whose
data and cost nobody counts. A recipe that only its authors can make work.

## When it is legitimate
Both are distilled; the teacher is stated and is what the paper offers (`attributed_to:
[distillation]`). Target networks and momentum encoders, copies of the trained network, are a part
of their algorithm.

## How it is decided
A network that no optimizer holds and that is run without gradients within training steps, as a
rerun shows. Not stated, it is a major omission; beside `distillation: none`, a major mismatch;
stated, and the baseline has none, a minor asymmetry. Copies of the trained network (same class and
size, or following it as an average) are left out, and so is a frozen network where `pretrained` is
stated: it may be the model's own frozen part. Without a rerun, the stated words decide. Logits that
a teacher left in a file, and the order of a curriculum, are not seen: without their keys nothing is
cleared.

## How to fix
State the teacher with its data and cost, and add a row with the baseline plainly distilled from it.

## Source
Trick 4.7 of the hzwer list: very complicated curriculum learning, fancy distillation; if others
cannot make it work, "it needs tuning".
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Distillation, Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.origins import Origins, Tutor
from repcheck.finding import conservative, contribution, mismatches
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    Severity,
    Undetermined,
    rule,
)

KEYS = ("distillation", "distillation.teacher")


@rule("RC407", Severity.MAJOR, factors=("distillation", "curriculum"))
def check(comparison: Comparison, origins: Origins) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    try:
        tutor = origins.tutor(comparison.method, comparison.dataset)
    except Missing:
        return _as_stated(comparison)
    if tutor.teachers:
        return _taught(comparison, origins, tutor)
    return _untaught(comparison, origins, tutor)


def _taught(comparison: Comparison, origins: Origins, tutor: Tutor) -> Answer:
    stated = comparison.method.distillation
    words = f"`{tutor.method}` runs {tutor.said()} beside its training"
    seen = tutor.quantity()
    if stated.absent:
        return Flagged(
            message=f"{words}, and states that it has no teacher",
            kind=Kind.MISMATCH,
            severity=Severity.MAJOR,
            seen=seen,
            at=stated.place,
        )
    if stated.undeclared and comparison.method.pretrained.declared:
        return Undetermined(
            message=f"{words}: a teacher, or its own pretrained and frozen part",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"declare `{stated.place.path}`",
            seen=seen,
        )
    if stated.undeclared:
        return Flagged(
            message=f"{words}, which is not stated",
            kind=Kind.OMISSION,
            seen=seen,
            at=comparison.place,
        )
    return _beside(comparison, origins, tutor)


def _beside(comparison: Comparison, origins: Origins, tutor: Tutor) -> Answer:
    """Return the answer for a stated teacher: does the baseline have one?"""
    theirs = _baseline(comparison, origins)
    both: tuple[Quantity, ...] = (tutor.quantity(),)
    if theirs is None:
        taught = comparison.baseline.distillation.used()
    else:
        taught, both = bool(theirs.teachers), (*both, theirs.quantity())
    if taught:
        words = f"`{tutor.method}` and `{comparison.baseline.id}` are both distilled"
        return Cleared(message=words, seen=both, limit="a teacher of one of them only")
    return _alone(comparison, both)


def _alone(comparison: Comparison, seen: tuple[Quantity, ...]) -> Answer:
    if exempt := contribution(comparison, "distillation"):
        return exempt
    stated = comparison.method.distillation
    return Flagged(
        message=f"`{comparison.method.id}` is distilled from {_teacher(stated)}, "
        f"`{comparison.baseline.id}` from none",
        kind=Kind.ASYMMETRY,
        severity=Severity.MINOR,
        seen=seen,
        at=stated.place,
        disclosed=stated.disclosure.in_paper or stated.teacher.disclosure.in_paper,
    )


def _baseline(comparison: Comparison, origins: Origins) -> Tutor | None:
    try:
        return origins.tutor(comparison.baseline, comparison.dataset)
    except Missing:
        return None


def _untaught(comparison: Comparison, origins: Origins, tutor: Tutor) -> Answer:
    method, theirs = comparison.method, _baseline(comparison, origins)
    if theirs is not None and theirs.teachers:
        words = f"only `{theirs.method}` runs {theirs.said()} beside its training"
        return conservative(words, (tutor.quantity(), theirs.quantity()), comparison.place)
    if method.distillation.declared:
        return _as_stated(comparison)
    copies = ", ".join(copy.cls for copy in tutor.copies)
    words = f"`{method.id}` runs no teacher beside its training" + (
        f"; {copies} is a copy of the trained network" if copies else ""
    )
    open_keys = [
        section.path
        for section in (method.distillation.place, method.place["curriculum"])
        if _silent(method, section.path)
    ]
    if open_keys:
        return Undetermined(
            message=f"{words}; logits from a file, or a curriculum, would not have been seen",
            reason=Reason.UNDECLARED_KEY,
            would_decide=" and ".join(f"declare `{path}`" for path in open_keys),
            seen=tutor.quantity(),
        )
    return Cleared(
        message=f"{words}, and states no other",
        seen=tutor.quantity(),
        limit="one forward of a frozen network within a training step",
    )


def _silent(method: Method, path: str) -> bool:
    if path.endswith("curriculum"):
        return method.curriculum.undeclared
    return method.distillation.undeclared


def _as_stated(comparison: Comparison) -> Answer:
    ours, theirs = comparison.method.distillation, comparison.baseline.distillation
    seen = (_stated(comparison.method), _stated(comparison.baseline))
    if not ours.used():
        words = f"`{comparison.method.id}` is stated as not distilled"
        return Cleared(message=words, seen=seen[:1], limit="stated words")
    if theirs.used():
        return Cleared(message="both are stated as distilled", seen=seen, limit="stated words")
    return _alone(comparison, seen)


def _stated(method: Method) -> Quantity:
    stated = method.distillation
    return Quantity(
        name=f"{method.id}.distillation", value=_teacher(stated), source=str(stated.place)
    )


def _teacher(stated: Distillation) -> str:
    if not stated.declared:
        return stated.state.value
    return str(stated.teacher) if stated.teacher.known else "a teacher"
