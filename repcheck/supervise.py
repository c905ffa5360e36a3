"""The supervisor of one run: a copy of the artifact, its commands, its metrics, its record."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from repcheck import discover, edits, launch
from repcheck import readers as reader_folder
from repcheck.errors import RepcheckError
from repcheck.machine import lock, processes
from repcheck.machine.artifact import Tree, copy
from repcheck.machine.child import Command, Ended, Limits, free_mb, run, signal_name
from repcheck.machine.environment import environment, program, short
from repcheck.reader import OUT, Left, NoMetric, others, read
from repcheck.record import Record, Step
from repcheck.runs import RunSpec, Status
from repcheck.store import COPY, PROBE, Attempt, clear, mended

ISOLATION = "limits"
_TAIL = 16_384
_NOT_FOUND = (126, 127)  # what sh ends with when it cannot start a command
_SAID_CAP = 500
_REPLACED = "the run replaced or removed its own folder in the store; nothing it left is read"
_MEMORY = ("MemoryError", "OutOfMemoryError", "CUDA out of memory", "Cannot allocate memory")
_DISK = ("No space left on device", "Disk quota exceeded")
_WORDS = {
    "time": (Status.TIMEOUT, "ran longer than the time limit of {limits.time_s:g} s"),
    "flood": (Status.NONZERO, "printed more than {limits.log_mb:g} MiB and was stopped"),
    "disk": (Status.DISK, "it left less than {limits.disk_floor_mb:g} MiB free on the disk"),
    "interrupt": (Status.INTERRUPTED, "repcheck was interrupted"),
}

discover.modules(reader_folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all runs of one execution share."""

    tree: Tree
    python: Path
    limits: Limits = field(default_factory=Limits)
    stop: threading.Event = field(default_factory=threading.Event)
    probe: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    status: Status
    reason: str = ""
    exit_code: int | None = None
    steps: tuple[Step, ...] = ()
    cpu_s: float = 0.0
    peak_rss_mb: float = 0.0

    @property
    def wall_s(self) -> float:
        return sum(step.wall_s for step in self.steps)


def supervise(spec: RunSpec, attempt: Attempt, around: Surroundings) -> Record:
    """Make one attempt at a run and return its record; the caller publishes it and clears up.

    Raises:
        RepcheckError: if the disk does not take even the attempt's own files.
    """
    folder = attempt.folder
    limits = replace(around.limits, time_s=spec.time_limit_s)
    started = _now()
    home = folder / "home"
    with mended(folder), short(home) as scratch:
        (folder / "out").mkdir()
        home.mkdir()
        copy(around.tree, home / COPY)
        visible = environment(home, around.python, spec.env, attempt.marker, scratch)
        put = 0
        if around.probe:
            (folder / PROBE).mkdir()
            put = (folder / PROBE).stat().st_ino
            visible |= launch.variables(folder / PROBE, spec.env, spec.surgery, spec.prompt_call)
        made = folder.stat().st_ino
        # The logs stay open to the end: what a run puts in their place is never followed.
        with (folder / "stdout.log").open("w+b") as out, (folder / "stderr.log").open("w+b") as err:
            outcome = _commands(spec, folder, visible, (out, err), limits, around.stop)
            hashes = [_capped(log, limits) for log in (out, err)]
        if not _still_there(folder, made):
            outcome = replace(outcome, status=Status.NO_METRIC, reason=_REPLACED)
        lost = launch.settle(folder, put, limits.record_mb) if around.probe else {}
        left = Left(out=folder / "out", stdout=folder / "stdout.log", copy=home / COPY)
        metrics: dict[str, float] = {}
        notes: tuple[str, ...] = ()
        if outcome.status is Status.OK:
            outcome, metrics, notes = _read_metrics(spec, left, outcome)
        beside = others(left, spec.readers.values()) if outcome.status is Status.OK else None
        if outcome.status is Status.DISK:
            clear(folder, out=True)
    return Record(
        key=spec.key,
        attempt=attempt.number,
        status=outcome.status,
        reason=outcome.reason,
        exit_code=outcome.exit_code,
        wall_s=round(outcome.wall_s, 6),
        cpu_s=round(outcome.cpu_s, 6),
        peak_rss_mb=round(outcome.peak_rss_mb, 3),
        started=started,
        finished=_now(),
        machine=lock.machine(),
        isolation=ISOLATION,
        python=str(around.python),
        environment=visible,
        readers=_how(spec),
        metrics=metrics,
        others=beside,
        notes=notes,
        stdout_sha256=hashes[0],
        stderr_sha256=hashes[1],
        steps=outcome.steps,
        probe=around.probe,
        lost=lost,
    )


