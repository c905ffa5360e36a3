"""What one run costs in FLOPs, from the calls that were counted while it ran.

One call of each module, phase and input shape was counted. A sample's training takes the forward,
backward and recomputed FLOPs of every module that is trained through, as often as a step passes
over its samples, and the FLOPs of teachers. An evaluated example takes the forward FLOPs of every
module that the evaluation calls, once a view. Wherever something is known to be missing the
number is a lower bound, and `at_least` says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repcheck.errors import Missing, Reason
from repcheck.facts.evaluation_seen import finals, set_of
from repcheck.facts.observed import MOST

if TYPE_CHECKING:
    from repcheck.observation import Evaluation, FlopsSeen, Observation, Training

WHOLE = 0.99
"""The share of matrix operations with a formula below which a count is incomplete."""
ALIKE = 0.02
SEVERAL = 1.5
_SURE = 0.02
_GREATEST = 1e30


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCost:
    """The training of one sample, in FLOPs; `update` is of one optimizer step.

    `passes` is how often a step passes over its samples (2 for sharpness-aware steps), and is in
    all the numbers; `elementwise` is apart. `samples` are the rows that they were divided by.
    """

    forward: float
    backward: float
    recompute: float
    teachers: float
    update: float
    elementwise: float
    passes: int
    samples: float
    steps: int
    at_least: str = ""

    @property
    def whole(self) -> float:
        """Return all FLOPs of one sample, without the optimizer's."""
        return self.forward + self.backward + self.recompute + self.teachers


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleCost:
    """The evaluation of one example, in FLOPs, over all views and modules.

    `parts` are the FLOPs by class of module, the dearest first.
    """

    forward: float
    elementwise: float
    views: float
    shape: tuple[int, ...]
    parts: tuple[tuple[str, float], ...]
    at_least: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One module's typical call, and why it may cost more."""

    seen: FlopsSeen
    at_least: str


def train_bill(seen: Observation, training: Training) -> SampleCost:
    """Return what one training sample of a run costs.

    Raises:
        Missing: if no training step was counted, or its samples were not.
    """
    calls = _calls(seen, "train")
    if not calls:
        raise Missing(Reason.NOT_OBSERVED, _why(training, "training step"))
    samples = training.samples or training.drawn
    if not samples:
        raise Missing(Reason.NOT_OBSERVED, "the FLOPs of a sample: the samples were not counted")
    rhythm = _rhythm(training, calls)
    teachers, more = _teachers(seen, float(samples))
    doubts = [*(one.at_least for one in calls), rhythm.at_least, more]
    if training.unsure > _SURE * samples:
        doubts.append("more rows may have been trained through than are known")
    each = [(one.seen, rhythm.passes / one.seen.rows) for one in calls]
    return SampleCost(
        forward=sum(one.forward * times for one, times in each),
        backward=sum(one.backward * times for one, times in each),
        recompute=sum(one.recompute * times for one, times in each),
        elementwise=sum(one.elementwise * times for one, times in each),
        teachers=teachers,
        update=sum(one.optimizer for one, _ in each) * rhythm.calls,
        passes=rhythm.passes,
        samples=float(samples),
        steps=training.steps,
        at_least=_joined(doubts),
    )


def eval_bill(seen: Observation) -> ExampleCost:
    """Return what one evaluated example of a run costs, in the last evaluation.

    Raises:
        Missing: if no evaluation was counted.
    """
    calls, last = _calls(seen, "eval"), finals(seen)
    if not calls:
        calls = _stand_ins(seen, {one.params for one in last})
    if not calls or not last:
        raise Missing(Reason.NOT_OBSERVED, _why(seen.training, "evaluation"))
    bills = [bill for one in last if (bill := _of_pass(seen, one, calls)) is not None]
    if not bills:
        raise Missing(Reason.NOT_OBSERVED, "no module of the last evaluation was counted")
    return max(bills, key=lambda bill: bill.forward)


def _stand_ins(seen: Observation, sizes: set[int]) -> list[_Call]:
    """Return the calls of training in place of an evaluation's, of modules of an evaluated size."""
    why = "no call of an evaluation was counted, and the forward of a training sample stands for it"
    known = {(model.id, model.cls) for model in seen.models if model.params in sizes}
    return [
        _Call(seen=call.seen, at_least=_joined((call.at_least, why)))
        for call in _calls(seen, "train")
        if (call.seen.root, call.seen.cls) in known
    ]


def trained_params(seen: Observation) -> int:
    """Return the parameters of all modules that are trained.

    Raises:
        Missing: if none was seen.
    """
    sizes = [model.params for model in seen.models if model.trained]
    if not sizes:
        raise Missing(Reason.NOT_OBSERVED, "no trained module was seen")
    return sum(sizes)


def evaluated_params(seen: Observation) -> int:
    """Return the parameters of one model as it is evaluated, encoders and the like included.

    Raises:
        Missing: if no evaluation was seen.
    """
    last = [one for one in finals(seen) if one.params]
    if not last:
        raise Missing(Reason.NOT_OBSERVED, "no evaluation was seen")
    return max(_size(seen, one) for one in last)


def _size(seen: Observation, one: Evaluation) -> int:
    """Return the size of the modules that one pass called; the members of an ensemble count one."""
    kinds = set(one.modules)
    sizes = [max((m.params for m in seen.models if m.cls == kind), default=0) for kind in kinds]
    return max(one.params, sum(sizes)) if len(kinds) > 1 and one.models == 1 else one.params


