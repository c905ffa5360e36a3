"""The models that were called, and weights that came from elsewhere: loads, averages, teachers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from repcheck.analysis.lineage import Lineage, path_of
from repcheck.analysis.passes import Pass
from repcheck.analysis.processes import Job, Process
from repcheck.analysis.roots import Root, roots_of
from repcheck.observation import Average, ModelSeen, Teacher, WeightLoad
from repcheck.records import Event, whole

GOOD_FIT = 0.999
SAME_DECAY = 0.01
LEAST_DECAY = 0.05
"""Below it lie copies in another precision, and networks that are set to the trained one."""
FORWARDS_A_STEP = 0.5
MOST = 500
_NUMBERS = frozenset(
    {".bin", ".h5", ".hdf5", ".npy", ".npz", ".pkl", ".pt", ".pth", ".safetensors"}
)
_STATE = ("optim", "epoch", "scheduler", "global_step", "iteration", "loops", "trainer")


def models_of(processes: tuple[Process, ...], lineage: Lineage) -> tuple[ModelSeen, ...]:
    """Return every module with parameters that was called, numbered anew over all processes."""
    found: list[ModelSeen] = []
    peers = {rank.number for job in lineage.jobs for rank in job.ranks[1:]}
    for process in processes:
        if process.number in peers:
            continue
        job = next((job for job in lineage.jobs if process is job.chief), None)
        trained = lineage.trained(job) if job else frozenset()
        found += [
            ModelSeen(
                id=len(found) + number,
                cls=root.cls,
                params=root.params,
                trainable=root.trainable,
                trained=root.id in trained,
                device=root.device,
            )
            for number, root in enumerate(
                root for root in roots_of(process).values() if root.params
            )
        ]
    return tuple(found[:MOST])


def teachers_of(job: Job, lineage: Lineage, steps: int) -> tuple[Teacher, ...]:
    """Return modules that were forwarded in at least every other training step and not trained."""
    roots = roots_of(job.chief)
    last: dict[int, Event] = {}
    for event in job.chief.record.of("aux"):
        number = event.count("root")
        if number is not None:
            last[number] = event
    trained = [roots[one] for one in lineage.trained(job) if one in roots]
    classes = {root.cls for root in trained}
    return tuple(
        Teacher(
            cls=roots[number].cls,
            params=roots[number].params,
            rows=event.count("rows") or 0,
            forwards=event.count("fwd") or 0,
            in_optimizer=roots[number].in_opt > 0,
            same_class_as_trained=roots[number].cls in classes,
        )
        for number, event in sorted(last.items())
        if number in roots
        and roots[number].params
        and (event.count("fwd") or 0) >= max(1.0, FORWARDS_A_STEP * steps)
    )


def averages_of(process: Process, passes: list[Pass]) -> tuple[Average, ...]:
    """Return weights that followed the trained ones, each with whether it was evaluated at last."""
    called = _called(process)
    evaluated = _evaluated(process, passes)
    fits: dict[int, list[Event]] = {}
    for event in process.record.of("avg"):
        name, r2, decay = event.serial("root"), event.number("r2"), event.number("decay")
        if name is None or r2 is None or decay is None:
            continue
        if r2 > GOOD_FIT and LEAST_DECAY < decay < 1:
            fits.setdefault(called.get(-name, name), []).append(event)
    found = {
        name: Average(
            cls=events[-1].text("cls") or "unknown",
            decay=_decay(events),
            r2=events[-1].number("r2"),
            evaluated=name in evaluated,
            how="fitted",
        )
        for name, events in fits.items()
    }
    for event in process.record.of("copy"):
        serial = event.serial("serial")
        if event.flag("averaged") and serial is not None:
            name = called.get(serial, -serial)
            fitted = found.get(name)
            equal = event.flag("equal") is True
            found[name] = Average(
                cls=event.text("cls") or "AveragedModel",
                decay=fitted.decay if fitted and not equal else None,
                r2=fitted.r2 if fitted else None,
                evaluated=name in evaluated,
                how="AveragedModel" if equal else "fitted",
            )
    return _once(found.values())[:MOST]


def _decay(events: list[Event]) -> float | None:
    """Return the decay that all fits agree on; None for a mean over all steps, or a warm-up."""
    decays = [event.number("decay") or 0.0 for event in events]
    steady = [event.flag("steady") is not False for event in events]
    if len(decays) == 1:
        return decays[0] if steady[0] else None
    before, last = decays[-2:]
    return last if abs(before - last) <= SAME_DECAY * (1 - last) else None


def _called(process: Process) -> dict[int, int]:
    """Return the roots that copies became when they were called, by the copies' serials."""
    pairs = ((event.serial("serial"), event.count("root")) for event in process.record.of("copy"))
    return {serial: root for serial, root in pairs if serial is not None and root is not None}


def _evaluated(process: Process, passes: list[Pass]) -> set[int]:
    """Return the roots, and minus the serials of copies, whose values were evaluated at last.

    An average that is only watched during the training, as a target network is, is not a result.
    """
    mine = [one for one in passes if one.process is process]
    steps = process.steps
    called = _called(process)
    found = set()
    for one in [one for one in mine if one.at >= steps] or mine[-1:]:
        found |= {root.id for root in one.roots}
        copies = [whole(copy) for copy in one.event.items("copies", 8)]
        found |= {called.get(copy, -copy) for copy in copies if copy is not None}
    return found


