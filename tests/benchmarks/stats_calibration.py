"""How often honest numbers are accused, how often made-up ones are seen, and wrong verdicts.

    python tests/benchmarks/stats_calibration.py --json [--quick] [--seed 1]

First half: 3,000 simulated honest tables, printed in every honest way (rounded, truncated, means of
rounded seeds, each convention of a spread), through the checks of `repcheck forensics`; a false
alarm is a table with a finding above a note. The same tables, made up in part, say what is seen.

Second half: wrong verdicts on gains at theta for seeds of five shapes, at one look of 3, 5 and 10
seeds and over the looks of the default design. The worst shape is the figure, every shape stands
beside it in `shapes`, and `error` is its Monte-Carlo standard error. The rival is "the mean is
higher" for claims of a gain where there is none. Last, what is not done, and why: how often such a
claim is made by a percentile bootstrap and by almost stochastic order.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _bench import Figure, figure, present
from _simulated import Courses, Draw, collapsing, ends, normal, skewed
from _tables import (
    Setup,
    above_perfect,
    best_seed,
    long_table,
    made_up_means,
    made_up_spreads,
    metric_table,
    narrower_table,
    one_spread,
    percent_as_fraction,
    top5_below,
    wide_table,
    wrong_average,
)

from repcheck.bare_table import read_table
from repcheck.forensics_page import answers_of
from repcheck.stats.aggregate import almost_stochastic_order
from repcheck.stats.sequential import DEFAULT, Design

TABLES, QUICK_TABLES = 3_000, 150
CHUNK, SEED = 50_000, 20261121
SAME_SHAPE, ONE_ARM = 5.5, 8.5
Made = Callable[[random.Random, Setup], list[list[str]]]
HONEST: tuple[Made, ...] = (long_table, wide_table, metric_table, narrower_table)
FINE = {"items": 277, "seeds": 3, "decimals": 2, "way": "rounded", "kind": "sample"}


def heavy(random: np.random.Generator, repeats: int, n: int) -> Any:
    """Student's t with three degrees of freedom, of variance 1."""
    return random.standard_t(3, (repeats, n)) / np.sqrt(3)


def gridded(random: np.random.Generator, repeats: int, n: int) -> Any:
    """Scores of few test examples: multiples of half a standard deviation."""
    return np.round(2 * random.standard_normal((repeats, n))) / 2


SHAPES: dict[str, Draw] = {
    "normal": normal,
    "skewed": skewed,
    "heavy-tailed": heavy,
    "collapsing": collapsing,
    "gridded": gridded,
}


# --- numbers ----------------------------------------------------------------------------------


def flagged(
    file: Path, rows: list[list[str]], weights: tuple[str, ...] = ("minor", "major")
) -> set[str]:
    """Return the checks that find something in a table, above a note unless asked otherwise."""
    with file.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
    return {one.check for one in answers_of(read_table(file)) if one.severity in weights}


def accused(tables: int, file: Path, seed: int) -> tuple[int, set[str]]:
    """Return how many honest tables are flagged, and by which checks."""
    draw, count, by = random.Random(seed), 0, set()
    for i in range(tables):
        found = flagged(file, HONEST[i % len(HONEST)](draw, Setup.drawn(draw)))
        count += bool(found)
        by |= found
    return count, by


def seen(made: Made, check: str, tables: int, file: Path, **about: Any) -> float:
    """Return the share in percent of tables made up in one way that a check flags."""
    draw, count = random.Random(about.pop("seed")), 0
    weights = about.pop("weights", ("minor", "major"))
    for _ in range(tables):
        setup = Setup(listed=made is best_seed, methods=6, **FINE | about)
        count += check in flagged(file, made(draw, setup), weights)
    return 100 * count / tables


