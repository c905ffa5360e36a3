"""The method costs much more than every baseline beside it.

## What it catches
More compute an example, in inference or in training, than the baseline has, and no baseline of
the same cost: nobody can tell the idea from the compute.

## When it is legitimate
A baseline scaled to the method's cost stands in the comparison (a wider, deeper or longer one),
or size or cost is what the paper offers (`attributed_to: [width]`, `[model.flops]`,
`aligned_on: params`).

## How it is decided
Three ratios, each where a rerun measured both sides, else where both are stated: forward FLOPs of
an example (`model.flops`), training FLOPs of a sample (`train_flops_per_sample`; measured ones hold
forward, backward and the networks asked beside it, not what checkpointing computes again), and the
training total (`train_cost.train_flops`, or `gpu_hours` on the same hardware) divided by the ratio
of samples seen. The finding is a ratio above 1.25 without a compared method at 0.90 times the cost
or more. Not asked again here: FLOPs at equal parameters (RC104), larger variants of the baseline
left out (RC506), of both of which only what training costs beyond the forward is left, and the
training form of a re-parameterised method (RC107). Steps that pass over their samples twice are
exempt where the optimizer is declared as one that does (SAM, L-BFGS).
A cost that nobody knows is undetermined, never a finding; an incomplete count clears nothing. A
ratio of 1.9 to 2.1 without stated conventions looks like MACs; one below 0.80 is a note.

## How to fix
Plot quality against compute, with baselines scaled to the method's cost.

## Source
Trick 1.5 of the hzwer list: pile up compute wherever the field does not look at FLOPs or
parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from repcheck.claims.comparison import Comparison
from repcheck.claims.offer import SIZES
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.facts.costs import Cost, Costs, Which, counted
from repcheck.facts.work import Work, more_samples
from repcheck.finding import conservative, contribution, maybe_macs, mismatches, times
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

KEYS = (
    "model.params",
    "model.flops.value",
    "model.train_flops_per_sample.value",
    "train_cost.train_flops.value",
    "train_cost.gpu_hours",
    "train.gpu_hours",
)
OFFERED = tuple(sorted(SIZES))
SAMPLE = "training FLOPs a sample"
FOLDED = 1.25
TWICE = ("sam", "lbfgs", "sharpness")
Measured = tuple[str, float, Cost, Cost]


@rule(
    "RC105",
    Severity.MINOR,
    factors=("train_flops", "width", "depth", "hyperparameters.width", "model"),
)
def check(
    comparison: Comparison, costs: Costs, work: Work, *, band: float = 1.25, matched: float = 0.90
) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    measured = list(_measured(comparison, costs, work))
    if not measured:
        both = (costs.forward(comparison.method), costs.forward(comparison.baseline))
        key = comparison.method.train_cost.train_flops.place.path
        return Undetermined(
            message="the forward FLOPs are judged by RC104 and RC506; what training costs is open",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"declare `{key}` for both",
            seen=tuple(cost.quantity for cost in both),
        )
    answers = [_answer(comparison, costs, one, band, matched) for one in measured]
    for kind in (Flagged, Undetermined):
        if chosen := [answer for answer in answers if isinstance(answer, kind)]:
            return chosen[0]
    return [answers[0], *_notes(comparison, measured, band)]


def _notes(comparison: Comparison, measured: list[Measured], band: float) -> Iterator[Outcome]:
    for what, ratio, mine, other in measured:
        if mine.measured and ratio < 1 / band:
            words = f"`{comparison.method.id}` costs {times(ratio)} `{comparison.baseline.id}`"
            seen = (mine.quantity, other.quantity)
            yield conservative(f"{words} in {what} ({mine} vs {other})", seen, mine.place)


def _answer(
    comparison: Comparison, costs: Costs, measured: Measured, band: float, matched: float
) -> Outcome:
    what, ratio, mine, other = measured
    seen = (mine.quantity, other.quantity)
    words = f"`{comparison.method.id}` costs {times(ratio)} `{comparison.baseline.id}` in {what}"
    if unknown := _bounded(words, measured, band):
        return unknown
    if ratio <= band:
        return Cleared(message=words, seen=seen, limit=f"would have seen {times(band)}")
    if reason := _passes(comparison, costs, measured, band):
        return NotApplicable(message=f"{words}: {reason}")
    if mine.looks_like_macs(other):
        return maybe_macs(words, comparison.method, seen)
    if rival := _of_same_cost(comparison, costs, matched):
        return Cleared(message=f"{words}, and `{rival}` costs as much", seen=seen, limit="reported")
    if exempt := contribution(comparison, *OFFERED):
        return exempt
    return Flagged(
        message=f"{words} ({mine} vs {other}), and no compared method costs as much",
        kind=Kind.ASYMMETRY,
        seen=seen,
        at=mine.place,
    )


def _bounded(words: str, measured: Measured, band: float) -> Undetermined | None:
    """Return that a ratio of lower bounds decides nothing, where it does not."""
    _, ratio, mine, other = measured
    try:
        counted(mine, other, above=ratio > band)
    except Missing as lacking:
        return Undetermined(
            message=f"{words} as far as was counted",
            reason=lacking.reason,
            would_decide=lacking.would_decide,
            seen=(mine.quantity, other.quantity),
        )
    return None


def _passes(comparison: Comparison, costs: Costs, measured: Measured, band: float) -> str:
    """Return why a dearer training sample is what the declared optimizer takes, or nothing."""
    what, ratio, mine, _ = measured
    optimizer = comparison.method.optimizer.type.get("").lower().replace("-", "")
    if (
        not what.startswith(SAMPLE)
        or not mine.measured
        or not (comparison.method.optimizer.sam.get(False) or any(w in optimizer for w in TWICE))
    ):
        return ""
    ours, theirs = (
        cost.sample.passes if (cost := costs.compute.find(side)) and cost.sample else 1
        for side in (comparison.method, comparison.baseline)
    )
    if ratio * theirs / ours > band:
        return ""
    return f"its declared optimizer passes over the samples of a step {ours} times"


def _have(cost: Which, comparison: Comparison, costs: Costs) -> tuple[Cost, Cost] | None:
    try:
        return costs.both(cost, comparison)
    except (Missing, Inapplicable):
        return None


def _measured(comparison: Comparison, costs: Costs, work: Work) -> Iterator[Measured]:
    theirs = comparison.baseline
    others = set(theirs.model.variants_available.get(())) - {theirs.model.variant.get("")}
    params = _have("params", comparison, costs)
    only_flops = params is not None and params[0].over(params[1]) <= 1.10
    pair = _have("forward", comparison, costs)
    elsewhere = bool(others) or only_flops
    if pair and not elsewhere:
        yield "forward FLOPs", pair[0].over(pair[1]), *pair
    training = _have("training", comparison, costs)
    if training and not _folds(comparison, costs):
        ratio = training[0].over(training[1])
        if pair and elsewhere and training[0].measured and pair[0].measured:
            one = pair[0].over(pair[1]) / costs.more_views(comparison)
            yield f"{SAMPLE} beyond its forward's", ratio / max(1.0, one), *training
        else:
            yield SAMPLE, ratio, *training
    if training and training[0].measured:
        return
    pair = _have("total", comparison, costs)
    if pair and pair[0].unit == pair[1].unit and not pair[0].measured:
        try:
            longer = more_samples(*work.both(comparison))
        except (Missing, Inapplicable):
            return
        yield "training a sample", pair[0].over(pair[1]) / longer, *pair


def _folds(comparison: Comparison, costs: Costs) -> bool:
    """Return whether a training form makes the difference, declared or seen: RC107 asks."""
    cost = costs.compute.find(comparison.method, comparison.dataset)
    return comparison.method.reparam.get(False) or bool(cost and cost.folds(FOLDED))


def _of_same_cost(comparison: Comparison, costs: Costs, matched: float) -> str:
    """Return a method that is compared with this one and costs as much, or nothing."""
    claims = costs.claims
    named = {name for claim in claims.claims for name in claim.baselines.get(())}
    tabled = {row.method.get("") for row in claims.results} & set(claims.methods)
    named |= {name for name in tabled if claims.methods[name].role.get("trivial") == "baseline"}
    for name in sorted(named):
        rival = claims.methods.get(name)
        if rival is None or rival.id == comparison.baseline.id:
            continue
        try:
            mine, theirs = costs.both("forward", replace(comparison, baseline=rival))
            if theirs.over(mine) >= matched:
                return rival.id
        except (Missing, Inapplicable):
            continue
    return ""
