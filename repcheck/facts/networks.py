"""What the trained network of a method does that its baseline's does not, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.network_words import belongs, holds, names_it, offered, stated_of
from repcheck.facts.observed import Observed, Sight, source_of

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.model_diff import Category, Diff, Difference
    from repcheck.observation import Evaluation, NetworkSeen, Observation, OpSeen
    from repcheck.runs import Run

Standing = Literal["contribution", "declared", "undeclared", "note"]
NOTES = frozenset({"width", "depth"})
# Of these the method has what the baseline has not, or there is nothing to gain.
ONE_WAY = frozenset({"attention", "resampling", "skips", "dropout"})
PLAIN = frozenset({"relu", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One difference and how it stands.

    It is a part of the contribution; or declared for both and seen so; or undeclared; or a note,
    which favours the baseline or is of size alone. `said` tells that the method's own side is
    stated as it was seen; `contradicts` that it is stated and was seen otherwise.
    """

    difference: Difference
    standing: Standing
    said: bool = False
    contradicts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks(Fact):
    """The networks that were seen while the declared arms trained, beside each other."""

    label: ClassVar[str] = "structure of the networks"
    observed: Observed
    _made: dict[str, Diff | Missing] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take what was observed; `of` says what is missing."""
        return cls(observed=evidence.get(Observed))

    def of(self, comparison: Comparison) -> tuple[Told, ...]:
        """Return every difference between the two networks of a comparison, and how it stands.

        Raises:
            Missing: if the network of either was not seen whole, or the two are not alike enough
                for positions to be held against each other.
        """
        diff = self.diff(comparison)
        if diff.share < ALIKE:
            names = f"`{comparison.method.id}` and `{comparison.baseline.id}`"
            raise Missing(
                Reason.NEEDS_HUMAN,
                f"{names} are different architectures ({diff.share:.0%} of their layers are "
                "alike): a reviewer has to say what belongs to the recipe of each",
            )
        return tuple(_told(comparison, one) for one in diff.differences)

    def told(self, comparison: Comparison, category: Category) -> Told | None:
        """Return the difference of one category, or nothing; raises `Missing` as `of` does."""
        found = (one for one in self.of(comparison) if one.difference.category == category)
        return next(found, None)

    def diff(self, comparison: Comparison) -> Diff:
        """Return the two networks beside each other, or raise `Missing`."""
        if comparison.id not in self._made:
            from repcheck.model_diff import compare  # only a rerun has networks

            try:
                ours, theirs = (self.network(one, comparison.dataset) for one in _pair(comparison))
                self._made[comparison.id] = compare(ours, theirs)
            except Missing as missing:
                self._made[comparison.id] = missing
        made = self._made[comparison.id]
        if isinstance(made, Missing):
            raise made
        return made

    def network(self, method: Method, dataset: str = "") -> NetworkSeen:
        """Return the network that a method trained, all trained modules of a run as one.

        Raises:
            Missing: if none was seen, or not whole.
        """
        sight = self.observed.of(method, dataset)
        seen = next((one.networks for _, one in sight.observations() if one.networks), ())
        if not seen:
            raise Missing(
                Reason.NOT_OBSERVED,
                f"the operations of `{method.id}`'s network were not seen in its runs: "
                "`repcheck check --rerun all`",
            )
        if any(one.cut for one in seen):
            raise Missing(
                Reason.NOT_OBSERVED,
                f"only a part of the operations of `{method.id}`'s network was seen",
            )
        if why := sight.doubt():
            raise Missing(Reason.NOT_OBSERVED, f"a run of `{method.id}` that is seen whole: {why}")
        return _as_one(seen)

    def source(self, method: Method, name: str, value: str | int, dataset: str = "") -> Quantity:
        """Return something seen of a network as evidence that points to its run."""
        run = self._run(self.observed.of(method, dataset))
        return Quantity(
            name=f"{method.id}.{name}", value=value, level=Level.OBSERVED, source=source_of(run)
        )

    @staticmethod
    def _run(sight: Sight) -> Run:
        return next((run for run, seen in sight.observations() if seen.networks), sight.runs[0])

    def batch_statistics(self, method: Method, dataset: str = "") -> tuple[int, int]:
        """Return how many final evaluations normalised by their own batches, and of how many.

        Raises:
            Missing: if the network or its evaluations were not seen.
        """
        network = self.network(method, dataset)
        norms = [op for op in network.ops if op.op == "batch_norm"]
        untracked = any(op.parts.get("running") is False for op in norms)
        passes = [
            one
            for _, seen in self.observed.of(method, dataset).observations()
            for one in _final(seen)
        ]
        if not passes:
            raise Missing(Reason.NOT_OBSERVED, f"no final evaluation of `{method.id}` was seen")
        by_batch = [one for one in passes if norms and (one.in_training_mode or untracked)]
        return len(by_batch), len(passes)


ALIKE = 0.5
"""Share of alike layers from which two networks are taken for variants of one."""


def _pair(comparison: Comparison) -> tuple[Method, Method]:
    return comparison.method, comparison.baseline


def _final(seen: Observation) -> list[Evaluation]:
    """Return the last passes over sets that nothing was trained on."""
    trained = {one.id for one in seen.sets if one.trained}
    return [
        one for one in seen.evaluations if one.final and not one.sanity and one.set not in trained
    ]


def _as_one(seen: Iterable[NetworkSeen]) -> NetworkSeen:
    """Return several trained modules as one network, each from the input on."""
    networks = tuple(seen)
    ops: list[OpSeen] = []
    for network in networks:
        begin = len(ops)
        ops += [
            replace(op, inputs=tuple(at if at < 0 else at + begin for at in op.inputs))
            for op in network.ops
        ]
    return replace(networks[0], ops=tuple(ops))


def _told(comparison: Comparison, difference: Difference) -> Told:
    category = difference.category
    if category in NOTES or not _favours(difference):
        return Told(difference=difference, standing="note")
    kinds = {one.ours for one in difference.positions} - PLAIN
    if names_it(comparison, category, kinds):
        return Told(difference=difference, standing="contribution")
    names = offered(comparison)
    outside = tuple(one for one in difference.positions if not belongs(one, names))
    if not outside:
        return Told(difference=difference, standing="contribution")
    left = replace(difference, positions=outside)
    mine, other = (stated_of(method, category) for method in _pair(comparison))
    if mine is None or other is None or mine.undeclared:
        return Told(difference=left, standing="undeclared")
    said = holds(mine, left, ours=True)
    if said and other.known and str(mine) == str(other):
        return Told(difference=left, standing="undeclared")  # the same words for what differs
    both = said and not other.undeclared and holds(other, left, ours=False)
    return Told(
        difference=left,
        standing="declared" if both else "undeclared",
        said=said,
        contradicts=not said,
    )


def _favours(difference: Difference) -> bool:
    """Return whether a difference could be to the method's advantage."""
    if difference.category in ONE_WAY:
        return difference.extra
    if difference.category != "activation":
        return True
    swaps = [one for one in difference.positions if "none" not in (one.ours, one.theirs)]
    saturating = {"sigmoid", "tanh"}
    return any(one.ours != "relu" or one.theirs in saturating for one in swaps)
