"""Raw ratings of people: one row a judgement, as a csv file.

Scores: `rater,item,method,score` and, where the order is known, `position` (1, 2, ... or left,
right, or a, b). Preferences: `rater,item,preferred` (a method's id, or `tie`) and `left`, the
method that stood on the left or came first. Other columns are not looked at.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repcheck.tabular import SHOWN, Columns, Unreadable, columns

MOST_ROWS = 200_000
MOST_NAMES = 20_000
"""Raters and items together: as many numbers are drawn for each resampling."""
TIES = frozenset({"tie", "ties", "equal", "none", "same", "both", "0", ""})
_FIRST = {"left": 1, "right": 2, "a": 1, "b": 2, "first": 1, "second": 2, "top": 1, "bottom": 2}

Form = Literal["scores", "preferences"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One judgement: of one method (`score`), or between two (`method` is "" for a tie).

    `position` is the place at which the method was shown, from 1; of a preference it is the method
    that stood first in `first`. None and "" where the file does not say.
    """

    rater: str
    item: str
    method: str
    score: float = 0.0
    position: int | None = None
    first: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All judgements of a study, in the order of the file."""

    path: str
    form: Form
    rows: tuple[Rating, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods that are named, in order."""
        named = (name for row in self.rows for name in (row.method, row.first) if name)
        return tuple(dict.fromkeys(named))


def read(base: Path, path: str) -> Table:
    """Read the ratings below a folder.

    Raises:
        Unreadable: if they cannot be used, with the reason in words.
    """
    if not path.lower().endswith(".csv"):
        raise Unreadable(f"{path[:SHOWN]} is no .csv file")
    found = columns(base, path)
    if found.rows > MOST_ROWS:
        raise Unreadable(f"{path} has {found.rows:,} ratings; at most {MOST_ROWS:,} are read")
    names = len(set(found.get("rater"))) + len(set(found.get("item")))
    if names > MOST_NAMES:
        raise Unreadable(f"{path} has {names:,} raters and items; at most {MOST_NAMES:,} are read")
    who = zip(found.get("rater"), found.get("item"), strict=True)
    if any(not rater or not item for rater, item in who):
        raise Unreadable(f"{path}: a rating has no rater or no item")
    return _preferences(found) if "preferred" in found.cells else _scores(found)


def _preferences(found: Columns) -> Table:
    left = found.cells.get("left", [""] * found.rows)
    rows = tuple(
        Rating(rater=rater, item=item, method="" if said.casefold() in TIES else said, first=first)
        for rater, item, said, first in zip(
            found.get("rater"), found.get("item"), found.get("preferred"), left, strict=True
        )
    )
    _once([(row.rater, row.item) for row in rows], found.path)
    return Table(path=found.path, form="preferences", rows=rows)


def _scores(found: Columns) -> Table:
    places = found.cells.get("position", [""] * found.rows)
    rows = tuple(
        Rating(
            rater=rater,
            item=item,
            method=method,
            score=_number(score, found.path),
            position=_place(place, found.path),
        )
        for rater, item, method, score, place in zip(
            *(found.get(name) for name in ("rater", "item", "method", "score")),
            places,
            strict=True,
        )
    )
    _once([(row.rater, row.item, row.method) for row in rows], found.path)
    return Table(path=found.path, form="scores", rows=rows)


def _number(text: str, path: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= 1e9:
        raise Unreadable(f"{path}: the score {text[:SHOWN]!r} is no number")
    return value


def _place(text: str, path: str) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 6:
        return int(text)
    if text.casefold() in _FIRST:
        return _FIRST[text.casefold()]
    raise Unreadable(f"{path}: the position {text[:SHOWN]!r} is neither a number nor left or right")


def _once(keys: Sequence[tuple[str, ...]], path: str) -> None:
    twice = next((key for key, n in Counter(keys).items() if n > 1), None)
    if twice is not None:
        raise Unreadable(f"{path}: {', '.join(twice)[:SHOWN]} is rated twice")
