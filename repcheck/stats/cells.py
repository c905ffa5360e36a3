"""Many datasets or metrics: what may be said of all, and then of each.

In this order. First the gate: the mean difference over all declared cells, with a Satterthwaite t.
Only where it passes, the cells one by one with Holm's correction. Everything else is exploratory,
and only there the false discovery rate is controlled instead (Benjamini and Hochberg). Uncorrected,
one of eight cells shows a gain that is not there in 27 to 33 % of comparisons.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtrc, gammaln, ndtr

from repcheck.stats.arrays import Floats, finite
from repcheck.stats.attribution import holm
from repcheck.stats.compare import Interval, t_interval
from repcheck.stats.criteria import require_finite
from repcheck.stats.decision import level_words
from repcheck.stats.wording import Numbers, counted

ALPHA = 0.05
DISCOVERY_RATE = 0.1
FEWEST_METHODS, FEWEST_DATASETS = 3, 5


def mean_of(cells: Sequence[Interval], alpha: float) -> Interval:
    """Return the unweighted mean of independent estimates, with bounds at alpha each.

    SE = sqrt(sum of SE_c^2) / T over T cells, with Satterthwaite's degrees of freedom (sum of
    SE_c^2)^2 / sum of (SE_c^4 / nu_c); a cell without spread adds none. All cells must be in one
    unit and oriented alike. Raises ValueError where there is no cell.
    """
    if not cells:
        raise ValueError("no cells to take the mean of")
    norm = math.hypot(*(one.se for one in cells))
    df = None
    if norm > 0:
        # Shares instead of variances, which underflow.
        df = 1 / sum((one.se / norm) ** 4 / one.df for one in cells if one.df is not None)
    size = max(abs(one.estimate) for one in cells) or 1.0
    mean = math.fsum(one.estimate / size / len(cells) for one in cells) * size
    return t_interval(mean, norm / len(cells), df, alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The mean difference over all cells, and the cells where the gate lets them through.

    `interval` has bounds at `alpha` each; `p` is one-sided, for "above `theta`". `cells` holds the
    Holm-corrected one-sided p of each cell, and is empty where the gate did not pass: then no cell
    may be quoted as a gain.
    """

    interval: Interval
    theta: float
    p: float
    alpha: float
    count: int
    cells: Mapping[str, float]

    @property
    def passed(self) -> bool:
        """Whether the mean difference is above theta beyond doubt."""
        return self.interval.low > self.theta

    @property
    def shown(self) -> tuple[str, ...]:
        """The cells whose gain is shown after correction."""
        return tuple(name for name, p in self.cells.items() if p < self.alpha)

    def in_words(self, unit: float) -> str:
        """One sentence, without its full stop; `unit` is one unit of the last printed digit."""
        numbers = Numbers(unit)
        said = (
            f"over {counted(self.count, 'cell')} the mean difference is "
            f"{numbers.signed(self.interval.estimate)}, {level_words(self.interval)} "
            f"{numbers.span(self.interval)}"
        )
        if not self.passed:
            return f"{said}, so no single cell is judged"
        names = ", ".join(self.shown)
        found = f"{len(self.shown)} of {self.count}" + (f" ({names})" if names else "")
        return f"{said}; cell by cell the gain is shown on {found} (Holm)"


def gate(cells: Mapping[str, Interval], *, theta: float = 0.0, alpha: float = ALPHA) -> Gate:
    """Test the mean difference over cells, then each cell.

    `cells` are the differences (Welch or paired), oriented, in one unit. Tests in a fixed
    order need no correction for each other (Marcus, Peritz and Gabriel 1976): the chance that the
    gate or any cell claims a gain that is not there stays below alpha. Raises ValueError where
    there is no cell.
    """
    require_finite("theta", theta)
    whole = mean_of(list(cells.values()), alpha)
    corrected: dict[str, float] = {}
    if whole.low > theta:
        corrected = dict(
            zip(cells, holm([one.p_above(theta) for one in cells.values()]), strict=True)
        )
    return Gate(
        interval=whole,
        theta=theta,
        p=whole.p_above(theta),
        alpha=alpha,
        count=len(cells),
        cells=corrected,
    )


# --- exploratory ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploratory:
    """p values corrected for the false discovery rate: a screen, never the evidence of a claim."""

    corrected: Mapping[str, float]
    rate: float

    @property
    def found(self) -> tuple[str, ...]:
        """Whatever stands out; a share `rate` of these may be chance."""
        return tuple(name for name, p in self.corrected.items() if p <= self.rate)

    @property
    def in_words(self) -> str:
        """One sentence, without its full stop."""
        names = ", ".join(self.found) or "nothing"
        return (
            f"exploratory, among {len(self.corrected)}: {names} "
            f"(false discovery rate {100 * self.rate:.4g} %)"
        )


