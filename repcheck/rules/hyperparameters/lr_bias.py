"""The baseline runs at another learning rate than its own paper's, or was tuned less.

## What it catches
A baseline held back by its learning rate: far from what its own authors use, or found with fewer
trials than the proposed method's.

## When it is legitimate
Different rates are fine when both were tuned alike (as many trials on the same search), or when
the baseline runs at its own paper's rate. Rates of different optimizers are not comparable, and a
rate scaled with the batch is the same rate. A method whose learning rate is the contribution says
so (`attributed_to: [optimizer.lr]`).

## How it is decided
The rate of each is the highest one that a rerun showed, else `optimizer.lr`. The baseline's over
`reference.lr` (what its own paper says): a factor of 2.00 or more either way is major, unless the
baseline's search had at least as many trials; where method and baseline share rate and batch and a
batch of its own paper would explain the factor, a person has to look. More trials for the method
than for the baseline (`tuning.trials`) are minor up to a factor 2.00, else major. Without any of
this, a higher rate for the method with the same optimizer, not explained by the batch size, is
minor (major from a factor 2.00 if one side does not state its rate and a rerun showed it) and a
lower one a note. Tuning that is declared nowhere is never itself a finding. Two sides of the rate
that differ are a mismatch of this rule.

## How to fix
Tune both with the same trials on the same grid, select on validation data, and publish the sweep.

## Source
Trick 2.2 of the hzwer list: raise one's own learning rate a little, lower the baseline's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from repcheck.budget import figure
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.recipe import equal, same_words, tuned_alike
from repcheck.facts.schedule import Trace, Traces
from repcheck.finding import conservative, contribution, mismatches, times
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

BETWEEN = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A method's peak learning rate: as a rerun showed it, else as stated.

    `moves` says that a schedule moves it, so that its peak may lie between two steps.
    """

    value: float
    text: str
    kind: str
    batch: float
    stated: bool
    seen: Quantity
    moves: bool = False


@rule("RC202", Severity.MAJOR, factors=("optimizer.lr",))
def check(comparison: Comparison, traces: Traces, *, factor: float = 2.0) -> Answer:
    if found := mismatches(comparison, keys=("optimizer.lr",)):
        return found
    rates = [_rate(m, comparison, traces) for m in (comparison.method, comparison.baseline)]
    held_back = [_off_reference(comparison, rates, factor), _more_trials(comparison, factor)]
    if flagged := [finding for finding in held_back if isinstance(finding, Flagged)]:
        return contribution(comparison, "optimizer.lr", "tuning") or flagged
    if held_back[0] is not None:
        return held_back[0]
    return _rates(comparison, rates, factor)


def _rate(method: Method, comparison: Comparison, traces: Traces) -> Rate | None:
    """Return a method's rate, or nothing where it is neither seen nor stated."""
    stated = method.optimizer.lr
    try:
        trace = traces.of(method, comparison.dataset)
    except Missing:
        return _stated(method)
    optimizer = trace.optimizer
    if stated.known and optimizer.groups > 1 and not optimizer.no_decay_share:
        return _stated(method)
    return Rate(
        value=trace.peak,
        text=str(stated) if _one(stated, trace.peak) else f"{trace.peak:.6g}",
        kind=optimizer.cls,
        batch=_batch(method, trace),
        stated=not stated.undeclared,
        seen=trace.quantity("peak lr", trace.peak),
        moves=optimizer.distinct_lrs > 1,
    )


def _batch(method: Method, trace: Trace) -> float:
    seen = trace.run.observation
    batch = seen.training.batch if seen and seen.training else None
    return batch or float(method.train.batch_size.get(0))


def _one(stated: Stated[float], peak: float) -> bool:
    return stated.known and math.isclose(stated.value, peak, rel_tol=1e-6)


def _stated(method: Method) -> Rate | None:
    leaf = method.optimizer.lr
    if not leaf.known:
        return None
    return Rate(
        value=leaf.value,
        text=str(leaf),
        kind="",
        batch=float(method.train.batch_size.get(0)),
        stated=True,
        seen=Quantity.declared(f"{method.id}.lr", leaf),
    )


def _off_reference(
    comparison: Comparison, rates: list[Rate | None], factor: float
) -> Flagged | Undetermined | None:
    baseline, used = comparison.baseline, rates[1]
    own = baseline.reference.lr
    if used is None or not own.known or not used.value or not own.value:
        return None
    ratio = used.value / own.value
    if max(ratio, 1 / ratio) < factor or tuned_alike(comparison):
        return None
    words = (
        f"`{baseline.id}` runs at learning rate {used.text}, its own paper at {own} "
        f"({times(ratio)})"
    )
    seen = (used.seen, Quantity.declared(f"{baseline.id}.reference.lr", own))
    if (batch := _batch_that_explains(comparison, ratio)) is not None:
        return Undetermined(
            message=f"{words}; that is the same rate if its own paper has batches of {batch}",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"the batch size in the paper of `{baseline.id}`: a rate scaled with the "
            "batch is the same rate",
            seen=seen,
        )
    leaf = baseline.optimizer.lr
    return Flagged(
        message=words,
        kind=Kind.ASYMMETRY,
        seen=seen,
        at=leaf.place if leaf.known else own.place,
        disclosed=leaf.disclosure.in_paper,
    )


