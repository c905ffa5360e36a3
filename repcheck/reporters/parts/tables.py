"""Tables of the page: declared beside observed, method beside method; undeclared facts; runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from repcheck.reporters.parts import text

Json = Mapping[str, Any]
METHODS_A_TABLE = 5
METHODS_BESIDE = 3  # each with two columns
MOST_METHODS = 20
MOST_RUNS = 200
MOST_UNDECLARED = 100
_SAID_ONCE = 3  # a reason that so many lines share stands below the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of one method: what it declares (empty: undeclared) and what was seen of it.

    `state` is that of the observed line, or empty where nobody looks.
    """

    declared: str = ""
    where: str = ""
    derived: bool = False
    observed: str = ""
    state: str = ""
    level: str = ""
    source: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One key, in every method of the table."""

    key: str
    entries: tuple[Entry, ...]
    differs: bool

    @property
    def off(self) -> bool:
        """Whether a method was seen to do other than it declares."""
        return any(one.state == "differs" for one in self.entries)

    @property
    def agreed(self) -> bool:
        """Whether there is nothing to read here: all alike, and as declared where seen."""
        alike = len({(one.declared, one.observed) for one in self.entries}) == 1
        apart = any(one.state in {"differs", "unit"} or one.derived for one in self.entries)
        return alike and not apart

    @property
    def seen(self) -> bool:
        """Whether this was seen of every method."""
        return all(one.observed for one in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Some methods beside each other; `beside` where anything was seen of any method at all."""

    methods: tuple[Json, ...]
    beside: bool
    lines: tuple[Line, ...]
    agreed: tuple[Line, ...]
    notes: tuple[tuple[str, int, str], ...]

    @property
    def folded(self) -> str:
        """Return what the folded lines are."""
        said = text.count(len(self.agreed), "line")
        said += " on which they agree" if len(self.methods) > 1 else " more"
        unseen = sum(not line.seen for line in self.agreed)
        return f"{said}, {unseen} of them not observed" if self.beside and unseen else said


def matrices(methods: Sequence[Json]) -> tuple[list[Matrix], int]:
    """Return the methods in tables that fit a page, and how many methods were left out."""
    shown = list(methods[:MOST_METHODS])
    entries = [_entries(method) for method in shown]
    beside = any(one.observed for mine in entries for one in mine.values())
    step = METHODS_BESIDE if beside else METHODS_A_TABLE
    made = [
        _matrix(shown[at : at + step], entries[at : at + step], beside=beside)
        for at in range(0, len(shown), step)
    ]
    return made, len(methods) - len(shown)


def _matrix(
    methods: Sequence[Json], entries: Sequence[Mapping[str, Entry]], *, beside: bool
) -> Matrix:
    notes: list[tuple[str, int, str]] = []
    told = []
    for method, mine in zip(methods, entries, strict=True):
        whys = Counter(one.why for one in mine.values() if one.state == "unseen" and one.why)
        often = {why for why, times in whys.items() if times >= _SAID_ONCE}
        notes += [(method["id"], whys[why], why) for why in whys if why in often]
        told.append(
            {key: replace(one, why="") if one.why in often else one for key, one in mine.items()}
        )
    lines = [_line(key, told) for key in dict.fromkeys(key for one in entries for key in one)]
    opened = [line for line in lines if not line.agreed]
    return Matrix(
        methods=tuple(methods),
        beside=beside,
        lines=tuple(sorted(opened, key=lambda line: not (line.off or line.entries[0].derived))),
        agreed=tuple(line for line in lines if line.agreed),
        notes=tuple(notes),
    )


def _line(key: str, methods: Sequence[Mapping[str, Entry]]) -> Line:
    row = tuple(one.get(key, Entry()) for one in methods)
    declared, observed = ({one.declared for one in row}, {one.observed for one in row})
    return Line(key=key, entries=row, differs=len(declared - {""}) > 1 or len(observed - {""}) > 1)


_SAID_WITH_IT = ("value", "convention")  # of `model.flops`, which the line of the whole compares
_ELSEWHERE = {"role", "train.command", "eval.command"}  # the head of the table, and every run


def _entries(method: Json) -> dict[str, Entry]:
    """Return a method's budget, then every key it declares or was seen at, what was seen last."""
    found = {name: _amount(measured) for name, measured in (method.get("budget") or {}).items()}
    for one in method["declared"]:
        if one["key"] not in _ELSEWHERE:
            found[one["key"]] = Entry(declared=str(one["value"]), where=one.get("where") or "")
    for one in method.get("observed") or ():
        stated = found.get(one["key"], Entry())
        found[one["key"]] = replace(
            stated,
            declared=stated.declared or str(one["declared"]),
            observed=str(one["observed"]),
            state=str(one["state"]),
            level=str(one.get("level") or ""),
            source=str(one.get("source") or ""),
            why=str(one.get("why") or ""),
        )
        for part in _SAID_WITH_IT:
            found.pop(f"{one['key']}.{part}", None)
        whole = one["key"].rpartition(".")[0]
        if whole in found and found[whole] == Entry(declared=str(one["declared"])):
            del found[whole]  # `tta: none` is what the line `tta.views` is about
    return found


def _amount(measured: Json | None) -> Entry:
    """Return a line of the budget, on the side on which it is known."""
    value = measured.get("value") if measured else None
    if measured is None or value is None:
        return Entry(derived=True)
    level = str(measured.get("level") or "declared")
    if level == "declared":
        return Entry(declared=text.number(value), derived=True, level=level)
    stated = measured.get("declared")
    return Entry(
        declared="" if stated is None else text.number(stated),
        observed=text.number(value),
        derived=True,
        state="same",
        level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """The runs of the page: all that failed and some that did not."""

    failed: tuple[Json, ...]
    more_failed: int
    ok: tuple[Json, ...]
    more_ok: int
    total: int
    attempts: int
    again: int


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
        again=sum(bool(run.get("replicate")) for run in every),
    )
