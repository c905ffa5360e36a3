"""The forest table: one row a claim, what was claimed beside what was seen.

Claims are grouped by what their numbers are (a gain or a value) and by unit, and share one axis
within a group. Gains are drawn as they are, so that zero is "no gain"; values as "rerun minus
claimed", so that 32 % and 94 % stand in one column and zero is "as claimed".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repcheck.reporters.parts import text, words
from repcheck.reporters.parts.scale import Scale, Tick

Json = Mapping[str, Any]
_WORDS = re.compile(r"[^\W\d_]{2,}")
_LONGEST_NUMBER = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is drawn for one number: places in percent of the column."""

    claimed: str
    observed: str = ""
    low: str = ""
    high: str = ""
    beyond_low: bool = False
    beyond_high: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    claim: Json
    headline: bool
    anchor: str
    text: str
    verdict: words.Word
    fairness: words.Word
    detail: str
    numbers: Numbers
    mark: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Claims that share an axis."""

    title: str
    about: str
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A reproduction's numbers as text, with one digit more than the paper printed."""

    claimed: str
    observed: str
    interval: str
    why_not: str


def numbers(found: Json, unit: str = "") -> Numbers:
    """Return a reproduction's numbers in words and figures."""
    gain = found.get("axis") == "gain"
    claimed_text = text.short(found.get("claimed_text") or "", _LONGEST_NUMBER)
    claimed = found.get("claimed")
    places = text.decimals(claimed_text)
    if claimed is not None and not claimed_text:
        claimed_text = text.number(claimed)
    observed = found.get("observed")
    return Numbers(
        claimed=f"{claimed_text}{_suffix(claimed_text, unit, gain=gain)}" if claimed_text else "",
        observed="" if observed is None else text.fixed(observed, places, sign=gain),
        interval=text.interval(found.get("interval"), places, sign=gain),
        why_not=""
        if observed is not None
        else text.short(words.plain(found.get("reason")), 60) or "no value",
    )


def _suffix(printed: str, unit: str, *, gain: bool) -> str:
    if not unit or unit in {"none", "fraction"} or "%" in printed:
        return ""
    # Words of its own: a unit ("5.2 points"), a direction, or a ratio of another quantity.
    bare = printed.removeprefix("at least ").removeprefix("at most ")
    if bare.startswith("×") or _WORDS.search(bare):
        return ""
    if unit == "percent":
        return " points" if gain else " %"
    return f" {text.short(unit, _LONGEST_NUMBER)}"


def wording(claim: Json) -> str:
    """Return a claim's own words, or what it is about where it has none."""
    if claim["text"]:
        return str(claim["text"])
    on = f" on {claim['dataset']}" if claim["dataset"] else ""
    return f"{claim['method']}: {claim['metric'] or claim['type']}{on}"


def failed_first(claims: Sequence[Json]) -> list[Json]:
    """Return the claims with the headline first, then what failed, then the rest."""
    rest = sorted(claims[1:], key=lambda c: words.verdict_rank(c["reproduction"]["verdict"]))
    return [*claims[:1], *rest]


def groups(claims: Sequence[Json], anchors: Mapping[str, str]) -> list[Group]:
    """Return the rows in groups of one axis and unit; the headline's group stands first."""
    found: dict[tuple[str, str], list[Json]] = {}
    for claim in failed_first(claims):
        axis = "gain" if claim["reproduction"].get("axis") == "gain" else "value"
        found.setdefault((axis, str(claim.get("unit") or "")), []).append(claim)
    headline = claims[0] if claims else None
    return [
        _group(axis, unit, members, anchors, headline) for (axis, unit), members in found.items()
    ]


def _group(
    axis: str, unit: str, members: list[Json], anchors: Mapping[str, str], headline: Json | None
) -> Group:
    lines = [_shifted(claim["reproduction"], axis) for claim in members]
    drawn = [one for one in lines if one]
    scale = Scale.around(
        [0.0] + [p for one in drawn for p in one[:2] if p is not None],
        [p for one in drawn for p in one[2:] if p is not None],
    )
    unit_words = {"percent": "percentage points", "none": "", "": ""}.get(unit, unit)
    inside = f", {text.short(unit_words, 32)}" if unit_words else ""
    rows = tuple(
        _row(claim, anchors[claim["id"]], scale, one, is_first=claim is headline)
        for claim, one in zip(members, lines, strict=True)
    )
    title = "Gain over the baseline" if axis == "gain" else "Value: rerun minus claimed"
    about = "0 is no gain" if axis == "gain" else "0 is as claimed"
    return Group(title=f"{title}{inside}", about=about, ticks=scale.ticks(), rows=rows)


Line = tuple[float, float | None, float | None, float | None]


def _shifted(found: Json, axis: str) -> Line | None:
    """Return claimed, observed and interval on the group's axis; nothing without a number."""
    claimed = found.get("claimed")
    if claimed is None:
        return None
    origin = 0.0 if axis == "gain" else claimed
    observed, bounds = found.get("observed"), found.get("interval")
    low, high = bounds or (None, None)
    return (
        claimed - origin,
        None if observed is None else observed - origin,
        None if low is None else low - origin,
        None if high is None else high - origin,
    )


def _mark(scale: Scale, one: Line | None) -> Mark | None:
    if one is None:
        return None
    claimed, observed, low, high = one
    return Mark(
        claimed=scale.at(claimed),
        observed="" if observed is None else scale.at(observed),
        low="" if low is None else scale.at(low),
        high="" if high is None else scale.at(high),
        beyond_low=low is not None and not scale.holds(low),
        beyond_high=high is not None and not scale.holds(high),
    )


def _row(claim: Json, anchor: str, scale: Scale, one: Line | None, *, is_first: bool) -> Row:
    found = claim["reproduction"]
    return Row(
        claim=claim,
        headline=is_first,
        anchor=anchor,
        text=text.short(wording(claim), 110),
        verdict=words.verdict(found["verdict"]),
        fairness=words.fairness(claim["fairness"]),
        detail=words.plain(found.get("detail")),
        numbers=numbers(found, str(claim.get("unit") or "")),
        mark=_mark(scale, one),
    )