def _batch_that_explains(comparison: Comparison, ratio: float) -> int | None:
    """Return the batch at which its own paper's rate is this one, scaled linearly, if plausible.

    Only where method and baseline share rate and batch, so that nobody is favoured by the scaling.
    """
    ours, theirs = comparison.method, comparison.baseline
    sizes = [_samples_a_step(method) for method in (ours, theirs)]
    if not equal(ours.optimizer.lr, theirs.optimizer.lr) or sizes[0] != sizes[1] or not sizes[1]:
        return None
    batch = sizes[1] / ratio
    whole = round(batch)
    if whole < 1 or abs(batch - whole) > 1e-6 * batch:
        return None
    return whole


def _samples_a_step(method: Method) -> int:
    train = method.train
    return train.batch_size.get(0) * train.devices.get(1) * train.grad_accum.get(1)


def _more_trials(comparison: Comparison, factor: float) -> Flagged | None:
    ours, theirs = comparison.method.tuning, comparison.baseline.tuning
    if not ours.trials.known or not (theirs.trials.known or theirs.absent):
        return None
    mine, other = ours.trials.value, theirs.trials.get(0)
    if mine <= other:
        return None
    ratio = mine / other if other else math.inf
    return Flagged(
        message=f"`{comparison.method.id}` was tuned with {figure(mine)} trials and "
        f"`{comparison.baseline.id}` with {figure(other)}",
        kind=Kind.ASYMMETRY,
        severity=Severity.MAJOR if ratio > factor else Severity.MINOR,
        seen=(
            Quantity.declared(f"{comparison.method.id}.tuning.trials", ours.trials),
            Quantity(name=f"{comparison.baseline.id}.tuning.trials", value=other),
        ),
        at=ours.trials.place,
    )


def _rates(comparison: Comparison, rates: list[Rate | None], factor: float) -> Outcome:
    ours, theirs = comparison.method, comparison.baseline
    mine, other = rates
    if mine is None or other is None:
        silent = (ours if mine is None else theirs).optimizer.lr
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{silent.path}`")
    seen = (mine.seen, other.seen)
    words = f"`{ours.id}` runs at learning rate {mine.text} and `{theirs.id}` at {other.text}"
    if math.isclose(mine.value, other.value, rel_tol=1e-6):
        return Cleared(message=words, seen=seen, limit="any difference")
    if (mine.moves or other.moves) and math.isclose(mine.value, other.value, rel_tol=BETWEEN):
        return Cleared(message=words, seen=seen, limit=f"{BETWEEN:.0%}: a peak between two steps")
    if explained := _explained(comparison, mine, other):
        limit, why = explained
        return Cleared(message=f"{words}{why}", seen=seen, limit=limit)
    if not _one_kind(comparison, mine, other):
        raise Missing(
            Reason.UNDECLARED_KEY,
            f"declare `{theirs.tuning.trials.path}`: rates of {mine.kind or ours.optimizer.type} "
            f"and {other.kind or theirs.optimizer.type} are not comparable as numbers",
        )
    if exempt := contribution(comparison, "optimizer.lr"):
        return exempt
    place = ours.optimizer.lr.place
    if other.value > mine.value:
        return conservative(words, seen, place)
    ratio = mine.value / other.value if other.value else math.inf
    unsaid = not (mine.stated and other.stated)
    return Flagged(
        message=f"{words} ({times(ratio) if other.value else 'untrained'}), "
        "with no equal search stated",
        kind=Kind.ASYMMETRY,
        severity=Severity.MAJOR if unsaid and ratio >= factor else Severity.MINOR,
        seen=seen,
        at=place,
    )


def _explained(comparison: Comparison, mine: Rate, other: Rate) -> tuple[str, str] | None:
    """Return why rates may differ: what would not be seen, and the words for it."""
    if tuned_alike(comparison):
        trials = comparison.baseline.tuning.trials
        return "fewer trials", f", each tuned with {trials} trials"
    own = comparison.baseline.reference.lr
    if own.known and math.isclose(own.value, other.value, rel_tol=1e-6):
        return "another rate", ", its own paper's rate"
    if _one_kind(comparison, mine, other) and _scaled_with_batch(mine, other):
        return "2 % off", ", in proportion to the batch"
    return None


def _one_kind(comparison: Comparison, mine: Rate, other: Rate) -> bool:
    if mine.kind and other.kind:
        return same_words(mine.kind, other.kind)
    kinds = (comparison.method.optimizer.type.value, comparison.baseline.optimizer.type.value)
    return kinds[0].lower() == kinds[1].lower()


def _scaled_with_batch(mine: Rate, other: Rate) -> bool:
    """Return whether the rates stand like the batch sizes, or like their square roots."""
    if not (mine.batch and other.batch and other.value):
        return False
    rates, batch = mine.value / other.value, mine.batch / other.batch
    return batch != 1 and any(math.isclose(rates, b, rel_tol=0.02) for b in (batch, batch**0.5))
