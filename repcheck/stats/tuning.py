"""How good the best of k tuning trials is, and what tuning more than the other side gives.

Trials are one oriented score each (positive is better), drawn independently as in random search. A
fair comparison gives both sides the same number of trials; the curves say what each side would have
at that number, from the trials it has. A trial that diverged counts, with the score it earned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, gammaln

from repcheck.stats.arrays import (
    Floats,
    blocks,
    drawn_counts,
    finite,
    require_draws,
    require_level,
    unit_of,
)
from repcheck.stats.compare import Interval, t_interval
from repcheck.stats.wording import Numbers, counted

DRAWS = 2_000
LEVEL = 0.95
BOOTSTRAP_SHARE = 5
"""A bootstrap is trusted up to this part of the trials: with 20 trials it covers 92 % at k = 5 and
79 to 82 % at k = 10."""
MOST_BUDGETS = 200

How = Literal["bootstrap", "distribution-free", "none"]


# --- curves -----------------------------------------------------------------------------------


def best_of_k(trials: ArrayLike, budgets: Sequence[int]) -> Floats:
    """Return the unbiased estimate U(k) of the mean of the best of k trials, for each k.

    U(k) = sum over i >= k of v_(i) C(i - 1, k - 1) / C(B, k), over the B sorted trials: the mean
    best of all subsets of k (Tang et al. 2020). Raises ValueError for NaN, infinity, no trials, or
    a k outside 1 to B.
    """
    values, unit = _sorted(trials)
    return np.array([unit * float(values @ _u_weights(values.size, k)) for k in budgets])


def best_of_k_biased(trials: ArrayLike, budgets: Sequence[int]) -> Floats:
    """Return Dodge's V(k) = sum of v_(i) [(i / B)^k - ((i - 1) / B)^k] (Dodge et al. 2019).

    The mean best of k drawn with replacement: too low, by a fifth of a point in a hundred for k =
    B = 10. It is here to be held against published curves. Raises ValueError as `best_of_k` does,
    but for a k above B.
    """
    values, unit = _sorted(trials)
    steps = np.arange(values.size + 1) / values.size
    return np.array([unit * float(values @ np.diff(steps ** _budget(k, None))) for k in budgets])


def spread_of_best(trials: ArrayLike, budgets: Sequence[int]) -> Floats:
    """Return the standard deviation of the best of k drawn with replacement, for each k.

    It is how much one such best varies, not a standard error of V(k), for which it is often taken.
    """
    values, unit = _sorted(trials)
    steps = np.arange(values.size + 1) / values.size
    found = []
    for k in budgets:
        weights = np.diff(steps ** _budget(k, None))
        about = values - float(values @ weights)
        found.append(unit * math.sqrt(float(np.square(about) @ weights)))
    return np.array(found)


def _sorted(trials: ArrayLike) -> tuple[Floats, float]:
    values = np.sort(finite("the trials", trials))
    unit = unit_of(values)
    return values / unit, unit


def _budget(k: int, most: int | None) -> int:
    if k < 1 or (most is not None and k > most):
        limit = "" if most is None else f" and at most the {counted(most, 'trial')} there are"
        raise ValueError(f"a budget must be at least 1 trial{limit}, not {k}")
    return k


def _u_weights(trials: int, k: int) -> Floats:
    """Return C(i - 1, k - 1) / C(B, k) for i = 1 .. B."""
    _budget(k, trials)
    i = np.arange(k, trials + 1, dtype=np.float64)
    whole = gammaln(trials + 1) - gammaln(k + 1) - gammaln(trials - k + 1)
    logs = gammaln(i) - gammaln(k) - gammaln(i - k + 1) - whole
    weights = np.concatenate([np.zeros(k - 1), np.exp(logs)])
    # The logarithms of a million factorials lose eight digits; the weights sum to one all the same.
    found: Floats = weights / weights.sum()
    return found


# --- bands ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Where a curve over budgets lies: an end may be infinite where nothing bounds it."""

    budgets: tuple[int, ...]
    low: Floats
    high: Floats
    level: float


