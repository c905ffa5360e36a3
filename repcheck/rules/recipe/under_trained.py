"""The baseline was stopped while it still gained from training on.

## What it catches
A comparison at a length at which the baseline is not done: a part of the gain is what the baseline
would have reached by itself.

## When it is legitimate
Both are done, or both still gain alike: a comparison at a small budget that says so.

## How it is decided
By an arm in which the baseline is trained longer, the authors' own (`factor: epochs`) or the one
that gives it the method's budget. What it gains over the declared baseline is held against the
larger of the tolerance and a quarter of the claimed gain. The 95 % interval above that is a
finding: major where the longer baseline beats the method, or a longer training of the method is
seen to gain less; minor where nobody knows what the method would gain. Below it, the baseline was
done. Where the method itself was trained longer than the baseline, this is a note: RC102 and RC105
judge what the equal length leaves of the claim. Where both are seen to gain, they are cleared. The
learning rate that is left at the end of the baseline's training is shown and decides nothing.

## How to fix
Train both until neither gains, with the schedule stretched to the length.

## Source
Karpathy's recipe for training neural networks: leave it training.
"""

from __future__ import annotations

from collections.abc import Sequence

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.longer import Longer, LongerTrainings
from repcheck.facts.observed import Observed
from repcheck.finding import times
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    Outcome,
    Severity,
    Undetermined,
    rule,
)
from repcheck.units import decimals_for


@rule("RC835", Severity.MAJOR)
def check(
    comparison: Comparison,
    trainings: LongerTrainings,
    observed: Observed,
    *,
    aligned: float = 1.05,
    twice: float = 2.0,
) -> Answer:
    found = trainings.of(comparison, baseline=True)
    left = _rate_left(comparison, observed)
    cut = next((one for one in found if one.verdict == "gains"), None)
    if cut is not None:
        return _cut_short(comparison, trainings, cut, left, aligned)
    if done := [one for one in found if one.verdict == "done"]:
        longest = max(done, key=lambda one: one.ratio)
        return Cleared(
            message=f"{_said(comparison.baseline, longest)}, less than {longest.bound:.3g}",
            seen=(longest.quantity(), *left),
            limit=f"would have seen a gain of {longest.bound:.3g} or more",
        )
    return _open(comparison, found, left, twice)


def _said(method: Method, one: Longer) -> str:
    """Return what a longer training gains: its length, the gain and its interval."""
    gain = one.gain
    assert gain is not None
    digits = decimals_for(_claimed(one))
    return (
        f"`{method.id}` trained {times(one.ratio)} as long gains {gain.estimate:+.{digits}f}"
        f" [{gain.low:+.{digits}f}, {gain.high:+.{digits}f}] (95 %)"
        f" {one.effect.claim.metric.get('')}"
    ).rstrip()


def _cut_short(
    comparison: Comparison,
    trainings: LongerTrainings,
    cut: Longer,
    left: tuple[Quantity, ...],
    aligned: float,
) -> Outcome:
    words = (
        f"the baseline still gains when trained on: {_said(comparison.baseline, cut)}, more than"
        f" {cut.bound:.3g} (the claimed gain is {_claimed(cut):+.3g})"
    )
    seen = (cut.quantity(), *left)
    others = trainings.of(comparison, baseline=False)
    if same := next((one for one in others if one.verdict == "gains"), None):
        return Cleared(
            message=f"{words}, and so does the method: {_said(comparison.method, same)}",
            seen=(*seen, same.quantity()),
            limit="a baseline that gains alone",
        )
    flat = next((one for one in others if one.verdict == "done"), None)
    ratio = trainings.ratio(comparison)
    if ratio is not None and ratio > aligned:
        severity, more = Severity.NOTE, f"`{comparison.method.id}` was trained {times(ratio)}"
        more += " as long as the baseline (RC102)"
    elif cut.ahead:
        severity, more = Severity.MAJOR, f"it then beats `{comparison.method.id}`"
    elif flat is not None:
        severity, more = Severity.MAJOR, _said(comparison.method, flat)
        seen = (*seen, flat.quantity())
    else:
        severity, more = Severity.MINOR, "what the method would gain is not known"
    return Flagged(
        message=f"{words}; {more}",
        kind=Kind.ASYMMETRY,
        severity=severity,
        seen=seen,
        at=comparison.place,
    )


def _claimed(one: Longer) -> float:
    found = one.effect.attribution
    return found.claimed if found is not None else 0.0


def _open(
    comparison: Comparison, found: Sequence[Longer], left: tuple[Quantity, ...], twice: float
) -> Undetermined:
    base = comparison.baseline
    unclear = next((one for one in found if one.gain is not None), None)
    if unclear is not None:
        return Undetermined(
            message=f"{_said(base, unclear)}: more or less than {unclear.bound:.3g} is not decided",
            reason=Reason.UNDERPOWERED,
            would_decide="more seeds",
            seen=(unclear.quantity(), *left),
        )
    if found:
        return Undetermined(
            message=f"the arm `{found[0].effect.arm.id}` decides nothing yet: {found[0].why}",
            reason=found[0].reason or Reason.NOT_OBSERVED,
            would_decide=found[0].why,
            seen=left,
        )
    return Undetermined(
        message=f"no arm trains `{base.id}` on, so whether it was done is not known",
        reason=Reason.NOT_OBSERVED,
        would_decide=_arm(base, twice),
        seen=left,
    )


def _arm(base: Method, twice: float) -> str:
    units = ("epochs", "iterations", "samples", "tokens")
    unit = next((one for one in units if getattr(base.train, one).known), "epochs")
    leaf = getattr(base.train, unit)
    value = f"{leaf.value * twice:.10g}" if leaf.known else "N"
    return (
        f"`arms: [{{id: {base.id}-longer, of: {base.id}, factor: {unit}, kind: swap,"
        f" override: {{{unit}: {value}}}}}]`, where the command takes `{{{unit}}}`"
    )


def _rate_left(comparison: Comparison, observed: Observed) -> tuple[Quantity, ...]:
    """Return the baseline's last learning rate as a share of its peak, where it was seen."""
    try:
        sight = observed.of(comparison.baseline, comparison.dataset)
        run, training = sight.trainings()[0]
    except Missing:
        return ()
    optimizer = training.optimizer
    if not optimizer.peak_lr:
        return ()
    share = round(optimizer.last_lr / optimizer.peak_lr, 4)
    return (sight.quantity("learning rate left", share, "share of the peak", run),)