def explore(ps: Mapping[str, float], *, rate: float = DISCOVERY_RATE) -> Exploratory:
    """Screen secondary metrics. Source: Benjamini and Hochberg 1995. Raises ValueError for a p or
    a rate outside 0 to 1.
    """
    if not 0 < rate < 1:
        raise ValueError(f"a false discovery rate must lie between 0 and 1, not {rate}")
    corrected = benjamini_hochberg(list(ps.values()))
    return Exploratory(corrected=dict(zip(ps, corrected, strict=True)), rate=rate)


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """Return the adjusted p values, in their order. Raises ValueError for a p outside 0 to 1."""
    if bad := [p for p in ps if not 0 <= p <= 1]:
        raise ValueError(f"a p value must lie between 0 and 1, not {bad[0]}")
    corrected, smallest = [0.0] * len(ps), 1.0
    order = sorted(range(len(ps)), key=ps.__getitem__)
    for rank in range(len(ps), 0, -1):
        smallest = min(smallest, len(ps) * ps[order[rank - 1]] / rank)
        corrected[order[rank - 1]] = smallest
    return corrected


# --- what was computed and not reported -------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Selective:
    """How many of the computed results improved, and how many of those were reported.

    `p` is the chance that a choice made without looking holds at least as many improved ones.
    """

    computed: int
    improved: int
    reported: int
    reported_improved: int
    p: float

    @property
    def omitted(self) -> int:
        """Results computed and not reported."""
        return self.computed - self.reported

    @property
    def omitted_worse(self) -> int:
        """Those of them that did not improve."""
        return self.omitted - (self.improved - self.reported_improved)

    @property
    def in_words(self) -> str:
        """One sentence, without its full stop."""
        return (
            f"{self.computed} were computed and {self.reported} reported, "
            f"{self.reported_improved} of them improved; {self.omitted_worse} of the "
            f"{self.omitted} not reported did not improve (p = {self.p:.2g} for a choice made "
            "without looking)"
        )


def selective(
    *, computed: int, improved: int, reported: int, reported_improved: int | None = None
) -> Selective:
    """Return the hypergeometric p that all reported results lie among the improved ones.

    p = sum over x >= `reported_improved` (by default all reported) of C(w, x) C(n - w, k - x) /
    C(n, k), for w of n improved and k reported. Metrics that say the same (error = 1 - accuracy)
    count once, and training diagnostics not at all: both would make p too small. Raises ValueError
    for numbers that cannot be.
    """
    hits = reported if reported_improved is None else reported_improved
    if not (0 <= improved <= computed and 0 <= reported <= computed):
        raise ValueError(
            f"of {computed} computed results neither {improved} improved nor {reported} reported "
            "may be below zero or more than all"
        )
    if not max(0, reported - (computed - improved)) <= hits <= min(reported, improved):
        raise ValueError(
            f"{hits} of {reported} reported results cannot be among {improved} improved ones of "
            f"{computed}"
        )
    x = np.arange(hits, min(reported, improved) + 1, dtype=np.float64)
    parts = (
        _log_choose(improved, x)
        + _log_choose(computed - improved, reported - x)
        - _log_choose(computed, np.array(float(reported)))
    )
    # A part that asks for more than there are is none; gammaln gives it a pole and not a warning.
    p = float(np.exp(np.where(reported - x <= computed - improved, parts, -np.inf)).sum())
    return Selective(
        computed=computed,
        improved=improved,
        reported=reported,
        reported_improved=hits,
        p=min(1.0, p),
    )


def _log_choose(of: int, chosen: Floats) -> Floats:
    found: Floats = gammaln(of + 1) - gammaln(chosen + 1) - gammaln(of - chosen + 1)
    return found


