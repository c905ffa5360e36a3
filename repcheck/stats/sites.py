"""One comparison made at several sites: the site is a factor, and so are seeds that sites share.

Each site gives one estimate: the mean of its seeds, or the difference of two arms' means. Between
sites the model is that of `random_effects`; the seeds' spread is pooled over the sites, which run
the same code, because a single site's five seeds say little of it.

**Shared seeds.** Where two sites ran the same seeds, their errors are the same in part: the draw of
those seeds does not average out, however many sites repeat it. The spread over seeds then enters
the error of the mean a second time, as the spread of the seeds' contributions summed over sites
(clustering by site and by seed, after Cameron, Gelbach and Miller 2011, without the term that
would be subtracted: it can only widen the interval). And what tells sites apart is only what is
left when each seed is compared with itself. Copies of one site thus give that site's own interval
and no spread between sites. The degrees of freedom of the sum are Welch-Satterthwaite's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Literal

from scipy.special import stdtrit

from repcheck.stats.compare import ROUNDING_NOISE, Interval, Summary, t_interval
from repcheck.stats.criteria import require_finite
from repcheck.stats.random_effects import RandomEffects, random_effects

PREDICTION = 0.95
LARGEST = 1e75
"""The fourth power of it is still a number."""
Seeds = Mapping[int, float]
Shared = Literal["none", "some", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteArm:
    """One arm at all sites: a value a finished seed, by seed, and +1 or -1 as it enters the
    difference.
    """

    sign: int
    sites: tuple[Seeds, ...]

    def __post_init__(self) -> None:
        if any(len(values) < 2 for values in self.sites):
            raise ValueError("every site needs at least 2 finished seeds in each arm")
        if self.sign not in {-1, 1}:
            raise ValueError(f"an arm enters a difference as +1 or -1, not {self.sign}")
        for values in self.sites:
            for one in values.values():
                if abs(require_finite("a seed's value", one)) > LARGEST:
                    raise ValueError(f"a seed's value must not be larger than {LARGEST:g}")

    @property
    def shared(self) -> Shared:
        """Whether the sites ran the same seeds: all of them, some, or none."""
        drawn = [set(values) for values in self.sites]
        if all(one == drawn[0] for one in drawn):
            return "all"
        return "some" if any(one & other for one, other in combinations(drawn, 2)) else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverSites:
    """What several sites say together.

    `interval` is that of the mean over sites less what was reported; `prediction` is where the
    true value of a new site lies with 95 %, None below three sites, whose spread cannot be told.
    `shares` are the parts of the mean's error variance: `sites`, `seeds`, `reported`.
    """

    estimates: tuple[float, ...]
    interval: Interval
    between: RandomEffects
    prediction: tuple[float, float] | None
    shared: Shared
    shares: Mapping[str, float]

    @property
    def k(self) -> int:
        """Sites."""
        return self.between.k


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the error variance, and the degrees of freedom it rests on."""

    name: str
    variance: float
    df: float


def over_sites(
    arms: Sequence[SiteArm], *, reported: Summary | None = None, alpha: float = 0.05
) -> OverSites:
    """Summarise one comparison over at least two sites.

    `reported` is what the paper states for a part that no site ran (the value that is claimed, or a
    baseline): it is subtracted, and its error is common to all sites. Where it has no spread, the
    seeds' spread stands in for it. Raises ValueError for fewer than two sites or two seeds, and
    beyond `LARGEST`.
    """
    if not arms:
        raise ValueError("no arm to summarise")
    if reported and max(abs(reported.mean), reported.sd or 0.0) > LARGEST:
        raise ValueError(f"what is reported must not be larger than {LARGEST:g}")
    k = len(arms[0].sites)
    means = [[Summary.of([*one.values()]).mean for one in arm.sites] for arm in arms]
    estimates = [math.fsum(a.sign * m[i] for a, m in zip(arms, means, strict=True))
                 for i in range(k)]  # fmt: skip
    size = max(abs(value) for arm in arms for one in arm.sites for value in one.values())
    if max(estimates) - min(estimates) <= ROUNDING_NOISE * size:
        estimates = [estimates[0]] * k
    within = [_within(arm) for arm in arms]
    errors = [math.sqrt(math.fsum(each[i].variance for each in within)) for i in range(k)]
    between = random_effects(estimates, errors, df=_df([_typical(each) for each in within]))
    parts = [_Part("sites", between.se**2, k - 1)]
    parts += [_common(arm, between.weights) for arm in arms if arm.shared != "none"]
    parts += [] if reported is None else [_reported(reported, arms)]
    se = math.sqrt(math.fsum(part.variance for part in parts))
    mean = between.mean - (reported.mean if reported else 0.0)
    return OverSites(
        estimates=tuple(estimates),
        interval=t_interval(mean, se, _degrees(parts) if se else None, alpha),
        between=between,
        prediction=_prediction(between, math.sqrt(math.fsum(
            part.variance for part in parts if part.name != "reported"))),
        shared=_widest([arm.shared for arm in arms]),
        shares=_shares(parts),
    )  # fmt: skip


