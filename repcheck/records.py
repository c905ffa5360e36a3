"""Reads what a probe wrote; see `inside/RECORD.md`. Nothing in a record is trusted.

Only regular files that lie in the record folder itself are opened, no link is followed, and every
file counts up to the first byte that makes no sense.
"""

from __future__ import annotations

import heapq
import json
import math
import mmap
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from repcheck import confined

MOST_PROCESSES = 512
MOST_ENTRIES = 20_000
MOST_EVENTS = 200_000
EVENTS_CAP = 64 * 2**20
EVENTS_CAP_OF_ALL = 192 * 2**20
ARRAY_CAP = 2**30
LINE_CAP = 2**20
TEXT_CAP = 300
LARGEST_COUNT = 2**53

STEP = np.dtype(
    [("t", "<f8"), ("lr", "<f8"), ("lr_last", "<f8"), ("wait", "<f4"), ("loss", "<f4")]
    + [(name, "<u4") for name in ("step", "rows", "rows_unsure", "rows_off")]
    + [
        (name, "<u2")
        for name in ("opt", "groups", "fwd", "again", "bwd", "fwd_off", "batches", "flags")
    ]
)
ROWS_HEADER = np.dtype(
    [("layer", "u1"), ("flags", "u1"), ("zero", "<u2")]
    + [(name, "<u4") for name in ("step", "id", "pass", "n")]
)
IDX_HEADER = np.dtype([(name, "<u4") for name in ("id", "pass", "n")])
TRAIN, EVAL, AUX, STORAGE, BATCH, FIT, PREDICT, UNSURE = range(1, 9)
FROM_LOADER = 1

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Table = npt.NDArray[np.void]
_NAME = re.compile(r"(\d{1,10}-[0-9a-f]{8})\.(jsonl|steps|rows|idx)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; its fields may hold anything, so they are asked for by the type wanted."""

    kind: str
    t: float
    step: int
    fields: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a text of at most 300 characters, "" if there is none."""
        found = self.fields.get(name)
        return found[:TEXT_CAP] if isinstance(found, str) else ""

    def count(self, name: str) -> int | None:
        """Return a whole number from 0 to 2**53, or None."""
        return whole(self.fields.get(name))

    def serial(self, name: str) -> int | None:
        """Return a whole number that may be negative, or None."""
        found = self.fields.get(name)
        size = whole(abs(found)) if isinstance(found, int) else None
        return None if size is None else int(self.fields[name])

    def number(self, name: str) -> float | None:
        """Return a finite number, or None."""
        return finite(self.fields.get(name))

    def flag(self, name: str) -> bool | None:
        """Return true or false, or None where it is neither."""
        found = self.fields.get(name)
        return found if isinstance(found, bool) else None

    def texts(self, name: str, most: int = 40) -> tuple[str, ...]:
        """Return the texts of a list, each cut at 300 characters."""
        found = self.fields.get(name)
        items = found[:most] if isinstance(found, list) else []
        return tuple(item[:TEXT_CAP] for item in items if isinstance(item, str))

    def items(self, name: str, most: int = 10_000) -> list[Any]:
        """Return a list as it stands, cut at a length."""
        found = self.fields.get(name)
        return found[:most] if isinstance(found, list) else []

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return a mapping as it stands, {} if there is none."""
        found = self.fields.get(name)
        return found if isinstance(found, dict) else {}

    def counts(self, name: str) -> dict[int, int]:
        """Return a mapping of serials to counts; what is neither is left out."""
        pairs = ((as_serial(key), whole(n)) for key, n in self.mapping(name).items())
        return {key: n for key, n in pairs if key is not None and n is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Blocks of eight-byte numbers behind headers; `at` is where each one's numbers begin."""

    headers: Table
    at: Ints
    buffer: memoryview | bytes

    def __len__(self) -> int:
        return len(self.at)

    def only(self, wanted: npt.NDArray[np.bool_]) -> Blocks:
        """Return the blocks that a mask picks."""
        return Blocks(headers=self.headers[wanted], at=self.at[wanted], buffer=self.buffer)

    @property
    def total(self) -> int:
        """How many numbers the blocks hold together."""
        return int(self.headers["n"].sum(dtype=np.int64))

    def chunks(self, dtype: str, most: int = 2**22) -> Iterator[npt.NDArray[Any]]:
        """Yield the numbers of all blocks in order, in arrays of about `most` numbers."""
        sizes = self.headers["n"].astype(np.int64)
        parts, held = [], 0
        for first, last in _strides(self.at, sizes):
            n, count = int(sizes[first]), last - first
            stride = int(self.at[first + 1] - self.at[first]) if count > 1 else 8 * n
            rows = max(1, most // max(n, 1))
            for begin in range(0, count, rows):
                shape = (min(rows, count - begin), n)
                start = int(self.at[first]) + begin * stride
                part: npt.NDArray[Any] = np.ndarray(
                    shape, dtype, self.buffer, offset=start, strides=(stride, 8)
                )
                parts.append(part.reshape(-1))
                held += parts[-1].size
                if held >= most:
                    yield np.concatenate(parts)
                    parts, held = [], 0
        if parts:
            yield np.concatenate(parts)

    def values(self, dtype: str) -> npt.NDArray[Any]:
        """Return the numbers of all blocks in order."""
        return np.concatenate([np.empty(0, dtype), *self.chunks(dtype)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """What one process left; `kinds` says where the events of each kind stand among all.

    `cut` names files that were too large to be read.
    """

    base: str
    events: tuple[Event, ...] = ()
    kinds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    steps: Table
    rows: Blocks
    idx: Blocks
    cut: tuple[str, ...] = ()

    def of(self, *kinds: str) -> Iterator[Event]:
        """Yield the events of these kinds, in the order they were written."""
        places = [self.kinds.get(kind, ()) for kind in kinds]
        return (self.events[place] for place in heapq.merge(*places))

    def first(self, kind: str) -> Event:
        """Return the first event of a kind, an empty one if there is none."""
        return next(self.of(kind), Event(kind=kind, t=0.0, step=0))

    def last(self, *kinds: str) -> Event | None:
        """Return the last event of these kinds."""
        last = max((self.kinds[kind][-1] for kind in kinds if kind in self.kinds), default=None)
        return None if last is None else self.events[last]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All processes of one run, in the order of their names; `left_out` counts those beyond 512."""

    processes: tuple[ProcessRecord, ...] = ()
    left_out: int = 0


def whole(found: object) -> int | None:
    """Return a whole number from 0 to 2**53, or None."""
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if 0 <= found <= LARGEST_COUNT else None


def finite(found: object) -> float | None:
    """Return a number that is finite as a float, or None."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        value = float(found)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def as_serial(key: object) -> int | None:
    """Return a mapping's key as the serial number it spells, or None."""
    if not isinstance(key, str) or not re.fullmatch(r"-?\d{1,15}", key, re.ASCII):
        return None
    return int(key)


def read(folder: Path) -> Record:
    """Return what the processes of a run wrote into a folder; nothing at all is an empty record."""
    try:
        here = os.open(folder, confined.FOLDER)
    except OSError:
        return Record()
    try:
        found = _bases(here)
        chosen = sorted(found, key=lambda base: (-len(found[base]), base))[:MOST_PROCESSES]
        left, processes = EVENTS_CAP_OF_ALL, []
        for base in sorted(chosen):
            cap = min(EVENTS_CAP, left)
            process, read_bytes = _process(here, base, cap)
            left -= read_bytes
            processes.append(process)
        return Record(processes=tuple(processes), left_out=len(found) - len(chosen))
    finally:
        os.close(here)


def _bases(here: int) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    with os.scandir(here) as entries:
        for number, entry in enumerate(entries):
            if number >= MOST_ENTRIES:
                break
            name = _NAME.fullmatch(entry.name)
            if name and entry.is_file(follow_symlinks=False):
                found.setdefault(name[1], set()).add(name[2])
    return found


def _process(here: int, base: str, events_cap: int) -> tuple[ProcessRecord, int]:
    cut = []
    told, size = _content(here, f"{base}.jsonl", events_cap)
    if size > events_cap:
        cut.append("events")
    arrays = {}
    for name in ("steps", "rows", "idx"):
        arrays[name], size = _content(here, f"{base}.{name}", ARRAY_CAP)
        if size > ARRAY_CAP:
            cut.append(name)
    events = tuple(_events(told))
    kinds: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        kinds.setdefault(event.kind, []).append(place)
    record = ProcessRecord(
        base=base,
        events=events,
        kinds={kind: tuple(places) for kind, places in kinds.items()},
        steps=_steps(arrays["steps"]),
        rows=_blocks(arrays["rows"], ROWS_HEADER),
        idx=_blocks(arrays["idx"], IDX_HEADER),
        cut=tuple(cut),
    )
    return record, len(told)


def _content(here: int, name: str, cap: int) -> tuple[memoryview, int]:
    """Return a file's first bytes, mapped, and its size; empty if it is no regular file."""
    nothing = memoryview(b"")
    try:
        descriptor = os.open(name, confined.FILE, dir_fd=here)
    except OSError:
        return nothing, 0
    try:
        about = os.fstat(descriptor)
        length = min(about.st_size, cap)
        if not stat.S_ISREG(about.st_mode) or length <= 0:
            return nothing, 0
        return memoryview(mmap.mmap(descriptor, length, prot=mmap.PROT_READ)), about.st_size
    except (OSError, ValueError):
        return nothing, 0
    finally:
        os.close(descriptor)


def _events(told: memoryview) -> Iterator[Event]:
    """Yield the events that make sense; a line that does not is passed over."""
    begin = 0
    text = bytes(told)
    for _ in range(MOST_EVENTS):
        end = text.find(b"\n", begin)
        if end < 0:
            return  # a line without its end is torn
        if end - begin <= LINE_CAP and (event := _event(text[begin:end])) is not None:
            yield event
        begin = end + 1


def _event(line: bytes) -> Event | None:
    try:
        found = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("k"), str):
        return None
    t = finite(found.get("t"))
    return Event(
        kind=found["k"], t=max(t or 0.0, 0.0), step=whole(found.get("s")) or 0, fields=found
    )


def _steps(content: memoryview, window: int = 2**18) -> Table:
    records = np.frombuffer(content, STEP, count=len(content) // STEP.itemsize)
    before = 0
    for begin in range(0, len(records), window):
        part = records[begin : begin + window]
        number, t = part["step"].astype(np.int64), part["t"]
        sense = (np.diff(number, prepend=before) > 0) & np.isfinite(t) & (t >= 0)
        if not sense.all():
            return records[: begin + int(np.argmin(sense))]
        before = int(number[-1])
    return records


def _blocks(content: memoryview, header: np.dtype[Any]) -> Blocks:
    """Return where the blocks of a file are, up to the first that makes no sense.

    Blocks of one size after another are found together: a million headers one by one take seconds.
    """
    found: list[tuple[int, int, int]] = []
    at, last, alike, size = 0, -1, 0, len(content)
    while at + header.itemsize <= size:
        n = int.from_bytes(content[at + header.itemsize - 4 : at + header.itemsize], "little")
        stride = header.itemsize + 8 * n
        if at + stride > size:
            break
        alike = alike + 1 if n == last else 0
        last = n
        count = _alike(content, at, header, n) if alike >= 8 else 1
        found.append((at, stride, count))
        at += stride * count
    return _table(content, header, found)


def _alike(content: memoryview, at: int, header: np.dtype[Any], n: int) -> int:
    """Return how many blocks of `n` numbers follow one another from here, at least 1."""
    stride = header.itemsize + 8 * n
    room = (len(content) - at) // stride
    count, window = 1, 64
    while count < room:
        window = min(2 * window, room - count)
        begin = at + count * stride + header.itemsize - 4
        sizes: npt.NDArray[Any] = np.ndarray(
            (window,), "<u4", content, offset=begin, strides=(stride,)
        )
        same = sizes == n
        if not same.all():
            return count + int(np.argmin(same))
        count += window
    return count


def _table(content: memoryview, header: np.dtype[Any], found: list[tuple[int, int, int]]) -> Blocks:
    headers = [np.empty(0, header)]
    starts = [np.empty(0, np.int64)]
    for at, stride, count in found:
        part: Table = np.ndarray((count,), header, content, offset=at, strides=(stride,))
        headers.append(part)
        starts.append(at + header.itemsize + stride * np.arange(count, dtype=np.int64))
    return Blocks(headers=np.concatenate(headers), at=np.concatenate(starts), buffer=content)


def _strides(at: Ints, sizes: Ints) -> Iterator[tuple[int, int]]:
    """Yield ranges of blocks of one size that lie at one distance from each other."""
    total, begin = len(at), 0
    links = np.where(sizes[1:] == sizes[:-1], np.diff(at), -1)
    turns = (np.flatnonzero(np.diff(links)) + 1).tolist()
    stops = [*turns, len(links)] if len(links) else []
    for start, stop in zip([0, *turns], stops, strict=False):
        if links[start] < 0:
            yield from ((place, place + 1) for place in range(begin, stop))
            begin = max(begin, stop)
        elif stop + 1 > begin:
            yield begin, stop + 1
            begin = stop + 1
    yield from ((place, place + 1) for place in range(begin, total))
