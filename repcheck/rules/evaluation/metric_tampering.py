"""Rows of one table follow different definitions of the metric.

## What it catches
A copied baseline whose own paper defines the metric otherwise (PSNR on RGB beside PSNR on Y, micro
beside macro F1), one method read at its best epoch and the other at its last, a definition in the
paper that the artifact contradicts; an evaluation that computes the metric otherwise for the method
than for the baseline, or on fewer test examples.

## When it is legitimate
A new metric beside the standard one, with one definition for every row. Different files or key
names for the same quantity are no finding, nor is a difference that favours the baseline (a note).

## How it is decided
Declared words: `metrics.M.definition` against `reference.published.M.definition` of each copied row
(where one only says more than the other, a person has to look); the part after `@` of the two
readers; the two sides of a long form. After runs, from the prediction files of both methods
(`eval.predictions`, or `results[].predictions` for the printed rows): accuracy and balanced
accuracy, the four averages of F1, PSNR on RGB and on Y, cut by the declared border or not, of each
image or of all, are recomputed. It is shown where the method's values are, to half a last digit in
every run, those of one definition and the baseline's only those of another; major where the printed
gain exceeds that under both. A definition that contradicts the declared one in both methods is
minor. Test examples that the baseline's file has and the method's has not are major where they are
5 % or the baseline, too, gains a quarter of the claimed gain without them, else minor. Where the
method's file has examples that the baseline's has not (others, or by other names), or a run left no
file, nothing is cleared.

## How to fix
Evaluate all rows with one script and one definition on all test examples, and state it.

## Source
hzwer 5.4
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method, Metric
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.evaluated import Evaluated, Side, Sides
from repcheck.facts.protocols import words
from repcheck.facts.table import Table
from repcheck.finding import mismatches
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

_COPIED = frozenset({"copied-from-paper", "copied", "third-party"})
_BEST = frozenset({"max", "min"})
_ALIKE = {"luminance": "y", "luma": "y", "colour": "rgb", "color": "rgb", "averaged": "mean",
          "average": "mean", "avg": "mean", "ap": "map", "acc": "accuracy"}  # fmt: skip
_FILLERS = frozenset({
    "a", "an", "the", "on", "in", "of", "over", "for", "with", "at", "as", "only", "is", "and",
    "channel", "channels", "ycbcr", "space", "computed", "measured", "score", "standard", "all",
})  # fmt: skip
KEYS = (
    "unit", "definition", "average", "n_test", "aggregation", "implementation", "computed_on",
    "colour_channel", "crop_border", "data_range", "top_k", "higher_is_better",
)  # fmt: skip


@rule("RC504", Severity.MAJOR)
def check(
    comparison: Comparison, table: Table, evaluated: Evaluated, *, many: float = 0.05
) -> Answer:
    names = {c.metric.value for c in comparison.claims if c.metric.known}
    if not names and len(table.claims.metrics) == 1:
        names = set(table.claims.metrics)
    metrics = [table.claims.metrics[name] for name in sorted(names) if name in table.claims.metrics]
    if not metrics:
        return NotApplicable(message="the comparison names no metric")
    found = [flag for metric in metrics for flag in _findings(comparison, metric)]
    both = {metric.id: evaluated.sides(comparison, metric) for metric in metrics}
    found += [flag for metric in metrics for flag in _measured(comparison, metric, both, many)]
    return found or [_answer(comparison, table, metric, both[metric.id]) for metric in metrics]


def _answer(comparison: Comparison, table: Table, metric: Metric, sides: list[Sides]) -> Outcome:
    shared = [one for one in sides if one.shared]
    source = _source(comparison, table, metric)
    if shared and (why := _not_all(comparison, metric, sides)):
        return Undetermined(
            message=f"{metric.id} is {words(shared[0].shared[0])} of the predictions that were"
            f" read of both methods; {why}",
            reason=Reason.CONFLICTING_EVIDENCE,
            would_decide=f"predictions of every run, of exactly what `{metric.id}` is of, with the"
            " same `index` for the same test example",
            seen=_recomputed(shared[0], (shared[0].shared[0], shared[0].shared[0])),
        )
    if shared and len(shared) == len(sides) and source.get("copied") not in _COPIED:
        return _same(comparison, metric, shared)
    odd = [side for one in sides for side in (one.ours, one.theirs) if not side.matches]
    if odd:
        return _unmatched(metric, odd)
    return _definitions(comparison, table, metric)


def _not_all(comparison: Comparison, metric: Metric, sides: list[Sides]) -> str:
    """Return why one definition for what was read does not show one for all; "" where it does."""
    for one in sides:
        for side in (one.ours, one.theirs):
            if side.lacking:
                runs = f"{side.lacking} of {side.lacking + len(side.files)} runs"
                return f"{runs} of {side.method} left no predictions that can be used"
        if one.strange:
            return (
                f"the files of {comparison.method.id} have examples by names that those of"
                f" {comparison.baseline.id} have not: whether both are of one test set is not known"
            )
        if not one.declared:
            return f"what is declared of {metric.id} is no definition that was tried"
    return ""


def _unmatched(metric: Metric, odd: list[Side]) -> Undetermined:
    given = ", ".join(f"{words(name)} {value:.5g}" for name, value in odd[0].means.items())
    return Undetermined(
        message=f"{metric.id} of {odd[0].method} ({odd[0].number()}) is under no definition that "
        f"was tried what its predictions give ({given})",
        reason=Reason.CONFLICTING_EVIDENCE,
        would_decide=f"the definition of `{metric.id}` (channel, border, average), and predictions "
        "of exactly what it is of",
        seen=odd[0].quantity(f"{odd[0].method}.{metric.id}", odd[0].value),
    )


def _source(comparison: Comparison, table: Table, metric: Metric) -> Stated[Any]:
    """Return where the baseline's row comes from."""
    baseline = comparison.baseline
    rows = table.rows(baseline.id, comparison.dataset, metric.id)
    kinds = [row.source.kind for row in rows if row.source.kind.known]
    return kinds[0] if kinds else baseline.source.kind


