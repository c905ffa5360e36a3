"""The method is normalised in another way than the baseline.

## What it catches
A norm where the baseline has none, none where it has one, or another kind at the same place,
norms of weights and norms written out (`(x - mean) / std`) included; and batch norms that use the
statistics of the test batch, so that each prediction depends on the other test examples.

## When it is legitimate
Normalisation is what the paper offers (`components`, `attributed_to: [norm]`), or equal in both.
Synchronised and frozen batch norms are batch norms. The norms of an added block belong to the
block.

## How it is decided
The layers of both networks, as a rerun saw them in one forward pass, are paired by order, kind,
scale and kernel; the norms behind each pair are compared. It is an asymmetry if both sides declare
it so, an omission if not, a mismatch if declared otherwise. Apart from that, final evaluations on
examples nothing was trained on: if those of the method normalise by their own batches (training
mode, or no running statistics) and the baseline's do not, this is major; if both do, a note.
Networks of which less than half is alike are for a reviewer.

## How to fix
Use the same norms in both; evaluate with running statistics.

## Source
Trick 3.5 of the hzwer list: add BN where there is none, remove it where there is; there are GN, IN,
LN and WN to swap with.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison
from repcheck.errors import Missing
from repcheck.facts.networks import Networks
from repcheck.modified import modified
from repcheck.rule import Answer, Flagged, Kind, Outcome, Severity, Undetermined, rule


@rule("RC305", Severity.MINOR, factors=("norm",))
def check(comparison: Comparison, networks: Networks) -> Answer:
    by_batch = _by_batch(comparison, networks)
    try:
        norms = modified(comparison, networks, "norm", "another norm behind one layer")
    except Missing as missing:
        if not by_batch:
            raise
        message = "whether both are normalised alike cannot be told"
        norms = [
            Undetermined(message=message, reason=missing.reason, would_decide=missing.would_decide)
        ]
    return [*norms, *by_batch]


def _by_batch(comparison: Comparison, networks: Networks) -> list[Outcome]:
    """Return what evaluation by the test batch's statistics gives; nothing where none was seen."""
    ours, theirs = comparison.method, comparison.baseline
    try:
        mine, passes = networks.batch_statistics(ours, comparison.dataset)
    except Missing:
        return []  # the mode of an evaluation that was not seen accuses nobody
    if not mine:
        return []
    words = (
        f"`{ours.id}` was evaluated with the statistics of the test batch in {mine} of {passes} "
        "final evaluations: each prediction depends on the examples beside it"
    )
    seen = networks.source(ours, "evaluated by batch statistics", mine, comparison.dataset)
    try:
        other, _ = networks.batch_statistics(theirs, comparison.dataset)
    except Missing as missing:
        return [
            Undetermined(
                message=f"{words}; of `{theirs.id}` it is not known",
                reason=missing.reason,
                would_decide=missing.would_decide,
                seen=seen,
            )
        ]
    declared = ours.eval.mode.get("eval") == "train"
    return [
        Flagged(
            message=f"{words}, as is `{theirs.id}`" if other else f"{words}; `{theirs.id}` was not",
            kind=Kind.ASYMMETRY if declared or other else Kind.OMISSION,
            severity=Severity.NOTE if other else Severity.MAJOR,
            seen=seen,
            at=ours.eval.mode.place,
            fix="Evaluate with running statistics, for a batch of one as for any other.",
        )
    ]