def _once(found: Iterable[Average]) -> tuple[Average, ...]:
    """Return the averages, one that was seen as a copy and as a called module only once."""
    alike: dict[tuple[str, float | None], Average] = {}
    for one in found:
        key = one.cls, None if one.decay is None else round(one.decay, 3)
        other = alike.setdefault(key, one)
        if one.evaluated and not other.evaluated:
            alike[key] = one
    return tuple(alike.values())


def loads_of(processes: tuple[Process, ...]) -> tuple[WeightLoad, ...]:
    """Return what weights were read from outside, once for each source and step."""
    before: set[str] = set()
    found: dict[tuple[str, str, int], WeightLoad] = {}
    for process in processes:
        mine = _written_at(process)
        for load in _loads(process, before, mine):
            found.setdefault((load.how, load.what, load.at), load)
        before |= set(mine)
    return tuple(found.values())[:MOST]


def _written_at(process: Process) -> Mapping[str, float]:
    """Return the files that a process wrote, each with the first time in seconds."""
    found: dict[str, float] = {}
    for event in process.record.of("save", "open"):
        if event.kind == "save" or event.flag("w"):
            name = event.text("what") or event.text("p")
            found.setdefault(path_of(process, name), event.t)
    found.pop("", None)
    return found


def _loads(process: Process, before: set[str], mine: Mapping[str, float]) -> Iterator[WeightLoad]:
    events = list(process.record.of("load", "load_state"))
    roots = roots_of(process)
    for place, event in enumerate(events):
        if event.kind != "load":
            continue
        used = []
        for later in events[place + 1 :]:
            if later.kind == "load" or later.step != event.step:
                break
            used.append(later)
        changes = [c for one in used if (c := one.number("changed")) is not None]
        path = path_of(process, event.text("what"))
        keys = [key.lower() for key in event.texts("keys", 12)]
        yield WeightLoad(
            how=event.text("how"),
            what=event.text("what"),
            at=event.step,
            changed=min(1.0, max(changes)) if changes else None,
            own=bool(path) and (path in before or mine.get(path, event.t + 1) <= event.t),
            resumes=any(word in key for key in keys for word in _STATE)
            or any(one.flag("optimizer") for one in used),
            trained=_into_trained(roots, used),
        )
    for place, event in enumerate(events):
        source = next((one for one in reversed(events[:place]) if one.kind == "load"), None)
        if event.flag("by_hand") and (source is None or source.step != event.step):
            yield _by_hand(process, event, before, mine)


def _by_hand(
    process: Process, event: Event, before: set[str], mine: Mapping[str, float]
) -> WeightLoad:
    """Return weights that were copied out of a file of numbers, such as numpy's, by the artifact.

    The file is the last of that kind that was opened before; which one is not known for sure.
    """
    opened = [
        path_of(process, one.text("p"))
        for one in process.record.of("open")
        if not one.flag("w") and one.t <= event.t
    ]
    files = [path for path in opened if PurePosixPath(path).suffix.lower() in _NUMBERS]
    return WeightLoad(
        how="by hand",
        what=files[-1] if files else "numbers of a file",
        at=event.step,
        changed=event.number("changed"),
        own=bool(files)
        and all(path in before or mine.get(path, event.t + 1) <= event.t for path in files),
        trained=_into_trained(roots_of(process), [event]),
    )


def _into_trained(roots: Mapping[int, Root], used: list[Event]) -> bool | None:
    """Tell whether an optimizer holds the module that was loaded into; None: not known."""
    found: set[bool | None] = set()
    for event in used:
        if event.flag("optimizer"):
            continue
        number, cls = event.count("root"), event.text("cls").rpartition(".")[2]
        alike = [root for root in roots.values() if root.cls.rpartition(".")[2] == cls]
        into = [roots[number]] if number is not None and number in roots else alike
        found |= {root.in_opt > 0 for root in into} or {None}
    return found.pop() if len(found) == 1 else None


def digests_of(process: Process, main: Root | None) -> tuple[str, str, dict[str, int]]:
    """Return the digests of the values before the first step and after the last one, and of all.

    The latter with the number of steps, of any optimizer, after which they were held.
    """
    first = last = ""
    known: dict[str, int] = {}
    for event in process.record.of("weights", "eval"):
        digest = event.text("digest") or event.text("weights")
        if event.kind == "eval":
            held = event.flag("held") and event.flag("swapped") is False
            after = event.count("of") if "of" in event.fields else event.count("at")
            if digest and after is not None and (held or "of" in event.fields):
                known[digest] = max(after, known.get(digest, 0))
        elif digest:
            known[digest] = max(event.count("at") or 0, known.get(digest, 0))
            if main is None or event.count("root") == main.id:
                first = first or digest * (event.text("why") == "first")
                last = digest if event.text("why") == "end" else last
    return first, last, known
