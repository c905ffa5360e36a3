"""Tests of equivalence: is a difference shown to be smaller than a margin?

Two one-sided tests (Schuirmann 1987): the difference is above minus the margin, and below it, each
at `alpha`. That is the same as the 1 - 2 alpha interval lying between the margins. A difference
that is merely not significant is no evidence of equivalence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from repcheck.stats.collapse import uncollapsed
from repcheck.stats.compare import Interval, Summary, paired, pooled_sd, welch
from repcheck.stats.criteria import DEFAULT, Criteria, require_positive
from repcheck.stats.decision import (
    EXACT,
    Decision,
    Detail,
    Sample,
    Verdict,
    blocked,
    crashes,
    level_words,
    needed_seeds,
    shortfalls,
    snapped,
)
from repcheck.stats.gain import OURS, THEIRS, gain_interval, gain_pilot, n_in_words
from repcheck.stats.value import value_aim
from repcheck.stats.wording import Numbers

ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """The 1 - 2 alpha interval of a difference beside a margin; `p` is the larger of the two."""

    interval: Interval
    margin: float
    p: float

    @property
    def equivalent(self) -> bool:
        """Whether the whole interval lies between minus the margin and the margin."""
        return -self.margin < self.interval.low and self.interval.high < self.margin

    @property
    def not_worse(self) -> bool:
        """Whether the difference is above minus the margin beyond doubt (non-inferiority)."""
        return self.interval.low > -self.margin

    def in_words(self, unit: float) -> str:
        """One sentence, without its full stop; `unit` is one unit of the last printed digit."""
        numbers = Numbers(unit)
        found = "equivalent within" if self.equivalent else "not shown to be equivalent within"
        return (
            f"{found} ±{numbers.plain(self.margin)}: the difference is "
            f"{numbers.signed(self.interval.estimate)}, "
            f"{level_words(self.interval)} {numbers.span(self.interval)}"
        )


def equivalence(a: Summary, b: Summary, margin: float, *, alpha: float = ALPHA) -> Equivalence:
    """Test mean(a) - mean(b) against the margin with Welch's interval.

    Raises ValueError for a margin that is not above zero and where a spread is unknown.
    """
    return _against(welch(a, b, alpha), margin)


def equivalence_of_pairs(
    values_a: Sequence[float], values_b: Sequence[float], margin: float, *, alpha: float = ALPHA
) -> Equivalence:
    """Test the mean of a - b, seed by seed, against the margin with the paired t.

    Raises ValueError for unequal lengths, a single pair, or a margin that is not above zero.
    """
    return _against(paired(values_a, values_b, alpha), margin)


def _against(interval: Interval, margin: float) -> Equivalence:
    require_positive("the margin", margin)
    p = max(interval.p_above(-margin), interval.p_below(margin))
    return Equivalence(interval=interval, margin=margin, p=p)


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceClaim:
    """ "A is as good as B within `declared`"; `unit` is one unit of the last printed digit, None
    where no number is printed.
    """

    declared: float | None = None
    unit: float | None = None

    def __post_init__(self) -> None:
        for name, one in (("the margin", self.declared), ("the unit of the last digit", self.unit)):
            if one is not None:
                require_positive(name, one)


def default_margin(ours: Sample, theirs: Sample, unit: float | None) -> float:
    """Return twice the pooled standard deviation, at least the rounding unit; 0 without both.

    Collapsed seeds are left out: with them any two methods would be equivalent.
    """
    arms = uncollapsed(ours, theirs)
    known = [one.finished for one in arms if one.finished and one.finished.sd is not None]
    spread = 2 * pooled_sd(*known)[0] if known else 0.0
    return max(spread, unit or 0.0)


def decide_equivalence(
    ours: Sample,
    theirs: Sample,
    claim: EquivalenceClaim,
    criteria: Criteria = DEFAULT,
    *,
    pairs: Summary | None = None,
) -> Decision:
    """Judge "ours is equivalent to theirs": the whole interval between minus and plus the margin.

    The margin is the declared one, at most twice the pooled spread (a declared margin may not
    loosen the rule); without one it is twice the pooled spread, at least the rounding unit. Not
    reproduced is only what lies beyond the declared margin too, or beyond the default where none is
    declared. `pairs` as for `decide_gain`. Raises ValueError where there is no margin at all: none
    is declared, nothing printed, and no seed differs.
    """
    default = default_margin(ours, theirs, claim.unit)
    # Without a spread, or a printed digit, what is declared is all there is.
    margin = min((one for one in (claim.declared, default) if one), default=0.0)
    require_positive("the margin", margin)
    if pairs is not None and not pairs.sd:
        # Equal differences between seeds that do vary: a coarse metric, not determinism.
        pairs = None
    interval, test = gain_interval(ours, theirs, pairs, criteria.alpha)
    base = Decision(
        verdict="inconclusive",
        details=("baseline-as-published",) if theirs.published else (),
        rule_in_words="",
        interval=interval,
        theta=margin,
        test=test,
        n_a=ours.n,
        n_b=theirs.n,
    )
    arms = {OURS: ours, THEIRS: theirs}
    n = n_in_words(ours, theirs, pairs)
    reasons = shortfalls(criteria, arms)
    if interval is None or reasons:
        return replace(base, rule_in_words=blocked(reasons, n))
    bounds = sorted({margin, max(claim.declared or 0.0, margin)})
    if interval.df is None:
        targets = tuple(sign * one for one in bounds for sign in (1, -1))
        interval = snapped(interval, targets, bounds[-1] + _size(ours) + _size(theirs))
    verdict = _verdict(interval, bounds)
    words = _words(verdict, interval, bounds, claim)
    deterministic: tuple[Detail, ...] = ("deterministic",) if interval.df is None else ()
    between = margin < abs(interval.estimate) < bounds[-1]
    pilot = None if between else gain_pilot(ours, theirs, pairs)
    aim = value_aim(interval, margin, two_sided=True)
    return replace(
        base,
        verdict=verdict,
        interval=interval,
        details=deterministic + base.details,
        rule_in_words=f"{words}, {n}{crashes(arms)}, {_test_words(test)}.",
        needed=needed_seeds(verdict, interval, pilot, aim, criteria),
    )


def _verdict(interval: Interval, bounds: list[float]) -> Verdict:
    narrow, wide = bounds[0], bounds[-1]
    exact = interval.df is None
    reach = max(interval.high, -interval.low)
    if reach < narrow or (exact and reach == narrow):
        return "reproduced"
    return "not-reproduced" if interval.low > wide or interval.high < -wide else "inconclusive"


def _words(
    verdict: Verdict, interval: Interval, bounds: list[float], claim: EquivalenceClaim
) -> str:
    numbers = Numbers(claim.unit or _unit_of(bounds[0]))
    narrow, wide = (f"±{numbers.plain(one)}" for one in (bounds[0], bounds[-1]))
    origin = "as declared" if claim.declared == bounds[0] else "twice the spread over seeds"
    if claim.unit == bounds[0] and claim.declared != bounds[0]:
        origin = "one unit of the last reported digit"
    found = {
        "reproduced": f"Equivalent within {narrow} ({origin})",
        "not-reproduced": f"Not equivalent within {wide}",
        "inconclusive": f"Not shown to be equivalent within {narrow} ({origin})",
    }[verdict]
    if wide != narrow and verdict != "not-reproduced":
        found += f"; the declared {wide} is wider and is not used"
    difference = f"the difference is {numbers.signed(interval.estimate)}"
    if interval.df is None:
        return f"{found}: the seeds of each arm do not differ, and {difference}"
    return f"{found}: {difference}, {level_words(interval)} {numbers.span(interval)}"


def _unit_of(margin: float) -> float:
    """Return the unit in which a margin that nobody printed is shown with two digits."""
    return float(10.0 ** math.floor(math.log10(margin)))


def _test_words(test: str) -> str:
    return test if test == EXACT else f"two one-sided tests ({test})"


def _size(sample: Sample) -> float:
    return abs(sample.finished.mean) if sample.finished else 0.0
