"""Simulated seeds for the verdict rules, many courses at a time, and what calibrates the looks.

    python tests/benchmarks/_simulated.py

prints the alphas of `repcheck.stats.sequential` for every number of seeds (a few minutes).

The rules are written here a second time, on whole arrays; the tests hold them against the
package's own, case by case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from repcheck.stats.sequential import HALF_WAY, HOPELESS, Design

Draw = Callable[[np.random.Generator, int, int], Any]

# Exponents of the alphas' growth: where few seeds are left to save, little is spent early.
EXPONENTS = {4: 4.0, 5: 4.0, 6: 4.0, 7: 3.0, 8: 3.0, 9: 3.0, 10: 2.5}
LEVEL = 0.051
WORST_SPREADS = (0.15, 0.2)


def normal(random: np.random.Generator, repeats: int, n: int) -> Any:
    return random.standard_normal((repeats, n))


def skewed(random: np.random.Generator, repeats: int, n: int) -> Any:
    """Scores below a ceiling: minus a log-normal, mean 0 and variance 1."""
    square = 0.8**2
    values = -np.exp(0.8 * random.standard_normal((repeats, n)))
    return (values + np.exp(square / 2)) / np.sqrt((np.exp(square) - 1) * np.exp(square))


def collapsing(random: np.random.Generator, repeats: int, n: int) -> Any:
    """One seed in ten fails by eight standard deviations; mean 0 and variance 1."""
    values = random.standard_normal((repeats, n)) - 8 * (random.random((repeats, n)) < 0.1)
    return (values + 0.8) / np.sqrt(1 + 64 * 0.09)


@dataclass(frozen=True, slots=True, kw_only=True)
class Courses:
    """Differences of two arms at 2, 3, ... seeds: repeats x looks, with the true difference 0."""

    difference: Any
    se: Any
    df: Any

    @classmethod
    def drawn(
        cls,
        random: np.random.Generator,
        repeats: int,
        last: int,
        arms: tuple[Draw, Draw] = (normal, normal),
        spread: float = 1.0,
    ) -> Courses:
        """Draw them; `spread` is the first arm's standard deviation, the second's is 1."""
        first, second = (draw(random, repeats, last) for draw in arms)
        (mean_a, error_a), (mean_b, error_b) = _moments(spread * first), _moments(second)
        n, total = np.arange(2, last + 1), error_a + error_b
        with np.errstate(invalid="ignore"):  # of no spread at all
            df = total**2 * (n - 1) / (error_a**2 + error_b**2)
        return cls(difference=mean_a - mean_b, se=np.sqrt(total), df=df)

    def p_above(self, effect: float) -> Any:
        """One-sided p of "the difference is above zero" where the true one is `effect`; without any
        spread the difference counts as exact.
        """
        exact = 0.5 - 0.5 * np.sign(self.difference + effect)
        return np.where(self.se > 0, stdtr(self.df, -self.z(effect)), exact)

    def z(self, effect: float) -> Any:
        """The difference in standard errors; infinite or NaN without any spread."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self.difference + effect) / self.se


def _moments(values: Any) -> tuple[Any, Any]:
    """Running mean and squared standard error from the second seed on."""
    n = np.arange(1, values.shape[1] + 1)
    mean = values.cumsum(axis=1) / n
    squares = (values**2).cumsum(axis=1) - n * mean**2
    return mean[:, 1:], np.maximum(squares[:, 1:], 0) / ((n - 1) * n)[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Shares of the courses that end above and below theta, and the mean number of seeds."""

    above: float
    below: float
    mean_n: float


def ends(design: Design, courses: Courses, effect: float, *, futility: bool = True) -> Ends:
    """Follow a design to its end; `effect` is the true distance from theta, in the second arm's
    standard deviations.
    """
    looks = np.array(design.looks)
    column = looks - 2
    z = courses.z(effect)[:, column]
    p = courses.p_above(effect)[:, column]
    above, below = p < np.array(design.alphas), 1 - p < np.array(design.alphas)
    stop = above | below
    if futility:
        stop = stop | (np.abs(z) < hopeless_below(design))
    stop[:, -1] = True
    at = stop.argmax(axis=1)
    row = np.arange(len(at))
    return Ends(
        above=float(above[row, at].mean()),
        below=float(below[row, at].mean()),
        mean_n=float(looks[at].mean()),
    )


def hopeless_below(design: Design) -> Any:
    """The |z| of each look under which the chance of a verdict is too small; 0 where none is."""
    done = np.array(design.looks) / design.max_n
    bound = np.sqrt(done) * (-ndtri(design.alphas[-1]) + ndtri(HOPELESS) * np.sqrt(1 - done))
    return np.where((done >= HALF_WAY) & (done < 1), np.maximum(bound, 0), 0.0)


def calibrated(looks: Sequence[int], exponent: float, repeats: int, seed: int) -> tuple[float, ...]:
    """Alphas that grow with n**exponent and are crossed in a share `LEVEL` of all courses without
    an effect, at the worst of the ratios of spreads.
    """
    weights = (np.array(looks) / looks[-1]) ** exponent
    column = np.array(looks) - 2
    last = []
    for spread in WORST_SPREADS:
        random = np.random.default_rng(seed)
        least = []
        for _ in range(-(-repeats // 100_000)):
            p = Courses.drawn(random, 100_000, looks[-1], spread=spread).p_above(0.0)[:, column]
            least += [(p / weights).min(axis=1), ((1 - p) / weights).min(axis=1)]
        last.append(float(np.quantile(np.concatenate(least), LEVEL)))
    return tuple(np.floor(1e4 * min(last) * weights + 1e-9) / 1e4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the table of attribution verdicts: the shares of the four."""

    gone: float
    reduced: float
    survives: float
    inconclusive: float


def attributed(
    random: np.random.Generator, *, claimed: float, n: int, explained: float, repeats: int
) -> Cell:
    """Simulate what remains of a gain of which a factor explains a share; seeds' sd is 1."""
    upper, lower = random.standard_normal((2, repeats, n))
    error = (upper.var(axis=1, ddof=1) / n, lower.var(axis=1, ddof=1) / n)
    se = np.sqrt(error[0] + error[1])
    df = se**4 * (n - 1) / (error[0] ** 2 + error[1] ** 2)
    remaining = upper.mean(axis=1) - lower.mean(axis=1) + (1 - explained) * claimed
    margin, wide = 0.25 * claimed, stdtrit(df, 0.975) * se
    gone = remaining + stdtrit(df, 0.95) * se <= margin
    reduced = ~gone & (remaining + wide < claimed - margin)
    survives = ~gone & ~reduced & (remaining - wide > 0)
    shares = [float(one.mean()) for one in (gone, reduced, survives)]
    return Cell(gone=shares[0], reduced=shares[1], survives=shares[2], inconclusive=1 - sum(shares))


def main() -> None:
    for last, exponent in EXPONENTS.items():
        looks = tuple(n for n in range(3, last + 1) if last < 9 or n != last - 1)
        print(last, looks, calibrated(looks, exponent, 2_000_000, 20261121))


if __name__ == "__main__":
    main()