def mean_band(
    trials: ArrayLike,
    budgets: Sequence[int],
    support: tuple[float, float],
    *,
    level: float = LEVEL,
) -> Band:
    """Return a band for the mean of the best of k that holds for all k at once, whatever the
    distribution on `support`.

    The distribution function lies within sqrt(log(2 / (1 - level)) / (2 B)) of the observed one
    (Dvoretzky, Kiefer and Wolfowitz 1956; Massart 1990); its k-th power is that of the best of k,
    whose mean is high - integral of F(x)^k over the support (Lourie et al. 2023). It is wide: its
    coverage is above its level. Raises ValueError for trials outside the support.
    """
    values, low, high, unit = _within(trials, support)
    reach = math.sqrt(math.log(2 / (1 - require_level(level))) / (2 * values.size))
    steps = np.arange(values.size + 1) / values.size
    widths = np.diff(np.concatenate([[low], values, [high]]))
    least, most = np.maximum(0.0, steps - reach), np.minimum(1.0, steps + reach)
    powers = [_budget(k, None) for k in budgets]
    return Band(
        budgets=tuple(budgets),
        low=np.array([unit * (high - float(most**k @ widths)) for k in powers]),
        high=np.array([unit * (high - float(least**k @ widths)) for k in powers]),
        level=level,
    )


def median_band(trials: ArrayLike, budgets: Sequence[int], *, level: float = LEVEL) -> Band:
    """Return a band for the median of the best of k, for one k at a time, without any bounds on
    the metric.

    The median of the best of k is the 2^(-1/k) quantile of a trial, and the binomial distribution
    (Clopper and Pearson 1934) says between which sorted trials that lies. An end beyond all trials
    is infinite.
    """
    values, unit = _sorted(trials)
    count, tail = values.size, (1 - require_level(level)) / 2
    ends = np.concatenate([[-math.inf], values * unit, [math.inf]])
    below, places = [], np.arange(count + 1)
    for k in budgets:
        # bdtr(j, B, q): at most j of B trials lie below the q quantile.
        chance = bdtr(places.astype(np.float64), count, 0.5 ** (1 / _budget(k, None)))
        low = int(np.searchsorted(chance, tail, side="right"))
        high = int(np.searchsorted(chance, 1 - tail, side="left"))
        below.append((ends[low], ends[high + 1]))
    lows, highs = zip(*below, strict=True)
    return Band(budgets=tuple(budgets), low=np.array(lows), high=np.array(highs), level=level)


def _within(trials: ArrayLike, support: tuple[float, float]) -> tuple[Floats, float, float, float]:
    values, ends = finite("the trials", trials), finite("the support", support)
    if not (ends.size == 2 and ends[0] <= values.min() and values.max() <= ends[1]):
        raise ValueError(f"the trials must lie within the support {support}")
    unit = unit_of(values, ends)
    return np.sort(values) / unit, float(ends[0]) / unit, float(ends[1]) / unit, unit


# --- comparisons ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The mean of the best of k trials; without an interval where `how` is none."""

    k: int
    trials: int
    estimate: float
    low: float | None
    high: float | None
    how: How


def best_at(
    trials: ArrayLike,
    k: int,
    *,
    random: np.random.Generator,
    support: tuple[float, float] | None = None,
    level: float = LEVEL,
) -> Best:
    """Return U(k) with an interval: a percentile bootstrap while 5 k <= B, beyond that the
    distribution-free band, which needs the metric's `support`.

    Raises ValueError as `best_of_k` does.
    """
    values = finite("the trials", trials)
    estimate = float(best_of_k(values, [k])[0])
    low: float | None = None
    high: float | None = None
    how: How = "none"
    if BOOTSTRAP_SHARE * k <= values.size:
        drawn, unit = _resampled(values, [k], random)
        ends = np.quantile(drawn[0], [(1 - require_level(level)) / 2, (1 + level) / 2])
        low, high, how = unit * float(ends[0]), unit * float(ends[1]), "bootstrap"
    elif support is not None:
        band = mean_band(values, [k], support, level=level)
        low, high, how = float(band.low[0]), float(band.high[0]), "distribution-free"
    return Best(k=k, trials=values.size, estimate=estimate, low=low, high=high, how=how)


