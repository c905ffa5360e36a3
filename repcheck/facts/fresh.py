"""A reported number, its declared seeds rerun, and runs with seeds that nobody chose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, stdev
from typing import ClassVar, Self

from repcheck.claims.model import Method, Metric, Result
from repcheck.errors import Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.gains import in_another_unit, last_digit
from repcheck.facts.spread import count, variance_of_mean
from repcheck.runs import Run, Runs, SeedKind, Status
from repcheck.seeds import DECLARED_CAP, declared
from repcheck.where import NOWHERE, Where

ENOUGH = 5
CRASHED = 0.2
"""A larger share of crashed seeds leaves no verdict either (`stats.criteria`)."""
NEAR = 0.25
"""A rerun this share of the seeds' standard deviation away gives a number again."""


class Again(StrEnum):
    """Whether the declared seeds give the reported number again."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A reported mean of `n` runs beside the reruns of its declared seeds and fresh ones.

    `sign` is 1 where higher is better and -1 else; `spread` is the reported standard deviation of
    the seeds; `fresh_seeds` names the seed of each fresh run. `reason` and `gap` say what is
    missing where `again` is unknown.
    """

    method: str
    dataset: str = ""
    metric: str = ""
    place: Where = NOWHERE
    reported: str
    value: float
    n: int
    sign: float
    fresh: tuple[float, ...]
    fresh_seeds: tuple[int, ...] = ()
    declared: tuple[float, ...] = ()
    spread: float | None = None
    splits: bool = False
    again: Again = Again.UNKNOWN
    reason: Reason = Reason.NOT_OBSERVED
    gap: str = ""

    @property
    def seeds(self) -> tuple[int, ...]:
        """Return the seed of each fresh run, or its place where none is named."""
        return self.fresh_seeds or tuple(range(len(self.fresh)))

    @property
    def mean(self) -> float:
        """Return the mean over the fresh seeds."""
        return fmean(self.fresh)

    @property
    def excess(self) -> float:
        """Return how much better than the fresh mean the reported number is."""
        return self.sign * (self.value - self.mean)

    @property
    def shows(self) -> bool:
        """Return whether the printed digits could show how declared and fresh seeds differ."""
        return abs(fmean(self.declared) - self.mean) >= last_digit(self.reported) / 2

    @property
    def likely(self) -> float:
        """Return how far above the fresh mean 95 % of means of `n` normal seeds lie at most."""
        from repcheck.stats.compare import prediction_half_width

        return prediction_half_width(stdev(self.fresh), len(self.fresh), self.n, level=0.90)

    def factor_of_best(self, lean: float) -> float | None:
        """Return the Bayes factor of "the best of `n` seeds" against "their mean", if `n` > 1.

        With `lean` -1 it is that of the worst. It describes, and decides nothing.
        """
        if self.n < 2:
            return None
        import numpy as np

        from repcheck.stats.chosen_normal import bayes_factor_of_max

        by = lean * self.sign
        found = bayes_factor_of_max(
            by * self.value,
            [by * value for value in self.fresh],
            seeds=self.n,
            random=np.random.default_rng(0),
        )
        return math.exp(min(found, 700.0))

    def p_of_best(self, lean: float) -> float | None:
        """Return p of a mean as good with a spread as small, as the best of more seeds have.

        With `lean` -1 a mean as bad; nothing where no spread is reported. It describes alone.
        """
        if self.n < 2 or self.spread is None:
            return None
        import numpy as np

        from repcheck.stats.chosen_normal import top_of
        from repcheck.stats.compare import Summary

        by = lean * self.sign
        reported = Summary(mean=by * self.value, sd=self.spread, n=self.n)
        fresh = [by * value for value in self.fresh]
        return top_of(reported, fresh, random=np.random.default_rng(0)).p

    def innocent(self, lean: float = 1.0) -> str:
        """Return in words what else may put the number above its reruns (`lean` -1: below).

        A number that its seeds give again here needs no other machine and no longer training.
        """
        from repcheck.stats.chosen import INNOCENT, INNOCENT_LOW, SPLIT

        again = self.again is Again.YES
        if lean < 0:
            named = list(INNOCENT_LOW[:1] if again else INNOCENT_LOW)
        else:
            machine, checkpoint, longer, tuned, *_ = INNOCENT
            named = [checkpoint, tuned] if again else [machine, checkpoint, longer, tuned]
        named += [SPLIT] if self.splits else []
        listed = " or ".join(filter(None, (", ".join(named[:-1]), named[-1])))
        return f"innocent reasons are not excluded: {listed}"

    def quantities(self) -> tuple[Quantity, ...]:
        """Return the means over the fresh seeds and over the declared ones as evidence."""
        found = [("fresh", self.fresh)] + ([("declared", self.declared)] if self.declared else [])
        return tuple(
            Quantity(
                name=f"{self.method}: mean of {len(values)} {kind} seeds",
                value=fmean(values),
                level=Level.RERUN,
                source=f"runs with {kind} seeds",
            )
            for kind, values in found
        )

    def said(self) -> str:
        """Return the standing in words."""
        fresh = f"{len(self.fresh)} fresh seeds give {self.mean:.4g} ± {stdev(self.fresh):.2g}"
        if not self.declared:
            return f"`{self.method}` is reported as {self.reported} and {fresh}"
        seeds = f"{len(self.declared)} declared seed{'s' if len(self.declared) > 1 else ''}"
        return (
            f"`{self.method}` is reported as {self.reported}, its {seeds} give "
            f"{fmean(self.declared):.4g} here and {fresh}"
        )


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
        """Return where a reported row stands, or nothing if too few fresh seeds can say.

        A number that the paper itself calls the best of several, or a median, is no mean of runs.
        Where more fresh seeds crash than a verdict allows, those that finish are chosen ones.
        """
        reported, n = row.mean if row.mean.known else row.single, count(row)
        drawn = self._values(method, dataset, metric.id, SeedKind.FRESH)
        fresh = tuple(drawn.values())
        if not reported.known or n is None or len(fresh) < ENOUGH or best_of(method) > 1:
            return None
        if metric.higher_is_better.undeclared or not stdev(fresh):
            return None
        if self._crashed(method, dataset) > CRASHED * len(fresh) / (1 - CRASHED):
            return None
        if in_another_unit(metric.unit.get(""), [reported.value], fresh):
            return None
        rerun = tuple(self._values(method, dataset, metric.id, SeedKind.DECLARED).values())
        variance = variance_of_mean(row)
        again, reason, gap = _again(method, row, rerun, _near(reported.text, fresh))
        return Standing(
            method=method.id,
            dataset=dataset,
            metric=metric.id,
            place=reported.place,
            reported=str(reported),
            value=reported.value,
            n=n,
            sign=1.0 if metric.higher_is_better.value else -1.0,
            fresh=fresh,
            fresh_seeds=tuple(drawn),
            declared=rerun,
            spread=None if variance is None else math.sqrt(variance * n),
            splits="split" in method.seeds.fixes.get(()),
            again=again,
            reason=reason,
            gap=gap,
        )

    def _crashed(self, method: Method, dataset: str) -> int:
        """Return how many fresh seeds of a method crashed, for no fault of the machine."""
        done, lost = set[int](), set[int]()
        for run in self.runs:
            fits = run.method == method.id and run.dataset in {"", dataset}
            if fits and run.arm_kind == "declared" and run.seed_kind is SeedKind.FRESH:
                (done if run.status is Status.OK else lost).add(run.seed)
                if run.status.infrastructure:
                    lost.discard(run.seed)
        return len(lost - done)

    def _values(
        self, method: Method, dataset: str, metric: str, kind: SeedKind
    ) -> dict[int, float]:
        found: dict[int, Run] = {}
        for run in self.runs:
            fits = run.method == method.id and run.dataset in {"", dataset}
            if fits and run.arm_kind == "declared" and run.status is Status.OK:
                same = run.seed_kind == kind and metric in run.metrics
                found.update({run.seed: run} if same and run.seed not in found else {})
        if kind is SeedKind.DECLARED:
            found = {seed: found[seed] for seed in declared(method) if seed in found}
        values = {seed: run.metrics[metric] for seed, run in found.items()}
        return {seed: value for seed, value in values.items() if math.isfinite(value)}


