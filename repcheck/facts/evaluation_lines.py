"""Declared beside observed: post-processing, foreign weights, the model's size, the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from repcheck.budget import figure
from repcheck.claims.stated import Section, Stated
from repcheck.facts.evaluation_seen import (
    SEVERAL,
    averaged,
    checkpoint,
    evaluated,
    finals,
    members,
    mode,
    self_distilled,
    views,
)
from repcheck.facts.line import DIFFERS, SAME, Line, Shown, Sides, Told, as_unit, counts, line
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import Observation, Teacher, WeightLoad

Tell = Callable[[Any, Any], Told]
_PARAMS = 0.05
_CHANGED = 0.05


def evaluation_lines(sides: Sides) -> Iterator[Line | None]:
    """Yield the lines of the evaluated weights and of the evaluation itself."""
    method = sides.method
    for key in ("ema", "swa"):
        decay = sides.words(partial(_averaged, swa=key == "swa"), _decay)
        yield line(sides, key, getattr(method, key), decay, _average)
    every = sides.words(lambda _, seen: views(seen, sides.dataset), lambda v: f"{v:.1f} views")
    yield line(sides, "tta.views", _views_of(sides), every, _views)
    models = sides.words(lambda _, seen: members(seen))
    yield line(sides, "ensemble_size", method.ensemble_size, models, _members)
    copies = sides.words(
        lambda _, seen: self_distilled(seen), lambda used: "a copy was asked" if used else "none"
    )
    distilled = method.distillation
    stated = distilled if distilled.absent else distilled.self_
    yield line(sides, "distillation.self", stated, copies, _copied)
    yield _teacher(sides)
    yield _pretrained(sides)
    yield _params(sides)
    yield _selection(sides)
    modes = sides.words(lambda _, seen: mode(seen))
    yield line(
        sides, "eval.mode", method.eval.mode, modes, lambda d, o: SAME if d == o else DIFFERS
    )
    yield _test_size(sides)


def _equal(declared: str | None, observed: str) -> Told:
    return SAME if declared == observed else DIFFERS


def _averaged(_: Run, seen: Observation, *, swa: bool) -> float | None:
    return averaged(seen, swa=swa)


def _decay(decay: float) -> str:
    if not decay:
        return "none"
    return "averaged weights" if decay == 1 else f"averaged weights (decay {decay:.6g})"


def _average(declared: Any, observed: float) -> Told:  # noqa: ANN401
    if bool(declared) != bool(observed):
        return Told(state="differs", gain=1 if observed else -1)
    known = isinstance(declared, float) and 0 < declared < 1 and 0 < observed < 1
    if known and abs((1 - observed) / (1 - declared) - 1) > 0.1:
        return as_unit(DIFFERS, "another decay than declared, which may have been warmed up")
    return SAME


def _views_of(sides: Sides) -> Stated[Any] | Section:
    tta = sides.method.tta
    return tta if tta.absent or (tta.declared and not tta.views.known) else tta.views


def _views(declared: Any, observed: float) -> Told:  # noqa: ANN401
    wanted = 1.0 if declared is None else declared
    if wanted is True:
        return SAME if observed >= SEVERAL else Told(state="differs", gain=-1)
    size = observed / wanted
    if abs(size - 1) <= 0.1 or max(observed, wanted) < SEVERAL:
        return Told(state="same", size=size)
    told = Told(state="differs", size=size, gain=1 if size > 1 else -1)
    if abs(observed - round(observed)) > 0.05 * observed:
        return as_unit(told, "no whole number of views: windows over larger examples")
    return told


def _members(declared: Any, observed: int) -> Told:  # noqa: ANN401
    return counts(1 if declared is None else declared, observed, gain=1)


def _copied(declared: Any, observed: bool) -> Told:  # noqa: ANN401, FBT001
    """Tell self-distillation: a copy that is asked may be its teacher, or a target network."""
    if bool(declared) == observed:
        return SAME
    words = "an untrained copy of the model was asked: a target network, or self-distillation"
    return as_unit(DIFFERS, words if observed else "no copy was asked: its answers may be on disk")


def _teacher(sides: Sides) -> Line | None:
    def foreign(_: Run, seen: Observation) -> Teacher | None:
        asked = [one for one in seen.teachers if not one.in_optimizer]
        return max(asked, key=lambda one: one.params, default=None)

    shown = sides.words(
        foreign, lambda one: f"{one.cls} ({figure(one.params)} parameters, {one.forwards} forwards)"
    )
    if isinstance(shown, str) and sides.sight is not None:
        shown = "no network was seen to be asked beside the trained one"
    stated = sides.method.distillation
    leaf = stated if stated.absent else stated.teacher
    part = "a network that is not trained may be a teacher, or a part of the loss"
    return line(
        sides,
        "distillation.teacher",
        leaf,
        shown,
        lambda declared, _: SAME if declared else as_unit(DIFFERS, part),
    )


def _pretrained(sides: Sides) -> Line | None:
    def foreign(load: WeightLoad) -> bool:
        outside = not load.own and not load.resumes and load.at == 0
        return outside and (load.changed or 0.0) >= _CHANGED

    def loaded(_: Run, seen: Observation) -> WeightLoad | None:
        return next((one for one in seen.loads if foreign(one)), None)

    shown = sides.words(loaded, lambda one: f"{one.what} ({one.changed or 0:.0%} of the weights)")
    stated = sides.method.pretrained
    if isinstance(shown, str):
        shown = "no weights from outside were seen to be loaded" if sides.sight else shown
        return line(sides, "pretrained", stated, shown, counts) if stated.declared else None
    run = shown.run.observation
    other = run is not None and (
        any(not one.in_optimizer for one in run.teachers)
        or any(one.held is False and not one.known for one in run.evaluations)
    )
    told = Told(state="differs", gain=1)
    if other:
        told = as_unit(told, "the weights may be another network's than the trained one's")
    return line(sides, "pretrained", stated, shown, lambda d, _: SAME if d else told)


def _params(sides: Sides) -> Line | None:
    """Return the size of the trained model; any usual way of counting it may agree."""
    leaf = sides.method.model.params

    def ways(_: Run, seen: Observation) -> tuple[int, ...] | None:
        trained = [one for one in seen.models if one.trained]
        if not trained:
            return None
        largest = max(trained, key=lambda one: one.trainable)
        sums = (sum(one.trainable for one in trained), sum(one.params for one in trained))
        held = [seen.training.optimizer.elements] if seen.training else []
        last = [one.params for one in finals(seen) if one.params]
        return (largest.trainable, largest.params, *sums, *held, *last)

    shown = sides.words(ways, lambda found: figure(found[0]))
    if isinstance(shown, str):
        return line(sides, "model.params", leaf, shown, counts) if leaf.known else None
    found = shown.value
    model = sides.method.model
    folded = sides.method.reparam.get(False) or model.deploy_entry.known

    def tell(declared: float | None, _: int) -> Told:
        if not declared:
            return DIFFERS if declared is None else Told(state="unit", why="declared as zero")
        nearest = min(found, key=lambda value: abs(value / declared - 1))
        size = nearest / declared
        if abs(size - 1) <= max(_PARAMS, _rounding(str(leaf))):
            return Told(state="same", size=size)
        told = Told(state="differs", size=size, gain=1 if size > 1 else -1)
        return as_unit(told, "the form that is deployed is smaller") if folded else told

    one = Shown(value=found[0], text=shown.text, run=shown.run, unit="parameters")
    return line(sides, "model.params", leaf, one, tell)


def _rounding(text: str) -> float:
    """Return the relative room of a printed number: half a unit of its last digit."""
    digits = "".join(c for c in text if c.isdigit()).lstrip("0") or "1"
    return 0.5 / int(digits) if len(digits) < 9 else 0.0


def _selection(sides: Sides) -> Line | None:
    shown = sides.words(
        lambda _, seen: checkpoint(seen),
        lambda which: "the last weights" if which == "last" else "weights of an earlier step",
    )

    def tell(declared: str | None, observed: str) -> Told:
        return DIFFERS if declared == "last" and observed == "earlier" else SAME

    leaf = sides.method.model_selection.checkpoint
    return line(sides, "model_selection.checkpoint", leaf, shown, tell)


def _test_size(sides: Sides) -> Line | None:
    """Return the evaluated examples: those of the set that comes nearest to the stated test."""
    leaf, dataset = sides.dataset.test.size, sides.dataset
    if not leaf.known:
        return None
    wanted = leaf.value

    def nearest(_: Run, seen: Observation) -> int | None:
        sizes = [one.examples for one in evaluated(seen) if one.examples]
        return min(sizes, key=lambda size: abs(size - wanted), default=None)

    def alone(seen: Observation | None) -> bool:
        return seen is not None and len(evaluated(seen)) == 1 and len(finals(seen)) == 1

    shown = sides.words(nearest, lambda size: f"{figure(size)} examples")
    told = counts(wanted, shown.value) if isinstance(shown, Shown) else SAME
    if isinstance(shown, Shown) and not alone(shown.run.observation):
        told = as_unit(told, "which of several evaluated sets is the test set is not known")
    if dataset.val.size.known and isinstance(shown, Shown):
        near = abs(shown.value - dataset.val.size.value) <= 0.02 * dataset.val.size.value
        told = as_unit(told, "the evaluated set is the validation set") if near else told
    return line(sides, f"datasets.{dataset.id}.test.size", leaf, shown, lambda *_: told)
