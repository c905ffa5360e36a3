"""What is asked of long arrays: different values, how often, where they occur again, a digest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from repcheck.records import Ints

COUNTED_IN_PLACE = 2**24
SIEVE_BITS = 20
Any1D = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Different values in ascending order and how often each was there."""

    values: Ints
    counts: Ints

    @property
    def total(self) -> int:
        """Return how many values were counted, the repeated ones each time."""
        return int(self.counts.sum())

    @property
    def most(self) -> int:
        """Return how often the most frequent value was there."""
        return int(self.counts.max(initial=0))


def different(values: Any1D) -> Any1D:
    """Return the different values in ascending order (sorted, which is quicker than a table)."""
    ordered = np.sort(values)
    return ordered[_firsts(ordered)]


def twins(values: Any1D) -> int:
    """Return how many values occur more than once; a whole that is there several times is one.

    Their share estimates how likely one more value of the same source is among them.
    """
    often = np.unique(values, return_counts=True)[1]
    if not len(often):
        return 0
    often = often // np.gcd.reduce(often)
    return int(often[often > 1].sum())


def different_of(chunks: Iterable[Any1D], empty: Any1D) -> Any1D:
    """Return the different values of many arrays, holding few of the repeated ones at a time."""
    held: list[Any1D] = []
    for chunk in chunks:
        held.append(different(chunk))
        while len(held) > 1 and held[-1].size * 2 >= held[-2].size:
            held.append(different(np.concatenate([held.pop(), held.pop()])))
    return different(np.concatenate([empty, *held]))


def tally(chunks: Iterable[Ints]) -> Tally:
    """Count values; those of a dataset's size in one table, others by sorting."""
    table = np.zeros(0, np.int64)
    rest: list[Ints] = []
    for chunk in chunks:
        if chunk.size and chunk.min() >= 0 and chunk.max() < COUNTED_IN_PLACE:
            found = np.bincount(chunk, minlength=len(table))
            found[: len(table)] += table
            table = found
        else:
            rest.append(chunk)
    small = np.flatnonzero(table)
    if not rest:
        return Tally(values=small, counts=table[small])
    ordered = np.sort(np.concatenate([np.repeat(small, table[small]), *rest]))
    begins = np.flatnonzero(_firsts(ordered))
    counts = np.diff(np.append(begins, len(ordered)))
    return Tally(values=ordered[begins], counts=counts)


def _firsts(ordered: Any1D) -> Mask:
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def among(values: Any1D, ordered: Any1D) -> Mask:
    """Return which values are among those of an ascending array."""
    if not len(ordered) or not len(values):
        return np.zeros(len(values), bool)
    places = np.searchsorted(ordered, values)
    places[places == len(ordered)] = 0
    return np.asarray(ordered[places] == values)


class Sieve:
    """A few wanted hashes, made ready to be looked for among very many."""

    def __init__(self, wanted: Any1D) -> None:
        self.wanted = wanted
        self._table = np.zeros(2**SIEVE_BITS, bool)
        self._table[wanted & np.uint64(2**SIEVE_BITS - 1)] = True

    def places(self, values: Any1D) -> Ints:
        """Return where wanted hashes stand in an array."""
        if not len(self.wanted):
            return np.zeros(0, np.int64)
        likely = np.flatnonzero(self._table[values & np.uint64(2**SIEVE_BITS - 1)])
        return likely[among(values[likely], self.wanted)]


def digest(*arrays: Any1D) -> str:
    """Return 16 hex digits that name the very bytes of these arrays."""
    made = sha256()
    for array in arrays:
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()[:16]
