"""Ranks, and which cell of a column may be printed bold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

from repcheck.stats.printed import Interval, Printed, Rounding

K = TypeVar("K")


def rank_span(
    values: Mapping[K, Printed], of: K, *, higher: bool, mode: Rounding = Rounding.NEAREST
) -> Interval:
    """Return the ranks that a value can have, ties within rounding counted in its favour and not.

    One is the best; ties may be ranked alike, by their mean or in any order.
    """
    if of not in values:
        raise ValueError(f"there is no value of {of}")
    own = values[of].within(mode)
    others = [value.within(mode) for key, value in values.items() if key != of]
    if not higher:
        own, others = _turned(own), [_turned(other) for other in others]
    surely = sum(other.low > own.high for other in others)
    possibly = sum(other.high >= own.low for other in others)
    return Interval(low=Fraction(1 + surely), high=Fraction(1 + possibly))


def _turned(one: Interval) -> Interval:
    return Interval(low=-one.high, high=-one.low)


def mean_rank(spans: Sequence[Interval]) -> Interval:
    """Return what an average rank over several columns can be."""
    n = len(spans)
    if not n:
        raise ValueError("no ranks to take the mean of")
    return Interval(
        low=sum((s.low for s in spans), Fraction(0)) / n,
        high=sum((s.high for s in spans), Fraction(0)) / n,
    )


def better_than_bold(
    values: Mapping[K, Printed],
    bold: Sequence[K],
    *,
    higher: bool,
    spreads: Mapping[K, Printed] | None = None,
) -> tuple[K, ...]:
    """Return what is better than the worst bold value and not bold, best first.

    Within rounding, and within the spread of the best where spreads are given: authors mark all
    that are within one deviation. Where all bold ones are within it, nothing is returned.
    """
    sign = 1 if higher else -1
    best = max(values, key=lambda key: sign * values[key].value)
    if best in bold:
        return ()
    slack = Fraction(0)
    if spreads:
        slack = max((spreads[key].value for key in (best, *bold) if key in spreads), default=slack)
    worst = min((values[key] for key in bold), key=lambda value: sign * value.value)
    reach = values[best].unit / 2 + worst.unit / 2 + slack
    if sign * (values[best].value - worst.value) <= reach:
        return ()
    above = [
        key
        for key, value in values.items()
        if key not in bold and sign * (value.value - worst.value) > reach
    ]
    return tuple(sorted(above, key=lambda key: -sign * values[key].value))
