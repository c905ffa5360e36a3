"""What modules of the artifact's own turned out to be, and what the terms of its losses did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, median

from repcheck.analysis.processes import Process
from repcheck.observation import EqualSeen, LossSeen, TermSeen
from repcheck.records import Event, finite, whole

MOST = 200
MOST_SAMPLES = 200
MOST_TERMS = 16
MOST_SCALES = 20
SMALL = 0.01
"""A share of the gradient below it counts as small."""


def equals_of(processes: Sequence[Process]) -> tuple[EqualSeen, ...]:
    """Return what each kind of module turned out to be; of equal answers of processes one."""
    events = (event for process in processes for event in process.record.of("same"))
    found = dict.fromkeys(_equal(event) for event in events if event.text("cls"))
    return tuple(found)[:MOST]


def _equal(event: Event) -> EqualSeen:
    diff = event.number("diff")
    scales = (finite(scale) for scale in event.items("scales", MOST_SCALES))
    asked = diff is not None and diff >= 0
    return EqualSeen(
        cls=event.text("cls"),
        module=event.text("at"),
        params=event.count("params") or 0,
        known=event.text("known") if asked else "",
        diff=diff if asked else None,
        n=event.count("n") or 0,
        of=event.count("of") or 0,
        scales=tuple(scale for scale in scales if scale is not None),
        fitted=event.flag("fitted") is True,
        training=event.flag("training") is True,
        why=event.text("why"),
    )


def losses_of(processes: Sequence[Process]) -> tuple[LossSeen, ...]:
    """Return every loss that was seen to be a sum, the one that was taken most often first."""
    found = [loss for process in processes for loss in _losses(process)]
    return tuple(sorted(found, key=lambda loss: -loss.calls)[:MOST])


def _losses(process: Process) -> Iterator[LossSeen]:
    last = {event.count("id"): event for event in process.record.of("terms")}
    for event in last.values():
        samples = [one for one in map(_sample, event.items("samples", MOST_SAMPLES)) if one]
        count = len(samples[0][1]) if samples else 0
        samples = [one for one in samples if len(one[1]) == count]
        if not count:
            continue
        names = event.texts("ops", MOST_TERMS)
        yield LossSeen(
            n=len(samples),
            calls=event.count("calls") or 0,
            terms=tuple(
                _term([pairs[at] for _, pairs in samples], names[at] if at < len(names) else "")
                for at in range(count)
            ),
            constants=event.count("constants") or 0,
            steps=(samples[0][0], samples[-1][0]),
        )


def _sample(raw: object) -> tuple[int, list[tuple[float, float]]] | None:
    """Return one look's step and, of each operand, its share in all and its largest in any."""
    if not isinstance(raw, list) or len(raw) < 3 or len(raw) > 1 + MOST_TERMS:
        return None
    step = whole(raw[0])
    pairs = [_pair(one) for one in raw[1:]]
    good = [one for one in pairs if one is not None]
    return (step, good) if step is not None and len(good) == len(pairs) else None


def _pair(raw: object) -> tuple[float, float] | None:
    if not isinstance(raw, list) or len(raw) != 2:
        return None
    share, top = finite(raw[0]), finite(raw[1])
    if share is None or top is None or not (0 <= share <= 1 and 0 <= top <= 1):
        return None
    return share, top


def _term(pairs: list[tuple[float, float]], op: str) -> TermSeen:
    shares, tops = [share for share, _ in pairs], [top for _, top in pairs]
    return TermSeen(
        share=median(shares),
        mean=fmean(shares),
        top=median(tops),
        small=sum(max(pair) < SMALL for pair in pairs) / len(pairs),
        op=op,
    )
