"""How the methods of a comparison trained: learning rates and losses on one axis of samples.

Places are percent of a drawing that is stretched to its column; lines keep their width and text
stands outside of the stretched part, so both stay readable at any size.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repcheck.reporters.parts import text
from repcheck.reporters.parts.scale import Scale, Tick

Json = Mapping[str, Any]
MOST_COMPARISONS = 6
MOST_METHODS = 6  # as many as there are patterns of dashes
WIDE_LOSS = 30.0
WIDE_RATES = 10.0
STRETCHES = 40
_MOST_ROWS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line; `nth` is its method's place, which names the pattern of its dashes."""

    nth: int
    points: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One drawing."""

    title: str
    note: str
    across: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The same in numbers, for one run."""

    method: str
    seed: str
    steps: str
    samples: str
    rates: tuple[str, str, str]
    low: str
    losses: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The methods of one claim; `missing` were not seen training, `undrawn` found no room."""

    title: str
    methods: tuple[tuple[int, str, str], ...]
    missing: tuple[str, ...]
    undrawn: tuple[str, ...]
    panels: tuple[Panel, ...]
    rows: tuple[Row, ...]
    more_rows: int


def comparisons(report: Json) -> tuple[list[Comparison], int]:
    """Return the comparisons whose training was seen, and how many more there are."""
    methods = {method["id"]: method for method in report["methods"] if method.get("traces")}
    roles = {method["id"]: method["role"] for method in report["methods"]}
    wanted = [one for one in _wanted(report["claims"]) if any(m in methods for m in one[0])]
    made = [_comparison(one, methods, roles) for one in wanted[:MOST_COMPARISONS]]
    found = [one for one in made if one.panels]
    return found, max(0, len(wanted) - MOST_COMPARISONS)


def _wanted(claims: Iterable[Json]) -> list[tuple[tuple[str, ...], str]]:
    """Return the methods and the dataset of every claim that no other claim's set includes."""
    asked = dict.fromkeys(
        (tuple(dict.fromkeys([claim["method"], *claim["baselines"]])), claim["dataset"])
        for claim in claims
    )
    return [
        one
        for one in asked
        if not any(set(one[0]) < set(other[0]) and one[1] == other[1] for other in asked)
    ]


def _comparison(
    asked: tuple[tuple[str, ...], str], methods: Mapping[str, Json], roles: Mapping[str, str]
) -> Comparison:
    names, dataset = asked
    curves = {
        name: (_of(methods, name, "lr", dataset), _of(methods, name, "loss", dataset))
        for name in names
    }
    drawn = [name for name in names if any(curves[name])][:MOST_METHODS]
    rows = [row for name in drawn for row in _rows(name, *curves[name])]
    panels = (
        _rate_panel([curves[name][0] for name in drawn]),
        _loss_panel([curves[name][1] for name in drawn]),
    )
    on = f" on {dataset}" if dataset else ""
    return Comparison(
        title=f"{text.short(', '.join(names[:MOST_METHODS]), 160)}{on}",
        methods=tuple((nth, name, roles.get(name, "")) for nth, name in enumerate(drawn)),
        missing=tuple(name for name in names if not any(curves[name])),
        undrawn=tuple(name for name in names if any(curves[name]) and name not in drawn),
        panels=tuple(panel for panel in panels if panel is not None),
        rows=tuple(rows[:_MOST_ROWS]),
        more_rows=max(0, len(rows) - _MOST_ROWS),
    )


def _of(methods: Mapping[str, Json], name: str, kind: str, dataset: str) -> list[Json]:
    found = (methods.get(name) or {}).get("traces", {}).get(kind) or ()
    return [
        one
        for one in found
        if one["value"] and (not dataset or one.get("dataset", "") in {dataset, ""})
    ]


Path = list[tuple[float, float]]


def _rate_panel(methods: Sequence[Sequence[Json]]) -> Panel | None:
    runs = [one for mine in methods for one in mine]
    if not runs:
        return None
    counted = all(_counts(one) for one in runs)
    peaks = [max(map(abs, one["value"])) for one in runs]
    known = [peak for peak in peaks if peak > 0]
    shares = bool(known) and max(known) > WIDE_RATES * min(known)
    lines = [
        (nth, _path(one, max(map(abs, one["value"])) if shares else 1.0, counted=counted))
        for nth, mine in enumerate(methods)
        for one in mine
    ]
    note = "each as a share of its own peak, as the peaks lie far apart" if shares else ""
    return _panel("Learning rate", note, lines, counted=counted)


