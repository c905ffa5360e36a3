"""Mean and spread together: which counts of right answers give both (GRIMMER for seeds).

A seed with k of N right answers scores k / N. Counts k_1..k_n of sum S have integer deviations
d_i from the rounded mean count, of sum r and sum of squares Q; mean and spread fix S and a window
for Q. Anaya 2016 (GRIMMER) for integer data, which is the case N = 1 here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import ceil, floor, isqrt

from repcheck.stats.forensics import SPREADS, T975, Z975, Fit, reachable
from repcheck.stats.printed import Interval, Printed, Rounding, root

_SMALL = 5
"""From so many seeds on, parity and Q >= |r| suffice: every other pair (r, Q) is reached."""
_MANY = 16
_MANY_SUMS, _MANY_TRIES = 2_000, 20_000
_MOST_SQUARES, _MOST_SEEDS = 2_000, 5
_QUANTILE_SLACK = Fraction(1, 10**4)
_MODES = (Rounding.NEAREST, Rounding.TRUNCATED, Rounding.ANY)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFit:
    """How mean and spread can be true together; `kinds` are the spreads that the printed may be."""

    fit: Fit
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """A printed mean and spread of n seeds with N answers each, as fractions of one."""

    mean: Printed
    spread: Printed
    items: int
    n: int


def squares_exist(n: int, r: int, q: int) -> bool:
    """Return whether n integers have the sum r and the sum of squares q.

    Two: 2q - r^2 is a square. Three: a search for the first. Four: Legendre's theorem on three
    squares, of q - (r / 2)^2 (for odd r, 4q - r^2 is 3 modulo 8 and always has them). From five on
    parity suffices once r is taken modulo n.
    """
    if n < 1 or q < 0 or (q - r) % 2 or n * q < r * r:
        return False
    if n == 1:
        return r * r == q
    if n == 2:
        return _is_square(2 * q - r * r)
    if n == 3:
        return any(squares_exist(2, r - d, q - d * d) for d in _near(q, r))
    if n == 4:
        return bool(r % 2) or not _needs_four(q - (r // 2) ** 2)
    # Moving every integer by c leaves n q - r^2 as it is.
    shift = round(Fraction(r, n))
    rest = r - n * shift
    return q - 2 * shift * r + n * shift * shift >= abs(rest)


def _is_square(value: int) -> bool:
    return value >= 0 and isqrt(value) ** 2 == value


def _near(q: int, r: int) -> Iterator[int]:
    """Yield the first of three integers, those near their mean first."""
    most, middle = isqrt(q), round(r / 3)
    yield middle
    for off in range(1, 2 * most + 2):
        for one in (middle + off, middle - off):
            if abs(one) <= most:
                yield one


def _needs_four(value: int) -> bool:
    while value and value % 4 == 0:
        value //= 4
    return value % 8 == 7


# --- windows ----------------------------------------------------------------------------------


def _variance(spread: Interval, kind: str, n: int) -> Iterator[Interval]:
    """Yield what the sample variance can be, for each way to compute such a spread."""
    low, high = max(Fraction(0), spread.low), spread.high
    squared = Interval(low=low * low, high=high * high)
    if kind == "sample":
        yield squared
    elif kind == "population":
        yield squared.scaled(Fraction(n, n - 1))
    elif kind == "sem":
        yield squared.scaled(n)
    elif kind == "ci95":
        known = [Fraction(T975[n - 2], 10_000)] if n - 1 <= len(T975) else []
        for quantile in (Z975, *known):
            least, most = (quantile + side * _QUANTILE_SLACK for side in (-1, 1))
            yield Interval(
                low=squared.low * n / (most * most), high=squared.high * n / (least * least)
            )


def _residue(total: int, n: int) -> int:
    return total - n * round(Fraction(total, n))


def _totals(mean: Interval, of: Seeds) -> range:
    """Return the sums of counts that round to such a mean."""
    grid = of.n * of.items
    return range(ceil(mean.low * grid), floor(mean.high * grid) + 1)


def _window(r: int, variance: Interval, of: Seeds) -> range:
    """Return the sums of squared deviations that go with a rest r, by steps of two."""
    scale, own = of.items * of.items * (of.n - 1), Fraction(r * r, of.n)
    low, high = max(0, ceil(variance.low * scale + own)), floor(variance.high * scale + own)
    return range(low + (low - r) % 2, high + 1, 2)


def _fits(mean: Interval, spread: Interval, kind: str, of: Seeds) -> bool:
    totals = _totals(mean, of)
    # With so many sums every rest is among them, and some window holds a sum of squares.
    if totals.stop - totals.start > _MANY_SUMS:
        return True
    variances = tuple(_variance(spread, kind, of.n))
    rests = dict.fromkeys(_residue(total, of.n) for total in totals)
    return any(
        _any_exists(of.n, r, _window(r, variance, of)) for r in rests for variance in variances
    )


def _any_exists(n: int, r: int, window: range) -> bool:
    """Return whether some sum of squares of a window is reached, with |r| <= n / 2.

    Where three or four integers make the window too long to search, it surely holds one.
    """
    if window.stop <= window.start:
        return False
    low, high = window.start, window.stop - 1
    high -= (high - low) % 2
    if n == 2:
        # The difference d of the two is even as r is, and d^2 = 2 q - r^2.
        least = max(0, 2 * low - r * r)
        d = isqrt(least)
        d += d * d < least
        d += (d - r) % 2
        return d * d <= 2 * high - r * r
    if n >= _SMALL:
        least = max(low, abs(r))
        return least + (least - r) % 2 <= high
    if (high - low) * isqrt(high) > _MANY_TRIES:
        return True
    return any(squares_exist(n, r, q) for q in window)


def grimmer(
    of: Seeds, kinds: Sequence[str] = SPREADS, seed_unit: Fraction | None = None
) -> CountFit:
    """Return how a printed mean and spread of n >= 2 seeds can be true together.

    `seed_unit` is the last digit of a single seed's score (by default the mean's own): where seeds
    were rounded before they were summed up, the mean is off by up to half of it and a sample
    deviation by sqrt(n / (n - 1)) times that.
    """
    if of.n < 2:
        return CountFit(fit=Fit.NOT_TESTABLE)
    if _certain(of):
        return CountFit(fit=Fit.NEAREST, kinds=tuple(kinds))
    for mode in _MODES:
        mean, spread = of.mean.within(mode), of.spread.within(mode)
        if found := tuple(kind for kind in kinds if _fits(mean, spread, kind, of)):
            return CountFit(fit=Fit(mode.value), kinds=found)
    half = (seed_unit or of.mean.unit) / 2
    mean = of.mean.within(Rounding.ANY).widened(half)
    slack = root(Fraction(of.n, of.n - 1)).high * half
    spread = of.spread.within(Rounding.ANY).widened(slack)
    found = tuple(kind for kind in kinds if _fits(mean, spread, kind, of))
    return CountFit(fit=Fit.ROUNDED_SEEDS if found else Fit.NONE, kinds=found)


def _certain(of: Seeds) -> bool:
    """Return whether the windows hold so many sums of squares that some counts surely fit.

    A quick look in floating point: from five seeds on, two sums in a row are enough.
    """
    if of.n < _SMALL or not reachable(of.mean.within(), of.items * of.n):
        return False
    spread, unit = float(of.spread.value) * of.items, float(of.spread.unit) * of.items
    return 2 * spread * unit * (of.n - 1) > _MANY and spread * spread * (of.n - 1) > 4 * of.n


def reach(of: Seeds, kinds: Sequence[str] = SPREADS, steps: int = 4) -> Fraction:
    """Return the share of made-up pairs near the printed one that would have been seen.

    Pairs `steps` digits up and down in mean and spread are tried, so it is the test's power here.
    """
    if steps < 1:
        raise ValueError(f"at least 1 step must be tried, not {steps}")
    seen = tried = 0
    for i in range(-steps, steps + 1):
        for j in range(-steps, steps + 1):
            if not (i or j) or of.spread.value + j * of.spread.unit < 0:
                continue
            moved = Seeds(
                mean=_moved(of.mean, i), spread=_moved(of.spread, j), items=of.items, n=of.n
            )
            tried += 1
            seen += grimmer(moved, kinds).fit is Fit.NONE
    return Fraction(seen, tried)


def _moved(shown: Printed, by: int) -> Printed:
    return Printed(value=shown.value + by * shown.unit, unit=shown.unit, text=shown.text)


# --- the counts behind a mean and a spread ----------------------------------------------------


def implied_counts(of: Seeds, kind: str = "sample", most: int = 2) -> tuple[tuple[int, ...], ...]:
    """Return up to `most` sets of counts, smallest first, that round to mean and spread.

    Nothing where there are too many seeds or too large a spread to list them; a single set is what
    the paper's seeds must have been.
    """
    if not 2 <= of.n <= _MOST_SEEDS:
        return ()
    return tuple(islice(_counts(of, kind), most))


def _counts(of: Seeds, kind: str) -> Iterator[tuple[int, ...]]:
    totals, spread = _totals(of.mean.within(), of), of.spread.within()
    if totals.stop - totals.start > _MANY:
        return
    for total in totals:
        middle = round(Fraction(total, of.n))
        r = _residue(total, of.n)
        for variance in _variance(spread, kind, of.n):
            for q in _window(r, variance, of):
                if q > _MOST_SQUARES:
                    return
                for found in _deviations(of.n, r, q, -isqrt(q)):
                    counts = tuple(middle + d for d in found)
                    if counts[0] >= 0 and counts[-1] <= of.items:
                        yield counts


def _deviations(n: int, r: int, q: int, least: int) -> Iterator[tuple[int, ...]]:
    """Yield every rising list of n integers from `least` on of sum r and squares q."""
    if n == 1:
        if r >= least and r * r == q:
            yield (r,)
        return
    for d in range(least, isqrt(q) + 1):
        if n * d > r or (n - 1) * (q - d * d) < (r - d) ** 2:
            continue
        for rest in _deviations(n - 1, r - d, q - d * d, d):
            yield (d, *rest)
