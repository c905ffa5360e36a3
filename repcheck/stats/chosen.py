"""Chosen seeds: is a reported number the best of several tries?

Only two results carry a finding: `best_of` over several claims, and `against_fresh` for published
seeds. A single high number never does, whatever its z: see `INNOCENT`.

X is the reported number and y_1 .. y_m are reruns of the same configuration, oriented (positive is
better). Under the null hypothesis X is one more rerun; j is how many reruns lie above it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, chdtr, chdtri, gammaln

from repcheck.stats.arrays import Floats, finite, require_level, unit_of
from repcheck.stats.criteria import require_finite
from repcheck.stats.permutation import DRAWS, two_samples
from repcheck.stats.wording import counted

INNOCENT = (
    "other hardware or library versions shift every seed, also the published ones",
    "the paper's number was selected on the test set by checkpoint, not by seed",
    "the paper trained longer than the released configuration says",
    "the paper used other hyperparameters than those released",
    "the published seeds do not pin the result, because a run is not deterministic",
    "the code changed after the paper's runs",
)
"""What else puts a number above its reruns: not reachable from what was released, which is not the
same as a chosen seed."""

TRIES = 5
STEPS = 20_000
"""The scores of `best_of` are whole numbers of steps this fine."""
MOST_TRIES = 1_000.0
_TRIES = np.concatenate([np.arange(1, 10, 0.25), np.geomspace(10, MOST_TRIES, 400)])


# --- ranks: no assumption about the distribution ----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """`above` of `reruns` lie above the reported number."""

    above: int
    reruns: int

    def __post_init__(self) -> None:
        if self.reruns < 1 or not 0 <= self.above <= self.reruns:
            raise ValueError(
                f"{self.above} of {self.reruns} reruns cannot lie above the reported number"
            )

    @property
    def p(self) -> float:
        """(j + 1) / (m + 1), exact for one claimed run; it takes 19 reruns to reach 0.05."""
        return (self.above + 1) / (self.reruns + 1)


def rank_of(
    reported: float, reruns: Sequence[float], *, random: np.random.Generator | None = None
) -> Rank:
    """Return where the reported number stands among reruns, all rounded alike.

    Equal numbers are put above it or below at random, which keeps the ranks uniform; without a
    generator all are put above, in the author's favour. Raises ValueError for NaN, infinity or no
    reruns.
    """
    require_finite("the reported number", reported)
    values = finite("the reruns", reruns)
    above, equal = int((values > reported).sum()), int((values == reported).sum())
    if random is not None and equal:
        equal = int(random.integers(0, equal + 1))
    return Rank(above=above + equal, reruns=values.size)


def log_likelihood(above: ArrayLike, reruns: ArrayLike, tries: ArrayLike) -> Floats:
    """Return log P(j | K) = log C(m, j) + log K + log B(m - j + K, j + 1).

    The chance that j of m reruns lie above the best of K tries, for any continuous distribution: u
    = F(best) has the density K u^(K - 1), and j is binomial with 1 - u. For K = 1 it is 1 / (m +
    1).
    """
    j, m, k = (np.asarray(one, dtype=np.float64) for one in (above, reruns, tries))
    found: Floats = (
        gammaln(m + 1) - gammaln(j + 1) - gammaln(m - j + 1) + np.log(k) + betaln(m - j + k, j + 1)
    )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOf:
    """One test over several independent claims.

    `p` is exact for "every reported number is one ordinary run". `k_hat` is the most likely number
    of tries, `k_low` and `k_high` the ends of its 95 % likelihood interval; `k_high` is None where
    the reruns set no upper end (up to 1,000 tries).
    """

    claims: int
    p: float
    log_ratio: float
    k_hat: float
    k_low: float
    k_high: float | None

    @property
    def in_words(self) -> str:
        """One sentence, without its full stop."""
        most = "no upper end" if self.k_high is None else f"{self.k_high:.3g}"
        shown = "at least 1000" if self.k_hat >= MOST_TRIES else f"{self.k_hat:.3g}"
        return (
            f"over {counted(self.claims, 'claim')} the reported numbers stand among their reruns "
            f"as the best of {shown} tries would (95 % interval {self.k_low:.3g} to {most}; "
            f"p = {self.p:.2g} for one ordinary run each)"
        )


def best_of(ranks: Sequence[Rank], *, tries: int = TRIES) -> BestOf:
    """Test "best of `tries`" against "one run" over independent claims, without a distribution.

    The statistic is the sum of log P(j | tries) / P(j | 1), rounded to whole steps; its null
    distribution (each j uniform on 0 .. m) is the convolution over the claims, so p is exact for
    the rounded statistic. With 5 reruns of each of 10 claims it finds best-of-5 in 98.8 %; one
    claim alone can hardly reject. Raises ValueError without a claim or below 2 tries.
    """
    if not ranks or tries < 2:
        raise ValueError(f"a test needs 1 claim and 2 tries, not {len(ranks)} and {tries}")
    above = np.array([one.above for one in ranks])
    reruns = np.array([one.reruns for one in ranks])
    p, ratio = _convolved(above, reruns, tries)
    curve = np.zeros_like(_TRIES)
    for one in ranks:
        curve += log_likelihood(one.above, one.reruns, _TRIES)
    inside = np.flatnonzero(curve >= curve.max() - float(chdtri(1, 0.05)) / 2)
    last = int(inside[-1])
    return BestOf(
        claims=len(ranks),
        p=p,
        log_ratio=ratio,
        k_hat=float(_TRIES[int(curve.argmax())]),
        k_low=float(_TRIES[int(inside[0])]),
        k_high=float(_TRIES[last]) if last < len(_TRIES) - 1 else None,
    )


def _convolved(above: np.ndarray, reruns: np.ndarray, tries: int) -> tuple[float, float]:
    """Return P(sum of scores >= the one seen) where every j is uniform, and the log ratio seen."""
    scores = {
        m: log_likelihood(np.arange(m + 1), m, tries) + math.log(m + 1)
        for m in set(reruns.tolist())
    }
    seen = [scores[m] for m in reruns.tolist()]
    ratio = math.fsum(float(one[j]) for one, j in zip(seen, above.tolist(), strict=True))
    step = max(1e-3, math.fsum(float(np.ptp(one)) for one in seen) / STEPS)
    whole = {m: np.rint((one - one.min()) / step).astype(np.int64) for m, one in scores.items()}
    total, chance = 0, np.ones(1)
    for m, j in zip(reruns.tolist(), above.tolist(), strict=True):
        total += int(whole[m][j])
        steps, times = np.unique(whole[m], return_counts=True)
        grown = np.zeros(chance.size + int(steps[-1]))
        for at, share in zip(steps.tolist(), (times / (m + 1)).tolist(), strict=True):
            grown[at : at + chance.size] += share * chance
        chance = grown
    return min(1.0, float(chance[total:].sum())), ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How many tries the reported numbers look like, with an exact interval, and p for one."""

    k_hat: float
    low: float
    high: float
    p: float