def _prepared(spec: RunSpec, copy: Path, *, probe: bool) -> _Outcome:
    """Change a run's copy of the artifact as its arm asks; an arm not as asked never starts."""
    if spec.surgery and not probe:
        why = "the arm changes the running process, which needs the probe: leave out --no-probe"
        return _Outcome(status=Status.NOT_STARTED, reason=why)
    try:
        edits.apply(spec.edits, copy)
    except RepcheckError as error:
        return _Outcome(status=Status.NOT_STARTED, reason=str(error)[:_SAID_CAP])
    return _Outcome(status=Status.OK, exit_code=0)


def _still_there(folder: Path, made: int) -> bool:
    """Return whether a run left its attempt's folder in place; if not, an empty one is made."""
    with suppress(OSError):
        if folder.lstat().st_ino == made:
            return True
        folder.rename(folder.with_name(f"{folder.name}.replaced-{made}"))
    folder.mkdir(parents=True, exist_ok=True)
    return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def need_room(folder: Path, limits: Limits) -> None:
    """Refuse to begin a run on a disk that is all but full.

    Raises:
        RepcheckError: if less is free than has to stay free.
    """
    free = free_mb(folder)
    if free < limits.disk_floor_mb:
        raise RepcheckError(
            f"{folder}: only {free:.0f} MiB are free and {limits.disk_floor_mb:g} are kept free;"
            " finished runs are kept: make room and run the same command again to go on"
        )


def _commands(
    spec: RunSpec,
    folder: Path,
    visible: Mapping[str, str],
    logs: tuple[IO[bytes], IO[bytes]],
    limits: Limits,
    stop: threading.Event,
) -> _Outcome:
    """Run the commands one after the other; the time limit is that of all together."""
    outcome = _prepared(spec, folder / "home" / COPY, probe=launch.VARIABLE in visible)
    for argv, cwd in zip(spec.commands, spec.cwds, strict=True):
        if outcome.status is not Status.OK:
            break
        real = tuple(word.replace(OUT, str(folder / "out")) for word in argv)
        where = folder / "home" / COPY / cwd
        if why := _not_startable(real, where, cwd):
            return replace(outcome, status=Status.NOT_STARTED, reason=why, exit_code=None)
        left = replace(limits, time_s=max(0.0, limits.time_s - outcome.wall_s))
        command = Command(
            argv=real, cwd=where, environment=visible, marker=visible[processes.MARKER]
        )
        try:
            ended = run(command, logs, left, stop)
        except (OSError, ValueError) as error:  # ValueError: a variable named `A=B`
            why = f"{real[0]} could not be started: {getattr(error, 'strerror', None) or error}"
            return replace(outcome, status=Status.NOT_STARTED, reason=why, exit_code=None)
        if ended.exit_code in _NOT_FOUND and (why := _not_found(real, where, visible)):
            return replace(outcome, status=Status.NOT_STARTED, reason=why, exit_code=None)
        outcome = _after(outcome, real, ended, logs[1].fileno(), limits)
    return outcome


def _not_startable(argv: tuple[str, ...], where: Path, cwd: str) -> str:
    if os.path.normpath(f"/x/{cwd}").split("/")[1] != "x" or cwd.startswith("/"):
        return f"the folder `{cwd}` that the command starts in leads out of the artifact"
    if not where.is_dir():
        return f"the folder `{where.name}` that the command starts in is not in the artifact"
    if any("\0" in word for word in argv):
        return "the command contains a NUL character"
    return ""


def _not_found(argv: tuple[str, ...], where: Path, visible: Mapping[str, str]) -> str:
    """Say where a command was looked for, or nothing if it is there and ended with that code."""
    if program(argv[0], where, visible["PATH"]) is None:
        searched = visible["PATH"] if "/" not in argv[0] else f"the artifact's folder {where}"
        return f"the command `{argv[0]}` was not found; searched: {searched}"
    return ""


def _after(
    before: _Outcome, argv: tuple[str, ...], ended: Ended, stderr: int, limits: Limits
) -> _Outcome:
    step = Step(argv=argv, exit_code=ended.exit_code, wall_s=round(ended.wall_s, 6))
    status, reason = _judge(ended, stderr, limits)
    return _Outcome(
        status=status,
        reason=reason,
        exit_code=ended.exit_code,
        steps=(*before.steps, step),
        cpu_s=before.cpu_s + ended.cpu_s,
        peak_rss_mb=max(before.peak_rss_mb, ended.peak_rss_mb),
    )


