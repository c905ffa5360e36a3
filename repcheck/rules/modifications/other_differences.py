"""Method and baseline differ in more than the contribution, and the gain may be that.

## What it catches
A gain that stands in the paper as the contribution's, while method and baseline differ in other
things as well: recipe, activation, normalisation, augmentation. Each may be small; together they
may be all of it.

## When it is legitimate
Nothing differs but the contribution; or the paper gives the baseline everything but the
contribution as a row of its own; or the differences are named as contributions themselves
(`components`, `attributed_to`).

## How it is decided
All differences beside the contribution are listed: what both sides state unequally, and what the
probe saw unequally (optimizer, learning rate, schedule, the operations of the network). One arm
gives the baseline all of them at once and is run with the same seeds. What remains of the claimed
gain decides: gone, reduced, surviving or inconclusive, by the interval of the difference. How long
each is trained is asked by RC102 and RC105.

## How to fix
Add the row "baseline with everything but the contribution" to the table, and credit the
contribution with what remains.

## Source
Chapter 3 of the hzwer list: small modifications that ride along under another name.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.errors import Reason
from repcheck.facts.effects import Effects
from repcheck.facts.factors import Factors
from repcheck.facts.networks import Networks
from repcheck.facts.optimizers import Optimizers
from repcheck.facts.schedule import Traces
from repcheck.rule import Answer, Cleared, Part, Severity, Undetermined, rule

SHOWN = 6


@rule("RC300", Severity.MINOR, part=Part.EFFECT)
def check(
    comparison: Comparison,
    factors: Factors,
    networks: Networks,
    optimizers: Optimizers,
    traces: Traces,
    effects: Effects,
) -> Answer:
    networks.of(comparison)  # these raise where something was not seen: it need not be alike
    for method in (comparison.method, comparison.baseline):
        optimizers.of(method, comparison.dataset)
    ours, theirs = traces.both(comparison)
    found = factors.of(comparison)
    if not found:
        seen = ours.quantity("peak lr", ours.peak), theirs.quantity("peak lr", theirs.peak)
        pair = f"`{comparison.method.id}` and `{comparison.baseline.id}`"
        return Cleared(
            message=f"{pair} differ in nothing but the contribution, as far as recipe and network"
            " were seen",
            seen=seen,
            limit="would have seen another optimizer, learning rate, schedule or operation",
        )
    if any(effect.covers for effect in effects.on(comparison)):
        return []  # the arm with all of them speaks for itself
    named = "; ".join(factor.words for factor in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return Undetermined(
        message=f"beside the contribution these differ: {named}{more}; what they are worth is for"
        " an arm with all of them to say",
        reason=Reason.NOT_OBSERVED,
        would_decide=f"an arm: `{comparison.baseline.id}` with all of them",
    )
