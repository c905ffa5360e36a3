"""The cost of one model, counted by a throw-away process in the artifact's own interpreter.

The process gets a copy of the artifact's folder, listed environment variables, a time limit and a
memory limit, and is ended with everything it started. Nothing of the artifact is imported here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from repcheck.errors import RepcheckError, UsageError
from repcheck.machine import processes, stored
from repcheck.machine.artifact import copy, scan
from repcheck.machine.child import Command, Ended, Limits, run, signal_name
from repcheck.machine.environment import environment, interpreter, short
from repcheck.profiled import (
    COMPLETE,
    SAME_OUTPUT,
    Ending,
    Failing,
    Failure,
    Look,
    Note,
    Profile,
    Remark,
    Rival,
)
from repcheck.sameness import Compared, Sameness
from repcheck.units import print_scaled

Shape = tuple[int, ...] | tuple[tuple[int, ...], ...] | Mapping[str, tuple[int, ...]]
PROGRAM = Path(__file__).parent / "inside" / "profile"
RIVALS = ("torch", "fvcore")
TIME_LIMIT_S = 120.0
MEMORY_MB = 8192.0
MOST_ELEMENTS = 2**28
_CAP = 16 * 2**20
_LOG_MB = 16.0
_RIVAL_S = 60.0
_LEAST_S = 2.0
_DEEPEST, _MOST_INPUTS = 8, 16
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_FILE = re.compile(r"(?P<path>[\w./-]+)\.py:(?P<name>[\w.]+)")
_OURS = frozenset({
    Failing.NO_ENTRY, Failing.ARGUMENTS, Failing.NOT_A_MODEL, Failing.NO_TENSOR, Failing.INPUT,
    Failing.NO_TORCH, Failing.OPTIMIZER,
})  # fmt: skip
"""Failures that another command line mends; the others are the artifact's."""


class ProfileFailed(RepcheckError):
    """Nothing could be counted; `failure` says why in a word and in words."""

    def __init__(self, failure: Failure, entry: str) -> None:
        where = failure.place or entry
        said = f"{where}: {failure.what}" + (f"; {failure.mend}" if failure.mend else "")
        super().__init__(said)
        self.failure = failure
        self.exit_code = 2 if failure.kind in _OURS else 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """A model to build, and the input to count it with.

    `entry` is `module:function` (or a class, or a module object) as imported from `root`;
    `input_shape` one shape with its batch, several, or named ones; `dtype` one name for all
    inputs or several with commas, "" to find it out. `deploy` names what builds the deploy form
    or takes the model and returns it; `optimizer` what makes one of the model's parameters.
    Forward pass, training step and parameters are always counted; `looks` say what else.
    """

    entry: str
    input_shape: Shape
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = ""
    root: Path = Path()
    python: Path | None = None
    deploy: str = ""
    optimizer: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    time_limit_s: float = TIME_LIMIT_S
    memory_mb: float = MEMORY_MB
    looks: frozenset[Look] = frozenset(Look)


def profile(request: ProfileRequest) -> Profile:
    """Count one model.

    Raises:
        ProfileFailed: if nothing could be counted, with the reason.
        UsageError: if the request itself cannot be used.
        RepcheckError: if the artifact's folder cannot be copied.
    """
    job = _job(request)
    python = interpreter(request.python)
    processes.adopt_orphans()
    tree = scan(request.root.absolute())
    with processes.interruptible(), _home() as home:
        copy(tree, home / "copy")
        with short(home) as scratch:
            marker = f"profile-{home.name}"
            seen = environment(home, python, request.env, marker, scratch)
            work = _Work(home, python, seen, job, time.monotonic() + request.time_limit_s)
            found = _measured(request, work)
            if Look.RIVALS in request.looks and not found.stopped:
                found = replace(found, rivals=tuple(_rivals(work)))
    notes = (*(_with_numbers(note, found) for note in found.notes), *_remarks(found))
    return replace(found, entry=request.entry, notes=notes)


def liken(request: ProfileRequest, other: ProfileRequest, names: tuple[str, str]) -> Sameness:
    """Hold two models against each other as functions; both are built from the first one's root.

    Raises:
        UsageError: if a request itself cannot be used.
        RepcheckError: if the artifact's folder cannot be copied.
    """
    job = {**_job(request), "other": _job(other)}
    python = interpreter(request.python)
    processes.adopt_orphans()
    tree = scan(request.root.absolute())
    with processes.interruptible(), _home() as home:
        copy(tree, home / "copy")
        with short(home) as scratch:
            seen = environment(home, python, request.env, f"profile-{home.name}", scratch)
            until = time.monotonic() + request.time_limit_s
            answer, ended = _Work(home, python, seen, job, until).done("compare")
            ending = stored.typed(answer, Ending, cap=_CAP) or Ending()
            found = stored.typed(answer, Compared, cap=_CAP) or Compared()
    ours, theirs = names
    failure = ending.failure or (None if ending.done else _cut_short(request, ending, ended))
    if failure is not None:
        return Sameness(ours=ours, theirs=theirs, why=failure.what)
    made = Sameness(ours=ours, theirs=theirs, **asdict(found))
    if made.diff is None or made.whole:
        return made
    return Sameness(ours=ours, theirs=theirs, why="it left numbers that no comparison gives")


