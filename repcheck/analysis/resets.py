"""With which seeds environments were reset, while a method was trained and after it."""

from __future__ import annotations

from collections.abc import Sequence

from repcheck.agent_seen import ResetsSeen
from repcheck.analysis.processes import Process
from repcheck.records import Event

MOST = 40
RANGES = 500
LARGEST = 2**53


def resets_of(processes: Sequence[Process]) -> tuple[ResetsSeen, ...]:
    """Return every line that reset an environment with a seed; nothing where no step was seen.

    A process without steps evaluates where another one trained.
    """
    if not any(process.steps for process in processes):
        return ()
    found = []
    for process in processes:
        last = {event.text("site"): event for event in process.record.of("resets")}
        found += [_resets(event, process.steps) for event in last.values()]
    return tuple(found[:MOST])


def _resets(event: Event, steps: int) -> ResetsSeen:
    first, last = event.count("first") or 0, event.count("last") or 0
    return ResetsSeen(
        site=event.text("site"),
        cls=event.text("cls"),
        count=event.count("n") or 0,
        seeds=tuple(_ranges(event)),
        cut=event.flag("cut") is not False,
        during=steps > 0 and first < steps,
        after=not steps or last >= steps,
    )


def _ranges(event: Event) -> list[tuple[int, int]]:
    found = []
    for one in event.items("seeds", RANGES):
        if isinstance(one, list) and len(one) == 2:
            a, b = one
            if type(a) is int and type(b) is int and -LARGEST <= a <= b <= LARGEST:
                found.append((a, b))
    return found
