"""A claim rests on examples that were picked.

## What it catches
A claim whose evidence are figures of chosen examples, above all where the method's numbers in the
same paper are the worse ones.

## When it is legitimate
Figures may illustrate: a caption "hand-picked" is honest, and so are deliberately shown failures.
Only a claim that rests on figures (`type: qualitative`) is asked.

## How it is decided
The declared `selection` of the figures and the method's rows beside its baselines'. Per-example
gains are not computed yet.

## How to fix
Show random examples with their seed, add failure cases, and let the claim rest on a number.

## Source
hzwer 5.12
"""

from __future__ import annotations

from repcheck.claims.comparison import dataset_of
from repcheck.claims.model import Claim, Qualitative
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.table import Table
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Severity, rule

_A_NUMBER = NotApplicable(message="the claim rests on no figure")


@rule("RC512", Severity.MINOR)
def check(claim: Claim, table: Table) -> Answer:
    if not claim.type.known or claim.type.value != "qualitative":
        return _A_NUMBER
    figures = table.claims.qualitative
    if not figures:
        key = table.claims.place.join("qualitative")
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{key}` (the figures and their selection)")
    picks = [_selection(figure) for figure in figures]
    seen = Quantity(
        name="figures of random examples",
        value=sum(pick == "random" for pick in picks),
        source=str(figures[0].place),
    )
    losses = _losses(claim, table)
    if all(pick == "chosen" for pick in picks):
        names = ", ".join(figure.figure.get("a figure") for figure in figures)
        against = f", and its numbers are worse: {losses}" if losses else ""
        return Flagged(
            message=f"the claim rests on chosen examples alone ({names}){against}",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR,
            seen=seen,
            at=figures[0].selection.place,
        )
    if losses:
        return Flagged(
            message=f"the claim rests on figures, and its numbers are worse: {losses}",
            kind=Kind.UNSUPPORTED,
            seen=seen,
            at=claim.place,
        )
    return Cleared(
        message="random or failing examples are shown too", seen=seen, limit="the authors' words"
    )


def _selection(figure: Qualitative) -> str:
    return figure.selection.value


def _losses(claim: Claim, table: Table) -> str:
    """Return where the method loses, if it loses to a baseline on all metrics they share."""
    method = table.claims.methods.get(claim.method.get(""))
    if method is None:
        return ""
    dataset = dataset_of(table.claims, claim, method)
    lost, shared = [], 0
    for name in claim.baselines.get(()):
        rivals = table.metrics_of(name, dataset)
        for metric, rows in table.metrics_of(method.id, dataset).items():
            if metric not in rivals or table.claims.metrics[metric].higher_is_better.undeclared:
                continue
            a, b = rows[0].centre, rivals[metric][0].centre
            if a.known and b.known:
                shared += 1
                higher = table.claims.metrics[metric].higher_is_better.value
                if (a.value < b.value) is higher and a.value != b.value:
                    lost.append(f"{metric} {a} against {b}")
    return "; ".join(lost) if lost and len(lost) == shared else ""
