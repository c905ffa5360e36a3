"""Chosen seeds: is a reported number the best of several tries?

Only two results carry a finding: `best_of` over several claims, and `against_fresh` for published
seeds. A single high number never does, whatever its z: see `INNOCENT`.

X is the reported number and y_1 .. y_m are reruns of the same configuration, oriented (positive is
better). Under the null hypothesis X is one more rerun; j is how many reruns lie above it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, chdtr, chdtri, gammaln

from repcheck.stats.arrays import Floats, finite, require_draws, require_level, unit_of
from repcheck.stats.criteria import require_finite
from repcheck.stats.permutation import DRAWS, two_samples
from repcheck.stats.wording import counted

INNOCENT = (
    "other hardware or library versions",
    "a checkpoint selected on the test set",
    "a longer training than the released configuration's",
    "hyperparameters tuned on these seeds and not stated",
    "a seed that does not pin the result",
    "code changed after the paper's runs",
)
"""What else puts a number above its reruns: not reachable from what was released, which is not the
same as a chosen seed."""
INNOCENT_LOW = (
    "seeds fixed beforehand that happen to do badly",
    "other hardware or library versions",
    "code changed after the paper's runs",
)
"""What else puts a baseline's number below its reruns."""
SPLIT = "another split of the data, which these seeds draw too"

