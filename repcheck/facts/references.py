"""What trivial references score in a scenario, beside a method and its baseline.

References are those that repcheck fits itself (majority, nearest neighbours, a linear model) and
the methods that the claims file calls trivial (`role: trivial`), by their reruns, else by their
rows. `reach` is (best trivial - chance) / (method - chance); more is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar, Literal, Self

from repcheck.claims.comparison import Comparison, comparisons, dataset_named
from repcheck.claims.metrics import is_count
from repcheck.claims.model import Claim, Claims, Dataset, Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.gains import row_of
from repcheck.runs import Run, SeedKind, Status

KIND: Literal["reference"] = "reference"
FILE = "references.json"
METRICS = f"{FILE}:best"
NAMES = {
    "majority": "the most frequent class",
    "knn3": "3 nearest neighbours",
    "logistic": "logistic regression",
    "ridge": "ridge regression",
}
_WHOLE = {"percent": 100.0, "%": 100.0, "fraction": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A mean score on a scenario, of n runs (0: as reported)."""

    name: str
    value: float
    n: int
    level: Level
    source: str = ""

    @property
    def words(self) -> str:
        """Return `95.0 (n = 1)`."""
        return f"{self.value:.4g} ({f'n = {self.n}' if self.n else 'as reported'})"

    def quantity(self, unit: str) -> Quantity:
        """Return it as evidence."""
        return Quantity(
            name=self.name, value=round(self.value, 6), unit=unit, level=self.level,
            source=self.source,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A method, its baseline and the trivial references on one metric of a scenario.

    `chance` is one over the classes of the dataset, in the metric's unit; where these are not
    stated what the most frequent class scores, and 0 (not `told`) where that is not known either.
    """

    claim: Claim
    method: Score
    baseline: Score | None
    references: tuple[Score, ...]
    chance: float
    told: bool = True

    @property
    def best(self) -> Score:
        """Return the best of the references; there has to be one."""
        return max(self.references, key=lambda one: one.value)

    @property
    def reach(self) -> float:
        """Return how much of the method's way above chance the best reference goes."""
        return (self.best.value - self.chance) / (self.method.value - self.chance)

    @property
    def explains(self) -> bool:
        """Whether the best reference has at least half of the gain over the baseline."""
        if self.baseline is None or self.baseline.value >= self.method.value:
            return False
        gain = self.method.value - self.baseline.value
        return self.best.value >= self.baseline.value + gain / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class References(Fact):
    """The claims and runs, and why references could not be fitted."""

    label: ClassVar[str] = "what trivial references score"
    claims: Claims
    runs: tuple[Run, ...]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs as they are."""
        return cls(claims=evidence.claims, runs=evidence.runs)

    def on(self, comparison: Comparison) -> list[Scenario]:
        """Return the scenario by each metric that counts right answers, once."""
        found: dict[str, Scenario] = {}
        for claim in comparison.claims:
            name = claim.metric.get("")
            if name and name not in found and is_count(self.claims.metrics[name]):
                one = self._scenario(comparison, claim)
                if one is not None:
                    found[name] = one
        return [*found.values()]

    def unit_missing(self, comparison: Comparison) -> Missing | None:
        """Return that references were fitted and the unit of the claimed metric is not stated."""
        fitted = any(
            run.arm_kind == KIND and run.dataset == comparison.dataset and _done(run)
            for run in self.runs
        )
        metrics = (self.claims.metrics[c.metric.value] for c in comparison.claims if c.metric.known)
        unit = next((one.unit for one in metrics if is_count(one) and one.unit.undeclared), None)
        if not fitted or unit is None:
            return None
        return Missing(Reason.UNDECLARED_KEY, f"declare `{unit.path}` (percent or fraction)")

    def failed(self, dataset: str) -> str:
        """Return why references of a dataset were run and gave no score; "" if they did."""
        runs = [run for run in self.runs if run.arm_kind == KIND and run.dataset == dataset]
        return next((run.reason or str(run.status) for run in runs if not _done(run)), "")

    def elsewhere(self, comparison: Comparison, claim: Claim) -> tuple[str, float] | None:
        """Return the same pair's gain on a dataset of the standard protocol, and which it is."""
        for other in comparisons(self.claims):
            data = dataset_named(self.claims, other.dataset)
            same = (other.method.id, other.baseline.id) == (
                comparison.method.id,
                comparison.baseline.id,
            )
            if same and data.protocol.content == "standard" and not is_scenario(data):
                pair = [
                    self._of(one, other.dataset, claim) for one in (other.method, other.baseline)
                ]
                if pair[0] is not None and pair[1] is not None:
                    return other.dataset, pair[0].value - pair[1].value
        return None

    def _scenario(self, comparison: Comparison, claim: Claim) -> Scenario | None:
        method = self._of(comparison.method, comparison.dataset, claim)
        references = tuple(self._references(comparison.dataset, claim))
        unit = self.claims.metrics[claim.metric.value].unit.get("")
        classes = dataset_named(self.claims, comparison.dataset).labels.classes
        blind = [one.value for one in references if one.name == NAMES["majority"]]
        chance = _WHOLE.get(unit, 0.0) / classes.value if classes.known else max(blind, default=0.0)
        if method is None or not references or method.value <= chance:
            return None
        return Scenario(
            claim=claim,
            method=method,
            baseline=self._of(comparison.baseline, comparison.dataset, claim),
            references=references,
            chance=chance,
            told=classes.known or bool(blind),
        )

    def _references(self, dataset: str, claim: Claim) -> Iterator[Score]:
        for one in self.claims.methods.values():
            if one.role.content == "trivial":
                found = self._of(one, dataset, claim)
                if found is not None:
                    yield found
        scale = _WHOLE.get(self.claims.metrics[claim.metric.value].unit.get(""))
        if scale is None:  # a share of what, nobody says
            return
        for run in self.runs:
            if run.arm_kind == KIND and run.dataset == dataset and _done(run):
                for path, value in (run.others or {}).items():
                    words = NAMES.get(path.rpartition(":")[2].rpartition(".")[2])
                    if words is not None and 0 <= value <= 1:  # a share, whoever wrote it
                        yield Score(
                            name=words, value=scale * value, n=1, level=Level.RERUN,
                            source=f"run {run.key[:12]}",
                        )  # fmt: skip

    def _of(self, method: Method, dataset: str, claim: Claim) -> Score | None:
        """Return what a method scores: the mean of its fresh seeds, else its row."""
        metric = claim.metric.value
        mine = [
            run
            for run in self.runs
            if run.arm == method.id and run.dataset in {"", dataset} and metric in run.metrics
            and run.seed_kind is SeedKind.FRESH and not run.replicate and _done(run)
        ]  # fmt: skip
        if mine:
            return Score(
                name=method.id, value=fmean(run.metrics[metric] for run in mine), n=len(mine),
                level=Level.RERUN, source=_sources(mine),
            )  # fmt: skip
        row = row_of(self.claims, method, dataset, metric)
        if row is None or not row.centre.known:
            return None
        return Score(
            name=method.id, value=float(row.centre.value), n=0, level=Level.DECLARED,
            source=str(row.place),
        )  # fmt: skip


def is_scenario(data: Dataset) -> bool:
    """Return whether the file says that a dataset is a scenario of the paper's own making."""
    return data.protocol.content == "new" or data.known_shift.known


def _done(run: Run) -> bool:
    return run.status is Status.OK


def _sources(runs: Sequence[Run]) -> str:
    return ", ".join(f"run {run.key[:12]}" for run in runs[:3])