def _loss_panel(methods: Sequence[Sequence[Json]]) -> Panel | None:
    counted = all(_counts(one) for mine in methods for one in mine)
    lines = [
        (nth, _middle([_path(one, counted=counted) for one in mine]))
        for nth, mine in enumerate(methods)
        if mine
    ]
    if not lines:
        return None
    values = [value for _, line in lines for _, value in line]
    wide = min(values) > 0 and max(values) > WIDE_LOSS * min(values)
    if wide:
        lines = [(nth, [(at, math.log10(value)) for at, value in line]) for nth, line in lines]
    scale = ", logarithmic scale" if wide else ""
    note = f"all runs together, medians of {STRETCHES} stretches{scale}"
    return _panel("Training loss", note, lines, counted=counted, as_power=wide)


def _path(one: Json, size: float = 1.0, *, counted: bool) -> Path:
    places = one["samples"] if counted else one["step"]
    return [(at, value / (size or 1.0)) for at, value in zip(places, one["value"], strict=True)]


def _middle(runs: Iterable[Path]) -> Path:
    """Return one line for all runs of a method: medians of stretches with as many points each."""
    points = sorted(point for run in runs for point in run)
    size = max(1, math.ceil(len(points) / STRETCHES))
    parts = [points[at : at + size] for at in range(0, len(points), size)]
    line = [
        (statistics.median(at for at, _ in part), statistics.median(value for _, value in part))
        for part in parts
    ]
    # A line begins and ends where its training does.
    return [(points[0][0], line[0][1]), *line[1:-1], (points[-1][0], line[-1][1])]


def _panel(
    title: str,
    note: str,
    lines: Sequence[tuple[int, Path]],
    *,
    counted: bool,
    as_power: bool = False,
) -> Panel:
    floor = () if as_power else (0.0,)
    across = Scale.around([0.0, *(at for _, line in lines for at, _ in line)])
    up = Scale.around([*floor, *(value for _, line in lines for _, value in line)])
    return Panel(
        title=title,
        note=note,
        across="training samples seen" if counted else "optimizer steps (samples were not seen)",
        x=across.ticks(most=4, label=_short),
        y=tuple(
            Tick(at=f"{_down(tick.at):.4g}%", label=tick.label, zero=tick.zero)
            for tick in (_powers(up) if as_power else up.ticks(most=4, label=text.number))
        ),
        curves=tuple(
            Curve(
                nth=nth,
                points=" ".join(
                    f"{_right(across.at(x)):.4g},{_down(up.at(y)):.4g}" for x, y in line
                ),
            )
            for nth, line in lines
        ),
    )


def _counts(one: Json) -> bool:
    """Return whether a run's samples were counted all along."""
    samples: Sequence[int] = one.get("samples") or ()
    return len(samples) == len(one["value"]) and bool(samples[-1])


def _right(percent: str) -> float:
    return float(percent.removesuffix("%"))


def _down(percent: str) -> float:
    return 100 - _right(percent)


def _short(value: float) -> str:
    """36000 -> 36 k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g} {letter}"
    return f"{value:.4g}"


def _powers(scale: Scale) -> list[Tick]:
    """Return powers of ten along an axis of logarithms, with 2 and 5 between few of them."""
    low, high = math.floor(scale.low), math.ceil(scale.high)
    between = (1, 2, 5) if high - low <= 3 else (1,)
    every = 1 + (high - low) // 8
    values = [
        math.log10(digit) + power for power in range(low, high + 1, every) for digit in between
    ]
    return [
        Tick(at=scale.at(value), label=text.number(float(f"{10.0**value:.1g}")), zero=False)
        for value in values
        if scale.low <= value <= scale.high
    ]


def _rows(name: str, rates: Sequence[Json], losses: Sequence[Json]) -> list[Row]:
    """Return one row a run; runs are known by their keys."""
    loss_of = {one["run"]: one for one in losses}
    rate_of = {one["run"]: one for one in rates}
    return [_row(name, rate_of.get(run, {}), loss_of.get(run, {})) for run in rate_of | loss_of]


def _say(value: float | None) -> str:
    return "–" if value is None else text.number(value)


def _row(name: str, rate: Json, loss: Json) -> Row:
    either = rate or loss
    return Row(
        method=name,
        seed=str(either["seed"]),
        steps=_say(either["step"][-1]),
        samples=_say(either["samples"][-1]) if _counts(either) else "not seen",
        rates=(_say(rate.get("first")), _say(rate.get("peak")), _say(rate.get("last"))),
        low=text.percent(rate.get("low_share")) or "–",
        losses=(_say(loss.get("first")), _say(loss.get("last"))),
    )
