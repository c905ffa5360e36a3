"""Both methods' printed values beside what each definition of the metric gives for predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method, Metric, Result
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.predicted import WRONG, Predicted, Scored
from repcheck.facts.protocols import (
    PERCENT,
    Pair,
    Printed,
    apart,
    declared,
    definitions,
    kind_of,
    matching,
    means,
    printed_mean,
    rises,
)
from repcheck.facts.table import Table, printed
from repcheck.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One method: what it printed (the mean over files), and what each definition gives.

    `matches` are the definitions under which every printed value is right, `n` the examples of a
    file (the fewest), `rows` whether the values are the paper's and not a rerun's, `lacking` how
    many finished runs gave the number and left no predictions that can be used.
    """

    method: str
    pairs: tuple[Pair, ...]
    files: tuple[Scored, ...]
    value: float
    matches: tuple[str, ...]
    means: Mapping[str, float]
    n: int
    rows: bool
    lacking: int = 0

    @classmethod
    def of(
        cls,
        method: str,
        pairs: Sequence[Pair],
        files: Sequence[Scored],
        *,
        rows: bool,
        lacking: int = 0,
    ) -> Self | None:
        """Return a side; None where no definition of the metric could be recomputed."""
        found = means(pairs) if pairs else {}
        if not found:
            return None
        return cls(
            method=method,
            pairs=tuple(pairs),
            files=tuple(files),
            value=printed_mean(pairs),
            matches=tuple(matching(pairs)),
            means=found,
            n=min(one.n for one in files),
            rows=rows,
            lacking=lacking,
        )

    @property
    def source(self) -> str:
        """Return where the first file lies."""
        return self.files[0].source

    def number(self) -> str:
        """Return the printed value in words."""
        return f"{'reported' if self.rows else 'printed'} {self.value:.5g}"

    def quantity(self, name: str, value: float) -> Quantity:
        """Return a number that these files show as evidence."""
        return Quantity(name=name, value=value, level=Level.FORENSIC, source=self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both methods of a comparison, for one metric.

    `shared` are the definitions that both follow, `declared` those that the authors' words allow,
    `told_apart` those whose numbers differ from the shared one's. `dropped` counts the examples
    that the baseline's files have and the method's (in the mean) have not; `ease` is by how much
    the baseline's metric improves without them, None where it is no share of right answers.
    `strange` says that the method's files have examples which the baseline's have not: other ones,
    or others' names for the same; nothing is dropped then.
    """

    ours: Side
    theirs: Side
    up: bool
    shared: tuple[str, ...]
    declared: tuple[str, ...]
    told_apart: tuple[str, ...]
    dropped: int
    ease: float | None
    strange: bool = False

    @property
    def sizes(self) -> str:
        """Return of how many files this is."""
        return f"n = {len(self.ours.files)} + {len(self.theirs.files)}"

    @property
    def printed_gain(self) -> float:
        """Return the gain as printed, positive where the method is better."""
        return (self.ours.value - self.theirs.value) * (1 if self.up else -1)

    def gain(self, name: str) -> float | None:
        """Return the gain under one definition for both."""
        if name not in self.ours.means or name not in self.theirs.means:
            return None
        return (self.ours.means[name] - self.theirs.means[name]) * (1 if self.up else -1)

    def shown(self, name: str) -> str:
        """Return both methods' values and the gain under one definition in words."""
        gain = self.gain(name)
        if gain is None:
            return "not defined for both"
        return (
            f"{self.ours.means[name]:.5g} against {self.theirs.means[name]:.5g}, a gain of "
            f"{gain:.3g} where {self.printed_gain:.3g} is printed"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated(Fact):
    """The printed values of methods beside what their predictions give."""

    label: ClassVar[str] = "metrics recomputed from predictions"
    predicted: Predicted
    table: Table

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the predictions; none is read yet."""
        return cls(predicted=evidence.get(Predicted), table=evidence.get(Table))

    def side(self, method: Method, dataset: str, metric: Metric) -> Side:
        """Return a method's reruns: what they printed, and what their predictions give.

        Raises:
            Missing: if no run of it left predictions that can be used.
        """
        kept: list[tuple[Run, Scored, dict[str, float]]] = []
        for run, scored in self.predicted.by_run(method, dataset):
            if metric.id in run.metrics and (given := definitions(metric, scored)):
                kept.append((run, scored, given))
        if not kept:
            raise Inapplicable(f"{metric.id} is none that can be recomputed from predictions")
        values = Printed.of_runs([run.metrics[metric.id] for run, _, _ in kept])
        pairs = [(value, given) for value, (_, _, given) in zip(values, kept, strict=True)]
        gave = sum(metric.id in run.metrics for run in self.predicted.ended(method, dataset))
        files = [scored for _, scored, _ in kept]
        made = Side.of(method.id, pairs, files, rows=False, lacking=gave - len(kept))
        if made is None:
            raise Inapplicable(f"{metric.id} is not defined for the predictions of {method.id}")
        return made

    def sides(self, comparison: Comparison, metric: Metric) -> list[Sides]:
        """Return both methods' reruns, and both their rows in the paper, as far as can be had."""
        found = []
        for look in (self._reruns, self._rows):
            try:
                ours, theirs = look(comparison, metric)
            except (Missing, Inapplicable):
                continue
            found.append(_sides(ours, theirs, metric))
        return found

    def _reruns(self, comparison: Comparison, metric: Metric) -> tuple[Side, Side]:
        return (
            self.side(comparison.method, comparison.dataset, metric),
            self.side(comparison.baseline, comparison.dataset, metric),
        )

    def _rows(self, comparison: Comparison, metric: Metric) -> tuple[Side, Side]:
        return (
            self._row(comparison.method, comparison.dataset, metric),
            self._row(comparison.baseline, comparison.dataset, metric),
        )

    def _row(self, method: Method, dataset: str, metric: Metric) -> Side:
        row: Result = self.table.row(method.id, dataset, metric.id)
        files = self.predicted.published(row)
        shown = printed(row.centre)
        value = Printed(value=float(shown.value), slack=float(shown.unit) / 2)
        given = [(value, definitions(metric, one)) for one in files]
        made = Side.of(method.id, [(value, means(given))], files, rows=True)
        if made is None:
            raise Inapplicable(f"{metric.id} is not defined for the predictions of {method.id}")
        return made


def _sides(ours: Side, theirs: Side, metric: Metric) -> Sides:
    shared = tuple(name for name in ours.matches if name in theirs.matches)
    strange = _strange(ours, theirs)
    lacking = 0.0 if strange else _lacking(ours, theirs)
    up = rises(metric)
    scale = 100.0 if metric.unit.get("") in PERCENT else 1.0
    return Sides(
        ours=ours,
        theirs=theirs,
        up=up,
        shared=shared,
        declared=tuple(declared(metric, list(ours.means))),
        told_apart=tuple(dict.fromkeys(apart(ours.pairs, shared))) if shared else (),
        dropped=round(lacking),
        ease=_ease(ours, theirs) * scale if lacking and _counts(metric, theirs) else None,
        strange=strange,
    )


def _strange(ours: Side, theirs: Side) -> bool:
    known = set[object]().union(*(one.index.tolist() for one in theirs.files))
    return any(not known.issuperset(one.index.tolist()) for one in ours.files)


def _counts(metric: Metric, side: Side) -> bool:
    return kind_of(metric) in {"accuracy", "error"} and WRONG in side.files[0].losses


def _lacking(ours: Side, theirs: Side) -> float:
    """Return how many of the baseline's examples a file of the method lacks in the mean."""
    full = set.intersection(*(set(one.index.tolist()) for one in theirs.files))
    missing = [len(full - set(one.index.tolist())) for one in ours.files]
    return math.fsum(missing) / len(missing)


def _ease(ours: Side, theirs: Side) -> float:
    """Return how much higher the baseline's accuracy is on the examples that the method kept."""
    import numpy as np

    gains = []
    for mine in ours.files:
        for other in theirs.files:
            kept = np.isin(other.index, mine.index)
            if kept.any():
                wrong = other.losses[WRONG]
                gains.append(float(wrong.mean() - wrong[kept].mean()))
    return math.fsum(gains) / len(gains) if gains else 0.0
