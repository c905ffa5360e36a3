"""Where a reported number stands among runs with seeds that nobody chose."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from statistics import fmean, stdev
from typing import ClassVar, Self

from repcheck.claims.model import Method, Metric, Result
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.spread import count
from repcheck.runs import Run, Runs, SeedKind, Status
from repcheck.units import decimals

ENOUGH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A reported mean of `n` runs beside fresh ones; `excess` is positive where it is better.

    `likely` and `rare` are how far above the fresh mean 95 % and 99 % of such means lie.
    `reproduced` says that the declared seeds gave the reported number again.
    """

    method: str
    reported: str
    n: int
    fresh: tuple[float, ...]
    excess: float
    likely: float
    rare: float
    below: float
    reproduced: bool

    @property
    def mean(self) -> float:
        """Return the mean over the fresh seeds."""
        return fmean(self.fresh)

    def quantity(self) -> Quantity:
        """Return the mean over the fresh seeds as evidence."""
        return Quantity(
            name=f"{self.method}: mean of {len(self.fresh)} fresh seeds",
            value=self.mean,
            level=Level.RERUN,
            source="runs with fresh seeds",
        )

    def said(self) -> str:
        """Return the standing in words."""
        fresh = f"{len(self.fresh)} fresh seeds give {self.mean:.4g} ± {stdev(self.fresh):.2g}"
        return f"`{self.method}` is reported as {self.reported} and {fresh}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshSeeds(Fact):
    """The values of every metric over seeds that nobody chose."""

    label: ClassVar[str] = "runs with fresh seeds"
    runs: Runs

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs; a repeat of a seed is no seed more."""
        return cls(runs=tuple(run for run in evidence.runs if not run.replicate))

    def standing(
        self, method: Method, dataset: str, metric: Metric, row: Result
    ) -> Standing | None:
        """Return where a reported row stands, or nothing if too few fresh seeds can say."""
        reported, n = row.centre, count(row)
        fresh = self._values(method, dataset, metric.id, SeedKind.FRESH)
        if not reported.known or n is None or len(fresh) < ENOUGH:
            return None
        if metric.higher_is_better.undeclared or not stdev(fresh):
            return None
        from repcheck.stats.compare import prediction_half_width as width

        sign = 1.0 if metric.higher_is_better.value else -1.0
        sd, excess = stdev(fresh), sign * (reported.value - fmean(fresh))
        declared = self._values(method, dataset, metric.id, SeedKind.DECLARED)
        near = 0.5 * float(f"1e-{decimals(reported.text)}") + 0.25 * sd
        return Standing(
            method=method.id,
            reported=str(reported),
            n=n,
            fresh=fresh,
            excess=excess,
            likely=width(sd, len(fresh), n, level=0.90),
            rare=width(sd, len(fresh), n, level=0.98),
            below=sum(sign * (reported.value - value) > 0 for value in fresh) / len(fresh),
            reproduced=len(declared) == n and abs(fmean(declared) - reported.value) <= near,
        )

    def _values(
        self, method: Method, dataset: str, metric: str, kind: SeedKind
    ) -> tuple[float, ...]:
        found: dict[int, Run] = {}
        for run in self.runs:
            fits = run.method == method.id and run.dataset in {"", dataset}
            if fits and run.arm_kind == "declared" and run.status is Status.OK:
                same = run.seed_kind == kind and metric in run.metrics
                found.update({run.seed: run} if same and run.seed not in found else {})
        return tuple(v for run in found.values() if isfinite(v := run.metrics[metric]))
