"""A step took other samples than the declared batch, accumulation and devices make.

## What it catches
A batch size in the paper that the code does not use, or gradient accumulation that nobody
mentions: at a length in iterations, four accumulated passes are four times the data.

## When it is legitimate
The samples of a step are the same, split otherwise (64 as 4 x 16); the batch is the whole training
set; a sample enters in several views; the rerun had fewer devices than the paper.

## How it is decided
The median of the samples of a step over all devices and passes, beside `batch_size`, `grad_accum`
and `devices` as declared. More than 2 % apart is minor, more than 10 % major. Accumulation or
devices that are not declared are an omission where the length is stated in iterations and more
samples were seen for it. What is to the disadvantage of the method, or to the advantage of a
baseline, is a note.

## How to fix
State the batch per device, the accumulated passes and the devices as they are run.

## Source
Trick 1.1 of the hzwer list: enlarge the batch size and pretend the iteration counts are aligned.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.facts.agreement import Agreement, Line
from repcheck.finding import as_declared, conservative
from repcheck.rule import Answer, Flagged, Kind, Severity, rule

KEYS = ("train.batch_size", "train.grad_accum", "train.devices")


@rule("RC101b", Severity.MAJOR)
def check(method: Method, agreement: Agreement) -> Answer:
    hidden = [
        line
        for line in agreement.of(method)
        if line.key in KEYS and line.state == "undeclared" and line.gain > 0
    ]
    answers = as_declared(
        method, agreement, KEYS, "a batch that is 2 % larger or smaller, one more pass or device"
    )
    found = [answer for answer in answers if isinstance(answer, Flagged)]
    if found:  # the factors make one number, the samples of a step: one finding
        weighty = [one for one in found if one.severity is not Severity.NOTE]
        return (weighty or found)[:1]
    if hidden:
        return [_omission(method, agreement, line) for line in hidden[:1]]
    return answers


def _omission(method: Method, agreement: Agreement, line: Line) -> Flagged:
    batch = agreement.line(method, KEYS[0])
    step = f": {batch.observed}, and {batch.declared} is declared" if batch else ""
    words = (
        f"`{line.key}` of `{method.id}` is not declared, and {line.observed} were observed{step}"
    )
    assert line.quantity is not None
    if agreement.side(method) == "baseline":
        return conservative(words, line.quantity, line.place)
    return Flagged(message=words, kind=Kind.OMISSION, seen=line.quantity, at=line.place)
