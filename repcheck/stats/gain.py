"""Judge a claimed gain: "A beats B by 5.0 points".

theta = max(rho x claimed gain, one unit of its last digit). Reproduced if the lower bound of the
measured gain lies above theta, not reproduced if the upper bound lies below it, otherwise
inconclusive. Half the claimed gain (rho = 0.5) leaves room for the shrinkage that publication
brings, and keeps both wrong verdicts at alpha.
"""

from dataclasses import replace

from repcheck.stats.compare import Interval, Summary, one_sample, pooled_sd, welch
from repcheck.stats.criteria import DEFAULT, Criteria
from repcheck.stats.decision import (
    EXACT,
    Decision,
    Detail,
    GainClaim,
    Sample,
    Verdict,
    blocked,
    bound_words,
    crashes,
    level_words,
    needed_seeds,
    shortfalls,
    snapped,
    three_way,
)
from repcheck.stats.sample_size import Aim, Pilot, against, one_arm, two_arms
from repcheck.stats.wording import Numbers, percent

OURS, THEIRS = "the method", "the baseline"

GAIN_TAILS: dict[Detail, str] = {
    "exceeds": "; it exceeds the claim",
    "real-but-smaller": "; there is a gain, but a smaller one (the lower bound lies above zero)",
    "reversed": "; the baseline is the better one (the upper bound lies below zero)",
    "no-evidence": "; there is no evidence of a gain",
    "direction-confirmed": "; its direction is confirmed (the lower bound lies above zero)",
}


def decide_gain(
    ours: Sample,
    theirs: Sample,
    claim: GainClaim,
    criteria: Criteria = DEFAULT,
    *,
    pairs: Summary | None = None,
) -> Decision:
    """Judge "ours beats theirs by the claimed gain".

    `pairs` summarises the differences seed by seed and replaces Welch by the paired t; give it only
    where the claims file declares what a seed fixes in both arms. The author's tolerance cannot
    loosen the rule: it only says from where on a reproduced gain exceeds the claim (lower bound
    above claimed + tolerance, by default one unit of the last digit).
    """
    theta = max(criteria.rho * claim.claimed, claim.unit)
    if pairs and pairs.sd == 0 and not _without_spread(ours, theirs):
        # Equal differences between seeds that do vary: a coarse metric, not determinism.
        pairs = None
    interval, test = gain_interval(ours, theirs, pairs, criteria.alpha)
    base = Decision(
        verdict="inconclusive",
        details=("baseline-as-published",) if theirs.published else (),
        rule_in_words="",
        interval=interval,
        theta=theta,
        test=test,
        n_a=ours.n,
        n_b=theirs.n,
    )
    arms = {OURS: ours, THEIRS: theirs}
    n = n_in_words(ours, theirs, pairs)
    reasons = shortfalls(criteria, arms)
    if interval is None or reasons:
        return replace(base, rule_in_words=blocked(reasons, n))
    if interval.df is None:
        interval = snapped(interval, (theta, 0.0), max(theta, _size(ours), _size(theirs)))
    verdict = three_way(interval, theta)
    details = gain_details(verdict, interval, claim)
    tails = "".join(GAIN_TAILS.get(detail, "") for detail in details)
    words = gain_words(verdict, interval, claim, criteria)
    pilot = gain_pilot(ours, theirs, pairs)
    aim = Aim.at(interval.estimate, theta, se=interval.se, claimed=claim.claimed)
    return replace(
        base,
        verdict=verdict,
        interval=interval,
        details=details + base.details,
        rule_in_words=f"{words}, {n}{crashes(arms)}, {test}{tails}.",
        needed=needed_seeds(verdict, interval, pilot, aim, criteria),
    )


def gain_interval(
    ours: Sample, theirs: Sample, pairs: Summary | None, alpha: float
) -> tuple[Interval | None, str]:
    """Return the interval of the difference and its test; none where a spread is unknown."""
    a, b = ours.finished, theirs.finished
    if pairs is not None and pairs.sd is not None:
        interval, test = one_sample(pairs, alpha), "paired t"
    elif a is None or b is None or a.sd is None or b.sd is None:
        return None, "none"
    else:
        interval, test = welch(a, b, alpha), "Welch t"
    return interval, EXACT if interval.df is None else test


def gain_details(verdict: Verdict, interval: Interval, claim: GainClaim) -> tuple[Detail, ...]:
    """Return the finer words of a gain's verdict."""
    tolerance = claim.unit if claim.tolerance is None else claim.tolerance
    found: list[Detail] = []
    if verdict == "not-reproduced" and interval.high < 0:
        found.append("reversed")
    elif verdict == "not-reproduced":
        found.append("real-but-smaller" if interval.low > 0 else "no-evidence")
    elif verdict == "reproduced" and interval.low > claim.claimed + tolerance:
        found.append("exceeds")
    elif verdict == "inconclusive" and interval.low > 0:
        found.append("direction-confirmed")
    if interval.df is None:
        found.append("deterministic")
    return tuple(found)


def gain_words(verdict: Verdict, interval: Interval, claim: GainClaim, criteria: Criteria) -> str:
    """Say on which side of the threshold the gain lies, without n and test."""
    numbers = Numbers(claim.unit)
    share = "half" if criteria.rho == 0.5 else f"{percent(criteria.rho)} of"
    target = f"{share} the claimed gain ({numbers.signed(criteria.rho * claim.claimed)})"
    if claim.unit > criteria.rho * claim.claimed:
        target = f"one unit of the last reported digit ({numbers.signed(claim.unit)})"
    gain = numbers.signed(interval.estimate)
    if interval.df is None:
        side = {"reproduced": "lies above", "not-reproduced": "lies below"}.get(verdict, "equals")
        same = "The seeds of each arm do not differ"
        return f"{same}, so the gain {gain} is taken as exact; it {side} {target}"
    if verdict == "inconclusive":
        where = f"The gain may lie on either side of {target}"
    else:
        place = "above" if verdict == "reproduced" else "below"
        where = f"The gain's {bound_words(verdict, interval, numbers)} lies {place} {target}"
    return f"{where}: measured {gain}, {level_words(interval)} {numbers.span(interval)}"


def gain_pilot(ours: Sample, theirs: Sample, pairs: Summary | None) -> Pilot | None:
    """Return what these seeds say about the next ones; None where a spread is unknown."""
    a, b = ours.finished, theirs.finished
    if pairs is not None and pairs.sd is not None:
        return Pilot(sd=pairs.sd, df=pairs.n - 1, design=one_arm, more_than=pairs.n)
    if a is None or b is None or a.sd is None or b.sd is None:
        return None
    if theirs.published:
        return Pilot(sd=a.sd, df=a.n - 1, design=against(b), more_than=a.n)
    sd, df = pooled_sd(a, b)
    return Pilot(sd=sd, df=df, design=two_arms, more_than=min(a.n, b.n))


def n_in_words(ours: Sample, theirs: Sample, pairs: Summary | None) -> str:
    """Return `n = 5 + 5`, of pairs `n = 5 pairs`."""
    published = " published" if theirs.published else ""
    n = (
        f"{pairs.n} pairs"
        if pairs and pairs.sd is not None
        else f"{ours.n} + {theirs.n}{published}"
    )
    return f"n = {n}"


def _size(sample: Sample) -> float:
    return abs(sample.finished.mean) if sample.finished else 0.0


def _without_spread(*samples: Sample) -> bool:
    return all(one.finished is not None and one.finished.sd == 0 for one in samples)
