"""What an executor is: it makes the runs that have no result yet, and returns all results.

Each stands in one file of `executors/`. Whatever executes, the store decides what is done.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from repcheck.errors import UsageError
from repcheck.machine.child import Limits
from repcheck.plan import Plan
from repcheck.runs import Run, Runs, RunSpec, Status
from repcheck.store import Store


class Kind(StrEnum):
    """What happened to a run."""

    REUSED = "reused"
    STARTED = "started"
    FINISHED = "finished"
    WAITING = "waiting"
    OUT_OF_TIME = "out-of-time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened, with the counts after it; `eta_s` is None until it can be told.

    `waiting` means that another repcheck makes this run; `out-of-time` that `budget.max_minutes`
    is spent and it was not begun.
    """

    kind: Kind
    spec: RunSpec
    run: Run | None = None
    done: int
    failed: int
    total: int
    eta_s: float | None = None


Progress = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a plan is executed.

    `python` is the artifact's interpreter (None: repcheck's own); `rerun` makes runs again that
    failed, or all of them. `limits.time_s` is not used: each run has its own limit. `probe` puts
    one into every Python of a run; results that were made without one are used as they are.
    """

    python: Path | None = None
    jobs: int = 1
    rerun: Literal["none", "failed", "all"] = "none"
    limits: Limits = field(default_factory=Limits)
    probe: bool = True


Execute = Callable[[Plan, Store, Options, Progress], Runs]
_FOUND: dict[str, Execute] = {}


def executor(name: str) -> Callable[[Execute], Execute]:
    """Register an executor under the name that `--executor` takes."""

    def register(function: Execute) -> Execute:
        _FOUND[name] = function
        return function

    return register


def find(name: str) -> Execute:
    """Return an executor; the folder `executors/` must have been imported.

    Raises:
        UsageError: if there is none of that name.
    """
    if name not in _FOUND:
        raise UsageError(f"no executor `{name}`; there is {', '.join(sorted(_FOUND))}")
    return _FOUND[name]


def silent(event: Event) -> None:
    """Show nothing."""


class Tally:
    """Counts what is done, guesses how long the rest takes, and tells whoever listens."""

    def __init__(self, plan: Plan, jobs: int, progress: Progress) -> None:
        self.plan, self.jobs, self.progress = plan, max(1, jobs), progress
        self.done = self.failed = 0
        self._sums: dict[tuple[str, str], tuple[float, int]] = {}
        self._pending = {spec.key for spec in plan.runs}
        self._left = Counter((spec.arm, spec.dataset) for spec in plan.runs)
        self._lock = threading.Lock()

    def tell(self, kind: Kind, spec: RunSpec, run: Run | None = None) -> None:
        """Count an event and pass it on; one at a time, whatever thread it comes from."""
        with self._lock:
            if run is not None and spec.key in self._pending:
                self._count(spec, run)
            self.progress(
                Event(
                    kind=kind,
                    spec=spec,
                    run=run,
                    done=self.done,
                    failed=self.failed,
                    total=len(self.plan.runs),
                    eta_s=self._eta(),
                )
            )

    def _count(self, spec: RunSpec, run: Run) -> None:
        name = (spec.arm, spec.dataset)
        self._pending.remove(spec.key)
        self._left[name] -= 1
        self.done += 1
        self.failed += run.status is not Status.OK
        if run.status is Status.OK:
            seconds, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (seconds + run.wall_s, count + 1)

    def _eta(self) -> float | None:
        """Return the seconds left: like runs cost what like runs cost, others the mean of all."""
        measured = {name: seconds / count for name, (seconds, count) in self._sums.items()}
        means = {**self.plan.costs, **measured}
        if not means:
            return None
        overall = sum(means.values()) / len(means)
        left = sum(count * means.get(name, overall) for name, count in self._left.items())
        return left / min(self.jobs, max(1, len(self._pending)))
