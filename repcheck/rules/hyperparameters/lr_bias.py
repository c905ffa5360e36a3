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
`optimizer.lr` of the baseline over `reference.lr` (what its own paper says): a factor of 2.00 or
more either way is major, unless the baseline's search had at least as many trials; where method
and baseline share rate and batch and a batch of its own paper would explain the factor, a person
has to look. More trials
for the method than for the baseline (`tuning.trials`) are minor up to a factor 2.00, else major.
Without any of this, a higher rate for the method with the same optimizer, not explained by the
batch size, is minor and a lower one a note. Tuning that is declared nowhere is never itself a
finding. Two sides of the rate that differ are a mismatch of this rule.

## How to fix
Tune both with the same trials on the same grid, select on validation data, and publish the sweep.

## Source
Trick 2.2 of the hzwer list: raise one's own learning rate a little, lower the baseline's.
"""

from __future__ import annotations

import math

from repcheck.budget import figure
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.recipe import equal, tuned_alike
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


@rule("RC202", Severity.MAJOR)
def check(comparison: Comparison, *, factor: float = 2.0) -> Answer:
    if found := mismatches(comparison, keys=("optimizer.lr",)):
        return found
    held_back = [_off_reference(comparison, factor), _more_trials(comparison, factor)]
    if flagged := [finding for finding in held_back if isinstance(finding, Flagged)]:
        return contribution(comparison, "optimizer.lr", "tuning") or flagged
    if held_back[0] is not None:
        return held_back[0]
    return _rates(comparison)


def _off_reference(comparison: Comparison, factor: float) -> Flagged | Undetermined | None:
    baseline = comparison.baseline
    used, own = baseline.optimizer.lr, baseline.reference.lr
    if not (used.known and own.known) or not used.value or not own.value:
        return None
    ratio = used.value / own.value
    if max(ratio, 1 / ratio) < factor or tuned_alike(comparison):
        return None
    words = f"`{baseline.id}` runs at learning rate {used}, its own paper at {own} ({times(ratio)})"
    seen = (
        Quantity.declared(f"{baseline.id}.lr", used),
        Quantity.declared(f"{baseline.id}.reference.lr", own),
    )
    if (batch := _batch_that_explains(comparison, ratio)) is not None:
        return Undetermined(
            message=f"{words}; that is the same rate if its own paper has batches of {batch}",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"the batch size in the paper of `{baseline.id}`: a rate scaled with the "
            "batch is the same rate",
            seen=seen,
        )
    return Flagged(
        message=words,
        kind=Kind.ASYMMETRY,
        seen=seen,
        at=used.place,
        disclosed=used.disclosure.in_paper,
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


def _rates(comparison: Comparison) -> Outcome:
    ours, theirs = comparison.method, comparison.baseline
    mine, other = ours.optimizer.lr, theirs.optimizer.lr
    seen = (
        Quantity.declared(f"{ours.id}.lr", mine),
        Quantity.declared(f"{theirs.id}.lr", other),
    )
    words = f"`{ours.id}` runs at learning rate {mine} and `{theirs.id}` at {other}"
    if equal(mine, other):
        return Cleared(message=words, seen=seen, limit="any difference")
    if tuned_alike(comparison):
        trials = theirs.tuning.trials
        return Cleared(
            message=f"{words}, each tuned with {trials} trials", seen=seen, limit="fewer trials"
        )
    own = theirs.reference.lr
    if own.known and equal(other, own):
        return Cleared(message=f"{words}, its own paper's rate", seen=seen, limit="another rate")
    kinds = (ours.optimizer.type.value, theirs.optimizer.type.value)
    if kinds[0].lower() != kinds[1].lower():
        raise Missing(
            Reason.UNDECLARED_KEY,
            f"declare `{theirs.tuning.trials.path}`: rates of {kinds[0]} and {kinds[1]} are not "
            "comparable as numbers",
        )
    if _scaled_with_batch(comparison):
        return Cleared(message=f"{words}, in proportion to the batch", seen=seen, limit="2 % off")
    if exempt := contribution(comparison, "optimizer.lr"):
        return exempt
    if other.value > mine.value:
        return conservative(words, seen, mine.place)
    return Flagged(
        message=f"{words} ({times(mine.value / other.value) if other.value else 'untrained'}), "
        "with no equal search stated",
        kind=Kind.ASYMMETRY,
        severity=Severity.MINOR,
        seen=seen,
        at=mine.place,
    )


def _scaled_with_batch(comparison: Comparison) -> bool:
    """Return whether the rates stand like the batch sizes, or like their square roots."""
    ours, theirs = comparison.method, comparison.baseline
    sizes = (ours.train.batch_size, theirs.train.batch_size)
    if not all(size.known for size in sizes) or not theirs.optimizer.lr.value:
        return False
    rates = ours.optimizer.lr.value / theirs.optimizer.lr.value
    batch = sizes[0].value / sizes[1].value
    return batch != 1 and any(math.isclose(rates, b, rel_tol=0.02) for b in (batch, batch**0.5))
