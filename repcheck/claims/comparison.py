"""Who is compared with whom: one comparison per method, baseline and dataset of the claims."""

from __future__ import annotations

from dataclasses import dataclass, replace

from repcheck.claims.model import Claim, Claims, Dataset, Method
from repcheck.claims.offer import named_by, stands_for, values_of
from repcheck.where import Where

OWN = frozenset({"gate", "gates", "component", "components", "search", "rl"})
LOSSES = frozenset({"loss", "losses"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A proposed method beside one baseline on one dataset, and the claims that rest on it."""

    method: Method
    baseline: Method
    dataset: str
    claims: tuple[Claim, ...]

    @property
    def id(self) -> str:
        """Return the name of the comparison: `ours-vs-base`, with the dataset where it is known."""
        pair = f"{self.method.id}-vs-{self.baseline.id}"
        return f"{pair}@{self.dataset}" if self.dataset else pair

    @property
    def place(self) -> Where:
        """Return where the first claim that makes the comparison stands."""
        return self.claims[0].place

    def contributes(self, factor: str) -> bool:
        """Return whether a factor (a key path such as `train.epochs`) is what the paper offers.

        A factor is exempt from asymmetry when it stands in `attributed_to` or in `components`, by
        name (its key path, what people call it, or the value that the method alone has) or in a
        component's `differs_in`; never from a check of its effect. `losses.cyc` is offered as
        `cyc` too, and `a+b` (both at once) with either.
        """
        names = self.offered
        if any(stands_for(name, part) for part in parts_of(factor) for name in names):
            return True
        return any(self._by_value(part, names) for part in factor.split("+"))

    def _by_value(self, factor: str, names: frozenset[str]) -> bool:
        own = values_of(self.method, factor) - values_of(self.baseline, factor)
        return bool(own) and all(any(named_by(name, v, factor) for name in names) for v in own)

    @property
    def offered(self) -> frozenset[str]:
        """Return the names of what the paper offers: attributions, components, differences."""
        named = {name for claim in self.claims for name in claim.attributed_to.get(())}
        for component in self.method.components or ():
            named |= {component.name.get(""), *component.differs_in.get(())}
        return frozenset(named - {""})

    @property
    def offer_known(self) -> bool:
        """Return whether the file says at all what the paper offers, be it nothing."""
        said = any(claim.attributed_to.known for claim in self.claims)
        return said or self.method.components is not None

    def of(self, claim: Claim) -> Comparison:
        """Return the comparison as one of its claims makes it, where that says what is credited.

        What another claim credits with its gain is no excuse for this one's.
        """
        return replace(self, claims=(claim,)) if claim.attributed_to.known else self

    def owns(self, factor: str) -> bool:
        """Return whether a factor is a part of the method's own making, whatever it is worth.

        What the paper offers, its gates, its search and its policy; a loss too, unless something
        else is credited with the gain.
        """
        heads = {part.partition(".")[0] for part in factor.split("+")}
        if heads & OWN or self.contributes(factor):
            return True
        losses = {loss.name.get("") for loss in self.method.losses or ()} - {""}
        credited = any(claim.attributed_to.known for claim in self.claims)
        return not credited and bool(heads & LOSSES or losses & {*parts_of(factor)})


def parts_of(factor: str) -> tuple[str, ...]:
    """Return the names that a factor goes by: `losses.cyc+aug` is losses.cyc, cyc and aug."""
    found: dict[str, None] = {}
    for part in factor.split("+"):
        head, _, rest = part.partition(".")
        found[part] = None
        if rest and head in OWN | LOSSES:
            found[rest] = None
    return tuple(found)


def dataset_of(claims: Claims, claim: Claim, method: Method) -> str:
    """Return the dataset a claim speaks of: its own, the method's, or the only one there is."""
    if claim.dataset.known:
        return claim.dataset.value
    if method.dataset.known:
        return method.dataset.value
    return next(iter(claims.datasets)) if len(claims.datasets) == 1 else ""


def comparisons(claims: Claims) -> tuple[Comparison, ...]:
    """Return every comparison that the claims make, in the order of the claims."""
    found: dict[tuple[str, str, str], Comparison] = {}
    for claim in claims.claims:
        method = claims.methods.get(claim.method.get(""))
        if method is None:
            continue
        dataset = dataset_of(claims, claim, method)
        for name in claim.baselines.get(()):
            baseline = claims.methods.get(name)
            if baseline is None:
                continue
            key = (method.id, baseline.id, dataset)
            known = found.get(key)
            found[key] = (
                replace(known, claims=(*known.claims, claim))
                if known
                else Comparison(method=method, baseline=baseline, dataset=dataset, claims=(claim,))
            )
    return tuple(found.values())


def dataset_named(claims: Claims, name: str) -> Dataset:
    """Return a dataset, or one of which nothing is stated."""
    return claims.datasets.get(name) or Dataset(place=claims.place["datasets"][name or "<name>"])
