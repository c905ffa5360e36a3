"""Thresholds that a person changes on the command line: never from the artifact or its claims."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repcheck import rules
from repcheck.claims.source import Scalar, Tree, decode, read_bytes, read_tree, scalar_value
from repcheck.errors import UsageError
from repcheck.rule import Rule

Thresholds = Mapping[str, Mapping[str, Any]]


def load_thresholds(path: Path | None) -> Thresholds:
    """Read `{RC103: {slack: 0.1}}`.

    Raises:
        UsageError: for a rule or a threshold that does not exist, or a value of another type.
    """
    if path is None:
        return {}
    tree = read_tree(decode(read_bytes(path, str(path)), str(path)), str(path))
    known = rules.load()
    return {
        code: _options(path, known.get(code), code, values) for code, values in tree.entries.items()
    }


def _options(path: Path, rule: Rule | None, code: str, values: object) -> Mapping[str, Any]:
    if rule is None:
        raise UsageError(f"{path}: {code}: no such rule; `repcheck rules` lists them")
    if not isinstance(values, Tree):
        raise UsageError(f"{path}: {code}: expected its thresholds, like `{{slack: 0.1}}`")
    return {
        name: _number(path, rule, name, value if isinstance(value, Scalar) else None)
        for name, value in values.entries.items()
    }


def _number(path: Path, rule: Rule, name: str, given: Scalar | None) -> int | float:
    if name not in rule.options:
        have = ", ".join(rule.options) or "none"
        raise UsageError(f"{path}: {rule.code}: no threshold {name!r}; it has: {have}")
    value = None if given is None else scalar_value(given)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{path}: {rule.code}.{name}: expected a number")
    return value


def changed(known: Mapping[str, Rule], thresholds: Thresholds) -> list[dict[str, Any]]:
    """Return the thresholds that differ from the defaults, as the report's first page shows."""
    return [
        {"rule": code, "option": name, "value": value, "default": known[code].options[name]}
        for code, values in thresholds.items()
        for name, value in values.items()
        if value != known[code].options[name]
    ]
