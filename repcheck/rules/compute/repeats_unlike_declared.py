"""Each sample is drawn more often in a declared epoch than declared.

## What it catches
An inner loop that trains three times on each batch, a sampler that repeats, or an epoch that passes
three times over the data, in a paper that speaks of epochs: one of its epochs is three.

## When it is legitimate
The repeats are declared (`train.repeats: 3`); several views of a sample in one step; gradient
accumulation and checkpointing, which repeat nothing; sampling with replacement, with as many draws
as there are samples.

## How it is decided
Draws = S / (U x declared epochs), as counted in a rerun: S samples trained through, U different
ones. An epoch is one pass unless `repeats` or `steps_per_epoch` says otherwise. That these are
repeats, and not more epochs (RC102b), must show: steps on the samples of the step before, more
training samples than were drawn, a repeating sampler, or a learning rate or an evaluation that
moves as often as epochs are declared. More than 2 % and a batch an epoch is minor, more than 10 %
major.

## How to fix
Report effective epochs (samples seen / training samples), or declare `train.repeats`.

## Source
Trick 1.3 of the hzwer list: same number of epochs, but each sample is used several times, quietly
passing over more data.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.facts.agreement import Agreement
from repcheck.finding import as_declared
from repcheck.rule import Answer, Cleared, NotApplicable, Severity, rule

KEY = "train.repeats"
LIMIT = "2 % more draws than declared, or a batch an epoch"


@rule("RC103b", Severity.MAJOR)
def check(method: Method, agreement: Agreement) -> Answer:
    repeats, epochs = (agreement.line(method, key) for key in (KEY, "train.epochs"))
    if repeats is not None and repeats.declared:
        return as_declared(method, agreement, (KEY,), LIMIT)
    if not method.train.epochs.known:
        length = any(getattr(method.train, unit).known for unit in ("iterations", "samples"))
        if length:
            return NotApplicable(message=f"`{method.id}` states its length in no epochs")
    if epochs is not None and epochs.state == "differs":
        return NotApplicable(message=f"more epochs than declared, not repeats: {epochs.observed}")
    answers = as_declared(method, agreement, ("train.epochs",), LIMIT)
    if epochs is None or epochs.state != "same" or epochs.quantity is None:
        return answers
    return Cleared(
        message=f"a declared epoch of `{method.id}` is one pass over the data: {epochs.observed}",
        seen=epochs.quantity,
        limit=LIMIT,
    )
