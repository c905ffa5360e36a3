"""Curves made short, and what a loss curve says."""

from __future__ import annotations

from statistics import median

import numpy as np

from repcheck.analysis.arrays import Any1D
from repcheck.observation import Points
from repcheck.records import Ints

MOST_POINTS = 400
BUCKETS = 4_000
FEWEST_FOR_A_TREND = 20


def thinned(step: Ints, samples: Ints, value: Any1D) -> Points:
    """Return a curve of at most 400 points: its ends, and its corners, the sharpest first."""
    finite = np.isfinite(value)
    step, samples, value = step[finite], samples[finite], value[finite].astype(np.float64)
    likely = _likely(value)
    keep = likely[_corners(step[likely].astype(np.float64), value[likely])]
    return Points(
        step=tuple(step[keep].tolist()),
        samples=tuple(samples[keep].tolist()),
        value=tuple(value[keep].tolist()),
    )


def _likely(value: Any1D) -> Ints:
    """Return where corners may be: the ends, extremes and sharpest bend of each short stretch."""
    size = len(value)
    if size <= 5 * BUCKETS:
        return np.arange(size, dtype=np.int64)
    width = -(-size // BUCKETS)
    padded = np.concatenate([value, np.repeat(value[-1:], -size % width)])
    bend = np.zeros(len(padded))
    with np.errstate(over="ignore", invalid="ignore"):
        bend[1:-1] = np.abs(padded[2:] - 2 * padded[1:-1] + padded[:-2])
    rows = padded.reshape(-1, width)
    begin = np.arange(len(rows)) * width
    found = [begin, begin + width - 1, begin + rows.argmin(axis=1), begin + rows.argmax(axis=1)]
    found.append(begin + bend.reshape(-1, width).argmax(axis=1))
    return np.unique(np.minimum(np.concatenate(found), size - 1))


def _corners(x: Any1D, y: Any1D) -> Ints:
    """Return the places to keep: again and again the one farthest from the line drawn so far."""
    if len(x) <= 2:
        return np.arange(len(x), dtype=np.int64)
    kept = {0, len(x) - 1}
    open_ = [_farthest(x, y, 0, len(x) - 1)]
    while len(kept) < MOST_POINTS and open_:
        number = max(range(len(open_)), key=lambda at: open_[at][0])
        far, begin, place, end = open_.pop(number)
        if far <= 0:
            break
        kept.add(place)
        open_ += [
            _farthest(x, y, first, last)
            for first, last in ((begin, place), (place, end))
            if last - first > 1
        ]
    return np.array(sorted(kept), np.int64)


def _farthest(x: Any1D, y: Any1D, begin: int, end: int) -> tuple[float, int, int, int]:
    """Return the largest distance from the line between two places, and where it is."""
    inner = slice(begin + 1, end)
    share = (x[inner] - x[begin]) / max(x[end] - x[begin], 1.0)
    line = y[begin] * (1 - share) + y[end] * share
    with np.errstate(over="ignore", invalid="ignore"):
        away = np.nan_to_num(np.abs(y[inner] - line), nan=0.0)
    place = int(away.argmax())
    # Rounding alone is no corner.
    slack = 1e-9 * max(abs(float(y[begin])), abs(float(y[end])))
    return (float(away[place]) if away[place] > slack else 0.0), begin, begin + 1 + place, end


def trend(losses: Any1D) -> float | None:
    """Return the last over the first loss, each the median of a tenth; None: too few, or <= 0."""
    if len(losses) < FEWEST_FOR_A_TREND:
        return None
    tenth = max(1, len(losses) // 10)
    first = median(losses[:tenth].tolist())
    last = median(losses[-tenth:].tolist())
    return last / first if first > 0 else None
