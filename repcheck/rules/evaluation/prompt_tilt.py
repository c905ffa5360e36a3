"""Two language models are asked in different ways.

## What it catches
More exemplars, chain of thought, more sampled answers or another decoding for the method than for
its baseline; exemplars that come from the test set.

## When it is legitimate
Each model's official chat markup, with the same content: a difference in the template alone is a
question for a person. Whatever favours the baseline is a note.

## How it is decided
The declared prompt of the dataset, or of each method where it has its own, key by key. Equal words
only say that the authors say so; a key that one side leaves out decides nothing.

## How to fix
Ask both with the same exemplars, samples and instructions, and publish the prompts.

## Source
hzwer 5.8
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from repcheck.claims.comparison import Comparison, dataset_named
from repcheck.claims.model import Method, Prompt
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.table import Table
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


@rule("RC508", Severity.MAJOR)
def check(comparison: Comparison, table: Table) -> Answer:
    shared = dataset_named(table.claims, comparison.dataset).prompt
    ours, theirs = _prompt(comparison.method, shared), _prompt(comparison.baseline, shared)
    if ours.absent or theirs.absent:
        return NotApplicable(message="no prompts: not a language model")
    for prompt in (ours, theirs):
        if prompt.undeclared:
            raise Missing(
                Reason.UNDECLARED_KEY,
                f"declare `{shared.place.path}` (`n/a` where nothing is asked)",
            )
    found = [*_leaks(comparison, ours, theirs), *_tilts(comparison, ours, theirs)]
    return found or _alike(ours, theirs)


def _prompt(method: Method, shared: Prompt) -> Prompt:
    return shared if method.prompt.undeclared else method.prompt


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


def _tilts(comparison: Comparison, ours: Prompt, theirs: Prompt) -> Iterator[Flagged]:
    grows: tuple[tuple[str, Stated[Any], Stated[Any], Severity], ...] = (
        ("exemplars", ours.shots, theirs.shots, Severity.MAJOR),
        ("chain of thought", ours.cot, theirs.cot, Severity.MAJOR),
        ("sampled answers", ours.decoding.n, theirs.decoding.n, Severity.MAJOR),
        ("answer tokens", ours.decoding.max_tokens, theirs.decoding.max_tokens, Severity.MINOR),
    )
    for what, a, b, severity in grows:
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
