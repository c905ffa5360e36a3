"""What was not seen, and why: a gap is never a zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from repcheck.analysis.processes import Job, Process
from repcheck.observation import Gap, Observation
from repcheck.records import TRAIN, Record, Table

UNSEEN_SHARE = 0.1
UNSEEN_SECONDS = 1.0
ENDING_SECONDS = 1.5
"""What a Python with torch may take to end after its last words; 0.6 to 1.0 s were measured."""
TOO_MUCH_SHARE = 0.1
TOO_MUCH_SECONDS = 2.0
SLOW_CLOCK_S = 2.0
MOST_GAPS = 50
USUAL = 4.0
"""So many times the usual backward passes are more than an accumulation that varies."""
FEW_PASSES = 8
FEW_ROWS = 0.02
UNSTEPPED = "there were backward passes, and no optimizer step that could be seen"
NOBODY = "no Python process with a probe in it was there, or its record is gone"
_ALL = ("training", "samples", "rows", "weights", "loss")
_AREAS = {
    "step": ("training",), "optimizer": ("training",),
    "forward": ("samples", "rows"), "backward": ("samples",), "root": ("samples", "rows"),
    "loader": ("samples",), "indices": ("samples",), "idx": ("samples",),
    "row": ("rows",), "hash": ("rows",), "storage": ("rows",), "block": ("rows",),
    "weight": ("weights",), "load": ("weights",), "average": ("weights",), "loss": ("loss",),
    "eval": ("rows",), "tamper": ("tampering",),
    "torch": _ALL, "jsonl": ("process",), "recording stopped": ("process",),
}  # fmt: skip
_FILES = {"events": "everything", "steps": "training", "rows": "rows", "idx": "samples"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is known of a run without its record: CPU seconds, and its begin in unix seconds.

    Zero stands for unknown.
    """

    cpu_s: float = 0.0
    since: float = 0.0


def gaps_of(
    record: Record, processes: tuple[Process, ...], jobs: tuple[Job, ...], outside: Outside
) -> tuple[Gap, ...]:
    """Return every gap once, the gravest first."""
    if not any(process.record.events for process in processes):
        return (Gap(what="everything", why=NOBODY),)
    pids = {pid for process in processes if (pid := _pid(process)) is not None}
    found = [
        *_of_processes(record, processes, jobs),
        *(gap for process in processes for gap in _of_ends(process, pids)),
        *_of_cpu(processes, outside.cpu_s),
        *(gap for process in processes for gap in _of_holes(process)),
        *(gap for process in processes for gap in _of_begin(process, outside.since)),
        *(gap for process in processes for gap in _of_backwards(process)),
        *(gap for process in processes for gap in _of_events(process)),
    ]
    return tuple(dict.fromkeys(found))[:MOST_GAPS]


def _of_processes(
    record: Record, processes: tuple[Process, ...], jobs: tuple[Job, ...]
) -> Iterator[Gap]:
    if record.left_out:
        why = f"the records of {record.left_out} more processes were not read"
        yield Gap(what="process", why=why)
    for process in processes:
        for part in process.record.cut:
            why = f"the {part} of process {process.record.base} are too many to be read"
            yield Gap(what=_FILES[part], why=why)
    for job in jobs:
        if len(job.ranks) < job.world:
            why = f"only {len(job.ranks)} of {job.world} ranks left a record"
            yield Gap(what="process", why=why)


def _pid(process: Process) -> int | None:
    return process.record.first("start").count("pid")


def _of_ends(process: Process, pids: set[int]) -> Iterator[Gap]:
    """Tell of a process that was ended from outside, or of whose record an end is missing.

    A helper that never trained, such as a loader's worker, may be killed by the one it serves.
    """
    record, start = process.record, process.record.first("start")
    if start.count("pid") is None:
        yield Gap(what="tampering", why=f"the record of process {record.base} has no beginning")
    if process.end is not None:
        return
    if process.steps:
        why = (
            f"process {record.base} was ended from outside after"
            f" {process.steps} steps; there may have been more"
        )
        yield Gap(what="process", why=why)
    elif not start.text("parent") and start.count("ppid") not in pids:
        yield Gap(what="process", why=f"the record of process {record.base} stops before its end")


def _of_begin(process: Process, since: float) -> Iterator[Gap]:
    if since and process.began and process.began < since - SLOW_CLOCK_S:
        base = process.record.base
        why = f"the record of process {base} began {since - process.began:.0f} s before the run"
        yield Gap(what="tampering", why=why)


def _of_cpu(processes: tuple[Process, ...], cpu_s: float) -> Iterator[Gap]:
    told = sum(process.cpu_s for process in processes)
    unseen = cpu_s - told
    endings = ENDING_SECONDS * sum(map(_ended_with_torch, processes))
    if unseen > UNSEEN_SECONDS + endings and unseen > UNSEEN_SHARE * cpu_s:
        why = f"{unseen / cpu_s:.0%} of the CPU time was taken where no probe was"
        yield Gap(what="process", why=why)
    if cpu_s > 0 and -unseen > TOO_MUCH_SECONDS and -unseen > TOO_MUCH_SHARE * cpu_s:
        why = f"the records tell of {told:.1f} s of CPU time, and the run took {cpu_s:.1f} s"
        yield Gap(what="tampering", why=why)


