"""How long `repcheck lint` takes, start to end, on a file of 1,000 claims and 10,000 results.

    python tests/benchmarks/lint_scale.py --json [--quick]

Two files: rows of six keys, and rows that also list a score for each of five seeds. Every row can
be checked: means agree with their seeds and claims with their tables. The rival is a process that
only lets PyYAML's C loader read the same file into plain dictionaries.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

from _bench import Figure, figure, in_turn, present, repcheck, seconds

CLAIMS, DATASETS = 1_000, 10
SEEDS = 5
GOALS = {"six-key rows": 2.0, "rows with per_seed": 4.0}
RIVAL = "import sys, yaml; yaml.load(open(sys.argv[1]), Loader=yaml.CSafeLoader)"


def lines(*, per_seed: bool) -> Iterator[str]:
    """Write a file whose table holds ten rows for each claim: five methods on two datasets."""
    draw = random.Random(7)
    yield from ("repcheck: 1", "paper: {title: A very large table}", "metrics:")
    yield "  acc: {higher_is_better: true, unit: percent, primary: true}"
    yield "datasets:"
    yield from (f"  d{number}: {{test: {{size: 10000}}}}" for number in range(DATASETS))
    methods = [f"m{number}" for number in range(CLAIMS)]
    yield "methods:"
    yield from (
        f"  {name}: {{role: {'baseline' if number % 10 == 0 else 'proposed'}}}"
        for number, name in enumerate(methods)
    )
    rows, table = [], {}
    for name in methods:
        for dataset in range(DATASETS):
            scores = [round(draw.uniform(80.0, 90.0), 2) for _ in range(SEEDS)]
            table[name, dataset] = shown = f"{mean(scores):.2f}"
            row = f"method: {name}, dataset: d{dataset}, metric: acc, mean: {shown}"
            row += f", std: {stdev(scores):.2f}, n: {SEEDS}"
            row += f", per_seed: [{', '.join(map(str, scores))}]" if per_seed else ""
            rows.append(f"  - {{{row}}}")
    yield from ("results:", *rows, "claims:")
    for number, name in enumerate(methods):
        dataset, base = number % DATASETS, f"m{number - number % 10}"
        about = f"method: {name}, dataset: d{dataset}, metric: acc"
        if base == name:
            yield f"  - {{type: value, {about}, value: {table[name, dataset]}}}"
        else:
            gain = float(table[name, dataset]) - float(table[base, dataset])
            yield f"  - {{{about}, baselines: [{base}], improvement: {gain:.2f}}}"


def measure(quick: bool) -> list[Figure]:
    """Return the seconds of a whole process for each file; `quick` repeats less."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, goal in GOALS.items():
            file = Path(folder) / f"{name.split()[0]}.yaml"
            file.write_text("\n".join(lines(per_seed="per_seed" in name)) + "\n")
            rival = [sys.executable, "-c", RIVAL, str(file)]
            command = repcheck("lint", str(file))
            if quick:  # once each, without the first pair that fills the caches
                ours, theirs = seconds(command), seconds(rival)
            else:
                _, ours, theirs = in_turn(command, rival, 5)
            about = {"rival": "yaml.load with CSafeLoader", "rival_value": round(theirs, 3)}
            name = f"repcheck lint, {CLAIMS:,} claims, {CLAIMS * DATASETS:,} {name}"
            figures.append(figure(name, ours, "s", goal, **about))
    return figures


if __name__ == "__main__":
    present(__doc__, measure)
