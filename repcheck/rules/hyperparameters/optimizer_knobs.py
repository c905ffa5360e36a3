"""The optimizers differ in more than the learning rate, and were not tuned alike.

## What it catches
Another optimizer, momentum, weight decay, betas, epsilon or clipping for the proposed method than
for the baseline, which has to do without.

## When it is legitimate
Each has its own optimizer after an equal search (`tuning.trials` of both), or the optimizer is
what the paper offers (`attributed_to: [optimizer]`, or a single field). No weight decay on biases
and norms is no difference, nor are fused implementations.

## How it is decided
The fields of `optimizer` other than `lr`, compared where both state them (numbers to one
millionth; none, n/a, false and zero are the same). Different types are one difference: their own
fields are then not compared. A difference that the authors state is minor, whatever its size; one
finding lists them all. A field that only one side states decides nothing. Two sides of a field
that differ are a mismatch of this rule.

## How to fix
Give both the same optimizer, or search both with as many trials.

## Source
Trick 2.4 of the hzwer list: optimizers have lots of hyperparameters to tune, too.
"""

from __future__ import annotations

from typing import Any

from repcheck.claims.comparison import Comparison
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.recipe import equal, tuned_alike
from repcheck.finding import contribution, mismatches
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, rule

OWN = ("momentum", "nesterov", "betas", "eps")
ANY = ("weight_decay", "clip_norm", "lookahead", "sam")
FIELDS = ("type", *OWN, *ANY)
KEYS = tuple(f"optimizer.{field}" for field in FIELDS)
Pair = tuple[Stated[Any], Stated[Any]]


@rule("RC204", Severity.MAJOR)
def check(comparison: Comparison) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    pairs = _pairs(comparison)
    differing = {
        field: pair
        for field, pair in pairs.items()
        if not (pair[0].undeclared or pair[1].undeclared) and not equal(*pair)
    }
    seen = tuple(
        Quantity(name=leaf.path, value=str(leaf), source=str(leaf.place))
        for pair in (differing or pairs).values()
        for leaf in pair
        if not leaf.undeclared
    )
    listed = ", ".join(f"{field} {ours} vs {theirs}" for field, (ours, theirs) in differing.items())
    if differing and tuned_alike(comparison):
        trials = comparison.baseline.tuning.trials
        return Cleared(
            message=f"{listed}, each tuned with {trials} trials", seen=seen, limit="fewer trials"
        )
    unexplained = [f for f in differing if not comparison.contributes(f"optimizer.{f}")]
    exempt = contribution(comparison, *(f"optimizer.{field}" for field in differing))
    if exempt and not unexplained:
        return exempt
    if differing:
        return Flagged(
            message=f"the optimizers of `{comparison.method.id}` and `{comparison.baseline.id}` "
            f"differ: {listed}",
            kind=Kind.ASYMMETRY,
            severity=Severity.MINOR,
            seen=seen,
            at=differing[unexplained[0]][0].place,
        )
    _demand(pairs)
    return Cleared(message="the stated fields are equal", seen=seen, limit="any difference")


def _pairs(comparison: Comparison) -> dict[str, Pair]:
    ours, theirs = comparison.method.optimizer, comparison.baseline.optimizer
    pairs: dict[str, Pair] = {f: (getattr(ours, f), getattr(theirs, f)) for f in FIELDS}
    types = pairs["type"]
    if all(leaf.known for leaf in types) and not equal(*types):
        pairs = {field: pair for field, pair in pairs.items() if field not in OWN}
    return pairs


def _demand(pairs: dict[str, Pair]) -> None:
    """Raise for a field that one side states and the other does not; and for no type at all."""
    for field, pair in pairs.items():
        silent = [leaf for leaf in pair if leaf.undeclared]
        if len(silent) == 1 or (silent and field == "type"):
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{silent[0].path}`")
