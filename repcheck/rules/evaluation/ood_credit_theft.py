"""Dropout or augmentation restores the points, and something else is credited with the gain.

## What it catches
A test set out of distribution on which the baseline drops; the method is trained with dropout or an
augmentation that the baseline has not, and the gain is booked to another component.

## When it is legitimate
Both are known remedies: where the baseline gets them too, or where they are what the paper credits
(`attributed_to: [augmentation]`, `components`).

## How it is decided
For claims of type `robustness`, and on datasets tagged `ood: true` or `protocol: ood`. Dropout is
what both state, else what the operations of both networks show (with its rate); augmentation is
what both state, else that rows of training were new in each epoch for the method and came again for
the baseline. Random numbers that the method's network alone mixes into its forward pass are a
remedy too; where the credited module draws them, a person has to say whether it is offered so. A
remedy of the method's alone beside an `attributed_to` that names something else is a major
asymmetry. Where `attributed_to` is missing, nobody is credited wrongly, and it is asked for. Where
it was seen, the finding says how well a classifier tells rows of training from those of the test
set for either side (two-sample AUC, as in RC306), and nothing is cleared unless that is alike too:
noise that is drawn where no probe looks (in C, on another device) is not found. What the remedies
are worth is for an arm to say: the baseline with them (`factor: dropout`, `factor:
augmentation+dropout`), or the method without.

## How to fix
Give the baseline the same dropout and augmentation, or credit them with the gain.

## Source
Trick 5.10 of the hzwer list: add real scenes and OOD samples; the baseline drops; restore points
with augmentation or dropout, credit the gain to something else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from repcheck.claims.comparison import Comparison, dataset_named
from repcheck.claims.model import Method, Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.feeds import Feeds, Nearness, augmented, kept, nearness
from repcheck.facts.network_words import words_of
from repcheck.facts.networks import Networks
from repcheck.facts.table import Table
from repcheck.finding import contribution
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
from repcheck.where import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One remedy beside the baseline's: in words, what it rests on, and where it is stated.

    `words` is "" where the method has no more of it than the baseline; `lacks` says what is not
    known of it.
    """

    name: str
    words: str = ""
    seen: tuple[Quantity, ...] = ()
    at: Where
    lacks: Missing | None = None


@rule("RC510", Severity.MAJOR, factors=("dropout", "augmentation+dropout"))
def check(comparison: Comparison, table: Table, networks: Networks, feeds: Feeds) -> Answer:
    why = _shifted(comparison, table)
    if not why:
        return NotApplicable(
            message="nothing is claimed of robustness, and the dataset is not tagged `ood`"
        )
    near = nearness(comparison, feeds)
    remedies = (
        _dropout(comparison, networks),
        _augmentation(comparison, near),
        _noise(comparison, networks),
    )
    used = [one for one in remedies if one.words]
    if used and (exempt := contribution(comparison, *(one.name for one in used))):
        return exempt
    if not used:
        return _none_of_them(comparison, remedies, networks, near)
    seen = tuple(quantity for one in used for quantity in one.seen)
    seen += near.quantities() if near is not None else ()
    ours, theirs = comparison.method.id, comparison.baseline.id
    words = (
        f"{why}: `{ours}` is trained with {' and '.join(one.words for one in used)}, `{theirs}`"
        " is not"
    )
    words += f" ({near.words})" if near is not None else ""
    credited = [name for claim in comparison.claims for name in claim.attributed_to.get(())]
    if not credited:
        paths = " and ".join(f"declare `{one.attributed_to.path}`" for one in comparison.claims)
        return Undetermined(
            message=f"{words}; what the gain is credited to is not stated",
            reason=Reason.UNDECLARED_KEY,
            would_decide=paths,
            seen=seen,
        )
    listed = ", ".join(f"`{name}`" for name in dict.fromkeys(credited))
    if all(one.name == "noise" for one in used) and _draws(comparison, networks, credited):
        return Undetermined(
            message=f"{words}; they are drawn within {listed}, which is credited",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"is {listed} offered as something that draws random numbers?",
            seen=seen,
        )
    return Flagged(
        message=f"{words}; the gain is credited to {listed}",
        kind=Kind.ASYMMETRY,
        seen=seen,
        at=used[0].at,
    )


def _shifted(comparison: Comparison, table: Table) -> str:
    """Return in words why robustness is in question; "" where it is not."""
    data = dataset_named(table.claims, comparison.dataset)
    if data.ood.get(False) or data.protocol.get("standard") == "ood":
        return f"`{data.id}` is out of distribution"
    if any(claim.kind == "robustness" for claim in comparison.claims):
        return "robustness is claimed"
    return ""


def _none_of_them(
    comparison: Comparison,
    remedies: tuple[Remedy, ...],
    networks: Networks,
    near: Nearness | None,
) -> Answer:
    words = (
        f"`{comparison.method.id}` has neither dropout nor augmentation that"
        f" `{comparison.baseline.id}` has not"
    )
    if lacking := [one.lacks for one in remedies if one.lacks is not None]:
        raise Missing(lacking[0].reason, " and ".join(one.would_decide for one in lacking))
    if near is not None and near.nearer:
        return Undetermined(
            message=f"{words}, as stated; the method is trained nearer to the test set"
            f" ({near.words})",
            reason=Reason.CONFLICTING_EVIDENCE,
            would_decide=f"declare `{comparison.method.augmentation.path}` as the artifact has it",
            seen=near.quantities(),
        )
    seen = _drops_seen(comparison, networks)
    if near is None or not seen:
        stated = tuple(quantity for one in remedies for quantity in one.seen)
        limit = "what is stated of both, and one dropout of the network"
        return Cleared(message=words, seen=stated, limit=limit)
    return Cleared(
        message=f"{words}, and neither is trained nearer to the test set ({near.words})",
        seen=(*near.quantities(), *seen),
        limit="an AUC 0.10 apart, one dropout or one random number in the network's Python",
    )


