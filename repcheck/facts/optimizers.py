"""Optimizers as they were seen: the fields that matter, and whose differences are none."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Quantity
from repcheck.facts.observed import Observed, Sight
from repcheck.metric_names import letters
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import OptimizerSeen, Training

Value = float | int | str | bool | tuple[float, ...] | None
FIELDS = ("type", "momentum", "nesterov", "betas", "eps", "weight_decay", "clip_norm")
# Spellings of one optimizer: what it runs on is no difference.
_VARIANTS = re.compile(r"^(?:fused|cpu|deepspeed|foreach|multitensor)|(?:8bit|fused|cpu)$")
KNOWN = frozenset(
    {
        "sgd", "adam", "adamw", "adamax", "nadam", "radam", "adagrad", "adadelta", "rmsprop",
        "rprop", "lbfgs", "asgd", "sparseadam", "adafactor", "lion", "lamb", "lars", "muon",
    }
)  # fmt: skip


def short(name: str) -> str:
    """Return an optimizer by its common name: `FusedAdamW` and `Adam-W` are `adamw`."""
    plain = letters(name)
    for words in ("withmomentum", "nesterov", "momentum", "optimizer"):
        plain = plain.replace(words, "") or plain
    return _VARIANTS.sub("", plain) or plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """One method's optimizer in one run."""

    method: str
    run: Run
    sight: Sight
    seen: OptimizerSeen
    training: Training

    @property
    def name(self) -> str:
        """Return the optimizer's common name."""
        return short(self.seen.cls)

    def value(self, field: str) -> Value:
        """Return a field's value; None where the optimizer has none, or where it changed."""
        if field == "type":
            return self.seen.cls
        if field == "clip_norm":
            return self.training.clip_norm
        if field in self.seen.changed:
            return None
        value = self.seen.fields.get(field)
        return tuple(value) if isinstance(value, list | tuple) else value

    def quantity(self, field: str) -> Quantity:
        """Return a field as evidence that points to its run."""
        return self.sight.quantity(f"optimizer.{field}", said(self.value(field)), "", self.run)

    def without_decay(self) -> bool:
        """Return whether no weight decays."""
        return not self.value("weight_decay")


def said(value: Value) -> str:
    """Return a field's value as a person writes it."""
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"[{', '.join(f'{item:g}' for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else value


def alike(ours: Value, theirs: Value) -> bool:
    """Return whether two values are one: numbers to one millionth; none, false and zero."""
    if not ours or not theirs:
        return not ours and not theirs
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-6)
    return ours == theirs


def one_type(ours: Knobs, theirs: Knobs) -> bool:
    """Return whether two optimizers are one; Adam and AdamW are, where no weight decays."""
    names = {ours.name, theirs.name}
    if len(names) == 1:
        return True
    return names == {"adam", "adamw"} and ours.without_decay() and theirs.without_decay()


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizers(Fact):
    """The optimizer of every method that a probe saw training."""

    label: ClassVar[str] = "optimizers as observed"
    observed: Observed

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs that were seen."""
        return cls(observed=evidence.get(Observed))

    def of(self, method: Method, dataset: str = "") -> Knobs:
        """Return a method's main optimizer, of its first run that was seen.

        Raises:
            Missing: if no run of it shows one, or if its runs had different ones.
        """
        sight = self.observed.of(method, dataset)
        found = [
            Knobs(method=method.id, run=run, sight=sight, seen=training.optimizer,
                  training=training)
            for run, training in sight.trainings()
        ]  # fmt: skip
        first = found[0]
        for other in found[1:]:
            unequal = [f for f in FIELDS if not alike(first.value(f), other.value(f))]
            if unequal:
                raise Missing(
                    Reason.CONFLICTING_EVIDENCE,
                    f"runs of `{method.id}` with one optimizer: {unequal[0]} is "
                    f"{said(first.value(unequal[0]))} in one and "
                    f"{said(other.value(unequal[0]))} in another",
                )
        return first
