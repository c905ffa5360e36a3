"""Whether a claim's numbers come out again: from fresh seeds only, by the three-way rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from repcheck.answer import NOT_RUN, Reproduction, answered, not_run
from repcheck.claims.model import Claim, Claims, Method
from repcheck.claims.stated import Stated
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence
from repcheck.facts.gains import last_digit, stated_gain
from repcheck.needs import datasets_of
from repcheck.over_datasets import gain_over_datasets, value_over_datasets
from repcheck.question import (
    Question,
    published,
    unanswered,
)
from repcheck.runs import SeedKind
from repcheck.stats.collapse import Arms, Decide, steady
from repcheck.stats.compare import Summary
from repcheck.stats.criteria import DEFAULT, Criteria
from repcheck.stats.decide import (
    decide_direction,
    decide_equivalence,
    decide_gain,
    decide_threshold,
    decide_value,
)
from repcheck.stats.decision import (
    RERUN,
    Decision,
    GainClaim,
    Sample,
    ThresholdClaim,
    ValueClaim,
    shortfalls,
)
from repcheck.stats.equivalence import EquivalenceClaim, default_margin
from repcheck.stats.gain import OURS, THEIRS
from repcheck.stats.permutation_check import check
from repcheck.stats.sequential import Design, criteria_at, design_for

__all__ = [
    "NOT_RUN",
    "ONE_LOOK",
    "Reproduction",
    "question_of",
    "reported_value",
    "reproduce",
]

ONE_LOOK = 5
"""Up to so many seeds per arm the verdicts are looked at once; fewer leave chosen seeds open."""


def reproduce(claims: Claims, claim: Claim, evidence: Evidence) -> tuple[Reproduction, ...]:
    """Return the verdict on every number of a claim; the first is the claim's own."""
    try:
        question = question_of(claims, claim, evidence)
    except (Missing, Inapplicable) as gap:
        return (not_run(claim, gap),)
    if (what := unanswered(question)) is not None:
        return (not_run(claim, Missing(Reason.NO_RULE_YET, f"no verdict rule yet for {what}")),)
    several = len(question.datasets) > 1
    over, value = (gain_over_datasets, value_over_datasets) if several else (_gain, _value)
    found = _each_baseline(question, over) if claim.improvement.known else ()
    if claim.value.known:
        found += (_safely(question, None, partial(value, question)),)
    for bound in (claim.at_least, claim.at_most):
        if bound.known:
            found += (_safely(question, None, partial(_threshold, question, bound)),)
    if claim.baselines.known and not claim.improvement.known:
        single = _equivalent if claim.kind == "equivalence" else _direction
        found += _each_baseline(question, gain_over_datasets if several else single)
    if claim.ratio.known:  # a number of the claim that no run answers stays in sight
        no_rule = Missing(Reason.NO_RULE_YET, f"no verdict rule yet for `{claim.ratio.path}`")
        said = ", ".join(f"×{times:g} {name}" for name, times in claim.ratio.value.items())
        silent = replace(not_run(claim, no_rule), axis="value", claimed=None, claimed_text=said)
        found += (silent,)
    return found


def question_of(claims: Claims, claim: Claim, evidence: Evidence) -> Question:
    """Return a claim as it is put to the runs, or raise `Missing`."""
    method = claims.methods[claim.method.value]
    datasets = datasets_of(claims, claim, method.id)
    criteria, look = _criteria(evidence)
    return Question(
        claims=claims,
        claim=claim,
        method=method,
        dataset=datasets[0] if len(datasets) == 1 else "",
        metric=claim.metric.value,
        evidence=evidence,
        criteria=criteria,
        datasets=datasets,
        look=look,
    )


def _criteria(evidence: Evidence) -> tuple[Criteria, tuple[Design, int] | None]:
    """Return the criteria of this look: where more seeds could have followed, each bound is wider.

    Up to `ONE_LOOK` seeds per arm there is one look and nothing to pay for.
    """
    most = evidence.most_seeds
    if most is None or most <= ONE_LOOK:
        return DEFAULT, None
    drawn = {r.seed for r in evidence.runs if r.seed_kind is SeedKind.FRESH}
    design = design_for(most)
    return criteria_at(design, len(drawn)), (design, len(drawn))