TRIES = 5
MADE = 20
"""Power is stated for the best of so many seeds."""
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
    j, m, k = (
        finite(name, one, ndim=np.ndim(one), least=0)
        if np.ndim(one)
        else np.asarray(one, dtype=np.float64)
        for name, one in (("ranks", above), ("reruns", reruns), ("tries", tries))
    )
    if not (np.all(j >= 0) and np.all(j <= m) and np.all(k > 0)):
        raise ValueError("ranks lie between 0 and the reruns, and tries above 0")
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
        stand = (
            f"over {counted(self.claims, 'claim')} the reported numbers stand among their reruns"
        )
        least, p = f"{self.k_low:.3g}", f"p = {self.p:.2g} for one ordinary run each"
        if self.k_hat >= MOST_TRIES:
            many = f"{least} tries or more" if self.k_low > 1 else "any number of tries"
            return f"{stand} as the best of {many} would (95 % interval; {p})"
        most = "no upper end" if self.k_high is None else f"{self.k_high:.3g}"
        return (
            f"{stand} as the best of {self.k_hat:.3g} tries would "
            f"(95 % interval {least} to {most}; {p})"
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
    p, ratio = _p_of(ranks, tries)
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


def _p_of(ranks: Sequence[Rank], tries: int) -> tuple[float, float]:
    """Return P(sum of scores >= the one seen) where every j is uniform, and the log ratio seen."""
    scores = {one.reruns: _scores(one.reruns, tries) for one in ranks}
    ratio = math.fsum(float(scores[one.reruns][one.above]) for one in ranks)
    whole = _whole([one.reruns for one in ranks], scores)
    total = sum(int(whole[one.reruns][one.above]) for one in ranks)
    chance = _sums([one.reruns for one in ranks], whole, tries=1)
    return min(1.0, float(chance[total:].sum())), ratio


def _scores(reruns: int, tries: int) -> Floats:
    """Return log P(j | tries) / P(j | 1) for j = 0 .. reruns."""
    return log_likelihood(np.arange(reruns + 1), reruns, tries) + math.log(reruns + 1)


def _whole(reruns: Sequence[int], scores: Mapping[int, Floats]) -> dict[int, NDArray[np.int64]]:
    """Return the scores in whole steps above the least."""
    step = max(1e-3, math.fsum(float(np.ptp(scores[m])) for m in reruns) / STEPS)
    return {m: np.rint((one - one.min()) / step).astype(np.int64) for m, one in scores.items()}


def _sums(reruns: Sequence[int], whole: Mapping[int, NDArray[np.int64]], *, tries: int) -> Floats:
    """Return the chance of each sum of steps where every number is the best of `tries`."""
    chance = np.ones(1)
    for m in reruns:
        each = np.exp(log_likelihood(np.arange(m + 1), m, tries))
        shares = np.bincount(whole[m], weights=each)
        grown = np.zeros(chance.size + shares.size - 1)
        for at in np.flatnonzero(shares).tolist():
            grown[at : at + chance.size] += float(shares[at]) * chance
        chance = grown
    return chance


def power_of_ranks(reruns: Sequence[int], *, alpha: float = 0.05, made: int = MADE) -> float:
    """Return how often `best_of` finds, at `alpha`, single numbers that are the best of `made`.

    Exact for independent claims with so many reruns each and any continuous distribution. Raises
    ValueError without a claim.
    """
    if not reruns or min(reruns) < 1:
        raise ValueError("every claim needs a rerun, and a test a claim")
    whole = _whole(reruns, {m: _scores(m, TRIES) for m in reruns})
    null = _sums(reruns, whole, tries=1)
    # Rounding may leave the chance of a rank alone a little above the alpha that it equals.
    found = np.cumsum(null[::-1])[::-1] <= alpha * (1 + 1e-9)
    return min(1.0, float(_sums(reruns, whole, tries=made)[found].sum()))


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
    def rank(self) -> Rank:
        """Where the published set stands among all sets of as many seeds, for `best_of`."""
        sets = round(1 / self.smallest_p)
        return Rank(above=round(self.p * sets) - 1, reruns=sets - 1)

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


def power_against_fresh(
    published: int,
    fresh: int,
    *,
    random: np.random.Generator,
    alpha: float = 0.05,
    repeats: int = 1_000,
) -> float:
    """Return how often `against_fresh` finds, at `alpha`, the best seeds of `MADE` normal ones.

    By simulation, so within 0.03 (two standard errors of 1,000 repeats). Raises ValueError without
    a seed on either side or for more published seeds than were made.
    """
    if not 1 <= published <= MADE or fresh < 1:
        raise ValueError(f"{published} of {MADE} seeds beside {fresh} fresh ones cannot be tested")
    require_draws(repeats, MADE + fresh)
    best = np.sort(random.standard_normal((repeats, MADE)), axis=1)[:, -published:]
    others = random.standard_normal((repeats, fresh))
    found = two_samples(best, others, random=random).p_greater <= alpha * (1 + 1e-9)
    return float(found.mean())


def power_together(
    arms: Sequence[tuple[int, int]],
    *,
    random: np.random.Generator,
    alpha: float = 0.05,
    repeats: int = 400,
) -> float:
    """Return how often `best_of` over rows of (published, fresh) seeds finds the best of `MADE`.

    Each row counts by its rank among all splits of its seeds (`AgainstFresh.rank`); normal seeds,
    by simulation, so within 0.05. Raises ValueError without a row or a seed.
    """
    if not arms or any(not 1 <= k <= MADE or m < 1 for k, m in arms):
        raise ValueError(f"{arms} are no published and fresh seeds that can be tested together")
    require_draws(repeats, 1)
    sets = [math.comb(k + m, k) for k, m in arms]
    reruns = [one - 1 for one in sets]
    whole = _whole(reruns, {m: _scores(m, TRIES) for m in reruns})
    chance = np.cumsum(_sums(reruns, whole, tries=1)[::-1])[::-1]
    total = np.zeros(repeats, dtype=np.int64)
    for (k, m), splits in zip(arms, sets, strict=True):
        best = np.sort(random.standard_normal((repeats, MADE)), axis=1)[:, -k:]
        p = two_samples(best, random.standard_normal((repeats, m)), random=random).p_greater
        total += whole[splits - 1][np.rint(p * splits).astype(np.int64) - 1]
    return float((chance[total] <= alpha * (1 + 1e-9)).mean())
