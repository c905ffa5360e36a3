"""What is told of a claim over several datasets beside its verdict: it describes, it never decides.

Aggregates over all datasets' fresh seeds (Agarwal et al. 2021), the bound on violations of
stochastic order (Dror et al. 2019) and mean ranks (Demsar 2006). Scores are oriented and taken as
they are: datasets of very different scales should not be averaged, by anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from repcheck.claims.model import Claim, Claims
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Evidence
from repcheck.question import Question
from repcheck.reproduction import question_of
from repcheck.stats.aggregate import (
    LEVEL,
    almost_stochastic_order,
    iqm_intervals,
    performance_profile,
    probability_of_improvement,
)
from repcheck.stats.arrays import LARGEST
from repcheck.stats.cells import ranks
from repcheck.stats.wording import percent

SEED = 20261121
DRAWS = 2_000
FEWEST_SEEDS = 3

Scores = Mapping[str, Mapping[str, tuple[float, ...]]]
"""Oriented values by method and dataset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One figure: what it is, of whom (`about`), with its interval and n where it has them."""

    name: str
    about: str
    value: float
    n: str
    words: str
    interval: tuple[float, float] | None = None
    level: float | None = None


def described(claims: Claims, claim: Claim, evidence: Evidence) -> tuple[Described, ...]:
    """Return the figures of a claim over several datasets; none of any other, and none where a
    dataset was not run.

    Baselines that were not rerun on every dataset with at least 3 seeds are left out.
    """
    if len(claim.datasets.get(())) + claim.dataset.known < 2 or not evidence.runs:
        return ()
    try:
        question = question_of(claims, claim, evidence)
        scores = _scores(question)
    except (Missing, Inapplicable):
        return ()
    if len(question.datasets) < 2 or claim.method.value not in scores:
        return ()
    return (
        *_iqms(scores, question.sign),
        *(
            one
            for name in [*scores][1:]
            for one in (
                *_against(scores, claim.method.value, name),
                *_profiles(scores, (claim.method.value, name), question.sign),
            )
        ),
        *_ranks(scores, question),
    )


def _scores(question: Question) -> Scores:
    """Return the method's scores, then the baselines', on every dataset of the claim."""
    found: dict[str, dict[str, tuple[float, ...]]] = {}
    names = (question.method.id, *question.claim.baselines.get(()))
    for method in (question.claims.methods[name] for name in dict.fromkeys(names)):
        try:
            samples = {name: question.on(name).sample(method) for name in question.datasets}
        except Missing:
            continue
        if all(_enough(one.values) for one in samples.values()):
            found[method.id] = {name: one.values for name, one in samples.items()}
    return found


def _enough(values: tuple[float, ...]) -> bool:
    return len(values) >= FEWEST_SEEDS and max(map(abs, values)) <= LARGEST


def _counted(values: Mapping[str, tuple[float, ...]]) -> str:
    sizes = sorted({len(one) for one in values.values()})
    seeds = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return f"{seeds} seeds on each of {len(values)} datasets"


def _iqms(scores: Scores, sign: int) -> Iterator[Described]:
    tasks = {name: list(values.values()) for name, values in scores.items()}
    random = np.random.default_rng(SEED)
    for name, found in iqm_intervals(tasks, random=random, draws=DRAWS).items():
        low, high = sorted((sign * found.low, sign * found.high))
        ends, value, n = (low, high), sign * found.estimate, _counted(scores[name])
        yield Described(
            name="interquartile mean",
            about=name,
            value=value,
            interval=ends,
            level=found.level,
            n=n,
            words=f"interquartile mean of `{name}`: {_spanned(value, ends)}, {n}",
        )


def _spanned(value: float, ends: tuple[float, float]) -> str:
    return f"{value:.4g}, {percent(LEVEL)} interval [{ends[0]:.4g}, {ends[1]:.4g}]"


def _against(scores: Scores, ours: str, theirs: str) -> Iterator[Described]:
    a, b = list(scores[ours].values()), list(scores[theirs].values())
    about, n = f"{ours} against {theirs}", f"{_counted(scores[ours])} + {_counted(scores[theirs])}"
    better = probability_of_improvement(a, b, random=np.random.default_rng(SEED), draws=DRAWS)
    ends = (better.low, better.high)
    said = f"probability that a run of `{ours}` beats one of `{theirs}`"
    yield Described(
        name="probability of improvement",
        about=about,
        value=better.estimate,
        interval=ends,
        level=better.level,
        n=n,
        words=f"{said}, mean over datasets: {_spanned(better.estimate, ends)}, {n}",
    )
    random = np.random.default_rng(SEED)
    bounds = {
        name: almost_stochastic_order(
            values, scores[theirs][name], random=random, comparisons=len(scores[ours])
        )
        for name, values in scores[ours].items()
    }
    worst = max(bounds, key=bounds.__getitem__)
    told = ", ".join(f"{bound:.2f} on {name}" for name, bound in bounds.items())
    yield Described(
        name="almost stochastic order",
        about=about,
        value=bounds[worst],
        level=LEVEL,
        n=n,
        words=f"upper bound of how far `{ours}` fails to be stochastically larger than `{theirs}`"
        f" (0 is full order, 0.5 none; {percent(LEVEL)} over all datasets): {told}, {n}",
    )


def _profiles(scores: Scores, names: tuple[str, str], sign: int) -> Iterator[Described]:
    """Yield both methods' share of runs that are better than the median of all runs."""
    pooled = [v for name in names for values in scores[name].values() for v in values]
    middle = float(np.median(pooled))
    for name in names:
        tasks = list(scores[name].values())
        random = np.random.default_rng(SEED)
        found = performance_profile(tasks, [middle], random=random, draws=DRAWS)
        share, ends = float(found.share[0]), (float(found.low[0]), float(found.high[0]))
        n = _counted(scores[name])
        yield Described(
            name="performance profile",
            about=name,
            value=share,
            interval=ends,
            level=found.level,
            n=n,
            words=f"share of runs of `{name}` better than {sign * middle:.4g}, the median of both:"
            f" {_spanned(share, ends)}, {n}",
        )


def _ranks(scores: Scores, question: Question) -> Iterator[Described]:
    """Yield mean ranks where every baseline was run too, from 3 methods and 5 datasets up."""
    if len(scores) < len({question.method.id, *question.claim.baselines.get(())}):
        return
    table = {name: [fmean(one) for one in values.values()] for name, values in scores.items()}
    found = ranks(table)
    if found is None:
        return
    for name, rank in found.mean_ranks.items():
        n = f"{len(table)} methods on {found.datasets} datasets"
        yield Described(
            name="mean rank",
            about=name,
            value=rank,
            n=n,
            words=f"mean rank of `{name}` over datasets (1 is best): {rank:.2f};"
            f" ranks less than {found.critical_difference:.2f} apart are not told apart"
            f" (Nemenyi, 5 %; Iman and Davenport p = {found.p:.2g}), {n}",
        )
