"""What a run touched outside its own memory: files, network, other programs, random generators."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from repcheck.analysis.lineage import IN_MEMORY, path_of
from repcheck.analysis.processes import Process
from repcheck.confined import open_below
from repcheck.observation import FileUse, SeedSet

MOST_FILES = 5_000
MOST_LINES = 200
FILE_CAP = 64 * 2**20
CAP_OF_ALL = 2**30
OUT = "{out}"


def files_of(processes: tuple[Process, ...], roots: dict[str, Path]) -> tuple[FileUse, ...]:
    """Return the files that were opened, with the hash of those below the roots.

    A root's name stands in front of the paths below it (`{out}/best.pt`), "" for nothing. No link
    is followed; what is larger than 64 MiB, or comes after 1 GiB in all, is not read.
    """
    uses: dict[str, bool] = {}
    for process in processes:
        for path, was_written in _used(process):
            if path and (path in uses or len(uses) < MOST_FILES):
                uses[path] = uses.get(path, False) or was_written
    left = CAP_OF_ALL
    found = []
    for path, was_written in uses.items():
        name, base, parts = _placed(path, roots)
        hashed = ""
        if base is not None:
            hashed, size = _sha256(base, parts, min(FILE_CAP, left))
            left -= size
        found.append(FileUse(path=name, written=was_written, sha256=hashed))
    return tuple(sorted(found, key=lambda use: use.path))


def _used(process: Process) -> Iterator[tuple[str, bool]]:
    """Yield each opened path and whether it was written; torch opens what it saves by itself."""
    for event in process.record.of("open", "save"):
        if event.kind == "open":
            yield path_of(process, event.text("p")), bool(event.flag("w"))
        elif not any(word in event.text("how").lower() for word in IN_MEMORY):
            yield path_of(process, event.text("what")), True


def _placed(path: str, roots: dict[str, Path]) -> tuple[str, Path | None, list[str]]:
    for name, root in roots.items():
        for base in dict.fromkeys((str(root.absolute()), os.path.realpath(root))):
            if path.startswith(f"{base}/"):
                below = path[len(base) + 1 :]
                return (f"{name}/{below}" if name else below), root, below.split("/")
    return path, None, []


def _sha256(base: Path, parts: list[str], cap: int) -> tuple[str, int]:
    """Return the hash and size of a regular file, ("", 0) if it is none or too large."""
    made, size = sha256(), 0
    try:
        descriptor = open_below(base, parts)
    except OSError:
        return "", 0
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > cap:
            return "", 0
        while size <= cap and (part := file.read(2**20)):
            made.update(part)
            size += len(part)
    return (made.hexdigest() if size <= cap else ""), size


def network_of(processes: tuple[Process, ...]) -> tuple[str, ...]:
    """Return where connections went, each place once: `connect example.org:443`."""
    return _once(
        f"{event.text('op')} {event.text('host')}:{_port(event.fields.get('port'))}".strip(" :")
        for process in processes
        for event in process.record.of("net")
    )


def _port(port: object) -> str:
    return str(port)[:10] if isinstance(port, int | str) else ""


def libraries_of(processes: tuple[Process, ...]) -> tuple[str, ...] | None:
    """Return the well-known libraries that were imported; None without any process."""
    if not processes:
        return None
    names = {e.text("name").split(".")[0] for one in processes for e in one.record.of("module")}
    return tuple(sorted(names - {""}))[:MOST_LINES]


def programs_of(processes: tuple[Process, ...]) -> tuple[str, ...]:
    """Return the commands of other programs that were started, each once."""
    return _once(
        (" ".join(event.texts("argv", 20)) or event.text("op"))[:300]
        for process in processes
        for event in process.record.of("proc")
    )


def _once(lines: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, lines)))[:MOST_LINES]


def seeds_of(processes: tuple[Process, ...]) -> tuple[SeedSet, ...]:
    """Return which generators were seeded with what, and how often."""
    times: dict[tuple[str, str], int] = {}
    for process in processes:
        for event in process.record.of("seed"):
            value = event.fields.get("v")
            told = str(value)[:100] if isinstance(value, int | float | str) else ""
            key = event.text("lib"), told
            times[key] = times.get(key, 0) + 1
    return tuple(
        SeedSet(lib=lib, value=value, times=count)
        for (lib, value), count in list(times.items())[:MOST_LINES]
    )
