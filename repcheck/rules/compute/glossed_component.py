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
and are not flagged. A row without a scope decides nothing. Where a whole is reported and the
method alone reads a file of arrays that is no declared dataset, a person has to say what made the
file, and at which cost an example: features computed beforehand are in no measured run.

## How to fix
Report the cost end to end, every module that runs for one example included, and the parts beside
it.

## Source
Trick 1.6 of the hzwer list: mention the heavy component in passing and analyse the efficiency of
the other components only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Efficiency
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.cost_lines import other_input
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

ARRAYS = {".npy", ".npz", ".h5", ".hdf5", ".parquet", ".feather", ".arrow", ".mmap", ".tfrecord"}


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
        if (answer := _beside_the_model(comparison, costs, row, minor, major)) is not None:
            return answer
    if silent is not None and not partial:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{silent.scope.path}`")
    if partial and not complete and not comparison.method.model.flops.value.known:
        return _part_only(comparison, costs, partial[0])
    return _reported(comparison, costs, complete, rows, minor)


def _reported(
    comparison: Comparison,
    costs: Costs,
    complete: Sequence[Efficiency],
    rows: Sequence[Efficiency],
    minor: float,
) -> Outcome:
    """Return that the whole is reported: as measured where its FLOPs were, else by its words."""
    scopes = tuple(_scope(row) for row in rows)
    if before := _made_before(comparison, costs):
        return Undetermined(
            message=f"`{comparison.method.id}` reads `{before}`, and `{comparison.baseline.id}` "
            "does not: what was computed for it beforehand is in no measured cost",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"a person who knows what made `{before}`, and at which cost an example",
            seen=scopes,
        )
    given = any(row.flops.value.known for row in complete)
    found = costs.measured("forward", comparison.method, comparison.dataset)
    limit = f"would see {times(minor)}"
    if not given or found is None:
        return Cleared(message="the whole is reported", seen=scopes, limit=limit)
    if found.at_least:
        raise Missing(Reason.NOT_OBSERVED, f"a whole count: {found} ({found.at_least})")
    words = f"the whole is reported: one example of `{comparison.method.id}` takes {found}"
    return Cleared(message=words, seen=found.quantity, limit=limit)


def _made_before(comparison: Comparison, costs: Costs) -> str:
    """Return a file of arrays that the method alone reads and that is no declared dataset."""
    mine, other = (
        costs.compute.files_read(side, comparison.dataset)
        for side in (comparison.method, comparison.baseline)
    )
    parts = [p for d in costs.claims.datasets.values() for p in (d.train, d.val, d.test)]
    stated = {PurePosixPath(part.path.value).name for part in parts if part.path.known}
    found = (PurePosixPath(path) for path in sorted(mine - other))
    arrays = (one for one in found if one.suffix.lower() in ARRAYS and one.name not in stated)
    return str(next(arrays, ""))


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
    found = costs.measured("forward", comparison.method, comparison.dataset)
    seen: tuple[Quantity, ...] = (mine,)
    if found is not None and row.flops.value.known:
        part = flops_cost(f"{comparison.method.id}.efficiency.flops", row.flops)
        ratio = found.value / part.value if part.value else 0.0
        words = f"{words}: {part} of {found} an example ({times(ratio)})"
        words += _dearest(comparison, costs)
        seen = (mine, found.quantity)
    if not theirs:
        return Undetermined(
            message=words,
            reason=Reason.UNDECLARED_KEY,
            would_decide="add an end-to-end row to `efficiency` for both methods",
            seen=seen,
        )
    left_out = row.components_excluded
    return Flagged(
        message=f"{words}; `{comparison.baseline.id}` is counted end to end",
        kind=Kind.ASYMMETRY,
        seen=(*seen, _scope(theirs[0])),
        at=left_out.place if left_out.known else row.scope.place,
    )


def _dearest(comparison: Comparison, costs: Costs) -> str:
    """Return which of several evaluated modules takes most, in words."""
    cost = costs.compute.find(comparison.method, comparison.dataset)
    if cost is None or cost.example is None or len(cost.example.parts) < 2:
        return ""
    name, flops = cost.example.parts[0]
    return f", {flops / cost.example.forward:.0%} of it in `{name}`"


def _beside_the_model(
    comparison: Comparison, costs: Costs, row: Efficiency, minor: float, major: float
) -> Outcome | None:
    if not row.flops.value.known or row.form.get("deploy") == "train":
        return None
    name = comparison.method.id
    tabled = flops_cost(f"{name}.efficiency.flops", row.flops)
    of_all, words = _whole_model(comparison, costs)
    if of_all is None:
        return None
    cost = costs.compute.find(comparison.method, comparison.dataset)
    if of_all.measured and cost and cost.example and other_input(row.flops, cost.example.shape):
        key = row.flops.place.path
        raise Missing(Reason.CONFLICTING_EVIDENCE, f"give `{key}` at the input of the experiments")
    ratio = of_all.over(tabled)
    severity = graded(ratio, minor, major)
    if severity is None or of_all.looks_like_macs(tabled):
        return None
    if _halved(of_all, tabled, minor):
        return Undetermined(
            message=f"an end-to-end row gives `{name}` {tabled}, {words} ({times(ratio)})",
            reason=Reason.CONFLICTING_EVIDENCE,
            would_decide=f"declare `{row.flops.place.join('convention')}`",
            seen=(tabled.quantity, of_all.quantity),
        )
    return Flagged(
        message=f"an end-to-end row gives `{name}` {tabled}, {words} ({times(ratio)})",
        kind=Kind.MISMATCH,
        severity=severity,
        seen=of_all.quantity if of_all.measured else (tabled.quantity, of_all.quantity),
        at=row.flops.value.place,
    )


def _halved(of_all: Cost, tabled: Cost, minor: float) -> bool:
    """Return whether the row, read as MACs, is the whole but for what its counter left out."""
    if not of_all.measured or tabled.convention:
        return False
    return of_all.value <= 2 * minor * tabled.value


def _whole_model(comparison: Comparison, costs: Costs) -> tuple[Cost | None, str]:
    """Return the cost of all that runs for one view of an example, and how to say it."""
    method = comparison.method
    found = costs.measured("forward", method, comparison.dataset)
    if found is not None:
        one = replace(found, value=found.value / costs.views(method, comparison.dataset))
        return one, f"one example takes {one}{_dearest(comparison, costs)}"
    if not method.model.flops.value.known:
        return None, ""
    stated = flops_cost(f"{method.id}.flops", method.model.flops)
    return stated, f"its model has {stated}"
