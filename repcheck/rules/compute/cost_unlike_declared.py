"""One call costs other FLOPs than the paper declares.

## What it catches
A cost table that was counted for a smaller input, a smaller network or a part of it; a counter that
knew nothing of attention; a baseline that is given more FLOPs than it takes.

## When it is legitimate
MACs printed as FLOPs; bias, normalisation and activation counted or left out; one view of several;
another input size that is named (`at_input`).

## How it is decided
`model.flops` beside the FLOPs of one evaluated example, over all modules that the evaluation
calls, and `model.train_flops_per_sample` beside those of a training sample, both counted while the
artifact ran: two for each multiply-accumulate, matrix operations alone, and whatever elementwise
operations may add. Of several ways to read a declaration the nearest stands. More than 2 % apart is
minor, more than 10 % major; twice or half is MACs. Where less than 99 % of the matrix operations
have a formula, the count is a lower bound, which may exceed a declaration and never confirms one.
What is to the disadvantage of the method, or to the advantage of a baseline, is a note.
Parameters are RC912's.

## How to fix
State the cost end to end, at the input of the experiments, and say FLOPs or MACs.

## Source
Trick 1.5 of the hzwer list: pile up compute wherever the field does not look at FLOPs or
parameters.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.facts.agreement import Agreement
from repcheck.finding import as_declared
from repcheck.rule import Answer, Severity, rule

KEYS = ("model.flops", "model.train_flops_per_sample")


@rule("RC105b", Severity.MAJOR)
def check(method: Method, agreement: Agreement) -> Answer:
    limit = "2 % more or fewer FLOPs than declared, however they are counted"
    return as_declared(method, agreement, KEYS, limit)
