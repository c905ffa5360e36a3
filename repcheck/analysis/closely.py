"""What single calls of modules cost, and what one forward of each trained module did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from repcheck.analysis.processes import Job, Process
from repcheck.analysis.roots import Root, roots_of
from repcheck.observation import FlopsSeen, NetworkSeen, OpSeen, Scalar
from repcheck.records import Event, finite, whole

MOST = 500
MOST_OPS = 4_000
MOST_PARTS = 40
MOST_SIZES = 16
NAME = 200

Numbers = Mapping[tuple[int, int], int]
Key = tuple[int, str, int, tuple[int, ...]]


def flops_of(processes: tuple[Process, ...], jobs: tuple[Job, ...]) -> tuple[FlopsSeen, ...]:
    """Return what calls cost, the mean where calls of one shape were looked at more than once.

    `root` is the number of the module in `Observation.models`; `shape` leaves out the rows. Of
    ranks that train together the first one's calls stand for all.
    """
    numbers = numbers_of(processes, jobs)
    alike: dict[Key, list[tuple[Root, Event]]] = {}
    for process in _told(processes, jobs):
        roots = roots_of(process)
        phases = _Phases(process)
        for event in process.record.of("flops"):
            root = roots.get(event.count("root") or 0)
            if root is None or (process.number, root.id) not in numbers:
                continue
            sizes = _sizes(event)
            number = numbers[process.number, root.id]
            key = (number, phases.of(event), event.count("rows") or 0, sizes[1:])
            alike.setdefault(key, []).append((root, event))
    found = [_flops(key, looks) for key, looks in alike.items()]
    return tuple(sorted(found, key=lambda one: (one.root, one.phase, -one.rows))[:MOST])


def numbers_of(processes: tuple[Process, ...], jobs: tuple[Job, ...]) -> dict[tuple[int, int], int]:
    """Return each module's number in `Observation.models`, by process and root."""
    found: dict[tuple[int, int], int] = {}
    for process in _told(processes, jobs):
        for root in roots_of(process).values():
            if root.params:
                found[process.number, root.id] = len(found)
    return found


def _told(processes: tuple[Process, ...], jobs: tuple[Job, ...]) -> Iterator[Process]:
    peers = {rank.number for job in jobs for rank in job.ranks[1:]}
    return (process for process in processes if process.number not in peers)


def _sizes(event: Event) -> tuple[int, ...]:
    sizes = (whole(size) for size in event.items("shape", MOST_SIZES))
    return tuple(size for size in sizes if size is not None)


class _Phases:
    """Tells teachers, which were forwarded within training steps, from what was evaluated."""

    def __init__(self, process: Process) -> None:
        self.aux = {event.count("root") for event in process.record.of("aux")}
        self.evaluated: dict[int, set[int]] = {}
        for event in process.record.of("eval"):
            for root in event.counts("roots"):
                self.evaluated.setdefault(root, set()).add(event.count("at") or 0)

    def of(self, event: Event) -> str:
        root = event.count("root")
        if event.text("phase") == "train":
            return "train"
        if root is None or root not in self.aux:
            return "eval"
        evaluated = self.evaluated.get(root, set())
        return "eval" if (event.count("at") or 0) in evaluated else "teacher"


def _flops(key: Key, looks: list[tuple[Root, Event]]) -> FlopsSeen:
    events = [event for _, event in looks]
    matrix = sum(event.count("matrix") or 0 for event in events)
    counted = sum(event.count("counted") or 0 for event in events)
    number, phase, rows, shape = key
    return FlopsSeen(
        root=number,
        cls=looks[0][0].cls,
        phase="train" if phase == "train" else "teacher" if phase == "teacher" else "eval",
        rows=rows,
        shape=shape,
        forward=_mean(events, "forward"),
        backward=_mean(events, "backward"),
        recompute=_mean(events, "recompute"),
        optimizer=_mean(events, "optimizer"),
        elementwise=_mean(events, "elementwise"),
        coverage=min(1.0, counted / matrix) if matrix else 1.0,
        uncounted=_uncounted(events),
    )