def _resampled(
    values: Floats, budgets: Sequence[int], random: np.random.Generator
) -> tuple[Floats, float]:
    """Return U of trials drawn with replacement, budgets x draws, and the unit it is in.

    All budgets see the same draws; sorting is spared, as in `aggregate`.
    """
    ordered, unit = _sorted(values)
    size, parts = ordered.size, []
    reached = [np.concatenate([[0.0], np.cumsum(_u_weights(size, k))]) for k in budgets]
    require_draws(DRAWS, size)
    for draws in blocks(DRAWS, size):
        below = np.cumsum(drawn_counts((size,), draws, random), axis=0)
        weights = (np.diff(one[below], axis=0, prepend=0.0) for one in reached)
        parts.append(np.stack([ordered @ one for one in weights]))
    return np.concatenate(parts, axis=1), unit


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualTrials:
    """Both sides at the same number of trials.

    `at_own` is U of each side's own number of trials, ours less theirs, and `at_equal` the same at
    `k` for both; what tuning more gave is the difference. `clear_from` is the least number of
    trials at which our band lies over theirs, None where at none that both have, or where the
    metric's bounds are unknown. `to_match` is how many of their own trials the other side needs to
    reach ours at k, None where all of them do not do.
    """

    k: int
    ours: Best
    theirs: Best
    at_own: float
    clear_from: int | None
    to_match: int | None

    @property
    def at_equal(self) -> float:
        """Ours less theirs at the same number of trials."""
        return self.ours.estimate - self.theirs.estimate

    @property
    def from_tuning(self) -> float:
        """What of the difference at own budgets goes when trials are equal."""
        return self.at_own - self.at_equal

    def in_words(self, unit: float) -> str:
        """One sentence, without its full stop; `unit` is one unit of the last printed digit."""
        numbers = Numbers(unit)
        matched = (
            "none of its trials together reach that"
            if self.to_match is None
            else f"it reaches that with {counted(self.to_match, 'trial')}"
        )
        return (
            f"with {counted(self.k, 'trial')} each the difference is "
            f"{numbers.signed(self.at_equal)} instead of {numbers.signed(self.at_own)} with "
            f"{self.ours.trials} and {self.theirs.trials}; the best of {self.k} is "
            f"{numbers.plain(self.ours.estimate)}, the other side's "
            f"{numbers.plain(self.theirs.estimate)}, and {matched}"
        )


def equal_trials(
    ours: ArrayLike,
    theirs: ArrayLike,
    *,
    random: np.random.Generator,
    support: tuple[float, float] | None = None,
    level: float = LEVEL,
) -> EqualTrials:
    """Compare two sides at the smaller of their numbers of trials.

    Raises ValueError for NaN, infinity or no trials, and for trials outside the support.
    """
    a, b = finite("our trials", ours), finite("their trials", theirs)
    k = min(a.size, b.size)
    own = float(best_of_k(a, [a.size])[0]) - float(best_of_k(b, [b.size])[0])
    return EqualTrials(
        k=k,
        ours=best_at(a, k, random=random, support=support, level=level),
        theirs=best_at(b, k, random=random, support=support, level=level),
        at_own=own,
        clear_from=_clear_from(a, b, support, level) if support else None,
        to_match=budget_to_match(a, k, b),
    )


def _clear_from(a: Floats, b: Floats, support: tuple[float, float], level: float) -> int | None:
    """Return the least k at which a's band lies over b's; both bands hold together at `level`."""
    budgets = _budgets(min(a.size, b.size))
    each = (1 + level) / 2
    low = mean_band(a, budgets, support, level=each).low
    high = mean_band(b, budgets, support, level=each).high
    over = np.flatnonzero(low > high)
    return budgets[int(over[0])] if over.size else None


def _budgets(most: int) -> list[int]:
    """Return 1 .. most, thinned out where there are very many."""
    if most <= MOST_BUDGETS:
        return list(range(1, most + 1))
    return sorted({round(k) for k in np.geomspace(1, most, MOST_BUDGETS)})


def budget_to_match(ours: ArrayLike, k: int, theirs: ArrayLike) -> int | None:
    """Return the smallest number of their trials whose mean best reaches our mean best of k.

    None where even all their trials do not. U never falls with k, so halving finds it.
    """
    others = finite("their trials", theirs)
    values, unit = _sorted(others)
    target = float(best_of_k(ours, [k])[0])
    slack = 1e-12 * float(np.abs(others).max())
    low, high = 0, others.size
    if float(others.max()) < target - slack:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if unit * float(values @ _u_weights(values.size, middle)) >= target - slack:
            high = middle
        else:
            low = middle
    return high


def tuning_gain(
    ours: ArrayLike,
    theirs: ArrayLike,
    *,
    random: np.random.Generator,
    alpha: float = 0.025,
) -> Interval:
    """Return what tuning more trials than the other side gave: U at own less U at equal numbers.

    The standard error is that of the bootstrap, which near k = B is too small rather than too
    large; it serves a waterfall, not a verdict. Raises ValueError for fewer than 2 trials.
    """
    a, b = finite("our trials", ours, least=2), finite("their trials", theirs, least=2)
    k = min(a.size, b.size)
    if a.size == b.size:
        return t_interval(0.0, 0.0, None, alpha)
    more, sign = (a, 1.0) if a.size > b.size else (b, -1.0)
    equal, own = best_of_k(more, [k, more.size]).tolist()
    drawn, unit = _resampled(more, [k, more.size], random)
    se = unit * float(np.std(drawn[1] - drawn[0]))
    return t_interval(sign * (own - equal), se, more.size - 1, alpha)
