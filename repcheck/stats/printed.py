"""A printed number is an interval: exact arithmetic on the digits that a paper shows.

`93.40` promises two decimals, `93.4` one; both stand for every value that rounds to them. All
arithmetic is in `Fraction`, so that a finding never hangs on a binary rounding error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import isqrt

_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"(?<![\d.,])[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?(?![\d,])")
_ROOT_SCALE = 10**15
LONGEST = 300
"""Digits, and powers of ten: what is longer has no floating-point number."""


class Rounding(StrEnum):
    """How generously the last digit is read."""

    NEAREST = "nearest"  # half up, half down and half to even
    TRUNCATED = "truncated"  # the digits that follow were cut off
    ANY = "any"  # truncated or rounded up as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A closed interval of exact numbers."""

    low: Fraction
    high: Fraction

    def meets(self, other: Interval) -> bool:
        """Return whether the two have a point in common."""
        return self.low <= other.high and other.low <= self.high

    def widened(self, by: Fraction) -> Interval:
        """Return the interval with both ends moved out."""
        return Interval(low=self.low - by, high=self.high + by)

    def scaled(self, by: Fraction | int) -> Interval:
        """Return the interval times a factor >= 0."""
        return Interval(low=self.low * by, high=self.high * by)

    def minus(self, other: Interval) -> Interval:
        """Return every difference of a point here and a point there."""
        return Interval(low=self.low - other.high, high=self.high - other.low)

    def over(self, other: Interval) -> Interval:
        """Return every quotient; the divisor must lie above zero.

        Raises:
            ZeroDivisionError: if it does not.
        """
        if other.low <= 0:
            raise ZeroDivisionError("the divisor may be zero")
        ends = [a / b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(low=min(ends), high=max(ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A number as it was printed: its value, and the unit of its last digit."""

    value: Fraction
    unit: Fraction
    text: str

    def within(self, mode: Rounding = Rounding.NEAREST) -> Interval:
        """Return the values that would have been printed so."""
        if mode is Rounding.TRUNCATED:
            below = self.unit if self.value <= 0 else Fraction(0)
            above = self.unit if self.value >= 0 else Fraction(0)
            return Interval(low=self.value - below, high=self.value + above)
        half = self.unit / 2 if mode is Rounding.NEAREST else self.unit
        return Interval(low=self.value - half, high=self.value + half)

    def scaled(self, by: Fraction | int) -> Printed:
        """Return the same digits in another unit of measure, or turned to the other sign."""
        size = by if by >= 0 else -by
        return Printed(value=self.value * by, unit=self.unit * size, text=self.text)


@lru_cache(maxsize=4096)
def parse(text: str) -> Printed:
    """Read the first number of a text; its last digit gives the unit.

    A comma marks thousands (`1,234.5`), nothing else.

    Raises:
        ValueError: if there is none, or none of a size that can be reckoned with.
    """
    found = _NUMBER.search(_THOUSANDS.sub(lambda m: m[0].replace(",", ""), _with_signs(text), 1))
    if found is None:
        raise ValueError(f"no number in {text!r}")
    digits = found.group().replace("_", "")
    mantissa, _, exponent = digits.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    if len(mantissa) > LONGEST or abs(int(exponent or 0)) > LONGEST:
        raise ValueError(f"no number of a size that can be reckoned with: {text[:40]!r}")
    unit = Fraction(10) ** (int(exponent or 0) - decimals)
    return Printed(value=Fraction(digits), unit=unit, text=digits)


def parse_all(text: str) -> tuple[Printed, ...]:
    """Read every number of a text, in order."""
    return tuple(parse(found) for found in _NUMBER.findall(_with_signs(text)))


def _with_signs(text: str) -> str:
    return text.replace("\N{MINUS SIGN}", "-")


def root(square: Fraction) -> Interval:
    """Return an enclosure of a square root, at most 1e-15 wide."""
    whole = isqrt(square.numerator * _ROOT_SCALE**2 // square.denominator)
    return Interval(low=Fraction(whole, _ROOT_SCALE), high=Fraction(whole + 1, _ROOT_SCALE))


def fits(shown: Printed, truth: Interval) -> bool:
    """Return whether a printed number, rounded to the nearest, can stand for the truth."""
    return shown.within().meets(truth)
