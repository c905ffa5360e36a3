"""The first training loss is far from that of a guess.

## What it catches
A network that starts much worse than a guess (inputs or head badly scaled), or much better: it has
learnt before, from weights or data that nobody mentions.

## When it is legitimate
Pretrained weights that are stated; a bias that is set to the frequency of the classes; losses with
extra terms, which are not judged.

## How it is decided
The loss of the first training step of a rerun, where the kind of loss says what a guess costs:
cross-entropy among C classes ln C, binary cross-entropy ln 2. Above twice that is a note, below 0.7
times that is a note that points to RC406. Scaled losses, sums and squared errors are not judged.

## How to fix
Scale inputs and the last layer so that the first loss is that of a guess.

## Source
Karpathy's recipe for training neural networks: verify the loss at init.
"""

from __future__ import annotations

from math import isfinite
from statistics import median
from typing import TYPE_CHECKING

from repcheck.claims.model import Method
from repcheck.errors import Reason
from repcheck.facts.first_loss import Guess, guess
from repcheck.facts.observed import Observed
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

if TYPE_CHECKING:
    from repcheck.observation import Training


@rule("RC815", Severity.NOTE)
def check(method: Method, observed: Observed, *, low: float = 0.7, high: float = 2.0) -> Answer:
    if method.pretrained.declared or method.train.resumed_from.known:
        return NotApplicable(message=f"`{method.id}` is stated as starting from trained weights")
    sight = observed.of(method)
    first, run, all_ = sight.typical(_first, "the first loss")
    training = dict((r.key, t) for r, t in sight.trainings())[run.key]
    seen = sight.quantity("first loss", first, "nats", run)
    expected = guess(training)
    if expected is None:
        chain = ", ".join(training.first_loss_chain) or "unknown"
        return Undetermined(
            message=f"the first loss of `{method.id}` is {first:.3g}, of a kind ({chain}) whose "
            "guess is not known",
            reason=Reason.NOT_OBSERVED,
            would_decide="a person who knows what a guess costs in this loss",
            seen=seen,
        )
    words = _words(method, median(all_), expected)
    ratio = median(all_) / expected.value
    if low <= ratio <= high:
        limit = f"below {low:g} or above {high:g} times a guess"
        return Cleared(message=words, seen=seen, limit=limit)
    why = "it has learnt before (see RC406)" if ratio < low else "inputs or head are badly scaled"
    return Flagged(
        message=f"{words}: {why}",
        kind=Kind.UNSUPPORTED,
        severity=Severity.NOTE,
        seen=seen,
        at=method.place,
    )


def _first(training: Training) -> float | None:
    first = training.first_loss
    return first if first is not None and isfinite(first) else None


def _words(method: Method, first: float, expected: Guess) -> str:
    return (
        f"the first loss of `{method.id}` is {first:.3g}, that of a guess {expected.words} = "
        f"{expected.value:.2f}"
    )
