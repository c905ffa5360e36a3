"""Which evaluated set is the test set, and what of it was trained on, as observed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.comparison import dataset_named
from repcheck.claims.model import Claims, Dataset, Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Quantity
from repcheck.facts.observed import DOUBTS, Observed, Sight
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import EvaluatedSet, Evaluation, Observation, Training

MOSTLY = 0.95
NEARLY = 0.02
AT_THE_END = "it alone is evaluated only after the last step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The set that gives a run's reported number, and why it is taken for it.

    `sure` is false where another evaluated set may be the one instead; `size` is the stated number
    of test examples, `passes` the evaluations of this set in order, `others` the other evaluated
    sets that are no part of the training set.
    """

    method: str
    run: Run
    sight: Sight
    seen: Observation
    training: Training | None
    dataset: Dataset
    set: EvaluatedSet
    because: str
    sure: bool
    size: int | None
    passes: tuple[Evaluation, ...]
    others: tuple[EvaluatedSet, ...]

    @property
    def examples(self) -> int | None:
        """Return how many examples were evaluated: rows of a pass where content repeats."""
        known = self.set.examples
        if known is None or self.set.by != "content" or not self.passes:
            return known
        rows = self.passes[-1].rows
        return rows if self.size is not None and known < rows <= self.size else known

    @property
    def final(self) -> Evaluation | None:
        """Return the last pass over the set after the last step, or the last of all."""
        after = [one for one in self.passes if one.final] or self.passes
        return after[-1] if after else None

    @property
    def layers(self) -> dict[str, int]:
        """Return how many trained examples were recognised in what, the surest layer first."""
        found = {
            "indices of one dataset": self.set.trained_index,
            "content of the stored data": self.set.trained_storage,
            "content of what enters the model": self.set.trained_input,
        }
        return {name: count for name, count in found.items() if count is not None}

    @property
    def layer(self) -> str:
        """Return in what the most trained examples were recognised."""
        return max(self.layers, key=lambda name: self.layers[name], default="")

    def chance(self) -> float:
        """Return how many examples would be trained on if the set repeated as training does."""
        training = self.training
        total = (training.unique if training else None) or 0
        repeats = self.set.duplicates_in_training
        return (self.set.examples or 0) * repeats / total if total else 0.0

    def natural(self) -> bool:
        """Return whether the overlap is no more than the duplicates within training explain."""
        if self.set.trained_index:
            return False
        expected = self.chance()
        return expected > 0 and (self.set.trained or 0) <= expected + 2 * math.sqrt(expected)

    def quantity(self, name: str, value: float | int | str, unit: str = "examples") -> Quantity:
        """Return a value as evidence that points to its run."""
        return self.sight.quantity(name, value, unit, self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests(Fact):
    """The test set of every method that a probe saw, on every dataset it was run on."""

    label: ClassVar[str] = "the evaluated test sets"
    claims: Claims
    observed: Observed

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs that were seen."""
        return cls(claims=evidence.claims, observed=evidence.get(Observed))

    def of(self, method: Method) -> tuple[Tested, ...]:
        """Return the test set of each dataset, of the run with the most trained examples in it.

        Raises:
            Missing: if nothing was evaluated in sight, or the test set cannot be told from others.
        """
        sight = self.observed.of(method)
        found: dict[str, Tested] = {}
        problems: list[str] = []
        for run, seen in sight.observations():
            gap = seen.gap("samples", "rows", *DOUBTS)
            if gap is not None:
                problems.append(gap.why)
                continue
            try:
                made = self._tested(method, sight, run, seen)
            except Missing as missing:
                problems.append(missing.would_decide)
                continue
            known = found.get(run.dataset)
            if known is None or (made.set.trained or 0) > (known.set.trained or 0):
                found[run.dataset] = made
        if not found:
            raise Missing(Reason.NOT_OBSERVED, problems[0] if problems else _nothing(method))
        return tuple(found.values())

    def _tested(self, method: Method, sight: Sight, run: Run, seen: Observation) -> Tested:
        name = run.dataset or method.dataset.get("")
        if not name and len(self.claims.datasets) == 1:
            name = next(iter(self.claims.datasets))
        dataset = dataset_named(self.claims, name)
        size = _size(self.claims, dataset)
        real = [one for one in seen.evaluations if not one.sanity and one.set is not None]
        used = {one.set for one in real}
        sets = [one for one in seen.sets if one.id in used]
        if not sets:
            raise Missing(Reason.NOT_OBSERVED, _nothing(method))
        chosen, because = _choose(sets, real, size, dataset, seen.training)
        return Tested(
            method=method.id,
            run=run,
            sight=sight,
            seen=seen,
            training=seen.training,
            dataset=dataset,
            set=chosen,
            because=because,
            sure=because != AT_THE_END,
            size=size,
            passes=tuple(one for one in real if one.set == chosen.id),
            others=tuple(
                one for one in sets if one.id != chosen.id and not _is_training(one, seen.training)
            ),
        )


def _nothing(method: Method) -> str:
    return f"an evaluation of `{method.id}` that the probe sees: none was"


def _size(claims: Claims, dataset: Dataset) -> int | None:
    if dataset.test.size.known:
        return dataset.test.size.value
    stated = {metric.n_test.value for metric in claims.metrics.values() if metric.n_test.known}
    return stated.pop() if len(stated) == 1 else None


def _is_training(one: EvaluatedSet, training: Training | None) -> bool:
    """Return whether a set is the training set, evaluated for a log, or a part of it."""
    if training is None or not one.examples or one.trained is None:
        return False
    return one.trained >= MOSTLY * one.examples


def _has_size(one: EvaluatedSet, size: int | None, slack: float) -> bool:
    known = one.examples
    return size is not None and known is not None and abs(known - size) <= slack * size


def _is_all_of_training(one: EvaluatedSet, training: Training | None) -> bool:
    whole = training.unique if training else None
    return whole is None or (one.examples or 0) >= MOSTLY * whole


def _choose(
    sets: Sequence[EvaluatedSet],
    passes: Sequence[Evaluation],
    size: int | None,
    dataset: Dataset,
    training: Training | None,
) -> tuple[EvaluatedSet, str]:
    """Return the test set and why it is.

    Raises:
        Missing: if several sets could be it, or none.
    """
    foreign = [one for one in sets if not _is_training(one, training)]
    near = [one for one in foreign or sets if _has_size(one, size, NEARLY)]
    fitting = [one for one in near if _has_size(one, size, 0.0)] or near
    told = len(fitting) == 1 and not _also_validation(size, dataset)
    if told and (foreign or not _is_all_of_training(fitting[0], training)):
        return fitting[0], f"it has the {size:,} stated test examples"
    if not foreign:
        raise Missing(
            Reason.NEEDS_HUMAN,
            "whether the reported number is of the evaluated set: it is all trained on, as the "
            f"training set is; declare `{dataset.test.size.path}`",
        )
    left = [one for one in foreign if not _is_validation(one, size, dataset)]
    if not left:
        raise Missing(
            Reason.NOT_OBSERVED,
            "a rerun that evaluates the test set: what was evaluated has the size of the "
            "validation set",
        )
    if len(sets) == 1:
        return left[0], "it is the only evaluated set"
    once = _only_at_the_end(left, passes)
    if len(left) == 1:
        return left[0], "it is no part of the training set and not the validation set"
    if once is not None:
        return once, AT_THE_END
    raise Missing(
        Reason.UNDECLARED_KEY,
        f"declare `{dataset.test.size.path}`: {len(sets)} sets are evaluated, and any of them may "
        "be the test set",
    )


def _also_validation(size: int | None, dataset: Dataset) -> bool:
    return dataset.val.size.known and dataset.val.size.value == size


def _is_validation(one: EvaluatedSet, size: int | None, dataset: Dataset) -> bool:
    if not dataset.val.size.known or one.examples is None:
        return False
    return dataset.val.size.value == one.examples and size != one.examples


def _only_at_the_end(
    sets: Sequence[EvaluatedSet], passes: Sequence[Evaluation]
) -> EvaluatedSet | None:
    """Return the one set that was evaluated after the last step and never before."""
    if not passes:
        return None
    last = max(one.at for one in passes)
    early = {one.set for one in passes if one.at < last}
    late = [one for one in sets if one.id not in early]
    return late[0] if len(late) == 1 and early else None


def selected(tested: Tested) -> tuple[int, ...] | None:
    """Return after which passes (from 0) weights were saved, if some rule may have chosen them.

    None where saving followed every pass, none, the last only, or every so many.
    """
    during = during_training(tested)
    saved = tuple(i for i, one in enumerate(during) if one.saved)
    if not saved or len(saved) == len(during) or len(during) < 3:
        return None
    even = _regular(saved, len(during)) or _regular(saved, len(during) - 1)
    return None if even else saved


def during_training(tested: Tested) -> tuple[Evaluation, ...]:
    """Return the passes after some step, without a last one at the step of the one before it."""
    passes = [one for one in tested.passes if one.at > 0]
    if len(passes) > 1 and passes[-1].at == passes[-2].at:
        passes.pop()
    return tuple(passes)


def _regular(saved: tuple[int, ...], count: int) -> bool:
    wanted = set(saved)
    for stride in range(1, count // 2 + 1):
        for start in range(stride):
            even = set(range(start, count, stride))
            if wanted in (even, even | {count - 1}):
                return True
    return wanted <= {0, count - 1}


def earlier_weights(tested: Tested) -> Evaluation | None:
    """Return the earlier, saved evaluation whose very weights the final one used, if any."""
    final = tested.final
    if final is None or not final.weights:
        return None
    before = [
        one
        for one in tested.passes
        if one.n < final.n and one.at < final.at and one.weights == final.weights
    ]
    return before[-1] if before else None


def transductive(dataset: Dataset) -> bool:
    """Return whether seeing the test inputs in training is the stated protocol."""
    return dataset.protocol.known and dataset.protocol.value == "transductive"


def folds(tested: Tested) -> bool:
    """Return whether several models were trained and tested in one run, as in cross-validation."""
    trained = [model.cls for model in tested.seen.models if model.trained]
    leaking = [one for one in tested.seen.sets if one.trained]
    return len(trained) > len(set(trained)) and len(leaking) > 1
