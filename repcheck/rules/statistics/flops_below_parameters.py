"""A model's forward FLOPs are fewer than its parameters allow.

## What it catches
A cost per example below one operation per parameter. A dense layer spends two operations on each
weight (one on a bias), a convolution more: a smaller number comes from another model, another
unit, or a part that was not counted.

## When it is legitimate
Embedding tables, experts that are not used for each example, sparse or shared-out weights: their
parameters cost nothing. Language models are therefore left out, and models whose name, parts or
task speak of embeddings, experts, sparsity or recommendation. A cost in multiply-adds is half as
many operations: the finding says so where that explains it.

## How it is decided
Declared FLOPs (multiply-adds doubled) against declared parameters. Below one operation a parameter:
minor. Without a stated convention the cost is read as multiply-adds, which favours the authors.

## How to fix
State the unit (`flops_convention: macs`) and the input size, and count the whole model.

## Source
hzwer 1.6; a matrix of n parameters costs 2 n operations
"""

from __future__ import annotations

import re

from repcheck.budget import figure
from repcheck.claims.comparison import dataset_named
from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Part, Severity, rule

# Parameters that an example may leave unused, by the words with which authors name them.
_SPARSE = re.compile(
    r"embed|expert|\bmoe\b|sparse|recommend|\bctr\b|click|collaborative|retriev|lookup|hash"
)


@rule("RC905", Severity.MINOR, part=Part.FORENSIC)
def check(method: Method, table: Table) -> Answer:
    model, cost = method.model, method.model.flops
    if model.absent:
        return NotApplicable(message="no model of its own")
    if cost.value.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{cost.place.path}`")
    params, flops = model.params.value, cost.value.value
    if cost.per.get("example") != "example" or cost.scope.get("forward") != "forward":
        return NotApplicable(message="the cost is not that of one example's forward pass")
    if method.prompt.declared or method.train.sequence_length.known or method.train.tokens.known:
        return NotApplicable(message="a language model's embeddings cost no operations")
    if _SPARSE.search(_described(method, table)):
        return NotApplicable(message="not every parameter takes part in every example, as named")
    convention = cost.convention.get("") or model.flops_convention.get("")  # type: ignore[arg-type]
    certain = convention == "flops" or "mac" in cost.value.unit.lower()
    most = flops if certain else 2 * flops
    seen = (
        Quantity(
            name="FLOPs of one example", value=flops, unit="FLOPs", level=Level.FORENSIC,
            source=str(cost.value.place),
        ),
        Quantity(
            name="parameters", value=params, level=Level.FORENSIC, source=str(model.params.place)
        ),
    )  # fmt: skip
    if most >= params:
        return Cleared(
            message=f"{figure(flops)} FLOPs can pass through {figure(params)} parameters",
            seen=seen,
            limit="would have seen less than one operation a parameter",
        )
    explained = 2 * most >= params
    return Flagged(
        message=f"{figure(flops)} FLOPs for {figure(params)} parameters: "
        f"{most / params:.2g} operations a parameter, a dense layer takes 2"
        + ("; the unit looks like multiply-adds" if explained else ""),
        kind=Kind.MISMATCH,
        severity=Severity.NOTE if explained else Severity.MINOR,
        seen=seen,
        at=cost.value.place,
    )


def _described(method: Method, table: Table) -> str:
    """Return the words in which the authors name the model, its parts and its task."""
    model, dataset = method.model, dataset_named(table.claims, method.dataset.get(""))
    parts = [part.name.get("") for part in method.components or ()]
    words = (method.id, model.entry.get(""), model.variant.get(""), dataset.task.get(""), *parts)
    return " ".join(words).lower().replace("_", " ")
