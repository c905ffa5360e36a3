"""The environment that puts the probe in front of an artifact's Python, and reads it back.

Nothing of the artifact changes: its own command runs, with one folder more on `PYTHONPATH`.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from repcheck.errors import UsageError
from repcheck.machine import stored
from repcheck.observation import Gap, Observation
from repcheck.record import Record
from repcheck.store import COPY, PROBE, publish

INSIDE = Path(__file__).parent / "inside"
FRONT = INSIDE / "path"
WITHIN = INSIDE / "probe"
OBSERVED = "observed.json"
PLANTED = "repcheck_probe.pth"
VARIABLE = "REPCHECK_PROBE_OUT"
SURGERY = "REPCHECK_SURGERY"
PROMPT = "REPCHECK_PROMPT"
BUDGET = 0.01
NOBODY = (
    "no Python process with a probe was seen: there was none, or it was started with -I, -E or -S"
    " or with another environment"
)
# As in `inside/path/sitecustomize.py`, which stands aside for a probe that has begun.
_STARTER = """
try:
    import _frozen_importlib, _frozen_importlib_external
    spec = _frozen_importlib_external.spec_from_file_location(
        "_repcheck_inside", {first}, submodule_search_locations=[{within}]
    )
    _frozen_importlib._load(spec).start({front})
except BaseException as error:
    sys.stderr.write("repcheck: the probe did not start: %r\\n" % (error,))
"""
_REPLACED = "the run replaced or removed the folder of the probe's record; nothing in it is read"
_ABSURD = "the probe's record makes no sense: it holds numbers that cannot be"
_GONE = "the probe's record is gone"
# What is lost with the end of a file, by its kind; the first are kept longest.
_PARTS = {
    ".jsonl": ("everything",),
    ".steps": ("training",),
    ".idx": ("samples", "rows"),
    ".rows": ("rows",),
    ".prompts": ("prompts",),
}


def variables(
    record: Path,
    stated: Mapping[str, str],
    surgery: Sequence[Mapping[str, Any]] = (),
    prompt_call: str = "",
) -> dict[str, str]:
    """Return the variables that put a probe into every Python of a run.

    `record` is the folder it writes to; `stated` are the claims file's own variables, whose
    `PYTHONPATH` stands after the probe's folder; `surgery` is what the probe has to change in the
    running process, `prompt_call` the function (`module:function`) whose prompts it writes down.
    """
    found = {VARIABLE: str(record), "REPCHECK_PROBE_BUDGET": str(BUDGET)}
    if surgery or SURGERY in stated:  # no claims file operates on a run by itself
        found[SURGERY] = json.dumps([dict(one) for one in surgery]) if surgery else ""
    if prompt_call or PROMPT in stated:
        found[PROMPT] = prompt_call
    if os.pathsep not in str(FRONT):  # such a folder cannot stand in a PYTHONPATH
        # An empty entry would be the working folder, which an unset PYTHONPATH does not add.
        entries = [str(FRONT), *filter(None, [stated.get("PYTHONPATH")])]
        found["PYTHONPATH"] = os.pathsep.join(entries)
    return found


@cache
def warm() -> None:
    """Compile what runs inside once, because runs write no bytecode; never fails."""
    compileall.compile_dir(INSIDE, quiet=2)


def plant(prefix: Path) -> Path:
    """Write the fallback for `-I` and `-E` into an environment that repcheck itself made.

    It starts the same probe, only where `REPCHECK_PROBE_OUT` is set. Returns the file.

    Raises:
        UsageError: if there is no virtual environment in the folder.
    """
    sites = sorted(prefix.glob("lib/python*/site-packages"))
    if not sites or not (prefix / "pyvenv.cfg").is_file():
        raise UsageError(f"{prefix}: no virtual environment there")
    planted = sites[0] / PLANTED
    planted.write_text(_line(), encoding="utf-8")
    return planted


def _line() -> str:
    """Return one line that `site` executes at every start, before it looks at PYTHONPATH's."""
    first = str(WITHIN / "__init__.py")
    code = _STARTER.format(first=ascii(first), within=ascii(str(WITHIN)), front=ascii(str(FRONT)))
    return (
        "import os, sys; os.environ.get('REPCHECK_PROBE_OUT')"
        f" and '_repcheck_inside' not in sys.modules and os.path.isfile({first!a})"
        f" and exec({code!a}, {{'sys': sys}})\n"
    )


