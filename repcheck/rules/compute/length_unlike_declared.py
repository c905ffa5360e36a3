"""The training is longer, or for a baseline shorter, than declared.

## What it catches
Thirty epochs in the code and ten in the paper; a proposed method that resumes from a trained
checkpoint without saying so; a baseline that is stopped early and reported as trained in full.

## When it is legitimate
A last batch that is dropped or partial; iterations that count accumulated passes; several views of
a sample; an early stop that is declared; rows that are alike in the data.

## How it is decided
Steps, samples S and effective epochs S / U as counted in a rerun, beside the declared length in its
own unit (U: the different training samples). Of several ways to count one thing the nearest to the
declaration stands. More than 2 % apart and more than a batch an epoch is minor, more than 10 %
major. Where samples are repeated within a stated epoch, the difference is RC103b's. A checkpoint
from outside with an optimizer's or an epoch's state is a past that the length does not tell. What
is to the disadvantage of the method, or to the advantage of a baseline, is a note.

## How to fix
State the length that is run, in epochs and in steps, or run the stated one; rerun what depends on
it.

## Source
Trick 1.2 of the hzwer list: train more epochs without saying so.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.facts.agreement import Agreement, Line
from repcheck.finding import as_declared, conservative
from repcheck.rule import Answer, Flagged, Kind, Outcome, Severity, rule

KEYS = ("train.epochs", "train.iterations", "train.samples", "train.tokens", "train.env_steps")
PAST = "train.resumed_from"


@rule("RC102b", Severity.MAJOR)
def check(method: Method, agreement: Agreement) -> Answer:
    past = agreement.line(method, PAST)
    hidden: list[Outcome] = []
    if past is not None and past.state == "undeclared" and not method.pretrained.declared:
        hidden = [_resumed(method, agreement, past)]
    if hidden and not any(line.declared for line in agreement.of(method) if line.key in KEYS):
        return hidden
    limit = "2 % more or less training than declared, or a batch an epoch"
    return [*hidden, *as_declared(method, agreement, (*KEYS, PAST), limit)]


def _resumed(method: Method, agreement: Agreement, line: Line) -> Flagged:
    words = (
        f"`{method.id}` resumes from {line.observed}, which is not declared: the training behind "
        "it is not in the stated length"
    )
    assert line.quantity is not None
    if agreement.side(method) == "baseline":
        return conservative(words, line.quantity, line.place)
    return Flagged(message=words, kind=Kind.OMISSION, seen=line.quantity, at=line.place)
