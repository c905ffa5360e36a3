"""The method costs much more than every baseline beside it.

## What it catches
More compute an example, in inference or in training, than the baseline has, and no baseline of
the same cost: nobody can tell the idea from the compute.

## When it is legitimate
A baseline scaled to the method's cost stands in the comparison (a wider, deeper or longer one),
or cost is what the paper offers (`attributed_to: [model.flops]`, `aligned_on: params`).

## How it is decided
Three ratios, each where both sides are stated: forward FLOPs (`model.flops`), training FLOPs a
sample (`train_flops_per_sample`), and the training total (`train_cost.train_flops`, or
`gpu_hours` on the same hardware) divided by the ratio of samples seen. The finding is a ratio
above 1.25 without a compared method at 0.90 times the cost or more. Not asked again here: FLOPs
at equal parameters (RC104), the training form of a re-parameterised method (RC107), larger
variants of the baseline left out (RC506). Cost that is declared nowhere is undetermined, never a
finding. A ratio of 1.9 to 2.1 without stated conventions looks like MACs.

## How to fix
Plot quality against compute, with baselines scaled to the method's cost.

## Source
Trick 1.5 of the hzwer list: pile up compute wherever the field does not look at FLOPs or
parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.facts.costs import Cost, Costs
from repcheck.facts.work import Work, more_samples
from repcheck.finding import contribution, maybe_macs, mismatches, times
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

KEYS = (
    "model.params",
    "model.flops.value",
    "model.train_flops_per_sample.value",
    "train_cost.train_flops.value",
    "train_cost.gpu_hours",
    "train.gpu_hours",
)
Measured = tuple[str, float, Cost, Cost]


@rule("RC105", Severity.MINOR)
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
    return answers[0]


def _answer(
    comparison: Comparison, costs: Costs, measured: Measured, band: float, matched: float
) -> Outcome:
    what, ratio, mine, other = measured
    seen = (mine.quantity, other.quantity)
    words = f"`{comparison.method.id}` costs {times(ratio)} `{comparison.baseline.id}` in {what}"
    if ratio <= band:
        return Cleared(message=words, seen=seen, limit=f"would have seen {times(band)}")
    if mine.looks_like_macs(other):
        return maybe_macs(words, comparison.method, seen)
    if rival := _of_same_cost(comparison, costs, matched):
        return Cleared(message=f"{words}, and `{rival}` costs as much", seen=seen, limit="reported")
    if exempt := contribution(comparison, "model.flops", "model.params", "train_cost"):
        return exempt
    return Flagged(
        message=f"{words} ({mine} vs {other}), and no compared method costs as much",
        kind=Kind.ASYMMETRY,
        seen=seen,
        at=mine.place,
    )


def _have(cost: Callable[[Method], Cost], comparison: Comparison) -> tuple[Cost, Cost] | None:
    try:
        return cost(comparison.method), cost(comparison.baseline)
    except (Missing, Inapplicable):
        return None


def _measured(comparison: Comparison, costs: Costs, work: Work) -> Iterator[Measured]:
    ours, theirs = comparison.method, comparison.baseline
    others = set(theirs.model.variants_available.get(())) - {theirs.model.variant.get("")}
    params = _have(costs.params, comparison)
    only_flops = params is not None and params[0].over(params[1]) <= 1.10
    pair = _have(costs.forward, comparison)
    if pair and not others and not only_flops:
        yield "forward FLOPs", pair[0].over(pair[1]), *pair
    pair = _have(costs.training, comparison)
    if pair and ours.reparam.get(False) is not True:
        yield "training FLOPs a sample", pair[0].over(pair[1]), *pair
    pair = _have(costs.total, comparison)
    if pair and pair[0].unit == pair[1].unit:
        try:
            longer = more_samples(*work.both(comparison))
        except (Missing, Inapplicable):
            return
        yield "training a sample", pair[0].over(pair[1]) / longer, *pair


def _of_same_cost(comparison: Comparison, costs: Costs, matched: float) -> str:
    """Return a method that is compared with this one and costs as much, or nothing."""
    mine = _have(costs.forward, comparison)
    claims = costs.claims
    named = {name for claim in claims.claims for name in claim.baselines.get(())}
    tabled = {row.method.get("") for row in claims.results} & set(claims.methods)
    named |= {name for name in tabled if claims.methods[name].role.get("trivial") == "baseline"}
    for name in sorted(named):
        rival = claims.methods.get(name)
        if mine is None or rival is None or rival.id == comparison.baseline.id:
            continue
        try:
            if costs.forward(rival).over(mine[0]) >= matched:
                return rival.id
        except (Missing, Inapplicable):
            continue
    return ""
