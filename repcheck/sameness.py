"""What came of holding two models against each other as functions: `repcheck.likened` does it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The numbers of one comparison, as the process that made it leaves them."""

    n: int = 0
    moved: int = 0
    diff: float | None = None
    gradient: float | None = None
    training: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sameness:
    """Two models with the same weights, random ones, on the same `n` random inputs.

    `ours` is a method's id; `theirs` another's, or the `module:function` of a reference. `diff` is
    the largest difference of their outputs, `gradient` that of the gradients with respect to the
    input, both relative to the largest value; `training` is the larger of both in training mode,
    None where they could not be compared there. None throughout, and `why`, where nothing could be
    compared. `moved` counts the parameters (tensors) that were given from one to the other.
    """

    ours: str
    theirs: str
    n: int = 0
    moved: int = 0
    diff: float | None = None
    gradient: float | None = None
    training: float | None = None
    why: str = ""

    @property
    def whole(self) -> bool:
        """Whether the numbers can be those of a comparison; the process that left them may lie."""
        sizes = (one for one in (self.diff, self.gradient, self.training) if one is not None)
        return self.n > 0 and all(0 <= size < math.inf for size in sizes)

    def same(self, within: float) -> bool | None:
        """Return whether both are one function; None where nothing was compared."""
        if self.diff is None or self.gradient is None or not self.whole:
            return None
        if max(self.diff, self.gradient) > within:
            return False
        return None if self.training is None else self.training <= within


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one check found, and the artifact (the digest of its tree) that it found it of."""

    artifact: str
    found: tuple[Sameness, ...] = ()
