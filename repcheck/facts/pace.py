"""The length of one training as a probe counted it, and how it goes with what is stated.

Conventions differ without anybody being wrong: an iteration may be a step or an accumulated pass,
a sample may enter a step in several views, fewer devices may be here than there, a last batch may
be dropped. Where one of them explains a difference, it is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from repcheck.budget import Budget, figure
from repcheck.claims.model import Method
from repcheck.facts.observed import Sight
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import Observation, Training

SLACK = 0.02
_UNSURE = 0.02
_VIEWS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One run's training in numbers; `samples` and `unique` are nothing where nobody saw them.

    `sized` says that `unique` was counted; else it is the stated size.
    """

    run: Run
    seen: Observation
    training: Training
    samples: float | None
    unique: float | None
    sized: bool

    @property
    def per_step(self) -> float | None:
        """Return the samples of one step, over all devices and accumulated passes."""
        if self.training.batch is not None and self.samples == self.training.samples:
            return self.training.batch
        return self.samples / self.training.steps if self.samples and self.training.steps else None

    @property
    def epochs(self) -> float | None:
        """Return the effective epochs S / U."""
        return self.samples / self.unique if self.samples and self.unique else None


def paces(sight: Sight, train_size: float | None) -> list[Pace]:
    """Return the pace of each run whose training was seen, shortest first.

    `train_size` is U as stated: where the content of samples is all that could be compared, it
    tells augmentation (every row new) and duplicates (rows alike) from other training sets.

    Raises:
        Missing: if no run's training was seen.
    """
    found = []
    for run, training in sight.trainings():
        assert run.observation is not None
        samples = _samples(training, run.observation, train_size)
        counted = _unique(training, samples, train_size)
        found.append(
            Pace(
                run=run,
                seen=run.observation,
                training=training,
                samples=samples,
                unique=train_size if counted is None else counted,
                sized=counted is not None,
            )
        )
    return sorted(found, key=lambda pace: (pace.samples or 0.0, pace.training.steps))


