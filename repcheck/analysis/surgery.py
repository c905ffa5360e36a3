"""How often each change applied that repcheck itself made in the running processes."""

from __future__ import annotations

from collections.abc import Sequence

from repcheck.analysis.processes import Process
from repcheck.observation import SurgerySeen

MOST = 100


def surgery_of(processes: Sequence[Process]) -> tuple[SurgerySeen, ...]:
    """Return every change that was asked for: the times of all processes, the places of one.

    A process that trains and one that evaluates meet the same places.
    """
    found: dict[int, SurgerySeen] = {}
    for process in processes:
        last = {event.count("i"): event for event in process.record.of("surgery")}
        for number, event in last.items():
            if number is None or (number not in found and len(found) >= MOST):
                continue
            kind, what = event.text("kind"), event.text("what")
            known = found.get(number, SurgerySeen(kind=kind, what=what))
            found[number] = SurgerySeen(
                kind=known.kind,
                what=known.what,
                times=known.times + (event.count("times") or 0),
                places=max(known.places, event.count("places") or 0),
            )
    return tuple(found[number] for number in sorted(found))
