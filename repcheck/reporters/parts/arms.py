"""Where the gain comes from: for each claim the arms, and what of the gain remains in each.

One axis a claim: zero is no gain left, the bar stands at the claimed gain, and the gain as it was
rerun stands first. An arm without an attribution stays in the table with its reason; nothing is
drawn for it. What is not held against a claim is never painted as if it were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repcheck.reporters.parts import text, words
from repcheck.reporters.parts.forest import Mark, wording
from repcheck.reporters.parts.scale import Scale, Tick
from repcheck.units import decimals_for, print_scaled

Json = Mapping[str, Any]
Pair = tuple[Json, Json]
MOST_ARMS = 24
_AXES = {"train_flops": "training FLOPs", "flops a sample": "FLOPs a sample"}
VERDICTS: Mapping[str, words.Word] = {
    "gone": words.Word(word="gone", glyph="✗", css="bad", colour="yellow"),
    "reduced": words.Word(word="reduced", glyph="✗", css="bad", colour="yellow"),
    "survives": words.Word(word="survives", glyph="✓", css="ok", colour="blue"),
    "inconclusive": words.Word(word="inconclusive", glyph="?", css="un"),
}
OPEN = words.Word(word="undetermined", glyph="?", css="un")
APART: Mapping[str, words.Word] = {
    "contribution": words.Word(word="the contribution", glyph="·", css="un"),
    "beyond": words.Word(word="beyond the comparison", glyph="·", css="un"),
    "moot": words.Word(word="no bearing", glyph="·", css="un"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One arm put to one claim; `settles` says how much of the gain it explains, or why not."""

    arm: Json
    verdict: words.Word
    remaining: str
    interval: str
    settles: str
    score: str
    of: str
    how: str
    reach: str
    about: str
    decides: str
    mark: Mark | None
    allowed: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The gain over one baseline as both were declared, and as it was rerun."""

    baseline: str
    claimed: str
    margin: str
    less: bool
    gain: str
    interval: str
    level: str
    score: str
    against: str
    verdict: words.Word
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The arms of one claim on one axis."""

    claim: Json
    said: str
    of: str
    drawn: bool
    ticks: tuple[Tick, ...]
    declared: tuple[Declared, ...]
    rows: tuple[Row, ...]
    more: int


def panels(report: Json) -> list[Panel]:
    """Return a panel for each claim that has arms with effects."""
    pairs: dict[str, list[Pair]] = {}
    for arm in report["arms"]:
        for effect in arm.get("effects", ()):
            pairs.setdefault(effect["claim"], []).append((arm, effect))
    return [_panel(claim, pairs[claim["id"]]) for claim in report["claims"] if claim["id"] in pairs]


def lacking(report: Json) -> list[Json]:
    """Return the arms that were not run, each with what would make it possible."""
    return [arm for arm in report["arms"] if arm.get("reason")][:MOST_ARMS]


def verdict(effect: Json) -> words.Word:
    """Return the word for what an arm showed; neutral where it is not held against the claim."""
    if effect.get("apart"):
        return APART.get(effect["apart"], OPEN)
    return VERDICTS.get(str(effect.get("verdict")), OPEN)


def settles(effect: Json) -> str:
    """Return `explains at least 70 %`, or what would decide it, or why it is not held against."""
    word = verdict(effect)
    if effect.get("apart"):
        return f"{effect['apart_words']}, so not held against the claim"
    least, most = effect.get("explained_at_least") or 0.0, effect.get("explained_at_most")
    if word.css == "bad":
        return f"explains {_share(least)}" if least > 0 else ""
    if word.css == "ok":
        return "" if most is None else f"explains at most {min(100, math.ceil(100 * most))} %"
    if effect.get("verdict") is None:
        return words.plain(effect.get("reason"))
    needed = effect.get("seeds_needed")
    return f"{text.count(needed, 'seed')} an arm would decide" if needed else "too close to decide"


def figures(effect: Json) -> tuple[str, str]:
    """Return the gain that remains and its interval, with as many digits as the claimed gain."""
    ends, remaining = effect.get("interval"), effect.get("remaining")
    if ends is None or remaining is None:
        return "", ""
    places = decimals_for(effect["claimed"])
    return text.fixed(remaining, places, sign=True), text.interval(ends, places, sign=True)


def _share(least: float) -> str:
    """Round down: what is guaranteed must not grow by rounding."""
    whole = math.floor(100 * least + 1e-9)
    return "all of it" if whole >= 100 else f"at least {whole} %"


def _panel(claim: Json, pairs: Sequence[Pair]) -> Panel:
    drawn = [effect for _, effect in pairs if effect.get("interval")]
    parts = _parts(claim, pairs)
    scale = Scale.around(
        [
            0.0,
            *(one["claimed"] for one in [*drawn, *parts]),
            *(one["remaining"] for one in drawn),
            *(part["observed"] for part in parts),
        ],
        [end for one in [*drawn, *parts] for end in one.get("interval") or ()],
    )
    sign = -1 if claim.get("higher_is_better") is False else 1
    return Panel(
        claim=claim,
        said=text.short(wording(claim), 110),
        of=_whole(drawn),
        drawn=bool(drawn or parts),
        ticks=scale.ticks(),
        declared=tuple(_declared(part, pairs, scale, sign) for part in parts),
        rows=tuple(_row(arm, effect, scale, sign) for arm, effect in pairs[:MOST_ARMS]),
        more=max(0, len(pairs) - MOST_ARMS),
    )


