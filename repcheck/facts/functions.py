"""Whether two networks compute one function up to their weights: by their calls, or by numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claims, Method
from repcheck.errors import Missing
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.networks import Networks
from repcheck.facts.observed import Observed

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.observation import NetworkSeen
    from repcheck.sameness import Sameness


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The networks that a method trains, with what a report says of them."""

    networks: tuple[NetworkSeen, ...]
    source: Quantity

    @property
    def digests(self) -> tuple[str, ...]:
        """Return the digest of each; () where one is not known."""
        found = tuple(one.digest for one in self.networks)
        return found if all(found) else ()

    @property
    def trainable(self) -> int:
        """Return the elements of all parameters that can learn."""
        return sum(one.trainable for one in self.networks)

    @property
    def calls(self) -> int:
        """Return how many operations they do."""
        return sum(len(one.ops) for one in self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions(Fact):
    """What is known of the networks as functions."""

    label: ClassVar[str] = "what the networks compute"
    claims: Claims
    observed: Observed
    networks: Networks
    numbers: Mapping[tuple[str, str], Sameness]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take what was observed, and what came of holding models against each other."""
        return cls(
            claims=evidence.claims,
            observed=evidence.get(Observed),
            networks=evidence.get(Networks),
            numbers={(one.ours, one.theirs): one for one in evidence.likened},
        )

    def trained(self, method: Method, dataset: str) -> Trained:
        """Return the networks of a method; raises `Missing` where they were not seen whole."""
        self.networks.network(method, dataset)
        sight = self.observed.of(method, dataset)
        run, seen = next((run, one) for run, one in sight.observations() if one.networks)
        of = sum(len(one.ops) for one in seen.networks)
        source = sight.quantity("network", of, "operations", run)
        return Trained(networks=seen.networks, source=source)

    def evaluated(self, method: Method, dataset: str) -> frozenset[tuple[int, int]]:
        """Return how many modules of how many parameters the final evaluations called."""
        try:
            sight = self.observed.of(method, dataset)
        except Missing:
            return frozenset()
        return frozenset(
            (one.models, one.params)
            for _, seen in sight.observations()
            for one in seen.evaluations
            if one.final and not one.sanity
        )

    def summed(self, method: Method, dataset: str) -> frozenset[int]:
        """Return of how many terms the losses were seen to be sums; empty where none was."""
        try:
            sight = self.observed.of(method, dataset)
        except Missing:
            return frozenset()
        return frozenset(
            len(loss.terms) + loss.constants
            for _, seen in sight.observations()
            for loss in seen.losses
        )

    def is_first(self, comparison: Comparison) -> bool:
        """Return whether a comparison is the first one of its method."""
        every = comparisons(self.claims)
        return next(one.id for one in every if one.method.id == comparison.method.id) == (
            comparison.id
        )


def of_numbers(found: Sameness) -> Quantity:
    """Return the largest difference of two models as evidence."""
    values = (found.diff, found.gradient, found.training)
    known = [value for value in values if value is not None]
    return Quantity(
        name=f"{found.ours} from {found.theirs}",
        value=max(known) if known else "not compared",
        unit="relative",
        level=Level.OBSERVED,
        source="likened.json",
    )
