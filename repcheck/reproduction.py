"""Whether a claim's numbers come out again: from fresh seeds only, by the three-way rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from repcheck.claims.comparison import dataset_of
from repcheck.claims.model import Claim, Claims, Method, Result
from repcheck.claims.stated import Stated
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence
from repcheck.facts.gains import last_digit, stated_gain
from repcheck.question import Question, unruled
from repcheck.runs import SeedKind
from repcheck.stats.compare import Summary, collapse_caveat, differences
from repcheck.stats.criteria import DEFAULT, Criteria
from repcheck.stats.decide import decide_direction, decide_gain, decide_threshold, decide_value
from repcheck.stats.decision import Decision, GainClaim, Sample, ThresholdClaim, ValueClaim
from repcheck.stats.sequential import criteria_at, design_for

NOT_RUN = "not-run"
ONE_LOOK = 5
"""Up to so many seeds per arm the verdicts are looked at once; fewer leave chosen seeds open."""
# What a seed can pin in two different networks at once; their initial weights it cannot.
SHARED = frozenset({"split", "order"})
AS_SUPPLIED = "not-reproducible-as-supplied"
ORIENTED = "lower is better for this metric; differences are oriented so that positive is better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """The verdict on one number of a claim, with everything it rests on.

    `axis` says what `claimed`, `observed` and `interval` are: a gain over `baseline`, or a value.
    `interval` is the verdict's own; for a value it is that of "rerun minus reported", moved to the
    reported value.
    """

    verdict: str
    detail: str = ""
    axis: str = "value"
    baseline: str = ""
    claimed: float | None = None
    claimed_text: str = ""
    observed: float | None = None
    interval: tuple[float, float] | None = None
    level: float | None = None
    test: str = ""
    n_method: int = 0
    n_baseline: int | None = None
    seeds_needed: int | None = None
    rule: str = ""
    caveats: tuple[str, ...] = ()
    reason: Reason | None = None


def reproduce(claims: Claims, claim: Claim, evidence: Evidence) -> tuple[Reproduction, ...]:
    """Return the verdict on every number of a claim; the first is the claim's own."""
    try:
        question = _question(claims, claim, evidence)
    except (Missing, Inapplicable) as gap:
        return (_not_run(claim, gap),)
    if (what := unruled(question)) is not None:
        return (_not_run(claim, Missing(Reason.NO_RULE_YET, f"no verdict rule yet for {what}")),)
    found = _each_baseline(question, _gain) if claim.improvement.known else ()
    if claim.value.known:
        found += (_safely(question, None, lambda: _value(question)),)
    for bound in (claim.at_least, claim.at_most):
        if bound.known:
            found += (_safely(question, None, partial(_threshold, question, bound)),)
    if claim.baselines.known and not claim.improvement.known:
        found += _each_baseline(question, _direction)
    if claim.ratio.known:  # a number of the claim that no run answers stays in sight
        no_rule = Missing(Reason.NO_RULE_YET, f"no verdict rule yet for `{claim.ratio.path}`")
        said = ", ".join(f"×{times:g} {name}" for name, times in claim.ratio.value.items())
        silent = replace(_not_run(claim, no_rule), axis="value", claimed=None, claimed_text=said)
        found += (silent,)
    return found


def _question(claims: Claims, claim: Claim, evidence: Evidence) -> Question:
    method = claims.methods[claim.method.value]
    only = () if claim.dataset.known else claim.datasets.get(())
    return Question(
        claims=claims,
        claim=claim,
        method=method,
        dataset=only[0] if len(only) == 1 else dataset_of(claims, claim, method),
        metric=claim.metric.value,
        evidence=evidence,
        criteria=_criteria(evidence),
    )


def _criteria(evidence: Evidence) -> Criteria:
    """Return the criteria of this look: where more seeds could have followed, each bound is wider.

    Up to `ONE_LOOK` seeds per arm there is one look and nothing to pay for.
    """
    most = evidence.most_seeds
    if most is None or most <= ONE_LOOK:
        return DEFAULT
    drawn = {r.seed for r in evidence.runs if r.seed_kind is SeedKind.FRESH}
    return criteria_at(design_for(most), len(drawn))