def _whole(drawn: Sequence[Json]) -> str:
    """Return the gain that there is to explain, if it is one for all the arms of a claim."""
    if len({one["claimed"] for one in drawn}) != 1:
        return "the gain"
    size = text.fixed(drawn[0]["claimed"], decimals_for(drawn[0]["claimed"]), sign=True)
    return f"the {size} that the reruns show" if drawn[0].get("shown") else f"the claimed {size}"


def _parts(claim: Json, pairs: Sequence[Pair]) -> list[Json]:
    """Return the rerun gains of a claim that its arms are about, where they are of one kind."""
    return [
        part
        for part in claim.get("parts") or ()
        if part.get("axis") == "gain"
        and None not in (part.get("baseline"), part.get("claimed"), part.get("observed"))
        and (heard := _on(part, pairs))
        and all(
            one.get("shown") or math.isclose(one["claimed"], part["claimed"], rel_tol=1e-6)
            for one in heard
            if one.get("interval")
        )
    ]


def _on(part: Json, pairs: Sequence[Pair]) -> list[Json]:
    """Return the effects on the gain over one baseline."""
    return [
        effect for arm, effect in pairs if part["baseline"] in {arm["method"], arm.get("beside")}
    ]


def _declared(part: Json, pairs: Sequence[Pair], scale: Scale, sign: int) -> Declared:
    heard = _on(part, pairs)
    drawn = [one for one in heard if one.get("interval")]
    places = decimals_for(part["claimed"])
    means = [one.get("means") or {} for one in heard]
    sides = [next((m[side] for m in means if m.get(side)), None) for side in ("method", "baseline")]
    scores = [_score(side, places, sign) for side in sides if side]
    return Declared(
        baseline=str(part["baseline"]),
        claimed=text.fixed(part["claimed"], places, sign=True),
        margin=text.fixed(drawn[0]["margin"], places) if drawn else "",
        less=any(one.get("shown") for one in drawn),
        gain=text.fixed(part["observed"], places, sign=True),
        interval=text.interval(part.get("interval"), places, sign=True),
        level=text.percent(part.get("level")),
        score=scores[0] if len(scores) == 2 else "",
        against=scores[-1] if len(scores) == 2 else "",
        verdict=words.verdict(part["verdict"]),
        mark=_mark(scale, part["claimed"], part["observed"], part.get("interval")),
    )


def _row(arm: Json, effect: Json, scale: Scale, sign: int) -> Row:
    remaining, interval = figures(effect)
    places = decimals_for(effect.get("claimed") or 0.0)
    middle = (effect.get("means") or {}).get("arm")
    return Row(
        arm=arm,
        verdict=verdict(effect),
        remaining=remaining,
        interval=interval,
        settles=settles(effect),
        score=_score(middle, places, sign) if middle else "",
        of=text.fixed(effect["claimed"], places, sign=True) if remaining else "",
        how=words.applied(str(arm.get("how") or "")),
        reach=_reach(arm.get("reach")),
        about=str(effect.get("setting") or ""),
        decides="" if remaining else str(effect["words"]),
        mark=_mark(scale, effect["claimed"], effect["remaining"], effect["interval"])
        if remaining
        else None,
        allowed=_diff(arm, allowed=True),
        others=_diff(arm, allowed=False),
    )


def _mark(scale: Scale, claimed: float, observed: float, ends: Sequence[float] | None) -> Mark:
    low, high = ends or (observed, observed)
    return Mark(
        claimed=scale.at(claimed),
        observed=scale.at(observed),
        low=scale.at(low),
        high=scale.at(high),
        beyond_low=not scale.holds(low),
        beyond_high=not scale.holds(high),
    )


def _diff(arm: Json, *, allowed: bool) -> tuple[str, ...]:
    lines = [one for one in arm.get("diff", ()) if one["allowed"] is allowed]
    return tuple(f"{one['key']}: {one['before']} → {one['after']}" for one in lines)


def _reach(reach: Json | None) -> str:
    """Return `×0.999 of the 29.4 G training FLOPs wanted`."""
    if not reach:
        return ""
    axis, wanted = str(reach["axis"]), reach["wanted"]
    size = text.number(wanted) if wanted < 1e7 else print_scaled(wanted)
    return f"×{reach['ratio']:.3f} of the {size} {_AXES.get(axis, axis)} wanted"


def _score(middle: Json, places: int, sign: int) -> str:
    """Return `90.58 ± 0.84`; means are kept so that higher is better."""
    spread = "" if middle["sd"] is None else f" ± {text.fixed(middle['sd'], places)}"
    return f"{text.fixed(sign * middle['mean'], places)}{spread}"
