"""What ratings of people can show: agreement, an interval over raters and items, the order.

Sources: Krippendorff 2011 (alpha from the matrix of coincidences); Owen 2007 (resampling raters and
items at once, which errs on the safe side); Clopper and Pearson's exact binomial.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

from repcheck.stats.arrays import Floats, finite, require_draws, unit_of

Scale = Literal["ordinal", "interval"]
Codes = NDArray[np.int64]
DRAWS = 4_000
BLOCK = 1 << 22


def alpha(units: Codes, values: Floats, scale: Scale) -> float | None:
    """Return Krippendorff's alpha of `values` given to `units`; a unit rated once counts nothing.

    1 - D_o / D_e with squared distances; for `ordinal` these are of the cumulated frequencies. None
    where no unit was rated twice or all ratings are equal. Raises ValueError for NaN or infinity.
    """
    numbers = finite("the ratings", values)
    sizes = np.bincount(units)
    paired = sizes[units] > 1
    if not paired.any():
        return None
    levels, code = np.unique(numbers[paired], return_inverse=True)
    if len(levels) < 2:
        return None
    _, unit = np.unique(units[paired], return_inverse=True)
    size, total = np.bincount(unit).astype(float), np.bincount(code).astype(float)
    place = levels if scale == "interval" else np.cumsum(total) - total / 2
    rated = place[code]
    first, second = (np.bincount(unit, rated**power).astype(float) for power in (1, 2))
    observed = _spread(size, first, second)
    expected = _spread(total.sum(), total @ place, total @ place**2)
    return 1 - observed / expected


def _spread(size: Floats, first: Floats, second: Floats) -> float:
    """Return all pairs' squared distances, from how many values units have, their sum, squares."""
    return float((2 * (size * second - first**2) / (size - 1)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gained:
    """The mean gain with its 95 % interval over raters and items, from `draws` resamplings."""

    mean: float
    low: float
    high: float
    draws: int


def gained(gains: Floats, raters: Codes, items: Codes, random: np.random.Generator) -> Gained:
    """Return the mean of `gains`, resampling raters and items with replacement at once.

    Raises ValueError for NaN, infinity, and no rating at all.
    """
    values = finite("the gains", gains)
    people, things = int(raters.max()) + 1, int(items.max()) + 1
    means = []
    step = max(1, BLOCK // max(len(values), people, things))
    for at in range(0, DRAWS, step):
        size = min(step, DRAWS - at)
        a = random.multinomial(people, np.full(people, 1 / people), size)
        b = random.multinomial(things, np.full(things, 1 / things), size)
        weights = (a[:, raters] * b[:, items]).astype(np.float64)
        kept = weights.sum(axis=1)
        means.append((weights @ values)[kept > 0] / kept[kept > 0])
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Gained(mean=float(values.mean()), low=float(low), high=float(high), draws=DRAWS)


def without_one(gains: Floats, raters: Codes) -> Floats:
    """Return the mean gain without each rater; NaN for one who gave all ratings."""
    sums = np.bincount(raters, gains)
    counts = np.bincount(raters)
    left = len(gains) - counts
    found: Floats = np.where(left > 0, (gains.sum() - sums) / np.maximum(left, 1), np.nan)
    return found


def half_p(hits: int, of: int) -> float:
    """Return the exact two-sided binomial p of a share of one half.

    Raises ValueError unless `hits` are some of `of`.
    """
    if not 0 <= hits <= of or of < 1:
        raise ValueError(f"{hits} cannot be some of {of}")
    less = float(bdtr(hits, of, 0.5))
    more = 1.0 if hits == 0 else float(bdtrc(hits - 1, of, 0.5))
    return min(1.0, 2 * min(less, more))


def missing_where_worse(
    gains: Sequence[float], missing: Sequence[int], random: np.random.Generator, draws: int = 9_999
) -> float:
    """Return the one-sided p that ratings are missing on the items of the lowest remaining gain.

    The statistic is the sum of gain times missing ratings over items, against random orders of the
    items; the order seen is counted with them. Raises ValueError where gains and missing ratings
    are not of the same items, for a number that is none, and for fewer than 100 draws.
    """
    values, holes = finite("the gains", gains), finite("the missing ratings", missing)
    if len(values) != len(holes) or holes.min() < 0:
        raise ValueError("each item needs one gain and a number of missing ratings from 0 on")
    values = values / unit_of(values)
    require_draws(draws, len(values))
    seen = float(values @ holes)
    slack = 1e-9 * max(1.0, abs(seen))
    below, left = 0, draws
    while left:
        size = min(left, max(1, BLOCK // max(1, len(values))))
        orders = random.permuted(np.tile(values, (size, 1)), axis=1)
        below += int((orders @ holes <= seen + slack).sum())
        left -= size
    return (below + 1) / (draws + 1)