def table_figures(tables: int, seed: int) -> list[Figure]:
    """Return false alarms and detections."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        count, by = accused(tables, file, seed)
        each = max(20, tables // 30)
        cases: list[tuple[str, Made, str, dict[str, Any], float]] = [
            ("made-up means, 277 examples, 3 seeds", made_up_means, "counts", {}, 99),
            ("made-up means, 872 examples, 5 seeds, notes counted", made_up_means, "counts",
             {"items": 872, "seeds": 5, "weights": ("note", "minor", "major")}, 99),
            ("made-up spreads, 104 examples, 3 seeds", made_up_spreads, "counts",
             {"items": 104}, 99),
            ("best seed printed as the mean", best_seed, "seeds", {"seeds": 5}, 90),
            ("one spread in every row", one_spread, "repetitions", {"items": 10_000}, 95),
            # By chance one in thirty of these is the geometric or harmonic mean of its cells.
            ("a cell raised after the average was taken", wrong_average, "averages",
             {"times": 10}, 95),
            ("top-5 below top-1", top5_below, "relations", {}, 99),
            ("a fraction among percents", percent_as_fraction, "bounds", {}, 80),
            ("above a perfect score", above_perfect, "bounds", {}, 99),
        ]  # fmt: skip
        name = f"of {tables:,} honest tables accused" + (f" (by {', '.join(by)})" if by else "")
        return [
            figure(name, count, "tables", 0),
            *(_seen(name, made, check, goal, each, file, {"seed": seed} | about)
              for name, made, check, about, goal in cases),
        ]  # fmt: skip


def _seen(
    name: str, made: Made, check: str, goal: float, each: int, file: Path, about: dict[str, Any]
) -> Figure:
    tables = each * about.pop("times", 1)
    share = seen(made, check, tables, file, **about)
    error = 100 * (share / 100 * (1 - share / 100) / tables) ** 0.5
    found = figure(f"tables seen: {name}", share, "%", goal, tables=tables, error=round(error, 2))
    return found | {"better": "higher", "met": share >= goal}


# --- verdicts ---------------------------------------------------------------------------------


def wrong(design: Design, arms: tuple[Draw, Draw], chunks: int, seed: int) -> tuple[float, float]:
    """Return the more frequent wrong verdict in percent, and how often the mean is higher."""
    random, found, higher = np.random.default_rng(seed), [], []
    for _ in range(chunks):
        courses = Courses.drawn(random, CHUNK, design.max_n, arms)
        one = ends(design, courses, 0.0)
        found.append((one.above, one.below))
        higher.append(float((courses.difference[:, -1] > 0).mean()))
    above, below = (float(np.mean(side)) for side in zip(*found, strict=True))
    return 100 * max(above, below), 100 * float(np.mean(higher))


def verdict_figures(chunks: int, seed: int) -> list[Figure]:
    """Return wrong verdicts for each number of seeds: the worst shape of both arms, and of one."""
    figures = []
    designs = [(f"{n} seeds", Design(looks=(n,), alphas=(0.05,))) for n in (3, 5, 10)]
    for name, design in [*designs, ("looks up to 10 seeds", DEFAULT)]:
        alike = {shape: wrong(design, (draw, draw), chunks, seed) for shape, draw in SHAPES.items()}
        odd = {
            shape: wrong(design, (draw, normal), chunks, seed)
            for shape, draw in SHAPES.items()
            if shape != "normal"
        }
        for about, rows, goal in (
            ("both arms of one shape", alike, SAME_SHAPE),
            ("one arm odd", odd, ONE_ARM),
        ):
            shape = max(rows, key=lambda shape: rows[shape][0])
            share, higher = rows[shape]
            error = (share * (100 - share) / (chunks * CHUNK)) ** 0.5
            figures.append(
                figure(
                    f"wrong verdicts, {name}, {about}, worst: {shape}", share, "%", goal,
                    rival="the mean is higher", rival_value=round(higher, 1),
                    error=round(error, 3), courses=chunks * CHUNK,
                    shapes={shape: round(share, 2) for shape, (share, _) in rows.items()},
                )
            )  # fmt: skip
    return figures


# --- what is not done -------------------------------------------------------------------------


def bootstrapped(random: np.random.Generator, n: int, repeats: int) -> float:
    """Return the share in percent of 90 % percentile intervals of no difference above zero."""
    claims = 0
    for _ in range(repeats // 100):
        arms = random.standard_normal((2, 100, n))
        places = random.integers(0, n, (2, 100, 1_000, n))
        means = np.take_along_axis(arms[:, :, None, :], places, axis=3).mean(axis=3)
        claims += int((np.quantile(means[0] - means[1], 0.05, axis=1) > 0).sum())
    return 100 * claims / repeats


def ordered(random: np.random.Generator, n: int, repeats: int, below: float) -> float:
    """Return the share in percent of equal arms whose almost stochastic order is `below`."""
    arms = random.standard_normal((repeats, 2, n))
    bounds = (almost_stochastic_order(a, b, random=random) for a, b in arms)
    return 100 * sum(bound < below for bound in bounds) / repeats


def other_figures(repeats: int, seed: int) -> list[Figure]:
    """Return the false claims of what carries no verdict; the goal is what a verdict may have."""
    random, found = np.random.default_rng(seed), {}
    for n in (3, 5, 10):
        found[f"by a percentile bootstrap, {n} seeds"] = bootstrapped(random, n, repeats)
    for n, below in ((3, 0.5), (3, 0.2), (10, 0.5)):
        name = f"by almost stochastic order below {below}, {n} seeds"
        found[name] = ordered(random, n, repeats, below)
    return [
        figure(f"no gain claimed {name}", share, "%", SAME_SHAPE, courses=repeats)
        | {"better": "higher", "met": share >= SAME_SHAPE}
        for name, share in found.items()
    ]


def measure(quick: bool, seed: int = SEED) -> list[Figure]:
    """Return all parts."""
    tables, chunks, repeats = (QUICK_TABLES, 1, 400) if quick else (TABLES, 10, 4_000)
    return [
        *table_figures(tables, seed),
        *verdict_figures(chunks, seed),
        *other_figures(repeats, seed),
    ]


if __name__ == "__main__":
    more = argparse.ArgumentParser(add_help=False)
    more.add_argument("--seed", type=int, default=SEED)
    given, sys.argv[1:] = more.parse_known_args()
    present(__doc__, lambda quick: measure(quick, given.seed))
