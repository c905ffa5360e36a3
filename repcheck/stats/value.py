"""Judge a claimed value: "A scores 92.9 (± 0.5 over 5 seeds)".

The interval is that of "rerun minus reported" and theta is minus a margin (non-inferiority). Beside
the verdict stands a prediction interval: where the mean of an honest rerun falls 95 times in 100.
"""

from dataclasses import replace

from repcheck.stats.collapse import uncollapsed
from repcheck.stats.compare import (
    ROUNDING_NOISE,
    Interval,
    Summary,
    against_reported,
    pooled_sd,
    prediction_half_width,
)
from repcheck.stats.criteria import DEFAULT, Criteria
from repcheck.stats.decision import (
    EXACT,
    RERUN,
    Decision,
    Detail,
    Sample,
    ValueClaim,
    Verdict,
    blocked,
    bound_words,
    crashes,
    level_words,
    needed_seeds,
    shortfalls,
    snapped,
)
from repcheck.stats.sample_size import Aim, Pilot, against
from repcheck.stats.wording import Numbers


def decide_value(rerun: Sample, claim: ValueClaim, criteria: Criteria = DEFAULT) -> Decision:
    """Judge "the method scores the reported value".

    One-sided (non-inferiority) unless the claim is two-sided. The margin is the declared one, else
    twice the pooled spread and at least the rounding unit. Without a reported spread the rerun's
    stands in for it. The prediction flag is independent of the verdict: it says whether the rerun
    mean lies outside the two-sided 95 % interval in which honest reruns of the report fall, which
    is never taken narrower than the rounding unit.
    """
    margin, origin = _margin(rerun, claim)
    half_width = _prediction_half_width(rerun, claim)
    outside = _is_outside(rerun, claim, half_width)
    interval = _value_interval(rerun, claim.reported, criteria.alpha)
    base = Decision(
        verdict="inconclusive",
        details=("outside-prediction-interval",) if outside else (),
        rule_in_words="",
        interval=interval,
        theta=-margin,
        test="none" if interval is None else _value_test(interval, claim.reported),
        n_a=rerun.n,
        n_b=claim.reported.n,
        prediction_half_width=half_width,
        outside_prediction_interval=outside,
    )
    arms = {RERUN: rerun}
    unknown = " (or unknown)" if claim.reported.n == 1 else ""
    n = f"n = {rerun.n} rerun + {claim.reported.n}{unknown} reported"
    tail = prediction_tail(claim, half_width) if outside else ""
    reasons = shortfalls(criteria, arms)
    if interval is None or reasons:
        return replace(base, rule_in_words=blocked(reasons, n, tail))
    if interval.df is None:
        size = abs(claim.reported.mean) + abs(interval.estimate)
        interval = snapped(interval, (margin, -margin), size)
    verdict = value_verdict(interval, margin, two_sided=claim.two_sided)
    words = value_words(verdict, interval, claim, f"{Numbers(claim.unit).plain(margin)}, {origin}")
    aim = value_aim(interval, margin, two_sided=claim.two_sided)
    return replace(
        base,
        verdict=verdict,
        interval=interval,
        details=value_details(interval, margin) + base.details,
        rule_in_words=f"{words}, {n}{crashes(arms)}, {base.test}{tail}.",
        needed=needed_seeds(verdict, interval, _value_pilot(rerun, claim.reported), aim, criteria),
    )


def _margin(rerun: Sample, claim: ValueClaim) -> tuple[float, str]:
    if claim.margin is not None:
        return claim.margin, "as declared"
    # A collapse would widen the margin until any value passed.
    usual, reported = uncollapsed(rerun, Sample(finished=claim.reported, published=True))
    known = [s.finished for s in (usual, reported) if s.finished and s.finished.sd is not None]
    spread = 2 * pooled_sd(*known)[0] if known else 0.0
    if spread > claim.unit:
        return spread, "twice the spread over seeds"
    return claim.unit, "one unit of the last reported digit"


def _value_interval(rerun: Sample, reported: Summary, alpha: float) -> Interval | None:
    if rerun.finished is None or rerun.finished.sd is None:
        return None
    return against_reported(rerun.finished, reported, alpha)


