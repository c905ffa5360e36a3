"""The cost that is reported leaves out a part that runs.

## What it catches
An efficiency figure that covers a part of the method (the head, the new block) beside a baseline
counted whole; or a figure called end-to-end that is smaller than the model's own.

## When it is legitimate
The scope is stated and the whole is given too: "excluding the frozen encoder (1.8 MFLOPs)", with
a row for the total. Parts that run once, offline, may be left out when the paper says so.

## How it is decided
Rows of `efficiency` with their `scope` and `components_excluded`. A finding is (a) a row of the
method that leaves something out, no row or `model.flops` for its whole, and a baseline's row that
is end-to-end; or (b) an end-to-end figure exceeded by the model's own `flops` more than 1.10
times (minor; major above 1.50). Factors of 1.9 to 2.1 without a stated convention look like MACs
and are not flagged. A row without a scope decides nothing.

## How to fix
Report the cost end to end, every module that runs for one example included, and the parts beside
it.

## Source
Trick 1.6 of the hzwer list: mention the heavy component in passing and analyse the efficiency of
the other components only.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Efficiency
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.costs import Cost, Costs, flops_cost, whole
from repcheck.finding import graded, times
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
    rule,
)  # fmt: skip


@rule("RC106", Severity.MAJOR)
def check(
    comparison: Comparison, costs: Costs, *, minor: float = 1.10, major: float = 1.50
) -> Answer:
    rows = costs.rows(comparison.method)
    if not rows:
        return NotApplicable(message=f"no efficiency is claimed for `{comparison.method.id}`")
    silent = next((row for row in rows if not _scoped(row)), None)
    partial = [row for row in rows if _scoped(row) and not whole(row)]
    complete = [row for row in rows if _scoped(row) and whole(row)]
    for row in complete:
        if (answer := _beside_the_model(comparison, row, minor, major)) is not None:
            return answer
    if silent is not None and not partial:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{silent.scope.path}`")
    if partial and not complete and not comparison.method.model.flops.value.known:
        return _part_only(comparison, costs, partial[0])
    seen = tuple(_scope(row) for row in rows)
    return Cleared(message="the whole is reported", seen=seen, limit=f"would see {times(minor)}")


def _scoped(row: Efficiency) -> bool:
    return row.scope.known or not row.components_excluded.undeclared


def _scope(row: Efficiency) -> Quantity:
    left_out = row.components_excluded.get(())
    words = f"without {', '.join(left_out)}" if left_out else row.scope.get("end-to-end")
    return Quantity(name=f"{row.method.get('')}.scope", value=words, source=str(row.place))


def _part_only(comparison: Comparison, costs: Costs, row: Efficiency) -> Outcome:
    theirs = [r for r in costs.rows(comparison.baseline) if _scoped(r) and whole(r)]
    mine = _scope(row)
    words = f"the cost of `{comparison.method.id}` covers a part only ({mine.value})"
    if not theirs:
        return Undetermined(
            message=words,
            reason=Reason.UNDECLARED_KEY,
            would_decide="add an end-to-end row to `efficiency` for both methods",
            seen=mine,
        )
    left_out = row.components_excluded
    return Flagged(
        message=f"{words}; `{comparison.baseline.id}` is counted end to end",
        kind=Kind.ASYMMETRY,
        seen=(mine, _scope(theirs[0])),
        at=left_out.place if left_out.known else row.scope.place,
    )


def _beside_the_model(
    comparison: Comparison, row: Efficiency, minor: float, major: float
) -> Outcome | None:
    model = comparison.method.model
    if not (row.flops.value.known and model.flops.value.known) or row.form.get("deploy") == "train":
        return None
    name = comparison.method.id
    whole_model: Cost = flops_cost(f"{name}.flops", model.flops)
    tabled: Cost = flops_cost(f"{name}.efficiency.flops", row.flops)
    ratio = whole_model.over(tabled)
    severity = graded(ratio, minor, major)
    if severity is None or whole_model.looks_like_macs(tabled):
        return None
    return Flagged(
        message=f"an end-to-end row gives `{name}` {tabled}, its model has "
        f"{whole_model} ({times(ratio)})",
        kind=Kind.MISMATCH,
        severity=severity,
        seen=(tabled.quantity, whole_model.quantity),
        at=row.flops.value.place,
    )
