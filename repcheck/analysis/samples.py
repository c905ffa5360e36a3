"""Which samples were drawn for training, how often, and how many different ones there were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from repcheck.analysis.arrays import Tally, different_of, digest, tally
from repcheck.analysis.loaders import TRAINING, Round
from repcheck.analysis.processes import Process
from repcheck.records import TRAIN, Blocks, Hashes, Ints

WHOLE = 0.98
ONE_EPOCH = 1.05
FIRST_BATCHES = 50
NO_HASHES: Hashes = np.empty(0, "<u8")

Data = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What loaders drew for training, by base dataset; `complete` if every index is known."""

    total: int
    by_data: Mapping[Data, Tally]
    complete: bool
    samplers: tuple[str, ...]

    @property
    def unique(self) -> int:
        """Return how many different examples were drawn."""
        return sum(len(found.values) for found in self.by_data.values())

    @property
    def most(self) -> int:
        """Return how often the most frequent example was drawn."""
        return max((found.most for found in self.by_data.values()), default=0)


def drawn_in_training(used: Iterable[tuple[Process, Round]]) -> Drawn | None:
    """Return what these rounds drew for training; None: no loader did."""
    total, complete = 0, True
    by_data: dict[Data, list[tuple[Process, Round]]] = {}
    samplers: dict[str, None] = {}
    for process, one in used:
        if one.use != TRAINING or not one.batches:
            continue
        written = int(process.record.idx.headers["n"][one.blocks].sum(dtype=np.int64))
        complete &= 0 < one.drawn <= written
        total += one.drawn
        samplers[one.loader.sampler] = None
        by_data.setdefault(one.loader.data, []).append((process, one))
    if not by_data:
        return None
    return Drawn(
        total=total,
        by_data={data: tally(_indices(used)) for data, used in by_data.items()},
        complete=complete,
        samplers=tuple(sorted(filter(None, samplers))),
    )


def _indices(used: list[tuple[Process, Round]]) -> Iterator[Ints]:
    return (one.indices(process) for process, one in used)


def trained_blocks(process: Process, begin: int, offset: int) -> Blocks:
    """Return the hashes of what was trained through, after the steps that were undone.

    `offset` is what turns a block's step into the number of the step it belongs to.
    """
    rows = process.record.rows
    wanted = rows.headers["layer"] == TRAIN
    wanted &= rows.headers["step"].astype(np.int64) + offset > begin
    return rows.only(wanted)


def by_content(ranks: list[Blocks], samples: int) -> int | None:
    """Return how many different rows were trained on, as far as their content tells.

    None: too few were hashed, or content does not tell, because new rows went on appearing after
    the first were repeated (random augmentation), or all of them were new.
    """
    hashed = sum(blocks.total for blocks in ranks)
    if hashed < WHOLE * samples or not hashed:
        return None
    unique = _different(ranks)
    if hashed <= ONE_EPOCH * unique:
        return None
    first = [_beginning(blocks, ONE_EPOCH * unique / hashed) for blocks in ranks]
    return unique if _different(first) >= WHOLE * unique else None


def no_more_than(ranks: list[Blocks], samples: int | None, drawn: Drawn) -> bool:
    """Tell whether no more different rows were trained on than a loader drew."""
    hashed = sum(blocks.total for blocks in ranks)
    if samples is None or not hashed or hashed < WHOLE * samples:
        return False
    return _different(ranks) <= drawn.unique


def _different(ranks: list[Blocks]) -> int:
    chunks = (chunk for blocks in ranks for chunk in blocks.chunks("<u8"))
    return len(different_of(chunks, NO_HASHES))


def _beginning(blocks: Blocks, share: float) -> Blocks:
    total = np.cumsum(blocks.headers["n"], dtype=np.int64)
    until = int(np.searchsorted(total, share * blocks.total)) + 1
    return blocks.only(np.arange(len(blocks)) < until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """How many rows each step had, and the sums of their hashes: the same rows, the same sum.

    `step` is ascending; `sums` is empty where nothing was hashed.
    """

    step: Ints
    rows: Ints
    sums: Hashes = field(default_factory=lambda: NO_HASHES)


def batches_of(blocks: Blocks, offset: int) -> Batches:
    """Return one line for each step whose rows were hashed."""
    sizes = blocks.headers["n"].astype(np.int64)
    filled = blocks.only(sizes > 0)
    sizes = sizes[sizes > 0]
    steps = filled.headers["step"].astype(np.int64) + offset
    if not len(sizes):
        return Batches(step=steps, rows=sizes)
    sums = np.concatenate(list(_sums(filled, sizes)))
    order = np.argsort(steps, kind="stable")
    used, begins = np.unique(steps[order], return_index=True)
    return Batches(
        step=used,
        sums=np.add.reduceat(sums[order], begins),
        rows=np.add.reduceat(sizes[order], begins),
    )


def _sums(blocks: Blocks, sizes: Ints, most: int = 2**22) -> Iterator[Hashes]:
    total = np.cumsum(sizes)
    begin = 0
    while begin < len(sizes):
        before = int(total[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(total, before + most)))
        part = Blocks(
            headers=blocks.headers[begin:end], at=blocks.at[begin:end], buffer=blocks.buffer
        )
        places = total[begin:end] - sizes[begin:end] - before
        yield np.add.reduceat(part.values("<u8"), places)
        begin = end


def repeated(hashed: Batches, told: Batches) -> float:
    """Return the share of steps that trained on the very rows of the step before.

    Only steps are compared of which every row that was told of was hashed.
    Where every batch holds the same rows, it holds all there is: each step is an epoch of its own
    and repeats nothing.
    """
    if not len(hashed.step) or not len(told.step):
        return 0.0
    place = np.minimum(np.searchsorted(told.step, hashed.step), len(told.step) - 1)
    whole = (told.step[place] == hashed.step) & (told.rows[place] == hashed.rows)
    whole &= hashed.sums != 0
    step, sums = hashed.step[whole], hashed.sums[whole]
    if len(step) < 2 or (sums == sums[0]).all():
        return 0.0
    near = np.diff(step) == 1
    same = near & (sums[1:] == sums[:-1])
    return float(same.sum() / near.sum()) if near.any() else 0.0


def order_digest(blocks: Blocks, offset: int, told: Batches) -> str:
    """Return a name for the first 50 steps' rows in order; "" if any of them was not hashed."""
    places = np.flatnonzero(told.rows > 0)[:FIRST_BATCHES]
    if not len(places):
        return ""
    last = places[-1]
    early = blocks.only(blocks.headers["step"].astype(np.int64) + offset <= told.step[last])
    if early.total != int(told.rows[: last + 1].sum()):
        return ""
    return digest(early.values("<u8"))


def step_offset(process: Process) -> int:
    """Return 1 if rows name the steps done before them, 0 if they name the step they are in."""
    headers, steps = process.record.rows.headers, process.record.steps
    mine = headers["step"][headers["layer"] == TRAIN]
    return 1 if len(mine) and len(steps) and mine.min() < steps["step"][0] else 0
