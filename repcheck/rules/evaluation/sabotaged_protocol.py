"""A baseline scores less here than in its own paper.

## What it catches
A rerun baseline whose value lies below what its own authors published for the same metric and
definition: wrong channel order or normalisation, dropout left on, an unofficial script. And a
baseline that is trained on one form of the input and tested on another, where the method is not:
channels reversed, another normalisation, dropout that stays active.

## When it is legitimate
Another amount of data, another dataset version, noise between seeds. A baseline trained and tested
in the same odd form (BGR with BGR) is sound, and so is a stress test that hits both methods.
Augmentation widens what is trained on and moves its mean a little; it is no mismatch.

## How it is decided
Declared numbers: the rerun's row against `reference.published`, only where both state the same
`definition` and the data are the standard ones. The margin is the larger of the printed digits and
twice the row's spread. A gap of a quarter of the claimed gain or more is major.

Observed: what the baseline's model is fed in its test, beside what it was trained on. Channels that
fit the means of training twice as well in another order, a mean more than 0.25 standard deviations
away (three standard errors of the sample added), or a range and a spread that are both other by
more than a factor of 2 and of 1.5 are a mismatch; it is major where the method's own input is not
off alike. Where both are evaluated on inputs alike, the baseline's other mean is minor (its
training may be what differs), another range around the same mean is nothing (augmentation widens
it), and a stated shift of the test set explains either. A baseline alone in training mode, with
dropout or batch normalisation in its network, is major. Not seen: channels of equal means in
another order, those of images that are fed flat, what happens within the model, and what is fed on
another device than the CPU.

Where a mismatch is seen and a change of the test input would undo it, two arms make it for the
baseline and, as a control, for the method, and train nothing otherwise. The baseline higher by more
than three standard errors and a quarter of the claimed gain, the method by no more than the margin:
major. Otherwise the mismatch is shown to be harmless, and is minor.

## How to fix
Use the baseline's official evaluation, and explain every rerun that is lower than published.

## Source
Trick 5.3 of the hzwer list: deliberately mismatch the test procedure and others' training regime so
the baseline is low, e.g. reverse RGB channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Dataset, InputForm, Method, Published, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.feeds import Feeds
from repcheck.facts.rescued import Rescued
from repcheck.facts.table import Table, printed
from repcheck.finding import mismatches
from repcheck.protocol_seen import protocol_seen
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

_RERUN = frozenset({"ours-rerun", "retrained-by-us"})
KEYS = tuple(
    f"input.{name}"
    for name in (
        "shape", "channel_order", "colour_space", "value_range", "normalisation", "resolution",
        "interpolation",
    )
)  # fmt: skip
_OTHER_DATA = frozenset({"low-data", "new", "ood"})


@rule("RC503", Severity.MAJOR, factors=("eval",))
def check(
    comparison: Comparison, table: Table, feeds: Feeds, rescued: Rescued, *, share: float = 0.25
) -> Answer:
    seen = protocol_seen(comparison, table.claims, feeds, rescued)
    found = [*_two_forms(comparison, table), *_two_sides(comparison, table)]
    found += [one for one in seen if isinstance(one, Flagged)]
    doubts = [one for one in seen if isinstance(one, Undetermined)]
    if found:
        return [*found, *doubts]
    rested = [one for one in seen if isinstance(one, Cleared)]
    if not (rested or doubts):
        return _by_numbers(comparison, table, share)
    worse, unheld = _if_known(comparison, table, share)
    if doubts or worse:
        return [*doubts, *worse]
    return [replace(one, limit=f"{one.limit}{unheld}") for one in rested]


def _if_known(comparison: Comparison, table: Table, share: float) -> tuple[list[Flagged], str]:
    """Return what the declared numbers show beside what was seen, or why they show nothing."""
    try:
        found = _by_numbers(comparison, table, share)
    except Missing as missing:
        return [], f"; its score was not held against its own paper's: {missing.would_decide}"
    every = found if isinstance(found, list) else [found]
    return [one for one in every if isinstance(one, Flagged)], ""


def _by_numbers(comparison: Comparison, table: Table, share: float) -> list[Outcome] | Outcome:
    baseline = comparison.baseline
    dataset = table.claims.datasets.get(comparison.dataset)
    if dataset is not None and dataset.protocol.get("standard") in _OTHER_DATA:
        return NotApplicable(message="the data are not those of the baseline's own paper")
    if baseline.train.subset.known:
        return NotApplicable(message="the baseline trains on a part of the data")
    if not baseline.reference.published:
        key = baseline.reference.place.join("published")
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{key}` (what the baseline's paper reports)")
    return [
        _beside_own_paper(comparison, table, metric, published, share)
        for metric, published in baseline.reference.published.items()
    ]


def _beside_own_paper(
    comparison: Comparison, table: Table, metric: str, published: Published, share: float
) -> Outcome:
    baseline = comparison.baseline
    row = table.row(baseline.id, comparison.dataset, metric)
    source = row.source.kind if row.source.kind.known else baseline.source.kind
    if source.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{row.source.place.path}`")
    if source.value not in _RERUN:
        return NotApplicable(message=f"the baseline's {metric} was not rerun")
    measure = table.claims.metrics[metric]
    if measure.definition.value.casefold() != published.definition.value.casefold():
        return NotApplicable(message=f"the published {metric} has another definition")
    sign = 1 if measure.higher_is_better.value else -1
    theirs, here = printed(published.value), printed(row.centre)
    gap = sign * float(theirs.value - here.value)
    seen = (
        Quantity.declared(f"published {metric}", published.value),
        Quantity.declared(f"rerun {metric}", row.centre),
    )
    margin = float(theirs.unit + here.unit) / 2
    if gap > margin:
        margin = max(margin, 2 * row.std.value)
    if gap <= margin:
        words = f"{baseline.id} reaches its published {theirs.text} ({here.text})"
        return Cleared(message=words, seen=seen, limit=f"would have seen {margin:.3g} less")
    big = gap >= share * _claimed(comparison, table, metric, row)
    return Flagged(
        message=f"{baseline.id} is rerun at {here.text}, its own paper reports {theirs.text} "
        f"for the same metric ({gap:.3g} better)",
        kind=Kind.MISMATCH,
        severity=Severity.MAJOR if big else Severity.MINOR,
        seen=seen,
        at=row.centre.place,
    )


def _claimed(comparison: Comparison, table: Table, metric: str, theirs: Result) -> float:
    """Return the gain in question: that of the two rows, else the claimed one."""
    for row in table.rows(comparison.method.id, comparison.dataset, metric):
        if row.centre.known:
            return abs(row.centre.value - theirs.centre.value)
    gains = [c.improvement.value for c in comparison.claims if c.improvement.known]
    return max(gains, default=0.0)


def _forms(table: Table, method: Method, dataset: str) -> tuple[Dataset, Dataset] | None:
    """Return what a method is trained and tested on, where these are two entries."""
    tested = table.claims.datasets.get(dataset)
    trained = table.claims.datasets.get(method.train_data.get(dataset))
    return (trained, tested) if trained and tested and trained is not tested else None


def _differences(trained: InputForm, tested: InputForm) -> Iterator[str]:
    for key in ("channel_order", "colour_space", "value_range", "normalisation"):
        a, b = getattr(trained, key), getattr(tested, key)
        if a.known and b.known and a.value != b.value:
            yield f"{key.replace('_', ' ')} {a} and {b}"


def _two_forms(comparison: Comparison, table: Table) -> Iterator[Flagged]:
    """Find a baseline alone that meets at the test what it never saw in training."""
    pair = _forms(table, comparison.baseline, comparison.dataset)
    if pair is None:
        return
    own = _forms(table, comparison.method, comparison.dataset)
    hit_too = set(_differences(own[0].input, own[1].input)) if own else set()
    for words in _differences(pair[0].input, pair[1].input):
        if words not in hit_too:
            place = comparison.baseline.train_data.place
            yield Flagged(
                message=f"{comparison.baseline.id} is trained and tested with different {words}; "
                f"{comparison.method.id} is not",
                kind=Kind.ASYMMETRY,
                seen=Quantity(name="input in training and test", value=words, source=str(place)),
                at=place,
            )


def _two_sides(comparison: Comparison, table: Table) -> Iterator[Flagged]:
    """Find input forms of which the paper says one thing and the artifact another."""
    dataset = table.claims.datasets.get(comparison.dataset)
    if dataset is None:
        return
    for flagged in mismatches(dataset, keys=KEYS):
        yield replace(flagged, severity=Severity.MINOR)
