"""What was not seen, and why: a gap is never a zero."""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.analysis.processes import Job, Process
from repcheck.observation import Gap
from repcheck.records import Record

UNSEEN_SHARE = 0.25
UNSEEN_SECONDS = 2.0
MOST_GAPS = 50
NOBODY = "no Python process with a probe in it was there, or its record is gone"
_AREAS = {
    "step": ("training",), "optimizer": ("training",),
    "forward": ("samples", "rows"), "backward": ("samples",), "root": ("samples", "rows"),
    "loader": ("samples",), "row": ("rows",), "hash": ("rows",), "storage": ("rows",),
    "weight": ("weights",), "load": ("weights",), "average": ("weights",), "loss": ("loss",),
    "eval": ("rows",), "tamper": ("tampering",),
}  # fmt: skip
_FILES = {"events": "everything", "steps": "training", "rows": "rows", "idx": "samples"}


def gaps_of(
    record: Record, processes: tuple[Process, ...], jobs: tuple[Job, ...], cpu_s: float
) -> tuple[Gap, ...]:
    """Return every gap once, the gravest first."""
    if not any(process.record.events for process in processes):
        return (Gap(what="everything", why=NOBODY),)
    found = [
        *_of_processes(record, processes, jobs),
        *_of_cpu(processes, cpu_s),
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
        if process.steps and process.end is None:
            why = (
                f"process {process.record.base} was ended from outside after"
                f" {process.steps} steps; there may have been more"
            )
            yield Gap(what="process", why=why)
    for job in jobs:
        if len(job.ranks) < job.world:
            why = f"only {len(job.ranks)} of {job.world} ranks left a record"
            yield Gap(what="process", why=why)


def _of_cpu(processes: tuple[Process, ...], cpu_s: float) -> Iterator[Gap]:
    unseen = cpu_s - sum(process.cpu_s for process in processes)
    if unseen > UNSEEN_SECONDS and unseen > UNSEEN_SHARE * cpu_s:
        why = f"{unseen / cpu_s:.0%} of the CPU time was taken where no probe was"
        yield Gap(what="process", why=why)


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
