"""How often the attribution of a gain to a factor errs: on simulated arms, and on real trainings.

    python tests/benchmarks/arms_attribution.py --json [--quick]

Simulated: 2,000 cases of each kind through `repcheck.stats.attribution` (claims of 1, 2 and 4
standard deviations of a seed; the factor explains nothing, half or all of the gain; 5 and 8 seeds
per arm), and many more by the same rule on whole arrays. An innocent factor that is accused (`gone`
or `reduced`) and a guilty one that is let off (`survives`) are the two errors.

The percentages of every kind stand in the JSON object's `cells`. The real trainings stand in
`_lab_cases.py`, whose `figures(quick)` returns theirs.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np
from _bench import Figure, figure, present
from _simulated import attributed

from repcheck.stats.attribution import attribute_claim
from repcheck.stats.compare import Summary
from repcheck.stats.decision import GainClaim

CLAIMS, SEEDS, SHARES = (1, 2, 4), (5, 8), (0.0, 0.5, 1.0)
VERDICTS = ("gone", "reduced", "survives", "inconclusive")
CASES = 2_000
ACCUSED, LET_OFF = 1.0, 2.5


def packaged(claim: int, n: int, share: float, cases: int) -> dict[str, int]:
    """Count the package's verdicts on so many simulated cases of one kind."""
    random = np.random.default_rng([claim, n, int(10 * share)])
    upper, lower = random.standard_normal((2, cases, n))
    asked, counts = GainClaim(claimed=float(claim), unit=0.01), dict.fromkeys(VERDICTS, 0)
    for a, b in zip((upper + (1 - share) * claim).tolist(), lower.tolist(), strict=True):
        counts[attribute_claim(asked, Summary.of(a), Summary.of(b)).verdict] += 1
    return counts


def simulated_figures(repeats: int, cases: int) -> list[Figure]:
    """Return the errors over all kinds of cases, the worst kind for each."""
    cells: dict[tuple[int, int, float], dict[str, float]] = {}
    far, errors = 0.0, {0.0: 0, 1.0: 0}
    for kind in product(CLAIMS, SEEDS, SHARES):
        claim, n, share = kind
        random = np.random.default_rng([9, claim, n, int(10 * share)])
        cell = attributed(random, claimed=claim, n=n, explained=share, repeats=repeats)
        cells[kind] = {verdict: getattr(cell, verdict) for verdict in VERDICTS}
        counts = packaged(claim, n, share, cases)
        if share in errors:
            wrong = ("gone", "reduced") if share == 0 else ("survives",)
            errors[share] += sum(counts[verdict] for verdict in wrong)
        for verdict, p in cells[kind].items():
            noise = (max(p * (1 - p), 1 / cases) / cases) ** 0.5
            far = max(far, abs(counts[verdict] / cases - p) / noise)
    kinds = len(CLAIMS) * len(SEEDS)
    accused = max((c["gone"] + c["reduced"], kind) for kind, c in cells.items() if kind[2] == 0)
    let_off = max((c["survives"], kind) for kind, c in cells.items() if kind[2] == 1)
    table = [
        {"claim_sd": kind[0], "n": kind[1], "share": kind[2]}
        | {verdict: round(100 * p, 2) for verdict, p in cell.items()}
        for kind, cell in cells.items()
    ]
    by_package = [100 * errors[share] / (kinds * cases) for share in (0.0, 1.0)]
    return [
        figure(f"innocent accused, worst kind ({said(accused[1])}), of {repeats:,}",
               100 * accused[0], "%", ACCUSED, cells=table),
        figure(f"guilty let off, worst kind ({said(let_off[1])}), of {repeats:,}",
               100 * let_off[0], "%", LET_OFF),
        figure(f"innocent accused by the package, {kinds} kinds of {cases:,} cases",
               by_package[0], "%", ACCUSED),
        figure(f"guilty let off by the package, {kinds} kinds of {cases:,} cases",
               by_package[1], "%", LET_OFF),
        figure("the package beside the arrays, largest difference of a verdict's frequency", far,
               "standard errors", 4.5),
    ]  # fmt: skip


def said(kind: tuple[int, int, float]) -> str:
    return f"claim {kind[0]} sd, n = {kind[1]}"


def lab_figures(quick: bool) -> list[Figure]:
    """Return the verdicts on real trainings, where they are there to be run."""
    if find_spec("_lab_cases") is None:
        return []
    cases: Any = import_module("_lab_cases")
    figures: list[Figure] = cases.figures(quick)
    return figures


def measure(quick: bool) -> list[Figure]:
    """Return the simulated errors and the verdicts on real trainings."""
    repeats, cases = (100_000, 200) if quick else (1_000_000, CASES)
    return [*simulated_figures(repeats, cases), *lab_figures(quick)]


if __name__ == "__main__":
    present(__doc__, measure)
