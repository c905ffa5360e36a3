"""The checks: the grid of the 43 tricks, and every rule that spoke with what it said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from repcheck.reporters.parts import text, words

Json = Mapping[str, Any]
MOST_SAYINGS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One trick of the grid; `standing` is what it does to the gain, where that is known.

    `target` is its page, `spoken` the first rule that spoke of it, if one did.
    """

    trick: Json
    state: words.Word
    note: str
    standing: str
    target: str
    spoken: str
    page: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One of the six groups."""

    number: str
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What one rule said, once for all the subjects it said it of."""

    judgement: Json
    subjects: tuple[str, ...]
    claims: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One rule in one state; the page gives it an anchor in the first state it spoke in."""

    code: str
    doc: Json
    severity: str | None
    sayings: tuple[Saying, ...]
    total: int
    reasons: tuple[str, ...] = ()
    anchor: str = ""


def chapters(tricks: Iterable[Json]) -> list[Chapter]:
    """Return the grid; each trick leads to its page, its state to the rule that spoke of it."""
    found: dict[str, list[Json]] = {}
    for trick in tricks:
        found.setdefault(str(trick["trick"]).split(".")[0], []).append(trick)
    return [
        Chapter(
            number=number,
            name=str(members[0]["group"]),
            cells=tuple(_cell(trick) for trick in members),
        )
        for number, members in found.items()
    ]


def _cell(trick: Json) -> Cell:
    note = words.plain(trick.get("reason")) if trick["state"] == "undetermined" else ""
    if trick["state"] == "flagged":
        note = str(trick.get("severity") or "")
    rules = trick.get("rules") or ()
    by = trick.get("by") or (rules[0] if rules else "")
    return Cell(
        trick=trick,
        state=words.state(trick["state"]),
        note=note,
        standing=_standing(trick),
        target=text.anchor(f"trick-{trick['trick']}"),
        spoken=text.anchor(by) if by else "no-rule-yet",
        page=trick.get("page") or {},
    )


def _standing(trick: Json) -> str:
    if trick["state"] == "flagged":
        return str(trick.get("standing") or trick.get("effect") or "")
    return str(trick.get("standing") or "")


def tally(tricks: Iterable[Json]) -> list[tuple[words.Word, int]]:
    """Return how many of the tricks stand in each state, in the order of the states."""
    counts = Counter(trick["state"] for trick in tricks)
    known = [*words.STATES, *(state for state in counts if state not in words.STATES)]
    return [(words.state(state), counts[state]) for state in known if counts[state]]


def told(tricks: Sequence[Json]) -> str:
    """Return `43 tricks: 1 flagged, ...; explains the gain: 1.2 hidden-epochs`."""
    counted = ", ".join(f"{n} {word.word}" for word, n in tally(tricks))
    found: dict[str, list[str]] = {}
    for trick in tricks:
        if trick["state"] == "flagged" and (stands := _standing(trick)):
            found.setdefault(stands, []).append(f"{trick['trick']} {trick['slug']}")
    known = [*words.STANDINGS, *(one for one in found if one not in words.STANDINGS)]
    said = [f"{one}: {', '.join(found[one])}" for one in known if one in found]
    return "; ".join([f"{text.count(len(tricks), 'trick')}: {counted}", *said])


def spoken(report: Json) -> dict[str, list[Spoken]]:
    """Return the rules by state, the heaviest findings first.

    What is flagged stands under what it does to the conclusion. A rule that spoke in several states
    carries its anchor in the first of them.
    """
    by_state: dict[str, dict[str, list[Json]]] = {
        state: {} for state in ("conclusion", "disclosure", *words.STATES)
    }
    for judgement in report["judgements"]:
        state = words.state_of(judgement)
        state = words.bears_of(judgement) if state == "flagged" else state
        rules = by_state.setdefault(state, {})
        rules.setdefault(judgement["rule"], []).append(judgement)
    anchored: set[str] = set()
    found: dict[str, list[Spoken]] = {}
    for state, said in by_state.items():
        made = [_spoken(code, heard, report["rules"]) for code, heard in said.items()]
        made.sort(key=lambda one: (words.severity_rank(one.severity), one.code))
        found[state] = [
            one if one.code in anchored else replace(one, anchor=text.anchor(one.code))
            for one in made
        ]
        anchored.update(one.code for one in made)
    return found


def _spoken(code: str, said: Sequence[Json], docs: Mapping[str, Json]) -> Spoken:
    name = said[0]["name"]
    nothing = {"name": name, "title": name, "catches": "", "legitimate": "", "fix": ""}
    doc = docs.get(code) or nothing
    heaviest = min((one.get("severity") for one in said), key=words.severity_rank)
    sayings = _merged(said)
    return Spoken(
        code=code,
        doc=doc,
        severity=heaviest,
        sayings=tuple(sayings[:MOST_SAYINGS]),
        total=len(sayings),
        reasons=tuple(dict.fromkeys(one["reason"] for one in said if one.get("reason"))),
    )


def _merged(said: Sequence[Json]) -> list[Saying]:
    same: dict[tuple[str, str], list[Json]] = {}
    for one in said:
        same.setdefault((one["message"], one["would_decide"]), []).append(one)
    found = []
    for group in same.values():
        subjects = tuple(dict.fromkeys(str(one["subject"]["id"]) for one in group))
        claims = tuple(dict.fromkeys(c for one in group for c in one["claims"]))
        found.append(
            Saying(
                judgement=group[0],
                subjects=subjects[:MOST_SAYINGS],
                claims=claims[:MOST_SAYINGS],
                more=max(0, len(subjects) - MOST_SAYINGS),
            )
        )
    return sorted(found, key=lambda one: words.severity_rank(one.judgement.get("severity")))