def _ended_with_torch(process: Process) -> bool:
    # A fork leaves by os._exit, and takes nothing down.
    end = process.end
    return (
        end is not None
        and end.text("reason") == "exit"
        and process.record.last("torch") is not None
    )


def _of_holes(process: Process) -> Iterator[Gap]:
    """Tell of what a process says that it wrote down, and which is not there."""
    record = process.record
    steps = record.steps["step"].astype(np.int64)
    if len(steps) and bool((np.diff(steps, prepend=0) != 1).any()):
        why = f"the steps of process {record.base} are not numbered one by one"
        yield from _torn(why, "training")
    told = max((event.step for event in record.events), default=0)
    last = int(steps[-1]) if len(steps) else 0
    # What was held back when a process was killed has no event behind it.
    if told > last:
        why = f"process {record.base} speaks of {told} steps, and {last} are in its record"
        yield from _torn(why, "training")
    if process.end is None:
        return
    hashed = process.end.count("hashed") or 0
    if hashed > record.rows.total and "rows" not in record.cut:
        there = f"{record.rows.total} are in its record"
        why = f"process {record.base} speaks of {hashed} rows compared, and {there}"
        yield from _torn(why, "rows")


def _torn(why: str, what: str) -> Iterator[Gap]:
    yield Gap(what=what, why=why)
    yield Gap(what="tampering", why=why)


def _of_backwards(process: Process) -> Iterator[Gap]:
    """Tell of backward passes that no optimizer's step followed in sight."""
    record, steps = process.record, process.record.steps
    if not len(steps):
        if record.last("first") is not None or _rows_after(record.rows.headers, 0):
            yield Gap(what="training", why=UNSTEPPED)
        return
    passes = steps["bwd"].astype(np.int64)
    rows = steps["rows"].astype(np.int64) + steps["rows_unsure"]
    forwards = int(steps["fwd"].sum(dtype=np.int64))
    if forwards and passes.sum() > (1 + FEW_ROWS) * forwards:
        why = f"{passes.sum()} backward passes, and {forwards} forward passes that could be seen"
        yield Gap(what="rows", why=why)
    usual = float(np.median(passes))
    many = (passes > USUAL * usual) & (passes > usual + FEW_PASSES)
    if usual and rows[many].sum() > FEW_ROWS * rows.sum():
        count = int((passes[many] - usual).sum())
        why = f"{count} backward passes belong to no optimizer step that could be seen"
        yield Gap(what="samples", why=why)


def _rows_after(headers: Table, step: int) -> int:
    late = (headers["layer"] == TRAIN) & (headers["step"].astype(np.int64) > step)
    return int(headers["n"][late].sum(dtype=np.int64))


def gaps_of_values(found: Observation, job: Job | None, own: frozenset[int]) -> tuple[Gap, ...]:
    """Return what shows that more than the optimizers' steps made the values that were evaluated.

    Values of a trained module that no optimizer was seen to hold, and no average of them, came
    from elsewhere; `own` are the evaluations, by `n`, of the very module that was trained.
    """
    if job is None or any(one.evaluated for one in found.averages):
        return ()
    sizes = {model.params for model in found.models if model.trained}
    real = [one for one in found.evaluations if not one.sanity and one.params in sizes]
    last = [one for one in real if one.final]
    late = sum(_trained_after(rank) for rank in job.ranks)
    gaps = []
    if late and not (last and all(one.known for one in last)):
        why = f"{late} rows were trained through after the last optimizer step that could be seen"
        gaps.append(Gap(what="training", why=why))
    odd = [one for one in real if one.known is False]
    if odd:
        why = "values were evaluated that no optimizer was seen to hold, and no known average of it"
        gaps.append(Gap(what="weights", why=why))
    if any(one.n in own for one in odd):
        why = "the trained weights were changed by something else than the optimizer's steps"
        gaps.append(Gap(what="training", why=why))
    return tuple(gaps)


def _trained_after(process: Process) -> int:
    """Return how many rows were trained through after a process's last step.

    What is less than a step takes is left over from an accumulation, and counts as none.
    """
    steps = process.record.steps
    late = _rows_after(process.record.rows.headers, int(steps["step"][-1]))
    return late if late > int(steps["rows"].max()) else 0


def _of_events(process: Process) -> Iterator[Gap]:
    for event in process.record.of("proc"):
        if why := event.text("unseen"):
            command = " ".join(event.texts("argv", 6)) or event.text("op")
            yield Gap(what="process", why=f"`{command[:200]}` ran without the probe: {why}")
    for event in process.record.of("tamper"):
        names = ", ".join(event.texts("what", 10)) or event.text("what") or "patches"
        yield Gap(what="tampering", why=f"no longer in place in the artifact's Python: {names}")
    for event in process.record.of("error"):
        where = event.text("where").lower()
        for area, kinds in _AREAS.items():
            if area in where:
                said = f"the probe failed there ({where}: {event.text('err')[:120]})"
                yield from (Gap(what=kind, why=said) for kind in kinds)
