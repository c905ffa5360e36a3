"""A claim rests on examples that were picked.

## What it catches
A claim whose evidence are figures of chosen examples, above all where the method's numbers in the
same paper are the worse ones; figures that are said to be random, or not said to be chosen, and
show the examples on which the method gains most.

## When it is legitimate
Figures may illustrate: a caption "hand-picked" is honest (`selection: chosen`: a note), and so are
deliberately shown failures. What is declared decides only for a claim that rests on figures
(`type: qualitative`).

## How it is decided
The declared `selection` of the figures and the method's rows beside its baselines'. After runs, the
gain of the method on every test example is taken from the predictions of all seeds of both methods
(likelihood of the right class where there are probabilities, share of seeds that are right, squared
error), and the mean gain of the shown `indices` is held against that of as many random examples
(all choices, or 19,999 drawn from a fixed seed). Where not even the highest could be told from
random ones, nothing is decided. Where fewer than one choice in a hundred lies as
high, it is minor, and major where the claim rests on figures alone; with `selection: random` it is
a mismatch. What random and what the worst examples would show is said beside it.

## How to fix
Show random examples with their seed, add failure cases, and let the claim rest on a number.

## Source
hzwer 5.12
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.comparison import dataset_of
from repcheck.claims.model import Claim, Qualitative
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.figures import SEED, WORDS, Figures, Placed, said
from repcheck.facts.table import Table
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
)

_A_NUMBER = NotApplicable(message="the claim rests on no figure")


@rule("RC512", Severity.MINOR)
def check(claim: Claim, table: Table, figures: Figures, *, rare: float = 0.01) -> Answer:
    alone = claim.type.known and claim.type.value == "qualitative"
    shown = table.claims.qualitative if figures.bears_on(claim) else ()
    measured = [one for figure in shown for one in _measured(claim, figure, figures, rare, alone)]
    found: list[Outcome] = [one for one in measured if isinstance(one, Flagged)]
    weighs = any(isinstance(one, Flagged) and one.severity is not Severity.NOTE for one in found)
    if not alone:
        return found or measured or _A_NUMBER
    if weighs:
        return found
    declared = _declared(claim, table)
    if isinstance(declared, Flagged):
        return [*found, declared]
    return found or measured or declared


def _measured(
    claim: Claim,
    figure: Qualitative,
    figures: Figures,
    rare: float,
    alone: bool,  # noqa: FBT001
) -> Iterator[Outcome]:
    """Judge a figure's examples by what was predicted of them."""
    how = figure.selection.content or ""
    if how == "worst":
        return
    try:
        placed = figures.place(claim, figure)
    except Missing as missing:
        if figure.indices.known and figures.predicted.runs:
            name = figure.figure.get("a figure")
            yield Undetermined(
                message=f"how the examples of {name} lie among all cannot be told",
                reason=missing.reason,
                would_decide=missing.would_decide,
            )
        return
    message = _words(figure, placed)
    seen = Quantity(
        name=f"p of the shown examples, {placed.shown.count} of {placed.shown.total}",
        value=placed.shown.p,
        level=Level.FORENSIC,
        source=placed.source,
    )
    if placed.least >= rare:
        yield Undetermined(
            message=f"{message}; the {placed.shown.count} of the highest gain would have p ="
            f" {placed.least:.2g}: no choice could be told from a random one",
            reason=Reason.UNDERPOWERED,
            would_decide="more examples, shown and in all, on which the methods differ",
            seen=seen,
        )
        return
    if placed.shown.p >= rare:
        yield Cleared(
            message=message,
            seen=seen,
            limit=f"would have seen p < {rare:g}; not a choice by anything else than the gain",
        )
        return
    severity = Severity.MAJOR if alone else Severity.MINOR
    yield Flagged(
        message=f"{message}{_stated(how)}",
        kind=Kind.MISMATCH if how == "random" else Kind.OMISSION,
        severity=Severity.NOTE if how == "chosen" else severity,
        seen=seen,
        at=figure.place,
        disclosed=figure.selection.disclosure.in_paper,
    )


def _stated(how: str) -> str:
    return {"random": "; they are said to be random", "chosen": "; they are said to be chosen"}.get(
        how, "; nothing says how they were selected"
    )


def _words(figure: Qualitative, placed: Placed) -> str:
    one, name = placed.shown, figure.figure.get("a figure")
    draws = f"all {one.splits:,} choices" if one.exact else f"{one.splits:,} draws, seed {SEED}"
    beside = said(
        {
            f"of the {one.count} shown": placed.wins,
            f"of {one.count} random ones": placed.random,
            f"of the {one.count} lowest": placed.worst,
        }
    )
    n = f"n = {placed.files[0]} + {placed.files[1]}"
    return (
        f"the {one.count} examples of {name} lie at the {one.low:.0f}th to {one.high:.0f}th "
        f"percentile of the method's gain in {WORDS[placed.by]} over {one.total} examples ({n}): "
        f"mean {one.gain:+.3g} against {one.mean:+.3g} of all, p = {one.p:.2g} for random ones "
        f"({draws}); {beside}"
    )


def _declared(claim: Claim, table: Table) -> Outcome:
    """Judge a claim that rests on figures by what is said of them."""
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
