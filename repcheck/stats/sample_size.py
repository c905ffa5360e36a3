"""How many seeds would decide what the present ones cannot.

The power of a one-sided t test at distance delta from its threshold is 1 - F(t_crit; df, delta /
SE) with F the noncentral t. The spread of a pilot of few seeds is itself uncertain, so the number
is given twice: with the measured spread, and with its 80 % upper confidence bound.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, nctdtr, ndtr, ndtri, stdtrit

from repcheck.stats.compare import Summary
from repcheck.stats.criteria import Criteria

Floats = NDArray[np.float64]
Design = Callable[[float, Floats], tuple[Floats, Floats]]
"""Standard deviation of one seed and numbers of seeds -> standard errors and degrees of freedom."""


def two_arms(sd: float, n: Floats) -> tuple[Floats, Floats]:
    """Both arms get n seeds."""
    return sd * np.sqrt(2 / n), 2 * n - 2


def one_arm(sd: float, n: Floats) -> tuple[Floats, Floats]:
    """One mean (or one mean difference of pairs) against a fixed number."""
    return sd / np.sqrt(n), n - 1


def against(fixed: Summary) -> Design:
    """New seeds against a published summary, which cannot grow; without a spread it is given that
    of the new seeds.
    """

    def design(sd: float, n: Floats) -> tuple[Floats, Floats]:
        if fixed.sd is None:
            return sd * np.sqrt(1 / n + 1 / fixed.n), n - 1
        new, old = sd / np.sqrt(n), fixed.sd / math.sqrt(fixed.n)
        se = np.hypot(new, old)
        share = (new / se) ** 2
        return se, 1 / (share**2 / (n - 1) + (1 - share) ** 2 / (fixed.n - 1))

    return design


def upper_sd(sd: float, df: float, confidence: float = 0.8) -> float:
    """Upper confidence bound of a standard deviation estimated on df degrees of freedom."""
    least = float(chdtri(df, confidence))
    if not (0 < df < math.inf and 0 < confidence < 1 and least > 0):
        raise ValueError(f"{df} degrees of freedom at {confidence} bound no spread")
    return sd * math.sqrt(df / least)


def power_at(distance: float, se: Floats, df: Floats, alpha: float) -> Floats:
    """Probability that a one-sided bound clears a threshold that lies `distance` from the truth."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    critical = stdtrit(df, 1 - alpha)
    noncentrality = distance / se
    # Far out the noncentral t underflows; the normal curve is exact enough where the answer is 1.
    far = noncentrality > critical + 30
    exact = 1 - nctdtr(df, np.where(far, 0.0, noncentrality), critical)
    normal: Floats = ndtr(noncentrality - critical)
    return np.where(far | ~np.isfinite(exact), normal, exact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """What the present seeds say about the next ones; `more_than` is the number of seeds there are
    already.
    """

    sd: float
    df: float
    design: Design
    more_than: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Distances from the assumed truth to each threshold that must be cleared.

    `assumed_claim` says that the claim, not the estimate, was taken for the truth.
    """

    distances: tuple[float, ...]
    assumed_claim: bool = False

    @classmethod
    def at(cls, estimate: float, threshold: float, *, se: float, claimed: float) -> Self:
        """Aim from the estimate, or from the claim where the estimate lies within one standard
        error of the threshold.
        """
        near = abs(estimate - threshold) < se and claimed > threshold
        truth = claimed if near else estimate
        return cls(distances=(abs(truth - threshold),), assumed_claim=near)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedsNeeded:
    """Seeds per arm for the wanted power, None where even `cap` would not do."""

    with_sd: int | None
    with_upper_sd: int | None
    cap: int
    power: float
    assumed_claim: bool

    @property
    def in_words(self) -> str:
        """One sentence, without its full stop."""
        aim = f"with {100 * self.power:.0f} % power"
        if self.with_sd is None:
            text = f"not decidable within {self.cap} seeds per arm {aim}"
        else:
            cautious = (
                f"{self.with_upper_sd}"
                if self.with_upper_sd is not None
                else f"not decidable within {self.cap}"
            )
            text = (
                f"about {self.with_sd} seeds per arm would decide {aim} if the measured spread is "
                f"the true one ({cautious} if it is at its 80 % upper bound)"
            )
        if self.assumed_claim:
            text += (
                ", taking the claim for the truth because the estimate lies too near the threshold"
            )
        return text


def seeds_needed(pilot: Pilot, aim: Aim, criteria: Criteria) -> SeedsNeeded:
    """Smallest numbers of seeds per arm that reach the power, with the measured spread and with its
    upper bound.
    """
    return SeedsNeeded(
        with_sd=smallest_n(pilot, aim, criteria),
        with_upper_sd=smallest_n(replace(pilot, sd=upper_sd(pilot.sd, pilot.df)), aim, criteria),
        cap=criteria.seed_cap,
        power=criteria.power,
        assumed_claim=aim.assumed_claim,
    )


def smallest_n(pilot: Pilot, aim: Aim, criteria: Criteria) -> int | None:
    """Smallest n above what there is, and at most the cap, whose power suffices at every distance
    together.
    """
    start = max(2, pilot.more_than + 1)
    if min(aim.distances) <= 0 or start > criteria.seed_cap:
        return None
    n = np.arange(start, criteria.seed_cap + 1, dtype=np.float64)
    power = np.ones_like(n)
    # A spread next to nothing divides by zero, and infinitely far from the threshold is an answer.
    with np.errstate(all="ignore"):
        se, df = pilot.design(pilot.sd, n)
        for distance in aim.distances:
            power -= 1 - power_at(distance, se, df, criteria.alpha)
    enough = np.flatnonzero(power >= criteria.power)
    return int(n[enough[0]]) if enough.size else None


def noether(gamma: float, *, alpha: float = 0.05, beta: float = 0.05) -> float:
    """Return how many pairs of runs tell P(a run of ours > a run of theirs) = gamma from one half.

    N = (z(1 - alpha) + z(1 - beta))^2 / (6 (gamma - 1/2)^2), one-sided, before it is rounded up
    (Noether 1987; Bouthillier et al. 2021, who find 29 for gamma = 0.75). Raises ValueError unless
    gamma lies between 0.5 and 1 and both error rates between 0 and 0.5.
    """
    if not 0.5 < gamma <= 1:
        raise ValueError(f"gamma must be above 0.5 and at most 1, not {gamma}")
    if not (0 < alpha < 0.5 and 0 < beta < 0.5):
        raise ValueError(f"error rates must lie between 0 and 0.5, not {alpha} and {beta}")
    z = float(ndtri(1 - alpha) + ndtri(1 - beta))
    return z * z / (6 * (gamma - 0.5) ** 2)


def scaled(interval_se: float, df: float, n: int) -> Pilot:
    """Return the pilot of any mean whose n seeds an arm all grow together.

    Its standard error falls with the square root of n, and its degrees of freedom grow with n - 1.
    """

    def design(sd: float, more: Floats) -> tuple[Floats, Floats]:
        return sd / np.sqrt(more), df * (more - 1) / (n - 1)

    return Pilot(sd=interval_se * math.sqrt(n), df=df, design=design, more_than=n)