def _mean(events: list[Event], name: str) -> float:
    """Return the mean of a cost over all calls that the events stand for."""
    calls = [max(1, event.count("calls") or 1) for event in events]
    costs = (max(0.0, event.number(name) or 0.0) for event in events)
    return sum(cost * n for cost, n in zip(costs, calls, strict=True)) / sum(calls)


def _uncounted(events: Iterable[Event]) -> dict[str, int]:
    found: dict[str, int] = {}
    for event in events:
        for name, about in list(event.mapping("uncounted").items())[:MOST_PARTS]:
            calls = whole(about[0]) if isinstance(about, list) and about else None
            if calls:
                found[name[:NAME]] = found.get(name[:NAME], 0) + calls
    return found


def networks_of(processes: tuple[Process, ...], jobs: tuple[Job, ...]) -> tuple[NetworkSeen, ...]:
    """Return what one forward of each trained module did, `root` numbered as in the models."""
    numbers = numbers_of(processes, jobs)
    found = []
    for process in _told(processes, jobs):
        roots = roots_of(process)
        parts: dict[int, list[Event]] = {}
        for event in process.record.of("network"):
            number = event.count("root")
            if number is not None and (process.number, number) in numbers:
                parts.setdefault(number, []).append(event)
        found += [
            _network(numbers[process.number, number], roots[number], events)
            for number, events in parts.items()
        ]
    return tuple(found[:MOST])


def _network(number: int, root: Root, events: list[Event]) -> NetworkSeen:
    first = events[0]
    whole_list = [event.count("part") for event in events] == list(range(first.count("parts") or 0))
    told = [item for event in events for item in event.items("ops", MOST_OPS)]
    ops = [op for at, item in enumerate(told[:MOST_OPS]) if (op := _op(item, at)) is not None]
    return NetworkSeen(
        root=number,
        cls=root.cls,
        params=first.count("params") or 0,
        trainable=first.count("trainable") or 0,
        shape=_sizes(first)[1:],
        ops=tuple(ops),
        digest=first.text("digest") if whole_list else "",
        cut=first.flag("cut") is not False
        or not whole_list
        or len(ops) < len(told)
        or any(_impossible(item, at) for at, item in enumerate(told[:MOST_OPS])),
    )


def _impossible(item: object, at: int) -> bool:
    """Return whether an operation takes what none before it gave, or has no possible size."""
    if not isinstance(item, dict):
        return True
    event = Event(kind="op", t=0.0, step=0, fields=item)
    taken = event.items("inputs", NAME)
    sizes = (*event.items("shape", MOST_SIZES), item.get("params", 0))
    return any(not isinstance(one, int) or not -1 <= one < at for one in taken) or any(
        whole(size) is None for size in sizes
    )


def _op(item: object, at: int) -> OpSeen | None:
    """Return one operation; None for what is none. It can only take what earlier ones gave."""
    if not isinstance(item, dict):
        return None
    event = Event(kind="op", t=0.0, step=0, fields=item)
    inputs = [one for one in event.items("inputs", NAME) if isinstance(one, int)]
    sizes = [whole(size) for size in event.items("shape", MOST_SIZES)]
    return OpSeen(
        op=event.text("op")[:NAME],
        module=event.text("module"),
        cls=event.text("cls")[:NAME],
        inputs=tuple(int(one) for one in inputs if -1 <= one < at),
        shape=tuple(size for size in sizes if size is not None),
        params=event.count("params") or 0,
        parts={
            name[:NAME]: value
            for name, raw in list(event.mapping("parts").items())[:MOST_PARTS]
            if (value := _part(raw)) is not None
        },
    )


def _part(raw: object) -> Scalar | tuple[float, ...]:
    """Return a number, a text or several numbers; None for anything else."""
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        return raw[:NAME]
    if isinstance(raw, list):
        numbers = [finite(one) for one in raw[:MOST_PARTS]]
        return tuple(one for one in numbers if one is not None)
    exact = whole(raw)
    return finite(raw) if exact is None else exact
