"""What a spread, a range or an interval can be at all, whatever was measured."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from repcheck.stats.printed import Interval, Printed, Rounding, root

_MODES = (Rounding.NEAREST, Rounding.TRUNCATED, Rounding.ANY)


def debit(share: Printed, spread: Printed, n: int) -> Rounding | None:
    """Return the weakest reading under which n zeros and ones have this mean and deviation.

    Their sample deviation is sqrt(n / (n - 1) m (1 - m)) and nothing else (Heathers and Brown
    2019, DEBIT); `share` and `spread` are fractions of one. None: under no reading.
    """
    if n < 2:
        raise ValueError(f"a spread needs at least 2 values, not {n}")
    for mode in _MODES:
        mean = share.within(mode)
        low, high = max(Fraction(0), mean.low), min(Fraction(1), mean.high)
        ends = [x * (1 - x) for x in (low, high)]
        most = Fraction(1, 4) if low <= Fraction(1, 2) <= high else max(ends)
        by = Fraction(n, n - 1)
        reached = Interval(
            low=root(by * max(Fraction(0), min(ends))).low, high=root(by * most).high
        )
        if low <= high and spread.within(mode).meets(reached):
            return mode
    return None


def whole_number_spreads(
    mean: Printed, n: int, low: int, high: int, mode: Rounding = Rounding.NEAREST
) -> Interval | None:
    """Return the sample deviations that n integers of `low` to `high` with such a mean can have.

    None if no integers have the mean. Least where they differ by one at most, most where all but
    one stand at the ends of the scale.
    """
    if n < 2:
        raise ValueError(f"a spread needs at least 2 values, not {n}")
    around = mean.within(mode)
    totals = range(max(n * low, ceil(around.low * n)), min(n * high, floor(around.high * n)) + 1)
    if not totals:
        return None
    least = min(_variance(n, total, _close(n, total)) for total in totals)
    most = max(_variance(n, total, _apart(n, total, low, high)) for total in totals)
    return Interval(low=root(least).low, high=root(most).high)


def _variance(n: int, total: int, squares: int) -> Fraction:
    return (squares - Fraction(total * total, n)) / (n - 1)


def _close(n: int, total: int) -> int:
    value, above = divmod(total, n)
    return (n - above) * value * value + above * (value + 1) ** 2


def _apart(n: int, total: int, low: int, high: int) -> int:
    if low == high:
        return n * low * low
    at_top, rest = divmod(total - n * low, high - low)
    if at_top == n:
        return n * high * high
    return at_top * high * high + (low + rest) ** 2 + (n - at_top - 1) * low * low


def spreads_of_range(least: Interval, most: Interval, n: int) -> Interval:
    """Return the sample deviations that n numbers with such a minimum and maximum can have.

    range / sqrt(2 (n - 1)) <= s <= range / 2 sqrt(n / (n - 1)).
    """
    if n < 2:
        raise ValueError(f"a spread needs at least 2 values, not {n}")
    span = most.minus(least)
    low = max(Fraction(0), span.low) * root(Fraction(1, 2 * (n - 1))).low
    return Interval(low=low, high=max(Fraction(0), span.high) / 2 * root(Fraction(n, n - 1)).high)
