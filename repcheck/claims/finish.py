"""What some sections say between their lines: `{best_of: 10}`, `"8 MACs"`, `claims` without ids."""

from __future__ import annotations

from typing import Any

from repcheck.claims.model import Chosen, Claims, Flops, Model
from repcheck.claims.problems import Problem
from repcheck.claims.stated import Section, Stated, declare
from repcheck.units import convention_of
from repcheck.where import Where

Found = dict[str, Any]


def finish(cls: type[Section], found: Found, place: Where) -> tuple[Found, list[Problem]]:
    """Return a section's fields with what follows from them, and what contradicts itself."""
    if cls is Chosen:
        return _chosen(found, place), []
    if cls is Flops:
        return _flops(found)
    if cls is Model:
        return _model(found), []
    return found, []


def _chosen(found: Found, place: Where) -> Found:
    if "best_of" in found and "how" not in found:
        leaf = found["best_of"]
        said = declare(("best-of", "best_of", ""), place["best_of"], leaf.disclosure)
        return {**found, "how": said}
    return found


def _flops(found: Found) -> tuple[Found, list[Problem]]:
    value: Stated[float] = found.get("value", Stated())
    printed = convention_of(value.unit)
    said = found.get("convention")
    if printed == "macs" and said is not None and said.get("macs") == "flops":
        what = f"`{value.text}` counts MACs and `convention` says flops"
        return found, [Problem(said.place, what, "one MAC is two FLOPs: say which it is")]
    if printed and said is None:
        leaf = declare((printed, value.unit, ""), value.place, value.disclosure)
        return {**found, "convention": leaf}, []
    return found, []


def _model(found: Found) -> Found:
    """Let `flops_convention` speak for figures whose own text does not say MACs."""
    said: Stated[str] | None = found.get("flops_convention")
    if said is None or not said.known:
        return found
    changed = dict(found)
    for name in ("flops", "train_flops_per_sample"):
        figure = found.get(name)
        if figure is not None and figure.declared and _open(figure):
            object.__setattr__(figure, "convention", said)
    return changed


def _open(figure: Flops) -> bool:
    convention = figure.convention
    printed = convention.place == figure.value.place  # read off the figure's own unit
    return convention.undeclared or (printed and convention.get("flops") == "flops")


def name_claims(claims: Claims) -> None:
    """Give claims without an id the next free one of C1, C2, ..."""
    taken = {claim.id.content for claim in claims.claims if claim.id.known}
    number = 0
    for claim in claims.claims:
        number += 1
        if claim.id.known:
            continue
        while f"C{number}" in taken:
            number += 1
        taken.add(f"C{number}")
        leaf = declare((f"C{number}", "", ""), claim.place["id"])
        object.__setattr__(claim, "id", leaf)
