"""The report's part on budgets: what each method takes, in one currency, beside its baseline.

A cell is `{value, unit, text, how, level, source, declared, at_least, span}`, or `{value: null,
reason}`. `how` is observed (counted in a rerun), declared (as the authors write it) or derived
(converted from what they declare, or from counts and declared numbers together). A ratio is the
method's over its baseline's, `{ratio, method, baseline}` with both numbers, or `{ratio: null,
reason}`: costs have one only where both were measured or both are declared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from repcheck.amount import FLOPS, SECONDS, Amount, printed
from repcheck.budget import figure, stated_budget
from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Method
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Evidence
from repcheck.facts.costs import Costs
from repcheck.facts.work import Seen, Unit, Work

Json = dict[str, Any]
How = Literal["observed", "declared", "derived"]
INCLUDED = (
    "Training FLOPs are those of one sample (forward, backward, recomputed activations, teachers "
    "and other networks asked beside it) times the samples seen, and those of the optimizer's "
    "steps; a search over hyperparameters or architectures is not in them. Inference FLOPs are of "
    "all modules and views of one evaluated example. One multiply-accumulate is two FLOPs; only "
    "matrix operations count."
)
UNITS: tuple[Unit, ...] = ("steps", "samples", "tokens")
AFTER: tuple[Unit, ...] = ("train_flops", "inference_flops")
COSTS = frozenset({"train_flops", "inference_flops", "params", "wall"})
MOST = 200


def budget(evidence: Evidence) -> Json:
    """Return the budgets of all methods and the ratios of every comparison."""
    claims = evidence.claims
    work, costs = evidence.get(Work), evidence.get(Costs)
    made = [one for one in comparisons(claims) if one.method.id != one.baseline.id][:MOST]
    datasets = {side.id: one.dataset for one in made for side in (one.method, one.baseline)}
    return {
        "included": INCLUDED,
        "methods": [
            {
                "id": method.id,
                "role": method.role.get("baseline") if method.role.known else "undeclared",
                "cells": _cells(work, costs, method, datasets.get(method.id, "")),
            }
            for method in list(claims.methods.values())[:MOST]
        ],
        "comparisons": [_comparison(work, costs, one) for one in made],
    }


def _cells(work: Work, costs: Costs, method: Method, dataset: str) -> dict[str, Json]:
    seen = work.of(method, dataset=dataset)
    stated = Seen(method=method.id, budget=stated_budget(work.claims, method, dataset=dataset))
    found: dict[str, Json] = {unit: _cell(seen, stated, unit) for unit in UNITS}
    found["epochs"] = _in_epochs(seen, stated)
    found["effective_epochs"] = _cell(seen, stated, "epochs")
    found |= {unit: _cell(seen, stated, unit) for unit in AFTER}
    found["params"] = _asked(lambda: _size(costs, method))
    found["wall"] = _cell(seen, stated, "wall")
    if found["tokens"]["value"] is None:
        del found["tokens"]
    return found


def _asked(ask: Callable[[], Json]) -> Json:
    try:
        return ask()
    except Missing as missing:
        return {"value": None, "reason": missing.would_decide}
    except Inapplicable as nothing:
        return {"value": None, "reason": str(nothing)}


def _cell(seen: Seen, stated: Seen, unit: Unit) -> Json:
    def ask() -> Json:
        amount = seen.amount(unit)
        declared = stated.value(unit) if stated.has(unit) else None
        return _of(amount, _how(seen, unit), declared, seen.quantity(unit).source)

    return _asked(ask)


def _in_epochs(seen: Seen, stated: Seen) -> Json:
    """Return the length in epochs as the authors count them, where they do."""

    def ask() -> Json:
        if stated.amount("length").unit != "epochs":
            raise Inapplicable("the length is not stated in epochs")
        return _cell(seen, stated, "length")

    return _asked(ask)


def _how(seen: Seen, unit: Unit) -> How:
    if unit in seen.budget.counted:
        return "observed"
    made_of = seen.amount(unit).made_of
    converted = any(f" {sign} " in made_of for sign in "x/+")
    return "derived" if converted or unit in seen.budget.mixed else "declared"


def _of(amount: Amount, how: How, declared: float | None, source: str) -> Json:
    return {
        "value": amount.value,
        "unit": amount.unit,
        "text": _text(amount),
        "how": how,
        "level": "observed" if how == "observed" else "declared",
        "source": source,
        "declared": declared,
        "at_least": amount.at_least,
        "span": amount.span,
    }


def _text(amount: Amount) -> str:
    """Return the number as a table shows it, whose head names the unit."""
    if amount.unit.startswith(FLOPS):
        return printed(amount.value, FLOPS)
    return printed(amount.value, amount.unit if amount.unit == SECONDS else "")


def _size(costs: Costs, method: Method) -> Json:
    cost = costs.params(method)
    made, declared = cost.quantity, method.model.params
    return {
        "value": cost.value,
        "unit": cost.unit,
        "text": figure(cost.value),
        "how": "observed" if cost.measured else "declared",
        "level": made.level.value,
        "source": made.source,
        "declared": declared.value if declared.known else None,
        "at_least": cost.at_least,
        "span": "",
    }


def _comparison(work: Work, costs: Costs, one: Comparison) -> Json:
    ours = _cells(work, costs, one.method, one.dataset)
    theirs = _cells(work, costs, one.baseline, one.dataset)
    return {
        "method": one.method.id,
        "baseline": one.baseline.id,
        "dataset": one.dataset,
        "claims": [claim.id.get("-") for claim in one.claims],
        "ratios": {unit: _ratio(unit, ours[unit], theirs[unit]) for unit in ours if unit in theirs},
    }


def _ratio(unit: str, ours: Json, theirs: Json) -> Json:
    if ours["value"] is None or theirs["value"] is None:
        return {"ratio": None, "reason": "one of the two is not known"}
    if not theirs["value"]:
        return {"ratio": None, "reason": "the baseline's is zero"}
    if unit in COSTS and (ours["how"] == "observed") != (theirs["how"] == "observed"):
        return {"ratio": None, "reason": "one is measured and the other as declared"}
    if theirs["at_least"]:
        return {"ratio": None, "reason": "the baseline's is a lower bound"}
    return {
        "ratio": ours["value"] / theirs["value"],
        "method": ours["value"],
        "baseline": theirs["value"],
        "at_least": ours["at_least"],
    }
