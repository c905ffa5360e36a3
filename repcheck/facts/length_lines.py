"""Declared beside observed: how long a method trains, in what batches, on how much data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from repcheck.budget import Budget, figure
from repcheck.claims.stated import Stated
from repcheck.fact import Quantity
from repcheck.facts.line import (
    SAME,
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
from repcheck.facts.pace import (
    Against,
    Pace,
    against,
    repetition,
    steps_as_stated,
    times_stated,
    unfinished,
)
from repcheck.facts.step_lines import Lengths, step_lines

if TYPE_CHECKING:
    from repcheck.observation import WeightLoad

_COUNTED = (
    *("epochs", "iterations", "samples", "batch_size", "grad_accum", "devices", "repeats"),
    *("subset", "resumed_from"),
)
NO_TOKENS = "a probe counts steps and samples, neither tokens nor environment steps"


def length_lines(
    sides: Sides, stated: Budget, found: Sequence[Pace], why: str
) -> Iterator[Line | None]:
    """Yield the lines of the training's length; all unseen, with `why`, where nothing was."""
    train = sides.method.train
    for unit in ("tokens", "env_steps"):
        leaf: Stated[Any] = getattr(train, unit)
        yield line(sides, f"train.{unit}", leaf, NO_TOKENS, counts) if leaf.known else None
    if not found or sides.sight is None:
        for unit in _COUNTED:
            leaf = getattr(train, unit)
            yield line(sides, f"train.{unit}", leaf, why, counts)
        return
    seen = Lengths(sides=sides, sight=sides.sight, stated=stated, found=found)
    yield from _length(seen)
    yield from step_lines(seen)
    yield _size(seen)
    yield _resumed(seen)


def _length(seen: Lengths) -> Iterator[Line | None]:
    train = seen.sides.method.train
    beside = against(seen.sides.method, seen.stated, seen.pace)
    for unit in ("epochs", "iterations", "samples"):
        leaf: Stated[Any] = getattr(train, unit)
        if not leaf.known:
            shown = _counted(seen, unit)
            yield line(seen.sides, f"train.{unit}", leaf, shown, counts) if shown else None
        elif beside is None or beside.unit != unit:
            why = f"the {unit} could not be counted"
            yield line(seen.sides, f"train.{unit}", leaf, why, counts)
        else:
            yield from _beside(seen, unit, leaf, beside)


_AMOUNTS: dict[str, Callable[[Pace], float | None]] = {
    "epochs": lambda pace: pace.epochs,
    "iterations": lambda pace: pace.training.steps,
    "samples": lambda pace: pace.samples,
}


def _counted(seen: Lengths, unit: str) -> Shown | None:
    """Return an amount that nobody stated."""
    value = _AMOUNTS[unit](seen.pace)
    if value is None:
        return None
    every = [_AMOUNTS[unit](one) for one in seen.found]
    spread = span([one for one in every if one is not None])
    return seen.shown(value, f"{figure(round(value, 2))}{spread}", unit)


def _beside(seen: Lengths, unit: str, leaf: Stated[Any], beside: Against) -> Iterator[Line | None]:
    method = seen.sides.method
    told = _told(seen, beside)
    proof = repetition(method, seen.pace, beside.ratio) if unit == "epochs" else ""
    longer = told.state == "differs" and beside.ratio > 1
    if unit == "epochs":
        yield _repeats(seen, beside, told, proof)
    if longer and proof:
        told = Told(state="same", size=1.0, why="what is more is repeated within an epoch")
        beside = replace(beside, counted=beside.stated)
    declared = float(leaf.value)
    value = declared * beside.ratio
    text = f"{rounded(value)}{_spread(seen, leaf)}; {_detail(seen.pace)}"
    shown = seen.shown(value, text, unit)
    yield line(seen.sides, f"train.{unit}", leaf, shown, lambda _, __: told)


def _told(seen: Lengths, beside: Against) -> Told:
    if beside.same:
        return Told(state="same", size=beside.ratio)
    gain = 1 if beside.ratio > 1 else -1
    told = Told(state="differs", size=beside.ratio, gain=gain)
    method = seen.sides.method
    if beside.unit == "epochs" and steps_as_stated(seen.stated, seen.pace):
        return as_unit(
            told, "the steps are as declared, and each takes other samples than declared"
        )
    if beside.unit == "epochs" and (method.rl.known or method.train.env_steps.known):
        return as_unit(told, "an epoch over what an agent has seen is no pass over a training set")
    if gain < 0 and method.curriculum.known:
        return as_unit(told, "the curriculum may pass over parts of the data")
    stops = method.train.early_stopping
    if gain < 0 and stops.known and stops.content is not False:
        return replace(told, state="same", why="it stopped early, as declared")
    return told


