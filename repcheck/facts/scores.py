"""The scores of tuning trials, and whether they are scores of the metric that a claim is about."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from repcheck.claims.model import Metric, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.metric_names import is_standard, meaning, part_of_data, question

FARTHEST = 3
"""Validation scores and what the table reports are of one size: else they are of two metrics."""
SUPPORT = {"percent": (0.0, 100.0), "%": (0.0, 100.0), "fraction": (0.0, 1.0)}
_LOSSES = re.compile(r"(^|[^a-z])(loss|nll|ppl|perplexity|error|err|mse|rmse|mae)([^a-z]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of one method's trials, as printed; `source` is where they stand."""

    method: str
    values: tuple[float, ...]
    source: str
    level: Level

    def quantity(self) -> Quantity:
        """Return how many trials there are as evidence."""
        return Quantity(
            name=f"{self.method}.trials with a score", value=len(self.values), unit="trials",
            level=self.level, source=self.source,
        )  # fmt: skip


def named_for(text: str, metric: Metric) -> None:
    """Raise `Missing` where a column is by its name of something else than the metric."""
    name = text.rpartition(":")[2].lower()
    said, up = meaning(name), metric.higher_is_better.value
    if said.split == "train":
        why = "is of the training split"
    elif up and _LOSSES.search(name.replace("_", " ")):
        why = "is a loss"
    elif said.up is not None and said.up is not up:
        why = "has the other direction"
    elif said.kind == "metric" and is_standard(metric.id) and question(name) != question(metric.id):
        why = "is another metric"
    else:
        return
    raise Missing(Reason.NOT_TESTABLE, f"a column of `{metric.id}`: `{text}` {why} by its name")


def in_unit(metric: Metric, side: Scores, sign: int, row: Result | None) -> None:
    """Raise `Missing` where scores are plainly not in the metric's unit.

    Neither by that unit nor by the `row` of the table, if there is one: the best score is of the
    size of what the same method is reported to reach.
    """
    unit = metric.unit.get("")
    most = SUPPORT.get(unit, (0.0, math.inf))[1]
    if (most == 100 and max(side.values) <= 1) or (most == 1 and min(side.values) > 1):
        raise Missing(
            Reason.NOT_TESTABLE, f"the scores of `{side.method}` in {unit}, as the metric"
        )
    if row is None or not row.centre.known:
        return
    best, level = sign * max(sign * one for one in side.values), row.centre.value
    if best * level < 0 or not abs(level) / FARTHEST <= abs(best) <= FARTHEST * abs(level):
        raise Missing(
            Reason.NOT_TESTABLE,
            f"the scores of `{side.method}` in the unit of `{metric.id}`: the best is {best:g}, and"
            f" the table reports {row.centre.text}",
        )


def alike(unit: str, *sides: Scores) -> None:
    """Raise `Missing` where both sides are plainly not in one unit, or not on one split."""
    small, large = sorted(sides, key=lambda side: max(map(abs, side.values)))
    if unit not in SUPPORT and max(map(abs, small.values)) <= 1 < min(map(abs, large.values)):
        raise Missing(
            Reason.NOT_TESTABLE,
            f"both sides' scores in one unit: all of `{small.method}` are at most 1, all of"
            f" `{large.method}` above",
        )
    columns = [one.source.rpartition(":")[2] for one in sides if one.level is Level.STATIC]
    parts = {meaning(one).split or part_of_data(one) for one in columns} - {""}
    if len(parts) > 1:
        raise Missing(
            Reason.NOT_TESTABLE,
            f"both sides' scores on one split: {' and '.join(f'`{one}`' for one in columns)}",
        )
