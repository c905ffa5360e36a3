"""Where a reported gain comes from: idea, compute, tuning, and luck with the seeds.

The gain is split over factors by Shapley's rule (1953): a factor's part is what it adds, averaged
over all orders in which the factors could be added. The parts sum to the whole exactly. Where
factors interact the split depends on the order, and then both orders are to be shown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from scipy.special import stdtrit

from repcheck.stats.compare import Interval, Summary, t_interval
from repcheck.stats.criteria import require_finite
from repcheck.stats.wording import Numbers, percent

ALPHA = 0.025
MOST_FACTORS = 4

Cells = Mapping[frozenset[str], Summary]


def contrast(weighted: Sequence[tuple[float, Summary]], alpha: float = ALPHA) -> Interval:
    """Return sum of w * mean over independent cells, with bounds at alpha each.

    SE = sqrt(sum of w^2 s^2 / n), Welch-Satterthwaite degrees of freedom. Raises ValueError where a
    spread is unknown.
    """
    if any(cell.sd is None for _, cell in weighted):
        raise ValueError("every cell needs at least 2 seeds and a standard deviation")
    errors = [weight * (cell.sd or 0.0) / math.sqrt(cell.n) for weight, cell in weighted]
    se, df = math.hypot(*errors), None
    if se > 0:
        df = 1 / sum(
            (error / se) ** 4 / (cell.n - 1)
            for error, (_, cell) in zip(errors, weighted, strict=True)
        )
    return t_interval(sum(weight * cell.mean for weight, cell in weighted), se, df, alpha)


def shapley(cells: Cells, *, alpha: float = ALPHA) -> dict[str, Interval]:
    """Return each factor's part of the gain from no factor to all, over the 2^k cells.

    `cells` holds the seeds of every set of factors: part of f = sum over S without f of |S|! (k -
    |S| - 1)! / k! (mean of S with f - mean of S). Raises ValueError for no factor, more than four,
    or a missing cell.
    """
    factors = sorted(frozenset[str]().union(*cells))
    if not 1 <= len(factors) <= MOST_FACTORS:
        raise ValueError(f"a gain is split over 1 to {MOST_FACTORS} factors, not {len(factors)}")
    every = [frozenset(one) for k in range(len(factors) + 1) for one in combinations(factors, k)]
    if missing := [" + ".join(sorted(one)) or "no factor" for one in every if one not in cells]:
        raise ValueError(f"cells are missing: {'; '.join(missing)}")
    return {
        factor: contrast([(_weight(one, factor, len(factors)), cells[one]) for one in every], alpha)
        for factor in factors
    }


def _weight(one: frozenset[str], factor: str, k: int) -> float:
    before = len(one - {factor})
    orders = math.factorial(before) * math.factorial(k - before - 1) / math.factorial(k)
    return orders if factor in one else -orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A share of a gain between the ends of its interval (Fieller 1954)."""

    estimate: float
    low: float
    high: float
    level: float

    @property
    def in_words(self) -> str:
        """63 % of the measured gain (95 % interval 41 % to 88 %)."""
        return (
            f"{percent(round(self.estimate, 2))} of the measured gain "
            f"({percent(self.level)} interval {percent(round(self.low, 2))} to "
            f"{percent(round(self.high, 2))})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A measured gain as idea and compute; `idea.estimate + compute.estimate = total.estimate`.

    `idea_first` and `idea_last` are what the idea adds at the baseline's budget and at the method's
    own. `share` is the idea's, None where the interval of the total contains zero: without a gain
    there is no share of it.
    """

    idea: Interval
    compute: Interval
    total: Interval
    interaction: Interval
    idea_first: Interval
    idea_last: Interval
    share: Ratio | None

    @property
    def depends_on_order(self) -> bool:
        """Whether the two orders differ beyond doubt, so that neither part stands by itself."""
        return self.interaction.low > 0 or self.interaction.high < 0

    def in_words(self, unit: float) -> str:
        """One sentence, without its full stop; `unit` is one unit of the last printed digit."""
        numbers = Numbers(unit)

        def said(one: Interval) -> str:
            return f"{numbers.signed(one.estimate)} {numbers.span(one)}"

        found = (
            f"of the measured gain {said(self.total)} the idea gives {said(self.idea)} and the "
            f"compute {said(self.compute)} ({percent(self.total.level)} intervals)"
        )
        if self.share is not None:
            found += f": the idea is {self.share.in_words}"
        if self.depends_on_order:
            found += (
                f"; they interact: the idea alone gives {said(self.idea_first)}, on top of the "
                f"compute {said(self.idea_last)}"
            )
        return found


def split(
    *,
    baseline: Summary,
    baseline_with_compute: Summary,
    method_at_baseline_compute: Summary,
    method: Summary,
    alpha: float = ALPHA,
) -> Split:
    """Split the gain of the method over the baseline into idea and compute, from four cells.

    Idea = 1/2 [(method at the baseline's budget - baseline) + (method - baseline at the method's
    budget)], SE = 1/2 sqrt(sum of s^2 / n) over the four cells. Raises ValueError where a cell has
    no spread.
    """
    none, more, alone, both = baseline, baseline_with_compute, method_at_baseline_compute, method
    halves = [(-0.5, none), (-0.5, more), (0.5, alone), (0.5, both)]
    idea, total = contrast(halves, alpha), contrast([(1.0, both), (-1.0, none)], alpha)
    return Split(
        idea=idea,
        compute=contrast([(-0.5, none), (0.5, more), (-0.5, alone), (0.5, both)], alpha),
        total=total,
        interaction=contrast([(1.0, both), (-1.0, alone), (-1.0, more), (1.0, none)], alpha),
        idea_first=contrast([(1.0, alone), (-1.0, none)], alpha),
        idea_last=contrast([(1.0, both), (-1.0, more)], alpha),
        # Both are means of the same seeds: their covariance is half the total's variance.
        share=fieller(
            idea, total, correlation=total.se / (2 * idea.se) if idea.se else 0.0, alpha=alpha
        ),
    )


def fieller(
    part: Interval, whole: Interval, *, correlation: float, alpha: float = ALPHA
) -> Ratio | None:
    """Return part / whole with Fieller's interval: all r for which part - r whole may be zero.

    (p - r w)^2 <= t^2 (SE_p^2 - 2 r C SE_p SE_w + r^2 SE_w^2) with C their correlation, and t on
    the fewer degrees of freedom of the two. None where the interval of the whole contains zero:
    then no bounded set of shares is left. Raises ValueError for an alpha outside 0 to 0.5.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha}")
    dfs = [one.df for one in (part, whole) if one.df is not None]
    t = float(stdtrit(min(dfs), 1 - alpha)) if dfs else 0.0
    # In units of the whole: then neither squares overflow nor does the unit matter.
    if abs(whole.estimate) <= t * whole.se or whole.estimate == 0:
        return None
    share, error, reach = (
        part.estimate / whole.estimate,
        part.se / abs(whole.estimate),
        whole.se / abs(whole.estimate),
    )
    if not math.isfinite(share * share):
        return None
    together = correlation * error * reach
    square = 1 - (t * reach) ** 2
    middle = share - t * t * together
    rest = share * share - (t * error) * (t * error)
    half = math.sqrt(max(0.0, middle * middle - square * rest))
    return Ratio(
        estimate=share,
        low=(middle - half) / square,
        high=(middle + half) / square,
        level=1 - 2 * alpha,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """A reported gain in four parts that sum to it exactly.

    `tuning` is None where the trials are unknown; it is then part of `idea`. `luck` is what the
    paper reported beyond the mean of fresh seeds.
    """

    reported: float
    idea: Interval
    compute: Interval
    tuning: Interval | None
    luck: Interval

    @property
    def parts(self) -> dict[str, Interval]:
        """The parts by name, from the idea down."""
        named = {"idea": self.idea, "compute": self.compute}
        if self.tuning is not None:
            named["tuning"] = self.tuning
        return {**named, "luck": self.luck}

    def in_words(self, unit: float) -> str:
        """One sentence, without its full stop; `unit` is one unit of the last printed digit."""
        numbers = Numbers(unit)
        said = ", ".join(
            f"{name} {numbers.signed(one.estimate)} {numbers.span(one)}"
            for name, one in self.parts.items()
        )
        return (
            f"of the reported gain {numbers.signed(self.reported)}: {said} "
            f"({percent(self.idea.level)} intervals)"
        )


def waterfall(
    reported: float, measured: Split, *, tuning: Interval | None = None, alpha: float = ALPHA
) -> Waterfall:
    """Lay a reported gain out as idea, compute, tuning and luck.

    `tuning` is what more trials than the other side's gave (`tuning.tuning_gain`); reruns at the
    tuned configuration hold it in the idea, from which it is taken. Luck = reported - measured
    total. Raises ValueError for a reported gain that is not finite.
    """
    require_finite("the reported gain", reported)
    total, idea = measured.total, measured.idea
    if tuning is not None:
        idea = _less(idea, tuning, alpha)
    return Waterfall(
        reported=reported,
        idea=idea,
        compute=measured.compute,
        tuning=tuning,
        luck=t_interval(reported - total.estimate, total.se, total.df, alpha),
    )


def _less(one: Interval, other: Interval, alpha: float) -> Interval:
    """Return the difference of independent estimates, with Satterthwaite's degrees of freedom."""
    se, df = math.hypot(one.se, other.se), None
    if se > 0:
        df = 1 / sum((x.se / se) ** 4 / x.df for x in (one, other) if x.df is not None)
    return t_interval(one.estimate - other.estimate, se, df, alpha)
