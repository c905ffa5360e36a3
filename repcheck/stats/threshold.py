"""Judge a claimed threshold: "A reaches at least 92.9", "at most 3.1 perplexity"."""

from dataclasses import replace

from repcheck.stats.compare import Interval, one_sample
from repcheck.stats.criteria import DEFAULT, Criteria
from repcheck.stats.decision import (
    EXACT,
    RERUN,
    Decision,
    Sample,
    ThresholdClaim,
    Verdict,
    blocked,
    crashes,
    level_words,
    needed_seeds,
    shortfalls,
    snapped,
)
from repcheck.stats.sample_size import Aim, Pilot, one_arm
from repcheck.stats.wording import Numbers


def decide_threshold(
    rerun: Sample, claim: ThresholdClaim, criteria: Criteria = DEFAULT
) -> Decision:
    """Judge "the method reaches at least (at most) this", on the metric's own scale.

    Reproduced if the bound on the claimed side reaches the threshold, not reproduced if the whole
    interval misses it.
    """
    new, threshold = rerun.finished, claim.threshold
    interval = one_sample(new, criteria.alpha) if new and new.sd is not None else None
    base = Decision(
        verdict="inconclusive",
        details=(),
        rule_in_words="",
        interval=interval,
        theta=threshold,
        test="none" if interval is None else EXACT if interval.df is None else "one-sample t",
        n_a=rerun.n,
    )
    arms, n = {RERUN: rerun}, f"n = {rerun.n}"
    reasons = shortfalls(criteria, arms)
    if new is None or new.sd is None or interval is None or reasons:
        return replace(base, rule_in_words=blocked(reasons, n))
    if interval.df is None:
        interval = snapped(interval, (threshold,), max(abs(threshold), abs(new.mean)))
    verdict = _threshold_verdict(interval, claim)
    words = _threshold_words(verdict, interval, claim)
    pilot = Pilot(sd=new.sd, df=new.n - 1, design=one_arm, more_than=new.n)
    aim = Aim(distances=(abs(interval.estimate - threshold),))
    return replace(
        base,
        verdict=verdict,
        interval=interval,
        details=("deterministic",) if interval.df is None else (),
        rule_in_words=f"{words}, {n}{crashes(arms)}, {base.test}.",
        needed=needed_seeds(verdict, interval, pilot, aim, criteria),
    )


def _threshold_verdict(interval: Interval, claim: ThresholdClaim) -> Verdict:
    if claim.at_least is not None:
        reached, missed = interval.low >= claim.at_least, interval.high < claim.at_least
    else:
        reached, missed = interval.high <= claim.threshold, interval.low > claim.threshold
    return "reproduced" if reached else "not-reproduced" if missed else "inconclusive"


def _threshold_words(verdict: Verdict, interval: Interval, claim: ThresholdClaim) -> str:
    numbers = Numbers(claim.unit)
    kind = "at least" if claim.at_least is not None else "at most"
    wanted, mean = f"{kind} {numbers.plain(claim.threshold)}", numbers.plain(interval.estimate)
    if interval.df is None:
        answer = "is" if verdict == "reproduced" else "is not"
        return (
            f"The seeds do not differ, so the mean {mean} is taken as exact; it {answer} {wanted}"
        )
    answers: dict[Verdict, str] = {"reproduced": "meets", "not-reproduced": "misses"}
    says = f"{answers.get(verdict, 'neither meets nor misses')} the claimed {wanted}"
    return f"The mean's {level_words(interval)} {numbers.plain_span(interval)} {says}: mean {mean}"
