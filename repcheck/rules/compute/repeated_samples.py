"""The method draws each sample several times within what it calls an epoch.

## What it catches
Equally many epochs for both, but an epoch of the proposed method passes several times over the
data: `repeats: 3`, or more steps an epoch than the training set has batches.

## When it is legitimate
The baseline is given as many draws (as repeats or as epochs), or the repetition is what the paper
offers (`attributed_to: [train.repeats]`). Drawing with replacement, oversampling of rare classes
and gradient accumulation repeat nothing as long as an epoch has as many draws as the set has
samples.

## How it is decided
Draws per epoch = `repeats`, or steps_per_epoch x batch x devices x accumulated passes / U, where
one batch more or less is the last, partial batch. An epoch is one pass unless the file says
otherwise. After a rerun: S / (U x stated epochs) as counted, where it shows that samples were
repeated rather than more epochs trained (RC103b tells how). The finding is draws(method) / max(1,
draws(baseline)) above 1.05 (minor) or 1.25 (major), while the effective epochs in all are not
equal. Where the steps of an epoch match and only the batch is larger, the difference is RC101's.
Two sides of these keys that differ are a mismatch of this rule.

## How to fix
Report effective epochs (samples seen / training samples), and give the baseline as many draws.

## Source
Trick 1.3 of the hzwer list: same number of epochs, but each sample is used several times, quietly
passing over more data.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Train
from repcheck.errors import Missing, Reason
from repcheck.facts.work import Work, more_samples, through_batch
from repcheck.finding import conservative, contribution, graded, mismatches, times
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Severity, rule

KEYS = ("train.repeats", "train.steps_per_epoch")


@rule("RC103", Severity.MAJOR, factors=("train.repeats", "train.views", "samples"))
def check(
    comparison: Comparison, work: Work, *, minor: float = 1.05, major: float = 1.25
) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    ours, theirs = work.both(comparison)
    if ours.amount("length").unit != "epochs":
        return NotApplicable(message=f"`{ours.method}` states its length in no epochs")
    train = comparison.method.train
    if "draws" not in ours.budget.counted | ours.budget.mixed:
        _demand_draws(train)
    seen = (ours.quantity("draws"), theirs.quantity("draws"))
    mine, other = (float(quantity) for quantity in seen)
    if through_batch(ours, theirs, minor):
        return NotApplicable(message="the steps match; the batch makes the difference (RC101)")
    words = (
        f"in one stated epoch `{ours.method}` draws each sample {mine:.2f} times and "
        f"`{theirs.method}` {other:.2f} times ({times(mine / max(1.0, other))})"
    )
    at = (train.repeats if train.repeats.known else train.steps_per_epoch).place
    whole = more_samples(ours, theirs)
    if mine < other / minor and whole < 1 / minor:
        return conservative(words, seen, at)
    if mine <= minor * max(1.0, other) or whole <= minor:
        return Cleared(message=words, seen=seen, limit=f"would have seen {times(minor)}")
    if exempt := contribution(comparison, *KEYS):
        return exempt
    return Flagged(
        message=words,
        kind=Kind.ASYMMETRY,
        severity=graded(mine / max(1.0, other), minor, major),
        seen=seen,
        at=at,
    )


def _demand_draws(train: Train) -> None:
    if train.repeats.undeclared and not train.steps_per_epoch.known:
        what = f"declare `{train.repeats.path}` (or `{train.steps_per_epoch.path}`)"
        raise Missing(Reason.UNDECLARED_KEY, what)
