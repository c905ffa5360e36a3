"""Declared beside observed: the optimizer, its learning rate and schedule, precision, seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from repcheck.facts.line import (
    DIFFERS,
    EXACT,
    SAME,
    Line,
    Shown,
    Sides,
    Told,
    as_unit,
    exact,
    flags,
    line,
    printed,
)
from repcheck.facts.recipe import UNANNEALED, family
from repcheck.facts.schedule import FLAT, Trace, off_family
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import Observation, Training

# The longer names first: `adamw` holds `adam`.
_FAMILIES = (
    *("sparseadam", "adadelta", "adafactor", "adabelief", "adamax", "adamw", "adagrad", "nadam"),
    *("radam", "adam", "rmsprop", "shampoo", "sophia", "lbfgs", "rprop", "lamb", "lars", "lion"),
    *("muon", "asgd", "sgd"),
)
_OFTEN_SCALED = (256.0, 128.0, 512.0)
_NO_CLIP = 1e6
_DECAYS = {"cosine", "linear", "step", "exponential", "polynomial", "inversesqrt"}
_ALIGNED = 0.05


def recipe_lines(sides: Sides, trace: Trace | None) -> Iterator[Line | None]:
    """Yield the lines of the recipe; `trace` is the learning rate's, if it was seen."""
    yield from _optimizer(sides)
    yield from _schedule(sides, trace)
    amp = sides.training(lambda seen: seen.amp, lambda amp: ", ".join(amp) or "none")
    yield line(sides, "train.amp", sides.method.train.amp, _shy(sides.method.train.amp, amp), _amp)
    yield _seeds(sides)


def _shy(leaf: Any, shown: Shown | str) -> Shown | str:  # noqa: ANN401
    """Leave out what is neither declared nor used."""
    nothing = isinstance(shown, Shown) and not shown.value
    return "it was not used" if leaf.undeclared and nothing else shown


def _amp(declared: Any, observed: tuple[str, ...]) -> Told:  # noqa: ANN401
    if declared and not observed:
        return as_unit(DIFFERS, "mixed precision is often switched on where a GPU is, only")
    return flags(declared, observed)


