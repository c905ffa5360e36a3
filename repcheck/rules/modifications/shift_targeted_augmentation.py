"""The method is trained on another augmentation than the baseline.

## What it catches
Transforms of the training set that the baseline does not get, above all such as mimic what sets
the test set apart: shifts, noise, colours, another mix of classes.

## When it is legitimate
The same augmentation for both, or an augmentation that is what the paper offers
(`attributed_to: [augmentation]`). More of it for the baseline is a note.

## How it is decided
By the lists that both state (`augmentation`). A transform, or a strength, that only the method has
is minor; major where the dataset's `known_shift` is stated, or it is tagged `ood`. What mixes or
smooths samples and their labels (mixup, cutmix) resembles no test set and is a note.

Where runs were seen, by what entered the models too: a classifier is trained to tell rows fed in
training from rows of the test set, for each side. It is major where it does so better for the
baseline by an AUC of 0.10 or more, both 95 % intervals apart, and the augmentation is asymmetric:
by the lists, or since rows of training were new in each epoch for the method and came again for the
baseline. On sklearn's digits (400 training, 1,000 test rows) the AUC was 0.52 as they are, 0.91
with the test set shifted by up to a pixel, and 0.49 with the training set shifted too. An
augmentation that brings nothing nearer to the test set stays minor. Rows are looked at on the CPU
alone, and differences of which a linear classifier on principal components and their squares sees
nothing are not found.

Where a list is missing and no such asymmetry was seen, nothing is said but whether rows of training
came again from epoch to epoch, or were new each time; that is an amount and no finding, since a
shuffled crop is as new as a shift aimed at the test set. What the transforms are worth is for an
arm to say: the baseline with the augmentation of the method, or the method without.

## How to fix
Give the baseline the same augmentation, or credit the augmentation with the gain.

## Source
Trick 3.6 of the hzwer list: augment the training set to fit the train-test difference; change the
training distribution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from repcheck.claims.comparison import Comparison, dataset_named
from repcheck.claims.model import Dataset, Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.feeds import Feeds, Nearness, augmented, kept, nearness
from repcheck.facts.network_words import words_of
from repcheck.facts.observed import Observed
from repcheck.facts.table import Table
from repcheck.finding import conservative, contribution, mismatches
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, Undetermined, rule

KEY = "augmentation"
LIMIT = "an AUC 0.10 apart, by a classifier on principal components and their squares"
MIXING = frozenset({"mixup", "cutmix", "labelsmoothing", "pseudolabels"})


@rule("RC306", Severity.MINOR, factors=(KEY, "train_distribution"))
def check(comparison: Comparison, table: Table, observed: Observed, feeds: Feeds) -> Answer:
    if found := mismatches(comparison, keys=(KEY,)):
        return found
    if exempt := contribution(comparison, KEY, "train_distribution"):
        return exempt
    pair = comparison.method, comparison.baseline
    near = nearness(comparison, feeds)
    unlike = near is not None and augmented(near.ours) and augmented(near.theirs) is False
    if near is not None and near.nearer and unlike:
        return _seen(comparison, near)
    if silent := [one.augmentation.path for one in pair if one.augmentation.undeclared]:
        return Undetermined(
            message="whether both are trained on the same augmentation cannot be told",
            reason=Reason.UNDECLARED_KEY,
            would_decide=" and ".join(f"declare `{path}`" for path in silent),
            seen=tuple(_new_rows(comparison, observed)),
        )
    ours, theirs = (Counter(transforms(one)) for one in pair)
    seen = tuple(_stated(one) for one in pair)
    more, less = list((ours - theirs).elements()), list((theirs - ours).elements())
    if not more and not less:
        words = f"`{pair[0].id}` and `{pair[1].id}` are stated as augmented alike"
        if near is None or near.nearer:
            return Cleared(message=words, seen=seen, limit="the stated lists")
        words += f", and neither is trained nearer to the test set ({near.words})"
        return Cleared(message=words, seen=near.quantities(), limit=LIMIT)
    if not more:
        words = f"only `{pair[1].id}` is trained with {_listed(less)}"
        return conservative(words, seen, pair[1].augmentation.place)
    return _flagged(comparison, table, (more, less), seen, near)


def transforms(method: Method) -> list[str]:
    """Return each stated transform as one text; whatever the order of its settings."""
    return [_text(one) for one in method.augmentation.get(())]


def _text(one: Any) -> str:  # noqa: ANN401 - whatever YAML holds
    if isinstance(one, dict):
        rest = [f"{key} {value}" for key, value in sorted(one.items()) if key != "name"]
        return " ".join([str(one.get("name", "")).strip(), *rest]).strip().lower()
    return str(one).strip().lower()


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _flagged(
    comparison: Comparison,
    table: Table,
    found: tuple[list[str], list[str]],
    seen: tuple[Quantity, ...],
    near: Nearness | None,
) -> Flagged:
    ours, theirs = comparison.method, comparison.baseline
    more, less = found
    beside = f"with {_listed(less)} instead" if less else "without"
    aimed = _aimed(dataset_named(table.claims, comparison.dataset), near)
    severity = Severity.MAJOR if aimed else Severity.MINOR
    if near is not None and not aimed:
        aimed = f"; the test set is as near to what either is trained on ({near.words})"
    leaf = ours.augmentation
    mixing = all(words_of(one.split(" ")[0]) & MIXING for one in more)
    return Flagged(
        message=f"`{ours.id}` is trained with {_listed(more)}, `{theirs.id}` {beside}{aimed}",
        kind=Kind.ASYMMETRY,
        severity=Severity.NOTE if mixing else severity,
        seen=(*seen, *(near.quantities() if near is not None else ())),
        at=leaf.place,
        disclosed=leaf.disclosure.in_paper,
    )


def _aimed(data: Dataset, near: Nearness | None) -> str:
    """Return why the augmentation meets a shift of the test set; "" where nothing says so."""
    if near is not None and near.nearer:
        return f"; the test set differs from the training set as fed ({near.words})"
    if data.known_shift.known:
        return f"; the test set of `{data.id}` is stated to differ: {data.known_shift}"
    if data.ood.get(False) or data.protocol.get("standard") == "ood":
        return f"; `{data.id}` is tagged as out of distribution"
    return ""


def _seen(comparison: Comparison, near: Nearness) -> Flagged:
    """Return that the method alone is trained on changed rows, and nearer to the test set."""
    leaf = comparison.method.augmentation
    ours, theirs = near.ours, near.theirs
    return Flagged(
        message=f"`{ours.method}` alone is trained on rows that are new in each epoch; the test set"
        f" differs from the training set as fed ({near.words})",
        kind=Kind.ASYMMETRY,
        severity=Severity.MAJOR,
        seen=(
            *near.quantities(),
            *(
                one.tested.quantity("different rows of training", kept(one))
                for one in (ours, theirs)
            ),
        ),
        at=comparison.place if leaf.undeclared else leaf.place,
        disclosed=leaf.disclosure.in_paper,
    )


def _stated(method: Method) -> Quantity:
    leaf = method.augmentation
    value = ", ".join(transforms(method)) or "none"
    return Quantity(name=f"{method.id}.{KEY}", value=value, source=str(leaf.place))


def _new_rows(comparison: Comparison, observed: Observed) -> Iterator[Quantity]:
    """Yield how many times a row of training came again, where its content was compared."""
    for method in (comparison.method, comparison.baseline):
        try:
            sight = observed.of(method, comparison.dataset)
            trainings = sight.trainings()
        except Missing:
            continue
        for run, training in trainings[:1]:
            if training.unique_by == "content" and training.unique and training.samples:
                times = round(training.samples / training.unique, 2)
                yield sight.quantity("draws of a row alike", times, "times", run)
