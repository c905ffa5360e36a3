"""Simulated results tables: honest ones, printed in every honest way, and ones made up in part."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, floor, sqrt
from statistics import mean, pstdev, stdev

DATASETS = ("a", "b", "c", "d")
SIZES = (71, 104, 150, 277, 408, 500, 872, 1000, 1821, 10_000)
WAYS = ("rounded", "truncated", "rounded seeds")
KINDS: Mapping[str, Callable[[list[float]], float]] = {
    "sample": stdev,
    "population": pstdev,
    "sem": lambda values: stdev(values) / sqrt(len(values)),
    "ci95": lambda values: 1.959964 * stdev(values) / sqrt(len(values)),
}
HEADER = "method,dataset,metric,mean,std,std_kind,n,n_test,per_seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a table is printed, and of what it is made."""

    items: int
    seeds: int
    decimals: int
    way: str
    kind: str
    listed: bool
    methods: int

    @classmethod
    def drawn(cls, draw: random.Random) -> Setup:
        """Draw one."""
        return cls(
            items=draw.choice(SIZES), seeds=draw.choice((2, 3, 4, 5, 10)),
            decimals=draw.choice((1, 2)), way=draw.choice(WAYS), kind=draw.choice([*KINDS]),
            listed=draw.random() < 0.3, methods=draw.randint(3, 8),
        )  # fmt: skip

    def shown(self, value: float, decimals: int | None = None) -> str:
        """Print a number as this table does."""
        places = self.decimals if decimals is None else decimals
        if self.way == "truncated":
            return f"{floor(value * 10**places + 1e-9) / 10**places:.{places}f}"
        return f"{value:.{places}f}"


def scores(draw: random.Random, setup: Setup) -> list[float]:
    """Draw the scores of the seeds of one cell: some collapse, some barely differ."""
    level, spread = draw.uniform(0.5, 0.97), draw.choice((0.0, 0.002, 0.01, 0.04))
    found = []
    for _ in range(setup.seeds):
        share = level + draw.gauss(0, spread) - (0.4 if draw.random() < 0.02 else 0)
        hits = min(setup.items, max(0, round(setup.items * share + draw.gauss(0, 1))))
        found.append(100 * hits / setup.items)
    if setup.way == "rounded seeds":
        return [round(score, setup.decimals) for score in found]
    return found