def _repeats(seen: Lengths, beside: Against, told: Told, proof: str) -> Line | None:
    """Return the draws of a stated epoch, which is one pass unless the file says otherwise."""
    method = seen.sides.method
    leaf = method.train.repeats
    once = seen.stated.draws.value if seen.stated.has("draws") else leaf.get(1.0)
    draws = once * beside.ratio
    if told.state == "differs" and not (proof and beside.ratio > 1):
        why = f"more draws cannot be told from other epochs: {rounded(beside.counted)} in all"
        return line(seen.sides, "train.repeats", leaf, why, counts) if leaf.known else None
    if told.state != "differs" and not leaf.known:
        return None
    exactly = "exactly " if abs(draws - round(draws)) <= 0.03 * draws else ""
    number = f"{round(draws)}" if exactly else f"{draws:.2f}"
    text = f"{exactly}{number} draws of each sample in a stated epoch"
    return Line(
        key="train.repeats",
        declared=str(leaf) if leaf.known else f"{once:g} (an epoch is one pass)",
        observed=f"{text}; {proof}" if proof else text,
        state=told.state,
        size=beside.ratio,
        quantity=seen.sight.quantity("train.repeats", draws, "draws", seen.pace.run),
        place=leaf.place if leaf.known else method.train.epochs.place,
        gain=told.gain,
    )


def _spread(seen: Lengths, leaf: Stated[Any]) -> str:
    declared = float(leaf.value)
    every = [against(seen.sides.method, seen.stated, one) for one in seen.found]
    return span([declared * one.ratio for one in every if one is not None])


def _detail(pace: Pace) -> str:
    steps = f"{figure(pace.training.steps)} steps"
    samples = f"{figure(pace.samples)} samples in {steps}" if pace.samples else steps
    return f"{samples}, U = {figure(pace.unique)}" if pace.unique else samples


def _size(seen: Lengths) -> Line | None:
    """Return U beside the stated size of the subset, or of the training split."""
    training, pace = seen.training, seen.pace
    if not training.unique:
        return None
    text = f"{figure(training.unique)} by {training.unique_by or 'count'}"
    dataset = seen.sides.dataset
    subset = seen.sides.method.train.subset
    key = "train.subset" if subset.known else f"datasets.{dataset.id}.train.size"
    if not seen.stated.has("train_size"):
        return None
    stated = seen.stated.train_size
    told = _sized(seen, stated.value, float(training.unique), pace.per_step or 0.0)
    unit = "training samples"
    return Line(
        key=key,
        declared=figure(stated.value),
        observed=text,
        state=told.state,
        size=told.size,
        quantity=_quantity(seen, "train_size", training.unique, unit),
        place=stated.place,
        why=told.why,
        gain=told.gain,
    )


def _quantity(seen: Lengths, name: str, value: float, unit: str) -> Quantity:
    return seen.sight.quantity(name, value, unit, seen.pace.run)


def _sized(seen: Lengths, stated: float, unique: float, batch: float) -> Told:
    training = seen.training
    told = counts(stated, unique, slack=batch if unique < stated else 0.0)
    told = replace(told, gain=int(unique > stated))
    train = seen.sides.method.train
    if seen.sides.dataset.split.folds.known:
        return as_unit(told, "each fold trains on a part")
    if any(leaf.known for leaf in (train.tokens, train.sequence_length, train.env_steps)):
        return as_unit(told, "pieces of text, or steps of an environment, are drawn as samples")
    if times_stated(training, stated) > 1:
        words = f"{times_stated(training, stated)} times as many indices: a set that repeats itself"
        return as_unit(told, words)
    if training.unique_by == "content":
        new = "augmentation makes new rows" if unique > stated else "rows that are alike count once"
        return as_unit(told, f"samples were told apart by content, and {new}")
    if unfinished(training, seen.pace.samples, stated):
        return as_unit(told, "so few draws, or weighted ones, do not meet every sample")
    return told


def _resumed(seen: Lengths) -> Line | None:
    leaf = seen.sides.method.train.resumed_from

    def past(load: WeightLoad) -> bool:
        return load.resumes and not load.own and load.at == 0

    shown = seen.sides.words(
        lambda _, seen: next((one.what for one in seen.loads if past(one)), "") or None
    )
    if isinstance(shown, str):
        why = "no checkpoint with an optimizer's or an epoch's state was seen to be read"
        if leaf.known:
            return line(seen.sides, "train.resumed_from", leaf, why, counts)
        shown = Shown(value=None, text="nothing read from outside", run=seen.pace.run)
        nothing = line(seen.sides, "train.resumed_from", leaf, shown, lambda _, __: SAME)
        return None if leaf.undeclared else nothing
    return line(
        seen.sides,
        "train.resumed_from",
        leaf,
        shown,
        lambda declared, _: SAME if declared else Told(state="differs", gain=1),
    )