def _each_baseline(
    question: Question, decide: Callable[[Question, Method], Reproduction]
) -> tuple[Reproduction, ...]:
    named = [question.claims.methods[name] for name in question.claim.baselines.get(())]
    if not named:
        path = question.claim.improvement.path.rpartition(".")[0]
        return (
            not_run(question.claim, Missing(Reason.UNDECLARED_KEY, f"declare `{path}.baselines`")),
        )
    return tuple(_safely(question, one, partial(decide, question, one)) for one in named)


def _safely(
    question: Question, baseline: Method | None, decide: Callable[[], Reproduction]
) -> Reproduction:
    try:
        return decide()
    except (Missing, Inapplicable) as gap:
        return not_run(question.claim, gap, baseline)


def _gain(question: Question, baseline: Method) -> Reproduction:
    claim = question.claim
    arms, said = question.arms(baseline)
    rerun = arms.theirs.finished.mean if arms.theirs and arms.theirs.finished else None
    stated = stated_gain(question.claims, claim, baseline, question.dataset, rerun)
    if stated.value <= 0:
        raise Inapplicable(f"`{claim.improvement.path}` is {claim.improvement}: no gain is claimed")
    tolerance = claim.tolerance.value if claim.tolerance.known else None
    asked = GainClaim(claimed=stated.value, unit=stated.unit, tolerance=tolerance)

    def decide(ours: Sample, theirs: Sample | None, pairs: Summary | None) -> Decision:
        return decide_gain(ours, theirs or _NOBODY, asked, question.criteria, pairs=pairs)

    found = _compared(question, baseline, (arms, stated.said + said), decide, stated.unit)
    return replace(found, claimed=stated.value, claimed_text=claim.improvement.text)


_NOBODY = Sample(finished=None)


def _compared(
    question: Question,
    baseline: Method,
    given: tuple[Arms, tuple[str, ...]],
    decide: Decide,
    unit: float,
) -> Reproduction:
    """Return the verdict on a difference of two arms, with its collapses and its permutation."""
    arms, said = given
    decision, collapsed = steady(decide, arms, (OURS, THEIRS))
    cut = question.cut_short(question.method, baseline)
    found = answered(decision, question, said + cut, collapsed=collapsed)
    found = replace(found, axis="gain", baseline=baseline.id, observed=_difference(arms))
    if shortfalls(question.criteria, dict(zip((OURS, THEIRS), arms.given, strict=False))):
        return found  # what no test may decide, a test on the seeds that are left does not either
    within = question.claim.kind == "equivalence"
    beside = check(decision, arms, question.criteria.alpha, unit, within=within)
    return replace(found, permutation=beside)


def _difference(arms: Arms) -> float | None:
    ours, theirs = arms.ours.finished, arms.theirs.finished if arms.theirs else None
    return ours.mean - theirs.mean if ours and theirs else None


def _value(question: Question) -> Reproduction:
    claim, sample = question.claim, question.sample(question.method)
    sign, mean = question.sign, sample.finished.mean if sample.finished else None
    reported, said = reported_value(question)
    asked = ValueClaim(
        reported=replace(reported, mean=sign * reported.mean), unit=last_digit(claim.value.text)
    )
    default = decide_value(sample, asked, question.criteria).theta
    leaves = (claim.tolerance,) if claim.kind == "equivalence" else (claim.margin, claim.tolerance)
    margin = next((leaf.value for leaf in leaves if leaf.known), None)
    if margin is not None and margin <= -default:
        asked = replace(asked, margin=margin)
    elif margin is not None:
        said += (f"the declared margin {margin:g} is wider than repcheck's and is not used",)

    def decide(ours: Sample, _theirs: Sample | None, _pairs: Summary | None) -> Decision:
        return decide_value(ours, asked, question.criteria)

    arms = Arms(ours=sample, theirs=_as_published(asked.reported))
    names = (RERUN, "the report")[: len(arms.given)]
    decision, collapsed = steady(decide, arms, names)
    ends = decision.interval and sorted(
        reported.mean + sign * end for end in (decision.interval.low, decision.interval.high)
    )
    cut = question.cut_short(question.method)
    return replace(
        answered(decision, question, said + cut, collapsed=collapsed),
        claimed=reported.mean,
        claimed_text=claim.value.text,
        observed=None if mean is None else sign * mean,
        interval=(ends[0], ends[1]) if ends else None,
        n_baseline=None,
    )