def _within(arm: SiteArm) -> list[_Part]:
    """The variance of each site's mean that is its own: of seeds that no other site ran, and of
    what differs between sites for one and the same seed.
    """
    pooled, df = _pooled(arm.sites)
    rest, rest_df = _rest(arm.sites)
    found = []
    for site in arm.sites:
        both = sum(any(seed in other for other in arm.sites if other is not site) for seed in site)
        own = rest if both else pooled
        variance = (both * rest**2 + (len(site) - both) * pooled**2) / len(site) ** 2
        found.append(_Part("own", variance, rest_df if own is rest and both else df))
    return found


def _typical(within: Sequence[_Part]) -> _Part:
    """What the sites' variances rest on: one pooled spread, not one a site."""
    return _Part("own", fmean(one.variance for one in within), min(one.df for one in within))


def _pooled(sites: Sequence[Seeds]) -> tuple[float, int]:
    """The standard deviation over seeds, pooled over sites, and its degrees of freedom."""
    summaries = [Summary.of([*values.values()]) for values in sites]
    df = sum(one.n - 1 for one in summaries)
    return math.hypot(*((one.sd or 0.0) * math.sqrt((one.n - 1) / df) for one in summaries)), df


def _rest(sites: Sequence[Seeds]) -> tuple[float, float]:
    """The standard deviation of what differs between sites for the same seed, and its df.

    Pooled over all pairs of sites; where all ran the same seeds it is the square root of the
    interaction's mean square of the two-way layout.
    """
    weighted, weight = [], 0
    for one, other in combinations(sites, 2):
        seeds = [seed for seed in one if seed in other]
        if len(seeds) < 2:
            continue
        apart = Summary.of([one[seed] - other[seed] for seed in seeds])
        size = max(abs(one[seed]) for seed in seeds)
        noise = (apart.sd or 0.0) <= ROUNDING_NOISE * size
        weighted.append(0.0 if noise else (apart.sd or 0.0) * math.sqrt(len(seeds) - 1))
        weight += len(seeds) - 1
    if not weight:
        return _pooled(sites)
    return math.hypot(*weighted) / math.sqrt(2 * weight), 2 * weight / len(sites)


def _common(arm: SiteArm, weights: Sequence[float]) -> _Part:
    """The variance of the seeds' draw, which all sites that ran them share."""
    sums: dict[int, float] = {}
    for site, weight in zip(arm.sites, weights, strict=True):
        mean = Summary.of([*site.values()]).mean
        for seed, value in site.items():
            sums[seed] = sums.get(seed, 0.0) + weight * (value - mean) / len(site)
    n = len(sums)
    return _Part("seeds", math.fsum(one**2 for one in sums.values()) * n / (n - 1), n - 1)


def _reported(reported: Summary, arms: Sequence[SiteArm]) -> _Part:
    if reported.sd is not None:
        return _Part("reported", reported.sd**2 / reported.n, reported.n - 1)
    sd, df = _pooled(arms[0].sites)
    return _Part("reported", sd**2 / reported.n, df)


def _degrees(parts: Sequence[_Part]) -> float | None:
    """The degrees of freedom of the mean's error, whose first part is that of the sites.

    Two sites leave that part a single degree of freedom, with which Welch-Satterthwaite is liberal:
    1 / df is then weighed by the shares themselves and not by their squares.
    """
    sites, rest = parts[0], _df(parts[1:])
    if sites.df > 1 or rest is None:
        return _df(parts)
    share = sites.variance / math.fsum(part.variance for part in parts)
    return 1 / (share / sites.df + (1 - share) / rest)


def _df(parts: Sequence[_Part]) -> float | None:
    """Welch-Satterthwaite: the degrees of freedom of a sum of variances."""
    most = max((part.variance for part in parts), default=0.0)
    if most == 0:
        return None
    shares = [(part.variance / most, part.df) for part in parts]
    total = math.fsum(share for share, _ in shares)
    return total**2 / math.fsum(share**2 / df for share, df in shares)


def _prediction(between: RandomEffects, se: float) -> tuple[float, float] | None:
    """Where a new site's true value lies: t with k - 2 (Higgins, Thompson, Spiegelhalter 2009)."""
    if between.k < 3:
        return None
    reach = float(stdtrit(between.k - 2, (1 + PREDICTION) / 2)) * math.hypot(between.tau, se)
    return between.mean - reach, between.mean + reach


def _shares(parts: Sequence[_Part]) -> dict[str, float]:
    total = math.fsum(part.variance for part in parts)
    found = dict.fromkeys(("sites", "seeds", "reported"), 0.0)
    for part in parts:
        found[part.name] += part.variance / total if total else 0.0
    return found


def _widest(found: Sequence[Shared]) -> Shared:
    if all(one == found[0] for one in found):
        return found[0]
    return "some"
