"""Evaluation passes: what they went through, with which models, and what their rows hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from repcheck.analysis.arrays import different, digest
from repcheck.analysis.loaders import Round
from repcheck.analysis.processes import Job, Process
from repcheck.analysis.roots import Root, evaluations, roots_of
from repcheck.analysis.samples import NO_HASHES, Data
from repcheck.records import BATCH, EVAL, FROM_LOADER, Blocks, Event, Hashes, Ints

MOST_PASSES = 2_000
SAME_ROWS = 0.5
MANY_VIEWS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One evaluation pass of one process or of all ranks together.

    `rows` are those of `process` alone that went into the evaluated model (or the members of an
    ensemble), `all_rows` those of every rank. `indices` are the different examples by base dataset
    (None: unknown), of all ranks; `drawn` those of `process` alone. `content` are the different
    hashes of its rows, `share` is the share of rows that was hashed; `fed` names the rows as the
    members were given them, views and all ("" unless all were hashed).
    """

    process: Process
    event: Event
    number: int
    at: int
    roots: tuple[Root, ...]
    members: tuple[Root, ...]
    rows: int
    all_rows: int
    forwards: int
    indices: Mapping[Data, Ints] | None
    drawn: int | None
    content: Hashes
    share: float
    from_loader: bool
    fed: str = ""

    @property
    def begin(self) -> float:
        """Return when it began, in seconds since its process did; it is told of at its end."""
        return self.event.t - max(0.0, self.event.number("wall") or 0.0)

    @property
    def examples(self) -> int | None:
        """Return how many different examples there were, by index, else by content, else None."""
        if self.indices is not None:
            return sum(len(found) for found in self.indices.values())
        if self.share < 1 or not len(self.content):
            return None
        # Equal rows of small discrete data are examples of their own; views of one are not.
        once = self.all_rows < MANY_VIEWS * len(self.content)
        return self.all_rows if once else len(self.content)

    @property
    def views(self) -> float | None:
        """Return rows over examples, None where no loader told the examples."""
        return self.rows / self.drawn if self.drawn else None

    @property
    def digest(self) -> str:
        """Return a name of the rows by content, "" unless all of them were hashed."""
        return digest(self.content) if self.share >= 1 and len(self.content) else ""