@contextmanager
def _home() -> Iterator[Path]:
    made = tempfile.TemporaryDirectory(prefix="repcheck-", ignore_cleanup_errors=True)
    try:
        yield Path(made.name).resolve()
    finally:
        try:
            made.cleanup()
        except RecursionError:  # folders nested deeper than Python can follow
            subprocess.run(["rm", "-rf", "--", made.name], capture_output=True, check=False)


# --- what is asked for --------------------------------------------------------------------------


def read_shape(text: str) -> Shape:
    """Return the shape that a text states: `1,3,32,32`, `[[1,3,8,8],[1,10]]`, `{"x": [1,8]}`.

    Raises:
        UsageError: if it states none.
    """
    try:
        found = json.loads(
            text if text.strip()[:1] in {"[", "{"} else f"[{text.replace('x', ',')}]"
        )
    except ValueError:
        found = None
    match found:
        case [*items] if items and all(isinstance(item, list) for item in items):
            return tuple(tuple(item) for item in items)
        case [*items] if items and all(isinstance(item, int) for item in items):
            return tuple(items)
        case dict() if found and all(isinstance(item, list) for item in found.values()):
            return {name: tuple(item) for name, item in found.items()}
    raise UsageError(
        f"--input-shape {text!r}: no shape; write 1,3,32,32 (the batch first), or several as JSON:"
        ' [[1,3,32,32],[1,10]] or {"x": [1,3,32,32]}'
    )


def _inputs(shape: Shape) -> list[dict[str, Any]]:
    given: Any = shape
    if isinstance(given, Mapping):
        named = [(str(name), tuple(sizes)) for name, sizes in given.items()]
    elif given and isinstance(given[0], tuple):
        named = [("", tuple(sizes)) for sizes in given]
    else:
        named = [("", tuple(given))]
    for name, sizes in named:
        _check(name, sizes)
    if not 0 < len(named) <= _MOST_INPUTS:
        raise UsageError(f"{len(named)} inputs: expected 1 to {_MOST_INPUTS} shapes")
    return [{"name": name, "shape": list(sizes)} for name, sizes in named]


def _check(name: str, sizes: tuple[Any, ...]) -> None:
    count = 1
    whole = all(type(size) is int and size > 0 for size in sizes)
    for size in sizes if whole else ():
        count *= size
    if not whole or not 0 < len(sizes) <= _DEEPEST or count > MOST_ELEMENTS:
        shown = ",".join(map(str, sizes)) or "nothing"
        raise UsageError(
            f"input shape {name + '=' if name else ''}{shown}: expected 1 to {_DEEPEST} whole"
            f" numbers above 0, the batch first, and at most {MOST_ELEMENTS:,} elements"
        )


def _job(request: ProfileRequest) -> dict[str, Any]:
    for entry in filter(None, (request.entry, request.deploy, request.optimizer)):
        if not _ENTRY.fullmatch(entry) or _FILE.fullmatch(entry):
            raise UsageError(_no_entry(entry))
    dtypes = [name.strip() for name in request.dtype.split(",") if name.strip()]
    inputs = _inputs(request.input_shape)
    if len(dtypes) not in {0, 1, len(inputs)}:
        raise UsageError(
            f"{len(dtypes)} dtypes for {len(inputs)} inputs: name one, or one for each"
        )
    return {
        "task": "measure",
        "owner": os.getpid(),
        "entry": request.entry,
        "kwargs": dict(request.kwargs),
        "shape": inputs,
        "dtype": [name.removeprefix("torch.") for name in dtypes],
        "deploy": request.deploy,
        "optimizer": request.optimizer,
        "memory_mb": request.memory_mb,
        "looks": sorted(request.looks),
    }


def _no_entry(entry: str) -> str:
    if file := _FILE.fullmatch(entry):
        dotted = ".".join(part for part in file["path"].split("/") if part not in {"", "."})
        return f"{entry}: name the module, not its file: {dotted}:{file['name']}"
    return f"{entry}: expected module:function, as in models:better"


