"""What the rules on small modifications say alike of a difference between two networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repcheck.claims.comparison import Comparison
from repcheck.finding import conservative, mismatches
from repcheck.rule import Cleared, Flagged, Kind, NotApplicable, Outcome, Seen
from repcheck.where import Where

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.facts.networks import Networks, Told
    from repcheck.model_diff import Category


def modified(
    comparison: Comparison,
    networks: Networks,
    category: Category,
    limit: str,
    *,
    stated: bool = True,
) -> list[Outcome]:
    """Return what is to be said of one category; a key whose two sides differ comes first.

    Raises:
        Missing: if the networks were not seen, or are too different for their parts to be held
            against each other.
    """
    if stated and (found := mismatches(comparison, keys=(category,))):
        return list(found)
    if comparison.contributes(category):
        return [NotApplicable(message=f"`{category}` is the declared contribution")]
    told = networks.told(comparison, category)
    return _answers(comparison, networks, category, told, limit)


def _answers(
    comparison: Comparison, networks: Networks, category: Category, told: Told | None, limit: str
) -> list[Outcome]:
    ours, theirs = comparison.method.id, comparison.baseline.id
    seen = _seen(comparison, networks, category)
    if told is None:
        words = f"the networks of `{ours}` and `{theirs}` are alike in this"
        return [Cleared(message=words, seen=seen, limit=limit)]
    words = f"`{ours}` beside `{theirs}`: {_words(told)}"
    if told.standing == "contribution":
        return [NotApplicable(message=f"{words}, which is a part of the declared contribution")]
    if told.standing == "note":
        note = conservative(words, seen, _place(comparison, category))
        alike = f"`{ours}` has nothing of it that `{theirs}` has not"
        return [note, Cleared(message=alike, seen=seen, limit=limit)]
    return [
        Flagged(
            message=f"{words}, {_how(told)}",
            kind=_kind(told),
            seen=seen,
            at=_place(comparison, category),
        )
    ]


def _kind(told: Told) -> Kind:
    if told.contradicts:
        return Kind.MISMATCH
    return Kind.ASYMMETRY if told.said else Kind.OMISSION


def _how(told: Told) -> str:
    if told.contradicts:
        return "which is not what is declared"
    if told.standing == "declared":
        return "as declared: the baseline did not get the same"
    return "which is not declared of the baseline" if told.said else "which is not declared"


def _words(told: Told) -> str:
    difference = told.difference
    if difference.params > 0:
        added = f" (+{difference.params:,} parameters)".replace(",", " ")
    else:
        added = ""
    more = len(difference.positions) - len(difference.places)
    where = ", ".join(dict.fromkeys(f"`{place}`" for place in difference.places))
    return f"{difference.words}{added}, in {where}{f' and {more} more' if more > 0 else ''}"


def _place(comparison: Comparison, category: Category) -> Where:
    leaf = getattr(comparison.method, category)
    place: Where = leaf.place
    return place


def _seen(comparison: Comparison, networks: Networks, category: Category) -> Seen:
    both = []
    diff = networks.diff(comparison)
    for method, events in ((comparison.method, diff.ours), (comparison.baseline, diff.theirs)):
        value = events.tally(category)
        both.append(networks.source(method, category, value, comparison.dataset))
    return tuple(both)