def _each_baseline(
    question: Question, decide: Callable[[Question, Method], Reproduction]
) -> tuple[Reproduction, ...]:
    named = [question.claims.methods[name] for name in question.claim.baselines.get(())]
    if not named:
        path = question.claim.improvement.path.rpartition(".")[0]
        return (
            _not_run(question.claim, Missing(Reason.UNDECLARED_KEY, f"declare `{path}.baselines`")),
        )
    return tuple(_safely(question, one, partial(decide, question, one)) for one in named)


def _safely(
    question: Question, baseline: Method | None, decide: Callable[[], Reproduction]
) -> Reproduction:
    try:
        return decide()
    except (Missing, Inapplicable) as gap:
        return _not_run(question.claim, gap, baseline)


def _not_run(
    claim: Claim, gap: Missing | Inapplicable, baseline: Method | None = None
) -> Reproduction:
    reason = gap.reason if isinstance(gap, Missing) else Reason.NOT_TESTABLE
    words = gap.would_decide if isinstance(gap, Missing) else str(gap)
    claimed = claim.improvement if claim.improvement.known else claim.value
    better = baseline is not None and not claim.improvement.known
    return Reproduction(
        verdict=NOT_RUN,
        detail=AS_SUPPLIED if reason is Reason.COMMAND_FAILED else "",
        axis="gain" if claim.improvement.known or baseline else "value",
        baseline=baseline.id if baseline else "",
        claimed=0.0 if better else claimed.content if not claim.relative else None,
        claimed_text=f"better than {baseline.id}" if baseline and better else claimed.text,
        rule=f"Not run: {words}.",
        reason=reason,
    )


def _gain(question: Question, baseline: Method) -> Reproduction:
    claim = question.claim
    ours = question.sample(question.method)
    theirs, caveats = _baseline_sample(question, baseline)
    rerun = theirs.finished.mean if theirs.finished is not None else None
    stated = stated_gain(question.claims, claim, baseline, question.dataset, rerun)
    claimed, unit, said = stated.value, stated.unit, stated.said
    if claimed <= 0:
        raise Inapplicable(f"`{claim.improvement.path}` is {claim.improvement}: no gain is claimed")
    tolerance = claim.tolerance.value if claim.tolerance.known else None
    decision = decide_gain(
        ours,
        theirs,
        GainClaim(claimed=claimed, unit=unit, tolerance=tolerance),
        question.criteria,
        pairs=_pairs(question, baseline, published=theirs.published),
    )
    cut = question.cut_short(question.method, baseline)
    found = _from_decision(decision, question, said + caveats + cut)
    return replace(
        found,
        axis="gain",
        baseline=baseline.id,
        claimed=claimed,
        claimed_text=claim.improvement.text,
        observed=_difference(ours, theirs),
    )


def _difference(ours: Sample, theirs: Sample) -> float | None:
    if ours.finished is None or theirs.finished is None:
        return None
    return ours.finished.mean - theirs.finished.mean


def _baseline_sample(question: Question, baseline: Method) -> tuple[Sample, tuple[str, ...]]:
    """Return the baseline's fresh seeds, or its published summary where it has no command."""
    try:
        return question.sample(baseline), ()
    except Missing as missing:
        row = question.row(baseline)
        if missing.reason is not Reason.NO_COMMAND or row is None:
            raise
        if not (row.mean.known and row.std.known and row.n.known and row.n.value >= 2):
            raise
    summary, assumed = _published(row)
    said = f"`{baseline.id}` was not rerun: its published mean, std and n stand in for it"
    oriented = replace(summary, mean=question.sign * summary.mean)
    return Sample(finished=oriented, published=True), (said, *assumed)


def _published(row: Result) -> tuple[Summary, tuple[str, ...]]:
    """Return a row's mean, spread and n, and what had to be assumed of them."""
    n = row.n.value if row.n.known else None
    spread = row.std.value if row.std.known else None
    summary = Summary.published(row.centre.value, spread, n, kind=row.std_kind.get("sample"))
    if spread is not None and row.std_kind.undeclared:
        return summary, ("the kind of the published spread is not stated: taken as a sample std",)
    return summary, ()


def _pairs(question: Question, baseline: Method, *, published: bool) -> Summary | None:
    """Summarise seed by seed where the file declares what a seed fixes in both arms."""
    ours, theirs = question.method.seeds.fixes.get(()), baseline.seeds.fixes.get(())
    if published or not set(ours) & set(theirs) & SHARED:
        return None
    a, b = question.fresh(question.method), question.fresh(baseline)
    first = dict(zip(a.seeds, a.values, strict=True))
    second = dict(zip(b.seeds, b.values, strict=True))
    shared = [seed for seed in first if seed in second]
    if len(shared) < 2:
        return None
    return differences(
        [question.sign * first[seed] for seed in shared],
        [question.sign * second[seed] for seed in shared],
    )


