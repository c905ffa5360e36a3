"""The method trains longer than the baseline, in whatever unit it is written.

## What it catches
More training for the proposed method: more epochs, or a length in iterations beside a baseline's
in epochs, so that nobody sees at a glance that 360 iterations are 30 epochs and the baseline has
10.

## When it is legitimate
Both lengths are stated in one unit and the longer training is what the paper offers
(`attributed_to: [train.epochs]`); or the baseline was trained as long. Iterations for one and
epochs for the other are fine where they come to the same number of samples.

## How it is decided
Both lengths are converted into samples S and effective epochs S / U (U: different training
samples); after a rerun, all three as they were counted. The finding is a ratio above 1.05 (minor)
or 1.25 (major) in the method's favour; where the training sets differ, in samples and in epochs
both. The larger batch at equal iterations is left to RC101, repeats within an epoch to
RC103, so that each is found once. Two sides of a length (paper and artifact) that differ are a
mismatch of this rule. A training that resumes from a checkpoint has a past that its length does not
tell.

## How to fix
Give both lengths in epochs and in steps, and train the baseline as long as the method, with its
schedule stretched to the new length.

## Source
Trick 1.2 of the hzwer list: train more epochs without saying so; report length in iterations when
others use epochs, so that the mismatch cannot be seen at a glance.
"""

from __future__ import annotations

from repcheck.budget import LENGTHS
from repcheck.claims.comparison import Comparison
from repcheck.errors import Reason
from repcheck.fact import Quantity
from repcheck.facts.work import Seen, Unit, Work, assumed, more_samples, through_batch
from repcheck.finding import conservative, contribution, graded, mismatches, times
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Severity,
    Undetermined,
    rule,
)  # fmt: skip

KEYS = tuple(f"train.{unit}" for unit in LENGTHS)


@rule(
    "RC102",
    Severity.MAJOR,
    factors=("samples", "steps", "train.epochs", "train.iterations", "train.samples"),
)
def check(
    comparison: Comparison, work: Work, *, minor: float = 1.05, major: float = 1.25
) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    ours, theirs = work.both(comparison)
    whole = more_samples(ours, theirs)
    if through_batch(ours, theirs, minor):
        return NotApplicable(message="the batch makes the difference, not the length (RC101)")
    longer, seen = whole / _repeats(ours), _seen(ours, theirs)
    words = _words(ours, theirs, longer)
    if whole < 1 / minor:
        return conservative(words, seen, ours.amount("length").place)
    if longer <= minor < whole:
        return NotApplicable(message="the stated epochs match; repeats within them do not (RC103)")
    if whole <= minor:
        return _unless_resumed(comparison, words, seen, minor)
    if exempt := contribution(comparison, *KEYS):
        return exempt
    return Flagged(
        message=words,
        kind=Kind.ASYMMETRY,
        severity=graded(longer, minor, major),
        seen=seen,
        at=ours.amount("length").place,
        disclosed=ours.amount("length").disclosed,
    )


def _repeats(ours: Seen) -> float:
    """Return the part of the ratio that repeats within a stated epoch make (RC103's)."""
    in_epochs = ours.amount("length").unit == "epochs" and ours.has("draws")
    return ours.value("draws") if in_epochs else 1.0


def _seen(ours: Seen, theirs: Seen) -> tuple[Quantity, ...]:
    units: tuple[Unit, ...] = ("length", "samples", "epochs")
    return tuple(
        side.quantity(unit)
        for unit in units
        for side in (ours, theirs)
        if ours.has(unit) and theirs.has(unit)
    )


def _words(ours: Seen, theirs: Seen, longer: float) -> str:
    mine, other = ours.amount("length"), theirs.amount("length")
    start = f"`{ours.method}` trains {mine} and `{theirs.method}` {other}"
    samples = _pair(ours, theirs, "samples", "{:,.0f} vs {:,.0f} samples")
    epochs = _pair(ours, theirs, "epochs", "{:,.1f} vs {:,.1f} epochs")
    if mine.unit == other.unit:
        converted = epochs if mine.unit == "iterations" and epochs else samples
        return f"{start} ({times(longer)}{'; ' if converted else ''}{converted})"
    sizes = [side.amount("samples") for side in (ours, theirs) if side.has("samples")]
    more = f"; {samples}" if samples and epochs else ""
    return (
        f"{start}: in one unit {epochs or samples} ({times(longer)}{more}; the unit changes from "
        f"{other.unit} to {mine.unit}{assumed(*sizes)})"
    )


def _pair(ours: Seen, theirs: Seen, unit: Unit, form: str) -> str:
    if not (ours.has(unit) and theirs.has(unit)):
        return ""
    return form.format(ours.value(unit), theirs.value(unit))


def _unless_resumed(
    comparison: Comparison, words: str, seen: tuple[Quantity, ...], minor: float
) -> Cleared | Undetermined:
    mine, other = comparison.method.train.resumed_from, comparison.baseline.train.resumed_from
    if mine.known and not other.known:
        return Undetermined(
            message=f"`{comparison.method.id}` resumes from {mine}, whose training is not stated",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"count the training behind `{mine.path}` in `train.epochs`",
            seen=seen,
        )
    return Cleared(message=words, seen=seen, limit=f"would have seen {times(minor)}")
