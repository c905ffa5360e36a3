"""Curves of training for the report: few runs of a method, few points of a run."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Any

from repcheck.observation import Points, Training
from repcheck.runs import Run, Runs, Status

MOST_RUNS = 3
MOST_POINTS = 120

Json = dict[str, Any]
Curve = Sequence[tuple[int, float]]


def traces(method: str, runs: Runs) -> Json:
    """Return the learning rates and the losses of at most three of a method's declared runs.

    `step` and `samples` say where a value was seen: so many optimizer steps and training samples
    into the run (no samples where rows could not be seen).
    """
    chosen = _chosen([run for run in runs if run.method == method])
    return {
        "lr": [_trace(run, seen.optimizer.lr, _rates(seen)) for run, seen in chosen],
        "loss": [_trace(run, seen.loss, _losses(seen)) for run, seen in chosen if seen.loss.value],
    }


def _chosen(runs: Iterable[Run]) -> list[tuple[Run, Training]]:
    """Return the first runs, of as many datasets as there are."""
    by_dataset: dict[str, list[tuple[Run, Training]]] = {}
    for run in runs:
        seen = run.observation.training if run.observation else None
        first = run.arm_kind == "declared" and not run.replicate
        if seen is not None and first and run.status is Status.OK:
            by_dataset.setdefault(run.dataset, []).append((run, seen))
    turns = [
        (turn, place, one)
        for place, mine in enumerate(by_dataset.values())
        for turn, one in enumerate(mine[:MOST_RUNS])
    ]
    return [one for *_, one in sorted(turns, key=lambda turn: turn[:2])[:MOST_RUNS]]


def _rates(seen: Training) -> Json:
    rates = seen.optimizer
    return {
        "first": _rounded(rates.first_lr),
        "peak": _rounded(rates.peak_lr),
        "last": _rounded(rates.last_lr),
        "low_share": _rounded(rates.low_lr_share),
    }


def _losses(seen: Training) -> Json:
    finite = [value for value in seen.loss.value if math.isfinite(value)]
    return {
        "first": _rounded(finite[0]) if finite else None,
        "last": _rounded(finite[-1]) if finite else None,
        "not_finite": seen.loss_not_finite,
    }


def _trace(run: Run, points: Points, summary: Json) -> Json:
    values = points.value
    finite = [at for at, value in enumerate(values) if math.isfinite(value)]
    curve = [(points.step[at], values[at]) for at in finite]
    kept = [finite[at] for at in corners(curve, MOST_POINTS)]
    known = len(points.samples) == len(values)
    return {
        "run": run.key,
        "seed": run.seed,
        "dataset": run.dataset,
        "step": [points.step[at] for at in kept],
        "samples": [points.samples[at] for at in kept] if known else [],
        "value": [_rounded(values[at]) for at in kept],
        **summary,
    }


def corners(curve: Curve, most: int) -> list[int]:
    """Return the places of at most so many points whose polygon stays near the curve.

    The ends are kept; then, again and again, the point that lies farthest from its chord.
    """
    last = len(curve) - 1
    kept = {0, last} if last >= 0 else set()
    waiting = _farthest(curve, 0, last)
    while waiting and len(kept) < most:
        _, low, at, high = heapq.heappop(waiting)
        kept.add(at)
        for one in (*_farthest(curve, low, at), *_farthest(curve, at, high)):
            heapq.heappush(waiting, one)
    return sorted(kept)


def _farthest(curve: Curve, low: int, high: int) -> list[tuple[float, int, int, int]]:
    """Return the point between two places that is farthest from their chord, if one is off it."""
    if high - low < 2:
        return []
    (start, bottom), (end, top) = curve[low], curve[high]
    slope = (top - bottom) / max(1, end - start)
    away, at = max(
        (abs(curve[at][1] - bottom - slope * (curve[at][0] - start)), at)
        for at in range(low + 1, high)
    )
    hair = 1e-9 * max(abs(bottom), abs(top))
    return [(-away, low, at, high)] if away > hair else []


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