def _findings(comparison: Comparison, metric: Metric) -> Iterator[Flagged]:
    ours, theirs = _reader(comparison.method, metric), _reader(comparison.baseline, metric)
    a, b = ours.rpartition("@")[2], theirs.rpartition("@")[2]
    if ours and theirs and a != b and {a, b} & _BEST:
        place = comparison.method.read.get(metric.id, metric.from_).place
        yield Flagged(
            message=f"{metric.id} of {comparison.method.id} is read at {_words(ours)}, that of "
            f"{comparison.baseline.id} at {_words(theirs)}",
            kind=Kind.ASYMMETRY,
            seen=Quantity(name=f"reader of {metric.id}", value=ours, source=str(place)),
            at=place,
        )
    yield from mismatches(metric, keys=KEYS)


def _reader(method: Method, metric: Metric) -> str:
    return method.read.get(metric.id, metric.from_).get("")


def _words(reader: str) -> str:
    how = reader.rpartition("@")[2] if "@" in reader else "last"
    return {"max": "its highest", "min": "its lowest", "last": "its last"}.get(how, how)


def _definitions(comparison: Comparison, table: Table, metric: Metric) -> Outcome:
    """Compare the definition of the table with that of the paper a row was copied from."""
    baseline = comparison.baseline
    source = _source(comparison, table, metric)
    seen = _quantity(metric.id, metric.definition)
    if source.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{baseline.source.place.path}`")
    if source.value not in _COPIED:
        return Cleared(
            message=f"{metric.id} has one definition, and {baseline.id} was run here",
            seen=seen,
            limit="the authors' words",
        )
    published = baseline.reference.published.get(metric.id)
    if published is None:
        key = baseline.reference.place.join("published")
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{key}.{metric.id}.definition`")
    theirs = published.definition
    if theirs.value.casefold() == metric.definition.value.casefold():
        words = f"{metric.id} is {theirs} in both papers"
        return Cleared(message=words, seen=seen, limit="the authors' words")
    if not _contradict(metric.definition.value, theirs.value):
        return Undetermined(
            message=f"{metric.id} is worded otherwise in the paper of {baseline.id}: "
            f"{metric.definition} here, {theirs} there",
            reason=Reason.NEEDS_HUMAN,
            would_decide="a person who reads both definitions, and writes the same words for one",
            seen=(seen, _quantity(baseline.id, theirs)),
        )
    return Flagged(
        message=f"{metric.id} is {metric.definition} in this table, and {baseline.id}'s copied "
        f"value is {theirs}",
        kind=Kind.ASYMMETRY,
        seen=(seen, _quantity(baseline.id, theirs)),
        at=theirs.place,
    )


def _contradict(ours: str, theirs: str) -> bool:
    """Return whether each definition says something that the other does not.

    Fillers do not count, nor do two words for one thing; where one definition only says more than
    the other, or both say the same in other words, nothing is contradicted.
    """
    mine, other = (
        {_ALIKE.get(word, word) for word in re.findall(r"[^\W_]+", text.casefold())} - _FILLERS
        for text in (ours, theirs)
    )
    return bool(mine - other) and bool(other - mine)


def _quantity(name: str, leaf: Stated[str]) -> Quantity:
    return Quantity(name=f"definition of {name}", value=leaf.value, source=str(leaf.place))


# --- from predictions ---------------------------------------------------------------------------


