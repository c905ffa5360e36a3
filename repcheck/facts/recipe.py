"""How the training recipes of two methods differ, as stated: tuning, schedule, optimizer."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import LrSchedule, Method
from repcheck.claims.stated import Stated
from repcheck.errors import Inapplicable, Missing
from repcheck.facts.work import Seen

POINTS = 200
UNANNEALED = frozenset({"constant", "none", "fixed"})
# One schedule has many names: `cosine with warmup`, `CosineAnnealingLR`, `MultiStepLR`.
_WARM_UP = re.compile(r"\b(?:with|and|after|plus)? ?(?:an? )?(?:linear )?warm[ -]?up\b")
_EXTRAS = re.compile(r"annealing|decay|scheduler?|lr\b|[\W_]")
_KEPT = ("restart", "cycl", "sgdr", "free")
_SAME = {
    "multistep": "step",
    "piecewise": "step",
    "piecewiseconstant": "step",
    "poly": "polynomial",
}
_UNITS = {"epoch": "epochs", "iteration": "steps", "epochs": "epochs", "iterations": "steps"}


def tuned_alike(comparison: Comparison) -> bool:
    """Return whether both state a search, and the baseline's had at least as many trials."""
    ours, theirs = comparison.method.tuning.trials, comparison.baseline.tuning.trials
    return ours.known and theirs.known and 0 < ours.value <= theirs.value


def searched(method: Method, key: str) -> bool:
    """Return whether a method's declared search covered a factor (`lr_schedule`, `lr`)."""
    return any(name.split(".")[0] == key for name in method.tuning.space.get({}))


def equal(ours: Stated[Any], theirs: Stated[Any]) -> bool:
    """Return whether two stated leaves say the same; numbers to one millionth."""
    if not (ours.known and theirs.known):
        return _off(ours) and _off(theirs)
    return _alike(ours.value, theirs.value)


def same_words(ours: str, theirs: str) -> bool:
    """Return whether two names are one, whatever their case, blanks and hyphens."""
    mine, other = (re.sub(r"[\s_-]", "", text.lower()) for text in (ours, theirs))
    return mine == other


def _off(leaf: Stated[Any]) -> bool:
    """Return whether a leaf says that a thing is not used: none, n/a, false or zero."""
    return not leaf.undeclared and (not leaf.known or leaf.content in (False, 0))


def _alike(ours: object, theirs: object) -> bool:
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-6)
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    if isinstance(ours, str) and isinstance(theirs, str):
        return same_words(ours, theirs)
    return ours == theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A stated learning-rate schedule; `shape` is lr / peak at even times of the training.

    `shape` is nothing where the type alone does not say it (plateau, or steps without milestones).
    """

    type: str
    shape: tuple[float, ...] | None

    @property
    def end(self) -> float | None:
        """Return the mean over the last tenth of training, as a share of the peak."""
        if self.shape is None:
            return None
        tail = self.shape[-POINTS // 10 :]
        return sum(tail) / len(tail)

    def distance(self, other: Schedule) -> float | None:
        """Return the mean absolute difference of the two shapes, 0 to 1."""
        if self.shape is None or other.shape is None:
            return None
        if self.shape == other.shape:
            return 0.0
        return sum(abs(a - b) for a, b in zip(self.shape, other.shape, strict=True)) / POINTS


def schedule(method: Method, work: Seen) -> Schedule:
    """Return the stated schedule, with its shape where the statements give one.

    Raises:
        Missing: if no type is stated.
    """
    stated = method.lr_schedule
    if stated.absent:
        return Schedule(type="constant", shape=(1.0,) * POINTS)
    kind = family(stated.type.value)
    return Schedule(type=kind, shape=_shape(kind, method, work))


@lru_cache(maxsize=256)
def family(name: str) -> str:
    """Return a schedule by its common name: `CosineAnnealingLR with warmup` is `cosine`.

    A warm-up in the name is left out, being no difference; restarts stay what they are.
    """
    plain = name.lower()
    if any(word in plain for word in _KEPT):
        return plain
    short = _EXTRAS.sub("", _WARM_UP.sub(" ", plain.replace("_", " ")))
    return _SAME.get(short, short) or plain


def horizon(stated: LrSchedule, work: Seen) -> float | None:
    """Return the schedule's length over the training's: 1 for `train`; nothing if not to be had."""
    leaf = stated.horizon
    if not leaf.known or leaf.content == "train":
        return 1.0
    said: Any = leaf.content
    per = _UNITS[stated.step_per.value] if stated.step_per.known else ""
    if isinstance(said, dict) and len(said) == 1:
        (name, said), *_ = said.items()
        per = _UNITS.get(name, "")
    if isinstance(said, bool) or not isinstance(said, int | float) or said <= 0:
        return None
    total = _total(per, work)
    return said / total if total else None


def _total(per: str, work: Seen) -> float | None:
    """Return the training's length in epochs or steps; in its own unit where none is named."""
    try:
        length = work.amount("length")
        if not per or (per == "epochs") == (length.unit == "epochs"):
            return length.value if per in {"", "epochs"} else work.value("steps")
        return work.value("epochs" if per == "epochs" else "steps")
    except (Missing, Inapplicable):
        return None


def _shape(kind: str, method: Method, work: Seen) -> tuple[float, ...] | None:
    stated = method.lr_schedule
    long = horizon(stated, work)
    if kind in UNANNEALED:
        return (1.0,) * POINTS
    if kind in {"cosine", "linear"} and long is not None:
        floor = _floor(method)
        warm = _warmup(stated, work)
        return _drawn(kind, warm, long, floor)
    if kind == "step" and stated.milestones.known and stated.gamma.known:
        total = _total(_UNITS[stated.step_per.get("epoch")], work)
        scale = 1.0 if all(m <= 1 for m in stated.milestones.value) else total
        if scale:
            at = [m / scale for m in stated.milestones.value]
            gamma = stated.gamma.value
            times = ((i + 0.5) / POINTS for i in range(POINTS))
            return tuple(gamma ** sum(t >= m for m in at) for t in times)
    return None


def _floor(method: Method) -> float:
    peak, final = method.optimizer.lr.get(0.0), method.lr_schedule.final_lr.get(0.0)
    return min(1.0, final / peak) if peak else 0.0


def _warmup(stated: LrSchedule, work: Seen) -> float:
    steps = stated.warmup_steps.get(0.0)
    total = _total("steps", work) if steps else None
    return min(0.99, steps / total) if total else 0.0


@lru_cache(maxsize=256)
def _drawn(kind: str, warm: float, long: float, floor: float) -> tuple[float, ...]:
    return tuple(_decayed(kind, (i + 0.5) / POINTS, warm, long, floor) for i in range(POINTS))


def _decayed(kind: str, time: float, warm: float, long: float, floor: float) -> float:
    if time < warm:
        return time / warm
    done = min(1.0, (time - warm) / max(long - warm, 1e-9))
    left = (1 + math.cos(math.pi * done)) / 2 if kind == "cosine" else 1 - done
    return floor + (1 - floor) * left
