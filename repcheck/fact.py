"""What a fact is, and the evidence: typed facts, each drawn at most once, when asked for."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from repcheck.claims.model import Claims
from repcheck.claims.stated import Number, Stated
from repcheck.errors import Missing

if TYPE_CHECKING:  # records of runs: linting has none
    from repcheck.arms import Arm, NoArm
    from repcheck.runs import Runs
    from repcheck.sameness import Sameness


class Level(StrEnum):
    """How a quantity is known; a judgement has the lowest level of the quantities it used."""

    DECLARED = "declared"
    STATIC = "static"
    OBSERVED = "observed"
    FORENSIC = "forensic"
    RERUN_SCALED = "rerun-scaled"
    RERUN = "rerun"
    HUMAN = "human"

    @property
    def rank(self) -> int:
        """Return the strength; exact arithmetic on reported strings counts like observation."""
        return _STRENGTH[self]


_STRENGTH = {
    Level.DECLARED: 0,
    Level.STATIC: 1,
    Level.OBSERVED: 2,
    Level.FORENSIC: 2,
    Level.RERUN_SCALED: 3,
    Level.RERUN: 4,
    Level.HUMAN: 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its unit, its evidence level and its source (run key, or file:line)."""

    name: str
    value: float | int | str
    unit: str = ""
    level: Level = Level.DECLARED
    source: str = ""

    @classmethod
    def declared(cls, name: str, leaf: Stated[Number], unit: str = "") -> Quantity:
        """Make a quantity of a stated number.

        Raises:
            Missing: if the key is undeclared.
        """
        return cls(name=name, value=leaf.value, unit=unit, source=str(leaf.place))

    def __float__(self) -> float:
        return float(self.value)


class Fact:
    """One kind of evidence; a subclass under `repcheck.facts` says how it is drawn."""

    __slots__ = ()
    label: ClassVar[str]

    @classmethod
    @abstractmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Draw this fact from claims, runs and other facts, or raise `Missing`."""


F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of one paper: its claims, its runs and the arms they are of.

    `most_seeds` is how many fresh seeds an arm could have had, if verdicts were looked at earlier.
    `artifact` is the artifact as it was run, where a store keeps it, and `store` the folder that
    keeps what the runs left. `likened` are models that were held against each other as functions.
    """

    claims: Claims
    runs: Runs = ()
    arms: tuple[Arm, ...] = ()
    no_arms: tuple[NoArm, ...] = ()
    most_seeds: int | None = None
    artifact: Path | None = None
    store: Path | None = None
    likened: tuple[Sameness, ...] = ()
    _drawn: dict[type[Fact], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def root(self) -> Path:
        """Return the artifact's folder: as it was run, else where the claims file says it is."""
        if self.artifact is not None:
            return self.artifact
        return Path(self.claims.place.file).parent / self.claims.artifact.root.get(".")

    def get(self, kind: type[F]) -> F:
        """Return the fact of this kind.

        Raises:
            Missing: if nobody has it; the same each time it is asked for.
        """
        if kind not in self._drawn:
            try:
                self._drawn[kind] = kind.draw(self)
            except Missing as missing:
                self._drawn[kind] = missing
        drawn = self._drawn[kind]
        if isinstance(drawn, Missing):
            raise drawn
        return cast(F, drawn)