def _measured(
    comparison: Comparison, metric: Metric, both: dict[str, list[Sides]], many: float
) -> Iterator[Flagged]:
    for sides in both[metric.id]:
        if sides.ours.matches and sides.theirs.matches and not sides.shared:
            yield _otherwise(comparison, metric, sides)
        elif sides.shared and sides.declared and not set(sides.shared) & set(sides.declared):
            yield _undeclared(comparison, metric, sides)
        if sides.dropped:
            yield _fewer(comparison, metric, sides, many)


def _otherwise(comparison: Comparison, metric: Metric, sides: Sides) -> Flagged:
    """Say that each method's values are those of a definition of its own."""
    ours, theirs = sides.ours.matches[0], sides.theirs.matches[0]
    gains = [sides.gain(name) for name in (ours, theirs)]
    printed = sides.printed_gain
    known = [gain for gain in gains if gain is not None]
    severity = Severity.NOTE if known and printed <= min(known) else Severity.MINOR
    if known and printed > max(known):
        severity = Severity.MAJOR
    under = "; ".join(
        f"{words(name)} of both: {sides.shown(name)}"
        for name, gain in zip((ours, theirs), gains, strict=True)
        if gain is not None
    )
    return Flagged(
        message=f"{metric.id} of {comparison.method.id} ({sides.ours.number()}) is {words(ours)} of"
        f" its predictions, that of {comparison.baseline.id} ({sides.theirs.number()}) is "
        f"{words(theirs)}; {under} ({sides.sizes})",
        kind=Kind.ASYMMETRY,
        severity=severity,
        seen=_recomputed(sides, (ours, theirs)),
        at=comparison.place,
        fix=f"Compute {metric.id} of both methods with one function, and state which.",
    )


def _undeclared(comparison: Comparison, metric: Metric, sides: Sides) -> Flagged:
    name = sides.shared[0]
    stated = words(sides.declared[0])
    return Flagged(
        message=f"{metric.id} is declared as {stated} and is {words(name)} of the predictions, of "
        f"{comparison.method.id} ({sides.ours.number()}) and of {comparison.baseline.id} "
        f"({sides.theirs.number()}) alike; as declared: {sides.shown(sides.declared[0])} "
        f"({sides.sizes})",
        kind=Kind.MISMATCH,
        severity=Severity.MINOR,
        seen=_recomputed(sides, (name, name)),
        at=metric.place,
        fix=f"State what is computed in `metrics.{metric.id}`, or compute what is stated.",
    )


def _fewer(comparison: Comparison, metric: Metric, sides: Sides, many: float) -> Flagged:
    """Say that the method was evaluated on fewer examples than the baseline."""
    count, of = sides.dropped, sides.theirs.n
    ease, gain = sides.ease, sides.printed_gain
    heavy = count >= many * of or (ease is not None and ease > 0 and ease >= gain / 4)
    helped = "" if ease is None else f"; without them {comparison.baseline.id} gains {ease:.2g} too"
    return Flagged(
        message=f"{metric.id} of {comparison.method.id} is of {sides.ours.n} of the {of} test "
        f"examples that {comparison.baseline.id} is evaluated on: {count} are missing{helped} "
        f"(printed gain {gain:.3g})",
        kind=Kind.ASYMMETRY,
        severity=Severity.MAJOR if heavy else Severity.MINOR,
        seen=(
            sides.theirs.quantity(f"{comparison.baseline.id}.examples evaluated", of),
            sides.ours.quantity(f"{comparison.method.id}.examples evaluated", sides.ours.n),
        ),
        at=comparison.place,
        fix="Evaluate both methods on all test examples; count what gives no answer as wrong.",
    )


def _same(comparison: Comparison, metric: Metric, sides: list[Sides]) -> Cleared:
    one = sides[0]
    apart = ", ".join(words(name) for name in one.told_apart)
    return Cleared(
        message=f"{metric.id} is {words(one.shared[0])} of the predictions of both methods: "
        f"{one.ours.number()} of {comparison.method.id} and {one.theirs.number()} of "
        f"{comparison.baseline.id} ({one.sizes})",
        seen=_recomputed(one, (one.shared[0], one.shared[0])),
        limit="would have seen another definition for one of them"
        + (f" ({apart})" if apart else ", as far as the numbers differ")
        + ", and test examples that one of them lacks; not predictions that were changed",
    )


def _recomputed(sides: Sides, names: tuple[str, str]) -> tuple[Quantity, ...]:
    pairs = zip((sides.ours, sides.theirs), names, strict=True)
    return tuple(
        Quantity(
            name=f"{side.method}.{words(name)}",
            value=side.means[name],
            level=Level.FORENSIC,
            source=side.source,
        )
        for side, name in pairs
    )
