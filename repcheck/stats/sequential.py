"""When to stop adding seeds: looks at a growing number of seeds per arm, one error rate for all.

Each look judges by the rules of `decide` with an alpha of its own, so its interval has the level
1 - 2 alpha of that look. The alphas of a design are small at first and together cost no more than
one test at 5 %: over all its looks each wrong verdict stays below 5.5 %, whatever the ratio of the
arms' spreads, for two arms (Welch), pairs and single means alike, because the alphas are those of
the worst of these cases.

A look stops in three ways. A verdict is reached; the last look is; or a verdict has become
unlikely: were the present estimate the truth, its chance by the last look would be below 8 %
(conditional power; Lan, Simon and Halperin 1982). Stopping for that reason ends in `inconclusive`,
so it cannot make a wrong verdict, and the alphas do not count on it: whoever goes on anyway errs no
more often.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from scipy.special import ndtr, ndtri

from repcheck.stats.compare import Interval
from repcheck.stats.criteria import DEFAULT as CRITERIA
from repcheck.stats.criteria import Criteria
from repcheck.stats.decision import Decision
from repcheck.stats.wording import counted, percent

HOPELESS = 0.08
"""A verdict whose chance by the last look is smaller is not waited for."""
HALF_WAY = 0.5
"""No hope is given up before this share of the last look's seeds: the spread is too uncertain."""
NO_MORE_SEEDS = "no more seeds are spent on it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Looks after so many seeds per arm, each with the one-sided alpha of its two bounds.

    Raises ValueError unless the looks rise and each alpha lies between 0 and 0.5.
    """

    looks: tuple[int, ...]
    alphas: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.looks or len(self.looks) != len(self.alphas):
            raise ValueError(
                "a design needs one alpha for each look and at least one look, "
                f"not {len(self.alphas)} for {len(self.looks)}"
            )
        if self.looks[0] < 1 or any(
            a >= b for a, b in zip(self.looks, self.looks[1:], strict=False)
        ):
            raise ValueError(f"looks must rise from at least 1 seed per arm, not {self.looks}")
        if not all(0 < alpha < 0.5 for alpha in self.alphas):
            raise ValueError(f"every alpha must lie between 0 and 0.5, not {self.alphas}")

    @property
    def max_n(self) -> int:
        """Seeds per arm at the last look."""
        return self.looks[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What follows from a look: the seeds per arm to go on to (None: stop), and why in words."""

    next_n: int | None
    in_words: str


# Source: tests/benchmarks/_simulated.py, which prints these alphas. They rise with a power of n,
# scaled so that each bound is ever crossed in 5.1 % of 2,000,000 simulated courses whose true gain
# is theta, with the ratio of spreads that is worst (about 1 to 6; some 4 % with equal spreads).
_CALIBRATED = {
    4: Design(looks=(3, 4), alphas=(0.0128, 0.0407)),
    5: Design(looks=(3, 4, 5), alphas=(0.0050, 0.0158, 0.0387)),
    6: Design(looks=(3, 4, 5, 6), alphas=(0.0023, 0.0074, 0.0182, 0.0378)),
    7: Design(looks=(3, 4, 5, 6, 7), alphas=(0.0026, 0.0062, 0.0122, 0.0211, 0.0336)),
    8: Design(looks=(3, 4, 5, 6, 7, 8), alphas=(0.0017, 0.0041, 0.0080, 0.0138, 0.0220, 0.0329)),
    9: Design(looks=(3, 4, 5, 6, 7, 9), alphas=(0.0013, 0.0031, 0.0060, 0.0104, 0.0166, 0.0353)),
    10: Design(
        looks=(3, 4, 5, 6, 7, 8, 10),
        alphas=(0.0015, 0.0032, 0.0056, 0.0088, 0.0130, 0.0182, 0.0318),
    ),
}
DEFAULT = _CALIBRATED[10]


def design_for(max_n: int) -> Design:
    """Return the design whose last look is at `max_n` seeds per arm.

    Up to 3 seeds there is one look, at 5 %. Above 10 the looks of `DEFAULT` are spread over the
    longer course: the looks depend on each other as before and more seeds only bring the t closer
    to the normal curve. Raises ValueError below 1.
    """
    if max_n < 1:
        raise ValueError(f"the number of seeds must be at least 1, not {max_n}")
    if max_n < min(_CALIBRATED):
        return Design(looks=(max_n,), alphas=(CRITERIA.alpha,))
    if max_n in _CALIBRATED:
        return _CALIBRATED[max_n]
    scale = max_n / DEFAULT.max_n
    return Design(looks=tuple(math.ceil(n * scale) for n in DEFAULT.looks), alphas=DEFAULT.alphas)


