"""Where the gain comes from: for each claim the arms, and what of the gain remains in each.

One axis a claim: zero is no gain left, the bar stands at the claimed gain. An arm without an
attribution stays in the table with its reason; nothing is drawn for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repcheck.reporters.parts import text, words
from repcheck.reporters.parts.forest import Mark
from repcheck.reporters.parts.scale import Scale, Tick

Json = Mapping[str, Any]
MOST_ARMS = 24
VERDICTS: Mapping[str, words.Word] = {
    "gone": words.Word(word="gone", glyph="✗", css="bad", colour="yellow"),
    "reduced": words.Word(word="reduced", glyph="✗", css="bad", colour="yellow"),
    "survives": words.Word(word="survives", glyph="✓", css="ok", colour="blue"),
    "inconclusive": words.Word(word="inconclusive", glyph="?", css="un"),
}
OPEN = words.Word(word="undetermined", glyph="?", css="un")
OWN = words.Word(word="the contribution", glyph="·", css="un")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One arm put to one claim."""

    arm: Json
    verdict: words.Word
    remaining: str
    interval: str
    share: str
    score: str
    says: str
    mark: Mark | None
    allowed: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The arms of one claim on one axis."""

    claim: Json
    claimed: str
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]


def panels(report: Json) -> list[Panel]:
    """Return a panel for each claim that has arms with effects."""
    found = []
    for claim in report["claims"]:
        pairs = [
            (arm, effect)
            for arm in report["arms"]
            for effect in arm.get("effects", ())
            if effect["claim"] == claim["id"]
        ]
        if pairs:
            found.append(_panel(claim, pairs[:MOST_ARMS]))
    return found


def lacking(report: Json) -> list[Json]:
    """Return the arms that were not run, each with what would make it possible."""
    return [arm for arm in report["arms"] if arm.get("reason")][:MOST_ARMS]


def _panel(claim: Json, pairs: Sequence[tuple[Json, Json]]) -> Panel:
    drawn = [effect for _, effect in pairs if effect.get("interval")]
    claimed = drawn[0]["claimed"] if drawn else None
    scale = Scale.around(
        [0.0, *([claimed] if claimed is not None else []), *(one["remaining"] for one in drawn)],
        [end for one in drawn for end in one["interval"]],
    )
    places = text.decimals(claim["reproduction"].get("claimed_text") or "")
    return Panel(
        claim=claim,
        claimed="" if claimed is None else text.fixed(claimed, places, sign=True),
        ticks=scale.ticks(),
        rows=tuple(_row(arm, effect, scale, places) for arm, effect in pairs),
    )


def _row(arm: Json, effect: Json, scale: Scale, places: int) -> Row:
    ends, remaining = effect.get("interval"), effect.get("remaining")
    drawn = ends is not None and remaining is not None
    verdict = VERDICTS.get(str(effect["verdict"]), OPEN)
    share = effect.get("explained_at_least")
    middle = (effect.get("means") or {}).get("arm")
    return Row(
        arm=arm,
        verdict=OWN if effect["contribution"] else verdict,
        remaining="" if remaining is None else text.fixed(remaining, places, sign=True),
        interval=text.interval(ends, places, sign=True) if ends else "",
        share=text.percent(min(1.0, share)) if share else "",
        score=_score(middle, places),
        says=str(effect["words"]),
        mark=_mark(scale, effect) if drawn else None,
        allowed=_diff(arm, allowed=True),
        others=_diff(arm, allowed=False),
    )


def _mark(scale: Scale, effect: Json) -> Mark:
    low, high = effect["interval"]
    return Mark(
        claimed=scale.at(effect["claimed"]),
        observed=scale.at(effect["remaining"]),
        low=scale.at(low),
        high=scale.at(high),
        beyond_low=not scale.holds(low),
        beyond_high=not scale.holds(high),
    )


def _diff(arm: Json, *, allowed: bool) -> tuple[str, ...]:
    lines = [one for one in arm.get("diff", ()) if one["allowed"] is allowed]
    return tuple(f"{one['key']}: {one['before']} → {one['after']}" for one in lines)


def _score(middle: Json | None, places: int) -> str:
    if middle is None:
        return ""
    spread = "" if middle["sd"] is None else f" ± {text.fixed(middle['sd'], places)}"
    return f"{text.fixed(abs(middle['mean']), places)}{spread} (n = {middle['n']})"
