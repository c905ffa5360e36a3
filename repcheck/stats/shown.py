"""Where shown examples lie among all, and how often as many random ones lie as high."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from repcheck.stats.arrays import Floats, finite

EXACT_UP_TO = 100_000
DRAWS = 19_999
BLOCK = 1 << 22
NOISE = 1e-11


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How the shown examples lie among all `total`.

    `gain` is their mean and `mean` that of all; `low` and `high` are the percentiles of the lowest
    and the highest of them (half of equal ones counted). `p` is the chance that as many examples,
    drawn at random without putting back, have at least this mean; over `splits` draws, or all
    there are where `exact`.
    """

    count: int
    total: int
    gain: float
    mean: float
    low: float
    high: float
    p: float
    splits: int
    exact: bool


def shown(gains: Floats, places: NDArray[np.int64], random: np.random.Generator) -> Shown:
    """Test the mean of the shown gains against random choices of as many.

    All choices are counted where they are at most 100,000, else 19,999 are drawn and the one seen
    is counted with them (Phipson and Smyth 2010). Raises ValueError where no example is shown, one
    is shown twice, or a gain is not finite.
    """
    values = finite("the gains", gains)
    if not len(places) or len(np.unique(places)) < len(places):
        raise ValueError("at least one example must be shown, and each once")
    if places.min() < 0 or places.max() >= len(values):
        raise ValueError(f"there are {len(values)} examples, and one beyond them is shown")
    chosen = values[places]
    seen = float(chosen.sum())
    room = NOISE * max(float(np.abs(values).max()), 1e-300) * len(chosen)
    total, count = len(values), len(chosen)
    exact = math.comb(total, count) <= EXACT_UP_TO
    sums = _all(values, count) if exact else _drawn(values, count, random)
    above = splits = 0
    for part in sums:
        above += int((part >= seen - room).sum())
        splits += len(part)
    ranks = np.array([_percentile(values, one) for one in chosen])
    return Shown(
        count=count,
        total=total,
        gain=float(chosen.mean()),
        mean=float(values.mean()),
        low=float(ranks.min()),
        high=float(ranks.max()),
        p=above / splits if exact else (above + 1) / (splits + 1),
        splits=splits,
        exact=exact,
    )


def _percentile(values: Floats, one: float) -> float:
    return float(100 * ((values < one).sum() + (values == one).sum() / 2) / len(values))


def _all(values: Floats, count: int) -> Iterator[Floats]:
    yield np.array([sum(one) for one in combinations(values.tolist(), count)])


def _drawn(values: Floats, count: int, random: np.random.Generator) -> Iterator[Floats]:
    """Yield sums over random choices; each block holds a bounded number of values."""
    total = len(values)
    # Few of many are drawn with repetitions put back; else by sorting random keys.
    few = count * count <= total
    step = max(1, BLOCK // (count if few else total))
    left = DRAWS
    while left:
        size = min(step, left)
        if few:
            rows = random.integers(0, total, (size, count))
            ordered = np.sort(rows, axis=1)
            rows = rows[(ordered[:, 1:] != ordered[:, :-1]).all(axis=1)]
        else:
            rows = np.argpartition(random.random((size, total)), count - 1, axis=1)[:, :count]
        left -= len(rows)
        yield values[rows].sum(axis=1)