def passes_of(
    process: Process, peers: tuple[Process, ...], rounds: Mapping[int, tuple[Round, ...]]
) -> Iterator[Pass]:
    """Yield the passes of a process in order; its peers' passes of the same number are joined.

    Of more than 2,000 the first and the last thousand are taken.
    """
    roots = roots_of(process)
    events = list(evaluations(process))
    if len(events) > MOST_PASSES:
        events = events[: MOST_PASSES // 2] + events[-MOST_PASSES // 2 :]
    sources = [_Source(one, rounds[one.number]) for one in (process, *peers)]
    for event in events:
        yield _pass(event, roots, sources)


class _Source:
    """Where one process keeps what its passes went through."""

    def __init__(self, process: Process, rounds: tuple[Round, ...]) -> None:
        self.process = process
        self.events = {event.count("n"): event for event in evaluations(process)}
        headers = process.record.rows.headers
        places = np.flatnonzero((headers["layer"] == EVAL) | (headers["layer"] == BATCH))
        keys = headers["pass"][places]
        order = np.argsort(keys, kind="stable")
        used, begins = np.unique(keys[order], return_index=True)
        split = np.split(places[order], begins[1:]) if len(used) else []
        self.places = dict(zip(used.tolist(), split, strict=True))
        self.rounds: dict[int, list[Round]] = {}
        for one in rounds:
            for number in one.passes:
                self.rounds.setdefault(number, []).append(one)

    def blocks(self, number: int) -> Blocks:
        rows = self.process.record.rows
        at = self.places.get(number, np.zeros(0, np.int64))
        return Blocks(headers=rows.headers[at], at=rows.at[at], buffer=rows.buffer)

    def indices(self, number: int) -> list[tuple[Data, Ints]] | None:
        """Return what was drawn for a pass by base dataset; None unless all of it is known."""
        event = self.events.get(number)
        used = self.rounds.get(number, [])
        drawn = event.count("drawn") if event else None
        if not used or not drawn or any(len(one.passes) > 1 for one in used):
            return None
        found = [(one.loader.data, one.indices(self.process)) for one in used]
        return found if sum(len(values) for _, values in found) == drawn else None


def _pass(event: Event, roots: Mapping[int, Root], sources: list[_Source]) -> Pass:
    number = event.count("n") or 0
    forwards = event.counts("roots")
    evaluated = tuple(roots[one] for one in forwards if one in roots and roots[one].params)
    blocks = sources[0].blocks(number)
    members = _members(evaluated, blocks)
    rows = _rows(event, forwards, members, blocks)
    everyone = event.count("rows") or 0
    scale = rows / everyone if everyone else 1.0
    told = [source.events[number] for source in sources if number in source.events]
    together = sum(one.count("rows") or 0 for one in told)
    joined = [source.blocks(number) for source in sources]
    content, share, from_loader = _content(
        joined, {one.id for one in members}, told, together * scale
    )
    return Pass(
        process=sources[0].process,
        event=event,
        number=number,
        at=event.count("at") or 0,
        roots=evaluated,
        members=members,
        rows=rows,
        all_rows=round(together * scale),
        forwards=event.count("fwd") or 0,
        indices=_joined([source.indices(number) for source in sources if number in source.events]),
        drawn=_different(sources[0].indices(number)),
        content=content,
        share=share,
        from_loader=from_loader,
        fed=_as_fed(joined, {one.id for one in members}, together * scale),
    )


def _as_fed(joined: list[Blocks], members: set[int], rows: float) -> str:
    fed = [blocks.only(_fed(blocks, members)) for blocks in joined]
    if not rows or sum(blocks.total for blocks in fed) < rows:
        return ""
    return digest(different(np.concatenate([blocks.values("<u8") for blocks in fed])))


def _different(found: list[tuple[Data, Ints]] | None) -> int | None:
    joined = _joined([found])
    return None if joined is None else sum(len(values) for values in joined.values())


def _joined(found: list[list[tuple[Data, Ints]] | None]) -> dict[Data, Ints] | None:
    parts: dict[Data, list[Ints]] = {}
    for drawn in found:
        if drawn is None:
            return None
        for data, values in drawn:
            parts.setdefault(data, []).append(values)
    return {data: different(np.concatenate(parts[data])) for data in sorted(parts)} or None


def _members(evaluated: tuple[Root, ...], blocks: Blocks) -> tuple[Root, ...]:
    """Return the largest evaluated module and those that are evaluated beside it.

    A head that is fed what the largest one made of the rows is a part of the model, not another.
    """
    if not evaluated:
        return ()
    main = max(evaluated, key=lambda root: (root.params, -root.id))
    mine = _of_root(blocks, main.id)
    found = [main]
    for root in evaluated:
        if root is main:
            continue
        theirs = _of_root(blocks, root.id)
        known = len(mine) and len(theirs)
        shared = np.isin(theirs, mine).mean() if known else 0.0
        if shared >= SAME_ROWS or (not known and root.cls == main.cls):
            found.append(root)
    return tuple(found)


def _of_root(blocks: Blocks, root: int) -> Hashes:
    headers = blocks.headers
    found = blocks.only((headers["layer"] == EVAL) & (headers["id"] == root))
    hashes = different(found.values("<u8"))
    return np.asarray(hashes[hashes != 0], "<u8")


def _rows(
    event: Event, forwards: Mapping[int, int], members: tuple[Root, ...], blocks: Blocks
) -> int:
    """Return the rows that went into the members: counted where all were hashed, else by share."""
    rows = event.count("rows") or 0
    every = sum(forwards.values())
    wanted = {root.id for root in members}
    mine = sum(times for root, times in forwards.items() if root in wanted)
    if not every or mine == every or not members:
        return rows
    headers = blocks.headers
    evaluated = headers["layer"] == EVAL
    if int(headers["n"][evaluated].sum(dtype=np.int64)) == rows:
        picked = evaluated & np.isin(headers["id"], list(wanted))
        return int(headers["n"][picked].sum(dtype=np.int64))
    return round(rows * mine / every)


def _content(
    joined: list[Blocks], members: set[int], told: list[Event], rows: float
) -> tuple[Hashes, float, bool]:
    """Return the different hashes of what was evaluated, the share hashed, and if from a loader.

    What loaders gave out names the examples better than the views a model was fed.
    """
    given = [blocks.only(_given(blocks)) for blocks in joined]
    drawn = sum(event.count("drawn") or 0 for event in told)
    if drawn and any(blocks.total for blocks in given):
        content = different(np.concatenate([blocks.values("<u8") for blocks in given]))
        hashed = sum(blocks.total for blocks in given)
        return content, min(1.0, hashed / drawn), True
    fed = [blocks.only(_fed(blocks, members)) for blocks in joined]
    hashed = sum(blocks.total for blocks in fed)
    if not hashed:
        return NO_HASHES, 0.0, False
    content = different(np.concatenate([blocks.values("<u8") for blocks in fed]))
    return content, min(1.0, hashed / rows) if rows else 0.0, False


def _given(blocks: Blocks) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    headers = blocks.headers
    as_it_is = (headers["layer"] == EVAL) & (headers["flags"] & FROM_LOADER > 0)
    return np.asarray(as_it_is | (headers["layer"] == BATCH))


def _fed(blocks: Blocks, members: set[int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    headers = blocks.headers
    mine = np.isin(headers["id"], list(members)) if members else np.ones(len(blocks), bool)
    return np.asarray((headers["layer"] == EVAL) & mine)


def joined_ranks(process: Process, jobs: tuple[Job, ...]) -> tuple[Process, ...] | None:
    """Return the other ranks whose passes belong to a process's; None if it is such a rank."""
    for job in jobs:
        if process in job.ranks:
            return job.ranks[1:] if process is job.chief else None
    return ()