# --- one process --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
    """What the processes of one profile share; `until` is when the last one has to end."""

    home: Path
    python: Path
    environment: Mapping[str, str]
    job: Mapping[str, Any]
    until: float

    def done(self, task: str, most_s: float = float("inf")) -> tuple[Path, Ended]:
        """Run one task and return the file of its answer, which may be absent."""
        answer = self.home / f"{task}.answer"
        asked = self.home / f"{task}.job"
        root = str(self.home / "copy")
        asked.write_text(json.dumps({**self.job, "task": task, "root": root}), encoding="utf-8")
        argv = (str(self.python), str(PROGRAM), str(asked), str(answer))
        command = Command(
            argv=argv,
            cwd=self.home / "copy",
            environment=self.environment,
            marker=self.environment[processes.MARKER],
        )
        left = max(0.1, min(self.until - time.monotonic(), most_s))
        limits = Limits(time_s=left, log_mb=_LOG_MB, grace_s=0.0)
        with (
            (self.home / f"{task}.out").open("w+b") as out,
            (self.home / f"{task}.err").open("w+b") as err,
        ):
            ended = run(command, (out, err), limits, threading.Event())
        return answer, ended


def _measured(request: ProfileRequest, work: _Work) -> Profile:
    answer, ended = work.done("measure")
    ending = stored.typed(answer, Ending, cap=_CAP) or Ending()
    if ending.failure is not None:
        raise ProfileFailed(ending.failure, request.entry)
    found = stored.typed(answer, Profile, cap=_CAP)
    if ending.done and found is not None:
        return found
    failure = _cut_short(request, ending, ended)
    if found is None:
        raise ProfileFailed(failure, request.entry)
    return replace(found, stopped=failure.what)


def _cut_short(request: ProfileRequest, ending: Ending, ended: Ended) -> Failure:
    doing = ending.stage or "starting Python"
    if ended.stopped == "time":
        return Failure(
            kind=Failing.TIME_LIMIT,
            what=f"{doing} was not over when the time limit of {request.time_limit_s:g} s ended it",
            mend="a larger --time-limit gives more; what trains when it is imported belongs under"
            ' `if __name__ == "__main__":`',
        )
    if ended.stopped == "flood":
        return Failure(kind=Failing.DIED, what=f"{doing} printed more than {_LOG_MB:g} MiB")
    if ended.stopped == "disk":
        return Failure(kind=Failing.DIED, what="the disk is full", mend="make room")
    if not ending.done and signal_name(ended.exit_code):
        signal = signal_name(ended.exit_code)
        return Failure(kind=Failing.DIED, what=f"{doing} ended the process by {signal}")
    return Failure(kind=Failing.DIED, what=f"{doing} left no answer that can be read")


def _rivals(work: _Work) -> Iterator[Rival]:
    for name in RIVALS:
        if work.until - time.monotonic() < _LEAST_S:
            yield Rival(name=name, why="the time limit left no time for it")
            continue
        answer, ended = work.done(name, _RIVAL_S)
        ending = stored.typed(answer, Ending, cap=_CAP) or Ending()
        if ending.rival is not None:
            yield ending.rival
        elif ended.stopped == "time":
            yield Rival(name=name, why="it took too long")
        else:
            why = ending.failure.what if ending.failure else "it left no answer"
            yield Rival(name=name, why=why)


# --- what has to be said ------------------------------------------------------------------------


def _remarks(found: Profile) -> list[Note]:
    """Return what the numbers themselves call for."""
    notes = [*_of_counts(found), *_of_deploy(found)]
    if found.stopped:
        notes.append(
            Note(kind=Remark.INCOMPLETE, text=f"the profile is not whole: {found.stopped}")
        )
    return notes


def _with_numbers(note: Note, found: Profile) -> Note:
    if found.forward_range is None or note.kind not in {Remark.DEPENDS_ON_INPUT, Remark.RANDOM}:
        return note
    least, most = (print_scaled(flops, "FLOPs") for flops in found.forward_range)
    return replace(note, text=f"{note.text}: from {least} to {most}")


def _of_counts(found: Profile) -> Iterator[Note]:
    first = found.forward.flops
    for name, count in (("forward pass", found.forward), ("training step", found.train)):
        if count is not None and count.coverage < COMPLETE:
            yield Note(
                kind=Remark.UNCOUNTED,
                text=f"{count.matrix - count.counted} of {count.matrix} calls of matrix operations"
                f" in the {name} have no formula: its count is a lower bound",
            )
    if (other := found.disagreement) is not None and other.flops is not None:
        yield Note(
            kind=Remark.COUNTS_DISAGREE,
            text=f"a second count ({other.how}) of the same pass gives"
            f" {print_scaled(other.flops, 'FLOPs')} instead of {print_scaled(first, 'FLOPs')}",
        )


def _of_deploy(found: Profile) -> Iterator[Note]:
    deploy = found.deploy
    if deploy is None:
        return
    if deploy.parameters is None:
        yield Note(kind=Remark.INCOMPLETE, text=f"no deploy form by {deploy.how}: {deploy.why}")
    elif deploy.difference is not None and deploy.difference > SAME_OUTPUT:
        yield Note(
            kind=Remark.OTHER_OUTPUT,
            text=f"the deploy form ({deploy.how}) gives other outputs than the training form: they"
            f" differ by {deploy.difference:.2g} of the largest",
        )
