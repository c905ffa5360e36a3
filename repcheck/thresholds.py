"""Thresholds that a person changes on the command line: never from the artifact or its claims."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from repcheck import rules
from repcheck.claims.problems import ClaimsError, nearest
from repcheck.claims.source import Scalar, Tree, decode, read_bytes, read_tree, scalar_value
from repcheck.errors import UsageError
from repcheck.rule import Rule
from repcheck.where import Where

Thresholds = Mapping[str, Mapping[str, Any]]
EXAMPLE = "YAML like `{RC103: {major: 1.5}}`"


def load_thresholds(path: Path | None) -> Thresholds:
    """Read `{RC103: {major: 1.5}}`.

    Raises:
        UsageError: for a rule or a threshold that does not exist, or a value of another type.
    """
    if path is None:
        return {}
    try:
        tree = read_tree(decode(read_bytes(path, str(path)), str(path)), str(path))
    except ClaimsError as unreadable:  # as a claims file it would be invalid; here it is an option
        problems = [f"{one.place}: {one.what}" for one in unreadable.problems]
        raise UsageError("\n".join([*problems, f"--thresholds: expected {EXAMPLE}"])) from None
    known = rules.load()
    return {
        code: _options(Where(str(path), *tree.marks[code], code), known, values)
        for code, values in tree.entries.items()
    }


def _options(place: Where, known: Mapping[str, Rule], values: object) -> Mapping[str, Any]:
    rule = known.get(place.path)
    if rule is None:
        hint = nearest(place.path.upper(), known) or "`repcheck rules` lists them"
        raise UsageError(f"{place}: {place.path}: no such rule; {hint}")
    if not isinstance(values, Tree):
        raise UsageError(f"{place}: {place.path}: its thresholds are missing; expected {EXAMPLE}")
    return {
        name: _number(Where(place.file, *values.marks[name], name), rule, value)
        for name, value in values.entries.items()
    }


def _number(place: Where, rule: Rule, given: object) -> int | float:
    name = place.path
    if name not in rule.options:
        have = ", ".join(rule.options) or "none"
        raise UsageError(f"{place}: {rule.code}: no threshold `{name}`; it has: {have}")
    value = scalar_value(given) if isinstance(given, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise UsageError(f"{place}: {rule.code}.{name}: expected a number")
    return value


def changed(known: Mapping[str, Rule], thresholds: Thresholds) -> list[dict[str, Any]]:
    """Return the thresholds that differ from the defaults, as the report's first page shows."""
    return [
        {"rule": code, "option": name, "value": value, "default": known[code].options[name]}
        for code, values in thresholds.items()
        for name, value in values.items()
        if value != known[code].options[name]
    ]
