"""What the classes of a method's own components compute, beside a catalogue of known functions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.methods import Component
from repcheck.claims.model import Method
from repcheck.fact import Evidence, Fact, Quantity
from repcheck.facts.network_words import words_of
from repcheck.facts.observed import Observed, Sight
from repcheck.metric_names import letters

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.observation import EqualSeen
    from repcheck.runs import Run

SHORT = 4
"""Letters that a name needs at least to be looked for within another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equality:
    """One kind of module of a method, what it was found to be, and the run that shows it."""

    seen: EqualSeen
    run: Run

    @property
    def name(self) -> str:
        """Return the class's own name, without its module."""
        return self.seen.cls.rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equalities(Fact):
    """The classes of the artifact's own that were held against the catalogue."""

    label: ClassVar[str] = "what the components compute"
    observed: Observed

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take what was observed; `of` says what is missing."""
        return cls(observed=evidence.get(Observed))

    def sight(self, method: Method) -> Sight:
        """Return what was seen of a method's runs, or raise `Missing`."""
        return self.observed.of(method)

    def of(self, method: Method) -> tuple[Equality, ...]:
        """Return every kind of module that was met, each once.

        Raises:
            Missing: if no run of the method was seen.
        """
        found: dict[EqualSeen, Equality] = {}
        for run, seen in self.sight(method).observations():
            for one in seen.equals:
                found.setdefault(one, Equality(seen=one, run=run))
        return tuple(found.values())

    def quantity(self, method: Method, one: Equality) -> Quantity:
        """Return how far a class is from its nearest known function, as evidence."""
        name = f"{one.name} from {one.seen.known}" if one.seen.known else one.name
        value = one.seen.diff if one.seen.diff is not None else "not compared"
        return self.sight(method).quantity(name, value, "relative", one.run)


def of_component(
    component: Component, classes: Iterable[Equality], *, alone: bool
) -> tuple[Equality, ...]:
    """Return the kinds of module that are a component: by its name, else the only class there is.

    `alone` says that the method names no other component that could be a module.
    """
    every = tuple(classes)
    names = [component.name.get(""), component.flag.get("").lstrip("-").split(" ")[-1]]
    named = tuple(one for one in every if any(_names(name, one) for name in names if name))
    if named or not alone:
        return named
    weightless = {one.seen.cls for one in every if one.seen.why != "weights"}
    return every if len({one.seen.cls for one in every}) == 1 == len(weightless) else ()


def _names(name: str, one: Equality) -> bool:
    mine, cls = letters(name), letters(one.name)
    path = [letters(part) for part in one.seen.module.split(".")]
    if len(mine) >= SHORT and (mine in cls or mine in path):
        return True
    if len(cls) >= SHORT and cls in mine:
        return True
    words = {word for word in words_of(name) if len(word) >= SHORT and word != mine}
    return bool(words) and words <= words_of(one.name) | set(re.findall(r"[a-z]+", cls))
