"""How often honest numbers are accused, how often made-up ones are seen, and wrong verdicts.

    python tests/benchmarks/stats_calibration.py --json [--quick]

First half: 3,000 simulated honest tables, printed in every honest way (rounded, truncated, means of
rounded seeds, each convention of a spread), through the checks of `repcheck forensics`; a false
alarm is a table with a finding above a note. The same tables, made up in part, say what is seen.

Second half: wrong verdicts on gains at theta for seeds of five shapes, at one look of 3, 5 and 10
seeds and over the looks of the default design. The rival is "the mean is higher" for claims of a
gain where there is none.
"""

from __future__ import annotations

import csv
import random
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


def accused(tables: int, file: Path) -> tuple[int, set[str]]:
    """Return how many honest tables are flagged, and by which checks."""
    draw, count, by = random.Random(SEED), 0, set()
    for i in range(tables):
        found = flagged(file, HONEST[i % len(HONEST)](draw, Setup.drawn(draw)))
        count += bool(found)
        by |= found
    return count, by


def seen(made: Made, check: str, tables: int, file: Path, **about: Any) -> float:
    """Return the share in percent of tables made up in one way that a check flags."""
    draw, count = random.Random(SEED), 0
    weights = about.pop("weights", ("minor", "major"))
    for _ in range(tables):
        setup = Setup(listed=made is best_seed, methods=6, **FINE | about)
        count += check in flagged(file, made(draw, setup), weights)
    return 100 * count / tables


def table_figures(tables: int) -> list[Figure]:
    """Return false alarms and detections."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        count, by = accused(tables, file)
        each = max(20, tables // 30)
        cases: list[tuple[str, Made, str, dict[str, Any], float]] = [
            ("made-up means, 277 examples, 3 seeds", made_up_means, "counts", {}, 99),
            ("made-up means, 872 examples, 5 seeds, notes counted", made_up_means, "counts",
             {"items": 872, "seeds": 5, "weights": ("note", "minor", "major")}, 99),
            ("made-up spreads, 104 examples, 3 seeds", made_up_spreads, "counts",
             {"items": 104}, 99),
            ("best seed printed as the mean", best_seed, "seeds", {"seeds": 5}, 90),
            ("one spread in every row", one_spread, "repetitions", {"items": 10_000}, 95),
            ("a cell raised after the average was taken", wrong_average, "averages", {}, 95),
            ("top-5 below top-1", top5_below, "relations", {}, 99),
            ("a fraction among percents", percent_as_fraction, "bounds", {}, 80),
            ("above a perfect score", above_perfect, "bounds", {}, 99),
        ]  # fmt: skip
        name = f"of {tables:,} honest tables accused" + (f" (by {', '.join(by)})" if by else "")
        return [
            figure(name, count, "tables", 0),
            *(_seen(name, seen(made, check, each, file, **about), goal)
              for name, made, check, about, goal in cases),
        ]  # fmt: skip


def _seen(name: str, share: float, goal: float) -> Figure:
    made = figure(f"tables seen: {name}", share, "%", goal)
    return made | {"better": "higher", "met": share >= goal}


# --- verdicts ---------------------------------------------------------------------------------


def wrong(design: Design, arms: tuple[Draw, Draw], chunks: int) -> tuple[float, float]:
    """Return the more frequent wrong verdict in percent, and how often the mean is higher."""
    random, found, higher = np.random.default_rng(SEED), [], []
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(chunks):
            courses = Courses.drawn(random, CHUNK, design.max_n, arms)
            one = ends(design, courses, 0.0)
            found.append((one.above, one.below))
            higher.append(float((courses.difference[:, -1] > 0).mean()))
    above, below = (float(np.mean(side)) for side in zip(*found, strict=True))
    return 100 * max(above, below), 100 * float(np.mean(higher))


def verdict_figures(chunks: int) -> list[Figure]:
    """Return wrong verdicts for each number of seeds: the worst shape of both arms, and of one."""
    figures = []
    designs = [(f"{n} seeds", Design(looks=(n,), alphas=(0.05,))) for n in (3, 5, 10)]
    for name, design in [*designs, ("looks up to 10 seeds", DEFAULT)]:
        alike = {shape: wrong(design, (draw, draw), chunks) for shape, draw in SHAPES.items()}
        odd = {
            shape: wrong(design, (draw, normal), chunks)
            for shape, draw in SHAPES.items()
            if shape != "normal"
        }
        for about, rows, goal in (
            ("both arms of one shape", alike, SAME_SHAPE),
            ("one arm odd", odd, ONE_ARM),
        ):
            shape = max(rows, key=lambda shape: rows[shape][0])
            figures.append(
                figure(
                    f"wrong verdicts, {name}, {about}, worst: {shape}", rows[shape][0], "%", goal,
                    rival="the mean is higher", rival_value=round(rows[shape][1], 1),
                )
            )  # fmt: skip
    return figures


def measure(quick: bool) -> list[Figure]:
    """Return both halves."""
    tables, chunks = (QUICK_TABLES, 1) if quick else (TABLES, 10)
    return [*table_figures(tables), *verdict_figures(chunks)]


if __name__ == "__main__":
    present(__doc__, measure)
