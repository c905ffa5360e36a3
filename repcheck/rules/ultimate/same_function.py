"""The method's network computes what another one computes, under another name.

## What it catches
A "new" network that gives, with the same weights, the output of its own baseline, or of somebody
else's model, whatever its code looks like: statements in another order, `einsum` for `matmul`,
functions that were split.

## When it is legitimate
The contribution is declared as what it is: `kind: recipe` or `kind: data`. A fork or a port that
cites its source and is not called new. A loss, a teacher or what is done at evaluation, which are
no part of the network.

## How it is decided
Two networks that were seen to train with the same calls, arguments, wiring and shapes, in the same
order, are one function of their weights (what draws random numbers included). Else both models are
built from `model.entry` in a process of their own, given the same random weights in the order in
which they use them, and fed 64 random inputs: outputs and gradients of the input that agree within
1e-5, with and without training mode, show one function. That is asked where both have as many
trained parameters, and of every `artifact.related_code` with an `entry`. One function as the
baseline is a major mismatch where a component of `kind: module` is offered; one as a reference that
is not cited is major, and minor where it is cited and a component is yet called new. Networks that
have different numbers of parameters are different; a function that differs by a constant alone, or
that needs weights in another order, is not recognised.

## How to fix
Say that the network is the known one, cite it, and credit the recipe with the gain.

## Source
Trick 6.1 of the hzwer list: copy somebody's method and rename it.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.claims.paper import RelatedCode
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.functions import Functions, of_numbers
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    Outcome,
    Severity,
    Undetermined,
    rule,
)  # fmt: skip
from repcheck.sameness import Sameness

FIX = "Say that the network is the known one, cite it, and credit the recipe with the gain."
LIMIT = (
    "would have seen one function in other words; not one that needs its weights in another order"
)


@rule("RC601b", Severity.MAJOR)
def check(comparison: Comparison, functions: Functions, *, within: float = 1e-5) -> Answer:
    found = list(_references(comparison, functions, within))
    try:
        return [*found, _baseline(comparison, functions, within)]
    except Missing as missing:
        if not found:
            raise
        words = f"whether it is its baseline cannot be judged: {missing.would_decide}"
        return [
            *found,
            Undetermined(message=words, reason=missing.reason, would_decide=missing.would_decide),
        ]


# The baseline


def _baseline(comparison: Comparison, functions: Functions, within: float) -> Outcome:
    method, baseline = comparison.method, comparison.baseline
    ours = functions.trained(method, comparison.dataset)
    theirs = functions.trained(baseline, comparison.dataset)
    seen = (ours.source, theirs.source)
    names = f"`{method.id}` and `{baseline.id}`"
    if ours.digests and ours.digests == theirs.digests:
        words = f"the networks of {names} do the same {ours.calls} operations with the same"
        words += f" arguments, wiring and shapes ({ours.trainable:,} trained parameters each):"
        words += " one function of their weights"
        return _one(comparison, functions, words, seen)
    numbers = functions.numbers.get((method.id, baseline.id))
    same = numbers.same(within) if numbers is not None else None
    if numbers is not None and same is not None:
        words = f"{names} {_agree(numbers, same=same)}"
        if same:
            return _one(comparison, functions, words, (of_numbers(numbers), *seen))
        return Cleared(message=words, seen=(of_numbers(numbers), *seen), limit=LIMIT)
    if ours.trainable != theirs.trainable:
        return Cleared(
            message=f"the networks of {names} have {ours.trainable:,} and {theirs.trainable:,}"
            " trained parameters: they are two functions",
            seen=seen,
            limit="would have seen the same calls in the same order; not parameters that are"
            " there and change nothing",
        )
    why = f" ({numbers.why})" if numbers is not None and numbers.why else ""
    return Undetermined(
        message=f"the networks of {names} have {ours.trainable:,} trained parameters each and do"
        f" other calls: whether they compute one function was not tried{why}",
        reason=Reason.NOT_OBSERVED,
        would_decide=f"`model.entry` and `model.input_shape` of {names}",
        seen=seen,
    )


def _agree(found: Sameness, *, same: bool) -> str:
    largest = max(one for one in (found.diff, found.gradient, found.training) if one is not None)
    given = f"given the same {found.moved} random weights and {found.n} random inputs"
    verb = "compute one function" if same else "compute different functions"
    return f"{verb}: {given} outputs and input gradients differ by {largest:.1e} (relative)"


def _one(
    comparison: Comparison, functions: Functions, words: str, seen: tuple[Quantity, ...]
) -> Outcome:
    method = comparison.method
    parts = method.components
    if parts is None:
        raise Missing(
            Reason.UNDECLARED_KEY, f"declare `{method.place.join('components')}`: {words}"
        )
    unsaid = next((part for part in parts if not part.kind.known), None)
    if unsaid is not None:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{unsaid.place.join('kind')}`: {words}")
    part = next((part for part in parts if part.kind.value == "module"), None)
    if part is None:
        return Cleared(
            message=f"{words}, and what is offered is no module",
            seen=seen,
            limit="would have seen a module that is offered and is not in the network",
        )
    if (elsewhere := _elsewhere(comparison, functions)) is not None:
        return Undetermined(
            message=f"{words}; but {elsewhere}",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"is `{part.name.get('')}` a part of that? `kind: recipe` says so",
            seen=seen,
        )
    return Flagged(
        message=f"{words}; `{part.name.get('')}`, which is offered as a module, is not in it",
        kind=Kind.MISMATCH,
        severity=Severity.MAJOR,
        seen=seen,
        at=part.place,
        fix=FIX,
    )


def _elsewhere(comparison: Comparison, functions: Functions) -> str | None:
    """Return where a module could be that is not in the trained network."""
    method, baseline = comparison.method, comparison.baseline
    if {one.name.get("") for one in method.losses or ()} != {
        one.name.get("") for one in baseline.losses or ()
    }:
        return "their losses are stated to differ"
    if method.distillation.teacher.known != baseline.distillation.teacher.known:
        return "one of them has a teacher"
    sums = [functions.summed(one, comparison.dataset) for one in (method, baseline)]
    if (method.losses is None or baseline.losses is None) and sums[0] != sums[1]:
        return "their losses are sums of different numbers of terms"
    ours, theirs = (functions.evaluated(one, comparison.dataset) for one in (method, baseline))
    return "their evaluations call different modules" if ours != theirs else None


# References


def _references(comparison: Comparison, functions: Functions, within: float) -> Iterator[Outcome]:
    if not functions.is_first(comparison):
        return
    for one in functions.claims.artifact.related_code:
        if not one.entry.known:
            continue
        found = functions.numbers.get((comparison.method.id, one.entry.value))
        if found is None or found.same(within) is None:
            why = f": {found.why}" if found is not None and found.why else ""
            yield Undetermined(
                message=f"`{comparison.method.id}` was not held against `{one.entry.value}`{why}",
                reason=Reason.NOT_OBSERVED,
                would_decide=f"`{comparison.method.model.entry.path}` and its `input_shape`, and an"
                " entry that builds the reference without arguments",
            )
            continue
        yield _reference(comparison.method, one, found, within)


def _reference(method: Method, of: RelatedCode, found: Sameness, within: float) -> Outcome:
    seen, same = of_numbers(found), bool(found.same(within))
    words = f"`{method.id}` and `{of.entry.value}` {_agree(found, same=same)}"
    if not same:
        return Cleared(message=words, seen=seen, limit=LIMIT)
    new = [part for part in method.components or () if part.claimed_novel.get(False)]
    if of.cited.undeclared:
        return Undetermined(
            message=f"{words}; is it cited?",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"declare `{of.place.join('cited')}`",
            seen=seen,
        )
    cited = of.cited.get(False)
    if cited and not new:
        return Cleared(
            message=f"{words}; it is cited, and nothing is called new",
            seen=seen,
            limit="would have seen that it is not cited, or that a component is called new",
        )
    called = f", and `{new[0].name.get('')}` is called new" if new else ""
    return Flagged(
        message=f"{words}; it is {'cited' if cited else 'not cited'}{called}",
        kind=Kind.MISMATCH if new else Kind.OMISSION,
        severity=Severity.MINOR if cited else Severity.MAJOR,
        seen=seen,
        at=of.place,
        fix=FIX,
    )