def _drops_seen(comparison: Comparison, networks: Networks) -> tuple[Quantity, ...]:
    """Return the dropout of both networks as observed; nothing where they were not seen."""
    try:
        diff = networks.diff(comparison)
    except Missing:
        return ()
    pair = comparison.method, comparison.baseline
    return tuple(
        networks.source(one, "dropout", events.tally("dropout"), comparison.dataset)
        for one, events in zip(pair, (diff.ours, diff.theirs), strict=True)
    )


def _noise(comparison: Comparison, networks: Networks) -> Remedy:
    """Find random numbers that the method's network alone mixes into its forward pass."""
    pair = comparison.method, comparison.baseline
    try:
        ours, theirs = (networks.network(one, comparison.dataset) for one in pair)
    except Missing:
        return Remedy(name="noise", at=comparison.place)
    mine = [op.op for op in ours.ops if op.parts.get("by") == "chance"]
    if not mine or any(op.parts.get("by") == "chance" for op in theirs.ops):
        return Remedy(name="noise", at=comparison.place)
    listed = ", ".join(f"`{one}`" for one in dict.fromkeys(mine[:4]))
    return Remedy(
        name="noise",
        words=f"random numbers within its forward pass ({len(mine)} operations: {listed})",
        seen=(networks.source(pair[0], "operations by chance", len(mine), comparison.dataset),),
        at=comparison.method.place,
    )


def _draws(comparison: Comparison, networks: Networks, credited: list[str]) -> bool:
    """Return whether every random number is mixed in by a module that bears a credited name."""
    ops = networks.network(comparison.method, comparison.dataset).ops
    named = [words_of(name) for name in credited]
    drawn = [words_of(op.module) | words_of(op.cls) for op in ops if op.parts.get("by") == "chance"]
    return all(any(name and name <= words for name in named) for words in drawn)


def _quantity(method: Method, name: str, leaf: Stated[Any], value: str) -> Quantity:
    return Quantity(name=f"{method.id}.{name}", value=value, source=str(leaf.place))


def _dropout(comparison: Comparison, networks: Networks) -> Remedy:
    pair = comparison.method, comparison.baseline
    mine, other = (one.dropout for one in pair)
    if mine.undeclared or other.undeclared:
        return _seen_dropout(comparison, networks)
    rates = mine.get(0.0), other.get(0.0)
    seen = tuple(
        _quantity(one, "dropout", one.dropout, f"{rate:g}")
        for one, rate in zip(pair, rates, strict=True)
    )
    words = f"dropout {rates[0]:g}" if rates[0] > 0 and not rates[1] else ""
    return Remedy(name="dropout", words=words, seen=seen, at=mine.place)


def _seen_dropout(comparison: Comparison, networks: Networks) -> Remedy:
    pair = comparison.method, comparison.baseline
    leaf = comparison.method.dropout
    at = comparison.place if leaf.undeclared else leaf.place
    silent = [one.dropout.path for one in pair if one.dropout.undeclared]
    try:
        told = networks.told(comparison, "dropout")
        diff = networks.diff(comparison)
    except Missing as missing:
        keys = " and ".join(f"declare `{path}`" for path in silent)
        lacks = Missing(Reason.UNDECLARED_KEY, f"{keys}, or {missing.would_decide}")
        return Remedy(name="dropout", at=at, lacks=lacks)
    seen = tuple(
        networks.source(one, "dropout", events.tally("dropout"), comparison.dataset)
        for one, events in zip(pair, (diff.ours, diff.theirs), strict=True)
    )
    only = told is not None and told.standing != "note" and not diff.theirs.dropouts
    words = f"{diff.ours.tally('dropout')} in its network" if only else ""
    return Remedy(name="dropout", words=words, seen=seen, at=at)


def _augmentation(comparison: Comparison, near: Nearness | None) -> Remedy:
    pair = comparison.method, comparison.baseline
    mine, other = (one.augmentation for one in pair)
    if near is not None and augmented(near.ours) and augmented(near.theirs) is False:
        return Remedy(
            name="augmentation",
            words="augmentation (rows of training are new in each epoch)",
            seen=tuple(
                one.tested.quantity("different rows of training", kept(one))
                for one in (near.ours, near.theirs)
            ),
            at=comparison.place if mine.undeclared else mine.place,
        )
    if silent := [one.path for one in (mine, other) if one.undeclared]:
        keys = " and ".join(f"declare `{path}`" for path in silent)
        return Remedy(
            name="augmentation", at=mine.place, lacks=Missing(Reason.UNDECLARED_KEY, keys)
        )
    lists = [Counter(_names(one)) for one in pair]
    seen = tuple(
        _quantity(one, "augmentation", one.augmentation, ", ".join(names) or "none")
        for one, names in zip(pair, lists, strict=True)
    )
    more = ", ".join(f"`{name}`" for name in (lists[0] - lists[1]))
    words = f"augmentation ({more})" if more else ""
    return Remedy(name="augmentation", words=words, seen=seen, at=mine.place)


def _names(method: Method) -> list[str]:
    """Return the names of the stated transforms: their strength is for RC306."""
    stated = method.augmentation.get(())
    return [str(one.get("name", one) if isinstance(one, dict) else one).lower() for one in stated]