def middle(found: list[Pace]) -> Pace:
    """Return the run in the middle, from which all numbers of a method are taken."""
    return found[(len(found) - 1) // 2]


def _samples(training: Training, seen: Observation, train_size: float | None) -> float | None:
    """Return S: rows trained through, or indices drawn where rows count a sample more than once.

    A sample passes through each of several trained modules; where optimizers take steps of their
    own, as in adversarial training, nobody knows whose a sample is; and where a step takes more
    rows than the training set has samples (the nodes of a graph), rows are something else.
    """
    steps = training.steps
    if any(abs(other.steps - steps) > SLACK * steps for other in training.others):
        return None
    if train_size and training.batch and training.batch > (1 + SLACK) * train_size:
        return None
    rows, unsure = training.samples, training.unsure
    several = sum(model.trained for model in seen.models) > 1
    if rows and not several and unsure <= _UNSURE * (rows + unsure):
        return float(rows)
    return float(training.drawn) if training.drawn else None


def _unique(training: Training, samples: float | None, stated: float | None) -> float | None:
    """Return U as it was counted; None where the count means something else."""
    counted = training.unique
    if not counted:
        return None
    if stated is None:
        new = training.unique_by == "content" and samples and counted > (1 - SLACK) * samples
        return None if new else float(counted)
    if abs(counted - stated) <= SLACK * stated:
        return float(counted)
    if times_stated(training, stated) > 1:
        return None
    if training.unique_by == "content" or unfinished(training, samples, stated):
        return None
    return float(counted)


def times_stated(training: Training, stated: float) -> int:
    """Return how many times as many indices there are as samples are stated; 1 if no multiple.

    A data set that repeats itself has an index for each time.
    """
    if training.unique_by != "indices" or not training.unique:
        return 1
    multiple = training.unique / stated
    return round(multiple) if abs(multiple - round(multiple)) <= SLACK and multiple > _VIEWS else 1


def unfinished(training: Training, samples: float | None, stated: float) -> bool:
    """Return whether so few draws cannot have met every sample, or weights kept some away."""
    if any("weighted" in name.lower() for name in training.samplers):
        return training.unique is None or training.unique <= stated
    if not samples or not training.unique or training.unique > stated:
        return False
    return training.unique >= 0.95 * stated * (1 - math.exp(-samples / stated))


def fewer_devices(method: Method, training: Training) -> bool:
    """Return whether the rerun had fewer devices than are stated: this machine's limit."""
    return method.train.devices.get(1) > training.world


def in_views(method: Method, training: Training) -> float:
    """Return in how many views a drawn sample enters a step; 1 where it is repeated instead."""
    rows, drawn = training.samples, training.drawn
    if method.train.views.known:
        return float(method.train.views.value)
    if not rows or not drawn or rows < _VIEWS * drawn or training.repeated_batches > 0.05:
        return 1.0
    stated = stated_step(method, training)
    if stated and training.batch and abs(training.batch - stated) <= SLACK * stated:
        return 1.0
    return rows / drawn


def stated_step(method: Method, training: Training) -> float | None:
    """Return the stated samples a step, with what is silent as it was seen; None if no batch."""
    train = method.train
    if not train.batch_size.known:
        return None
    devices = train.devices.get(training.world)
    passes = train.grad_accum.get(int(training.accumulation or 1))
    return float(train.batch_size.value * devices * passes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A counted length beside the stated one, in the unit it is stated in."""

    unit: str
    counted: float
    stated: float
    slack: float

    @property
    def ratio(self) -> float:
        """Return counted over stated."""
        return self.counted / self.stated

    @property
    def same(self) -> bool:
        """Whether they differ by no more than 2 %, or by one batch an epoch."""
        return abs(self.counted - self.stated) <= max(SLACK * self.stated, self.slack)


def against(method: Method, stated: Budget, pace: Pace) -> Against | None:
    """Return the counted length beside the stated one; None if one of them is not to be had.

    Of the ways in which the same training can be counted the one nearest to the statement stands.
    """
    if not stated.has("length"):
        return None
    unit = stated.length.unit
    if unit == "epochs":
        return _in_epochs(method, stated, pace)
    if unit == "iterations":
        return _in_steps(method, stated, pace)
    if unit == "samples" and pace.samples:
        views = in_views(method, pace.training)
        return _nearest(unit, [pace.samples, pace.samples / views], stated.length.value, 0.0)
    return None


def _nearest(unit: str, counted: list[float], stated: float, slack: float) -> Against | None:
    possible = [value for value in counted if value > 0]
    if not possible or stated <= 0:
        return None
    best = min(possible, key=lambda value: abs(math.log(value / stated)))
    return Against(unit=unit, counted=best, stated=stated, slack=slack)


def _in_epochs(method: Method, stated: Budget, pace: Pace) -> Against | None:
    size = stated.train_size.value if stated.has("train_size") else pace.unique
    by_content = pace.training.unique if pace.training.unique_by == "content" else None
    sizes = [u for u in (pace.unique, size, by_content) if u]
    if not stated.has("epochs") or not pace.samples or not sizes:
        return None
    views = in_views(method, pace.training)
    seen = {pace.samples / u for u in sizes} | {pace.samples / views / u for u in sizes}
    a_batch_each = (pace.per_step or 0.0) / sizes[0]
    whole = stated.epochs.value
    return _nearest("epochs", sorted(seen), whole, a_batch_each * whole)


def _in_steps(method: Method, stated: Budget, pace: Pace) -> Against | None:
    steps = float(pace.training.steps)
    seen = [steps, steps * max(1.0, pace.training.accumulation or 1.0)]
    if pace.samples and stated.has("samples") and fewer_devices(method, pace.training):
        seen.append(pace.samples / stated.samples.value * stated.length.value)
    return _nearest("iterations", seen, stated.length.value, max(1.0, pace.epochs or 1.0))


def steps_as_stated(stated: Budget, pace: Pace) -> bool:
    """Return whether a length in epochs has the steps that it should have at the stated batch.

    Where it has, more samples are more samples a step, and no longer training.
    """
    if not stated.has("length") or stated.length.unit != "epochs" or not stated.has("steps"):
        return False
    meant = stated.steps.value
    slack = max(SLACK * meant, stated.epochs.value if stated.has("epochs") else 1.0)
    return abs(pace.training.steps - meant) <= slack


def repetition(method: Method, pace: Pace, factor: float) -> str:
    """Return what shows that samples were repeated within a stated epoch, or nothing.

    Without it a training that is longer than stated has more epochs, not repeats.
    """
    training = pace.training
    alike = training.repeated_batches
    if factor > 1 and alike >= 0.5 * (1 - 1 / factor):
        return f"{alike:.0%} of the steps trained on the very samples of the step before"
    rows, drawn = training.samples, training.drawn
    if rows and drawn and rows >= 0.9 * factor * drawn and in_views(method, training) == 1:
        return f"each drawn sample was trained on {rows / drawn:.1f} times"
    named = next((name for name in training.samplers if "repeat" in name.lower()), "")
    if named or "RASampler" in training.samplers:
        return f"the loader draws with {named or 'RASampler'}"
    if pace.unique and times_stated(training, pace.unique) > 1:
        multiple = times_stated(training, pace.unique)
        return f"its data set has {multiple} times as many indices as samples are declared"
    return _rhythm(method, pace)


def _rhythm(method: Method, pace: Pace) -> str:
    """Return what the script itself does once an epoch, where that is as often as is stated."""
    epochs, steps = method.train.epochs.get(0.0), pace.training.steps
    rates = pace.training.optimizer.distinct_lrs
    if epochs and pace.training.rounds == epochs:
        return f"the loader was run through {figure(epochs)} times, as many as epochs are stated"
    if epochs < 3 or steps < 2 * epochs:
        return ""
    if abs(rates - epochs) <= 1:
        return f"the learning rate took {rates} values, as many as epochs are stated"
    at = sorted({one.at for one in pace.seen.evaluations if not one.sanity and one.at})
    gaps = [after - before for before, after in pairwise(at)]
    even = bool(gaps) and max(gaps) - min(gaps) <= 1
    if even and abs(len(at) - epochs) <= 1:
        return f"it was evaluated {len(at)} times, as often as epochs are stated"
    return ""