def tries_where_known(shares_below: ArrayLike, *, level: float = 0.95) -> Tries:
    """Return the number of tries from u = F(X) where F is known from very many reruns.

    Under best-of-K u has the density K u^(K - 1), so -2 K sum log u is chi-squared on 2q degrees of
    freedom: K-hat = -q / sum log u, with exact bounds; p is that of K = 1. Raises ValueError for a
    u not strictly between 0 and 1: with few reruns use `best_of`.
    """
    u = finite("the shares below", shares_below)
    if not ((u > 0) & (u < 1)).all():
        raise ValueError("every share below the reported number must lie between 0 and 1")
    tail, df, total = (1 - require_level(level)) / 2, 2 * u.size, -float(np.log(u).sum())
    return Tries(
        k_hat=u.size / total,
        low=float(chdtri(df, 1 - tail)) / (2 * total),
        high=float(chdtri(df, tail)) / (2 * total),
        p=float(chdtr(df, 2 * total)),
    )


# --- published seeds beside fresh ones --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstFresh:
    """The published seeds, rerun, beside fresh ones: `difference` of means and its one-sided p.

    `smallest_p` is the least these numbers of seeds can give; where it is above alpha the test
    cannot find anything, and silence is no clearance.
    """

    difference: float
    p: float
    smallest_p: float
    published: int
    fresh: int
    fresh_below: int

    @property
    def in_words(self) -> str:
        """One sentence, without its full stop."""
        return (
            f"the {counted(self.published, 'published seed')} beside "
            f"{counted(self.fresh, 'fresh one')}: p = {self.p:.2g} that as good a set is drawn by "
            f"chance; {self.fresh_below} of {self.fresh} fresh seeds lie below their mean"
        )


def against_fresh(
    published: ArrayLike,
    fresh: ArrayLike,
    *,
    random: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> AgainstFresh:
    """Test by exact permutation whether published seeds do better than fresh ones.

    Both under the same code and machine. It assumes that a seed pins its result, and finds the best
    3 of 20 seeds in 60 % (5 fresh seeds) and 80 % (10). Raises ValueError for NaN, infinity or a
    missing arm, and where there are too many splits to count and no `random` is given.
    """
    ours, others = finite("the published seeds", published), finite("the fresh seeds", fresh)
    found = two_samples(ours, others, random=random, draws=draws)
    unit = unit_of(ours, others)
    mean, mean_of_others = (float((one / unit).mean()) * unit for one in (ours, others))
    return AgainstFresh(
        difference=mean - mean_of_others,
        p=float(found.p_greater[0]),
        smallest_p=found.smallest_p,
        published=ours.size,
        fresh=others.size,
        fresh_below=int((others < mean).sum()),
    )
