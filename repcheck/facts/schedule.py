"""Learning rates as they were seen: each method's trace, drawn as lr / peak over the training."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Quantity
from repcheck.facts.observed import Observed, Sight
from repcheck.facts.recipe import POINTS, Schedule
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import OptimizerSeen

FLAT = 0.98
FITS = 0.02
MOST_STEPS = 8
SWING = 0.1
Shape = tuple[float, ...]
Curve = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One method's learning rate in one run: the one whose end is the middle of all its runs.

    `shape` is lr / peak at even times; `warm` is the share of the training before the peak, `low`
    the share of the steps below 1 % of it; `cycles` counts how often the rate came back up.
    """

    method: str
    run: Run
    sight: Sight
    optimizer: OptimizerSeen
    steps: int
    shape: Shape
    kind: str
    warm: float
    cycles: int

    @property
    def schedule(self) -> Schedule:
        """Return the trace as a stated schedule is held."""
        return Schedule(type=self.kind, shape=self.shape)

    @property
    def peak(self) -> float:
        """Return the highest learning rate."""
        return self.optimizer.peak_lr

    @property
    def last(self) -> float:
        """Return the rate of the last step over the highest."""
        return self.optimizer.last_lr / self.peak

    @property
    def end(self) -> float:
        """Return the mean over the last tenth of the training, as a share of the peak."""
        tail = self.shape[-POINTS // 10 :]
        return sum(tail) / len(tail)

    @property
    def low(self) -> float:
        """Return the share of the steps below 1 % of the peak."""
        return self.optimizer.low_lr_share

    def at(self, share: float) -> float:
        """Return lr / peak at a share of the training, 0 to 1."""
        return self.shape[min(POINTS - 1, max(0, int(share * POINTS)))]

    def warm_up_steps(self) -> int:
        """Return how many steps came before the one with the highest rate."""
        points = self.optimizer.lr
        tops = (
            step for step, value in zip(points.step, points.value, strict=False)
            if value >= 0.999 * self.peak
        )  # fmt: skip
        return next(tops, 1) - 1

    def warm_up_stair(self) -> int:
        """Return the most steps before the peak that had one rate: an epoch, where it moves so."""
        return max(
            (long for begin, long in self._stairs() if begin <= self.warm_up_steps()), default=1
        )

    @property
    def lag(self) -> float:
        """Return how far a rate that is set once an epoch is from a smooth one, on average."""
        stairs = [long for _, long in self._stairs() if long > 1]
        mostly = sum(stairs) >= self.steps / 2
        return 0.5 / len(stairs) if mostly and len(stairs) > 1 else 0.0

    def _stairs(self) -> list[tuple[int, int]]:
        """Return the first step of each run of one rate, and how many steps it has."""
        found: list[tuple[int, int]] = []
        rate = -1.0
        for step, value in zip(self.optimizer.lr.step, self.optimizer.lr.value, strict=False):
            if value == rate:
                found[-1] = (found[-1][0], step - found[-1][0] + 1)
            else:
                found.append((step, 1))
            rate = value
        return found

    def quantity(self, name: str, value: float | int | str, unit: str = "") -> Quantity:
        """Return a value of this trace as evidence that points to its run."""
        return self.sight.quantity(name, value, unit, self.run)

    def said(self) -> str:
        """Return the trace in words: `ends at 0.00 of its peak rate 0.1 (cosine)`."""
        return f"ends at {self.last:.2f} of its peak rate {self.peak:.4g} ({self.kind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces(Fact):
    """The learning-rate trace of every method that a probe saw training."""

    label: ClassVar[str] = "learning rates as observed"
    observed: Observed
    _made: dict[tuple[str, str], Trace] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs that were seen."""
        return cls(observed=evidence.get(Observed))

    def of(self, method: Method, dataset: str = "") -> Trace:
        """Return a method's trace.

        Raises:
            Missing: if no run of it shows one.
        """
        key = method.id, dataset
        if key not in self._made:
            self._made[key] = self._of(method, dataset)
        return self._made[key]

    def _of(self, method: Method, dataset: str) -> Trace:
        sight = self.observed.of(method, dataset)
        made = [
            _trace(sight, run, training.optimizer, training.steps)
            for run, training in sight.trainings()
            if 0 < training.optimizer.peak_lr < math.inf and _points(training.optimizer)
        ]
        if not made:
            raise Missing(Reason.NOT_OBSERVED, f"no learning rate of `{method.id}` could be seen")
        return sorted(made, key=lambda trace: trace.end)[(len(made) - 1) // 2]

    def both(self, comparison: Comparison) -> tuple[Trace, Trace]:
        """Return the traces of the method and of the baseline it is compared with.

        Raises:
            Missing: if one of them was not seen.
        """
        ours, theirs = comparison.method, comparison.baseline
        return self.of(ours, comparison.dataset), self.of(theirs, comparison.dataset)


def shape_of(optimizer: OptimizerSeen, steps: int) -> Shape | None:
    """Return lr / peak at even times of a training, or None where no rate was seen."""
    if not 0 < optimizer.peak_lr < math.inf:
        return None
    points = _points(optimizer)
    return drawn(points, steps) if points else None


def _points(optimizer: OptimizerSeen) -> list[tuple[float, float]]:
    """Return (step, lr / peak), in the order of the steps."""
    pairs = zip(optimizer.lr.step, optimizer.lr.value, strict=False)
    found = sorted(
        (float(step), value / optimizer.peak_lr) for step, value in pairs if 0 <= value < math.inf
    )
    if not found and optimizer.distinct_lrs == 1:
        return [(1.0, 1.0)]
    return found


def _trace(sight: Sight, run: Run, optimizer: OptimizerSeen, steps: int) -> Trace:
    points = _points(optimizer)
    shape = drawn(points, steps)
    cycles = turns([value for _, value in points])
    kind, warm = classify(shape, cycles, optimizer.distinct_lrs)
    return Trace(
        method=sight.method,
        run=run,
        sight=sight,
        optimizer=optimizer,
        steps=steps,
        shape=shape,
        kind=kind,
        warm=warm,
        cycles=cycles,
    )


def drawn(points: Sequence[tuple[float, float]], steps: int) -> Shape:
    """Return a curve of (step from 1, value) at even times of so many steps."""
    at = [step for step, _ in points]
    last = max(float(steps), at[-1])
    return tuple(_between(points, at, (i + 0.5) / POINTS * last + 0.5) for i in range(POINTS))


def _between(points: Sequence[tuple[float, float]], at: Sequence[float], step: float) -> float:
    after = bisect_right(at, step)
    if after == 0:
        return points[0][1]
    if after == len(points):
        return points[-1][1]
    (left, low), (right, high) = points[after - 1], points[after]
    return low + (high - low) * (step - left) / (right - left)


def turns(values: Sequence[float]) -> int:
    """Return how often a curve rises by a tenth of its peak after it had fallen by as much."""
    count, falling, low, high = 0, False, values[0], values[0]
    for value in values:
        low, high = min(low, value), max(high, value)
        if falling and value - low >= SWING:
            count, falling, high = count + 1, False, value
        elif not falling and high - value >= SWING:
            falling, low = True, value
    return count


def classify(shape: Shape, cycles: int, distinct: int) -> tuple[str, float]:
    """Return a shape's class by best fit, and the share of the training before its peak.

    A warm-up does not change the class, unless it takes so long that it is `one-cycle`.
    """
    top = _top(shape)
    warm = top / POINTS if top > 1 else 0.0
    tail = shape[top:]
    if cycles:
        return "cyclic", warm
    if min(tail) >= FLAT:
        return ("constant" if warm < 0.5 else "warm-up only"), warm
    if 1 < distinct <= MOST_STEPS:
        return "step", warm
    kind, off = min(
        ((kind, distance(tail, curves)) for kind, curves in _FITS.items()), key=lambda it: it[1]
    )
    if off > FITS:
        return "custom", warm
    return ("one-cycle" if warm >= 0.15 and kind in {"cosine", "linear"} else kind), warm


def _top(shape: Shape) -> int:
    high = 0.999 * max(shape)
    return next(i for i, value in enumerate(shape) if value >= high)


def distance(tail: Shape, curves: Callable[[float], Sequence[Curve]]) -> float:
    """Return the mean absolute distance to the nearest of a family's curves with the same end."""
    end = min(1.0, max(0.0, tail[-1]))
    times = [(i + 0.5) / len(tail) for i in range(len(tail))]
    return min(
        sum(abs(value - curve(time)) for value, time in zip(tail, times, strict=True)) / len(tail)
        for curve in curves(end)
    )


def off_family(shape: Shape, kind: str) -> float | None:
    """Return how far a trace is from a family, whatever its warm-up, floor and horizon.

    None: the family is not one that can be drawn.
    """
    if kind not in _FITS:
        return None
    top = _top(shape)
    return distance(shape[top:], _FITS[kind])


def _cosine(end: float) -> list[Curve]:
    long = math.pi / math.acos(2 * end - 1) if end < 1 else math.inf
    return [
        lambda t: end + (1 - end) * (1 + math.cos(math.pi * t)) / 2,
        lambda t: (1 + math.cos(math.pi * t / long)) / 2,
    ]


def _linear(end: float) -> list[Curve]:
    return [lambda t: 1 - (1 - end) * t]


def _exponential(end: float) -> list[Curve]:
    rate = -math.log(max(end, 1e-9))
    return [lambda t: math.exp(-rate * t)]


def _inverse_root(end: float) -> list[Curve]:
    speed = max(end, 1e-6) ** -2 - 1
    return [lambda t: (1 + speed * t) ** -0.5]


_FITS: dict[str, Callable[[float], Sequence[Curve]]] = {
    "linear": _linear,
    "cosine": _cosine,
    "exponential": _exponential,
    "inverse-sqrt": _inverse_root,
}
