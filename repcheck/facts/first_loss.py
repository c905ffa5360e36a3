"""What a first training loss should be, where its kind says so: that of a guess."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repcheck.observation import Training


# Reductions of a loss keep its value; anything else in the chain scales it or adds to it.
_PLAIN = frozenset({"MeanBackward", "SqueezeBackward", "ViewBackward", "ReshapeAliasBackward"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The loss of a guess among equals: `value` in nats, `words` as its formula."""

    value: float
    words: str
    classes: int


def guess(training: Training) -> Guess | None:
    """Return the loss that a fresh classifier begins with, or nothing if its kind is not known."""
    chain = [name.rstrip("0123456789") for name in training.first_loss_chain]
    kind = next((name for name in chain if name not in _PLAIN), "")
    shape = training.first_output
    if kind.startswith("BinaryCrossEntropy"):
        return Guess(value=math.log(2), words="ln 2", classes=2)
    if not kind.startswith("NllLoss") or len(shape) < 2:
        return None
    classes = shape[1] if "2D" in kind.upper() else shape[-1]
    if classes < 2:
        return None
    return Guess(value=math.log(classes), words=f"ln {classes}", classes=classes)
