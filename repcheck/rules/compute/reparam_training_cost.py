"""A re-parameterised method is compared at inference, while its training costs much more.

## What it catches
Branches that are folded into one layer before inference: the deployed network is as cheap as the
baseline, the trained one several times as dear, and only the first is reported.

## When it is legitimate
The training cost stands in the paper's cost table beside the inference cost. Folding batch
normalisation into a convolution changes the training cost by next to nothing.

## How it is decided
For a method with `reparam: true`: `train_flops_per_sample` of both. The finding is a ratio above
1.25 that the paper does not report: no row of `efficiency` with `form: train` for the method, and
no place in the paper given for its training cost. A training cost that is declared nowhere is
undetermined.

## How to fix
Add the training FLOPs a sample, or the GPU hours, of both to the table.

## Source
Trick 1.7 of the hzwer list: use re-parameterisation to make the model huge and slow to train
while comparing inference cost only.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.facts.costs import Cost, Costs
from repcheck.finding import contribution, maybe_macs, mismatches, times
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Severity,
    rule,
)  # fmt: skip


@rule("RC107", Severity.MINOR)
def check(comparison: Comparison, costs: Costs, *, band: float = 1.25) -> Answer:
    if found := mismatches(comparison, keys=("reparam",)):
        return found
    ours, theirs = comparison.method, comparison.baseline
    if not ours.reparam.value:
        return NotApplicable(message=f"`{ours.id}` is not re-parameterised, as declared")
    mine, other = costs.training(ours), costs.training(theirs)
    ratio, seen = mine.over(other), (mine.quantity, other.quantity)
    words = f"one training sample of `{ours.id}` costs {times(ratio)} one of `{theirs.id}`"
    if ratio <= band:
        return Cleared(message=words, seen=seen, limit=f"would have seen {times(band)}")
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
