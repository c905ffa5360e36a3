"""Numbers in the code act on the training and are stated nowhere.

## What it catches
A factor of 0.173 before an auxiliary loss, a learning rate that falls to 0.31 of itself after epoch
7, a weight that is 1.43 on one dataset and 1 on the others: hyperparameters that no reader can see.

## When it is legitimate
Constants of nature and of habit (0, 1, 0.5, 10, 0.9, 0.999, an epsilon, the mean and the deviation
of ImageNet), shapes, sizes, indices and seeds are none. A number that stands in the claims file, in
a configuration of the artifact or as the default of an option is stated. Tests and plots do not
count.

## How it is decided
By the syntax of the Python files that the commands reach: literals (and names that are one
literal) that are a factor of a loss, are compared with an epoch, a step or a score, are given to an
optimizer or a schedule, or are called like a setting (temperature, clip, threshold, margin). Those
that depend on which dataset or sample it is come first and are minor; the others are a note, with
the text of a sweep that shows whether the gain rests on them (RC203b). Cleared is code that was
read in which every such number is stated somewhere: the value is looked for, not its meaning.

## How to fix
Move the numbers to the configuration, state them in the paper, and report how the result changes at
half and twice each.

## Source
hzwer 2.3
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.hidden_constants import HiddenConstants
from repcheck.rule import Answer, Cleared, Flagged, Kind, Outcome, Severity, Undetermined, rule
from repcheck.source_code.constants import Constant
from repcheck.where import Where

_MOST = 5


@rule("RC203", Severity.MINOR, worst=Severity.MINOR)
def check(claims: Claims, constants: HiddenConstants, *, most: int = _MOST) -> Answer:
    chosen = [one for one in constants.hidden if one.when]
    plain = [one for one in constants.hidden if not one.when]
    outcomes = [*_chosen(claims, constants, chosen, most), *_plain(claims, constants, plain, most)]
    if outcomes:
        return outcomes
    if constants.blind:
        what = constants.unread or "the commands name no Python file of the artifact"
        return Undetermined(
            message=f"which numbers stand in the code is not known: {what}",
            reason=Reason.NOT_OBSERVED,
            would_decide="the code that the commands start, as text in Python 3",
        )
    count = len(constants.found)
    told = f"every number that acts on the training ({count} in {_files(constants)}) is stated in "
    told += "the claims, a configuration or an option"
    if not count:
        told = f"no number that acts on the training stands in {_files(constants)}"
    return Cleared(
        message=told,
        seen=_seen(constants, ()),
        limit=_limit(constants),
    )


def _chosen(
    claims: Claims, found: HiddenConstants, chosen: Sequence[Constant], most: int
) -> Iterator[Outcome]:
    if chosen:
        yield Flagged(
            message=f"{_counted(chosen)} of the code, stated nowhere, "
            f"{'depends' if len(chosen) == 1 else 'depend'} on which dataset or sample it is: "
            f"{_places(chosen, most)}",
            kind=Kind.OMISSION,
            seen=_seen(found, chosen),
            at=_place(claims),
        )


def _plain(
    claims: Claims, found: HiddenConstants, plain: Sequence[Constant], most: int
) -> Iterator[Outcome]:
    if not plain:
        return
    yield Flagged(
        message=f"{_counted(plain)} of the code that {'acts' if len(plain) == 1 else 'act'} on the "
        f"training {'is' if len(plain) == 1 else 'are'} stated nowhere, of {len(found.found)} in "
        f"{_files(found)}: {_places(plain, most)}",
        kind=Kind.OMISSION,
        severity=Severity.NOTE,
        seen=_seen(found, plain),
        at=_place(claims),
    )
    yield Undetermined(
        message=f"whether the gain rests on {_counted(plain)} that no one states was not asked",
        reason=Reason.NEEDS_HUMAN,
        would_decide=f"how were they found, and on which split? {_sweep(plain, most)}",
        seen=_seen(found, plain),
    )


def _sweep(plain: Sequence[Constant], most: int) -> str:
    """Return the text that lets the numbers be rerun at half and at twice their value."""
    named: dict[str, Constant] = {}
    for one in plain[:most]:
        name = one.name
        while name in named:
            name += "_"
        named[name] = one
    ways = ", ".join(
        f'{name}: {{constant: "{one.edit}", from: {one.value:.10g}}}' for name, one in named.items()
    )
    return f"reruns at half and twice of each: `tuning: {{sweep: {{{ways}}}}}` under the method"


def _place(claims: Claims) -> Where:
    return claims.claims[0].place if claims.claims else claims.place


def _counted(found: Sequence[Constant]) -> str:
    return f"{len(found)} number" if len(found) == 1 else f"{len(found)} numbers"


def _files(found: HiddenConstants) -> str:
    return f"{found.files} file" if found.files == 1 else f"{found.files} files"


def _places(found: Sequence[Constant], most: int) -> str:
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return "; ".join(one.said() for one in found[:most]) + more


def _limit(found: HiddenConstants) -> str:
    said = "would have seen literals, not numbers that are computed or loaded, nor whether a value "
    said += "that is stated somewhere is meant for this place"
    return f"{said}; {found.unread}" if found.unread else said


def _seen(found: HiddenConstants, hidden: Sequence[Constant]) -> tuple[Quantity, ...]:
    return (
        Quantity(
            name=f"numbers stated nowhere, in {_files(found)}",
            value=len(hidden),
            level=Level.STATIC,
            source=hidden[0].where if hidden else "the artifact's files",
        ),
    )
