"""What one factor gives the baseline, what the method loses without it, and its share of a gain.

`G_in` = mean(baseline with f) - mean(baseline); `G_out` = mean(method) - mean(method without f).
Where the two differ the factor interacts with the rest of the method: both are to be said, and
never averaged.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from repcheck.stats.arrays import finite
from repcheck.stats.compare import NORMAL_975, Interval, Summary, t_interval, welch
from repcheck.stats.wording import Numbers, percent

Floats = NDArray[np.float64]
Kind = Literal["add", "remove"]
ALPHA = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Factorial:
    """The four cells of baseline and method, with and without a factor; 95 % intervals.

    `interaction` is G_out - G_in.
    """

    g_in: Interval
    g_out: Interval
    interaction: Interval

    @property
    def interacts(self) -> bool:
        """Whether G_in and G_out differ beyond doubt (95 %)."""
        return self.interaction.low > 0 or self.interaction.high < 0

    def in_words(self, unit: float) -> str:
        """One sentence, without its full stop; `unit` is one unit of the last printed digit."""
        numbers = Numbers(unit)

        def said(one: Interval) -> str:
            return f"{numbers.signed(one.estimate)} {numbers.span(one)}"

        differ = "differ, so neither stands for both" if self.interacts else "need not differ"
        return (
            f"the factor gives the baseline {said(self.g_in)} and the method loses "
            f"{said(self.g_out)} without it; the two {differ} "
            f"(interaction {said(self.interaction)}, 95 % intervals)"
        )


def factorial(
    *, baseline: Summary, baseline_with: Summary, method: Summary, method_without: Summary
) -> Factorial:
    """Return G_in, G_out and their difference. Raises ValueError where a spread is unknown.

    The interaction has the standard error sqrt(sum of s^2 / n) over the four cells and
    Welch-Satterthwaite degrees of freedom.
    """
    g_in = welch(baseline_with, baseline, ALPHA)
    g_out = welch(method, method_without, ALPHA)
    cells = (baseline, baseline_with, method, method_without)
    errors = [(one.sd or 0.0) / math.sqrt(one.n) for one in cells]
    se = math.hypot(*errors)
    df = None
    if se > 0:
        shares = [(error / se) ** 2 for error in errors]
        df = 1 / sum(part**2 / (one.n - 1) for part, one in zip(shares, cells, strict=True))
    interaction = t_interval(g_out.estimate - g_in.estimate, se, df, ALPHA)
    return Factorial(g_in=g_in, g_out=g_out, interaction=interaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """G / Delta, the factor's share of the measured gain, between the ends of its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def in_words(self) -> str:
        """63 % of the measured gain (95 % interval 41 % to 88 %)."""
        ends = f"{percent(round(self.low, 2))} to {percent(round(self.high, 2))}"
        return f"{percent(round(self.estimate, 2))} of the measured gain (95 % interval {ends})"


def point_share(
    method: Sequence[float],
    baseline: Sequence[float],
    arm: Sequence[float],
    *,
    kind: Kind,
    random: np.random.Generator,
    draws: int = 4000,
) -> Share | None:
    """Return the factor's share of the measured gain, with a seed bootstrap.

    None unless every arm has two seeds and the 95 % interval of the measured gain excludes zero:
    without a gain there is no share of it. `arm` is the baseline with the factor (`add`) or the
    method without it (`remove`). The percentile interval of few seeds is too narrow and is
    stretched about the estimate by sqrt(n / (n - 1)) t(.975; n_1 + n_2 + n_3 - 3) / 1.96, n the
    smallest arm. Raises ValueError for NaN or infinity.
    """
    fewest = min(len(one) for one in (method, baseline, arm))
    if fewest < 2:
        return None
    arms = [finite("the seeds of an arm", one) for one in (method, baseline, arm)]
    gain = welch(Summary.of(list(method)), Summary.of(list(baseline)), ALPHA)
    if gain.low <= 0 <= gain.high:
        return None
    estimate = float(_share(*(one.mean() for one in arms), kind=kind))
    means = [one[random.integers(0, one.size, (draws, one.size))].mean(axis=1) for one in arms]
    # A resample without any gain has no share, and an infinite one is further out than any other.
    with np.errstate(all="ignore"):
        drawn = np.nan_to_num(_share(*means, kind=kind), nan=estimate, posinf=1e300, neginf=-1e300)
    df = sum(one.size for one in arms) - len(arms)
    stretch = math.sqrt(fewest / (fewest - 1)) * float(stdtrit(df, 1 - ALPHA)) / NORMAL_975
    low, high = np.quantile(drawn, [ALPHA, 1 - ALPHA])
    return Share(
        estimate=estimate,
        low=estimate + stretch * (float(low) - estimate),
        high=estimate + stretch * (float(high) - estimate),
    )


def _share(method: Floats, baseline: Floats, arm: Floats, *, kind: Kind) -> Floats:
    factor = arm - baseline if kind == "add" else method - arm
    return factor / (method - baseline)