# --- ranks over datasets ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Mean rank of each method over datasets (1 is best), with Nemenyi's critical difference.

    `chi2` is Friedman's statistic and `f` that of Iman and Davenport with its `p`. Two methods
    whose mean ranks differ by less than `critical_difference` are not told apart; `together` holds
    the largest such groups.
    """

    mean_ranks: Mapping[str, float]
    datasets: int
    chi2: float
    f: float
    p: float
    critical_difference: float
    together: tuple[tuple[str, ...], ...]


def ranks(scores: Mapping[str, ArrayLike], *, alpha: float = ALPHA) -> Ranks | None:
    """Rank methods on each dataset and compare the mean ranks (Demsar 2006).

    `scores` holds for each method one oriented score a dataset; ties share their ranks. None below
    3 methods or 5 datasets, where the critical difference exceeds what ranks can differ by or is
    far from its error rate. The unit is the dataset: seeds are not looked at. Raises ValueError for
    methods with different numbers of datasets, NaN or infinity.
    """
    rows = [finite(f"the scores of {name}", one) for name, one in scores.items()]
    if len({row.size for row in rows}) > 1:
        raise ValueError("every method needs one score for each dataset")
    methods, datasets = len(rows), rows[0].size if rows else 0
    if methods < FEWEST_METHODS or datasets < FEWEST_DATASETS:
        return None
    table = np.stack(rows)
    above = (table[None] > table[:, None]).sum(axis=1)
    equal = (table[None] == table[:, None]).sum(axis=1)
    mean = (1 + above + (equal - 1) / 2).mean(axis=1)
    # Each of a group of t equal scores counts t^2 - 1, so the group counts t^3 - t.
    tied = float((equal.astype(np.float64) ** 2 - 1).sum())
    chi2, f, p = friedman(mean.tolist(), datasets, tied=tied)
    named = dict(zip(scores, mean.tolist(), strict=True))
    reach = critical_difference(methods, datasets, alpha=alpha)
    return Ranks(
        mean_ranks=named,
        datasets=datasets,
        chi2=chi2,
        f=f,
        p=p,
        critical_difference=reach,
        together=_together(named, reach),
    )


def friedman(
    mean_ranks: Sequence[float], datasets: int, *, tied: float = 0.0
) -> tuple[float, float, float]:
    """Return Friedman's chi2, Iman and Davenport's F, and its p.

    chi2 = 12 N / (k (k + 1)) (sum of R^2 - k (k + 1)^2 / 4), divided by 1 - `tied` / (N (k^3 - k))
    where `tied` sums t^3 - t over groups of t equal scores; F = (N - 1) chi2 / (N (k - 1) - chi2)
    on k - 1 and (k - 1)(N - 1) degrees of freedom. p is never below 1 / k!^(N - 1), which is what
    equal ranks on all datasets have.
    """
    k, n = len(mean_ranks), datasets
    if k < 2 or n < 2:
        raise ValueError(f"ranks need 2 methods and 2 datasets, not {k} and {n}")
    if not all(1 <= rank <= k for rank in mean_ranks):
        raise ValueError(f"mean ranks of {k} methods lie between 1 and {k}")
    square = math.fsum((rank - (k + 1) / 2) ** 2 for rank in mean_ranks)
    untied = 1 - tied / (n * (k**3 - k))
    if untied <= 0:
        return 0.0, 0.0, 1.0
    most = n * (k - 1)
    chi2 = min(float(most), 12 * n / (k * (k + 1)) * square / untied)
    least = math.exp(-(n - 1) * math.lgamma(k + 1))
    if math.isclose(chi2, most):
        return chi2, math.inf, least
    f = (n - 1) * chi2 / (most - chi2)
    return chi2, f, max(least, float(fdtrc(k - 1, (k - 1) * (n - 1), f)))


def critical_difference(methods: int, datasets: int, *, alpha: float = ALPHA) -> float:
    """Return Nemenyi's critical difference of mean ranks, q sqrt(k (k + 1) / (6 N)).

    q is the upper alpha point of the range of k standard normals over sqrt(2) (Demsar 2006).
    """
    if methods < 2 or datasets < 1:
        raise ValueError(f"ranks need 2 methods and 1 dataset, not {methods} and {datasets}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha}")
    scale = math.sqrt(methods * (methods + 1) / (6 * datasets))
    return _range_point(methods, alpha) / math.sqrt(2) * scale


@lru_cache(maxsize=32)
def _range_point(k: int, alpha: float) -> float:
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _range_above(middle, k) > alpha else (low, middle)
    return (low + high) / 2


def _range_above(q: float, k: int) -> float:
    """P(range of k standard normals > q) = 1 - k integral of phi(z) (Phi(z) - Phi(z - q))^(k - 1).

    The trapezoid rule is exact to rounding for such integrands.
    """
    z = np.linspace(-9, 9, 2_001)
    inside = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (ndtr(z) - ndtr(z - q)) ** (k - 1)
    return 1 - k * float(inside.sum()) * float(z[1] - z[0])


def _together(mean_ranks: Mapping[str, float], reach: float) -> tuple[tuple[str, ...], ...]:
    order = sorted(mean_ranks, key=mean_ranks.__getitem__)
    groups: list[tuple[str, ...]] = []
    for at, first in enumerate(order):
        near = tuple(n for n in order[at:] if mean_ranks[n] - mean_ranks[first] < reach)
        if len(near) > 1 and not (groups and set(near) <= set(groups[-1])):
            groups.append(near)
    return tuple(groups)
