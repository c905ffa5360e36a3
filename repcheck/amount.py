"""A number in one unit that remembers how it was reached."""

from __future__ import annotations

from dataclasses import dataclass, field

from repcheck.errors import Inapplicable, Missing
from repcheck.units import print_duration, print_scaled
from repcheck.where import Where

FLOPS = "FLOPs"
SECONDS = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number in one unit, how it was reached, and where its first source stands.

    `at_least` says why the true number may be larger; it is empty where all was counted.
    """

    value: float
    unit: str
    made_of: str = ""
    place: Where = field(default_factory=Where)
    assumed: tuple[str, ...] = ()
    disclosed: bool = False
    span: str = ""
    """The least and the greatest over several runs, where they differ: `10 to 30 over 5 runs`."""
    at_least: str = ""

    def times(self, other: Amount, unit: str) -> Amount:
        """Return the product, which remembers both origins."""
        return self._joined(other, self.value * other.value, unit, "x")

    def over(self, other: Amount, unit: str) -> Amount:
        """Return the quotient, which remembers both origins."""
        return self._joined(other, self.value / other.value, unit, "/")

    def plus(self, other: Amount) -> Amount:
        """Return the sum, in the unit of both, which remembers both origins."""
        return self._joined(other, self.value + other.value, self.unit, "+")

    def _joined(self, other: Amount, value: float, unit: str, sign: str) -> Amount:
        whys = dict.fromkeys(filter(None, (self.at_least, other.at_least)))
        return Amount(
            value=value,
            unit=unit,
            made_of=f"{self.made_of} {sign} {other.made_of}",
            place=self.place,
            assumed=tuple(dict.fromkeys((*self.assumed, *other.assumed))),
            at_least="; ".join(whys),
        )

    def __str__(self) -> str:
        spread = f" ({self.span})" if self.span else ""
        bound = "at least " if self.at_least else ""
        return f"{bound}{printed(self.value, self.unit)}{spread}"


Known = Amount | Missing | Inapplicable


def have(known: Known) -> Amount:
    """Return the amount, or raise why there is none."""
    if isinstance(known, Amount):
        return known
    raise known


def figure(value: float) -> str:
    """Return a count as a person writes it: `12,000`, `28.8`, `0.4`."""
    whole = round(value)
    return f"{whole:,}" if abs(value - whole) < 1e-9 * max(1.0, abs(value)) else f"{value:,.4g}"


def printed(value: float, unit: str) -> str:
    """Return a number with its unit: `3,840 samples`, `1.2 GFLOPs a sample`, `3.2 h`."""
    if unit.startswith(FLOPS):
        return print_scaled(value, unit)
    if unit == SECONDS:
        return print_duration(value)
    return f"{figure(value)} {unit}".rstrip()


def spread(values: list[float], unit: str) -> str:
    """Return `10 to 30 over 5 runs` where values differ by more than counting does."""
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return ""
    if unit.startswith(FLOPS) or unit == SECONDS:
        return f"{printed(low, unit)} to {printed(high, unit)} over {len(values)} runs"
    return f"{figure(low)} to {figure(high)} over {len(values)} runs"
