"""Means, spreads and the t intervals between them.

Every interval is a pair of one-sided bounds at `alpha` each, so its level is 1 - 2 alpha: the lower
bound is right in a share 1 - alpha of repetitions, and so is the upper one. Welch's interval is
used because it keeps its error rate with unequal spreads, gives an interval and not only a p value,
and works from a published mean, spread and n.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from scipy.special import stdtr, stdtrit

from repcheck.stats.criteria import require_finite

StdKind = Literal["sample", "population", "sem", "ci95"]

# Below this share of the largest value a spread is the rounding of doubles, not of seeds.
ROUNDING_NOISE = 1e-12
NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Mean, sample standard deviation (n - 1 in the denominator) and number of seeds.

    `sd` is None where it is unknown, and always for a single seed. Raises ValueError for NaN,
    infinite or negative numbers.
    """

    mean: float
    sd: float | None
    n: int

    def __post_init__(self) -> None:
        require_finite("the mean", self.mean)
        if self.n < 1:
            raise ValueError(f"the number of seeds must be at least 1, not {self.n}")
        if self.sd is None:
            return
        if require_finite("the standard deviation", self.sd) < 0:
            raise ValueError(f"the standard deviation must not be negative, not {self.sd}")
        if self.n == 1:
            raise ValueError("one seed has no standard deviation")

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarise one value a seed; seeds that differ only by floating-point noise have a spread
        of exactly zero.
        """
        if not values:
            raise ValueError("no values to summarise")
        # Sorted, so that the order of the seeds does not move the last digit.
        numbers = sorted(require_finite("a seed's value", float(value)) for value in values)
        first, n = numbers[0], len(numbers)
        # Differences from the first value: equal seeds give exactly zero, however 0.1 is rounded.
        shifts = [number - first for number in numbers]
        shift = math.fsum(shifts) / n
        if n == 1:
            return cls(mean=first, sd=None, n=1)
        if max(numbers) - min(numbers) <= ROUNDING_NOISE * max(map(abs, numbers)):
            return cls(mean=first + shift, sd=0.0, n=n)
        norm = math.hypot(*(one - shift for one in shifts))
        return cls(mean=first + shift, sd=norm / math.sqrt(n - 1), n=n)

    @classmethod
    def published(
        cls, mean: float, spread: float | None, n: int | None, *, kind: StdKind = "sample"
    ) -> Self:
        """Turn a printed mean, spread and n into a summary.

        Unknown n counts as one seed, and then the spread cannot be used. `population` is multiplied
        by sqrt(n / (n - 1)), `sem` by sqrt(n), and a `ci95` half-width by sqrt(n) / 1.96: of the
        two ways such a half-width is computed this is the one that gives the larger spread, so a
        wrong guess ends in an inconclusive verdict and not in a wrong one.
        """
        if n is None or n == 1 or spread is None:
            return cls(mean=mean, sd=None, n=1 if n is None else n)
        if n < 1:
            raise ValueError(f"the number of seeds must be at least 1, not {n}")
        factor = {
            "sample": 1.0,
            "population": math.sqrt(n / (n - 1)),
            "sem": math.sqrt(n),
            "ci95": math.sqrt(n) / NORMAL_975,
        }
        return cls(mean=mean, sd=spread * factor[kind], n=n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate between two one-sided bounds; `df` is None where there is no spread at all."""

    estimate: float
    se: float
    df: float | None
    low: float
    high: float
    level: float

    def p_above(self, value: float) -> float:
        """One-sided p of "the truth is above value"."""
        if self.df is None:
            return 0.0 if self.estimate > value else 1.0
        return float(stdtr(self.df, (value - self.estimate) / self.se))

    def p_below(self, value: float) -> float:
        """One-sided p of "the truth is below value"."""
        if self.df is None:
            return 0.0 if self.estimate < value else 1.0
        return float(stdtr(self.df, (self.estimate - value) / self.se))

    def p_two_sided(self, value: float = 0.0) -> float:
        """Two-sided p of "the truth is not value"."""
        return min(1.0, 2 * min(self.p_above(value), self.p_below(value)))


def t_interval(estimate: float, se: float, df: float | None, alpha: float) -> Interval:
    """Student t bounds at alpha each; a zero standard error gives a point."""
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha}")
    require_finite("the estimate", estimate)
    require_finite("the standard error", se)
    if df is not None and not df > 0:
        raise ValueError(f"degrees of freedom must be above zero, not {df}")
    reach = 0.0 if df is None or se == 0 else float(stdtrit(df, 1 - alpha)) * se
    return Interval(
        estimate=estimate,
        se=se,
        df=None if se == 0 else df,
        low=estimate - reach,
        high=estimate + reach,
        level=1 - 2 * alpha,
    )


