"""Number forensics of a bare results table, as a person reads it or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from repcheck import __version__, bare_checks, bare_patterns
from repcheck.bare_checks import Bare, Check, Said
from repcheck.bare_table import BareTable, read_table
from repcheck.visible import line

CHECKS: tuple[Check, ...] = (
    bare_checks.bounds,
    bare_checks.ranges,
    bare_checks.shares,
    bare_checks.seeds,
    bare_checks.relations,
    bare_checks.p_values,
    bare_patterns.averages,
    bare_patterns.ranks,
    bare_patterns.bold,
    bare_patterns.printed_gains,
    bare_patterns.repetitions,
    bare_patterns.digits,
)
CLEAN, FOUND = 0, 1
_WEIGHTS = ("major", "minor", "note")


def examined(file: Path, *, n_test: int | None, form: str) -> tuple[str, int]:
    """Check a table and return what is printed and the exit code (1: a finding above a note).

    Raises:
        InvalidTable: if the table cannot be read.
    """
    table = read_table(file)
    answers = answers_of(table, n_test or 0)
    found = [answer for answer in answers if answer.severity]
    text = _json(table, answers) if form == "json" else "\n".join(_lines(table, answers)) + "\n"
    return text, FOUND if any(one.severity != "note" for one in found) else CLEAN


def answers_of(table: BareTable, n_test: int = 0) -> list[Said]:
    """Return every answer of every check, in the order of the checks."""
    bare = Bare(table=table, n_test=n_test)
    return [answer for check in CHECKS for answer in check(bare)]


def _lines(table: BareTable, answers: Sequence[Said]) -> Iterator[str]:
    found = [answer for answer in answers if answer.severity]
    for answer in sorted(found, key=_order):
        at = f"{answer.place.line}:{answer.place.column}" if answer.place else "1:1"
        name = f"{answer.name}: " if answer.name else ""
        yield line(f"{table.file}:{at}: {answer.check} [{answer.severity}] {name}{answer.message}")
    yield line(f"{table.file}: {_form(table)}")
    for name, tally in _tallies(answers):
        counts = ", ".join(f"{tally[key]} {words}" for key, words in _TALLY if tally[key])
        yield f"  {name}: {counts}"
        yield from (f"    not testable: {line(why)}" for why in tally["why"])
    exact = [entry for entry in table.entries if entry.cell.inexact]
    if exact:
        marks = ", ".join(f"{one.cell.inexact}{one.cell.value.text}" for one in exact[:4] if
                          one.cell.value)  # fmt: skip
        yield f"  bounds and estimates, not reckoned with: {len(exact)} ({line(marks)})"
    if table.unread:
        yield f"  columns that were not read: {line(', '.join(table.unread))}"


_TALLY = (
    ("major", "major"), ("minor", "minor"), ("note", "noted"), ("held", "hold"),
    ("not_testable", "not testable"),
)  # fmt: skip


def _order(answer: Said) -> tuple[int, int, int]:
    place = answer.place
    return _WEIGHTS.index(answer.severity), place.line if place else 0, place.column if place else 0


def _form(table: BareTable) -> str:
    numbers = sum(entry.value is not None for entry in table.entries)
    methods = len({entry.method for entry in table.entries})
    return f"{numbers} numbers of {methods} methods, read as a {_shape(table)} table"


def _shape(table: BareTable) -> str:
    return "wide" if table.wide else "long"


def _tallies(answers: Sequence[Said]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in dict.fromkeys(answer.check for answer in answers):
        own = [answer for answer in answers if answer.check == name]
        states = Counter(_state(answer) for answer in own)
        why = dict.fromkeys(answer.message for answer in own if answer.not_testable)
        yield name, {key: states[key] for key, _ in _TALLY} | {"why": list(why)[:3]}


def _state(answer: Said) -> str:
    return "not_testable" if answer.not_testable else answer.severity or "held"


def _json(table: BareTable, answers: Sequence[Said]) -> str:
    findings = [
        {
            "check": answer.check,
            "severity": answer.severity,
            "reading": answer.reading,
            "name": answer.name,
            "line": answer.place.line if answer.place else None,
            "column": answer.place.column if answer.place else None,
            "message": answer.message,
        }
        for answer in sorted((one for one in answers if one.severity), key=_order)
    ]
    content = {
        "repcheck": {"version": __version__, "schema": 1},
        "file": table.file,
        "form": _shape(table),
        "numbers": sum(entry.value is not None for entry in table.entries),
        "findings": findings,
        "checks": [{"check": name, **tally} for name, tally in _tallies(answers)],
        "not_exact": sum(bool(entry.cell.inexact) for entry in table.entries),
        "columns_not_read": list(table.unread),
    }
    return json.dumps(content, indent=2) + "\n"
