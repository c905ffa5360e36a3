"""A process and everything it ever started: how they are found again, and ended.

A run's processes are known by a marker in their environment, by their session and by descent.
On Linux repcheck adopts orphans (PR_SET_CHILD_SUBREAPER), so that a child that left its session
and lost its parents is still below us. Elsewhere only the process group is ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

MARKER = "REPCHECK_RUN"
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_DYING_S = 0.5
_lock = threading.Lock()
_ours: set[int] = set()
_adopting = False


@dataclass(frozen=True, slots=True)
class Process:
    """One living process, as /proc shows it; `started` in clock ticks since boot."""

    pid: int
    parent: int
    session: int
    state: str
    started: int


def adopt_orphans() -> None:
    """Become the parent of every orphan below this process (Linux; elsewhere nothing happens)."""
    global _adopting  # it is a property of the process
    if _adopting or not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None, use_errno=True)
        library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _adopting = True


@contextmanager
def interruptible() -> Iterator[None]:
    """Treat a termination like Ctrl-C, so that no child survives it."""

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's signature
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def register(pid: int) -> None:
    """Remember a child that its own supervisor waits for."""
    with _lock:
        _ours.add(pid)


def forget(pid: int) -> None:
    """Forget a child that was waited for."""
    with _lock:
        _ours.discard(pid)


def active() -> int:
    """Return how many registered children there are."""
    with _lock:
        return len(_ours)


def describe(pid: int) -> Process | None:
    """Return what /proc says of a process, or None if there is none."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text[text.rfind(")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[3]), fields[0], int(fields[19]))


def start_time(pid: int) -> int:
    """Return when a process started, in ticks since boot; 0 if it is gone or this is not Linux."""
    found = describe(pid)
    return 0 if found is None or found.state in "ZX" else found.started


def marker_of(pid: int) -> str | None:
    """Return the run marker in a process's environment; "" if it has none, None if unreadable."""
    try:
        content = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    for item in content.split(b"\0"):
        name, _, value = item.partition(b"=")
        if name == MARKER.encode():
            return value.decode(errors="replace")
    return ""


def _all() -> list[Process]:
    if not _PROC.is_dir():
        return []
    with os.scandir(_PROC) as items:
        pids = [int(item.name) for item in items if item.name.isdigit()]
    return [found for pid in pids if (found := describe(pid)) is not None]


def _children() -> set[int]:
    """Return the pids of the first thread's children; empty where /proc cannot tell."""
    try:
        # Orphans are given to the first thread; a thread's own children are registered.
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:  # noqa: PTH123
            return set(map(int, file.read().split()))
    except OSError:
        return set()


def strangers() -> set[int]:
    """Return our children that nobody waits for: orphans we adopted (or a host program's own)."""
    children = _children()
    if not children:
        return children
    with _lock:
        return children - _ours


def may_have_left() -> bool:
    """Return whether an ended run may have left processes; without /proc nobody can tell."""
    if not _adopting:
        return True
    found = (describe(pid) for pid in strangers())
    return any(process is not None and process.state not in "ZX" for process in found)


def kill_marked(marker: str) -> None:
    """Kill every process of a run whose repcheck died."""
    for _ in range(100):
        found = [p for p in _all() if p.state not in "ZX" and marker_of(p.pid) == marker]
        if not found:
            return
        _signal(found, signal.SIGKILL)
        time.sleep(0.005)


def belonging(root: int, marker: str) -> list[Process]:
    """Return every living process of one run: marked, of its session, or below one of these."""
    everyone = _all()
    alone = active() <= 1
    here = os.getpid()
    mine = {root}
    for process in everyone:
        if process.pid == here or process.state in "ZX":
            continue
        if process.session == root or _says(
            process, marker, alone=alone and process.parent == here
        ):
            mine.add(process.pid)
    while grown := {p.pid for p in everyone if p.parent in mine and p.pid not in mine}:
        mine |= grown
    mine.discard(here)
    return [process for process in everyone if process.pid in mine and process.state not in "ZX"]


def _says(process: Process, marker: str, *, alone: bool) -> bool:
    said = marker_of(process.pid)
    if said == marker:
        return True
    # An orphan that emptied its environment: ours if no other run could have made it.
    return alone and said == "" and process.pid not in _ours and process.session != os.getsid(0)


def end(root: int, marker: str, *, grace_s: float) -> None:
    """End a run's whole tree: TERM, a grace period, then KILL until nothing is left."""
    doomed: set[int] = set()
    if grace_s > 0:
        found = belonging(root, marker)
        _remember(found, doomed)
        _signal_all(root, found, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and belonging(root, marker):
            time.sleep(0.02)
    while left := belonging(root, marker):
        # Stopped first, so that none of them starts another while we look.
        _signal(left, signal.SIGSTOP)
        found = belonging(root, marker)
        _signal(found, signal.SIGKILL)
        _remember(found, doomed)
        time.sleep(0.002)
    _signal_group(root, signal.SIGKILL)
    _reap(doomed - {root})


def _remember(found: list[Process], doomed: set[int]) -> None:
    """Note whom to collect; a leader that ended at once left its session's number and a zombie."""
    own = os.getsid(0)
    for process in found:
        doomed |= {process.pid} if process.session == own else {process.pid, process.session}


def reap_orphans() -> None:
    """Collect adopted children that ended by themselves.

    A program that embeds repcheck starts its children in its own session or as session leaders;
    what is neither can only have been adopted.
    """
    own = os.getsid(0)
    for pid in strangers():
        found = describe(pid)
        if found is not None and found.state == "Z" and found.session not in {own, pid}:
            _reap([pid])


def _signal_all(root: int, found: list[Process], number: int) -> None:
    if found:
        _signal(found, number)
    else:
        _signal_group(root, number)


def _signal_group(root: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(root, number)


def _signal(found: Iterable[Process], number: int) -> None:
    for process in found:
        if process.pid in {1, os.getpid()}:
            continue
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def _reap(pids: Iterable[int]) -> None:
    """Collect children that are dying; whoever is not our child is collected by its parent."""
    deadline = time.monotonic() + _DYING_S
    for pid in pids:
        with suppress(ChildProcessError):
            while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                time.sleep(0.001)
