"""The method has attention that the baseline has not and nobody mentions.

## What it catches
Squeeze-and-excitation and other gates on feature maps, or self-attention, that the proposed method
has beside its headline component and the baseline has not. What counts is what is computed: a gate
in a `forward` without a name is one.

## When it is legitimate
The attention is named (`components: [{name: se}]`, `attributed_to: [attention]`), or the baseline
has it too. Gates that are a part of the unit itself (LSTM, GLU) have the size of what they scale
and do not count; nor does the attention of an added block of a kind that both have.

## How it is decided
In one forward pass of each network, as a rerun saw it: a sigmoid or softmax that layers made of a
feature map and that scales it, being smaller; softmax of a product with a product behind it; calls
of attention. More of them in the method than in the baseline is a finding: an asymmetry if both
sides declare it, an omission if not, a mismatch if declared otherwise. Parameters are counted with
it. Networks of which less than half is alike are for a reviewer.

## How to fix
Give the baseline the same attention, or name it and show it in the ablation.

## Source
Trick 3.2 of the hzwer list: quietly add SE layers everywhere, they basically always help.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.facts.networks import Networks
from repcheck.modified import modified
from repcheck.rule import Answer, Severity, rule


@rule("RC302", Severity.MINOR, factors=("attention",))
def check(comparison: Comparison, networks: Networks) -> Answer:
    return modified(comparison, networks, "attention", "one gate or one attention more")
