"""Every run that was ever made, one folder a run and attempt; nothing is overwritten.

::

    STORE/store.json                 the format; a newer one is refused
    STORE/plan/<id>.jsonl            what was asked for
    STORE/artifact/<hash>/           the artifact as it was planned
    STORE/runs/<k2>/<key>/spec.json  everything hashed into the key, readable
                          aN.lock    who makes attempt N; its time is the heartbeat
                          aN/        stdout.log stderr.log out/ probe/ record.json observed.json
                          result.json      a hard link to the record of the first complete attempt
                          result.aN.json   a result that a `--rerun` put aside: kept and counted
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from repcheck.errors import RepcheckError, UsageError
from repcheck.machine import lock, stored
from repcheck.machine.processes import kill_marked
from repcheck.plan import History, Plan
from repcheck.record import Record
from repcheck.runs import RunSpec, Status

FORMAT = 1
COPY = SNAPSHOTS = "artifact"
PROBE = "probe"
LOST_CAP = 3
_SYNC_FROM_S = 1.0
_BEGAN = time.time_ns()
_LOST = "the repcheck that made this attempt died before it ended"
_POISON = (
    f"repcheck died {LOST_CAP} times while this run was being made: it may be killing its parent,"
    " or the machine ran out of memory; `--rerun failed` tries again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One claimed attempt: its number and its folder."""

    key: str
    number: int
    folder: Path

    @property
    def marker(self) -> str:
        """Return what marks this attempt's processes, unlike those of any other store."""
        return f"{self.key[:32]}:{self.number}:{self.folder.stat().st_ino}"

    @property
    def lock(self) -> Path:
        """Return the file that says who makes this attempt."""
        return self.folder.with_name(f"a{self.number}.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands: its result if there is one, its attempts, and whether one is being made."""

    result: Record | None
    attempts: int
    busy: bool


class Store:
    """A folder of runs. Several processes may use one at once."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @classmethod
    def open(cls, root: Path) -> Store:
        """Return the store in a folder, made if need be.

        Raises:
            UsageError: if the folder cannot be written, or a newer repcheck made the store.
        """
        store = cls(root)
        about = store.root / "store.json"
        try:
            store.root.mkdir(parents=True, exist_ok=True)
            if not about.exists():
                publish(about, {"repcheck_store": FORMAT})
        except OSError as error:
            raise UsageError(
                f"{root}: cannot be written ({error.strerror}); choose another folder with --out"
            ) from None
        store.check_format()
        return store

    def check_format(self) -> None:
        """Refuse a store whose format this version does not know."""
        about = self.root / "store.json"
        content = stored.mapping(about)
        if content is None or not isinstance(content.get("repcheck_store"), int):
            raise UsageError(f"{about}: not a store of repcheck; choose another folder with --out")
        if content["repcheck_store"] > FORMAT:
            raise UsageError(
                f"{about}: format {content['repcheck_store']} is newer than this repcheck knows"
                f" ({FORMAT}); install a newer repcheck or choose another folder with --out"
            )

    # --- plans ----------------------------------------------------------------------------------

    def keep_plan(self, plan: Plan) -> Path:
        """Write a plan down once; the same plan has the same name."""
        path = self.root / "plan" / f"{plan.id}.jsonl"
        if not path.exists():
            with mended(path):
                path.parent.mkdir(exist_ok=True)
                _write(path, plan.to_jsonl().encode(), replace_old=True)
        return path

    # --- runs -----------------------------------------------------------------------------------

    def folder(self, key: str) -> Path:
        """Return the folder of a run."""
        return Path(f"{self.root}/runs/{key[:2]}/{key}")

    @staticmethod
    def place(record: Record) -> str:
        """Return an attempt's folder relative to the store."""
        return f"runs/{record.key[:2]}/{record.key}/a{record.attempt}"

    def spec(self, key: str) -> RunSpec | None:
        """Return a run's stored specification, if it is whole."""
        return stored.spec(self.folder(key) / "spec.json")

    def result(self, key: str) -> Record | None:
        """Return a run's result: the record of its first complete attempt that counts."""
        found = stored.record(self.folder(key) / "result.json")
        return found if found is not None and found.key == key else None

    def attempts(self, key: str) -> int:
        """Return how many attempts were ever begun."""
        return max(_numbers(self.folder(key)), default=0)

    def records(self, key: str) -> list[Record]:
        """Return the records of all ended attempts, oldest first."""
        folder = self.folder(key)
        found = (stored.record(folder / f"a{n}" / "record.json") for n in _numbers(folder))
        return [record for record in found if record is not None]

    def standing(self, key: str) -> Standing:
        """Return how a run stands; attempts whose maker died are recorded as `lost`."""
        folder = self.folder(key)
        result = self.result(key)
        numbers = _numbers(folder)
        if result is not None:
            return Standing(result=result, attempts=len(numbers), busy=False)
        with suppress(FileNotFoundError):  # torn, as a power cut may leave it
            (folder / "result.json").replace(folder / "result.torn.json")
        busy = False
        for number in numbers:
            attempt = Attempt(key=key, number=number, folder=folder / f"a{number}")
            if (attempt.folder / "record.json").exists():
                continue
            if lock.alive(attempt.lock):
                busy = True
            else:
                self._lose(attempt)
        if not busy and numbers:
            self._settle(key, numbers)
        return Standing(result=self.result(key), attempts=len(numbers), busy=busy)

    def claim(self, spec: RunSpec) -> Attempt | None:
        """Begin the next attempt at a run; None if it has a result or somebody else makes it."""
        folder = self.folder(spec.key)
        with mended(folder):
            number = 1
            if not _made(folder):
                standing = self.standing(spec.key)
                if standing.result is not None or standing.busy:
                    return None
                number = standing.attempts + 1
            if not lock.take(folder / f"a{number}.lock"):
                return None
            attempt = Attempt(key=spec.key, number=number, folder=folder / f"a{number}")
            try:
                if number == 1 or self.spec(spec.key) is None:
                    _write(folder / "spec.json", stored.dumps(spec), replace_old=True)
                attempt.folder.mkdir(exist_ok=True)
            except OSError:
                lock.release(attempt.lock)
                raise
            return attempt

    def finish(self, attempt: Attempt, record: Record) -> Record:
        """Keep the record of an attempt; if it is complete and the first, it is the result.

        Returns the result that counts, which is another one if somebody else was faster.
        """
        path = attempt.folder / "record.json"
        with mended(path):
            # A real record may replace one that calls the attempt lost; a result stays.
            content = stored.dumps(record)
            _write(path, content, sync=record.wall_s > _SYNC_FROM_S, replace_old=True)
            if record.status.infrastructure:
                return record
            with suppress(FileExistsError):
                os.link(path, self.folder(attempt.key) / "result.json")
                return record
            return self.result(attempt.key) or record

    def set_aside(self, key: str, number: int) -> None:
        """Put attempt `number`'s result aside, so that the run is made again; only one wins."""
        folder = self.folder(key)
        current, aside = folder / "result.json", folder / f"result.a{number}.json"
        result = self.result(key)
        if result is None or result.attempt != number:
            return
        with mended(folder):
            try:
                os.link(current, aside)
            except FileExistsError:
                # Whoever made that link removes the result next, unless it died in between.
                if time.time() - aside.stat().st_ctime < lock.LEASE_S:
                    return
            current.unlink(missing_ok=True)

    def _lose(self, attempt: Attempt) -> None:
        if attempt.folder.is_dir():
            kill_marked(attempt.marker)
        lost = Record(key=attempt.key, attempt=attempt.number, status=Status.LOST, reason=_LOST)
        with mended(attempt.folder):
            attempt.folder.mkdir(exist_ok=True)
            publish(attempt.folder / "record.json", lost)
        clear(attempt.folder)

    def _settle(self, key: str, numbers: list[int]) -> None:
        """Publish what a dead process recorded and did not publish, and give up on poison."""
        folder = self.folder(key)
        records = [record for record in self.records(key) if record.attempt in numbers]
        names = [path.name[8:-5] for path in folder.glob("result.a*.json")]
        aside = max((int(name) for name in names if name.isdecimal()), default=0)
        fresh = [record for record in records if record.attempt > aside]
        for record in fresh:
            if not record.status.infrastructure:
                with suppress(FileExistsError):
                    os.link(folder / f"a{record.attempt}" / "record.json", folder / "result.json")
                return
        lost = [record for record in fresh if record.status is Status.LOST]
        if len(lost) >= LOST_CAP:
            publish(folder / "result.json", replace(lost[-1], reason=_POISON))

    # --- over all runs --------------------------------------------------------------------------

    def keys(self) -> Iterator[str]:
        """Return the keys of all runs that have a folder."""
        for first in sorted((self.root / "runs").glob("??")):
            with suppress(OSError):  # a file in place of a folder
                yield from sorted(item.name for item in first.iterdir() if len(item.name) == 64)

    def history(self) -> History:
        """Return what earlier runs cost, median seconds by arm and dataset, and which are done."""
        walls: dict[tuple[str, str], list[float]] = {}
        done: set[str] = set()
        for key in self.keys():
            record, spec = self.result(key), self.spec(key)
            if record is None:
                continue
            done.add(key)
            if spec is not None and record.status is Status.OK:
                walls.setdefault((spec.arm, spec.dataset), []).append(record.wall_s)
        costs = {name: median(found) for name, found in walls.items()}
        return History(costs=costs, done=frozenset(done))


def clear(folder: Path, *, out: bool = False) -> None:
    """Remove an attempt's copy of the artifact and its private folders; what it left stays.

    `out` removes that as well: a run that filled the disk must not stop all the others.
    """
    for name in ("home", "out", PROBE)[: 3 if out else 1]:
        path = f"{folder}/{name}"
        if os.path.islink(folder):  # noqa: PTH114 - a run replaced it; its target is not ours
            return
        if os.path.isdir(path):  # noqa: PTH112 - a text already
            try:
                shutil.rmtree(path, ignore_errors=True)
            except RecursionError:  # folders nested deeper than Python can follow
                subprocess.run(["rm", "-rf", "--", path], capture_output=True, check=False)


def _made(folder: Path) -> bool:
    """Make a run's folder; False if it was there, and may hold something."""
    for _ in range(2):
        try:
            folder.mkdir()
        except FileExistsError:
            return False
        except FileNotFoundError:
            folder.parent.mkdir(parents=True, exist_ok=True)
        else:
            return True
    return False


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names only
    except OSError:
        return []
    return sorted(
        int(name[1:-5])
        for name in names
        if name.startswith("a") and name.endswith(".lock") and name[1:-5].isdecimal()
    )


def publish(path: Path, content: object, *, sync: bool = False) -> None:
    """Write a JSON file whole or not at all; the first writer wins."""
    with suppress(FileExistsError):
        _write(path, stored.dumps(content), sync=sync)


def _write(path: Path, content: bytes, *, sync: bool = False, replace_old: bool = False) -> None:
    # The thread's number makes the name ours alone on this machine, the start time elsewhere.
    name = f"{path}.{threading.get_native_id()}-{_BEGAN}.new"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            os.write(descriptor, content)
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace_old:
            os.replace(name, path)  # noqa: PTH105 - a text already
        else:
            os.link(name, path)
    except OSError:
        os.unlink(name)  # noqa: PTH108 - a text already
        raise
    if not replace_old:
        os.unlink(name)  # noqa: PTH108 - a text already


class mended:
    """Turn a failing disk into an error that says what to do; nothing stored is touched."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if isinstance(error, OSError):
            raise RepcheckError(
                f"{self.path}: cannot be written ({error.strerror}); finished runs are kept: mend"
                " it and run the same command again to go on"
            ) from None
