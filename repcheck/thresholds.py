"""Thresholds that a person changes on the command line: never from the artifact or its claims."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repcheck import rules
from repcheck.claims.source import read_plain
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
    given = read_plain(path)
    if not isinstance(given, dict):
        raise UsageError(f"{path}: expected a mapping like `RC103: {{slack: 0.1}}`")
    known = rules.load()
    return {code: _options(path, known.get(code), code, values) for code, values in given.items()}


def _options(path: Path, rule: Rule | None, code: str, values: object) -> Mapping[str, Any]:
    if rule is None:
        raise UsageError(f"{path}: {code}: no such rule; `repcheck rules` lists them")
    if not isinstance(values, dict):
        raise UsageError(f"{path}: {code}: expected its thresholds, like `{{slack: 0.1}}`")
    for name, value in values.items():
        if name not in rule.options:
            have = ", ".join(rule.options) or "none"
            raise UsageError(f"{path}: {code}: no threshold {name!r}; it has: {have}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{path}: {code}.{name}: expected a number, not {value!r}")
    return values


def changed(known: Mapping[str, Rule], thresholds: Thresholds) -> list[dict[str, Any]]:
    """Return the thresholds that differ from the defaults, as the report's first page shows."""
    return [
        {"rule": code, "option": name, "value": value, "default": known[code].options[name]}
        for code, values in thresholds.items()
        for name, value in values.items()
        if value != known[code].options[name]
    ]
