"""The optimizers differ in more than the learning rate, and were not tuned alike.

## What it catches
Another optimizer, momentum, weight decay, betas, epsilon or clipping for the proposed method than
for the baseline, which has to do without.

## When it is legitimate
Each has its own optimizer after an equal search (`tuning.trials` of both), or the optimizer is
what the paper offers (`attributed_to: [optimizer]`, or a single field). No weight decay on biases
and norms is no difference, nor are fused implementations.

## How it is decided
The fields of `optimizer` other than `lr`: as a rerun of both showed them (after the first step, of
the group with the most parameters), else compared where both state them. Numbers to one millionth;
none, n/a, false and zero are the same; a field that a schedule moves is not compared, and an
observed epsilon up to 1e-6 on both sides is a default. Different types are one difference: their
own fields are then not compared, and Adam and AdamW are one where nothing decays. A difference that
the authors state is minor, whatever its size; one that a rerun shows and one side does not state is
major. One finding lists them all. Without a rerun, a field that only one side states decides
nothing. Two sides of a field that differ are a mismatch of this rule.

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
from repcheck.facts.optimizers import FIELDS as SEEN
from repcheck.facts.optimizers import Knobs, Optimizers, alike, one_type, said
from repcheck.facts.recipe import equal, tuned_alike
from repcheck.finding import contribution, mismatches
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, rule
from repcheck.where import Where

OWN = ("momentum", "nesterov", "betas", "eps")
ANY = ("weight_decay", "clip_norm", "lookahead", "sam")
FIELDS = ("type", *OWN, *ANY)
KEYS = tuple(f"optimizer.{field}" for field in FIELDS)
TINY = 1e-6
Pair = tuple[Stated[Any], Stated[Any]]


@rule("RC204", Severity.MAJOR, factors=("optimizer",))
def check(comparison: Comparison, optimizers: Optimizers) -> Answer:
    if found := mismatches(comparison, keys=KEYS):
        return found
    methods = (comparison.method, comparison.baseline)
    try:
        ours, theirs = (optimizers.of(method, comparison.dataset) for method in methods)
    except Missing:
        return _as_stated(comparison)
    return _as_seen(comparison, ours, theirs)


def _as_seen(comparison: Comparison, ours: Knobs, theirs: Knobs) -> Answer:
    fields = _differing(ours, theirs)
    stated = {field: _leaves(comparison, field) for field in ("lookahead", "sam")}
    hidden = [
        field
        for field, pair in stated.items()
        if not any(leaf.undeclared for leaf in pair) and not equal(*pair)
    ]
    seen = tuple(knobs.quantity(f) for f in fields or SEEN for knobs in (ours, theirs))
    if not fields and not hidden:
        return Cleared(
            message=f"`{ours.method}` and `{theirs.method}` both ran {ours.seen.cls}"
            f"{_listed(ours)}",
            seen=seen,
            limit="any difference of these fields; SAM and lookahead are not seen",
        )
    listed = ", ".join(
        [
            *(f"{f} {said(ours.value(f))} vs {said(theirs.value(f))}" for f in fields),
            *(f"{f} {stated[f][0]} vs {stated[f][1]}" for f in hidden),
        ]
    )
    if tuned_alike(comparison):
        trials = comparison.baseline.tuning.trials
        words = f"{listed}, each tuned with {trials} trials"
        return Cleared(message=words, seen=seen, limit="fewer trials")
    differing = [*fields, *hidden]
    unexplained = [f for f in differing if not comparison.contributes(f"optimizer.{f}")]
    exempt = contribution(comparison, *(f"optimizer.{f}" for f in differing))
    if exempt and not unexplained:
        return exempt
    unsaid = [f for f in unexplained if any(leaf.undeclared for leaf in _leaves(comparison, f))]
    by_type = "type" in fields and "type" not in unsaid
    words = f" (undeclared: {', '.join(unsaid)})" if unsaid else ""
    return Flagged(
        message=f"the optimizers of `{ours.method}` and `{theirs.method}` differ: {listed}{words}",
        kind=Kind.ASYMMETRY,
        severity=Severity.MINOR if by_type or not unsaid else Severity.MAJOR,
        seen=seen,
        at=_place(comparison, unexplained[0]),
    )


def _differing(ours: Knobs, theirs: Knobs) -> list[str]:
    """Return the fields whose difference is one; a field that moved on either side is left out."""
    if not one_type(ours, theirs):
        return ["type", *(f for f in ("weight_decay", "clip_norm") if _unlike(ours, theirs, f))]
    return [f for f in SEEN[1:] if _unlike(ours, theirs, f) and not _default_eps(ours, theirs, f)]


def _default_eps(ours: Knobs, theirs: Knobs, field: str) -> bool:
    """Return whether both have an epsilon as small as the defaults of any version."""
    values = (ours.value(field), theirs.value(field))
    return field == "eps" and all(isinstance(v, float) and v <= TINY for v in values)


def _unlike(ours: Knobs, theirs: Knobs, field: str) -> bool:
    moved = field in ours.seen.changed or field in theirs.seen.changed
    return not moved and not alike(ours.value(field), theirs.value(field))


def _listed(knobs: Knobs) -> str:
    told = [f"{f} {said(knobs.value(f))}" for f in SEEN[1:] if knobs.value(f)]
    return f" ({', '.join(told)})" if told else ""


def _leaves(comparison: Comparison, field: str) -> Pair:
    ours, theirs = comparison.method.optimizer, comparison.baseline.optimizer
    return getattr(ours, field), getattr(theirs, field)


def _place(comparison: Comparison, field: str) -> Where:
    leaf = _leaves(comparison, field)[0]
    written = not comparison.method.optimizer.undeclared
    return leaf.place if written else comparison.place


def _as_stated(comparison: Comparison) -> Answer:
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
