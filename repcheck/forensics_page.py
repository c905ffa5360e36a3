"""Number forensics of a bare results table, as a person reads it or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from repcheck import __version__, bare_checks, bare_counts, bare_patterns
from repcheck.bare_checks import Bare, Check, Said
from repcheck.bare_table import BareTable, read_table
from repcheck.visible import line

CHECKS: tuple[Check, ...] = (
    bare_checks.bounds,
    bare_checks.ranges,
    bare_counts.shares,
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
_TALLY = (*_WEIGHTS, "held", "not_testable")
_MOST_TOLD, _MOST_WHY = 10, 3
_NEEDS = {
    "bounds": "no column is a score by its name (accuracy, F1, AUC, ...)",
    "ranges": "no mean stands beside min and max, or ci_low and ci_high",
    "counts": "no column counts right answers by its name (accuracy, top-1, exact match)",
    "seeds": "no seeds are listed (a column per_seed)",
    "relations": "no two metrics of one method say something about each other",
    "p-values": "no p-value (a column p)",
    "averages": "no column is called average",
    "ranks": "no column is called rank",
    "bold": "no column has both bold numbers and others",
    "gains": "no gain stands behind a number, as in `93.4 (+1.2)`",
    "repetitions": "no spread stands in three cells, no gain on three columns, no row twice",
    "digits": "no numbers",
}
CHECK_NAMES = tuple(_NEEDS)
"""Every check, in the order in which they are asked."""


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
    weighed = Counter(answer.severity for answer in found)
    words = {"note": "note" if weighed["note"] == 1 else "notes"}
    counts = ", ".join(f"{weighed[key]} {words.get(key, key)}" for key in _WEIGHTS if weighed[key])
    yield f"  found: {counts or 'nothing'}"
    held = Counter(answer.check for answer in answers if _state(answer) == "held")
    if held:
        yield "  hold: " + ", ".join(f"{check} {count}" for check, count in held.items())
    yield from _told(answers)
    yield from _left_out(table)
    yield from _untested(answers)


def _told(answers: Sequence[Said]) -> Iterator[str]:
    told = [answer for answer in answers if answer.told]
    for answer in told[:_MOST_TOLD]:
        yield f"  implied: {line(answer.name)}: {line(answer.message)}"
    if len(told) > _MOST_TOLD:
        yield f"  implied: and the seeds of {len(told) - _MOST_TOLD} more"


def _left_out(table: BareTable) -> Iterator[str]:
    """Say of what stands in the table and was not reckoned with."""
    exact = [entry.cell for entry in table.entries if entry.cell.inexact and entry.cell.value]
    if exact:
        marks = ", ".join(f"{one.inexact}{one.value.text}" for one in exact[:4] if one.value)
        yield f"  bounds and estimates, not reckoned with: {len(exact)} ({line(marks)})"
    if empty := _empty(table):
        shown = dict.fromkeys(empty)
        words = ", ".join(f"`{text}`" if text else "blank" for text in list(shown)[:6])
        yield f"  cells without a number: {len(empty)} ({line(words)})"
    if table.unread:
        yield f"  columns that were not read: {line(', '.join(table.unread))}"


def _empty(table: BareTable) -> list[str]:
    return [entry.cell.empty for entry in table.entries if entry.cell.value is None]


def _untested(answers: Sequence[Said]) -> Iterator[str]:
    """End with what could not be tested, and what would let it."""
    yield "  not tested:"
    for name in CHECK_NAMES:
        why = Counter(a.message for a in answers if a.check == name and a.not_testable)
        for message, count in list(why.items())[:_MOST_WHY]:
            yield f"    {name}: {count} not testable: {line(message)}"
        if not any(answer.check == name for answer in answers):
            yield f"    {name}: nothing to test: {_NEEDS[name]}"


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
        yield name, {key: states[key] for key in _TALLY} | {"why": list(why)[:3]}


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
        "nothing_to_test": [
            {"check": name, "why": why}
            for name, why in _NEEDS.items()
            if not any(answer.check == name for answer in answers)
        ],
        "implied": [
            {"name": a.name, "line": a.place.line, "message": a.message}
            for a in answers
            if a.told and a.place
        ],
        "no_number": len(_empty(table)),
        "not_exact": sum(bool(entry.cell.inexact) for entry in table.entries),
        "columns_not_read": list(table.unread),
    }
    return json.dumps(content, indent=2) + "\n"
