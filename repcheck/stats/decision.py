"""What goes into a verdict and what comes out: samples, claims and decisions.

One rule for every kind of claim: a threshold is set by the claim, an interval by the reruns. The
whole interval on the good side of the threshold: reproduced. On the bad side: not reproduced. The
threshold inside it: inconclusive, with the number of seeds that would decide. Each wrong verdict is
thereby as rare as `alpha` for normal seeds; at 3 to 5 seeds `inconclusive` is the common honest
answer and no failure.

Gains and differences arrive oriented: positive is better, also for metrics where lower is better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from repcheck.stats.compare import ROUNDING_NOISE, Interval, Summary
from repcheck.stats.criteria import Criteria, require_finite, require_positive
from repcheck.stats.sample_size import Aim, Pilot, SeedsNeeded, seeds_needed
from repcheck.stats.wording import Numbers, counted, percent

Verdict = Literal["reproduced", "not-reproduced", "inconclusive"]
Detail = Literal[
    "exceeds",
    "real-but-smaller",
    "reversed",
    "no-evidence",
    "direction-confirmed",
    "deterministic",
    "baseline-as-published",
    "outside-prediction-interval",
]
RERUN = "the rerun"
EXACT = "exact comparison"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The seeds of one arm: those that finished, and how many crashed. A crashed seed is counted,
    never dropped in silence. `values` holds the finished seeds where they are known one by one.
    """

    finished: Summary | None
    crashed: int = 0
    published: bool = False
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.crashed < 0:
            raise ValueError(
                f"the number of crashed seeds must not be negative, not {self.crashed}"
            )
        for value in self.values:
            require_finite("a seed's value", value)

    @classmethod
    def of(cls, values: Sequence[float], *, crashed: int = 0) -> Self:
        """Sample from one value a finished seed (there may be none)."""
        return cls(
            finished=Summary.of(values) if values else None,
            crashed=crashed,
            values=tuple(map(float, values)),
        )

    @property
    def n(self) -> int:
        """Finished seeds."""
        return self.finished.n if self.finished else 0

    def shortfall(self, name: str, criteria: Criteria) -> str | None:
        """Say why these seeds cannot carry a verdict; None when they can."""
        if self.n < 2:
            return f"{name} has {counted(self.n, 'finished seed')} (at least 2 are needed)"
        if self.finished and self.finished.sd is None:
            return f"the spread of {name} over its n = {self.n} seeds is unknown"
        if self.crashed > criteria.crash_share * (self.n + self.crashed):
            allowed = percent(criteria.crash_share)
            return f"{self.crashed_in_words(name)}, more than {allowed}"
        return None

    def crashed_in_words(self, name: str) -> str:
        """1 of 6 seeds of the method crashed."""
        return f"{self.crashed} of {self.n + self.crashed} seeds of {name} crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class GainClaim:
    """ "A beats B by `claimed`"; `unit` is one unit of its last printed digit, `tolerance` the
    author's (oriented, absolute).
    """

    claimed: float
    unit: float
    tolerance: float | None = None

    def __post_init__(self) -> None:
        require_finite("the claimed gain", self.claimed)
        if self.claimed <= 0:
            raise ValueError(
                f"a claimed gain must be above zero, not {self.claimed}: "
                "gains are oriented, positive is better"
            )
        require_positive("the unit of the last digit", self.unit)
        if self.tolerance is not None and require_finite("the tolerance", self.tolerance) < 0:
            raise ValueError(f"the tolerance must not be negative, not {self.tolerance}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueClaim:
    """ "A scores X"; `reported.n` is 1 where the paper does not say over how many seeds."""

    reported: Summary
    unit: float
    margin: float | None = None
    two_sided: bool = False

    def __post_init__(self) -> None:
        require_positive("the unit of the last digit", self.unit)
        if self.margin is not None and require_finite("the margin", self.margin) < 0:
            raise ValueError(f"the margin must not be negative, not {self.margin}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdClaim:
    """ "A reaches at least (or at most) this", in the metric's own direction; exactly one of the
    two is given.
    """

    unit: float
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        require_positive("the unit of the last digit", self.unit)
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a threshold claim has exactly one of at_least and at_most")
        require_finite("the threshold", self.threshold)

    @property
    def threshold(self) -> float:
        """The number itself."""
        for threshold in (self.at_least, self.at_most):
            if threshold is not None:
                return threshold
        raise ValueError("a threshold claim has exactly one of at_least and at_most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict with everything it rests on.

    `theta` is what the interval was compared with (for a value claim: minus the margin). `interval`
    is None where there is no spread to compute one from. `needed` is set for inconclusive verdicts
    that more seeds could decide.
    """

    verdict: Verdict
    details: tuple[Detail, ...]
    rule_in_words: str
    interval: Interval | None
    theta: float
    test: str
    n_a: int
    n_b: int | None = None
    needed: SeedsNeeded | None = None
    prediction_half_width: float | None = None
    outside_prediction_interval: bool | None = None

    @property
    def detail(self) -> str:
        """The details as report.json shows them."""
        return ", ".join(self.details)

    @property
    def seeds_needed(self) -> int | None:
        """Seeds per arm, with the spread at its 80 % upper bound; None where not decidable within
        the cap, or not needed.
        """
        return self.needed.with_upper_sd if self.needed else None


def three_way(interval: Interval, theta: float) -> Verdict:
    """The whole rule: lower bound above theta, upper bound below theta, or neither."""
    if interval.low > theta:
        return "reproduced"
    return "not-reproduced" if interval.high < theta else "inconclusive"


def needed_seeds(
    verdict: Verdict, interval: Interval, pilot: Pilot | None, aim: Aim, criteria: Criteria
) -> SeedsNeeded | None:
    """Seeds that would decide, asked only where these do not and where a spread exists."""
    if verdict != "inconclusive" or interval.df is None or pilot is None:
        return None
    return seeds_needed(pilot, aim, criteria)


def shortfalls(criteria: Criteria, samples: dict[str, Sample]) -> list[str]:
    """Every reason why these samples, named for the reader, cannot carry a verdict.

    Where there is one, the crashed seeds of the other samples are told too.
    """
    said = [words for name, one in samples.items() if (words := one.shortfall(name, criteria))]
    crashed = [one.crashed_in_words(name) for name, one in samples.items() if one.crashed]
    untold = [words for words in crashed if not any(words in reason for reason in said)]
    return said + untold if said else []


def blocked(reasons: list[str], n: str, tail: str = "") -> str:
    """The sentence of a verdict that could not be reached."""
    return f"No verdict from these seeds: {'; '.join(reasons)}; {n}{tail}."


def crashes(samples: dict[str, Sample]) -> str:
    """The crashed seeds in brackets, or nothing."""
    said = [one.crashed_in_words(name) for name, one in samples.items() if one.crashed]
    return f" ({'; '.join(said)})" if said else ""


def snapped(interval: Interval, targets: tuple[float, ...], size: float) -> Interval:
    """Move an exact difference onto a target from which only floating-point noise parts it."""
    for target in targets:
        if math.isclose(interval.estimate, target, rel_tol=0, abs_tol=ROUNDING_NOISE * size):
            return replace(interval, estimate=target, low=target, high=target)
    return interval


def level_words(interval: Interval) -> str:
    """90 % interval."""
    return f"{percent(interval.level)} interval"


def bound_words(verdict: Verdict, interval: Interval, numbers: Numbers) -> str:
    """Name the deciding bound of a verdict that is not inconclusive: "one-sided 95 % lower bound
    +3.10".
    """
    side, bound = ("lower", interval.low) if verdict == "reproduced" else ("upper", interval.high)
    return f"one-sided {percent((1 + interval.level) / 2)} {side} bound {numbers.signed(bound)}"
