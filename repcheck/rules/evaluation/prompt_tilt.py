"""Two language models are asked in different ways, or told the answer.

## What it catches
More exemplars, chain of thought, more sampled answers or another decoding for the method than for
its baseline; other instructions around the same questions; hints of the right answer within the
prompts; exemplars that come from the test set.

## When it is legitimate
Each model's official chat markup, with the same content. A prompt that is the contribution
(`attributed_to: [prompt]`). Instructions that differ and that the
paper shows (`prompt.template` of each method) are a question for a person. Whatever favours the
baseline is a note. Options among which the answer stands are no hint.

## How it is decided
By the prompts as they were put: what transformers tokenised before it generated, or what the
function named in `prompt.call` was given. Markup aside, the exemplars in a prompt, the words around
the question, its length (1.2 times) and the answers asked for are held against each other. Answers:
where a place of the prompts is filled with their own right answer (`[cat: sport]`) more often than
with the answers dealt out anew (Fisher's exact test, p < 0.01), the method was told them, which is
critical; minor where the baseline is told as well. Without prompts that were seen the declared ones
are compared key by key; equal words only say that the authors say so.

## How to fix
Ask both with the same exemplars, samples and instructions, and publish the prompts.

## Source
Trick 5.8 of the hzwer list: for recent large language models, slip hints into the test prompt, or
compare few-shot with zero-shot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repcheck.claims.comparison import Comparison, dataset_named
from repcheck.claims.model import Method, Prompt
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.asked import Asked, Asking, Hint, more_words, reworded
from repcheck.facts.table import Table
from repcheck.finding import contribution
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
from repcheck.visible import line

LIMIT = (
    "prompts put elsewhere than where they were seen, hints that do not say the answer in its own"
    " word, and what a model was trained on"
)
OFFERED = ("prompt", "prompting", "prompt.shots", "prompt.template", "prompt.cot", "shots", "cot")
SHOWN = 160
SAMPLES = 10
"""Questions from which on a share of them says something."""


@rule("RC508", Severity.MAJOR, worst=Severity.CRITICAL, factors=("prompt",))
def check(
    comparison: Comparison, table: Table, asked: Asked, *, longer: float = 1.2, p: float = 0.01
) -> Answer:
    shared = dataset_named(table.claims, comparison.dataset).prompt
    ours, theirs = _prompt(comparison.method, shared), _prompt(comparison.baseline, shared)
    try:
        seen = tuple(
            asked.of(one, comparison.dataset) for one in (comparison.method, comparison.baseline)
        )
    except Missing as missing:
        return _declared(comparison, ours, theirs, shared, missing)
    declared = [*_leaks(comparison, ours, theirs), *_tilts(comparison, ours, theirs, shots=False)]
    told = _told(asked, seen, p)
    tilts = [*_unequal(seen, longer), *_around(seen, ours, theirs)]
    leaks = [*_leaks(comparison, ours, theirs), *_overlap(seen)]
    exempt = contribution(comparison, *OFFERED)
    if exempt is not None and tilts:
        return [exempt, *leaks, told]
    found = [*declared, *tilts, *_overlap(seen)]
    return [*(found or [_same(seen)]), told]


def _prompt(method: Method, shared: Prompt) -> Prompt:
    return shared if method.prompt.undeclared else method.prompt


# --- as the prompts were seen -------------------------------------------------------------------


def _unequal(seen: tuple[Asking, ...], longer: float) -> Iterator[Flagged]:
    ours, theirs = seen
    a, b = ours.seen, theirs.seen
    if a.shots != b.shots:
        yield _flag(seen, "exemplars in a prompt", (a.shots, b.shots))
    if a.samples != b.samples:
        pair = (a.samples, b.samples)
        yield _flag(seen, "answers asked for each question", pair)
    if a.shots == b.shots and max(a.words, b.words) > longer * min(a.words, b.words):
        yield _flag(seen, "words in a prompt", (a.words, b.words))


def _flag(seen: tuple[Asking, ...], what: str, values: tuple[float, float]) -> Flagged:
    ours, theirs = seen
    said = [f"{value:g} for `{one.sight.method}`" for value, one in zip(values, seen, strict=True)]
    return Flagged(
        message=f"{what}: {said[0]}, {said[1]} (medians of {ours.seen.count} and"
        f" {theirs.seen.count} prompts)",
        kind=Kind.ASYMMETRY,
        severity=Severity.MAJOR if values[0] > values[1] else Severity.NOTE,
        seen=tuple(one.quantity(what, value) for value, one in zip(values, seen, strict=True)),
    )


def _around(seen: tuple[Asking, ...], ours: Prompt, theirs: Prompt) -> Iterator[Outcome]:
    """Yield what is said around the questions, and what of the questions differs."""
    mine, others = more_words(seen[0].seen, seen[1].seen)
    names = [one.sight.method for one in seen]
    quantities = tuple(
        one.quantity("words around a question", _cut(f"{one.seen.prefix} {one.seen.suffix}"))
        for one in seen
    )
    if mine or others:
        parts = [
            f"`{name}` alone is told “{_cut(said)}”"
            for name, said in zip(names, (mine, others), strict=True)
            if said
        ]
        words = f"the words around the question differ: {' and '.join(parts)}"
        a, b = ours.template, theirs.template
        shown = a.known and b.known and a.value != b.value
        bare = not (seen[1].seen.prefix or seen[1].seen.suffix)
        if bare:
            words = f"{words}; the prompts of `{names[1]}` have no words in common"
        if mine and (shown or bare):
            compared = f"{a} with {b}" if shown else "the prompts of both"
            yield Undetermined(
                message=words,
                reason=Reason.NEEDS_HUMAN,
                would_decide=f"a person who compares {compared}: is it each model's own form, or"
                " help?",
                seen=quantities,
            )
        else:
            yield Flagged(
                message=words,
                kind=Kind.ASYMMETRY,
                severity=Severity.MAJOR if mine else Severity.NOTE,
                seen=quantities,
            )
    if mine:
        return
    odd, count = reworded(seen[0].seen, seen[1].seen)
    if odd and count >= SAMPLES:
        yield Flagged(
            message=f"{odd} of {count} questions are put to `{names[0]}` in other words than to"
            f" `{names[1]}`, with the same beginning or the same end",
            kind=Kind.ASYMMETRY,
            seen=(
                seen[0].quantity("questions in other words", odd),
                seen[1].quantity("questions", count),
            ),
        )


def _overlap(seen: tuple[Asking, ...]) -> Iterator[Flagged]:
    ours, theirs = (one.seen for one in seen)
    if ours.exemplars_asked and ours.exemplars_asked >= 0.1 * ours.exemplars:
        both = theirs.exemplars_asked >= ours.exemplars_asked
        yield Flagged(
            message=f"{ours.exemplars_asked} of the {ours.exemplars} exemplars of"
            f" `{seen[0].sight.method}` are questions that it is asked itself"
            f" ({theirs.exemplars_asked} of {theirs.exemplars} for `{seen[1].sight.method}`)",
            kind=Kind.ASYMMETRY,
            severity=Severity.MINOR if both else Severity.MAJOR,
            seen=seen[0].quantity("exemplars that are test questions", ours.exemplars_asked),
            fix="Take the exemplars from the training set.",
        )


def _told(asked: Asked, seen: tuple[Asking, ...], p: float) -> Outcome:
    """Return whether the prompts hold the answers that they ask for."""
    name = seen[0].sight.method
    try:
        hints = asked.hints(seen[0])
        others = asked.hints(seen[1])
    except Missing as missing:
        return Undetermined(
            message=f"whether the prompts of `{name}` hold their own answers was not looked at",
            reason=missing.reason,
            would_decide=missing.would_decide,
        )
    best, other = _best(hints), _best(others)
    count = seen[0].seen.kept
    if best is None or best.p >= p:
        return Cleared(
            message=f"no place of the {count} prompts of `{name}` is filled with their own answers",
            seen=seen[0].quantity("prompts that hold their own answer", best.own if best else 0),
            limit="answers that are not said in their own word, in fewer than 3 prompts, or among"
            " options",
        )
    both = other is not None and other.p < p
    theirs = other.own if other is not None and both else 0
    return Flagged(
        message=f"{best.own} of {best.n} prompts of `{name}` hold their own answer"
        f" (“{_cut(best.place)}”), {best.chance:.1f} would by chance (Fisher, p = {best.p:.1g}); of"
        f" `{seen[1].sight.method}` {theirs}",
        kind=Kind.ASYMMETRY,
        severity=Severity.MINOR if both else Severity.CRITICAL,
        seen=(
            seen[0].quantity("prompts that hold their own answer", best.own),
            seen[1].quantity("prompts that hold their own answer", theirs),
        ),
        fix="Take out of the prompts whatever is made from the answers.",
    )


def _best(hints: list[Hint]) -> Hint | None:
    return min(hints, key=lambda one: (one.p, -one.own), default=None)


def _same(seen: tuple[Asking, ...]) -> Cleared:
    ours, theirs = (one.seen for one in seen)
    return Cleared(
        message=f"both are asked in the same way: {ours.shots} exemplars, {ours.words:g} and"
        f" {theirs.words:g} words in a prompt, the same words around the question"
        f" ({ours.count} and {theirs.count} prompts)",
        seen=tuple(one.quantity("exemplars in a prompt", one.seen.shots) for one in seen),
        limit=LIMIT,
    )


def _cut(text: str) -> str:
    said = line(text)
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}..."


# --- as declared --------------------------------------------------------------------------------


def _declared(
    comparison: Comparison, ours: Prompt, theirs: Prompt, shared: Prompt, missing: Missing
) -> Answer:
    if ours.absent or theirs.absent:
        return NotApplicable(message="no prompts: not a language model")
    for prompt in (ours, theirs):
        if prompt.undeclared:
            raise Missing(
                Reason.UNDECLARED_KEY,
                f"declare `{shared.place.path}` (`n/a` where nothing is asked)",
            )
    found: list[Outcome] = [*_leaks(comparison, ours, theirs), *_tilts(comparison, ours, theirs)]
    if ours.call.known or theirs.call.known:
        found.append(
            Undetermined(
                message=f"how they are asked was not seen: {missing.would_decide}",
                reason=missing.reason,
                would_decide=missing.would_decide,
            )
        )
    return found or _alike(ours, theirs)


def _leaks(comparison: Comparison, ours: Prompt, theirs: Prompt) -> Iterator[Flagged]:
    leaf = ours.exemplars_from
    if leaf.known and leaf.value.casefold() == "test":
        both = theirs.exemplars_from.get("").casefold() == "test"
        yield Flagged(
            message=f"the exemplars of {comparison.method.id} come from the test set",
            kind=Kind.ASYMMETRY,
            severity=Severity.MINOR if both else Severity.MAJOR,
            seen=Quantity(name="exemplars from", value=leaf.value, source=str(leaf.place)),
            at=leaf.place,
        )


def _tilts(
    comparison: Comparison, ours: Prompt, theirs: Prompt, *, shots: bool = True
) -> Iterator[Flagged]:
    grows: tuple[tuple[str, Stated[Any], Stated[Any], Severity], ...] = (
        ("exemplars", ours.shots, theirs.shots, Severity.MAJOR),
        ("chain of thought", ours.cot, theirs.cot, Severity.MAJOR),
        ("sampled answers", ours.decoding.n, theirs.decoding.n, Severity.MAJOR),
        ("answer tokens", ours.decoding.max_tokens, theirs.decoding.max_tokens, Severity.MINOR),
    )
    for what, a, b, severity in grows[0 if shots else 1 :]:
        if a.known and b.known and a.value != b.value:
            yield _tilt(comparison, what, (a, b), severity if a.value > b.value else Severity.NOTE)
    for what, a, b in (
        ("temperature", ours.decoding.temperature, theirs.decoding.temperature),
        ("top-p", ours.decoding.top_p, theirs.decoding.top_p),
    ):
        if a.known and b.known and a.value != b.value:
            yield _tilt(comparison, what, (a, b), Severity.MINOR)


def _tilt(
    comparison: Comparison, what: str, pair: tuple[Stated[Any], Stated[Any]], severity: Severity
) -> Flagged:
    a, b = pair
    return Flagged(
        message=f"{what}: {a} for {comparison.method.id}, {b} for {comparison.baseline.id}",
        kind=Kind.ASYMMETRY,
        severity=severity,
        seen=(
            Quantity(name=f"{what} of {comparison.method.id}", value=a.value, source=str(a.place)),
            Quantity(
                name=f"{what} of {comparison.baseline.id}", value=b.value, source=str(b.place)
            ),
        ),
        at=a.place,
    )


def _alike(ours: Prompt, theirs: Prompt) -> Answer:
    for key in ("template", "system"):
        a, b = getattr(ours, key), getattr(theirs, key)
        if a.known and b.known and a.value != b.value:
            return Undetermined(
                message=f"the {key} of the two prompts differs ({a} and {b})",
                reason=Reason.NEEDS_HUMAN,
                would_decide=f"a person who compares {a} with {b}: is it markup, or help?",
            )
    if ours is not theirs:
        for leaf in (ours.shots, theirs.shots, ours.template, theirs.template):
            leaf.value  # noqa: B018  (raises with the key that is missing)
    source = str(ours.place)
    return Cleared(
        message="both are asked in the same way",
        seen=Quantity(name="exemplars", value=ours.shots.value, source=source),
        limit="the authors' words",
    )
