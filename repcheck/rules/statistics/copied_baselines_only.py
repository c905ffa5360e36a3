"""A claim to the state of the art rests on copied numbers alone.

## What it catches
"State of the art" where every rival's number was copied from its own paper: other data, other
hardware, other tuning effort, and nobody ran the two side by side.

## When it is legitimate
Often it is all that can be done, and saying so is honest: this is a note, never more.

## How it is decided
The words of the claim and the declared `source` of each baseline's row, or of the baseline itself.

## How to fix
Rerun at least the strongest rival with its official code, or write "as published" beside its row.

## Source
Reviewing checklists of machine-learning conferences
"""

from __future__ import annotations

import re

from repcheck.claims.comparison import dataset_of
from repcheck.claims.model import Claim, Method
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Part, Severity, rule

_SOTA = re.compile(r"state[\s-]of[\s-]the[\s-]art|\bsota\b", re.IGNORECASE)
_COPIED = frozenset({"copied-from-paper", "copied", "third-party"})
_MODEST = NotApplicable(message="the claim does not speak of the state of the art")


@rule("RC910", Severity.NOTE, part=Part.FORENSIC, worst=Severity.NOTE)
def check(claim: Claim, table: Table) -> Answer:
    if not _SOTA.search(claim.text.get("")):
        return _MODEST
    method = table.claims.methods.get(claim.method.value)
    named = [table.claims.methods.get(name) for name in claim.baselines.value]
    rivals = [rival for rival in named if rival is not None]
    if method is None or not rivals:
        return NotApplicable(message="the claim names no baseline")
    sources = [_source(table, claim, rival) for rival in rivals]
    rerun = [r.id for r, s in zip(rivals, sources, strict=True) if s.get("") not in {"", *_COPIED}]
    seen = Quantity(
        name="baselines that were rerun",
        value=len(rerun),
        level=Level.FORENSIC,
        source=str(claim.place),
    )
    if rerun:
        words = f"{rerun[0]} was rerun"
        return Cleared(message=words, seen=seen, limit="would have seen copied numbers only")
    silent = next((r for r, s in zip(rivals, sources, strict=True) if not s.known), None)
    if silent is not None:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{silent.source.place.path}`")
    return Flagged(
        message="a claim to the state of the art, and every baseline is copied: "
        + ", ".join(rival.id for rival in rivals),
        kind=Kind.UNSUPPORTED,
        seen=seen,
        at=claim.text.place,
    )


def _source(table: Table, claim: Claim, rival: Method) -> Stated[str]:
    dataset = dataset_of(table.claims, claim, rival)
    for row in table.rows(rival.id, dataset, claim.metric.get("")):
        if row.source.kind.known:
            return row.source.kind  # type: ignore[return-value]
    return rival.source.kind  # type: ignore[return-value]
