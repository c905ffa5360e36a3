"""A searched architecture is no better than random ones, or what the search took is not told.

## What it catches
An architecture search on top of a method: a gain that any network of the space has, a search that
looked at the test set, a cost that nobody counts.

## When it is legitimate
A search on validation data with its space, trials and cost, and a control: networks drawn at random
from the same space and trained alike. A published architecture that is used as it is, is no search.

## How it is decided
`search.split: test` is major in the authors' own words. The control is an arm of the method
(`factor: search, kind: swap`) that trains a network drawn at random with each seed. A 90 % interval
of the difference within the margin (a quarter of the claimed gain, or the tolerance where that is
more, at most half the gain) is major; a 95 % interval above zero clears the search. Trials, cost
and split that are stated as `none` beside a search are an omission; left out of the file, they are
asked for. Searches of hyperparameters alone (`kind: hpo`) are no concern of this rule.

## How to fix
Add the random control and the whole cost of the search; rank by validation data.

## Source
Trick 4.5 of the hzwer list: extend further, add a NAS.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.ablated import not_run, said_of, standing
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method, State
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.network_words import words_of
from repcheck.facts.worth import Worths
from repcheck.rule import (
    Answer,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Severity,
    Undetermined,
    rule,
)

FIX = "Report networks drawn at random from the same space, trained alike."
KEYS = ("space", "trials", "gpu_hours", "split")
WORDS = frozenset({"nas", "darts", "enas", "autosearch"})


@rule("RC405", Severity.MAJOR, part=Part.EFFECT, factors=("search",))
def check(comparison: Comparison, worths: Worths) -> Answer:
    method = comparison.method
    if not method.search.declared:
        return _no_search(method)
    if method.search.kind.get("nas") == "hpo":
        return NotApplicable(message=f"`{method.id}` states a search of hyperparameters alone")
    answers: list[Outcome] = [*_on_test(comparison), *_untold(method)]
    for arm in worths.of(comparison, "search"):
        part = "the network that the search chose (random ones of its space in its place)"
        at = method.search.place
        answers.append(said_of(standing(arm), part, severity=Severity.MAJOR, at=at, fix=FIX))
    answers += not_run(worths.refused(comparison, "search"))
    asked = worths.of(comparison, "search") or [*worths.refused(comparison, "search")]
    if not asked and not worths.elsewhere(comparison, "search"):
        answers.append(_no_control(method))
    return answers


def _no_search(method: Method) -> NotApplicable:
    parts = [part.name.get("") for part in method.components or ()]
    searched = [name for name in parts if words_of(name) & WORDS]
    if method.search.absent and searched:
        raise Missing(
            Reason.CONFLICTING_EVIDENCE,
            f"say in `{method.search.place.path}` who searched for `{searched[0]}`: it is stated as"
            " no search, and its name as one",
        )
    if method.search.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{method.search.place.path}`")
    return NotApplicable(message=f"`{method.id}` is stated as not searched for")


def _on_test(comparison: Comparison) -> Iterator[Flagged]:
    leaf, other = comparison.method.search.split, comparison.baseline.search.split
    if leaf.get("").casefold() == "test":
        both = other.get("").casefold() == "test"
        yield Flagged(
            message=f"the search of `{comparison.method.id}` ranks its trials by the test set"
            + (f", as does that of `{comparison.baseline.id}`" if both else ""),
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR,
            seen=Quantity(name="search.split", value=leaf.value, source=str(leaf.place)),
            at=leaf.place,
            fix="Rank the trials by validation data, and look at the test set once.",
        )


def _untold(method: Method) -> Iterator[Outcome]:
    """Yield what is stated as not told of the search, and what the file leaves out."""
    leaves = {key: getattr(method.search, key) for key in KEYS}
    hidden = [key for key, leaf in leaves.items() if leaf.state is State.NONE]
    if hidden:
        at = leaves[hidden[0]].place
        yield Flagged(
            message=f"`{method.id}` states a search and that its {' and '.join(hidden)} are not"
            " given",
            kind=Kind.OMISSION,
            severity=Severity.MINOR,
            seen=Quantity(name=f"search.{hidden[0]}", value="none", source=str(at)),
            at=at,
            fix="State the space, the trials, the cost and the split of the search.",
        )
    if silent := [leaf.path for leaf in leaves.values() if leaf.undeclared]:
        yield Undetermined(
            message=f"`{method.id}` is searched for; what that took is not stated",
            reason=Reason.UNDECLARED_KEY,
            would_decide=" and ".join(f"declare `{path}`" for path in silent),
        )


def _no_control(method: Method) -> Undetermined:
    return Undetermined(
        message=f"no arm trains networks drawn at random from the space of `{method.id}`",
        reason=Reason.NOT_OBSERVED,
        would_decide=f"`arms: [{{id: {method.id}-random, of: {method.id}, factor: search, kind:"
        " swap, override: {...}}]`, with an override that draws the network by the seed",
    )
