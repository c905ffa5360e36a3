"""The exact permutation test beside a verdict: what a test without any normal curve says.

It is a check of robustness and never changes the verdict. Below 5 seeds per arm nothing is said:
the smallest p of 3 + 3 seeds is 0.05 itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from repcheck.stats.arrays import LARGEST
from repcheck.stats.collapse import Arms
from repcheck.stats.decision import Decision
from repcheck.stats.permutation import Permuted, paired, two_samples
from repcheck.stats.wording import Numbers, percent

FEWEST = 5
SEED = 20261121
"""Of the random splits that stand in for all of them from 11 seeds per arm on."""
Side = Literal["above", "below", "within"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationCheck:
    """A one-sided p for the side of the threshold on which the verdict, or else the estimate, lies.

    `agrees` is False where the test at `alpha` would have said otherwise than the verdict.
    """

    test: str
    p: float
    side: Side
    threshold: float
    n: str
    smallest_p: float
    alpha: float
    agrees: bool
    in_words: str


def check(
    decision: Decision, arms: Arms, alpha: float, unit: float, *, within: bool = False
) -> PermutationCheck | None:
    """Test the difference against the decision's threshold; None below 5 seeds per arm (or pairs),
    without both arms' values, and for runs that do not differ.

    Independent arms are split anew, declared pairs have their signs flipped. Under the null
    hypothesis the difference is the threshold, which is taken from the first arm. `within` asks for
    a difference between minus and plus the threshold: the larger p of the two one-sided tests, and
    nothing where that is what was refuted.
    """
    interval = decision.interval
    if arms.theirs is None or interval is None or interval.df is None:
        return None
    pairs = arms.pairs if decision.test == "paired t" else None
    n = len(pairs) if pairs else min(len(arms.ours.values), len(arms.theirs.values))
    if n < FEWEST or (within and decision.verdict == "not-reproduced"):
        return None
    if max(map(abs, (*arms.ours.values, *arms.theirs.values))) > LARGEST:
        return None
    upper = _test(arms, pairs, decision.theta)
    side: Side = "above" if interval.estimate > decision.theta else "below"
    p = float((upper.p_greater if side == "above" else upper.p_less)[0])
    if within:
        lower = _test(arms, pairs, -decision.theta)
        side, p = "within", max(float(upper.p_less[0]), float(lower.p_greater[0]))
    shows, open_ = p <= alpha, decision.verdict == "inconclusive"
    name = "exact permutation test" if upper.exact else "permutation test (random splits)"
    count = f"{n} pairs" if pairs else f"{arms.ours.n} + {arms.theirs.n}"
    numbers = Numbers(unit)
    threshold = numbers.signed(decision.theta) if decision.theta else "zero"
    about = f"one-sided p = {p:.2g} for a difference {side} {threshold}, n = {count}"
    if within:
        about = f"p = {p:.2g} for a difference within ±{numbers.plain(decision.theta)}, n = {count}"
    said = _said(open_=open_, shows=shows, name=name)
    if not open_ and upper.smallest_p > alpha:
        least = f"its smallest p being {upper.smallest_p:.2g}"
        said = f"the {name} cannot show it at {percent(alpha)}, {least}"
    return PermutationCheck(
        test=name,
        p=p,
        side=side,
        threshold=decision.theta,
        n=f"n = {count}",
        smallest_p=upper.smallest_p,
        alpha=alpha,
        agrees=shows is not open_,
        in_words=f"{said}: {about}",
    )


def _test(arms: Arms, pairs: Sequence[tuple[float, float]] | None, threshold: float) -> Permuted:
    random = np.random.default_rng(SEED)
    if pairs:
        return paired([a - b - threshold for a, b in pairs], random=random)
    theirs = arms.theirs.values if arms.theirs else ()
    return two_samples([a - threshold for a in arms.ours.values], theirs, random=random)


def _said(*, open_: bool, shows: bool, name: str) -> str:
    if open_:
        return f"the {name} alone would show it" if shows else f"the {name} does not show it either"
    return f"the {name} shows it too" if shows else f"the {name} does not show it"
