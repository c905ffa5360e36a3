"""What ran is not the model, the data or the mode that the paper declares.

## What it catches
Another number of parameters, another size of the training set, mixed precision, or an evaluation in
training mode, beside a claims file that says otherwise.

## When it is legitimate
Another way to count (with frozen parts, heads or all modules together), a form that is folded for
deployment, rows that are alike, folds, a last batch that is dropped, mixed precision that is
switched on only where a GPU is.

## How it is decided
`model.params` within 5 % (or the printed digits) of any usual way to count the trained model;
`train.size` or `train.subset` beside the different samples trained on; `amp: false` beside an
observed autocast; `eval.mode` beside the mode of the last evaluation. Sizes up to 10 % apart are
minor, more is major. Batch, length, repeats, averages, the optimizer and the test set have rules of
their own.

## How to fix
Declare what is run, or run what is declared.

## Source
Declared against observed: the paper's own words, key by key, beside a rerun.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.facts.agreement import Agreement
from repcheck.finding import as_declared
from repcheck.rule import Answer, Severity, rule

KEYS = ("model.params", "train.amp", "train.subset", "eval.mode")
SIZE = "train.size"


@rule("RC912", Severity.MINOR, worst=Severity.MINOR)
def check(method: Method, agreement: Agreement) -> Answer:
    sizes = tuple(line.key for line in agreement.of(method) if line.key.endswith(SIZE))
    limit = "5 % of the parameters, 2 % of a size, any autocast, an evaluation in training mode"
    return as_declared(method, agreement, (*KEYS, *sizes), limit)
