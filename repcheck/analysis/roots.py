"""The modules that were called from outside any module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from repcheck.analysis.processes import Process
from repcheck.records import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A module called from outside any module, as it was last described.

    `in_opt` is the largest share that optimizers ever held: a script may drop them when it has
    trained.
    """

    id: int
    cls: str
    params: int
    trainable: int
    in_opt: float
    device: str


def roots_of(process: Process) -> dict[int, Root]:
    """Return the modules called from outside any module, by their ids."""
    found: dict[int, Root] = {}
    for event in process.record.of("root"):
        number = event.count("id")
        if number is not None:
            before = found[number].in_opt if number in found else 0.0
            found[number] = Root(
                id=number,
                cls=event.text("cls") or "unknown",
                params=event.count("params") or 0,
                trainable=event.count("trainable") or 0,
                in_opt=min(1.0, max(before, event.number("in_opt") or 0.0)),
                device=event.text("device"),
            )
    return found


def evaluations(process: Process) -> Iterator[Event]:
    """Yield the evaluation passes; what has no parameters, a loss say, is not evaluated."""
    bare = {number for number, root in roots_of(process).items() if not root.params}
    for event in process.record.of("eval"):
        forwarded = event.counts("roots").keys()
        if event.count("n") is not None and forwarded - bare:
            yield event
