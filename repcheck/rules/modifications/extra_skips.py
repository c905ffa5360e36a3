"""The method joins features that the baseline keeps apart.

## What it catches
Skip edges between modules: sums or concatenations of features of different depth that the method
has and the baseline has not, and that nobody mentions, also where features are kept on the module
and added later.

## When it is legitimate
The edges are what the paper offers (`components`, `attributed_to: [skips]`) or stand in both. The
residual sums of blocks that both have, those within an added block, sums of losses and sums with
embeddings of positions do not count.

## How it is decided
In one forward pass of each network, as a rerun saw it: joins whose operands come through different
numbers of layers, and that reach over a layer both have. More of them in the method is a finding:
an asymmetry if both sides declare it, an omission if not, a mismatch if declared otherwise.
Concatenated channels and the parameters of the layers they widen are counted. Networks of which
less than half is alike are for a reviewer.

## How to fix
Draw the edges, and show the method without them in the ablation.

## Source
Trick 3.4 of the hzwer list: draw skip edges between modules at will; concatenating more features
never hurts.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.facts.networks import Networks
from repcheck.modified import modified
from repcheck.rule import Answer, Severity, rule


@rule("RC304", Severity.MINOR, worst=Severity.MINOR, factors=("skips",))
def check(comparison: Comparison, networks: Networks) -> Answer:
    return modified(comparison, networks, "skips", "one join more")