def look(design: Design, n: int) -> float:
    """Return the alpha for n seeds per arm: that of the last look reached, before the first look
    that of the first.
    """
    reached = [alpha for at, alpha in zip(design.looks, design.alphas, strict=True) if at <= n]
    return reached[-1] if reached else design.alphas[0]


def criteria_at(design: Design, n: int, criteria: Criteria = CRITERIA) -> Criteria:
    """Return the criteria with the alpha of the look at n seeds per arm."""
    return replace(criteria, alpha=look(design, n))


def next_look(design: Design, n: int, decision: Decision) -> int | None:
    """Return the number of seeds per arm to look at next, None to stop; `step` also says why."""
    return step(design, n, decision).next_n


def step(design: Design, n: int, decision: Decision) -> Step:
    """Say whether to go on after the decision at n seeds per arm (those started, crashed or not).

    `decision` must have been made with this look's alpha: see `criteria_at`.
    """
    after = next((at for at in design.looks if at > n), None)
    if reason := _reason_to_stop(design, n, decision):
        return Step(next_n=None, in_words=f"stopped at {counted(n, 'seed')} per arm: {reason}")
    if after is None:
        return Step(
            next_n=None,
            in_words=f"stopped at {counted(n, 'seed')} per arm: this was the last look planned",
        )
    return Step(
        next_n=after,
        in_words=(
            f"{counted(n, 'seed')} per arm do not decide at the "
            f"{percent(1 - 2 * look(design, n))} level of this look; the next look is at {after}"
        ),
    )


def given_up(design: Design, n: int, decision: Decision) -> str:
    """Return in words why an open verdict is given none of the seeds that it could still have had.

    "" where there is a verdict, where it goes on, and after the last look. The sentence begins with
    `NO_MORE_SEEDS`, by which `is_given_up` knows it again.
    """
    if decision.verdict != "inconclusive" or n >= design.max_n:
        return ""
    found = step(design, n, decision)
    return f"{NO_MORE_SEEDS}: {found.in_words}" if found.next_n is None else ""


def is_given_up(said: Iterable[str]) -> bool:
    """Return whether one of these sentences is that of `given_up`."""
    return any(one.startswith(NO_MORE_SEEDS) for one in said)


def chance_of_a_verdict(design: Design, n: int, interval: Interval, theta: float) -> float:
    """Return the probability that the last look reaches a verdict if the estimate is the truth.

    With z = |estimate - theta| / SE and t = n / max_n the statistic of the last look is then normal
    with mean z / sqrt(t) and variance 1 - t (Lan, Simon and Halperin 1982); it must pass the
    critical value of the last alpha. Only the side of theta on which the estimate lies counts.
    """
    if n < 1:
        raise ValueError(f"the number of seeds must be at least 1, not {n}")
    if interval.se == 0 or n >= design.max_n:
        return 0.0
    done = n / design.max_n
    ahead = abs(interval.estimate - theta) / interval.se / math.sqrt(done)
    needed = -float(ndtri(design.alphas[-1]))
    return float(ndtr((ahead - needed) / math.sqrt(1 - done)))


def _reason_to_stop(design: Design, n: int, decision: Decision) -> str | None:
    if decision.verdict != "inconclusive":
        return f"the verdict is {decision.verdict}"
    if decision.n_a == 0 or decision.n_b == 0:
        return "no seed of an arm finished"
    interval = decision.interval
    if interval is None:
        return None
    if interval.df is None:
        return "the seeds do not differ, so more of them would tell nothing new"
    if n < HALF_WAY * design.max_n or n >= design.max_n:
        return None
    chance = chance_of_a_verdict(design, n, interval, decision.theta)
    if chance >= HOPELESS:
        return None
    return (
        f"were the present estimate the truth, the chance of a verdict by {design.max_n} seeds "
        f"per arm would be below {percent(HOPELESS)}"
    )