def _judge(ended: Ended, stderr: int, limits: Limits) -> tuple[Status, str]:
    if ended.stopped:
        status, words = _WORDS[ended.stopped]
        return status, words.format(limits=limits)
    if ended.exit_code == 0:
        return Status.OK, ""
    last = _last_words(stderr)
    named = signal_name(ended.exit_code)
    code = f"was ended by {named}" if named else f"exited with {ended.exit_code}"
    reason = f"the command {code}" + (f": {last}" if last else "")
    if any(text in last for text in _MEMORY):
        return Status.OOM, reason
    # A full disk may leave no room for the words that would say so.
    if any(text in last for text in _DISK) or free_mb(stderr) < max(1.0, limits.disk_floor_mb):
        return Status.DISK, f"{reason} (the disk is full)"
    if named == "SIGKILL":
        reason += " (not by repcheck: the kernel does this when memory runs out)"
    return Status.NONZERO, reason


def _last_words(log: int) -> str:
    """Return the last line of an open log, capped."""
    text = os.pread(log, _TAIL, max(0, os.fstat(log).st_size - _TAIL))
    lines = text.decode("utf-8", errors="replace").split("\n")
    found = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return "".join(letter for letter in found if letter.isprintable())[:300]


def _capped(log: IO[bytes], limits: Limits) -> str:
    """Cut an ended run's log to its cap and return its hash."""
    cap = int(limits.log_mb * 2**20)
    if os.fstat(log.fileno()).st_size > cap:
        log.truncate(cap)
    log.seek(0)
    return hashlib.file_digest(log, "sha256").hexdigest()  # type: ignore[arg-type]


def _how(spec: RunSpec) -> dict[str, str]:
    """Return how each metric is read, scale included, as the record keeps it."""
    scaled = {name: f" * {scale:g}" for name, scale in spec.scales.items()}
    return {name: text + scaled.get(name, "") for name, text in spec.readers.items()}


def _read_metrics(
    spec: RunSpec, left: Left, outcome: _Outcome
) -> tuple[_Outcome, dict[str, float], tuple[str, ...]]:
    metrics, missing, notes = read_all(spec, left, spec.readers)
    if missing:
        outcome = replace(outcome, status=Status.NO_METRIC, reason="; ".join(missing))
    return outcome, metrics, notes


def read_all(
    spec: RunSpec, left: Left, texts: Mapping[str, str]
) -> tuple[dict[str, float], tuple[str, ...], tuple[str, ...]]:
    """Return the metrics that were found, why needed ones are missing, and remarks."""
    metrics: dict[str, float] = {}
    missing: list[str] = []
    notes: list[str] = []
    for name, text in texts.items():
        scale = spec.scales.get(name, 1.0)
        try:
            metrics[name] = read(left, text, scale=scale)
        except NoMetric as error:
            # Keys and headers that a run wrote: a record stays small whatever they are.
            said = f"{name}: {str(error)[:_SAID_CAP]}"
            (notes if name in spec.optional else missing).append(said)
            continue
        if scale == 100.0 and abs(metrics[name]) > 100.0:
            notes.append(
                f"{name}: the file holds {metrics[name] / scale:g} where `read_as: fraction` says"
                " that it is a fraction"
            )
    return metrics, tuple(missing), tuple(notes)


def reread(spec: RunSpec, record: Record, folder: Path) -> Record:
    """Apply changed readers to what a finished attempt left, without running it again."""
    wanted = _how(spec)
    if record.status not in {Status.OK, Status.NO_METRIC} or wanted == dict(record.readers):
        return record
    same = {
        name: value
        for name, value in record.metrics.items()
        if name in wanted and record.readers.get(name) == wanted[name]
    }
    texts = {name: text for name, text in spec.readers.items() if name not in same}
    left = Left(out=folder / "out", stdout=folder / "stdout.log")
    metrics, missing, notes = read_all(spec, left, texts)
    beside = None if missing else others(left, spec.readers.values())
    return replace(
        record,
        status=Status.NO_METRIC if missing else Status.OK,
        reason="; ".join(missing),
        readers=wanted,
        metrics=same | metrics,
        others=beside,
        notes=notes,
    )
