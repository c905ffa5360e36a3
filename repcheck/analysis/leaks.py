"""Which evaluated examples the evaluated model had been trained on, by index and by content.

Only what trained this very model counts, after its values were last put back and before the pass:
the folds of a cross-validation may well train on each other's examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from repcheck.analysis.arrays import Sieve, among, different, different_of, twins
from repcheck.analysis.lineage import Lineage, Past
from repcheck.analysis.loaders import TRAINING, Round
from repcheck.analysis.passes import Pass
from repcheck.analysis.processes import Job, Process
from repcheck.analysis.samples import NO_HASHES, ONE_EPOCH, Data, step_offset
from repcheck.records import BATCH, STORAGE, TRAIN, Blocks, Hashes, Ints, ProcessRecord

NO_ROOT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Training rows that were evaluated too: their hash, step and root (-1: from a loader)."""

    process: int
    hashes: Hashes
    step: Ints
    root: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How many examples of a set were trained on, by each layer; None: not known."""

    index: int | None = None
    storage: int | None = None
    input: int | None = None
    duplicates: int = 0
    share: float = 1.0


class Leaks:
    """Looks up evaluated examples among those that were trained on."""

    def __init__(
        self,
        lineage: Lineage,
        rounds: Mapping[int, tuple[Round, ...]],
        passes: list[Pass],
    ) -> None:
        self.lineage = lineage
        self.rounds = rounds
        self._stored: dict[tuple[int, int], Hashes] = {}
        self._stable: dict[int, bool] = {}
        wanted = different_of((one.content for one in passes), NO_HASHES)
        sieve = Sieve(wanted[wanted != 0])
        processes = {rank.number: rank for job in lineage.jobs for rank in job.ranks}
        self._hits = {number: _hits(process, sieve) for number, process in processes.items()}

    def of(self, passes: list[Pass]) -> Overlap:
        """Return the overlap of one set, as its last pass with a known past met it."""
        for one in reversed(passes):
            past = self.lineage.past(one)
            if past is not None:
                return self._overlap(one, past)
        return Overlap()

    def _overlap(self, one: Pass, past: Past) -> Overlap:
        drawn = self._drawn(past)
        stored, duplicates = self._by_storage(one, past, drawn)
        by_input, share = self._by_input(one, past)
        examples = one.examples
        if by_input is not None and examples is not None:
            by_input = min(by_input, examples)
        return Overlap(
            index=_by_index(one, past, drawn),
            storage=stored,
            input=by_input,
            duplicates=duplicates,
            share=share if stored is None else 1.0,
        )

    def _drawn(self, past: Past) -> dict[Data, Ints]:
        """Return the different indices that were drawn for a past, by base dataset."""
        found: dict[Data, list[Ints]] = {}
        for rank in past.job.ranks:
            for one in self.rounds[rank.number]:
                if one.use == TRAINING and one.end > past.after and one.begin < past.until:
                    found.setdefault(one.loader.data, []).append(one.indices(rank))
        return {data: different_of(chunks, np.empty(0, "<i8")) for data, chunks in found.items()}

    def _by_storage(
        self, one: Pass, past: Past, drawn: Mapping[Data, Ints]
    ) -> tuple[int | None, int]:
        trained, whole = [], bool(drawn)
        duplicates = 0
        for data, indices in drawn.items():
            rows = self._stored_rows(past.job.chief, data)
            whole &= bool(len(rows)) and bool(len(indices)) and int(indices[-1]) < len(rows)
            mine = _at(rows, indices)
            duplicates += twins(mine)
            trained.append(mine)
        if not whole or one.indices is None:
            return None, duplicates
        evaluated = []
        for data, indices in one.indices.items():
            rows = self._stored_rows(one.process, data)
            if not len(indices) or int(indices[-1]) >= len(rows):
                return None, duplicates
            evaluated.append(_at(rows, indices))
        seen = different(np.concatenate(trained))
        return int(among(np.concatenate(evaluated), seen).sum()), duplicates

    def _stored_rows(self, process: Process, data: Data) -> Hashes:
        key = process.number, data[1]
        if key not in self._stored:
            self._stored[key] = _stored(process.record, data[1])
        return self._stored[key]

    def _by_input(self, one: Pass, past: Past) -> tuple[int | None, float]:
        evaluated = one.content[one.content != 0]
        found, hashed, rows = [], 0, 0
        for rank in past.job.ranks:
            hits = self._hits[rank.number]
            mine = (hits.step > past.after) & (hits.step <= past.until)
            if past.roots is not None:
                mine &= np.isin(hits.root, [*past.roots, NO_ROOT])
            found.append(hits.hashes[mine])
            hashed += _hashed(rank.record, TRAIN)
            rows += int(rank.record.steps["rows"].sum(dtype=np.int64))
        if not hashed or not len(evaluated):
            return None, 1.0
        seen = different(np.concatenate(found))
        count = int(among(evaluated, seen).sum())
        share = min(one.share, hashed / rows if rows else 0.0, 1.0)
        # Rows that never come again are augmented: that none of them is evaluated says nothing.
        if not count and not self._returns(past.job):
            return None, share
        return count, share

    def _returns(self, job: Job) -> bool:
        """Tell whether training rows come again as they were, so that content can be compared."""
        key = job.chief.number
        if key not in self._stable:
            record = job.chief.record
            blocks = _given(record)
            unique = different_of(blocks.chunks("<u8"), NO_HASHES)
            stored = record.rows.only(record.rows.headers["layer"] == STORAGE)
            again = blocks.total > ONE_EPOCH * len(unique)
            if again:
                half = blocks.only(np.arange(len(blocks)) < len(blocks) // 2)
                early = different_of(half.chunks("<u8"), NO_HASHES)
                late = blocks.total - half.total
                new = len(unique) - len(early)
                again = new < 0.5 * late or len(early) >= 0.9 * len(unique)
            elif len(unique) and stored.total:
                known = different(stored.values("<u8"))
                again = bool(among(unique, known).mean() > 0.5)
            self._stable[key] = again
        return self._stable[key]


def _given(record: ProcessRecord) -> Blocks:
    """Return what loaders gave out for training, or else what the model was fed."""
    headers = record.rows.headers
    batch = record.rows.only((headers["layer"] == BATCH) & (headers["pass"] == 0))
    return batch if batch.total else record.rows.only(headers["layer"] == TRAIN)


def _by_index(one: Pass, past: Past, drawn: Mapping[Data, Ints]) -> int | None:
    if one.indices is None or one.process not in past.job.ranks:
        return None
    if not any(data in drawn for data in one.indices):
        return None
    return sum(
        int(among(indices, drawn[data]).sum())
        for data, indices in one.indices.items()
        if data in drawn
    )


def _at(rows: Hashes, indices: Ints) -> Hashes:
    inside = indices[(indices >= 0) & (indices < len(rows))]
    found = rows[inside]
    return np.asarray(found[found != 0], "<u8")


def _stored(record: ProcessRecord, data: int) -> Hashes:
    """Return the hashes of a dataset's rows by index, as far as they were hashed in order."""
    headers = record.rows.headers
    mine = record.rows.only((headers["layer"] == STORAGE) & (headers["id"] == data))
    return mine.values("<u8")