def _value(question: Question) -> Reproduction:
    claim, sample = question.claim, question.sample(question.method)
    mean = question.sign * sample.finished.mean if sample.finished else None
    reported, said = _reported(question)
    sign = question.sign
    asked = ValueClaim(
        reported=replace(reported, mean=sign * reported.mean), unit=last_digit(claim.value.text)
    )
    decision = decide_value(sample, asked, question.criteria)
    margin = next((leaf.value for leaf in (claim.margin, claim.tolerance) if leaf.known), None)
    if margin is not None and margin <= -decision.theta:
        decision = decide_value(sample, replace(asked, margin=margin), question.criteria)
    elif margin is not None:
        said += (f"the declared margin {margin:g} is wider than repcheck's and is not used",)
    ends = decision.interval and sorted(
        reported.mean + sign * end for end in (decision.interval.low, decision.interval.high)
    )
    return replace(
        _from_decision(decision, question, said + question.cut_short(question.method)),
        claimed=reported.mean,
        claimed_text=claim.value.text,
        observed=mean,
        interval=(ends[0], ends[1]) if ends else None,
        n_baseline=None,
    )


def _reported(question: Question) -> tuple[Summary, tuple[str, ...]]:
    """Return what the paper says of the value: mean, spread and n where a row states them."""
    value, row = question.claim.value.value, question.row(question.method)
    if row is not None and (row.best.known or row.single.known) and not row.mean.known:
        said = "the best of several runs" if row.best.known else "a single run"
        return Summary(mean=value, sd=None, n=1), (f"the paper's value is {said}, not a mean",)
    if row is None or not row.centre.known or row.centre.value != value:
        return Summary(mean=value, sd=None, n=1), ("the paper's n is not stated: taken as 1",)
    caveats: tuple[str, ...] = () if row.n.known else ("the paper's n is not stated: taken as 1",)
    summary, assumed = _published(row)
    return summary, caveats + assumed


def _threshold(question: Question, stated: Stated[float]) -> Reproduction:
    sample, least = question.sample(question.method), stated is question.claim.at_least
    raw = sample.finished
    if raw is not None:
        raw = replace(raw, mean=question.sign * raw.mean)
    decision = decide_threshold(
        replace(sample, finished=raw),
        ThresholdClaim(
            unit=last_digit(stated.text),
            at_least=stated.value if least else None,
            at_most=None if least else stated.value,
        ),
        question.criteria,
    )
    side = "at least" if least else "at most"
    return replace(
        _from_decision(decision, question, question.cut_short(question.method)),
        claimed=stated.value,
        claimed_text=f"{side} {stated.text}",
        observed=raw.mean if raw else None,
    )


def _direction(question: Question, baseline: Method) -> Reproduction:
    ours = question.sample(question.method)
    theirs, caveats = _baseline_sample(question, baseline)
    decision = decide_direction(
        ours, theirs, unit=last_digit(question.claim.value.text), criteria=question.criteria
    )
    return replace(
        _from_decision(decision, question, caveats + question.cut_short(question.method, baseline)),
        axis="gain",
        baseline=baseline.id,
        claimed=0.0,
        claimed_text=f"better than {baseline.id}",
        observed=_difference(ours, theirs),
    )


def _from_decision(decision: Decision, question: Question, said: Iterable[str]) -> Reproduction:
    interval, caveats = decision.interval, [*said]
    if question.sign < 0:
        caveats.append(ORIENTED)
    if decision.needed is not None:
        caveats.append(decision.needed.in_words)
    if decision.verdict != "inconclusive" and "deterministic" not in decision.details:
        caveats.append(collapse_caveat(decision.n_a))
    return Reproduction(
        verdict=decision.verdict,
        detail=decision.detail,
        interval=(interval.low, interval.high) if interval else None,
        level=interval.level if interval else None,
        test=decision.test,
        n_method=decision.n_a,
        n_baseline=decision.n_b,
        seeds_needed=decision.seeds_needed,
        rule=decision.rule_in_words,
        caveats=tuple(caveats),
    )
