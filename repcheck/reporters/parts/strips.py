"""Every seed as a dot: one strip an arm, one axis for each dataset and metric.

A dot's place is its distance from the arm's own median. On one axis of values, arms at 32 % and
94 % would shrink what the strips are there to show, the spread, to a point.
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
MOST_DOTS = 100
MOST_ROWS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One run."""

    at: str
    fresh: bool
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One arm."""

    arm: str
    ok: int
    failed: int
    median: str
    span: str
    dots: tuple[Dot, ...]
    reported: tuple[str, ...]
    beyond: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """All arms on one dataset and metric."""

    title: str
    unit: str
    ticks: tuple[Tick, ...]
    strips: tuple[Strip, ...]


def panels(report: Json) -> tuple[list[Panel], int]:
    """Return the panels in the order of the claims, and how many strips were left out."""
    units = {claim["metric"]: str(claim.get("unit") or "") for claim in report["claims"]}
    grouped = _grouped(report["runs"])
    made: list[Panel] = []
    room, left_out = MOST_ROWS, 0
    for (dataset, metric), arms in grouped.items():
        kept = dict(list(arms.items())[:room])
        left_out += len(arms) - len(kept)
        room -= len(kept)
        if kept:
            reported = _reported(report["claims"], dataset, metric)
            title = f"{metric} on {dataset}" if dataset else metric
            made.append(_panel(title, metric, kept, reported, units.get(metric, "")))
    return made, left_out


def _grouped(runs: Iterable[Json]) -> dict[tuple[str, str], dict[str, list[Json]]]:
    found: dict[tuple[str, str], dict[str, list[Json]]] = {}
    metrics_of: dict[str, list[str]] = {}
    failed: list[Json] = []
    for run in runs:
        if run.get("replicate"):  # the same seed again: no dot more
            continue
        if not run["metrics"]:
            failed.append(run)
        for metric in run["metrics"]:
            known = metrics_of.setdefault(run["dataset"], [])
            if metric not in known:
                known.append(metric)
            found.setdefault((run["dataset"], metric), {}).setdefault(run["arm"], []).append(run)
    for run in failed:  # a failed run belongs to every metric that its siblings report
        for metric in metrics_of.get(run["dataset"], []):
            found[run["dataset"], metric].setdefault(run["arm"], []).append(run)
    return found


def _reported(claims: Iterable[Json], dataset: str, metric: str) -> dict[str, list[float]]:
    """Return the claimed values, by method."""
    found: dict[str, list[float]] = {}
    for claim in claims:
        value = claim["reproduction"].get("claimed")
        same = claim["metric"] == metric and claim["dataset"] in {dataset, ""}
        if same and claim["reproduction"].get("axis") == "value" and value is not None:
            found.setdefault(claim["method"], []).append(value)
    return found


def _panel(
    title: str, metric: str, arms: Mapping[str, list[Json]], reported: Mapping[str, list[float]],
    unit: str,
) -> Panel:  # fmt: skip
    away, said = [0.0], []
    for runs in arms.values():
        values = _values(runs, metric)
        if values:
            middle = statistics.median(values)
            away += [value - middle for value in values]
            said += [value - middle for value in reported.get(runs[0]["method"], ())]
    room = 2 * (max(away) - min(away))
    scale = Scale.around(away + [one for one in said if abs(one) <= room])
    return Panel(
        title=title,
        unit="" if unit == "none" else text.short(unit, 24),
        ticks=scale.ticks(),
        strips=tuple(
            _strip(arm, runs, metric, scale, reported.get(runs[0]["method"], ()))
            for arm, runs in arms.items()
        ),
    )


def _values(runs: Iterable[Json], metric: str) -> list[float]:
    values = [run["metrics"][metric] for run in runs if metric in run["metrics"]]
    return [value for value in values if math.isfinite(value)]


def _strip(
    arm: str, runs: Sequence[Json], metric: str, scale: Scale, reported: Iterable[float]
) -> Strip:
    values = _values(runs, metric)
    ok = [run for run in runs if math.isfinite(run["metrics"].get(metric, math.nan))]
    middle = statistics.median(values) if values else 0.0
    said = [value - middle for value in reported] if values else []
    return Strip(
        arm=arm,
        ok=len(ok),
        failed=len(runs) - len(ok),
        median=text.number(middle) if values else "",
        span=f"{text.number(min(values))} to {text.number(max(values))}" if values else "",
        dots=tuple(_dot(run, metric, middle, scale) for run in ok[:MOST_DOTS]),
        reported=tuple(scale.at(one) for one in said if scale.holds(one)),
        beyond=_beyond(scale, said),
    )


def _beyond(scale: Scale, said: Sequence[float]) -> str:
    """Return on which side a claimed value lies that the axis does not reach."""
    outside = [one for one in said if not scale.holds(one)]
    if not outside:
        return ""
    return "right" if outside[0] > 0 else "left"


def _dot(run: Json, metric: str, middle: float, scale: Scale) -> Dot:
    value = run["metrics"][metric]
    return Dot(
        at=scale.at(value - middle),
        fresh=run["seed_kind"] == "fresh",
        says=f"seed {run['seed']} ({run['seed_kind']}): {text.number(value)}",
    )
