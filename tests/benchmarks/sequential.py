"""What looking early at growing numbers of seeds saves and costs, beside always running ten.

    python tests/benchmarks/sequential.py --json [--quick]

Simulated courses of `repcheck.stats.sequential`'s designs. Claims are in units of a seed's standard
deviation; theta is half the claim, so a full effect and none lie equally far from it and a half
effect on it. A wrong verdict is `reproduced` where the truth is theta, or `not-reproduced` there.
The rival is one look at ten seeds per arm, as many as the last look has.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
from _bench import Figure, figure, present
from _simulated import Courses, Draw, Ends, collapsing, ends, normal, skewed

from repcheck.stats.decide import decide_gain
from repcheck.stats.decision import GainClaim, Sample
from repcheck.stats.sequential import DEFAULT, Design, criteria_at, design_for, next_look

CHUNK = 50_000
FIXED = Design(looks=(10,), alphas=(0.05,))
# Of two arms' standard deviations; a sixth is the worst of them.
SPREADS, QUICK_SPREADS = (1.0, 0.5, 0.25, 1 / 6, 0.1, 1e-6), (1.0, 1 / 6)
OTHERS, QUICK_OTHERS = (3, 4, 5, 6, 7, 8, 9, 12, 15, 20, 30), (3, 5, 8, 20)
# Claim in sd: share of the trainings, points of power lost, points of these by giving up early.
GOALS = {4: (0.6, 2, 1), 2: (0.75, 10, 3)}


def mean_ends(
    design: Design,
    effect: float,
    chunks: int,
    *,
    arms: tuple[Draw, Draw] = (normal, normal),
    spread: float = 1.0,
    futility: bool = True,
) -> Ends:
    """Follow the design in so many chunks of courses, the same for every design and effect."""
    random = np.random.default_rng(20261121)
    found = [
        ends(
            design,
            Courses.drawn(random, CHUNK, design.max_n, arms, spread),
            effect,
            futility=futility,
        )
        for _ in range(chunks)
    ]
    return Ends(
        above=fmean(one.above for one in found),
        below=fmean(one.below for one in found),
        mean_n=fmean(one.mean_n for one in found),
    )


def wrong(design: Design, chunks: int, **about: Any) -> float:
    """Return the more frequent of the two wrong verdicts, in percent."""
    found = mean_ends(design, 0.0, chunks, **about)
    return 100 * max(found.above, found.below)


def error_figures(chunks: int, spreads: Sequence[float], others: Sequence[int]) -> list[Figure]:
    """Return the wrong verdicts over all looks, beside those of ten seeds at once."""
    alike = [(normal, normal), (skewed, skewed), (collapsing, collapsing)]
    odd = [(collapsing, normal), (skewed, normal)]

    def worst(design: Design, arms: list[tuple[Draw, Draw]]) -> float:
        return max(wrong(design, chunks, arms=one) for one in arms)

    def unequal(design: Design) -> float:
        return max(wrong(design, chunks, spread=one, futility=False) for one in spreads)

    rows = [
        ("both arms of one shape", worst(DEFAULT, alike), 5.5, worst(FIXED, alike)),
        ("one arm skewed or collapsing", worst(DEFAULT, odd), 8.5, worst(FIXED, odd)),
        ("any ratio of spreads, never given up", unequal(DEFAULT), 5.5, unequal(FIXED)),
    ]
    figures = [
        figure(f"wrong verdicts, {name}", value, "%", goal, rival="fixed n = 10",
               rival_value=round(rival, 2))
        for name, value, goal, rival in rows
    ]  # fmt: skip
    name = f"wrong verdicts, designs for {', '.join(map(str, others))} seeds, any ratio of spreads"
    return [*figures, figure(name, max(unequal(design_for(n)) for n in others), "%", 5.5)]


def saving_figures(chunks: int) -> list[Figure]:
    """Return the trainings and the power, as shares of what ten seeds at once take and give."""
    half = mean_ends(DEFAULT, 0.0, chunks).mean_n / 10
    figures = []
    for claim, (goal, lost, given_up) in GOALS.items():
        full, none = (mean_ends(DEFAULT, sign * claim / 2, chunks) for sign in (1, -1))
        patient = mean_ends(DEFAULT, claim / 2, chunks, futility=False)
        fixed = mean_ends(FIXED, claim / 2, chunks)
        figures += [
            figure(
                f"trainings, claim {claim} sd, full or no effect (half effect {half:.2f})",
                max(full.mean_n, none.mean_n) / 10, "x", goal, rival="fixed n = 10", rival_value=1,
            ),
            figure(
                f"full effects of {claim} sd no longer confirmed ({100 * full.above:.1f} % are)",
                100 * (fixed.above - full.above), "points", lost,
                rival="fixed n = 10 confirms, %", rival_value=round(100 * fixed.above, 1),
            ),
            figure(
                f"of these through giving up early, claim {claim} sd",
                100 * (patient.above - full.above), "points", given_up,
            ),
        ]  # fmt: skip
    five, whole = design_for(5), Design(looks=(5,), alphas=(0.05,))
    for claim in GOALS:
        found, fixed = (mean_ends(one, claim / 2, chunks) for one in (five, whole))
        name = (
            f"trainings, at most 5 seeds, claim {claim} sd "
            f"({100 * found.above:.0f} % confirmed, {100 * fixed.above:.0f} % by 5 at once)"
        )
        figures.append(figure(name, found.mean_n / 5, "x", 0.9, rival="fixed n = 5", rival_value=1))
    return figures


def differing(repeats: int) -> int:
    """Return how many courses end otherwise by the package's rules than by the array ones."""
    claim, count = GainClaim(claimed=2.0, unit=0.01), 0
    for effect in (-1.0, 0.0, 1.0):
        random = np.random.default_rng(7)
        values = [random.standard_normal((repeats, DEFAULT.max_n)) for _ in range(2)]
        random = np.random.default_rng(7)
        drawn = Courses.drawn(random, repeats, DEFAULT.max_n)
        for row, (ours, theirs) in enumerate(zip(*values, strict=True)):
            shifted = (ours + effect + claim.claimed / 2).tolist()
            n: int | None = DEFAULT.looks[0]
            while n is not None:
                reached, arms = n, (Sample.of(shifted[:n]), Sample.of(theirs[:n].tolist()))
                decision = decide_gain(*arms, claim, criteria_at(DEFAULT, n))
                n = next_look(DEFAULT, n, decision)
            one = slice(row, row + 1)
            array = ends(
                DEFAULT,
                Courses(difference=drawn.difference[one], se=drawn.se[one], df=drawn.df[one]),
                effect,
            )
            verdicts = {"reproduced": array.above, "not-reproduced": array.below}
            agrees = verdicts.get(decision.verdict, 1 - array.above - array.below) == 1
            count += not (agrees and reached == array.mean_n)
    return count


def measure(quick: bool) -> list[Figure]:
    """Return errors, savings and the agreement of the two implementations."""
    chunks, repeats = (1, 200) if quick else (10, 2_000)
    same = figure(f"of {3 * repeats:,} courses end otherwise by the package", differing(repeats),
                  "courses", 0)  # fmt: skip
    about = (QUICK_SPREADS, QUICK_OTHERS) if quick else (SPREADS, OTHERS)
    return [*error_figures(chunks, *about), *saving_figures(chunks), same]


if __name__ == "__main__":
    present(__doc__, measure)
