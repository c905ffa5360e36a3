"""Progress on stderr: a bar on a terminal, a line a minute elsewhere, nothing if so asked."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from repcheck.executor import Event, Kind, Progress, silent
from repcheck.visible import line

BEAT_S = 60.0
_SHOWN_TITLES = 2


@contextmanager
def shown(
    total: int, *, quiet: bool = False, bar: bool | None = None, stream: TextIO | None = None
) -> Iterator[Progress]:
    """Give the callback that shows a plan of `total` runs while the block lasts.

    `bar` None means: if the stream is a terminal. Quiet shows nothing at all.
    """
    out = sys.stderr if stream is None else stream
    if quiet or total == 0:
        yield silent
    elif out.isatty() if bar is None else bar:
        with _bar(total, out) as callback:
            yield callback
    else:
        with _heartbeat(out) as callback:
            yield callback


class _State:
    """What is going on, from the events so far."""

    def __init__(self) -> None:
        self.last: Event | None = None
        self.running: dict[str, str] = {}

    def take(self, event: Event) -> None:
        self.last = event
        if event.kind is Kind.STARTED:
            self.running[event.spec.key] = line(event.spec.title)
        else:
            self.running.pop(event.spec.key, None)

    def words(self, *, counted: bool = True) -> str:
        if self.last is None:
            return "starting"
        parts = [f"{self.last.done} of {self.last.total} runs done"] if counted else []
        if self.last.failed:
            parts.append(f"{self.last.failed} failed")
        if self.running:
            titles = list(self.running.values())
            more = ", ..." if len(titles) > _SHOWN_TITLES else ""
            parts.append(f"running {', '.join(titles[:_SHOWN_TITLES])}{more}")
        parts.insert(1 if counted else 0, left_words(self.last.eta_s))
        return "; ".join(part for part in parts if part)


def left_words(eta_s: float | None) -> str:
    """Return a remaining time in words: `about 4 min left`."""
    if eta_s is None:
        return "time left unknown"
    if eta_s <= 0:
        return ""
    return f"about {duration(eta_s)} left"


def duration(seconds: float) -> str:
    """Return seconds as a person says them: `42 s`, `7 min`, `3.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def remark(event: Event) -> str:
    """Return what deserves a line of its own: a failure, a wait, the end of the time."""
    return line(_remark(event))


def _remark(event: Event) -> str:
    if event.kind is Kind.WAITING:
        return f"{event.spec.title}: another repcheck makes this run; waiting for its result"
    if event.kind is Kind.OUT_OF_TIME:
        return f"{event.spec.title}: not begun, `budget.max_minutes` is spent"
    if event.run is None or not event.run.reason:
        return ""
    kept = " (kept from before)" if event.kind is Kind.REUSED else ""
    return f"{event.spec.title}: {event.run.status}{kept}: {event.run.reason}"


@contextmanager
def _heartbeat(out: TextIO) -> Iterator[Progress]:
    state, ended = _State(), threading.Event()

    def say(text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", file=out, flush=True)

    def callback(event: Event) -> None:
        state.take(event)
        if text := remark(event):
            say(text)

    with _every(BEAT_S, ended, lambda: say(state.words())):
        yield callback
    if state.last is not None:
        say(state.words())


@contextmanager
def _every(seconds: float, ended: threading.Event, act: Callable[[], None]) -> Iterator[None]:
    def loop() -> None:
        while not ended.wait(seconds):
            act()

    thread = threading.Thread(target=loop, name="repcheck-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _bar(total: int, out: TextIO) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    state = _State()
    columns = (
        BarColumn(bar_width=16),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=len(f"{total}/{total}"))),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
    )
    with Bar(*columns, console=Console(file=out), expand=True) as bar:
        task = bar.add_task("starting", total=total)

        def callback(event: Event) -> None:
            state.take(event)
            bar.update(task, completed=event.done, description=state.words(counted=False))
            if text := remark(event):
                bar.console.print(text, markup=False, highlight=False)

        yield callback