def long_table(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return the rows of an honest table of every number's mean, spread and number of seeds."""
    rows = [HEADER.split(",")]
    for method in range(setup.methods):
        for dataset in DATASETS:
            values = scores(draw, setup)
            listed = " ".join(setup.shown(value) for value in values) if setup.listed else ""
            spread = KINDS[setup.kind](values)
            if setup.way == "rounded" and setup.listed:
                listed = " ".join(f"{value:.{setup.decimals}f}" for value in values)
            rows.append(
                [f"m{method}", dataset, "accuracy", setup.shown(mean(values)),
                 setup.shown(spread), setup.kind, str(setup.seeds), str(setup.items), listed]
            )  # fmt: skip
    return rows


def metric_table(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return the rows of an honest table of many metrics, each averaged over the seeds."""
    names = ["precision", "recall", "F1", "IoU", "Dice", "MAE", "RMSE", "MSE", "loss", "ppl"]
    rows = [["method", *names, "Params (M)"]]
    for method in range(setup.methods):
        seeds = []
        for _ in range(setup.seeds):
            p, r = draw.uniform(0.3, 1), draw.uniform(0.3, 1)
            f1, loss, rmse = 2 * p * r / (p + r), draw.uniform(0.5, 4), draw.uniform(0.5, 9)
            mae = rmse * draw.uniform(0.5, 1)
            shares = [100 * x for x in (p, r, f1, f1 / (2 - f1), f1)]
            seeds.append([*shares, mae, rmse, rmse**2, loss, exp(loss)])
        means = [setup.shown(mean(column)) for column in zip(*seeds, strict=True)]
        rows.append([f"m{method}", *means, f"{draw.uniform(1, 90):.1f}"])
    return rows


def wide_table(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return the rows of an honest table with an average, an error, a top-5, a rank and bold."""
    columns = [f"{dataset} acc ↑" for dataset in DATASETS]
    rows = [["method", *columns, "avg", "rank", "top-1 acc", "top-5 acc", "top-1 error"]]
    cells = [[scores(draw, setup) for _ in columns] for _ in range(setup.methods)]
    means = [[mean(values) for values in row] for row in cells]
    best = [max(column) for column in zip(*means, strict=True)]
    for method, row in enumerate(means):
        shown = []
        for j, value in enumerate(row):
            text = setup.shown(value)
            if draw.random() < 0.7:
                text += f" ± {setup.shown(KINDS[setup.kind](cells[method][j]))}"
            shown.append(f"**{text}**" if value == best[j] else text)
        ranks = [
            1 + sum(other[j] > value for other in means) for j, value in enumerate(row)
        ]  # fmt: skip
        top1 = mean(row)
        top5 = min(100.0, top1 + draw.uniform(0, 20))
        derived = [setup.shown(value) for value in (top1, top5, 100 - top1)]
        rows.append([f"m{method}", *shown, setup.shown(mean(row)), f"{mean(ranks):.2f}", *derived])
    return rows


def narrower_table(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return the same with one dataset not shown: its average and ranks count it all the same."""
    hidden = draw.randint(1, len(DATASETS))
    return [[*row[:hidden], *row[hidden + 1 :]] for row in wide_table(draw, setup)]


# --- made up in part --------------------------------------------------------------------------


def _made_up(draw: random.Random, setup: Setup, low: float, high: float) -> str:
    return f"{draw.uniform(low, high):.{setup.decimals}f}"


def made_up_means(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return a long table of which every mean is drawn from nothing."""
    rows = long_table(draw, setup)
    return [rows[0], *([*r[:3], _made_up(draw, setup, 60, 95), *r[4:]] for r in rows[1:])]


def made_up_spreads(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return a long table of which every spread is drawn from nothing."""
    rows = long_table(draw, setup)
    return [rows[0], *([*r[:4], _made_up(draw, setup, 0.2, 1.5), *r[5:]] for r in rows[1:])]


def best_seed(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return a long table whose first mean is the best of the listed seeds."""
    rows = long_table(draw, setup)
    seeds = rows[1][8].split()
    rows[1][3] = max(seeds, key=float)
    return rows


def one_spread(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return a long table of one decimal more, in which all methods share one spread."""
    rows = long_table(draw, setup)
    return [rows[0], *([*r[:3], f"{float(r[3]):.3f}", "0.512", *r[5:]] for r in rows[1:])]


def wrong_average(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return a wide table of which one cell was raised after the average was taken."""
    rows = wide_table(draw, setup)
    row, column = draw.randint(1, setup.methods), draw.randint(1, len(DATASETS))
    value, _, spread = rows[row][column].replace("*", "").partition(" ")
    raised = f"{float(value) + draw.uniform(0.5, 2) * len(DATASETS):.{setup.decimals}f}"
    rows[row][column] = f"{raised} {spread}".strip()
    return rows


def top5_below(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return a wide table in which one top-5 accuracy is a point below its top-1."""
    rows = wide_table(draw, setup)
    row = draw.randint(1, setup.methods)
    rows[row][8] = f"{float(rows[row][7]) - 1:.{setup.decimals}f}"
    return rows


def percent_as_fraction(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return a wide table in which one accuracy is printed as a fraction."""
    rows = wide_table(draw, setup)
    row = draw.randint(1, setup.methods)
    rows[row][7] = f"{float(rows[row][7]) / 100:.{setup.decimals + 2}f}"
    return rows


def above_perfect(draw: random.Random, setup: Setup) -> list[list[str]]:
    """Return a wide table with one accuracy above 100."""
    rows = wide_table(draw, setup)
    rows[draw.randint(1, setup.methods)][8] = "101.3"
    return rows
