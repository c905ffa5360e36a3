"""An axis: values to percent of a column's width, so that a drawing fits any screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_EDGE = 4.0  # percent kept free at both ends, for the markers


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled place on an axis."""

    at: str
    label: str
    zero: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear axis from `low` to `high`."""

    low: float
    high: float

    @classmethod
    def around(cls, core: Iterable[float], reach: Iterable[float] = ()) -> Scale:
        """Return a scale that holds all of `core`, and of `reach` what is not far away.

        One interval of two seeds can be a hundred times as wide as all the others; it is cut at
        the edge instead of making every other row a dot.
        """
        points = [value for value in core if math.isfinite(value)] or [0.0]
        low, high = min(points), max(points)
        ends = sorted(value for value in reach if math.isfinite(value))
        room = max(high - low, _middle([abs(end - low) for end in ends] or [1.0]), 1e-12)
        low = min([low, *(max(end, low - room) for end in ends)])
        high = max([high, *(min(end, high + room) for end in ends)])
        if high - low < 1e-300:
            low, high = low - max(abs(low) / 10, 1e-9), high + max(abs(high) / 10, 1e-9)
        if not math.isfinite(high - low):
            low, high = -1.0, 1.0
        return cls(low=low, high=high)

    def at(self, value: float) -> str:
        """Return the place of a value, cut at the edges: `42.1%`."""
        share = (value - self.low) / (self.high - self.low)
        inside = min(1.0, max(0.0, share))
        return f"{_EDGE + inside * (100 - 2 * _EDGE):.4g}%"

    def holds(self, value: float) -> bool:
        """Whether a value lies on the axis (a hair beyond the edge does)."""
        hair = (self.high - self.low) * 1e-9
        return self.low - hair <= value <= self.high + hair

    def ticks(self, most: int = 5, label: Callable[[float], str] | None = None) -> tuple[Tick, ...]:
        """Return round values along the axis, in the words of `label`."""
        say = label or _label
        step = _round_step((self.high - self.low) / most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(
            Tick(at=self.at(k * step), label=say(k * step), zero=k == 0)
            for k in range(first, min(last, first + 2 * most) + 1)
        )


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _round_step(raw: float) -> float:
    size = 10.0 ** math.floor(math.log10(raw))
    return next((k * size for k in (1.0, 2.0, 5.0) if k * size >= raw), 10 * size)


def _label(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
