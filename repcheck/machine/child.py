"""One command: started, watched and ended, together with everything it started.

The command runs below a small `sh` of its own session, which never parses it: a program that
kills its parent's process group then ends its own run and not repcheck, and the limits are set
without Python code between fork and exec.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from repcheck.machine import processes

# The trap is a handler, not "ignore", so the program itself gets every signal as usual, and sh
# waits for it. 512-byte blocks are what POSIX counts `ulimit -f` in.
_SHELL = 'trap : TERM INT HUP; ulimit -c 0; ulimit -f "$1"; shift; "$@"; exit $?'
_POLL_FIRST_S = 0.02
_POLL_S = 0.1
_DISK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a command may use; `file_mb` is the largest single file, `log_mb` each output stream.

    `record_mb` is what is kept of a probe's record; no run is ended for a larger one.
    """

    time_s: float = 3600.0
    log_mb: float = 64.0
    record_mb: float = 1024.0
    file_mb: float = 65536.0
    disk_floor_mb: float = 64.0
    grace_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command with where and as what it runs."""

    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    marker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended.

    `stopped` says why repcheck ended it: "", "time", "flood", "disk" or "interrupt". `cpu_s` and
    `peak_rss_mb` (MiB, the largest single process) are of all its waited-for processes.
    """

    exit_code: int
    stopped: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_mb: float = 0.0


def run(
    command: Command, logs: tuple[IO[bytes], IO[bytes]], limits: Limits, stop: threading.Event
) -> Ended:
    """Run one command to its end and leave none of its processes behind.

    Raises:
        OSError: if it cannot be started.
    """
    blocks = str(int(limits.file_mb * 2048))
    began = time.monotonic()
    child = subprocess.Popen(
        ["/bin/sh", "-c", _SHELL, "sh", blocks, *command.argv],
        cwd=command.cwd,
        env=dict(command.environment),
        stdin=subprocess.DEVNULL,
        stdout=logs[0],
        stderr=logs[1],
        start_new_session=True,
    )
    processes.register(child.pid)
    ended = None
    try:
        watch = _Watch(child.pid, logs, limits, stop, began)
        stopped = watch.until_ended()
        if stopped:
            grace = 0.0 if stopped in {"flood", "disk"} else limits.grace_s
            processes.end(child.pid, command.marker, grace_s=grace)
        ended = _collect(child, stopped, began)
        return ended
    finally:
        if ended is None or processes.may_have_left():
            processes.end(child.pid, command.marker, grace_s=0)
        if ended is None:
            _collect(child, "interrupt", began)
        processes.forget(child.pid)


def _collect(child: subprocess.Popen[bytes], stopped: str, began: float) -> Ended:
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except ChildProcessError:
        return Ended(exit_code=-1, stopped=stopped, wall_s=time.monotonic() - began)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        exit_code=child.returncode,
        stopped=stopped,
        wall_s=time.monotonic() - began,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_rss_mb=usage.ru_maxrss / 1024,
    )


class _Watch:
    """Waits for a child's end without reaping it, and says what else happened first."""

    def __init__(
        self,
        pid: int,
        logs: tuple[IO[bytes], IO[bytes]],
        limits: Limits,
        stop: threading.Event,
        began: float,
    ) -> None:
        self.pid, self.logs, self.limits, self.stop, self.began = pid, logs, limits, stop, began
        self.disk_at = began + _DISK_EVERY_S

    def until_ended(self) -> str:
        """Return "" once the child has ended, or why it has to be ended."""
        handle = _handle(self.pid)
        wait = _POLL_FIRST_S
        try:
            while not _over(self.pid, handle, self._patience(wait)):
                if why := self._why():
                    return why
                wait = min(_POLL_S, 2 * wait)
            return "flood" if self._flooded() else ""
        finally:
            if handle is not None:
                os.close(handle)

    def _patience(self, wait: float) -> float:
        return max(0.0, min(wait, self.began + self.limits.time_s - time.monotonic()))

    def _why(self) -> str:
        now = time.monotonic()
        if self.stop.is_set():
            return "interrupt"
        if now >= self.began + self.limits.time_s:
            return "time"
        if self._flooded():
            return "flood"
        if now >= self.disk_at:
            self.disk_at = now + _DISK_EVERY_S
            if free_mb(self.logs[0].fileno()) < self.limits.disk_floor_mb:
                return "disk"
        return ""

    def _flooded(self) -> bool:
        cap = self.limits.log_mb * 2**20
        return any(os.fstat(log.fileno()).st_size > cap for log in self.logs)


def free_mb(path: Path | int) -> float:
    """Return the free space of the file system that holds a path or an open file, in MiB."""
    return shutil.disk_usage(path).free / 2**20


def _handle(pid: int) -> int | None:
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):
            return os.pidfd_open(pid)
    return None


def _over(pid: int, handle: int | None, wait: float) -> bool:
    if handle is not None:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        return bool(poller.poll(wait * 1000))
    time.sleep(min(wait, 0.005))
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, pid, flags) is not None


def signal_name(exit_code: int) -> str:
    """Return the signal that an exit code stands for, or "" (sh answers 128 + n for signal n)."""
    number = -exit_code if exit_code < 0 else exit_code - 128
    with suppress(ValueError):
        return signal.Signals(number).name
    return ""
