"""Declared beside observed: what one step takes: batch, accumulated passes, devices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from repcheck.budget import Budget
from repcheck.claims.stated import Stated
from repcheck.facts.line import (
    COUNTS,
    Agreeing,
    Line,
    Shown,
    Sides,
    Told,
    as_unit,
    counts,
    line,
    rounded,
    span,
)
from repcheck.facts.observed import Sight
from repcheck.facts.pace import (
    Pace,
    fewer_devices,
    in_views,
    middle,
    stated_step,
    steps_as_stated,
)

if TYPE_CHECKING:
    from repcheck.observation import Training

_UNEVEN = ("bucket", "dynamic", "token", "length", "variable")
_FEW = 4
_MORE = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """A method's stated budget beside the pace of its runs, of which there is at least one."""

    sides: Sides
    sight: Sight
    stated: Budget
    found: Sequence[Pace]

    @property
    def pace(self) -> Pace:
        """Return the pace of the run in the middle."""
        return middle(list(self.found))

    @property
    def training(self) -> Training:
        """Return the training of the run in the middle."""
        return self.pace.training

    def shown(self, value: float, text: str, unit: str = "") -> Shown:
        """Return a value of the run in the middle."""
        return Shown(value=value, text=text, run=self.pace.run, unit=unit)


def step_lines(seen: Lengths) -> Iterator[Line | None]:
    """Yield the factors of a step: batch, accumulated passes, devices."""
    sides, training = seen.sides, seen.training
    train, whole = sides.method.train, seen.pace.per_step
    passes, world = _passes(training), training.world
    if whole is None:
        unseen = "the samples of a step could not be counted"
        yield line(sides, "train.batch_size", train.batch_size, unseen, counts)
        return
    one = whole / passes / world
    text = rounded(one) if one == whole else f"{rounded(one)} ({rounded(whole)} a step)"
    every = [pace.per_step / passes / world for pace in seen.found if pace.per_step]
    text = f"{text}{span(every)}"
    shown = seen.shown(one, text, "samples")
    yield line(
        sides, "train.batch_size", train.batch_size, shown, lambda d, _: _batch(seen, d, one)
    )
    factors = {"grad_accum": (passes, "passes"), "devices": (float(world), "devices")}
    for name, (count, unit) in factors.items():
        leaf: Stated[int] = getattr(train, name)
        if leaf.undeclared and count == 1:
            continue
        shown = seen.shown(count, f"{rounded(count)} {unit}", unit)
        made = line(sides, f"train.{name}", leaf, shown, _agreeing(seen, whole))
        yield replace(made, gain=_more(seen)) if made and leaf.undeclared else made


def _passes(training: Training) -> float:
    """Return the backward passes that make a step; those of several optimizers cannot be told."""
    return 1.0 if training.others else max(1.0, training.accumulation or 1.0)


def _batch(seen: Lengths, declared: int, one: float) -> Told:
    """Tell the batch: the same samples may be split, seen in views, or be all there are."""
    told = counts(declared, one, gain=_by_steps(seen))
    if told.state == "same":
        return told
    for state, holds, why in _excuses(seen, declared, one):
        if holds:
            return replace(told, state=state, why=why)
    return told


def _excuses(seen: Lengths, declared: int, one: float) -> Iterator[tuple[Agreeing, bool, str]]:
    """Yield (how it is told, whether it holds, in words) for what may explain another batch."""
    method, training = seen.sides.method, seen.training
    train, whole = method.train, seen.pace.per_step or one
    uneven = any(word in name.lower() for name in training.samplers for word in _UNEVEN)
    yield "unit", uneven, "the loader makes batches of various sizes"
    product = declared * train.grad_accum.get(1) * train.devices.get(1)
    yield "same", near(product, whole), "the samples of a step agree"
    shared = (whole, whole / training.world, one * training.world, one * train.devices.get(1))
    together = any(near(declared, way) for way in shared)
    yield "unit", together, "declared is what all devices and passes of a step take together"
    views = in_views(method, training)
    words = f"each sample enters a step in {views:.0f} views"
    known: Agreeing = "same" if train.views.known else "unit"
    yield known, views > 1 and near(declared * views, one), words
    times = one / declared
    pairs = times > 1.5 and abs(times - round(times)) <= COUNTS
    words = "the steps are as declared: views or pairs of samples, or more of them"
    yield "unit", pairs and steps_as_stated(seen.stated, seen.pace), words
    yield "same", _in_the_mean(seen, declared, whole), "the last batch of an epoch is smaller"
    left = _smaller_last(seen, stated_step(method, training) or 0.0, whole)
    yield "same", left, "few steps an epoch, and the last takes what is left"


def _in_the_mean(seen: Lengths, declared: int, whole: float) -> bool:
    """Return whether a mean over steps is that of an epoch with a smaller last batch."""
    unique, training = seen.pace.unique, seen.training
    if not unique or whole == training.batch:
        return False
    step = stated_step(seen.sides.method, training) or float(declared)
    return near(unique / math.ceil(unique / step), whole)


def _smaller_last(seen: Lengths, stated: float, whole: float) -> bool:
    """Return whether an epoch has so few steps that the last, smaller one moves the median."""
    unique, steps = seen.pace.unique, seen.training.steps
    if not unique or whole > stated * (1 + COUNTS):
        return False
    few = math.ceil(unique / stated)
    return steps < _FEW or (few < _FEW and whole >= (1 - COUNTS) * unique / few)


def _more(seen: Lengths) -> int:
    """Return 1 where more samples are seen than the stated steps and batch make."""
    if not _by_steps(seen) or not seen.stated.has("samples") or not seen.pace.samples:
        return 0
    return int(seen.pace.samples > _MORE * seen.stated.samples.value)


def _agreeing(seen: Lengths, whole: float) -> Callable[[int, float], Told]:
    """Return how a factor is told: as a convention where the samples of a step agree."""
    train = seen.sides.method.train

    def tell(declared: int, observed: float) -> Told:
        told = counts(declared, observed, gain=_by_steps(seen))
        stated = train.batch_size.get(0) * train.grad_accum.get(1) * train.devices.get(1)
        if stated and near(stated, whole):
            return Told(state="same", size=told.size, why="the samples of a step agree")
        if fewer_devices(seen.sides.method, seen.training) and observed < declared:
            return as_unit(told, "this machine has fewer devices")
        return told

    return tell


def _by_steps(seen: Lengths) -> int:
    """Return to whose good more samples a step are: the method's own, if steps are its length."""
    return int(seen.stated.has("length") and seen.stated.length.unit == "iterations")


def near(declared: float, observed: float) -> bool:
    """Return whether two counts are within 2 % of each other."""
    return abs(declared - observed) <= COUNTS * max(declared, observed)
