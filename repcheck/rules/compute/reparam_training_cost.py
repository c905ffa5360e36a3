"""A re-parameterised method is compared at inference, while its training costs much more.

## What it catches
Branches that are folded into one layer before inference: the deployed network is as cheap as the
baseline, the trained one several times as dear, and only the first is reported.

## When it is legitimate
The training cost stands in the paper's cost table beside the inference cost. Folding batch
normalisation into a convolution changes the training cost by next to nothing.

## How it is decided
For a method with `reparam: true`, or one whose trained form was seen to cost more than 1.25 times
the forward FLOPs, and to have more than 1.05 times the parameters, of the form that was evaluated:
the training FLOPs of a sample of both, as a rerun measured them, else `train_flops_per_sample` as
declared. The finding is a ratio above 1.25 that the paper does not report: no row of `efficiency`
with `form: train` for the method, and no place in the paper given for its training cost. A training
cost that nobody knows is undetermined; so is an incomplete count.

## How to fix
Add the training FLOPs a sample, or the GPU hours, of both to the table.

## Source
Trick 1.7 of the hzwer list: use re-parameterisation to make the model huge and slow to train
while comparing inference cost only.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.facts.costs import Cost, Costs, counted
from repcheck.finding import conservative, contribution, maybe_macs, mismatches, times
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Severity,
    rule,
)  # fmt: skip


@rule("RC107", Severity.MINOR, factors=("reparam", "train_flops"))
def check(comparison: Comparison, costs: Costs, *, band: float = 1.25) -> Answer:
    if found := mismatches(comparison, keys=("reparam",)):
        return found
    ours, theirs = comparison.method, comparison.baseline
    cost = costs.compute.find(ours, comparison.dataset)
    folds = cost.folds(band) if cost else None
    if not folds and not ours.reparam.known and folds is not None:
        return NotApplicable(
            message=f"`{ours.id}` was evaluated in the form in which it was trained: not folded"
        )
    if not folds and not ours.reparam.value:
        return NotApplicable(message=f"`{ours.id}` is not re-parameterised, as declared")
    mine, other = costs.both("training", comparison)
    ratio, seen = mine.over(other), (mine.quantity, other.quantity)
    words = f"one training sample of `{ours.id}` costs {times(ratio)} one of `{theirs.id}`"
    counted(mine, other, above=ratio > band)
    if ratio <= band:
        clear = Cleared(message=words, seen=seen, limit=f"would have seen {times(band)}")
        fewer = mine.measured and ratio < 1 / band
        return [clear, conservative(words, seen, mine.place)] if fewer else clear
    if mine.looks_like_macs(other):
        return maybe_macs(words, ours, seen)
    if _reported(ours, mine, costs):
        return Cleared(message=f"{words}, and the paper reports it", seen=seen, limit="reported")
    if exempt := contribution(comparison, "train_cost", "model.train_flops_per_sample"):
        return exempt
    return Flagged(
        message=f"{words} ({mine} vs {other}), and only the deployed form's cost is reported",
        kind=Kind.ASYMMETRY,
        seen=seen,
        at=mine.place,
    )


def _reported(method: Method, training: Cost, costs: Costs) -> bool:
    total = method.train_cost
    leaves = (total.gpu_hours, total.wall_clock, total.train_flops.value, method.train.gpu_hours)
    rows = any(row.form.get("deploy") == "train" for row in costs.rows(method))
    return rows or training.disclosed or any(leaf.disclosure.in_paper for leaf in leaves)