def best_of(method: Method) -> float:
    """Return how many runs the reported ones were chosen from by the authors' words: 1 if all,
    infinity if not said how many, NaN where nothing is said.
    """
    chosen = method.seeds.chosen
    if chosen.best_of.known:
        return float(chosen.best_of.value)
    if chosen.how.known:
        return math.inf if chosen.how.value == "best-of" else 1.0
    return math.nan


def _near(text: str, fresh: Sequence[float]) -> float:
    return last_digit(text) / 2 + NEAR * stdev(fresh)


def _again(
    method: Method, row: Result, rerun: Sequence[float], near: float
) -> tuple[Again, Reason, str]:
    """Return whether the declared seeds give a row's number again, or what is missing to say."""
    named, n = len(declared(method)), count(row)
    value = (row.mean if row.mean.known else row.single).value
    if not named:
        gap = f"declare `{method.seeds.train.place.path}`"
        return Again.UNKNOWN, Reason.UNDECLARED_KEY, gap
    if len(rerun) < min(named, DECLARED_CAP):
        gap = f"rerun the declared seeds of `{method.id}` until all of them finish"
        return Again.UNKNOWN, Reason.NOT_OBSERVED, gap
    if n == 1 and named > 1:
        found = any(abs(one - value) <= near for one in rerun)
        known = found or len(rerun) == named
        gap = f"say which of the {named} seeds of `{method.id}` the reported run had"
    else:
        found, known = _same_mean(row, rerun, near), n == named
        gap = (
            f"make `{row.n.place.path}` ({n}) and `{method.seeds.train.place.path}` ({named}) agree"
        )
    if not known:
        return Again.UNKNOWN, Reason.CONFLICTING_EVIDENCE, gap
    return (Again.YES if found else Again.NO), Reason.CONFLICTING_EVIDENCE, ""


def _same_mean(row: Result, rerun: Sequence[float], near: float) -> bool:
    """Return whether reruns fit a reported mean: all of its seeds, each seed, or a part of them.

    Of `r` out of `n` seeds the mean may lie t s sqrt(1/r - 1/n) from the mean of all (95 %).
    """
    n, r = count(row) or 0, len(rerun)
    value = (row.mean if row.mean.known else row.single).value
    if r >= n:
        return abs(fmean(rerun) - value) <= near
    listed = row.per_seed.get(())
    if len(listed) == n:
        return all(abs(a - b) <= near for a, b in zip(rerun, listed, strict=False))
    if r < 2:
        return False
    from repcheck.stats.compare import prediction_half_width

    # The same t, and a part of the seeds is nearer to all of them than to as many others.
    reach = prediction_half_width(stdev(rerun), r, n) * math.sqrt((n - r) / (n + r))
    return abs(fmean(rerun) - value) <= near + reach
