"""Which optimizers stepped, which of them are one, and what each was set to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from repcheck.analysis import curves
from repcheck.analysis.arrays import digest
from repcheck.observation import OptimizerSeen, Scalar
from repcheck.records import TEXT_CAP, Event, Ints, ProcessRecord, Table, finite, whole

MOST_FIELDS = 40
MOST_RANGES = 1_000
MOST_OTHERS = 20
SHARED = 0.5
LOW = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Optimizers that held the same parameters: their serials, elements, and counted steps.

    `at` are places in the table of steps. `first` and `last` are the places between which any of
    them stepped.
    """

    serials: tuple[int, ...]
    elements: int
    at: Ints
    first: int
    last: int


def clusters_of(record: ProcessRecord, steps: Table) -> tuple[Cluster, ...]:
    """Return the optimizers that stepped, the one with most elements first.

    Of equal ones the one with more steps is first, then the later one.
    """
    order = np.argsort(steps["opt"], kind="stable")
    used, begins = np.unique(steps["opt"][order], return_index=True)
    places = dict(zip(used.tolist(), np.split(order, begins[1:]), strict=True)) if len(used) else {}
    told = _told(record)
    groups: list[list[int]] = []
    for serial in sorted(places):
        fit = next(
            (group for group in groups if any(_overlap(told, serial, other) for other in group)),
            None,
        )
        if fit is None:
            groups.append([serial])
        else:
            fit.append(serial)
    found = [_cluster(told, group, places) for group in groups]
    found.sort(key=lambda one: (one.elements, len(one.at), one.last), reverse=True)
    return tuple(found)


def _told(record: ProcessRecord) -> dict[int, Event]:
    told: dict[int, Event] = {}
    for event in record.of("optimizer"):
        serial = event.count("i")
        if serial is not None:
            told.setdefault(serial, event)
    return told


def _cluster(told: Mapping[int, Event], group: list[int], places: Mapping[int, Ints]) -> Cluster:
    at = _one_after_the_other([places[serial] for serial in group])
    return Cluster(
        serials=tuple(group),
        elements=max(_elements(told.get(serial)) for serial in group),
        at=at,
        first=min(int(places[serial][0]) for serial in group),
        last=max(int(places[serial][-1]) for serial in group),
    )


def _one_after_the_other(places: list[Ints]) -> Ints:
    """Return the steps of all, but of those that step at the same time only the busiest one's.

    An optimizer that wraps another is seen twice at each step.
    """
    counted: list[Ints] = []
    for mine in sorted(places, key=len, reverse=True):
        if not any(mine[0] < other[-1] and other[0] < mine[-1] for other in counted):
            counted.append(mine)
    return np.sort(np.concatenate(counted))


def _elements(event: Event | None) -> int:
    groups = event.items("groups", 50) if event else []
    return sum(_size(group) for group in groups)


def _size(group: object) -> int:
    return (whole(group.get("n")) or 0) if isinstance(group, dict) else 0


def _overlap(told: Mapping[int, Event], one: int, other: int) -> bool:
    mine, theirs = _ranges(told.get(one)), _ranges(told.get(other))
    smaller = min(sum(b - a + 1 for a, b in ranges) for ranges in (mine, theirs))
    shared = sum(max(0, min(b, d) - max(a, c) + 1) for a, b in mine for c, d in theirs)
    return smaller > 0 and shared >= SHARED * smaller


def _ranges(event: Event | None) -> list[tuple[int, int]]:
    found = []
    for pair in event.items("params", MOST_RANGES) if event else []:
        ends = [whole(end) for end in pair] if isinstance(pair, list) else []
        if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] <= ends[1]:
            found.append((ends[0], ends[1]))
    return found


def optimizer_seen(
    record: ProcessRecord, steps: Table, cluster: Cluster, samples: Ints
) -> OptimizerSeen:
    """Return what an optimizer was set to, with its learning rates by step.

    `samples` are the training samples seen up to each of its steps.
    """
    told = _told(record)
    shown = max(cluster.serials, key=lambda serial: (serial in told, serial))
    event = told.get(shown, Event(kind="optimizer", t=0.0, step=0))
    groups, changed = _settings(record, cluster)
    fields = _fields(max(groups, key=_size)) if groups else {}
    lr = np.asarray(steps[_column(groups)][cluster.at], np.float64)
    known = lr[np.isfinite(lr)]
    peak = float(known.max(initial=0.0))
    ordinal = np.arange(1, len(lr) + 1, dtype=np.int64)
    return OptimizerSeen(
        cls=event.text("cls") or "unknown",
        steps=len(cluster.at),
        elements=cluster.elements,
        groups=event.count("ngroups") or len(groups),
        fields=fields,
        no_decay_share=_no_decay(groups),
        changed=changed,
        peak_lr=peak,
        first_lr=float(known[0]) if len(known) else 0.0,
        last_lr=float(known[-1]) if len(known) else 0.0,
        distinct_lrs=len(np.unique(known)),
        lr=curves.thinned(ordinal, samples, lr),
        lr_digest=digest(lr),
        low_lr_share=float((known < LOW * peak).mean()) if len(known) else 0.0,
    )


def _column(groups: list[dict[str, Any]]) -> str:
    """Return which learning rate was written down for the largest group."""
    largest = max(range(len(groups)), key=lambda at: _size(groups[at])) if groups else 0
    return "lr_last" if 0 < largest == len(groups) - 1 else "lr"


def _settings(
    record: ProcessRecord, cluster: Cluster
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the groups as they were after the first step, and the fields that changed later."""
    states: list[tuple[int, list[dict[str, Any]]]] = []
    for event in record.of("optimizer", "groups"):
        if event.count("i") in cluster.serials:
            groups = [group for group in event.items("groups", 50) if isinstance(group, dict)]
            if groups:
                states.append((event.step, groups))
    if not states:
        return [], ()
    begin = min(step for step, _ in states) + 1
    early = [groups for step, groups in states if step <= max(begin, 1)]
    settled = early[-1]
    changed: dict[str, None] = {}
    for step, groups in states:
        if step > max(begin, 1):
            for before, after in zip(settled, groups, strict=False):
                old, new = _fields(before), _fields(after)
                changed |= dict.fromkeys(key for key in new if new[key] != old.get(key))
    return settled, tuple(sorted(changed))[:MOST_FIELDS]


def _fields(group: Mapping[str, Any]) -> dict[str, Scalar | tuple[float, ...]]:
    found: dict[str, Scalar | tuple[float, ...]] = {}
    for name, value in group.items():
        if name in {"n", "tensors", "lr", "params"} or len(found) >= MOST_FIELDS:
            continue
        if value is None or isinstance(value, bool):
            found[name[:TEXT_CAP]] = value
        elif isinstance(value, str):
            found[name[:TEXT_CAP]] = value[:TEXT_CAP]
        elif isinstance(value, list):
            numbers = [finite(item) for item in value[:8]]
            if all(number is not None for number in numbers):
                found[name[:TEXT_CAP]] = tuple(number for number in numbers if number is not None)
        elif (number := finite(value)) is not None:
            found[name[:TEXT_CAP]] = number
    return found


def _no_decay(groups: list[dict[str, Any]]) -> float:
    """Return the share of elements without weight decay, where others have some."""
    decays = [(finite(group.get("weight_decay")) or 0.0, _size(group)) for group in groups]
    total = sum(size for _, size in decays)
    if total == 0 or not any(decay for decay, _ in decays):
        return 0.0
    return sum(size for decay, size in decays if not decay) / total
