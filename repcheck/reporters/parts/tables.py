"""Tables of the page: declared budgets side by side, undeclared facts, runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repcheck.reporters.parts import text

Json = Mapping[str, Any]
METHODS_A_TABLE = 5
MOST_METHODS = 20
MOST_RUNS = 200
MOST_UNDECLARED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one method declares of one key; an empty value is undeclared."""

    value: str
    where: str = ""
    derived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One key, in every method of the table."""

    key: str
    entries: tuple[Entry, ...]
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Some methods beside each other."""

    methods: tuple[Json, ...]
    lines: tuple[Line, ...]
    agreed: tuple[Line, ...]


def matrices(methods: Sequence[Json]) -> tuple[list[Matrix], int]:
    """Return the methods in tables that fit a page, and how many methods were left out."""
    shown = list(methods[:MOST_METHODS])
    made = [
        _matrix(shown[start : start + METHODS_A_TABLE])
        for start in range(0, len(shown), METHODS_A_TABLE)
    ]
    return made, len(methods) - len(shown)


def _matrix(methods: Sequence[Json]) -> Matrix:
    entries = [_entries(method) for method in methods]
    keys = dict.fromkeys(key for one in entries for key in one)
    lines: list[Line] = []
    agreed: list[Line] = []
    for key in keys:
        row = tuple(one.get(key, Entry(value="")) for one in entries)
        said = {entry.value for entry in row}
        line = Line(key=key, entries=row, differs=len(said - {""}) > 1)
        (agreed if len(said) == 1 and not row[0].derived else lines).append(line)
    return Matrix(methods=tuple(methods), lines=tuple(lines), agreed=tuple(agreed))


def _entries(method: Json) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name, measured in (method.get("budget") or {}).items():
        value = measured.get("value") if measured else None
        said = "" if value is None else text.number(value)
        found[name] = Entry(value=said, derived=True)
    for one in method["declared"]:
        if one["key"] == "role":
            continue  # stands in the head of the table
        found[one["key"]] = Entry(value=str(one["value"]), where=one.get("where") or "")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """The runs of the page: all that failed and some that did not."""

    failed: tuple[Json, ...]
    more_failed: int
    ok: tuple[Json, ...]
    more_ok: int
    total: int
    attempts: int


def run_table(runs: Iterable[Json]) -> RunTable:
    """Return the runs, the failed ones apart and first."""
    every = list(runs)
    failed = [run for run in every if run["status"] != "ok"]
    ok = [run for run in every if run["status"] == "ok"]
    return RunTable(
        failed=tuple(failed[:MOST_RUNS]),
        more_failed=max(0, len(failed) - MOST_RUNS),
        ok=tuple(ok[:MOST_RUNS]),
        more_ok=max(0, len(ok) - MOST_RUNS),
        total=len(every),
        attempts=sum(run.get("attempts") or 1 for run in every),
    )
