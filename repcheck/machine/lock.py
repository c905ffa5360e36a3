"""A claim on one attempt: a file that only one process makes; its time is the heartbeat."""

from __future__ import annotations

import json
import os
import platform
import socket
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from repcheck import confined
from repcheck.machine.processes import start_time

LEASE_S = 300.0
BEAT_S = 10.0
_READ_CAP = 4096


@cache
def _here() -> dict[str, str]:
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    found = {"host": socket.gethostname(), "boot": "", "space": ""}
    with suppress(OSError):
        found["boot"] = boot.read_text().strip()
    with suppress(OSError):
        found["space"] = os.readlink(space)  # noqa: PTH115 - not a path, `pid:[4026531836]`
    return found


@cache
def machine() -> str:
    """Return this machine in words."""
    return (
        f"{socket.gethostname()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )


def take(path: Path) -> bool:
    """Make the lock; False if somebody else has it. One still empty counts by its heartbeat."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, _claim(os.getpid()))
    except OSError:  # a full disk: an empty lock would be taken for a living one
        path.unlink()
        raise
    finally:
        os.close(descriptor)
    return True


@cache
def _claim(pid: int) -> bytes:
    return json.dumps({**_here(), "pid": pid, "since": start_time(pid)}).encode()


def beat(path: Path) -> None:
    """Say that the attempt is still being made."""
    with suppress(OSError):
        os.utime(path)


def release(path: Path) -> None:
    """Say that nobody makes the attempt any more; this needs no room on the disk."""
    with suppress(OSError):
        os.utime(path, (0, 0))


def alive(path: Path) -> bool:
    """Return whether whoever made the lock may still be at work.

    On the same machine since the same boot its process is asked for; elsewhere the heartbeat
    counts, against the clock of the file system and not of this machine.
    """
    with suppress(OSError, ValueError, TypeError, OverflowError, RecursionError):
        if path.stat().st_mtime == 0:
            return False
        content = json.loads(_read(path))
        if isinstance(content, dict) and content.get("host") == _here()["host"]:
            if content.get("boot") != _here()["boot"]:
                return False
            if content.get("space") == _here()["space"] and _here()["boot"]:
                return bool(start_time(int(content.get("pid", 0))) == content.get("since", -1))
    try:
        return _now(path.parent) - path.stat().st_mtime < LEASE_S
    except FileNotFoundError:
        return False


def _read(path: Path) -> bytes:
    # A run could have put a named pipe there, which must not hang us.
    descriptor = os.open(path, confined.FILE)
    try:
        return os.read(descriptor, _READ_CAP)
    finally:
        os.close(descriptor)


def _now(folder: Path) -> float:
    try:
        with tempfile.NamedTemporaryFile(prefix=".now-", dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()
