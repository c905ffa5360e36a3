"""The method learns where the baseline pools or interpolates.

## What it catches
Pools and interpolation of the baseline that are strided or transposed convolutions, pixel shuffles
behind a convolution, an additional convolution at the interpolation or a pool with a learnt
exponent in the method: parameters and a gain that are booked to the headline component.

## When it is legitimate
Learnt resampling is named as a part of what the paper offers, or the baseline has it too. A stride
given to a layer that both have adds no parameters, and first layers (stems, patches) differ by
nature: neither counts.

## How it is decided
Where the scale changes in one forward pass of each network, as a rerun saw it. A finding is a
place without parameters in the baseline that the method has not, while it has one that learns with
a layer the baseline has not. The parameters that came with it are counted. It is an asymmetry if
both sides declare it, an omission if not, a mismatch if declared otherwise. Networks of which less
than half is alike are for a reviewer.

## How to fix
Give the baseline the same resampling, or name it and show it in the ablation.

## Source
Trick 3.3 of the hzwer list: replace parameter-free pooling and resizing by learnable ones; every
bit learnt is a bit gained.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.facts.networks import Networks
from repcheck.modified import modified
from repcheck.rule import Answer, Severity, rule


@rule("RC303", Severity.MINOR, factors=("resampling",))
def check(comparison: Comparison, networks: Networks) -> Answer:
    limit = "one pool or interpolation replaced"
    # RC104 reports what the paper and the artifact say differently of this key.
    return modified(comparison, networks, "resampling", limit, stated=False)
