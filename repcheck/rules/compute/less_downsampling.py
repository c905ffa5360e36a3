"""As many parameters, several times the compute: the method keeps its feature maps larger.

## What it catches
The proposed method and the baseline have equally many parameters, but the method spends much more
compute on each example (less striding or pooling, larger input), and only parameters are
compared.

## When it is legitimate
Resolution is a design choice like any other, once FLOPs or latency stand in the same table; or
the claims name it as what they offer (`attributed_to: [resampling]`).

## How it is decided
The parameters and the forward FLOPs of both, as a rerun measured them (every module that the
evaluation calls, in all views), else `model.params` and `model.flops` as declared, MACs counted as
two FLOPs. The finding is a FLOPs ratio above 1.25 at a parameter ratio up to 1.10, where
`efficiency` has no FLOPs, throughput or latency of both and no place in the paper is given for the
FLOPs: major above 2.00, else minor. A ratio of 1.9 to 2.1 between declared figures whose convention
is not stated looks like MACs beside FLOPs and is never flagged; figures at different inputs are not
compared, nor is a measured cost with a declared one. A count that is incomplete is a lower bound:
it clears nothing, and flags only against a baseline that was counted whole. Without FLOPs of both,
nothing is decided. A ratio below 0.80 is a note.

## How to fix
Add columns for FLOPs and latency, and a baseline of as many FLOPs.

## Source
Trick 1.4 of the hzwer list: reduce downsampling so that compute multiplies, but compare
parameters only.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.facts.costs import Costs, counted
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

OFFERED = (
    *("resampling", "model.flops", "model.input_shape", "stride", "resolution", "input"),
    *("depth", "layers", "iterations", "refinement"),
)


@rule("RC104", Severity.MAJOR, factors=("stride", "resolution", "input"))
def check(
    comparison: Comparison,
    costs: Costs,
    *,
    same_params: float = 1.10,
    minor: float = 1.25,
    major: float = 2.0,
) -> Answer:
    if found := mismatches(comparison, keys=("resampling", "model.input_shape")):
        return found
    ours, theirs = comparison.method, comparison.baseline
    mine, other = costs.both("forward", comparison)
    size, rival = costs.both("params", comparison)
    params = size.over(rival)
    if params > same_params:
        return NotApplicable(message=f"the parameters differ too ({times(params)}): RC105 asks")
    ratio, seen = mine.over(other), (mine.quantity, other.quantity, size.quantity, rival.quantity)
    words = (
        f"`{ours.id}` and `{theirs.id}` have {times(params)} the parameters and "
        f"{mine} and {other} an example ({times(ratio)})"
    )
    counted(mine, other, above=ratio > minor)
    if ratio <= minor:
        clear = Cleared(message=words, seen=seen, limit=f"would have seen {times(minor)}")
        fewer = mine.measured and ratio < 1 / minor
        return [clear, conservative(words, seen, mine.place)] if fewer else clear
    if mine.measured and ratio <= minor * costs.more_views(comparison):
        return NotApplicable(message=f"{words}, in more views of each example (RC108)")
    if mine.looks_like_macs(other):
        return maybe_macs(words, ours, seen)
    if (costs.tabled(ours) and costs.tabled(theirs)) or (mine.disclosed and other.disclosed):
        return Cleared(message=f"{words}, and the paper reports it", seen=seen, limit="reported")
    if exempt := contribution(comparison, *OFFERED):
        return exempt
    return Flagged(
        message=f"{words}; the file names no table that reports both costs",
        kind=Kind.ASYMMETRY,
        severity=Severity.MAJOR if ratio > major else Severity.MINOR,
        seen=seen,
        at=mine.place,
    )