def optimizer_family(name: str) -> str:
    """Return an optimizer by its common name (`torch.optim.AdamW` is `adamw`), or nothing."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    if any(word in plain for word in ("sam", "lookahead", "swats")) and "sample" not in plain:
        return ""
    return next((known for known in _FAMILIES if known in plain), "")


def _optimizer(sides: Sides) -> Iterator[Line | None]:
    stated = sides.method.optimizer
    classes = sides.training(lambda seen: seen.optimizer.cls)
    decay = sides.training(lambda seen: seen.optimizer.fields.get("weight_decay"))
    plain = isinstance(decay, Shown) and not decay.value

    def kind(declared: Any, observed: str) -> Told:  # noqa: ANN401
        mine, seen = optimizer_family(str(declared)), optimizer_family(observed)
        if mine and seen and mine != seen:
            if {mine, seen} == {"adam", "adamw"} and plain:
                return as_unit(DIFFERS, "without weight decay the two are one")
            return DIFFERS
        return SAME if mine == seen and mine else as_unit(DIFFERS, "no name that is known")

    yield line(sides, "optimizer.type", stated.type, classes, kind)
    rate = sides.numbers(lambda seen: seen.optimizer.peak_lr or None)
    yield line(sides, "optimizer.lr", stated.lr, rate, lambda d, o: _rate(sides, d, o))
    for name in ("weight_decay", "momentum", "eps", "nesterov", "betas"):
        shown = sides.training(_field(name), _setting)
        tell = {"nesterov": flags, "betas": _betas, "momentum": _momentum(sides)}.get(name, exact)
        yield line(sides, f"optimizer.{name}", getattr(stated, name), shown, tell)
    clip = sides.training(_clip, printed)
    if isinstance(clip, str):
        clip = "no clipping through torch's own function was seen"
    yield line(sides, "optimizer.clip_norm", stated.clip_norm, clip, exact)


def _clip(seen: Training) -> float | None:
    return seen.clip_norm if seen.clip_norm and seen.clip_norm < _NO_CLIP else None


def _field(name: str) -> Any:  # noqa: ANN401
    return lambda seen: seen.optimizer.fields.get(name)


def _setting(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return printed(value)
    return str(list(value)) if isinstance(value, tuple | list) else str(value)


def _betas(declared: Any, observed: Any) -> Told:  # noqa: ANN401
    mine, seen = tuple(declared or ()), tuple(observed or ())
    alike = len(mine) == len(seen) and all(
        math.isclose(a, b, rel_tol=EXACT) for a, b in zip(mine, seen, strict=True)
    )
    return SAME if alike else DIFFERS


def _momentum(sides: Sides) -> Any:  # noqa: ANN401
    def tell(declared: Any, observed: Any) -> Told:  # noqa: ANN401
        betas = sides.training(_field("betas"))
        first = betas.value[0] if isinstance(betas, Shown) and betas.value else None
        if first is not None and exact(declared, first).state == "same":
            return SAME
        return exact(declared, observed)

    return tell


def _rate(sides: Sides, declared: Any, peak: float) -> Told:  # noqa: ANN401
    """Tell the peak from the stated rate: a moving rate need not meet its peak at a step."""
    told = exact(declared, peak)
    if told.state == "same" or not declared:
        return told
    moves = sides.numbers(lambda seen: seen.optimizer.distinct_lrs)
    if isinstance(moves, Shown) and moves.value > 2 and 0.95 * declared <= peak < declared:
        return Told(state="same", size=told.size, why="no step met the peak itself")
    batch = sides.numbers(lambda seen: seen.batch)
    world = sides.numbers(lambda seen: seen.world)
    scales = {world.value} if isinstance(world, Shown) else set()
    if isinstance(batch, Shown):
        scales |= {batch.value / base for base in _OFTEN_SCALED}
    if any(math.isclose(peak / declared, scale, rel_tol=1e-4) for scale in scales if scale != 1):
        return as_unit(told, "the rate is scaled with the batch")
    return told


def _schedule(sides: Sides, trace: Trace | None) -> Iterator[Line | None]:
    stated = sides.method.lr_schedule
    kind: Shown | str = sides.why or "no learning rate could be seen"
    warm: Shown | str = kind
    last: Shown | str = kind
    if trace is not None:
        steps = trace.warm_up_steps()
        after = f" after {steps} steps of warm-up" if steps and trace.warm else ""
        text = f"{trace.kind}{after}, ends at {trace.last:.2g} of its peak"
        kind = Shown(value=trace, text=text, run=trace.run)
        warm = Shown(value=steps if trace.warm else 0, text=str(steps), run=trace.run, unit="steps")
        ended = trace.optimizer.last_lr
        last = Shown(value=ended, text=printed(ended), run=trace.run)
    yield line(sides, "lr_schedule.type", stated if stated.absent else stated.type, kind, _kind)
    if stated.warmup_steps.undeclared:
        warm = "not declared"
    warmed = partial(_warmed, sides, trace)
    yield line(sides, "lr_schedule.warmup_steps", stated.warmup_steps, warm, warmed)
    if stated.final_lr.undeclared:
        last = "not declared"
    yield line(sides, "lr_schedule.final_lr", stated.final_lr, last, partial(_final, trace))


def _warmed(sides: Sides, trace: Trace | None, declared: Any, observed: float) -> Told:  # noqa: ANN401
    mine, told = float(declared or 0), exact(declared, observed)
    steps = trace.steps if trace else 0
    stair = trace.warm_up_stair() if trace and observed else 0
    slack = max(2.0, 0.05 * mine, 0.02 * steps)
    if observed - slack <= mine <= observed + slack + stair:
        return Told(state="same", size=told.size)
    epochs = sides.method.train.epochs.get(0.0)
    if epochs and abs(mine * steps / epochs - observed) <= steps / epochs:
        return as_unit(told, "the warm-up is declared in epochs")
    return told


def _kind(declared: Any, observed: Trace) -> Told:  # noqa: ANN401
    """Tell a schedule's name from a trace; a name without a fixed shape is told by its motion."""
    mine = family(str(declared)) if declared else "constant"
    plain = re.sub(r"[\W_]", "", mine)
    after = min(observed.shape[int(observed.warm * len(observed.shape)) :])
    if plain in UNANNEALED:
        return SAME if after >= FLAT else DIFFERS if after < 0.95 else as_unit(DIFFERS, _UNFITTED)
    if plain in _DECAYS and after >= FLAT:
        return DIFFERS
    if plain == re.sub(r"[\W_]", "", observed.kind):
        return SAME
    off = off_family(observed.shape, mine)
    return SAME if off is not None and off <= _ALIGNED else as_unit(DIFFERS, _UNFITTED)


_UNFITTED = "a curve that is not known as this one; RC201b compares them"


def _final(trace: Trace | None, declared: Any, last: float) -> Told:  # noqa: ANN401
    """Tell the last rate: the last step comes one change before the schedule's end."""
    told = exact(declared, last)
    if trace is None:
        return told
    slack = trace.peak * max(0.01, 1.2 / max(1, trace.optimizer.distinct_lrs))
    near = abs(float(declared or 0) - last) <= slack
    return Told(state="same", size=told.size) if near else told


def _seeds(sides: Sides) -> Line | None:
    """Say whether the run's seed was set; a seed that nobody saw set may have come elsewhere."""

    def own(run: Run, seen: Observation) -> str | None:
        libs = sorted({one.lib for one in seen.seeds if one.value == str(run.seed)})
        return ", ".join(libs) or None

    shown = sides.words(own, lambda libs: f"the run's own seed, in {libs}")
    if isinstance(shown, str) and sides.sight is not None:
        shown = "no random generator was seen to be given the run's seed"
    return line(sides, "seeds.train", sides.method.seeds.train, shown, lambda *_: SAME)
