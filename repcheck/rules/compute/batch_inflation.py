"""At the same number of iterations, the method sees more samples in each.

## What it catches
Two methods are compared after equally many iterations, but one step of the proposed method takes
more samples: a larger batch, more devices, or more accumulated passes. Iterations match; the data
seen and the compute do not.

## When it is legitimate
The comparison is at equal samples; or the baseline is also run at the large batch, with its
learning rate tuned for it; or the large batch is the contribution (`attributed_to:
[train.batch_size]`). Fewer iterations at a larger batch, with the same samples in all, are fine.
Views and pairs of equally many drawn samples are left open.

## How it is decided
Samples S = iterations x batch x devices x accumulated passes, for both; after a rerun, steps and
samples as they were counted. The finding is S(method)
/ S(baseline) above 1.05 (minor) or 1.25 (major) while the iterations are no more than 1.05 times
the baseline's. If the method takes more iterations, the length is at stake, not the batch
(RC102); if it draws its samples repeatedly within a stated epoch, that is RC103. Lengths given
only in epochs are out of the question here: the batch does not change the samples of an epoch. A
batch size stated differently for paper and artifact is a mismatch of this rule.

## How to fix
Report the samples seen beside the iterations, and rerun the baseline at the method's batch size
(with its learning rate tuned) or for as many samples.

## Source
Trick 1.1 of the hzwer list: enlarge the batch size and pretend the iteration counts are aligned.
"""

from __future__ import annotations

from repcheck.budget import Amount, figure
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Train
from repcheck.errors import Inapplicable, Reason
from repcheck.fact import Quantity
from repcheck.facts.work import Seen, Unit, Work, assumed, more_samples, ratio, through_batch
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
)
from repcheck.where import Where

FACTORS = ("batch_size", "devices", "grad_accum")
KEYS = tuple(f"train.{name}" for name in FACTORS)


@rule("RC101", Severity.MAJOR, factors=("train.batch_size", "train.grad_accum", "samples", "steps"))
def check(
    comparison: Comparison, work: Work, *, minor: float = 1.05, major: float = 1.25
) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    ours, theirs = work.both(comparison)
    _demand_steps(ours, theirs)
    seen = _seen(ours, theirs)
    steps = ratio(ours.value("steps"), theirs.value("steps"))
    more = more_samples(ours, theirs)
    if not through_batch(ours, theirs, minor) and not 1 / minor <= more <= minor:
        return NotApplicable(message=f"the iterations differ ({times(steps)}), not only the batch")
    words = _words(ours, theirs, more)
    at = _place(comparison.method.train, comparison.baseline.train)
    if 1 / minor <= more <= minor:
        return Cleared(message=words, seen=seen, limit=f"would have seen {times(minor)} samples")
    if more < 1:
        return conservative(words, seen, at)
    if exempt := contribution(comparison, *KEYS):
        return exempt
    if open_ := _views(comparison, work, more / minor, words):
        return open_
    promised = {claim.aligned_on.get("iterations") for claim in comparison.claims}
    return Flagged(
        message=words,
        kind=Kind.MISMATCH if promised & {"samples", "epochs", "tokens"} else Kind.ASYMMETRY,
        severity=graded(more, minor, major),
        seen=seen,
        at=at,
    )


def _views(comparison: Comparison, work: Work, more: float, words: str) -> Undetermined | None:
    """Leave open a difference that views or pairs of equally many drawn samples explain."""
    ours, theirs = comparison.method, comparison.baseline
    mine, other = (work.views(side, comparison.dataset) for side in (ours, theirs))
    if mine / other < more:
        return None
    leaf = ours.train.views
    if leaf.known:
        decide = "a person who knows whether the baseline should see as many views of a sample"
    else:
        decide = f"declare `{leaf.path}`"
    return Undetermined(
        message=f"{words}; each drawn sample of `{ours.id}` enters a step {mine:.1f} times",
        reason=Reason.NEEDS_HUMAN if leaf.known else Reason.UNDECLARED_KEY,
        would_decide=decide,
    )


def _seen(ours: Seen, theirs: Seen) -> tuple[Quantity, ...]:
    """Return what the answer rests on: tokens and environment steps are compared as stated."""
    units: list[Unit] = ["steps", "samples"]
    if {ours.amount("length").unit, theirs.amount("length").unit} & {"tokens", "environment steps"}:
        units.append("length")
    return tuple(side.quantity(unit) for side in (ours, theirs) for unit in units)


def _demand_steps(ours: Seen, theirs: Seen) -> None:
    lengths = (ours.amount("length"), theirs.amount("length"))
    if not (ours.budget.steps_stated or theirs.budget.steps_stated):
        units = " and ".join(dict.fromkeys(length.unit for length in lengths))
        raise Inapplicable(f"no iterations are stated, only {units}, which no batch size changes")


def _words(ours: Seen, theirs: Seen, more: float) -> str:
    mine, other = ours.amount("samples"), theirs.amount("samples")
    return (
        f"`{ours.method}` sees {figure(mine.value)} training samples{_span(mine)} in "
        f"{figure(ours.value('steps'))} iterations and `{theirs.method}` {figure(other.value)}"
        f"{_span(other)} in {figure(theirs.value('steps'))} ({times(more)}; "
        f"{figure(ours.value('per_step'))} vs {figure(theirs.value('per_step'))} a step)"
        f"{assumed(mine, other)}"
    )


def _span(amount: Amount) -> str:
    return f" ({amount.span})" if amount.span else ""


def _place(ours: Train, theirs: Train) -> Where:
    """Return where the factor stands that differs most."""
    ratios = {name: getattr(ours, name).get(1) / getattr(theirs, name).get(1) for name in FACTORS}
    name = max(FACTORS, key=lambda name: abs(ratios[name] - 1))
    place: Where = getattr(ours, name).place
    return place
