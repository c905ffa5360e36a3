"""What of a gain is the idea's and what the budget's, how wide it is, and what tuning gave it.

Numbers stand with their interval and n. What could not be measured is named with what would be
needed; nothing is drawn for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repcheck.reporters.parts import text, words
from repcheck.units import decimals_for

Json = Mapping[str, Any]
MOST = 12
"""Of each kind; the rest stands in report.json."""
MOST_SETTINGS = 24
AXES = {"samples": "training samples", "steps": "training steps", "train_flops": "training FLOPs"}
_PARTS = {
    "idea": "the idea",
    "compute": "the budget",
    "tuning": "more tuning trials, by the trials' own scores",
    "luck": "reported beyond the reruns: seeds that were chosen, or what they do not show",
}
STANDINGS: Mapping[str, words.Word] = {
    "kept": words.Word(word="kept", glyph="✓", css="ok", colour="blue"),
    "lost": words.Word(word="lost", glyph="✗", css="bad", colour="yellow"),
    "open": words.Word(word="open", glyph="?", css="un"),
    "apart": words.Word(word="not counted", glyph="·", css="un"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a gain, as it is printed."""

    name: str
    value: str
    interval: str
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """One gain, divided as far as its cells exist; `sentence` is empty where it is not."""

    claim: str
    method: str
    baseline: str
    axis: str
    counts: str
    parts: tuple[Part, ...]
    orders: tuple[Part, ...]
    sentence: str
    reported: str
    falls: tuple[Part, ...]
    lacking: Sequence[Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The gain in one setting of the hyperparameters."""

    setting: str
    standing: words.Word
    gain: str
    interval: str
    counts: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The gain in every setting of one sweep, the one that takes most of it first."""

    claim: str
    method: str
    baseline: str
    declared: str
    interval: str
    counts: str
    width: str
    rows: tuple[Row, ...]
    more: int


def divided(report: Json) -> list[Divided]:
    """Return the gains of which a budget was made equal."""
    return [_divided(one) for one in report.get("splits", ())[:MOST]]


def sweeps(report: Json) -> list[Sweep]:
    """Return the sweeps that were run."""
    return [_sweep(one) for one in report.get("sweeps", ())[:MOST]]


def tuned(report: Json) -> list[Json]:
    """Return what both sides have at equally many trials, each a sentence."""
    return list(report.get("tuned", ())[:MOST])


def more(report: Json) -> int:
    """Return how many of each kind stand in report.json alone."""
    kinds = ("splits", "sweeps", "tuned")
    return sum(max(0, len(report.get(kind, ())) - MOST) for kind in kinds)


def _divided(one: Json) -> Divided:
    places = _places(one["unit"])
    method, baseline = str(one["method"]), str(one["baseline"])
    n = one["n"]
    found: list[Part] = []
    orders: list[Part] = []
    if one["phi_method"]:
        found = [
            _part("the idea (phi of the method)", one["phi_method"], places, _share(one["share"])),
            _part("the budget (phi of the budget)", one["phi_budget"], places),
            _part("their interaction", one["interaction"], places,
                  "its interval holds zero" if not one["depends_on_order"] else
                  "it excludes zero: the split depends on the order"),
        ]  # fmt: skip
    if one["phi_method"] and one["depends_on_order"]:
        orders = [
            _part("the idea first, at the baseline's budget", one["orders"]["method_first"],
                  places),
            _part("the idea last, at the method's budget", one["orders"]["method_last"], places),
        ]  # fmt: skip
    found.append(_part("measured gain", one["total"], places))
    cells = (
        f"`{baseline}` {n['baseline']}", f"at the other's budget {n['baseline_at']}",
        f"`{method}` {n['method']}", f"at the other's budget {n['method_at']}",
    )  # fmt: skip
    return Divided(
        claim=str(one["claim"]), method=method, baseline=baseline,
        axis=AXES.get(str(one["axis"]), str(one["axis"])), counts=f"n: {', '.join(cells)}",
        parts=tuple(found), orders=tuple(orders), sentence=str(one["words"]),
        reported=text.fixed(one["reported"], places, sign=True),
        falls=tuple(_part(_PARTS.get(str(fall["part"]), str(fall["part"])), fall, places)
                    for fall in one["waterfall"]),
        lacking=one["lacking"],
    )  # fmt: skip


def _share(share: Json | None) -> str:
    if share is None:
        return "its share of the measured gain is undefined"
    ends = f"{100 * share['low']:.0f} to {100 * share['high']:.0f}"
    return f"{100 * share['estimate']:.0f} % of the measured gain, [{ends}] by Fieller"


def _part(name: str, one: Json, places: int, about: str = "") -> Part:
    return Part(
        name=name,
        value=text.fixed(one["estimate"], places, sign=True),
        interval=text.interval([one["low"], one["high"]], places, sign=True),
        about=about,
    )


def _places(unit: float) -> int:
    """Return one digit more than the paper printed."""
    return min(6, max(0, 1 - math.floor(round(math.log10(unit), 9)))) if unit > 0 else 2


def _sweep(one: Json) -> Sweep:
    declared = one["declared"]
    places = decimals_for(declared["estimate"])
    share = "not known" if one["width"] is None else text.percent(round(one["width"], 3))
    told = [
        f"kept in {one['kept']} of {one['counted']} neighbouring settings",
        *(f"{one[name]} {said}" for name, said in (("open", "open"), ("apart", "not counted"))
          if one[name]),
    ]  # fmt: skip
    return Sweep(
        claim=str(one["claim"]), method=str(one["method"]), baseline=str(one["baseline"]),
        declared=text.fixed(declared["estimate"], places, sign=True),
        interval=text.interval([declared["low"], declared["high"]], places, sign=True),
        counts=_counts(one["n"]), width=f"robustness width {share}: {', '.join(told)}",
        rows=tuple(_row(row, places) for row in one["settings"][:MOST_SETTINGS]),
        more=max(0, len(one["settings"]) - MOST_SETTINGS),
    )  # fmt: skip


def _row(row: Json, places: int) -> Row:
    gain = row["gain"]
    return Row(
        setting=str(row["setting"]),
        standing=STANDINGS[str(row["standing"])],
        gain="" if gain is None else text.fixed(gain["estimate"], places, sign=True),
        interval="" if gain is None else text.interval([gain["low"], gain["high"]], places,
                                                       sign=True),
        counts=_counts(row["n"]) if gain is not None else "",
        why=str(row["why"]),
    )  # fmt: skip


def _counts(n: Json) -> str:
    return f"n = {n['method']} and {n['baseline']}"