def _value_test(interval: Interval, reported: Summary) -> str:
    if interval.df is None:
        return EXACT
    return "Welch t" if reported.sd is not None else "t with the rerun's spread"


def _prediction_half_width(rerun: Sample, claim: ValueClaim) -> float | None:
    interval = _value_interval(rerun, claim.reported, 0.025)
    if interval is not None:
        return max(claim.unit, interval.high - interval.estimate)
    if rerun.n == 0 or claim.reported.sd is None:
        return None
    return max(claim.unit, prediction_half_width(claim.reported.sd, claim.reported.n, rerun.n))


def _is_outside(rerun: Sample, claim: ValueClaim, half_width: float | None) -> bool | None:
    if rerun.finished is None or half_width is None:
        return None
    noise = ROUNDING_NOISE * max(abs(rerun.finished.mean), abs(claim.reported.mean))
    return abs(rerun.finished.mean - claim.reported.mean) > half_width + noise


def prediction_tail(claim: ValueClaim, half_width: float | None) -> str:
    """Say that the rerun lies where honest reruns rarely fall."""
    reach = Numbers(claim.unit).plain(half_width or 0.0)
    return f"; the rerun mean lies outside the 95 % prediction interval (reported ± {reach})"


def value_verdict(interval: Interval, margin: float, *, two_sided: bool) -> Verdict:
    """Compare the interval of "rerun minus reported" with the margin."""
    # Two numbers without spread that differ by just the margin agree within it.
    exact = interval.df is None
    enough = interval.low > -margin or (exact and interval.low == -margin)
    not_more = interval.high < margin or (exact and interval.high == margin)
    if enough and (not_more or not two_sided):
        return "reproduced"
    if interval.high < -margin or (two_sided and interval.low > margin):
        return "not-reproduced"
    return "inconclusive"


def value_details(interval: Interval, margin: float) -> tuple[Detail, ...]:
    """Return the finer words of a value's verdict."""
    found: list[Detail] = ["exceeds"] if interval.low > margin else []
    return (*found, "deterministic") if interval.df is None else tuple(found)


def value_words(verdict: Verdict, interval: Interval, claim: ValueClaim, margin: str) -> str:
    """Say where the rerun lies beside the margin, without n and test."""
    numbers = Numbers(claim.unit)
    difference, span = numbers.signed(interval.estimate), numbers.span(interval)
    if interval.df is None:
        within = "within" if verdict == "reproduced" else "beyond"
        exact = f"so rerun minus reported {difference} is taken as exact"
        return f"The seeds do not differ, {exact}; it lies {within} the margin ({margin})"
    if claim.two_sided and verdict != "inconclusive":
        side = "within" if verdict == "reproduced" else "outside"
        what = f"The {level_words(interval)} {span} of rerun minus reported"
        return f"{what} lies {side} the margin (±{margin}): difference {difference}"
    sign = "the margin (±" if claim.two_sided else "minus the margin (-"
    if verdict == "inconclusive":
        where = "Rerun minus reported may lie on either side of"
    else:
        place = "above" if verdict == "reproduced" else "below"
        where = (
            f"The {bound_words(verdict, interval, numbers)} of rerun minus reported lies {place}"
        )
    return f"{where} {sign}{margin}): difference {difference}, {level_words(interval)} {span}"


def _value_pilot(rerun: Sample, reported: Summary) -> Pilot | None:
    new = rerun.finished
    if new is None or new.sd is None:
        return None
    return Pilot(sd=new.sd, df=new.n - 1, design=against(reported), more_than=new.n)


def value_aim(interval: Interval, margin: float, *, two_sided: bool) -> Aim:
    """Return the distances to the ends of the margin that more seeds would have to show."""
    if not two_sided:
        return Aim.at(interval.estimate, -margin, se=interval.se, claimed=0.0)
    off = abs(interval.estimate)
    if abs(off - margin) < interval.se:
        return Aim(distances=(margin, margin), assumed_claim=True)
    return Aim(distances=(margin - off, margin + off) if off < margin else (off - margin,))
