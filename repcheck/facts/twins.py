"""Which numbers of a run only say again what another says: `error` is 1 - accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

ENOUGH = 3
SAME = 5e-4
Tables = Sequence[Sequence[Mapping[str, float]]]
"""The numbers of each run by name, for the method's runs and for the baseline's."""


def twin(name: str, kept: Sequence[str], tables: Tables) -> str:
    """Return the metric that a number only repeats: `error` is 1 - accuracy, in every run."""
    rows = [row for side in tables for row in side if name in row]
    for other in kept:
        pairs = [(row[name], row[other]) for row in rows if other in row]
        if len(pairs) >= ENOUGH and (_on_a_line(pairs) or any(_bends(pairs, b) for b in _BENDS)):
            return other
    return ""


_LINES = (
    *((0.0, 1.0), (0.0, 100.0), (0.0, 0.01), (0.0, -1.0)),
    *((1.0, -1.0), (100.0, -1.0), (100.0, -100.0), (1.0, -0.01)),
)
_BENDS: tuple[Callable[[float], float], ...] = (math.exp, math.sqrt)


def _on_a_line(pairs: Sequence[tuple[float, float]]) -> bool:
    most, most_of = (max(abs(pair[side]) for pair in pairs) for side in (0, 1))
    return any(
        all(
            abs(value - (at + by * of)) <= SAME * max(most, abs(by) * most_of)
            for value, of in pairs
        )
        for at, by in _LINES
    )


def _bends(pairs: Sequence[tuple[float, float]], bend: Callable[[float], float]) -> bool:
    """Return whether one is the other's root or exponential, either way round."""
    return any(_bent(way, bend) for way in (pairs, [(of, value) for value, of in pairs]))


def _bent(pairs: Iterable[tuple[float, float]], bend: Callable[[float], float]) -> bool:
    for value, of in pairs:
        # Beyond 700 an exponential is no number.
        if not 0 <= of < 700 or abs(value - bend(of)) > SAME * max(abs(value), bend(of)):
            return False
    return True