def _as_published(reported: Summary) -> Sample | None:
    """Return what is reported as an arm that lends its spread, where it has one."""
    return Sample(finished=reported, published=True) if reported.sd else None


def reported_value(question: Question) -> tuple[Summary, tuple[str, ...]]:
    """Return what the paper says of the value: mean, spread and n where a row states them."""
    value, row = question.claim.value.value, question.row(question.method)
    if row is not None and (row.best.known or row.single.known) and not row.mean.known:
        said = "the best of several runs" if row.best.known else "a single run"
        return Summary(mean=value, sd=None, n=1), (f"the paper's value is {said}, not a mean",)
    if row is None or not row.centre.known or row.centre.value != value:
        return Summary(mean=value, sd=None, n=1), ("the paper's n is not stated: taken as 1",)
    caveats: tuple[str, ...] = () if row.n.known else ("the paper's n is not stated: taken as 1",)
    summary, assumed = published(row)
    return summary, caveats + assumed


def _threshold(question: Question, stated: Stated[float]) -> Reproduction:
    least, sign = stated is question.claim.at_least, question.sign
    asked = ThresholdClaim(
        unit=last_digit(stated.text),
        at_least=stated.value if least else None,
        at_most=None if least else stated.value,
    )

    def decide(ours: Sample, _theirs: Sample | None, _pairs: Summary | None) -> Decision:
        raw = ours.finished and replace(ours.finished, mean=sign * ours.finished.mean)
        return decide_threshold(replace(ours, finished=raw), asked, question.criteria)

    arms = Arms(ours=question.sample(question.method))
    decision, collapsed = steady(decide, arms, (RERUN,))
    side = "at least" if least else "at most"
    mean = arms.ours.finished.mean if arms.ours.finished else None
    cut = question.cut_short(question.method)
    return replace(
        answered(decision, question, cut, collapsed=collapsed),
        claimed=stated.value,
        claimed_text=f"{side} {stated.text}",
        observed=None if mean is None else sign * mean,
    )


def _direction(question: Question, baseline: Method) -> Reproduction:
    unit = last_digit(question.claim.value.text)

    def decide(ours: Sample, theirs: Sample | None, _pairs: Summary | None) -> Decision:
        return decide_direction(ours, theirs or _NOBODY, unit=unit, criteria=question.criteria)

    found = _compared(question, baseline, question.arms(baseline), decide, unit)
    return replace(found, claimed=0.0, claimed_text=f"better than {baseline.id}")


def _equivalent(question: Question, baseline: Method) -> Reproduction:
    claim, (arms, said) = question.claim, question.arms(baseline)
    declared = claim.margin.value if claim.margin.known else None
    printed = [claim.value.text] if claim.value.known else []
    printed += [
        row.centre.text
        for row in (question.row(question.method), question.row(baseline))
        if row is not None and row.centre.known
    ]
    unit = max(map(last_digit, printed), default=None)
    asked = EquivalenceClaim(declared=declared or None, unit=unit)
    if declared == 0:
        said += ("no two methods are equal to a margin of 0: repcheck's own margin is used",)
    if not (declared or default_margin(arms.ours, arms.theirs or _NOBODY, unit)):
        path = claim.margin.path or "margin"
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{path}`: no seed differs")

    def decide(ours: Sample, theirs: Sample | None, pairs: Summary | None) -> Decision:
        return decide_equivalence(ours, theirs or _NOBODY, asked, question.criteria, pairs=pairs)

    found = _compared(
        question, baseline, (arms, said), decide, unit or last_digit(claim.margin.text)
    )
    return replace(
        found,
        claimed=0.0,
        claimed_text=f"within ±{claim.margin.text}" if declared else f"equivalent to {baseline.id}",
    )