def _of_pass(seen: Observation, one: Evaluation, calls: Sequence[_Call]) -> ExampleCost | None:
    views, doubt = _views(seen, one)
    kinds = list(dict.fromkeys(one.modules or (call.seen.cls for call in calls)))
    doubts, parts, elementwise = [doubt], [], 0.0
    shape: tuple[int, ...] = ()
    for kind in kinds:
        mine = _of_kind(seen, one, [call for call in calls if call.seen.cls == kind])
        if not mine:
            doubts.append(f"no call of `{kind}` was counted")
            continue
        call = min(mine, key=lambda one: one.seen.forward / one.seen.rows)
        count = one.modules.count(kind) if one.modules else min(len(mine), one.models)
        times = views / one.models * count / call.seen.rows
        parts.append((kind, call.seen.forward * times))
        elementwise += call.seen.elementwise * times
        doubts.append(call.at_least)
        shape = shape or call.seen.shape
    if not parts:
        return None
    return ExampleCost(
        forward=sum(flops for _, flops in parts),
        elementwise=elementwise,
        views=views,
        shape=shape,
        parts=tuple(sorted(parts, key=lambda part: -part[1])),
        at_least=_joined(doubts),
    )


def _of_kind(seen: Observation, one: Evaluation, calls: list[_Call]) -> list[_Call]:
    """Return the calls of modules as large as the evaluated one, if that can be told."""
    sizes = {(model.id, model.cls): model.params for model in seen.models}
    same = [call for call in calls if sizes.get((call.seen.root, call.seen.cls)) == one.params]
    return same or calls


def _views(seen: Observation, one: Evaluation) -> tuple[float, str]:
    """Return how many rows an example makes, over all members, and why it may be more."""
    if one.views is not None:
        return max(1.0, one.views), ""
    samples = set_of(seen, one)
    least = float(one.models)
    if samples is None or not samples.examples:
        return least, "how many examples were evaluated is not known"
    rows = one.rows / samples.examples
    several = rows >= SEVERAL and abs(rows - round(rows)) <= ALIKE * rows
    return (rows if several else least), ""


def _calls(seen: Observation, phase: str) -> list[_Call]:
    """Return one typical call of each module with costs in a phase."""
    by_root: dict[tuple[int, str], list[FlopsSeen]] = {}
    for one in seen.flops:
        if one.phase == phase and _possible(one):
            by_root.setdefault((one.root, one.cls), []).append(one)
    return [_typical(found) for found in by_root.values()]


def _possible(one: FlopsSeen) -> bool:
    """Return whether a call's numbers can be true: a record may be forged."""
    costs = (one.forward, one.backward, one.recompute, one.optimizer, one.elementwise)
    return 0 < one.rows < MOST and all(0 <= cost < _GREATEST for cost in costs)


def _typical(found: Sequence[FlopsSeen]) -> _Call:
    """Return the cheapest of the full calls; a last, smaller batch says nothing of a row."""
    most = max(one.rows for one in found)
    full = [one for one in found if one.rows >= most / 2]
    least = min(full, key=_of_a_row)
    dearest = max(map(_of_a_row, full))
    doubts = [_incomplete(one) for one in full]
    if dearest > (1 + ALIKE) * _of_a_row(least):
        doubts.append("a call costs more or less with the shape of its input")
    return _Call(seen=least, at_least=_joined(doubts))


def _of_a_row(one: FlopsSeen) -> float:
    return (one.forward + one.backward + one.recompute) / one.rows


def _incomplete(one: FlopsSeen) -> str:
    if one.coverage >= WHOLE:
        return ""
    names = ", ".join(sorted(one.uncounted)[:3]) or "unnamed"
    return (
        f"count incomplete: {1 - one.coverage:.0%} of the matrix operations have no formula "
        f"({names})"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rhythm:
    """How often a step calls each module, and passes over its samples; why that may be more."""

    calls: float
    passes: int = 1
    at_least: str = ""


def _rhythm(training: Training, calls: Sequence[_Call]) -> _Rhythm:
    """Return the calls of a step.

    Accumulation splits the samples of a step over its backward passes; a sharpness-aware or a
    line-search step passes over the same ones again, and a cell is called at each point in time.
    """
    backwards = training.accumulation or 1.0
    each = (training.forwards or 1.0) / len(calls)
    if training.others:
        why = "several optimizers take steps, and one call of each module was counted"
        return _Rhythm(calls=1.0, at_least=why)
    if len(calls) > 1 and each >= SEVERAL:
        words = "calls of a backward pass, and which module they are of is not known"
        return _Rhythm(calls=backwards, at_least=f"{training.forwards:.3g} {words}")
    rows = max(one.seen.rows for one in calls) * training.world
    again = backwards * each * rows / training.batch if training.batch else 1.0
    passes = math.floor((1 + ALIKE) * again) if again >= SEVERAL else 1
    return _Rhythm(calls=backwards * each, passes=passes)


def _teachers(seen: Observation, samples: float) -> tuple[float, str]:
    """Return the FLOPs of teachers for each training sample, and why they may be more."""
    calls = _calls(seen, "teacher")
    total, doubts = 0.0, [one.at_least for one in calls]
    for cls in dict.fromkeys(teacher.cls for teacher in seen.teachers):
        mine = [one.seen for one in calls if one.seen.cls == cls]
        rows = sum(teacher.rows for teacher in seen.teachers if teacher.cls == cls)
        if not mine:
            doubts.append(f"no call of the teacher `{cls}` was counted")
        elif rows < MOST:
            total += rows * min(one.forward / one.rows for one in mine)
    return total / samples, _joined(doubts)


def _why(training: Training | None, what: str) -> str:
    if training is not None and training.compiled:
        return f"the FLOPs of a {what}: a compiled model is not looked into"
    return f"the FLOPs of a {what}: none was counted"


def _joined(doubts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(filter(None, doubts)))
