"""Judge a direction: "A is better than B", with no size claimed.

Reproduced if the whole interval of the difference lies above zero, not reproduced if it lies below.
"""

from dataclasses import replace

from repcheck.stats.compare import Interval
from repcheck.stats.criteria import DEFAULT, Criteria
from repcheck.stats.decision import (
    Decision,
    Detail,
    Sample,
    Verdict,
    blocked,
    crashes,
    level_words,
    shortfalls,
    three_way,
)
from repcheck.stats.gain import OURS, THEIRS, gain_interval
from repcheck.stats.wording import Numbers


def decide_direction(
    ours: Sample, theirs: Sample, *, unit: float, criteria: Criteria = DEFAULT
) -> Decision:
    """Judge "ours is better than theirs"; values arrive oriented, `unit` only shapes the words."""
    samples = {OURS: ours, THEIRS: theirs}
    n = f"n = {ours.n} + {theirs.n}"
    interval, test = gain_interval(ours, theirs, None, criteria.alpha)
    base = Decision(
        verdict="inconclusive",
        details=("baseline-as-published",) if theirs.published else (),
        rule_in_words="",
        interval=interval,
        theta=0.0,
        test="none",
        n_a=ours.n,
        n_b=theirs.n,
    )
    reasons = shortfalls(criteria, samples)
    if interval is None or reasons:
        return replace(base, rule_in_words=blocked(reasons, n))
    verdict = three_way(interval, 0.0)
    basis = f"{n}{crashes(samples)}, {test}"
    return replace(
        base,
        verdict=verdict,
        details=direction_details(verdict, interval) + base.details,
        rule_in_words=direction_words(verdict, interval, Numbers(unit), basis),
        test=test,
    )


def direction_details(verdict: Verdict, interval: Interval) -> tuple[Detail, ...]:
    """Return the finer words of a direction's verdict."""
    found: tuple[Detail, ...] = ("reversed",) if verdict == "not-reproduced" else ()
    return (*found, "deterministic") if interval.df is None else found


def direction_words(verdict: Verdict, interval: Interval, numbers: Numbers, basis: str) -> str:
    """Say on which side of zero the difference lies; `basis` names n and test."""
    where = {"reproduced": "lies above", "not-reproduced": "lies below"}.get(verdict, "holds")
    return (
        f"The {level_words(interval)} {numbers.span(interval)} of the difference "
        f"{numbers.signed(interval.estimate)} {where} zero, {basis}."
    )
