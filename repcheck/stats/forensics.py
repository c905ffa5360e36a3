"""Number forensics: which printed numbers can be true together.

Exact arithmetic on the reported strings. Every check names the weakest reading under which the
numbers still contradict each other: first the nearest rounding, then truncation, then any
rounding, then the innocent explanations. What the digits cannot show is *not testable*, never
passed. Spreads of counts, relations of metrics, patterns of whole tables and p-values have modules
of their own beside this one (`forensics_*`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import combinations
from math import ceil, exp, floor, log

from repcheck.stats.forensics_suites import averaged_first
from repcheck.stats.printed import Interval, Printed, Rounding, root

# Student's t times 10,000, two-sided 5 %, 1 to 30 degrees of freedom (any printed table).
T975 = (
    127_062, 43027, 31824, 27764, 25706, 24469, 23646, 23060, 22622, 22281, 22010, 21788, 21604,
    21448, 21314, 21199, 21098, 21009, 20930, 20860, 20796, 20739, 20687, 20639, 20595, 20555,
    20518, 20484, 20452, 20423,
)  # fmt: skip
Z975 = Fraction("1.959964")
SPREADS = ("sample", "population", "sem", "ci95")


class Fit(StrEnum):
    """How a printed number can be true: by the first of these that explains it."""

    NEAREST = "nearest"
    TRUNCATED = "truncated"
    ANY = "any"
    ROUNDED_SEEDS = "rounded-seeds"
    NONE = "none"
    NOT_TESTABLE = "not-testable"


# --- shares of a count (GRIM) -----------------------------------------------------------------


def cells(items: int, seeds: int = 1) -> int:
    """Return how fine the grid is on which a mean of `seeds` shares of `items` lies."""
    return items * seeds


def informative(shown: Printed, grid: int, scale: Fraction = Fraction(1)) -> bool:
    """Return whether the grid is coarser than the last printed digit (n N u < 1).

    `scale` makes a share of what is printed (1/100 for percent).
    """
    numerator = shown.unit.numerator * scale.numerator
    return grid * numerator < shown.unit.denominator * scale.denominator


def power(share: Printed, grid: int) -> Fraction:
    """Return the share of made-up numbers of this precision that the grid excludes."""
    return max(Fraction(0), 1 - grid * share.unit)


def reachable(interval: Interval, grid: int) -> bool:
    """Return whether some k / grid lies in the interval."""
    return ceil(interval.low * grid) <= floor(interval.high * grid)


def neighbours(share: Printed, grid: int) -> tuple[Fraction, Fraction]:
    """Return the shares nearest to the printed one, below and above, that do exist."""
    if grid < 1:
        raise ValueError(f"a grid needs at least 1 answer, not {grid}")
    below = floor(share.value * grid)
    return Fraction(below, grid), Fraction(below + 1, grid)


def grim(share: Printed, items: int, seeds: int = 1, seed_unit: Fraction | None = None) -> Fit:
    """Return how a printed share of `items`, or the mean of `seeds` such shares, can be true.

    `share` and `seed_unit` (the last digit of a single seed's share; by default the mean's own) are
    fractions of one. Authors who average shares that were already rounded leave the grid by up to
    half a unit, so that is allowed for last (Brown and Heathers 2017, and the slack).
    """
    grid = cells(items, seeds)
    if not informative(share, grid):
        return Fit.NOT_TESTABLE
    for mode in (Rounding.NEAREST, Rounding.TRUNCATED):
        if reachable(share.within(mode), grid):
            return Fit(mode.value)
    loose = share.within(Rounding.ANY)
    if reachable(loose, grid):
        return Fit.ANY
    if seeds > 1 and reachable(loose.widened((seed_unit or share.unit) / 2), grid):
        return Fit.ROUNDED_SEEDS
    return Fit.NONE


# --- a list of seeds beside its mean and spread -----------------------------------------------


def mean_of(values: Sequence[Printed]) -> Interval:
    """Return where the mean of the unrounded values lies."""
    if not values:
        raise ValueError("no values to take the mean of")
    middle = sum((v.value for v in values), Fraction(0)) / len(values)
    half = sum((v.unit for v in values), Fraction(0)) / (2 * len(values))
    return Interval(low=middle - half, high=middle + half)


def spread_of(values: Sequence[Printed], kind: str) -> tuple[Interval, ...]:
    """Return where a spread of the unrounded values lies, for each way to compute that kind.

    Rounding moves every value by at most u/2, hence the sample standard deviation by at most
    sqrt(n / (n - 1)) u/2 (triangle inequality). A 95 % interval is half as wide as it is long; it
    may use the normal or Student's quantile. At least two values.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"a spread needs at least 2 values, not {n}")
    middle = sum((v.value for v in values), Fraction(0)) / n
    variance = sum(((v.value - middle) ** 2 for v in values), Fraction(0)) / (n - 1)
    slack = root(Fraction(n, n - 1)).high * max(v.unit for v in values) / 2
    deviation = root(variance).widened(slack)
    return tuple(
        Interval(low=max(Fraction(0), deviation.low) * by.low, high=deviation.high * by.high)
        for by in _factors(kind, n)
    )


def _factors(kind: str, n: int) -> Iterator[Interval]:
    if kind == "sample":
        yield Interval(low=Fraction(1), high=Fraction(1))
    elif kind == "population":
        yield root(Fraction(n - 1, n))
    elif kind == "sem":
        yield root(Fraction(1, n))
    elif kind == "ci95":
        quantiles = [Z975] + ([Fraction(T975[n - 2], 10_000)] if n - 1 <= len(T975) else [])
        for quantile in quantiles:
            yield root(Fraction(1, n)).scaled(quantile).widened(Fraction(1, 10**4))


