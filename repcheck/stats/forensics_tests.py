"""p-values recomputed from the means, spreads and numbers of seeds that stand beside them.

The rule of statcheck (Nuijten et al. 2016): a printed p is at odds only if no variant of the test
and no rounding of its inputs gives it, and it is a decision error only if the conclusion turns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

from repcheck.stats.printed import Interval, Printed, Rounding, parse

_P = re.compile(r"\s*(?:p\s*)?(<=|>=|<|>|=|≤|≥)?\s*((?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
_BELOW, _ABOVE = ("<", "<=", "≤"), (">", ">=", "≥")
ALPHA = 0.05
Tail = Callable[[float, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A mean and a deviation of n >= 2 runs, as printed."""

    mean: Printed
    spread: Printed
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to test two arms, and the p-values that the printed digits leave possible."""

    name: str
    p: tuple[float, float]
    tails: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PFit:
    """What a printed p is: the variants that give it, and, if none does, what would be right.

    `decision_error`: at alpha the printed p says otherwise than every two-sided variant and every
    one-sided one.
    """

    fits: tuple[str, ...]
    variants: tuple[Variant, ...]
    decision_error: bool = False


def stated_p(text: str) -> tuple[float, float]:
    """Read `0.03`, `p < .001` or `>= 0.05` as the p-values that would be printed so.

    Raises:
        ValueError: if it is no p-value.
    """
    match = _P.fullmatch(text)
    if match is None:
        raise ValueError(f"no p-value: {text!r}")
    shown = parse(match[2])
    around = shown.within(Rounding.ANY)
    if not 0 <= shown.value <= 1:
        raise ValueError(f"no p-value: {text!r}")
    if match[1] in _BELOW:
        return 0.0, float(around.high)
    if match[1] in _ABOVE:
        return float(around.low), 1.0
    return max(0.0, float(around.low)), min(1.0, float(around.high))


def variants(ours: Arm, theirs: Arm, mode: Rounding = Rounding.ANY) -> Iterator[Variant]:
    """Yield Welch's and Student's t test of two arms, as sample or population deviations.

    Each spread may have been any that rounds to what is printed, so each p is an interval.
    """
    tail = _tail()
    # A p has no unit; in that of the largest number no square is beyond doubles.
    by = 1 / (max(abs(x.value) for a in (ours, theirs) for x in (a.mean, a.spread)) or Fraction(1))
    ours, theirs = (
        Arm(mean=a.mean.scaled(by), spread=a.spread.scaled(by), n=a.n) for a in (ours, theirs)
    )
    for ddof, name in ((1, "sample"), (0, "population")):
        a, b = (_variance_of_mean(arm, ddof, mode) for arm in (ours, theirs))
        gap = ours.mean.within(mode).minus(theirs.mean.within(mode))
        ends = (abs(float(gap.low)), abs(float(gap.high)))
        least = 0.0 if gap.low <= 0 <= gap.high else min(ends)
        for test in ("Welch", "Student"):
            low, high = _p_span((least, max(ends)), (a, b), (ours.n, theirs.n), test, tail)
            positive = gap.high > 0
            for tails in (2, 1):
                words = f"{test}, {tails}-sided, {name} deviations"
                share = 1.0 if tails == 2 else 0.5
                span = (low * share, high * share)
                if tails == 1 and not positive:
                    span = (1 - span[1], 1 - span[0])
                yield Variant(name=words, p=span, tails=tails)


def _tail() -> Tail:
    from scipy.special import stdtr  # slow to import, and only where a p-value is printed

    def two_sided(t: float, df: float) -> float:
        return float(2 * stdtr(df, -abs(t)))

    return two_sided


def _variance_of_mean(arm: Arm, ddof: int, mode: Rounding) -> Interval:
    spread = arm.spread.within(mode)
    low = max(Fraction(0), spread.low)
    by = Fraction(1, arm.n) if ddof else Fraction(1, arm.n - 1)
    return Interval(low=low * low * by, high=spread.high * spread.high * by)


def _p_span(
    gap: tuple[float, float],
    of: tuple[Interval, Interval],
    n: tuple[int, int],
    test: str,
    tail: Tail,
) -> tuple[float, float]:
    ends = [(float(x), float(y)) for x in (of[0].low, of[0].high) for y in (of[1].low, of[1].high)]
    errors, dfs = zip(*(_error(pair, n, test) for pair in ends), strict=True)
    # Between the ends Welch's degrees of freedom can rise, up to those of equal variances.
    df_low, df_high = min(dfs), max(dfs)
    ratios = [(x / n[0]) / (y / n[1]) if y else float("inf") for x, y in ends]
    if min(ratios) < 1 < max(ratios):
        df_high = float(sum(n) - 2)
    largest = gap[1] / min(errors) if min(errors) else float("inf")
    smallest = gap[0] / max(errors) if max(errors) else float("inf")
    return tail(largest, df_high), tail(smallest, df_low)


def _error(of: tuple[float, float], n: tuple[int, int], test: str) -> tuple[float, float]:
    """Return standard error and degrees of freedom, from two variances of means."""
    a, b = of
    freedom = float(n[0] + n[1] - 2)
    if test == "Student":
        pooled = ((n[0] - 1) * a * n[0] + (n[1] - 1) * b * n[1]) / freedom
        return sqrt(pooled * (1 / n[0] + 1 / n[1])), freedom
    if a + b <= 0:
        return 0.0, freedom
    return sqrt(a + b), (a + b) ** 2 / (a * a / (n[0] - 1) + b * b / (n[1] - 1))


def p_fit(ours: Arm, theirs: Arm, p: str) -> PFit:
    """Return which tests of two arms give a printed p.

    Raises:
        ValueError: if it is no p-value.
    """
    low, high = stated_p(p)
    found = tuple(variants(ours, theirs))
    fits = tuple(v.name for v in found if v.p[0] <= high and low <= v.p[1])
    if fits:
        return PFit(fits=fits, variants=found)
    says = high <= ALPHA
    turned = all(v.p[0] > ALPHA for v in found) if says else all(v.p[1] < ALPHA for v in found)
    return PFit(fits=(), variants=found, decision_error=turned and (says or low > ALPHA))
