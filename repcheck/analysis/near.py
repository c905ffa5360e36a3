"""Rows that have a near copy among other rows, by correlation, also when shifted or mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

CLOSE = 0.995
"""Correlation from which on a row is a near copy: noise of 0.1 standard deviations is allowed."""
SHIFTS = (-2, -1, 0, 1, 2)
"""Circular shifts, in pixels, that are undone each way."""
SMALLEST_SIDE = 5
FEWEST_VALUES = 16
"""Rows of fewer different columns are alike by chance."""
FREQUENCIES = 256
CLOSEST = 3
MOST_PAIRS = 20_000
MOST_AT_ONCE = 2**22
BLOCK = 1024
SLACK = 1e-3
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
_Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


class Rows:
    """Rows of one form, made comparable: no mean and length 1; `usable` are those that vary.

    `images` has the shape (n, channels, height, width). Where height is 1 the rows are no images:
    their columns are put on one scale, and nothing is shifted or mirrored. Rows that are compared
    share what `like` was made with.
    """

    def __init__(self, images: Floats, like: Rows | None = None) -> None:
        n = len(images)
        self.shifted = min(images.shape[2:]) >= SMALLEST_SIDE
        flat = images.reshape(n, -1).astype(np.float32)
        if not self.shifted:
            scale = like.scale if like else _scale(flat)
            self.scale: tuple[Floats, Floats] = scale
            flat = (flat - scale[0]) * scale[1]
        flat = flat - flat.mean(axis=1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        self.usable: Mask = length[:, 0] > 1e-3 * np.sqrt(flat.shape[1]) * _typical(flat)
        self.flat: Floats = flat / np.where(length > 0, length, 1)
        self.images: Floats = self.flat.reshape(images.shape)
        self.kept: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self.told: Floats = self.flat
        if self.shifted:
            sizes = _spectrum(self.images)
            self.kept = like.kept if like else _strongest(sizes)
            self.told = sizes[:, self.kept]

    def __len__(self) -> int:
        return len(self.flat)


def _typical(flat: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(flat)))) if flat.size else 0.0


def _scale(flat: Floats) -> tuple[Floats, Floats]:
    spread = flat.std(axis=0)
    return flat.mean(axis=0), np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0)


def _spectrum(images: Floats) -> Floats:
    """Return what no circular shift and no mirroring changes: sizes of the frequencies.

    Two rows are never further apart by it than in themselves, so that no near copy is missed; of
    equal length by Parseval's theorem; so it is where only the strongest frequencies are kept.
    """
    sizes = np.abs(np.fft.fft2(images, norm="ortho")).astype(np.float32)
    mirrored = np.roll(sizes[..., ::-1], 1, axis=-1)
    return np.ascontiguousarray((sizes + mirrored).reshape(len(images), -1) / 2)


def _strongest(sizes: Floats) -> npt.NDArray[np.intp]:
    return np.sort(np.argsort(-np.square(sizes).sum(axis=0), kind="stable")[:FREQUENCIES])


def near_copies(rows: Rows, among: Rows) -> Mask:
    """Return which rows have a near copy among others (or, of the same rows, another of them)."""
    found = np.zeros(len(rows), bool)
    for mine, theirs in _candidates(rows, among):
        found[mine[_are_copies(rows, among, (mine, theirs))]] = True
    return found


def exact_copies(rows: Floats, among: Floats) -> Mask:
    """Return which rows are there to the last bit among others."""
    known = {row.tobytes() for row in among.reshape(len(among), -1)}
    return np.array([row.tobytes() in known for row in rows.reshape(len(rows), -1)], bool)


def earlier_copies(rows: Rows) -> Mask:
    """Return which rows have a near copy before them."""
    found = np.zeros(len(rows), bool)
    for mine, theirs in _candidates(rows, rows):
        earlier = theirs < mine
        pair = mine[earlier], theirs[earlier]
        found[pair[0][_are_copies(rows, rows, pair)]] = True
    return found


def _candidates(rows: Rows, among: Rows) -> Iterator[_Pairs]:
    """Yield pairs that may be near copies: the three closest of each row, bounded in all."""
    apart = 2 - 2 * CLOSE + SLACK
    mine, theirs = (np.square(one.told).sum(axis=1) for one in (rows, among))
    left = min(MOST_PAIRS, MOST_AT_ONCE // rows.flat.shape[1])
    for begin in range(0, len(rows), BLOCK):
        part = slice(begin, begin + BLOCK)
        squared = mine[part, None] + theirs[None] - 2 * (rows.told[part] @ among.told.T)
        close = (squared <= apart) & rows.usable[part, None] & among.usable[None]
        if rows is among:
            at = np.arange(len(close))
            close[at, at + begin] = False
        first, second = np.nonzero(close)
        order = np.lexsort((squared[first, second], first))
        order = order[_place_in_row(first[order]) < CLOSEST][:left]
        left -= len(order)
        yield first[order] + begin, second[order]


def _place_in_row(ordered: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return of each of some ordered numbers how many equal ones stand before it."""
    begins = np.searchsorted(ordered, ordered, side="left")
    return np.arange(len(ordered)) - begins


def _are_copies(rows: Rows, among: Rows, pairs: _Pairs) -> Mask:
    found = np.zeros(len(pairs[0]), bool)
    if not rows.shifted:
        return _products(rows.flat[pairs[0]], among.flat[pairs[1]]) >= CLOSE
    shifts = sorted(product(SHIFTS, SHIFTS), key=lambda one: abs(one[0]) + abs(one[1]))
    for mirrored, (down, right) in product((False, True), shifts):
        open_ = np.flatnonzero(~found)
        if not len(open_):
            break
        other = among.images[pairs[1][open_]]
        other = np.roll(other[..., ::-1] if mirrored else other, (down, right), axis=(2, 3))
        other = other.reshape(len(open_), -1)
        found[open_] = _products(rows.flat[pairs[0][open_]], other) >= CLOSE
    return found


def _products(first: Floats, second: Floats) -> Floats:
    made: Floats = np.einsum("ij,ij->i", first, second)
    return made
