"""The processes of a run, who was whose child, and which of them trained together."""

from __future__ import annotations

from dataclasses import dataclass

from repcheck.observation import ProcessSeen
from repcheck.records import Event, ProcessRecord, Record

WORDS_IN_A_COMMAND = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process with what its start and end say; `began` in unix seconds, 0 if unknown."""

    record: ProcessRecord
    number: int
    began: float
    rank: int | None
    world: int | None
    cwd: str
    end: Event | None

    @property
    def steps(self) -> int:
        """Return the optimizer steps seen, of all optimizers."""
        return len(self.record.steps)

    @property
    def cpu_s(self) -> float:
        """Return the CPU seconds it took, as last said by itself."""
        last = self.record.last("end", "beat")
        return max(0.0, (last.number("cpu") if last else None) or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Processes that train one model together, in the order of their ranks."""

    ranks: tuple[Process, ...]

    @property
    def chief(self) -> Process:
        """Return rank 0, or the lowest that was seen."""
        return self.ranks[0]

    @property
    def world(self) -> int:
        """Return how many ranks there are, seen or not."""
        return max(len(self.ranks), *(process.world or 1 for process in self.ranks))


def processes_of(record: Record) -> tuple[Process, ...]:
    """Return the processes in the order in which they began."""
    found = [_process(one, 0) for one in record.processes]
    found.sort(key=lambda process: (process.began, process.record.base))
    return tuple(_process(process.record, number) for number, process in enumerate(found))


def _process(record: ProcessRecord, number: int) -> Process:
    start, dist = record.first("start"), record.last("dist")
    env = start.mapping("env")
    rank = dist.count("rank") if dist else _small(env.get("RANK"))
    world = dist.count("world") if dist else _small(env.get("WORLD_SIZE"))
    return Process(
        record=record,
        number=number,
        began=max(0.0, start.number("time") or 0.0),
        rank=rank if rank is not None and rank < 2**20 else None,
        world=world if world and world < 2**20 else None,
        cwd=start.text("cwd"),
        end=record.last("end"),
    )


def _small(text: object) -> int | None:
    plain = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 7
    return int(str(text)) if plain else None


def jobs_of(processes: tuple[Process, ...]) -> tuple[Job, ...]:
    """Return the processes that stepped an optimizer, those of one distributed training together.

    A rank that comes a second time begins the next training.
    """
    jobs: list[dict[int, Process]] = []
    for process in processes:
        if not process.steps:
            continue
        rank = process.rank or 0
        together = (process.world or 1) > 1
        fit = next(
            (job for job in jobs if together and rank not in job and _same(job, process)), None
        )
        if fit is None:
            jobs.append({rank: process})
        else:
            fit[rank] = process
    return tuple(Job(ranks=tuple(job[rank] for rank in sorted(job))) for job in jobs)


def _same(job: dict[int, Process], process: Process) -> bool:
    return next(iter(job.values())).world == process.world


def seen(process: Process) -> ProcessSeen:
    """Return what is told of a process."""
    record, end = process.record, process.end
    start, torch = record.first("start"), record.last("torch")
    last = record.last("end", "beat")
    exception = record.last("exception")
    said = f"{exception.text('type')}: {exception.text('msg')}"[:300] if exception else ""
    return ProcessSeen(
        base=record.base,
        argv=start.texts("argv", WORDS_IN_A_COMMAND),
        python=start.text("py"),
        torch=torch.text("version") if torch else "",
        rank=process.rank,
        world=process.world,
        steps=process.steps,
        cpu_s=process.cpu_s,
        wall_s=max(0.0, (end.number("wall") if end else None) or (last.t if last else 0.0)),
        peak_rss_mb=max(0.0, (last.number("rss_kb") if last else None) or 0.0) / 1024,
        ended=end is not None,
        exception=said,
    )