def welch(a: Summary, b: Summary, alpha: float) -> Interval:
    """Mean of a minus mean of b with Welch-Satterthwaite degrees of freedom.

    Raises ValueError where a spread is unknown. Source: Welch 1947.
    """
    if a.sd is None or b.sd is None:
        raise ValueError("Welch's interval needs the standard deviation of both arms")
    error_a, error_b = a.sd / math.sqrt(a.n), b.sd / math.sqrt(b.n)
    se = math.hypot(error_a, error_b)
    df = None if se == 0 else welch_df((error_a / se) ** 2, a.n, b.n)
    return t_interval(a.mean - b.mean, se, df, alpha)


def welch_df(share: float, n_a: int, n_b: int) -> float:
    """Degrees of freedom from a's share of the squared standard error (0 to 1), which cannot
    underflow as variances can.
    """
    if min(n_a, n_b) < 2 or not 0 <= share <= 1:
        raise ValueError(f"arms of {n_a} and {n_b} seeds with a share of {share} have none")
    return 1 / (share**2 / (n_a - 1) + (1 - share) ** 2 / (n_b - 1))


def one_sample(values: Summary, alpha: float) -> Interval:
    """The mean itself, with n - 1 degrees of freedom. Raises ValueError where the spread is
    unknown.
    """
    if values.sd is None:
        raise ValueError("an interval for a mean needs its standard deviation")
    return t_interval(values.mean, values.sd / math.sqrt(values.n), values.n - 1, alpha)


def differences(values_a: Sequence[float], values_b: Sequence[float]) -> Summary:
    """Summary of a - b seed by seed. Raises ValueError when the lengths differ."""
    if len(values_a) != len(values_b):
        raise ValueError(f"pairs need equal lengths, not {len(values_a)} and {len(values_b)}")
    return Summary.of([one - other for one, other in zip(values_a, values_b, strict=True)])


def paired(values_a: Sequence[float], values_b: Sequence[float], alpha: float) -> Interval:
    """Mean difference seed by seed, with n - 1 degrees of freedom.

    Valid only where the seed fixes something both arms share (split, order, initial weights) and
    this was declared beforehand; it must never be chosen because its p is smaller.
    """
    return one_sample(differences(values_a, values_b), alpha)


def against_reported(rerun: Summary, reported: Summary, alpha: float) -> Interval:
    """Mean of the rerun minus the reported mean.

    With a reported spread this is Welch's interval; without one the rerun's spread stands in for
    it: SE = s sqrt(1/k + 1/m) with m - 1 degrees of freedom, k reported and m rerun seeds.
    """
    if reported.sd is not None:
        return welch(rerun, reported, alpha)
    if rerun.sd is None:
        raise ValueError("neither the rerun nor the report has a standard deviation")
    se = rerun.sd * math.sqrt(1 / reported.n + 1 / rerun.n)
    return t_interval(rerun.mean - reported.mean, se, rerun.n - 1, alpha)


def prediction_half_width(sd: float, k: int, m: int, *, level: float = 0.95) -> float:
    """How far the mean of m new seeds may lie from the mean of k old ones whose standard deviation
    is sd.
    """
    if k < 2 or m < 1:
        raise ValueError(
            "a prediction interval needs k >= 2 seeds with a spread and m >= 1 new ones"
        )
    if not 0 < level < 1:
        raise ValueError(f"a level must lie between 0 and 1, not {level}")
    return float(stdtrit(k - 1, (1 + level) / 2)) * sd * math.sqrt(1 / k + 1 / m)


def pooled_sd(*summaries: Summary) -> tuple[float, int]:
    """Pooled standard deviation and its degrees of freedom; a summary without a spread adds
    nothing.
    """
    known = [(one.sd, one.n - 1) for one in summaries if one.sd is not None]
    if not known:
        raise ValueError("no standard deviation to pool")
    df = sum(weight for _, weight in known)
    return math.hypot(*(sd * math.sqrt(weight / df) for sd, weight in known)), df


def collapse_rate_bound(n: int, alpha: float = 0.05) -> float:
    """Largest share of collapsing seeds that n seeds without a collapse cannot exclude: 1 -
    alpha^(1/n).
    """
    if n < 1:
        raise ValueError(f"the number of seeds must be at least 1, not {n}")
    return -math.expm1(math.log(alpha) / n)


def collapse_caveat(n: int) -> str:
    """The sentence a report prints beside n seeds of which none collapsed."""
    rate = 100 * collapse_rate_bound(n)
    return (
        f"no collapsed seed was seen in n = {n}; "
        f"a collapse rate up to {rate:.0f} % is compatible with zero observed"
    )
