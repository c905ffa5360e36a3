"""What was fed in training and in evaluation: statistics, and how far the two are alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from repcheck.analysis import near, sheets
from repcheck.analysis.closely import numbers_of
from repcheck.analysis.evaluations import groups_of
from repcheck.analysis.passes import Pass
from repcheck.analysis.processes import Job, Process
from repcheck.analysis.sheets import Sheet
from repcheck.analysis.two_sample import told_apart
from repcheck.input_seen import Fed, InputSeen, NearDuplicates, TwoSample
from repcheck.records import Event, finite, whole

MOST = 64
MOST_SIZES = 8
MOST_CHANNELS = 16
MOST_SETS = 6
READ_CAP = 2**28
"""Bytes of the sheets of all processes together, four a value."""
LARGEST, LEAST = 1e75, 1e-75
"""Beyond these a ratio or a square of two numbers may be no number."""
WINDOW = 32
FEWEST_ROWS = 50
Place = tuple[int, int]


def fed_of(
    folder: Path, processes: tuple[Process, ...], jobs: tuple[Job, ...], passes: list[Pass]
) -> Fed:
    """Return what was fed, from the events and sheets that the processes left in a folder."""
    numbers = numbers_of(processes, jobs)
    sets = {
        (one.process.number, one.number): place
        for place, group in enumerate(groups_of(passes))
        for one in group.passes
    }
    trained, evaluated = _pairs(folder, processes, numbers, sets)
    kept = dict(trained)
    inputs = tuple(
        replace(one, different=len(kept[one.root]))
        if one.phase == "train" and one.root in kept
        else one
        for one in _inputs(processes, numbers, sets)
    )
    two: list[TwoSample] = []
    copies: list[NearDuplicates] = []
    for (root, rows), (place, others) in (
        (one, other) for one in trained for other in evaluated.items()
    ):
        if rows.shape[1:] == others.shape[1:]:
            two += _two_sample(root, place, rows, others)
            copies += _near(root, place, rows, others)
    return Fed(inputs=inputs, two_sample=tuple(two), near_duplicates=tuple(copies))


def _inputs(
    processes: tuple[Process, ...], numbers: Mapping[Place, int], sets: Mapping[Place, int]
) -> Iterator[InputSeen]:
    """Yield the last statistics of each module in training, and of each module on each set."""
    found: dict[tuple[int, int | None], InputSeen] = {}
    for process in processes:
        for event in process.record.of("input"):
            number = numbers.get((process.number, event.count("root") or 0))
            place = sets.get((process.number, event.count("pass") or 0))
            if number is None or (event.text("phase") == "eval") is (place is None):
                continue
            key = number, place
            made = _input(event, number, place)
            known = found.get(key)
            if made is not None and (known is None or (made.at, made.rows) >= (known.at, 0)):
                found[key] = made
    yield from list(found.values())[:MOST]


def _input(event: Event, root: int, place: int | None) -> InputSeen | None:
    mean, sd = (_numbers(event.items(name, MOST_CHANNELS)) for name in ("mean", "sd"))
    ends = _numbers([event.number(name) or 0.0 for name in ("low", "high")])
    if len(mean) != len(sd) or any(one < 0 for one in sd) or len(ends) < 2:
        return None
    sizes = (whole(one) for one in event.items("shape", MOST_SIZES))
    axis = event.serial("axis")
    return InputSeen(
        root=root,
        phase="train" if place is None else "eval",
        set=place,
        at=event.count("at") or 0,
        shape=tuple(size for size in sizes if size is not None),
        dtype=event.text("dtype")[:16],
        by="channel" if axis == 1 else "feature" if axis == -1 else "all",
        mean=mean,
        sd=sd,
        low=ends[0],
        high=ends[1],
        zeros=_share(event, "zeros"),
        undefined=_share(event, "undefined"),
        rows=event.count("rows") or 0,
        batches=event.count("batches") or 0,
    )


def _numbers(items: Sequence[object]) -> tuple[float, ...]:
    """Return numbers that can be divided and squared; () if one of them cannot."""
    found = [finite(one) for one in items]
    known = [one for one in found if one is not None and abs(one) <= LARGEST]
    if len(known) < len(found):
        return ()
    return tuple(one if abs(one) >= LEAST else 0.0 for one in known)


def _share(event: Event, name: str) -> float:
    return min(1.0, max(0.0, event.number(name) or 0.0))


def _pairs(
    folder: Path,
    processes: tuple[Process, ...],
    numbers: Mapping[Place, int],
    sets: Mapping[Place, int],
) -> tuple[list[tuple[int, sheets.Floats]], dict[int, sheets.Floats]]:
    """Return the training sheet with the most rows, by module, and the last one of each set."""
    trained: list[tuple[int, sheets.Floats]] = []
    evaluated: dict[int, tuple[int, sheets.Floats]] = {}
    for process, sheet in _sheets(folder, processes):
        number = numbers.get((process.number, sheet.root))
        place = sets.get((process.number, sheet.number))
        if number is not None and sheet.layer == sheets.TRAIN:
            trained = sorted([*trained, (number, sheet.rows)], key=lambda one: -len(one[1]))[:1]
        elif sheet.layer == sheets.EVAL and place is not None and _later(sheet, evaluated, place):
            evaluated[place] = sheet.number, sheet.rows
    return trained, {place: rows for place, (_, rows) in evaluated.items()}


def _sheets(folder: Path, processes: tuple[Process, ...]) -> Iterator[tuple[Process, Sheet]]:
    """Yield the sheets of all processes, until too much was read."""
    left = READ_CAP
    for process in processes:
        found = sheets.read(folder, process.record.base)
        left -= sum(sheet.rows.nbytes for sheet in found)
        if left < 0:
            return
        yield from ((process, sheet) for sheet in found)


def _later(sheet: Sheet, known: Mapping[int, tuple[int, sheets.Floats]], place: int) -> bool:
    if place not in known:
        return len(known) < MOST_SETS
    return sheet.number >= known[place][0]


def _two_sample(
    root: int, place: int, rows: sheets.Floats, others: sheets.Floats
) -> Iterator[TwoSample]:
    first, second = (one.reshape(len(one), -1) for one in (rows, others))
    told = told_apart(first, second, np.random.default_rng(0))
    if told is not None:
        yield TwoSample(
            root=root,
            set=place,
            auc=round(told.auc, 4),
            low=round(told.low, 4),
            high=round(told.high, 4),
            n_train=told.n_first,
            n_eval=told.n_second,
        )


def _near(
    root: int, place: int, rows: sheets.Floats, others: sheets.Floats
) -> Iterator[NearDuplicates]:
    known = near.Rows(rows)
    if rows[0].size < near.FEWEST_VALUES or len(rows) < FEWEST_ROWS:
        return
    first = _first_epoch(near.earlier_copies(known))
    rows = rows[:first]
    known = near.Rows(rows)
    tested = near.Rows(others, like=known)
    n_train, n_eval = int(known.usable.sum()), int(tested.usable.sum())
    # One huge row makes all others too small to be compared: then nothing is said of them.
    if n_train < max(FEWEST_ROWS, len(rows) / 2) or n_eval < len(others) / 2:
        return
    exact = near.exact_copies(others, rows)
    found = near.near_copies(tested, known) & ~exact
    yield NearDuplicates(
        root=root,
        set=place,
        n_train=n_train,
        n_eval=n_eval,
        near=int(found.sum()),
        natural=int(near.near_copies(known, known).sum()),
        exact=int(exact.sum()),
        shifted=known.shifted,
    )


def _first_epoch(copied: near.Mask) -> int:
    """Return how many rows come before those that are mostly copies of earlier ones.

    With augmentation, a second epoch brings what the first one brought, a little changed.
    """
    if len(copied) <= WINDOW:
        return len(copied)
    share = np.convolve(copied, np.ones(WINDOW), "valid") / WINDOW
    again = np.flatnonzero(share > 0.5)
    if not len(again):
        return len(copied)
    begin = int(again[0])
    return begin + int(np.argmax(copied[begin:]))