def spreads_that_fit(
    values: Sequence[Printed], shown: Printed, mode: Rounding = Rounding.NEAREST
) -> tuple[str, ...]:
    """Return the kinds of spread of these values that the printed one can be."""
    around = shown.within(mode)
    return tuple(
        kind for kind in SPREADS if any(around.meets(near) for near in spread_of(values, kind))
    )


# --- gains ------------------------------------------------------------------------------------

ABSOLUTE = "the difference"
RELATIVE = "the relative gain in percent"
SPEEDUP = "the gain of the inverse in percent"
REDUCTION = "the reduction of the error in percent"


def gains(
    ours: Printed, theirs: Printed, *, higher: bool, ceiling: int | None, mode: Rounding
) -> Mapping[str, Interval]:
    """Return what a gain can be, by formula; positive is better whatever the direction.

    `ceiling` (100 for percent, 1 for a fraction) makes the error of a score; without it there is
    no reduction of the error.
    """
    a, b = ours.within(mode), theirs.within(mode)
    found = {ABSOLUTE: a.minus(b) if higher else b.minus(a)}
    if b.low > 0:
        ratio = a.over(b)
        one = Interval(low=Fraction(1), high=Fraction(1))
        found[RELATIVE] = (ratio.minus(one) if higher else one.minus(ratio)).scaled(100)
    if not higher and a.low > 0:
        found[SPEEDUP] = b.over(a).minus(Interval(low=Fraction(1), high=Fraction(1))).scaled(100)
    if ceiling is not None and higher and b.high < ceiling:
        full = Interval(low=Fraction(ceiling), high=Fraction(ceiling))
        found[REDUCTION] = found[ABSOLUTE].over(full.minus(b)).scaled(100)
    return found


# --- table averages ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageFit:
    """How an average can be true: `how` is the plain mean, or what explains it in words."""

    fit: Fit
    how: str = ""

    @property
    def innocent(self) -> bool:
        """Whether all cells are in it, whatever the formula."""
        return self.fit is not Fit.NONE


def average_fit(
    shown: Printed, parts: Mapping[str, Printed], weights: Sequence[int] | None = None
) -> AverageFit:
    """Return how a table's average follows from its cells.

    The interval rule |average - mean| <= (u_average + max u_cell) / 2 has no false alarms, where
    demanding equality of the printed digits would accuse one honest table in ten.
    """
    values = tuple(parts.values())
    if is_mean(shown, values, Rounding.NEAREST):
        return AverageFit(fit=Fit.NEAREST, how="the mean of its cells")
    if is_mean(shown, values, Rounding.ANY):
        return AverageFit(fit=Fit.ANY, how="the truncated mean of its cells")
    around = shown.within(Rounding.ANY).widened(max(v.unit for v in values))
    for how, centre in _other_centres(parts, weights):
        if around.low <= centre <= around.high:
            return AverageFit(fit=Fit.ANY, how=how)
    for left_out in (1, 2):
        for names in combinations(parts, left_out):
            rest = tuple(v for name, v in parts.items() if name not in names)
            if rest and len(parts) <= 20 and is_mean(shown, rest, Rounding.NEAREST):
                return AverageFit(fit=Fit.NONE, how=" and ".join(names))
    return AverageFit(fit=Fit.NONE)


def is_mean(shown: Printed, values: Sequence[Printed], mode: Rounding) -> bool:
    """Return whether a printed average can be the mean of what was rounded to these cells."""
    if not values:
        raise ValueError("no cells to take the mean of")
    middle = sum((v.value for v in values), Fraction(0)) / len(values)
    reach = (shown.unit + max(v.unit for v in values)) / (2 if mode is Rounding.NEAREST else 1)
    return abs(shown.value - middle) <= reach


def _other_centres(
    parts: Mapping[str, Printed], weights: Sequence[int] | None
) -> Iterable[tuple[str, Fraction]]:
    from statistics import median  # slow to import, and rarely needed

    exact = [part.value for part in parts.values()]
    groups = averaged_first(tuple(parts))
    if 1 < len(groups) < len(parts):
        means = [sum((parts[n].value for n in group), Fraction(0)) / len(group) for group in groups]
        centre = sum(means, Fraction(0)) / len(means)
        yield "their mean, the scores of one task averaged first", centre
    yield "their median", Fraction(median(exact))
    if weights:
        total = sum((w * x for w, x in zip(weights, exact, strict=True)), Fraction(0))
        yield "their mean weighted by the size of the test sets", total / sum(weights)
    if all(x > 0 for x in exact):
        yield "their geometric mean", Fraction(exp(sum(log(x) for x in exact) / len(exact)))
        yield "their harmonic mean", len(exact) / sum((1 / x for x in exact), Fraction(0))


# --- bounds -----------------------------------------------------------------------------------


def largest_deviation(share: Interval, n: int) -> Fraction:
    """Return the largest sample standard deviation of n shares (0 to 1) with such a mean.

    It is sqrt(n / (n - 1) m (1 - m)), largest where the mean is nearest one half.
    """
    if n < 2:
        raise ValueError(f"a spread needs at least 2 values, not {n}")
    half = Fraction(1, 2)
    mean = min(max(half, share.low), share.high)
    spread = max(Fraction(0), mean * (1 - mean))
    return root(Fraction(n, n - 1) * spread).high