# --- after the commands of a run ----------------------------------------------------------------


def settle(attempt: Path, made: int, cap_mb: float) -> dict[str, str]:
    """Return what a run lost of its record, and why: by the words of `Gap.what`.

    `made` is the inode that the record folder had. A record above the cap is cut, and whatever
    the run itself has left under the name of an observation is removed.
    """
    _remove(attempt / OBSERVED)
    folder = attempt / PROBE
    with suppress(OSError):
        about = folder.lstat()
        if about.st_ino == made and stat.S_ISDIR(about.st_mode):
            return _cut(folder, cap_mb)
    return {"everything": _REPLACED}


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        try:
            path.unlink()
        except OSError:
            shutil.rmtree(path, ignore_errors=True)


def _cut(folder: Path, cap_mb: float) -> dict[str, str]:
    """Shorten a record's files to the cap, which nothing honest comes near before days."""
    files = list(_files(folder))
    room = int(cap_mb * 2**20)
    lost: dict[str, str] = {}
    if sum(size for _, size in files) <= room:
        return lost
    for path, size in sorted(files, key=lambda found: _order(found[0])):
        if size > room:
            _shorten(path, room)
            why = f"the probe's record outgrew its {cap_mb:g} MiB and was cut"
            lost |= dict.fromkeys(_PARTS.get(path.suffix, ()), why)
        room -= min(size, room)
    return lost


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    with os.scandir(folder) as items:
        for item in items:
            if item.is_file(follow_symlinks=False):
                yield Path(item.path), item.stat(follow_symlinks=False).st_size


def _order(path: Path) -> tuple[int, str]:
    kinds = [*_PARTS, path.suffix]
    return kinds.index(path.suffix), path.name


def _shorten(path: Path, size: int) -> None:
    # A file of two names may be somebody's own: it loses the name in here and nothing else.
    if path.lstat().st_nlink > 1:
        path.unlink()
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


# --- what was seen ------------------------------------------------------------------------------


def observed(attempt: Path, record: Record) -> Observation | None:
    """Return what was seen of an ended attempt, analysed once; None: there was no probe in it.

    The analysis is kept beside the record if the disk takes it.
    """
    if not record.probe:
        return None
    path = attempt / OBSERVED
    found = stored.observation(path)
    if found is None:
        found = read_back(attempt, record)
        if found.seen:
            with suppress(OSError):
                publish(path, found)
    return found


def read_back(attempt: Path, record: Record) -> Observation:
    """Analyse the record that a probe left; the files a run opened are looked for in its copy."""
    if "everything" in record.lost:
        return _nothing(record, record.lost["everything"])
    folder = attempt / PROBE
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            return _nothing(record, _REPLACED)
        if not any(path.suffix == ".jsonl" for path, _ in _files(folder)):
            return _nothing(record, NOBODY)
        from repcheck.analysis import observe  # brings numpy, which planning can do without

        seen = observe(
            folder,
            cpu_s=record.cpu_s,
            since=_moment(record.started),
            files_root=attempt / "home" / COPY,
            out=attempt / "out",
        )
    except FileNotFoundError:
        return _nothing(record, _GONE)
    except OSError as error:
        return _nothing(record, f"the probe's record cannot be read ({error.strerror})")
    gaps = tuple(Gap(what=what, why=why) for what, why in sorted(record.lost.items()))
    found = stored.sound(replace(seen, gaps=(*seen.gaps, *gaps)))
    return found or _nothing(record, _ABSURD)


def _moment(stamp: str) -> float:
    """Return a record's time in unix seconds, 0 where it is none."""
    with suppress(ValueError):
        return datetime.fromisoformat(stamp).timestamp()
    return 0.0


def _nothing(record: Record, why: str) -> Observation:
    return Observation(gaps=(Gap(what="everything", why=why),), cpu_s=record.cpu_s)
