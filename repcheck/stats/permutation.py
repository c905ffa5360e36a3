"""Exact permutation tests, many comparisons at once.

Under the null hypothesis the seeds of both arms are exchangeable, so every split of the pooled
seeds into arms of these sizes is as likely as the one seen (Fisher 1935; Pitman 1937). All splits
are counted up to the 184,756 of ten seeds per arm; beyond that random splits are drawn, and the
split seen is counted with them, which keeps the error rate (Phipson and Smyth 2010).

The smallest p is what n allows: 0.05 one-sided for 3 + 3 seeds, 0.004 for 5 + 5. A test on 3 + 3
seeds can be neither two-sided nor corrected for several comparisons.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repcheck.stats.arrays import Floats, finite, require_draws, units_of_rows

EXACT_UP_TO = comb(20, 10)
MOST_SEEDS = 2_000
"""With more seeds in both arms together random splits are drawn, however few there are."""
MOST_PAIRS = 17
DRAWS = 9_999
BLOCK = 1 << 21
"""So many sums are held at a time."""
NOISE = 1e-11
"""Sums nearer than this share of the largest difference are equal but for the adding up."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permuted:
    """p values of a permutation test, one for each comparison.

    `p_greater` speaks for "a is greater than b" (for pairs: the differences are above zero),
    `p_less` for the reverse; the two-sided p is twice the smaller, at most 1. `splits` is how many
    splits were counted, all there are where `exact`.
    """

    p_greater: Floats
    p_less: Floats
    splits: int
    exact: bool

    @property
    def p_two_sided(self) -> Floats:
        """Two-sided p, twice the smaller one-sided p."""
        doubled: Floats = 2 * np.minimum(self.p_greater, self.p_less)
        return doubled.clip(max=1.0)

    @property
    def smallest_p(self) -> float:
        """The smallest one-sided p that this many splits can give."""
        return 1 / self.splits if self.exact else 1 / (self.splits + 1)


def two_samples(
    a: ArrayLike, b: ArrayLike, *, random: np.random.Generator | None = None, draws: int = DRAWS
) -> Permuted:
    """Test the difference of means of independent arms, comparison by comparison.

    `a` is comparisons x n and `b` comparisons x m; one comparison may be given as plain sequences.
    All comparisons share the splits, which changes no single p. Raises ValueError for NaN,
    infinite or missing values, unequal numbers of comparisons, and where there are too many splits
    to count (`EXACT_UP_TO`) and no `random` is given.
    """
    first, second = _rows("the seeds of a", a), _rows("the seeds of b", b)
    if len(first) != len(second):
        raise ValueError(
            f"both arms need the same comparisons, not {len(first)} and {len(second)} of them"
        )
    n, total = first.shape[1], first.shape[1] + second.shape[1]
    pooled = np.concatenate([first, second], axis=1)
    exact = total <= MOST_SEEDS and comb(total, n) <= min(EXACT_UP_TO, (1 << 23) // total)
    masks = _all_splits(n, total) if exact else _drawn_splits(n, total, random, draws)
    values, noise = _centred(pooled)
    return _counted(values, values[:, :n].sum(axis=1), masks, noise, exact=exact)


def paired(
    differences: ArrayLike, *, random: np.random.Generator | None = None, draws: int = DRAWS
) -> Permuted:
    """Test differences of pairs against zero by flipping their signs.

    `differences` is comparisons x pairs, or one comparison's. Under the null hypothesis each
    difference is as likely with the other sign; all 2^n flips are counted up to 17 pairs. Raises
    ValueError as `two_samples` does.
    """
    given = _rows("the differences", differences)
    values, n = given / units_of_rows(given), given.shape[1]
    exact = n <= MOST_PAIRS
    masks = _all_flips(n) if exact else _drawn_flips(n, random, draws)
    # The sum of the differences left positive says the same as the difference of the two sums.
    return _counted(values, values.sum(axis=1), masks, np.full(len(values), NOISE), exact=exact)


def _rows(name: str, values: ArrayLike) -> Floats:
    array = finite(name, values, ndim=max(1, np.ndim(values)))
    return finite(name, array[None, :] if array.ndim == 1 else array, ndim=2)


def _centred(pooled: Floats) -> tuple[Floats, Floats]:
    """Return each row about its first value, at most 4 in size, and how near equal sums may lie."""
    shifted = pooled / units_of_rows(pooled)
    shifted = shifted - shifted[:, :1]
    reach = np.abs(shifted).max(axis=1)
    # Doubles of size 2 are rounded by 2 eps at most; so may every value be, before it comes here.
    rounding = 4 * np.finfo(np.float64).eps * pooled.shape[1]
    return shifted, NOISE * reach + rounding


def _counted(
    values: Floats, seen: Floats, masks: Iterator[Mask], noise: Floats, *, exact: bool
) -> Permuted:
    above = np.zeros(len(values), dtype=np.int64)
    below, splits = np.zeros_like(above), 0
    high, low = (seen + noise)[:, None], (seen - noise)[:, None]
    for mask in masks:
        for part in _parts(mask, len(values)):
            sums = values @ part.astype(np.float64, copy=False)
            above += np.count_nonzero(sums >= low, axis=1)
            below += np.count_nonzero(sums <= high, axis=1)
            splits += part.shape[1]
    own = 0 if exact else 1
    return Permuted(
        p_greater=(above + own) / (splits + own),
        p_less=(below + own) / (splits + own),
        splits=splits,
        exact=exact,
    )


def _parts(mask: Mask, rows: int) -> Iterator[Mask]:
    step = max(1, BLOCK // max(rows, len(mask)))
    for at in range(0, mask.shape[1], step):
        yield mask[:, at : at + step]


@lru_cache(maxsize=8)
def _table(n: int, total: int) -> Mask:
    chosen = np.fromiter(
        (place for one in combinations(range(total), n) for place in one), dtype=np.int64
    ).reshape(-1, n)
    mask = np.zeros((total, len(chosen)), dtype=np.bool_)
    mask[chosen.T, np.arange(len(chosen))] = True
    return mask


def _all_splits(n: int, total: int) -> Iterator[Mask]:
    yield _table(n, total)


def _all_flips(n: int) -> Iterator[Mask]:
    flips = np.arange(2**n)
    yield (flips >> np.arange(n)[:, None] & 1).astype(np.bool_)


def _drawn_splits(
    n: int, total: int, random: np.random.Generator | None, draws: int
) -> Iterator[Mask]:
    generator = _required(random, f"the splits of {total} seeds")
    require_draws(draws, total)
    for size in _sizes(draws, total):
        order = np.argpartition(generator.random((size, total)), n - 1, axis=1)
        mask = np.zeros((size, total), dtype=np.bool_)
        np.put_along_axis(mask, order[:, :n], values=True, axis=1)
        yield mask.T


def _drawn_flips(n: int, random: np.random.Generator | None, draws: int) -> Iterator[Mask]:
    generator = _required(random, f"the flips of {n} pairs")
    require_draws(draws, n)
    for size in _sizes(draws, n):
        yield generator.integers(0, 2, (n, size), dtype=np.int8).astype(np.bool_)


def _sizes(draws: int, total: int) -> Iterator[int]:
    step = max(1, BLOCK // total)
    for at in range(0, draws, step):
        yield min(step, draws - at)


def _required(random: np.random.Generator | None, what: str) -> np.random.Generator:
    if random is None:
        raise ValueError(f"{what} are too many to count: give a generator to draw some of them")
    return random
