"""The report's part on methods: what each declares, what was seen of it, how its training went."""

from __future__ import annotations

from typing import Any

from repcheck.budget import stated_budget
from repcheck.claims.model import Claims, Method
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Evidence, Quantity
from repcheck.facts.agreement import Agreement, Line
from repcheck.facts.work import Seen, Unit, Work
from repcheck.report_traces import traces

MOST_TRACED = 20
UNITS: tuple[Unit, ...] = ("steps", "samples", "epochs")

Json = dict[str, Any]


def quantity(measured: Quantity) -> Json:
    """Return a quantity as the report carries it."""
    return {
        "name": measured.name,
        "value": measured.value,
        "unit": measured.unit,
        "level": measured.level.value,
        "source": measured.source,
    }


def methods(evidence: Evidence) -> list[Json]:
    """Return every method of the claims file."""
    claims = evidence.claims
    traced = _traced(claims)
    work = evidence.get(Work)
    return [
        {
            "id": method.id,
            "role": method.role.get("baseline") if method.role.known else "undeclared",
            "declared": [
                {"key": key, "value": str(leaf), "where": leaf.disclosure.where}
                for key, leaf in method.written()
                if key != "extends"
            ],
            "observed": _observed(evidence, method),
            "budget": _budget(work, method),
            "traces": traces(method.id, evidence.runs) if method.id in traced else {},
        }
        for method in claims.methods.values()
    ]


def _traced(claims: Claims) -> set[str]:
    """Return the methods whose curves are kept, those that claims are about before all others."""
    asked = [
        name
        for claim in claims.claims
        for name in (claim.method.get(""), *claim.baselines.get(()))
        if name in claims.methods
    ]
    return set(list(dict.fromkeys([*asked, *claims.methods]))[:MOST_TRACED])


def _observed(evidence: Evidence, method: Method) -> list[Json]:
    """Return the lines of a method; none where nothing was run."""
    try:
        agreement = evidence.get(Agreement)
    except Missing:
        return []
    return [_line(line) for line in agreement.of(method)]


def _line(line: Line) -> Json:
    measured = line.quantity
    return {
        "key": line.key,
        "declared": line.declared,
        "observed": line.observed,
        "state": line.state,
        "ratio": line.size,
        "level": measured.level.value if measured else None,
        "source": measured.source if measured else "",
        "why": line.why,
    }


def _budget(work: Work, method: Method) -> Json:
    """Return the training work, as seen or else as stated; `declared` is what was stated."""
    seen = work.of(method)
    stated = Seen(method=method.id, budget=stated_budget(work.claims, method))
    found: Json = {}
    for unit in UNITS:
        try:
            declared = stated.value(unit) if stated.has(unit) else None
            found[unit] = quantity(seen.quantity(unit)) | {"declared": declared}
        except Missing as missing:
            found[unit] = {"value": None, "reason": missing.would_decide}
        except Inapplicable as nothing:
            found[unit] = {"value": None, "reason": str(nothing)}
    return found
