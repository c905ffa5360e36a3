"""A component that is presented as new computes a function that is known.

## What it catches
A class with a name and half a page of formulas that gives, for every input, what `nn.SiLU` or
`nn.LayerNorm` gives: written out by hand, in another order, behind another name.

## When it is legitimate
Exposition is free, and so is writing a known function out for speed or teaching. It is named:
`equivalent_to: SiLU`, or `claimed_novel: false`. A function that is new, and one that agrees with
a known one in a part of its range alone.

## How it is decided
After everything else of a rerun, one module of each of the artifact's own classes gets random
inputs (at least 64, at scales from 0.01 to 100, of both signs, with and without training mode), and
its outputs are held against a catalogue of known activations, norms, softmax and attention, gated
units and losses; a scale and an offset may be fitted. The largest difference, relative to the
largest output of a scale, within 1e-5 is the same function; within 1e-2 a near one, which is a
note. A component that is the same as a known function is minor where it is `claimed_novel`, a
mismatch where `equivalent_to: none` is stated, and a note where it is not said to be new; whether
it is presented as new where the file does not say so is for a person. A component with weights that
mix features, or that no class is named after, stays open; one whose own parameters may make it
another function is for a person. What is not in the catalogue is not
excluded.

## How to fix
Name the known function and cite it, and say what the new name adds.

## Source
Trick 4.2 of the hzwer list: expand a technique that others mention in a sentence, add magic formula
transformations to fill half a page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from repcheck.claims.methods import Component
from repcheck.claims.model import Method
from repcheck.claims.stated import State
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.equalities import Equalities, Equality, of_component
from repcheck.metric_names import letters
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
)  # fmt: skip

FIX = "Name the known function and cite it, and say what the new name adds."
SAME_NAME = {"swish": "silu", "softplusbeta": "softplus", "crossentropyloss": "crossentropy"}
WEIGHED = ("Norm", "PReLU", "GLU", "attention", "loss", "entropy", "softmax")
"""Known functions that have parameters of their own, or take what a module may keep as one."""
WHY = {
    "weights": "it has weights that mix features: only functions without them are in the catalogue",
    "form": "it takes or gives something else than one tensor for another of its shape",
    "arguments": "it was called with arguments that are no tensors",
    "precision": "it computes in half precision",
    "hooks": "hooks are set on it, which a call would run",
    "distributed": "several processes trained together",
    "chance": "it draws random numbers in evaluation mode",
    "values": "its outputs are not finite, or not to be compared",
    "time": "there was no time left for it",
}


@rule("RC402", Severity.NOTE)
def check(
    method: Method, equalities: Equalities, *, same: float = 1e-5, near: float = 1e-2
) -> Answer:
    if method.components is None:
        if method.role.get("proposed") != "proposed":
            return NotApplicable(message=f"`{method.id}` is not what the paper proposes")
        raise Missing(
            Reason.UNDECLARED_KEY, f"declare `{method.place.join('components')}`, with `kind`"
        )
    parts = [part for part in method.components if part.kind.get("module") == "module"]
    if not parts:
        return NotApplicable(message=f"`{method.id}` names no component that is a module")
    judge = _Judge(method, equalities, same, near)
    return [judge.of(part, alone=len(parts) == 1) for part in parts]


class _Judge:
    def __init__(self, method: Method, equalities: Equalities, same: float, near: float) -> None:
        self.method, self.equalities = method, equalities
        self.same, self.near = same, near

    def of(self, part: Component, *, alone: bool) -> Outcome:
        classes = self.equalities.of(self.method)
        mine = of_component(part, classes, alone=alone)
        compared = [one for one in mine if one.seen.diff is not None]
        if not mine or len(compared) < len(mine):
            return self._open(part, mine, classes)
        equal = [one for one in mine if self._is(one, self.same)]
        names = sorted({one.seen.known for one in equal})
        if len(equal) == len(mine) and len(names) == 1:
            return self._equal(part, equal[0])
        half = [
            one for one in compared if not one.seen.training and (one.seen.diff or 0) <= self.same
        ]
        if half:
            return self._in_one_mode(part, half[0])
        close = [one for one in mine if self._is(one, self.near)]
        if len(close) == len(mine) and part.claimed_novel.get(False):
            return self._near(part, close[0])
        return self._other(part, mine)

    def _is(self, one: Equality, within: float) -> bool:
        diff = one.seen.diff
        return diff is not None and diff <= within and one.seen.training

    def _open(
        self, part: Component, mine: Sequence[Equality], classes: Sequence[Equality]
    ) -> Undetermined:
        name = part.name.get("")
        if mine:
            one = next(one for one in mine if one.seen.diff is None)
            why = WHY.get(one.seen.why, f"a call of it {one.seen.why or 'was not seen'}")
            words = f"`{one.name}`, which is `{name}`, was not held against known functions: {why}"
        else:
            known = ", ".join(f"`{one.name}`" for one in classes[:5])
            words = f"no class that was seen at work is named after `{name}`"
            words += f": there were {known}" if known else ", and none of the artifact's own was"
        return Undetermined(
            message=words,
            reason=Reason.NOT_OBSERVED,
            would_decide=f"a class of its own for `{name}`, by that name; or `equivalent_to`",
            seen=tuple(self.equalities.quantity(self.method, one) for one in mine),
        )

    def _equal(self, part: Component, one: Equality) -> Outcome:
        words = _words(part, one)
        seen = self.equalities.quantity(self.method, one)
        stated = part.equivalent_to
        if stated.known and _one_name(stated.value, one.seen.known):
            return Cleared(
                message=f"{words}, as `{stated.path}` says",
                seen=seen,
                limit="would have seen a function other than the one that is named",
            )
        if one.seen.known == "a learnt scale and offset" or (
            one.seen.known == "the identity" and one.seen.params
        ):
            # At the values that the training ended with: a gate may have closed.
            return _ask(part, words, seen, "is that all that it is meant to be?")
        if (
            one.seen.params
            and not one.seen.fitted
            and not any(kind in one.seen.known for kind in WEIGHED)
        ):
            return _ask(part, words, seen, "is that so for other values of its parameters too?")
        novel = part.claimed_novel
        if stated.known:
            words += f"; `{stated.path}` says {stated}"
        elif stated.state is State.NONE:
            words += "; `equivalent_to: none` is stated"
        elif novel.undeclared:
            return _ask(part, words, seen, "is it presented as new?")
        mismatch = stated.known or stated.state is State.NONE
        weighs = mismatch or novel.get(False)
        return Flagged(
            message=words,
            kind=Kind.MISMATCH if mismatch else Kind.OMISSION,
            severity=Severity.MINOR if weighs else Severity.NOTE,
            seen=seen,
            at=stated.place if mismatch else novel.place,
            fix=FIX,
        )

    def _in_one_mode(self, part: Component, one: Equality) -> Undetermined:
        seen = self.equalities.quantity(self.method, one)
        words = f"{_words(part, one)} in evaluation mode alone; in training mode it is not"
        return _ask(part, words, seen, "is what it does in training new?")

    def _near(self, part: Component, one: Equality) -> Flagged:
        return Flagged(
            message=f"`{one.name}` is within {one.seen.diff:.1e} of {one.seen.known}"
            f" (relative, {_inputs(one)}), and not the same",
            kind=Kind.OMISSION,
            severity=Severity.NOTE,
            seen=self.equalities.quantity(self.method, one),
            at=part.place,
            fix=FIX,
        )

    def _other(self, part: Component, mine: Sequence[Equality]) -> Cleared:
        one = min(mine, key=lambda one: one.seen.diff if one.seen.diff is not None else 0.0)
        if part.equivalent_to.known:
            raise Missing(
                Reason.CONFLICTING_EVIDENCE,
                f"`{part.equivalent_to.path}` says {part.equivalent_to}; `{one.name}` differs from"
                f" every known function, from {one.seen.known} by {one.seen.diff:.1e}",
            )
        return Cleared(
            message=f"`{one.name}` is none of {one.seen.of} known functions: it differs from the"
            f" nearest, {one.seen.known}, by {one.seen.diff:.1e} (relative, {_inputs(one)})",
            seen=tuple(self.equalities.quantity(self.method, one) for one in mine),
            limit=f"would have seen a function of the catalogue ({one.seen.of} of its form) within"
            f" {self.same:.0e}; what is not in it, and what is known in words, it cannot see",
        )


def _words(part: Component, one: Equality) -> str:
    name = part.name.get("")
    of = f" of `{name}`" if name and name != one.name else ""
    fitted = ", up to a scale and an offset" if one.seen.fitted else ""
    return (
        f"`{one.name}`{of} computes {one.seen.known}: both agree to {one.seen.diff:.1e}"
        f" (relative, {_inputs(one)}{fitted})"
    )


def _inputs(one: Equality) -> str:
    scales = one.seen.scales
    spread = f" at {len(scales)} scales from {min(scales):g} to {max(scales):g}" if scales else ""
    return f"{one.seen.n} random inputs{spread}"


def _ask(part: Component, words: str, seen: Quantity, question: str) -> Undetermined:
    return Undetermined(
        message=f"{words}; {question}",
        reason=Reason.NEEDS_HUMAN,
        would_decide=f"`{part.place.join('claimed_novel')}` and"
        f" `{part.place.join('equivalent_to')}`, or a person's answer",
        seen=seen,
    )


def _one_name(stated: str, known: str) -> bool:
    """Return whether two names are of one function: `nn.SiLU`, `Swish` and `SiLU`."""
    mine, other = (_plain(name) for name in (stated.rpartition(".")[2], known))
    return bool(mine) and (mine == other or mine.startswith(other) or other.startswith(mine))


def _plain(name: str) -> str:
    plain = letters(re.sub(r"\(.*?\)", "", name))
    return SAME_NAME.get(plain, plain)
