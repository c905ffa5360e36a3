"""What each term of a method's loss gives the gradient, where the loss is a sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.model import Loss, Method
from repcheck.errors import Missing
from repcheck.fact import Evidence, Fact, Quantity
from repcheck.facts.network_words import words_of
from repcheck.facts.observed import Observed, Sight

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.observation import LossSeen, TermSeen
    from repcheck.runs import Run

# What autograd calls the functions that losses of these names end in.
_ENDS = {
    "NllLoss": frozenset({"ce", "cross", "entropy", "crossentropy", "nll", "xent", "softmax"}),
    "MseLoss": frozenset({"mse", "l2", "squared"}),
    "L1Loss": frozenset({"l1", "mae"}),
    "SmoothL1": frozenset({"smooth", "huber"}),
    "BinaryCrossEntropy": frozenset({"bce", "binary", "entropy"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One declared term and what was seen of it: operand `place` of the loss's operands."""

    term: TermSeen
    loss: LossSeen
    place: int
    run: Run
    sight: Sight

    def quantity(self, name: str) -> Quantity:
        """Return the share of the gradient as evidence that points to its run."""
        value = round(self.term.share, 9)
        return self.sight.quantity(f"losses.{name}.gradient", value, "share", self.run)

    @property
    def words(self) -> str:
        """Return what was seen, with its numbers."""
        of, steps = len(self.loss.terms) + self.loss.constants, self.loss.steps
        return (
            f"operand {self.place + 1} of {of} of the loss gives {_percent(self.term.share)} of"
            f" the gradient (median of {self.loss.n} looks from step {steps[0]} to {steps[-1]};"
            f" under 1 % on every parameter in {self.term.small:.0%} of them)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTerms(Fact):
    """The losses that were seen to be sums."""

    label: ClassVar[str] = "terms of the losses"
    observed: Observed

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take what was observed; there may be nothing."""
        return cls(observed=evidence.get(Observed))

    def of(self, method: Method, name: str) -> Share | None:
        """Return what was seen of a declared term; None where nothing was, or it is not known.

        A loss with as many operands as there are declared terms is taken for them, in the order of
        both, unless the functions in which they end say otherwise.
        """
        declared = [loss for loss in method.losses or () if loss.weight.get(1.0) != 0]
        names = [loss.name.get("") for loss in declared]
        if name not in names:
            return None
        try:
            sight = self.observed.of(method)
        except Missing:
            return None
        for run, seen in sight.observations():
            for loss in seen.losses:
                order = _order(declared, loss)
                if order is not None:
                    at = order[names.index(name)]
                    return Share(term=loss.terms[at], loss=loss, place=at, run=run, sight=sight)
        return None


def _order(declared: Sequence[Loss], loss: LossSeen) -> list[int] | None:
    """Return which operand each declared term is; None where that cannot be told."""
    if len(loss.terms) != len(declared):
        return None
    found: list[int | None] = [None] * len(declared)
    for end, words in _ENDS.items():
        mine = [at for at, one in enumerate(declared) if words & words_of(one.name.get(""))]
        theirs = [at for at, term in enumerate(loss.terms) if term.op.startswith(end)]
        if len(mine) == 1 == len(theirs) and found[mine[0]] is None:
            found[mine[0]] = theirs[0]
    left = [at for at in range(len(declared)) if at not in found]
    if len(left) != found.count(None):
        return None
    return [at if at is not None else left.pop(0) for at in found]


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share else "nothing (0 %)"
