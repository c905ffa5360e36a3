"""The tests behind `Standings` that need numpy: shared luck of a seed, and power."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import stdev

from repcheck.facts.fresh import ENOUGH, Standing


def shared(together: Sequence[Standing]) -> float:
    """Return p of the mean over the datasets beside that of each fresh seed run on all of them.

    Numbers of several metrics are taken in units of their own spread.
    """
    if len(together) == 1:
        return 0.0
    from repcheck.stats.chosen_normal import shared_p

    by_seed = [dict(zip(one.seeds, one.fresh, strict=True)) for one in together]
    common = [seed for seed in by_seed[0] if all(seed in other for other in by_seed)]
    if len(common) < ENOUGH:
        return 1.0
    alike = len({one.metric for one in together}) == 1
    units = [one.sign if alike else one.sign / stdev(one.fresh) for one in together]
    reported = [u * one.value for u, one in zip(units, together, strict=True)]
    reruns = [[u * of[seed] for seed in common] for u, of in zip(units, by_seed, strict=True)]
    if not stdev(map(sum, zip(*reruns, strict=True))):
        return 1.0
    return shared_p(reported, reruns, seeds=min(one.n for one in together))


@lru_cache(maxsize=256)
def power_alone(published: int, fresh: int, tests: int, alpha: float) -> float:
    """Return how often the test of one row finds the best of 20 seeds among `tests` at `alpha`."""
    import numpy as np

    from repcheck.stats.chosen import power_against_fresh

    return power_against_fresh(
        published, fresh, random=np.random.default_rng(0), alpha=alpha / tests
    )


@lru_cache(maxsize=256)
def power_together(arms: tuple[tuple[int, int], ...], tests: int, alpha: float) -> float:
    """Return how often rows of (published, fresh) seeds together are found, if all are such."""
    import numpy as np

    from repcheck.stats import chosen
    from repcheck.stats.chosen_normal import power_shared

    each, random = alpha / tests, np.random.default_rng(0)
    if all(published == 1 for published, _ in arms):
        alone = chosen.power_of_ranks([fresh for _, fresh in arms], alpha=each)
    else:
        alone = chosen.power_together(arms, random=random, alpha=each)
    if len(arms) == 1:
        return alone
    # Both tests have to find them; what they miss may be different papers.
    return max(0.0, alone + power_shared(arms, made=chosen.MADE, random=random, alpha=each) - 1)
