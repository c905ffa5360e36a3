"""Runs on this machine, `--jobs` at a time, each supervised by a thread of this process."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from repcheck import launch
from repcheck.executor import Kind, Options, Progress, Tally, executor
from repcheck.machine import lock, processes
from repcheck.machine.artifact import snapshot
from repcheck.machine.environment import interpreter
from repcheck.plan import Plan
from repcheck.record import Record, run_of
from repcheck.runs import Run, Runs, RunSpec, Status
from repcheck.store import SNAPSHOTS, Attempt, Store, clear, mended
from repcheck.supervise import Surroundings, need_room, reread, supervise

_WAIT_S = 0.2


@executor("local")
def execute(plan: Plan, store: Store, options: Options, progress: Progress) -> Runs:
    """Make all runs of a plan that have no result yet; return every result in the plan's order.

    Runs that `budget.max_minutes` did not allow to begin are missing from what is returned.

    Raises:
        RepcheckError: if the store or the artifact cannot be used; what is finished is kept.
        KeyboardInterrupt: on Ctrl-C, SIGTERM or SIGHUP, after every child has been ended.
    """
    store.keep_plan(plan)
    python = interpreter(options.python)
    tally = Tally(plan, options.jobs, progress)
    found: dict[str, Run] = {}
    pending = deque(_reuse(plan, store, options, tally, found))
    if pending and plan.tree is not None:
        processes.adopt_orphans()
        with mended(store.root):
            tree = snapshot(plan.tree, store.root / SNAPSHOTS)
        if options.probe:
            launch.warm()
        around = Surroundings(tree=tree, python=python, limits=options.limits, probe=options.probe)
        crew = _Crew(store, around, tally, pending, _deadline(plan))
        crew.work(max(1, options.jobs))
        found |= crew.found
        processes.reap_orphans()
    return tuple(found[spec.key] for spec in plan.runs if spec.key in found)


def _deadline(plan: Plan) -> float:
    return float("inf") if plan.max_minutes is None else time.monotonic() + 60 * plan.max_minutes


def _reuse(
    plan: Plan, store: Store, options: Options, tally: Tally, found: dict[str, Run]
) -> Iterator[RunSpec]:
    """Collect the results there are and yield what has to be run."""
    for spec in plan.runs:
        result = store.result(spec.key)
        if result is None or _again(spec, store, result, options):
            yield spec
            continue
        found[spec.key] = finished(store, spec, result)
        tally.tell(Kind.REUSED, spec, found[spec.key])


def _again(spec: RunSpec, store: Store, result: Record, options: Options) -> bool:
    if options.rerun == "none":
        return False
    if options.rerun == "failed":
        read = reread(spec, result, store.folder(spec.key) / f"a{result.attempt}")
        if read.status is Status.OK:
            return False
    store.set_aside(spec.key, result.attempt)
    return True


def finished(store: Store, spec: RunSpec, record: Record) -> Run:
    """Return a stored result as a run, its metrics read as the specification now says."""
    folder = store.folder(spec.key) / f"a{record.attempt}"
    return run_of(
        spec,
        reread(spec, record, folder),
        attempts=store.attempts(spec.key),
        directory=store.place(record),
        observation=launch.observed(folder, record),
    )


class _Crew:
    """The threads that work on one queue, and what they share."""

    def __init__(
        self,
        store: Store,
        around: Surroundings,
        tally: Tally,
        pending: deque[RunSpec],
        deadline: float,
    ) -> None:
        self.store, self.around, self.tally = store, around, tally
        self.pending, self.deadline = pending, deadline
        self.found: dict[str, Run] = {}
        self.held: set[Attempt] = set()
        self.awaited: set[str] = set()
        self.failure: BaseException | None = None
        self.working = 1
        self.counting = threading.Lock()
        self.over = threading.Event()
        # Short, so that the copies of a large artifact do not pile up.
        self.rubbish: queue.Queue[Path | None] = queue.Queue(2)
        self.clean = threading.Event()

    def work(self, jobs: int) -> None:
        """Start the threads, keep the heartbeat, and end everything on an interruption."""
        interrupted = False
        cleaner = threading.Thread(target=self._clean, name="repcheck-clean", daemon=True)
        cleaner.start()
        with processes.interruptible():
            try:
                self._start(min(jobs, len(self.pending)))
                self._watch()
            except KeyboardInterrupt:
                interrupted = True
                self.around.stop.set()
            while not self.over.is_set():
                with suppress(KeyboardInterrupt):
                    self._watch()
            self.rubbish.put(None)
            self.clean.wait()
        if interrupted:
            raise KeyboardInterrupt
        if self.failure is not None:
            raise self.failure

    def _start(self, count: int) -> None:
        try:
            for number in range(count):
                thread = threading.Thread(
                    target=self._worker, name=f"repcheck-run-{number}", daemon=True
                )
                self.count(1)
                thread.start()
        finally:
            self.count(-1)  # the starter itself, so that no early end is taken for the last

    def count(self, change: int) -> None:
        """Count the threads at work; the last one to leave ends the watch."""
        with self.counting:
            self.working += change
            if self.working == 0:
                self.over.set()

    def _watch(self) -> None:
        # Not Thread.join: one that a signal interrupts takes the thread for ended (Python 3.11).
        beat = time.monotonic() + lock.BEAT_S
        while not self.over.wait(_WAIT_S):
            if time.monotonic() >= beat:
                beat = time.monotonic() + lock.BEAT_S
                for attempt in tuple(self.held):
                    lock.beat(attempt.lock)

    def _worker(self) -> None:
        with _Carrying(self):
            while not self.around.stop.is_set():
                try:
                    spec = self.pending.popleft()
                except IndexError:
                    break
                self._one(spec)

    def fail(self, error: BaseException) -> None:
        """Remember what a thread died of, to be raised in the main one, and stop the others."""
        self.failure = self.failure or error
        self.around.stop.set()

    def _clean(self) -> None:
        """Remove the copies of ended attempts while the next ones are being made."""
        while (folder := self.rubbish.get()) is not None:
            clear(folder)
        self.clean.set()

    def _one(self, spec: RunSpec) -> None:
        need_room(self.store.root, self.around.limits)
        in_time = time.monotonic() < self.deadline
        attempt = self.store.claim(spec) if in_time else None
        if attempt is None:
            result = self.store.result(spec.key)
            if result is not None:
                self._keep(Kind.REUSED, spec, finished(self.store, spec, result))
            elif in_time:
                self._wait_for(spec)
            else:
                self.tally.tell(Kind.OUT_OF_TIME, spec)
            return
        self.tally.tell(Kind.STARTED, spec)
        self.held.add(attempt)
        try:
            result = self.store.finish(attempt, supervise(spec, attempt, self.around))
            # The result is safe by now; the files it opened are hashed before the copy goes.
            ended = not result.status.infrastructure
            run = finished(self.store, spec, result) if ended else None
        finally:
            self.held.discard(attempt)
            lock.release(attempt.lock)
            self.rubbish.put(attempt.folder)
        if run is not None:
            self._keep(Kind.FINISHED, spec, run)

    def _wait_for(self, spec: RunSpec) -> None:
        """Put a run that another repcheck makes at the end of the queue."""
        if spec.key not in self.awaited:
            self.awaited.add(spec.key)
            self.tally.tell(Kind.WAITING, spec)
        self.pending.append(spec)
        if all(other.key in self.awaited for other in tuple(self.pending)):
            self.around.stop.wait(_WAIT_S)

    def _keep(self, kind: Kind, spec: RunSpec, run: Run) -> None:
        self.found[spec.key] = run
        self.tally.tell(kind, spec, run)


class _Carrying:
    """A thread's work: it is counted out however it ends, and its error goes to the main thread."""

    def __init__(self, crew: _Crew) -> None:
        self.crew = crew

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is not None:
            self.crew.fail(error)
        self.crew.count(-1)
        return True
