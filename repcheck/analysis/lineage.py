"""Which training made the values that were evaluated, and which steps were undone."""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from repcheck.analysis.passes import Pass
from repcheck.analysis.processes import Job, Process
from repcheck.analysis.roots import Root, evaluations, roots_of
from repcheck.analysis.samples import step_offset
from repcheck.records import TRAIN, Event

ENDLESS = 2**62
IN_MEMORY = ("deepcopy", "copy", "state_dict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What trained an evaluated model: rows of these roots (None: all) in a window of steps."""

    job: Job
    roots: frozenset[int] | None
    after: int
    until: int


class Lineage:
    """Knows the trained modules of every job, and when their values were put back."""

    def __init__(self, processes: tuple[Process, ...], jobs: tuple[Job, ...]) -> None:
        self.processes = processes
        self.jobs = jobs
        self._roots = {process.number: roots_of(process) for process in processes}
        self._windows = {job.chief.number: _windows(job.chief) for job in jobs}
        self._sources = {job.chief.number: _sources(job.chief) for job in jobs}
        self._restores = {job.chief.number: restores(job.chief) for job in jobs}

    def past(self, one: Pass) -> Past | None:
        """Return what trained the values of a pass; None where that cannot be told."""
        job = next((job for job in self.jobs if one.process in job.ranks), None)
        if job is None:
            job = self._origin(one.process)
            return None if job is None else self._window(job, None, ENDLESS, ENDLESS)
        trained = self.trained(job)
        if len(trained) <= 1:
            return self._window(job, None, one.at, one.begin)
        sources = self._sources[job.chief.number]
        found: set[int] = set()
        for root in one.roots:
            mine = _trained_as(root, trained, sources, self._roots[job.chief.number])
            if mine is None:
                return None
            found.add(mine)
        return self._window(job, frozenset(found), one.at, one.begin) if found else None

    def trained(self, job: Job) -> frozenset[int]:
        """Return the modules that were trained through, else those that an optimizer holds."""
        found = frozenset(self._windows[job.chief.number])
        if found:
            return found
        roots = self._roots[job.chief.number]
        return frozenset(number for number, root in roots.items() if root.in_opt > 0)

    def _window(self, job: Job, roots: frozenset[int] | None, at: int, moment: float) -> Past:
        back = self._restores[job.chief.number]
        after = max((event.step for event in back if event.t <= moment), default=0)
        windows = self._windows[job.chief.number]
        known = [windows[root] for root in roots or () if root in windows]
        if roots and len(known) == len(roots):
            after = max(after, min(begin for begin, _ in known))
            at = min(at, max(end for _, end in known))
        return Past(job=job, roots=roots, after=after, until=at)

    def _origin(self, process: Process) -> Job | None:
        """Return the one training whose result a process without training may have loaded."""
        before = [job for job in self.jobs if job.chief.began <= process.began]
        wanted = {path_of(process, event.text("what")) for event in process.record.of("load")}
        writers = [job for job in before if wanted & _written(job)]
        chosen = writers or before
        return chosen[0] if len(chosen) == 1 else None


def _windows(process: Process) -> dict[int, tuple[int, int]]:
    """Return between which steps each root was trained through, as far as rows were hashed."""
    headers = process.record.rows.headers
    trained = headers[headers["layer"] == TRAIN]
    offset = step_offset(process)
    found = {}
    for root in np.unique(trained["id"]).tolist():
        steps = trained["step"][trained["id"] == root]
        found[root] = int(steps.min()) + offset - 1, int(steps.max()) + offset
    return found


def _sources(process: Process) -> dict[int, int]:
    """Return of which root each averaged or copied root is."""
    found = {}
    for event in process.record.of("avg", "copy"):
        copy, source = event.serial("root"), event.count("src")
        if copy is not None and source is not None:
            found[copy] = source
    return found


def _trained_as(
    root: Root, trained: frozenset[int], sources: Mapping[int, int], roots: Mapping[int, Root]
) -> int | None:
    if root.id in trained:
        return root.id
    if sources.get(root.id) in trained:
        return sources[root.id]
    alike = [one for one in trained if one in roots and roots[one].cls == root.cls]
    return alike[0] if len(alike) == 1 else None


def path_of(process: Process, what: str) -> str:
    """Return a path as the process that named it would find it, "" for what is no path."""
    if not what or "\0" in what or what.startswith("<"):
        return ""
    return os.path.normpath(PurePosixPath(process.cwd or "/") / what)


def _written(job: Job) -> set[str]:
    return {path for rank in job.ranks for path in written(rank)} - {""}


def written(process: Process) -> Iterator[str]:
    """Yield the files that a process wrote, as far as its probe saw."""
    for event in process.record.of("save", "open"):
        if event.kind == "save":
            yield path_of(process, event.text("what"))
        elif event.flag("w"):
            yield path_of(process, event.text("p"))


def restores(process: Process) -> tuple[Event, ...]:
    """Return the loads that put back the values from before the first step.

    Only where that is provable: the state that was loaded had been saved before the first step.
    """
    saved: dict[str, int] = {}
    copied: set[int] = set()
    source: Event | None = None
    found = []
    for event in process.record.of("save", "load", "load_state"):
        path = path_of(process, event.text("what"))
        if event.kind == "load":
            source = event
        elif event.kind == "save":
            if any(word in event.text("how").lower() for word in IN_MEMORY) or not path:
                copied.add(event.step)
            else:
                saved[path] = event.step
        elif not event.flag("optimizer") and event.step and event.number("changed") != 0.0:
            if source is not None and source.step == event.step:
                first = saved.get(path_of(process, source.text("what"))) == 0
            else:
                first = copied == {0}
            found += [event] * first
            source = None
    return tuple(found)


def undone(process: Process) -> int:
    """Return how many steps at the beginning were taken back before anything came of them.

    A search for a learning rate does so: it saves, steps, and loads what it saved. Where weights
    were evaluated or saved in between, the steps count.
    """
    back = next((event.step for event in restores(process)), 0)
    if not back or not process.steps or int(process.record.steps["step"][-1]) <= back:
        return 0
    evaluated = any(0 < (event.count("at") or 0) <= back for event in evaluations(process))
    saved = any(0 < event.step <= back for event in process.record.of("save"))
    return 0 if evaluated or saved else back
