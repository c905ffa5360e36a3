"""The method has another activation than the baseline.

## What it catches
ReLU in the baseline and SiLU, GELU, leaky or parametric ReLU in the method, at the same places of
two networks that are otherwise alike: a change that is worth points to any model, booked to
something else. Activations that are written out (`x * sigmoid(x)`) count as what they are.

## When it is legitimate
It is what the paper offers (`components`, `attributed_to: [activation]`); or the baseline gets it
too. Output activations, gates of a unit (GLU, LSTM) and the native recipes of two different
architectures are none of this rule's business.

## How it is decided
The layers of both networks, as a rerun saw them in one forward pass, are paired by order, kind,
scale and kernel. A finding is another activation behind a layer that both have. Unequal but
declared so for both it is an asymmetry, undeclared an omission, declared otherwise a mismatch.
ReLU in place of another one is a note. Where less than half of the layers are alike, the two are
different architectures and a reviewer has to say what belongs to each.

## How to fix
Give the baseline the same activation, and show the change in the ablation.

## Source
Trick 3.1 of the hzwer list: replace every ReLU in the model by swish, leaky ReLU or PReLU.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.facts.networks import Networks
from repcheck.modified import modified
from repcheck.rule import Answer, Severity, rule


@rule("RC301", Severity.MINOR, factors=("activation",))
def check(comparison: Comparison, networks: Networks) -> Answer:
    return modified(comparison, networks, "activation", "another activation behind one layer")
