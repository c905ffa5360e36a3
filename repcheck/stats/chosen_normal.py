"""Chosen seeds where seeds are normal: means that are maxima, and the best r of K.

A single claim rarely suffices, and no z alone is a finding: combine over claims (`combined_p`), or
use the ranks and the fresh seeds of `chosen`, which need no distribution. X is the reported number
and y_1 .. y_m are reruns of the same configuration, oriented (positive is better).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtr, log_ndtr, ndtr, ndtri, stdtr

from repcheck.stats.arrays import Floats, finite, require_draws
from repcheck.stats.compare import Summary
from repcheck.stats.criteria import require_finite, require_positive

FARTHEST = 1e3
"""Further out in spreads every answer is the same, and squares would overflow."""


def prediction_p(reported: float, reruns: Sequence[float], *, seeds: int = 1) -> float:
    """Return the one-sided p of a reported mean of `seeds` seeds among normal reruns.

    T = (X - mean(y)) / (s_y sqrt(1/k + 1/m)) on m - 1 degrees of freedom; 3.37, 2.34 and 1.92 s_y
    above the mean of 3, 5 and 10 reruns are at 5 % for one seed. Raises ValueError for fewer than
    two reruns or reruns that do not differ.
    """
    z, df = _standardised(reported, reruns, seeds)
    return float(stdtr(df, -z))


def shared_p(reported: Sequence[float], reruns: ArrayLike, *, seeds: int = 1) -> float:
    """Return the one-sided p of several numbers whose seeds may share their luck.

    `reported` holds q numbers, each a mean of at least `seeds` seeds, and `reruns` (q, m) the same
    m seeds run for each of them, all in one unit. The means over the q numbers are compared as in
    `prediction_p`, so that how far a seed does well on all of them is measured by the reruns
    themselves; for normal seeds p is exact whatever that is. Raises ValueError as `prediction_p`,
    and where the shapes do not fit.
    """
    table = finite("the reruns", reruns, ndim=2, least=2)
    if len(reported) != len(table):
        raise ValueError(f"{len(reported)} numbers and reruns of {len(table)}")
    mean = math.fsum(reported) / len(reported)
    return prediction_p(mean, table.mean(axis=0).tolist(), seeds=seeds)


def power_shared(
    arms: Sequence[tuple[int, int]], *, made: int, random: np.random.Generator,
    alpha: float = 0.05, repeats: int = 1000,
) -> float:  # fmt: skip
    """Return how often `shared_p` finds numbers that are the best of `made` seeds each.

    `arms` are (published, fresh) seeds of each number, of equal spread and no shared luck; normal
    seeds, by simulation. Raises ValueError without an arm or with fewer than two fresh seeds.
    """
    fresh = min((m for _, m in arms), default=0)
    if fresh < 2 or any(not 1 <= k <= made for k, _ in arms):
        raise ValueError(f"{arms} are no published and fresh seeds that can be tested together")
    require_draws(repeats, 1)
    means = np.zeros(repeats)
    for k, _ in arms:
        best = np.sort(random.standard_normal((repeats, made)), axis=1)[:, -k:]
        means += best.mean(axis=1) / len(arms)
    over = random.standard_normal((repeats, fresh)) / math.sqrt(len(arms))
    wide = over.std(axis=1, ddof=1) * math.sqrt(1 / min(k for k, _ in arms) + 1 / fresh)
    return float((stdtr(fresh - 1, (over.mean(axis=1) - means) / wide) <= alpha).mean())


def combined_p(ps: ArrayLike) -> float:
    """Return Stouffer's p of independent one-sided p values: sum of z / sqrt(q) (1949). Raises
    ValueError for a p outside 0 to 1.
    """
    values = finite("the p values", ps)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a p value must lie between 0 and 1")
    # 1e-300 stands for a p too small for doubles, and its mirror for one too near 1.
    z = ndtri(np.clip(values, 1e-300, 1 - 1e-16))
    return float(ndtr(z.sum() / math.sqrt(values.size)))


def expected_max(k: int) -> float:
    """Return e_k, the mean of the largest of k standard normals (1.1630 for 5).

    The integral of 1 - Phi(z)^k - Phi(-z)^k over z > 0, by the trapezoid rule. Raises ValueError
    below 1.
    """
    if k < 1:
        raise ValueError(f"the number of seeds must be at least 1, not {k}")
    z = np.linspace(0, 40, 40_001)
    parts = -np.expm1(k * log_ndtr(z)) - np.exp(k * log_ndtr(-z))
    return float(parts.sum() - parts[0] / 2) * float(z[1])


def log_ratio_of_max(z: ArrayLike, seeds: int) -> Floats:
    """Return the log likelihood ratio of "the largest of k" against "the mean of k", for z = (X -
    mu) / sigma: log k + log phi(z) + (k - 1) log Phi(z) - log(sqrt(k) phi(sqrt(k) z)).
    """
    x = np.clip(finite("z", np.ravel(z)), -FARTHEST, FARTHEST).reshape(np.shape(z))
    found: Floats = math.log(seeds) / 2 + (seeds - 1) * log_ndtr(x) + (seeds - 1) * np.square(x) / 2
    return found


def bayes_factor_of_max(
    reported: float,
    reruns: Sequence[float],
    *,
    seeds: int,
    random: np.random.Generator,
    draws: int = 4_000,
) -> float:
    """Return the log Bayes factor of "X is the largest of k seeds" against "X is their mean".

    Both likelihoods are averaged over the same draws from the posterior of mean and spread given m
    normal reruns (sigma^2 = (m - 1) s^2 / chi2, mu normal about the mean with sigma^2 / m, from the
    prior 1 / sigma). Above 0 speaks for the largest; it describes, and at 5 + 5 seeds a real
    maximum is told from a mean in half the cases at best. Raises ValueError for fewer than 2 seeds
    or reruns, reruns that do not differ, NaN or infinity.
    """
    if seeds < 2:
        raise ValueError(f"a mean and a largest of seeds need at least 2 of them, not {seeds}")
    z, df = _standardised(reported, reruns, seeds)
    m = df + 1
    require_draws(draws, 1)
    # In units of the reruns' spread about their mean, in which the posterior is always the same.
    x = min(FARTHEST, max(-FARTHEST, z * math.sqrt(1 / seeds + 1 / m)))
    sigma = np.sqrt(df / random.chisquare(df, draws))
    at = (x - sigma * random.standard_normal(draws) / math.sqrt(m)) / sigma
    mean = math.log(seeds) / 2 - seeds * np.square(at) / 2 - np.log(sigma)
    return _log_mean(mean + log_ratio_of_max(at, seeds)) - _log_mean(mean)


def _log_mean(logs: Floats) -> float:
    largest = float(logs.max())
    return largest + math.log(float(np.exp(logs - largest).mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class TopOf:
    """A mean too high and a spread too low together, as the best r of K seeds have."""

    p_mean: float
    p_spread: float
    p: float


def top_of(
    reported: Summary,
    reruns: Sequence[float],
    *,
    random: np.random.Generator,
    draws: int = 20_000,
) -> TopOf:
    """Test whether the reported seeds look like the best of more, by mean and spread together.

    `p_mean` is `prediction_p`; `p_spread` the lower tail of F = s^2 / s_y^2 on k - 1 and m - 1
    degrees of freedom. Both share s_y, so Fisher's sum of their logs is held against its
    distribution over normal seeds, drawn `draws` times (it depends on neither mean nor spread). A
    spread printed as 0.0 is to be given as the most it can be, half a unit. Raises ValueError for a
    reported spread that is unknown, fewer than 2 reruns or reruns that do not differ.
    """
    if reported.sd is None:
        raise ValueError("the reported spread is unknown")
    k = reported.n
    z, df = _standardised(reported.mean, reruns, k)
    spread = Summary.of(list(reruns)).sd or math.inf
    require_draws(draws, 1)
    ratio = min(FARTHEST, reported.sd / spread)
    p_mean, p_spread = float(stdtr(df, -z)), float(fdtr(k - 1, df, ratio**2))
    s_old = np.sqrt(random.chisquare(k - 1, draws) / (k - 1))
    s_new = np.sqrt(random.chisquare(df, draws) / df)
    # The difference of the means over its true standard deviation is standard normal.
    t = random.standard_normal(draws) / s_new
    drawn = _log(stdtr(df, -t)) + _log(fdtr(k - 1, df, np.square(s_old / s_new)))
    seen = float(_log(np.array(p_mean)) + _log(np.array(p_spread)))
    as_low = int(np.count_nonzero(drawn <= seen))
    return TopOf(p_mean=p_mean, p_spread=p_spread, p=(as_low + 1) / (draws + 1))


def _log(p: Floats) -> Floats:
    found: Floats = np.log(np.maximum(p, 1e-300))
    return found


def _standardised(reported: float, reruns: Sequence[float], seeds: int) -> tuple[float, int]:
    """Return T of the reported mean of `seeds` seeds, and its degrees of freedom."""
    require_finite("the reported number", reported)
    require_positive("the number of seeds", seeds)
    summary = Summary.of(list(reruns))
    if not summary.sd:
        raise ValueError(
            f"the reruns (n = {summary.n}) have no spread to hold the reported number against"
        )
    return (reported - summary.mean) / (
        summary.sd * math.sqrt(1 / seeds + 1 / summary.n)
    ), summary.n - 1
