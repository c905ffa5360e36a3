"""Which rounds through which loaders fed the training, which an evaluation, and what they drew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from repcheck.analysis.processes import Process
from repcheck.analysis.roots import evaluations
from repcheck.records import Event, Ints

TRAINING, EVALUATION, NEITHER = "training", "evaluation", "neither"
MOST_ROUNDS = 20_000
NEAR = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """A loader as it was made; `data` names its base dataset within one process."""

    serial: int
    data: tuple[str, int]
    batch_size: int | None
    sampler: str
    made: int = 0  # steps that were done when it was made


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One iterator of a loader, that lived from step `begin` to step `end`.

    `drawn` is how many indices its batches had, `passes` the evaluations it fed; `blocks` says
    where its indices are.
    """

    loader: Loader
    it: int
    begin: int
    end: int
    batches: int
    drawn: int
    use: str
    passes: tuple[int, ...]
    blocks: Ints

    def indices(self, process: Process) -> Ints:
        """Return the indices of the batches that were delivered, in order."""
        wanted = np.zeros(len(process.record.idx), bool)
        wanted[self.blocks] = True
        found: Ints = process.record.idx.only(wanted).values("<i8")
        return found[: self.drawn]


def loaders_of(process: Process) -> dict[int, Loader]:
    """Return the loaders of a process by their serials."""
    found = {}
    for event in process.record.of("loader"):
        serial = event.count("i")
        if serial is None:
            continue
        ds = event.count("ds")
        custom = event.text("batch_sampler")
        named = event.text("sampler") if custom in {"", "BatchSampler"} else custom
        found[serial] = Loader(
            serial=serial,
            data=(event.text("dataset"), -1 - serial if ds is None else ds),
            batch_size=event.count("batch_size"),
            sampler=named or event.text("sampler"),
            made=event.step,
        )
    return found


def rounds_of(process: Process) -> tuple[Round, ...]:
    """Return every round through every loader, with what it was for."""
    blocks = _blocks(process)
    ends: dict[int, dict[int, Event]] = {}
    for event in process.record.of("loader_end"):
        serial, it = event.count("i"), event.count("it")
        if serial is not None and it is not None:
            ends.setdefault(serial, {}).setdefault(it, event)
    known = loaders_of(process)
    passes = _passes(process)
    taken = np.concatenate([[0], np.cumsum(process.record.steps["batches"], dtype=np.int64)])
    found: list[Round] = []
    for serial in sorted(ends.keys() | blocks.keys()):
        loader = known.get(serial) or Loader(
            serial=serial, data=("", -1 - serial), batch_size=None, sampler=""
        )
        mine = blocks.get(serial, {})
        found += _sorted_out(
            passes.get(serial, []),
            list(_rounds(process, loader, ends.get(serial, {}), mine, taken)),
        )
    return tuple(found)


def _blocks(process: Process) -> dict[int, dict[int, Ints]]:
    """Return where each iterator's indices are, by loader and iterator."""
    headers = process.record.idx.headers
    keys = headers["id"].astype(np.int64) << 32 | headers["pass"].astype(np.int64)
    order = np.argsort(keys, kind="stable")
    used, begins = np.unique(keys[order], return_index=True)
    places = np.split(order, begins[1:]) if len(used) else []
    found: dict[int, dict[int, Ints]] = {}
    for key, place in zip(used.tolist()[:MOST_ROUNDS], places, strict=False):
        found.setdefault(key >> 32, {})[key & 0xFFFFFFFF] = place
    return found


def _passes(process: Process) -> dict[int, list[tuple[int, int, int]]]:
    """Return each loader's evaluation passes: their number, step and batches."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    for event in evaluations(process):
        number, at = event.count("n"), event.count("at")
        if number is not None and at is not None:
            for loader, batches in event.counts("loaders").items():
                if batches:
                    found.setdefault(loader, []).append((number, at, batches))
    return found


def _rounds(
    process: Process,
    loader: Loader,
    ends: dict[int, Event],
    blocks: dict[int, Ints],
    taken: Ints,
) -> Iterator[Round]:
    sizes = process.record.idx.headers["n"]
    last = int(process.record.steps["step"][-1]) if process.steps else 0
    begin = min(loader.made, last)
    for it in sorted(ends.keys() | blocks.keys())[:MOST_ROUNDS]:
        places = blocks.get(it, np.zeros(0, np.int64))
        written = int(sizes[places].sum(dtype=np.int64))
        event = ends.get(it)
        batches = event.count("batches") if event else None
        told = event.count("drawn") if event else None
        drawn = written if told is None else told
        end = min(event.step, last) if event else last
        batches = len(places) if batches is None else batches
        made = event.count("begin") if event else None
        if made is None:
            made = max(min(begin, end), _back(taken, end, batches))
        yield Round(
            loader=loader,
            it=it,
            begin=min(made, end),
            end=end,
            batches=batches,
            drawn=drawn,
            use=TRAINING,
            passes=(),
            blocks=places,
        )
        begin = end


def _back(taken: Ints, end: int, batches: int) -> int:
    """Return the step after which so many batches had been taken up to `end`, at the latest."""
    end = min(end, len(taken) - 1)
    return max(0, int(np.searchsorted(taken[: end + 1], taken[end] - batches, side="right")) - 1)


def _sorted_out(told: list[tuple[int, int, int]], rounds: list[Round]) -> list[Round]:
    """Give each pass (number, step, batches) the rounds that fed it.

    Training used what is left and saw steps.
    """
    left = [one.batches for one in rounds]
    passes: dict[int, list[int]] = {}
    first = 0
    for number, at, batches in told:
        while first < len(rounds) and (rounds[first].end < at or not left[first]):
            first += 1
        for place in _likely(rounds[first : first + NEAR], at, first):
            taken = min(batches, left[place])
            left[place] -= taken
            batches -= taken
            if taken:
                passes.setdefault(place, []).append(number)
    return [
        _used(one, left[place], tuple(passes.get(place, ()))) for place, one in enumerate(rounds)
    ]


def _likely(rounds: list[Round], at: int, first: int) -> list[int]:
    """Return the rounds that were there at a step, those without a step between first."""
    there = [
        (one.begin < one.end, one.end != at, first + place)
        for place, one in enumerate(rounds)
        if one.begin <= at <= one.end
    ]
    return [place for _, _, place in sorted(there)]


def _used(one: Round, left: int, passes: tuple[int, ...]) -> Round:
    if left <= 0 and passes:
        use = EVALUATION
    elif one.end > one.begin:
        use = TRAINING
    else:
        use = NEITHER
    return Round(
        loader=one.loader, it=one.it, begin=one.begin, end=one.end, batches=one.batches,
        drawn=one.drawn, use=use, passes=passes, blocks=one.blocks,
    )  # fmt: skip