def _hashed(record: ProcessRecord, layer: int) -> int:
    headers = record.rows.headers
    return int(headers["n"][headers["layer"] == layer].sum(dtype=np.int64))


def _hits(process: Process, sieve: Sieve) -> Hits:
    """Return the training rows of a process whose content is wanted."""
    rows = process.record.rows
    headers = rows.headers
    trained = headers["layer"] == TRAIN
    blocks = rows.only(trained | ((headers["layer"] == BATCH) & (headers["pass"] == 0)))
    hashes, places = [NO_HASHES], [np.zeros(0, np.int64)]
    for begin, chunk in _placed(blocks):
        at = sieve.places(chunk)
        hashes.append(chunk[at])
        places.append(at + begin)
    ends = np.cumsum(blocks.headers["n"], dtype=np.int64)
    block = np.searchsorted(ends, np.concatenate(places), side="right")
    picked = blocks.headers[block]
    return Hits(
        process=process.number,
        hashes=np.concatenate(hashes),
        step=picked["step"].astype(np.int64) + step_offset(process),
        root=np.where(picked["layer"] == TRAIN, picked["id"].astype(np.int64), NO_ROOT),
    )


def _placed(blocks: Blocks) -> Iterator[tuple[int, Hashes]]:
    begin = 0
    for chunk in blocks.chunks("<u8"):
        yield begin, chunk
        begin += len(chunk)
