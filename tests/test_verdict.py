"""Verdicts: what is concluded of claims from reruns and judgements, in words and in numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repcheck.claims.load import parse
from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Evidence, Level
from repcheck.fairness import REQUIRED, Bearing, fairness
from repcheck.reproduction import Reproduction, reproduce
from repcheck.rule import Judgement, Kind, Part, Severity, State
from repcheck.runs import Run, SeedKind, Status
from repcheck.verdict import conclude

GOOD = (93.0, 92.6, 93.3, 92.9, 93.1)
BASE = (88.1, 87.6, 88.4, 87.9, 88.0)


def claims(claim: str, *, metric: str = "", ours: str = "", base: str = "") -> Claims:
    return parse(
        f"""
repcheck: 1
methods:
  ours: {{role: proposed, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}{ours}}}
  base: {{role: baseline, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}{base}}}
  copied: {{role: baseline}}
  vague: {{role: baseline}}
metrics:
  accuracy: {{higher_is_better: true, unit: percent, from: "{{out}}/m.json:accuracy"}}
  error: {{higher_is_better: false, unit: percent, from: "{{out}}/m.json:error"}}
results:
  - {{method: ours, metric: accuracy, mean: 92.9, std: 0.5, std_kind: sample, n: 5}}
  - {{method: base, metric: accuracy, mean: 87.9, std: 0.6, n: 5}}
  - {{method: copied, metric: accuracy, mean: 87.9, std: 0.6, n: 5, std_kind: sample}}
  - {{method: vague, metric: accuracy, mean: 87.9, std: 0.6, n: 5}}
claims:
  - {{id: C1, text: "It is better.", method: ours, metric: {metric or "accuracy"}, {claim}}}
""",
        "c.yaml",
    )


def run(method: str, seed: int, value: float | None, **other: object) -> Run:
    made = Run(
        key=f"{method}{seed}",
        arm=method,
        method=method,
        dataset="",
        seed=seed,
        seed_kind=SeedKind.FRESH,
        status=Status.OK if value is not None else Status.NONZERO,
        reason="" if value is not None else "the command exited with 1",
        metrics={} if value is None else {"accuracy": value, "error": 100 - value},
    )
    return replace(made, **other)  # type: ignore[arg-type]


def runs(**arms: tuple[float | None, ...]) -> tuple[Run, ...]:
    return tuple(
        run(method, seed, value)
        for method, values in arms.items()
        for seed, value in enumerate(values)
    )


def verdict(said: Claims, made: tuple[Run, ...]) -> Reproduction:
    return reproduce(said, said.claims[0], Evidence(claims=said, runs=made))[0]


def test_a_gain_that_comes_out_again_is_reproduced_with_its_rule_in_words() -> None:
    found = verdict(claims("baselines: [base], improvement: 5.0"), runs(ours=GOOD, base=BASE))
    assert (found.verdict, found.axis, found.baseline) == ("reproduced", "gain", "base")
    assert found.observed == pytest.approx(4.98)
    assert found.interval is not None
    assert found.interval[0] > 2.5
    assert (found.n_method, found.n_baseline, found.level) == (5, 5, pytest.approx(0.9))
    assert "half the claimed gain (+2.50)" in found.rule
    assert "n = 5 + 5" in found.rule


def test_only_fresh_seeds_decide() -> None:
    fresh = runs(ours=BASE, base=BASE)
    declared = tuple(
        replace(one, key=f"d{one.key}", seed_kind=SeedKind.DECLARED)
        for one in runs(ours=GOOD, base=BASE)
    )
    found = verdict(claims("baselines: [base], improvement: 5.0"), fresh + declared)
    assert (found.verdict, found.detail) == ("not-reproduced", "no-evidence")


def test_a_lower_is_better_metric_is_oriented_and_says_so() -> None:
    said = claims("baselines: [base], improvement: 5.0", metric="error")
    found = verdict(said, runs(ours=GOOD, base=BASE))
    assert found.verdict == "reproduced"
    assert found.observed == pytest.approx(4.98)
    assert any("lower is better" in caveat for caveat in found.caveats)


def test_a_lower_is_better_value_is_shown_on_its_own_scale() -> None:
    found = verdict(claims("value: 7.5", metric="error"), runs(ours=GOOD))
    assert found.verdict == "reproduced"
    assert found.observed == pytest.approx(7.02)
    assert found.interval is not None
    assert found.interval[0] < 7.02 < found.interval[1]


def test_a_relative_improvement_is_taken_of_the_reported_baseline() -> None:
    found = verdict(claims('baselines: [base], improvement: "5 %"'), runs(ours=GOOD, base=BASE))
    assert found.claimed == pytest.approx(0.05 * 87.9)
    assert any("87.9" in caveat for caveat in found.caveats)


def test_a_baseline_without_a_command_stands_by_its_published_summary() -> None:
    found = verdict(claims("baselines: [copied], improvement: 5.0"), runs(ours=GOOD))
    assert found.verdict == "reproduced"
    assert "baseline-as-published" in found.detail
    assert any("was not rerun" in caveat for caveat in found.caveats)


@pytest.mark.parametrize(("baseline", "assumed"), [("copied", False), ("vague", True)])
def test_a_published_spread_of_unstated_kind_is_said_to_be_assumed(
    baseline: str, assumed: bool
) -> None:
    found = verdict(claims(f"baselines: [{baseline}], improvement: 5.0"), runs(ours=GOOD))
    assert found.verdict == "reproduced"
    assert any("kind of the published spread" in one for one in found.caveats) is assumed


def test_a_baseline_without_command_and_summary_leaves_the_claim_not_run() -> None:
    said = claims("baselines: [copied], improvement: 5.0", metric="error")
    found = verdict(said, runs(ours=GOOD))
    assert (found.verdict, found.reason) == ("not-run", Reason.NO_COMMAND)
    assert "methods.copied.train.command" in found.rule


def test_nothing_rerun_is_not_run_and_never_a_pass() -> None:
    found = verdict(claims("value: 92.9"), ())
    assert (found.verdict, found.reason, found.observed) == ("not-run", Reason.NOT_OBSERVED, None)


def test_crashed_seeds_are_counted_and_too_many_leave_it_open() -> None:
    one = verdict(claims("value: 92.9"), runs(ours=(*GOOD, None)))
    assert one.verdict == "reproduced"
    assert "1 of 6 seeds of the rerun crashed" in one.rule
    two = verdict(claims("value: 92.9"), runs(ours=(*GOOD[:3], None, None)))
    assert two.verdict == "inconclusive"
    assert "more than 20 %" in two.rule


def test_an_arm_of_which_all_seeds_failed_is_not_reproducible_as_supplied() -> None:
    found = verdict(claims("value: 92.9"), runs(ours=(None, None, None)))
    assert (found.verdict, found.detail) == ("not-run", "not-reproducible-as-supplied")
    assert "all 3 runs of `ours` failed" in found.rule


def test_interrupted_runs_say_nothing_about_the_artifact() -> None:
    lost = tuple(run("ours", 9 + n, None, status=Status.INTERRUPTED) for n in range(4))
    found = verdict(claims("value: 92.9"), runs(ours=GOOD) + lost)
    assert found.verdict == "reproduced"
    assert "crashed" not in found.rule


def test_a_declared_margin_may_narrow_the_check_but_never_widen_it() -> None:
    low = tuple(value - 3 for value in GOOD)
    wide = verdict(claims("value: 92.9, tolerance: 10"), runs(ours=low))
    assert wide.verdict == "not-reproduced"
    assert any("wider" in caveat for caveat in wide.caveats)
    narrow = verdict(claims("value: 92.9, tolerance: 0.01"), runs(ours=GOOD))
    assert narrow.verdict == "inconclusive"


def test_a_value_claim_with_baselines_is_read_as_value_and_direction() -> None:
    said = claims("value: 92.9, baselines: [base, copied]")
    made = Evidence(claims=said, runs=runs(ours=GOOD, base=BASE))
    value, over_base, over_copied = reproduce(said, said.claims[0], made)
    assert [one.verdict for one in (value, over_base, over_copied)] == ["reproduced"] * 3
    assert (over_base.axis, over_base.claimed) == ("gain", 0.0)
    assert "lies above zero" in over_base.rule


def test_the_worst_of_several_baselines_is_the_claims_verdict() -> None:
    said = claims("improvement: 5.0, baselines: [base, copied]")
    strong = (92.9, 92.5, 93.2, 92.8, 93.0)
    conclusion = conclude(Evidence(claims=said, runs=runs(ours=GOOD, base=strong)), [])
    [found] = conclusion.verdicts
    assert (found.reproduction.verdict, found.reproduction.baseline) == ("not-reproduced", "base")
    assert [part.verdict for part in found.parts] == ["not-reproduced", "reproduced"]
    assert conclusion.counts["not-reproduced"] == 1


def test_declared_shared_factors_pair_the_seeds() -> None:
    fixes = ", seeds: {train: [0], fixes: [split]}"
    said = claims("baselines: [base], improvement: 5.0", ours=fixes, base=fixes)
    noisy = (80.0, 95.0, 85.0, 99.0, 90.0)
    made = runs(ours=tuple(value + 5 + 0.1 * n for n, value in enumerate(noisy)), base=noisy)
    found = verdict(said, made)
    assert (found.verdict, found.test) == ("reproduced", "paired t")
    unpaired = claims("baselines: [base], improvement: 5.0")
    assert verdict(unpaired, made).verdict == "inconclusive"


def test_thresholds_are_judged_on_the_metrics_own_scale() -> None:
    assert verdict(claims("at_least: 92.0"), runs(ours=GOOD)).verdict == "reproduced"
    assert verdict(claims("at_least: 95.0"), runs(ours=GOOD)).verdict == "not-reproduced"
    at_most = claims("at_most: 8.0", metric="error")
    assert verdict(at_most, runs(ours=GOOD)).verdict == "reproduced"


def test_a_claim_type_without_a_verdict_rule_says_so() -> None:
    found = verdict(claims("type: speed, ratio: {latency_ms: 2}"), runs(ours=GOOD))
    assert (found.verdict, found.reason) == ("not-run", Reason.NO_RULE_YET)


# --- fairness ---------------------------------------------------------------------------------


def judged(rule: str, state: State, **other: object) -> Judgement:
    made = Judgement(
        rule=rule,
        name="hidden-epochs",
        trick="1.2",
        subject_kind="comparison",
        subject_id="ours-vs-base",
        state=state,
        part=Part.PROTOCOL,
        message="30.0 vs 10.0 epochs (×3.00)",
        claims=("C1",),
    )
    if state is State.FLAGGED:
        made = replace(made, kind=Kind.ASYMMETRY, severity=Severity.MAJOR, level=Level.DECLARED)
    return replace(made, **other)  # type: ignore[arg-type]


def test_an_unequal_protocol_is_asymmetric_with_its_effect_unknown() -> None:
    [claim] = claims("baselines: [base], improvement: 5.0").claims
    found = fairness(claim, [judged("RC102", State.FLAGGED)])
    assert (found.verdict, found.by) == ("asymmetric", ("RC102",))
    assert "its effect on the claim is not measured" in found.words


def test_declared_words_alone_never_make_a_claim_invalid() -> None:
    [claim] = claims("baselines: [base], improvement: 5.0").claims
    critical = judged("RC509", State.FLAGGED, severity=Severity.CRITICAL)
    assert fairness(claim, [critical]).verdict == "asymmetric"
    proven = replace(critical, level=Level.OBSERVED)
    assert fairness(claim, [proven]).verdict == "invalid"


def test_a_claim_is_fair_only_when_every_required_rule_cleared() -> None:
    [claim] = claims("baselines: [base], improvement: 5.0").claims
    cleared = [judged(code, State.CLEARED) for code in REQUIRED["improvement"]]
    assert fairness(claim, cleared).verdict == "fair-as-far-as-checked"
    found = fairness(claim, cleared[1:])
    assert (found.verdict, found.required_open) == (
        "insufficiently-checked",
        REQUIRED["improvement"][:1],
    )
    doubt = judged(REQUIRED["improvement"][0], State.UNDETERMINED)
    assert fairness(claim, [*cleared, doubt]).verdict == "insufficiently-checked"


def test_a_judgement_bears_on_the_claims_of_its_subject_only() -> None:
    [claim] = claims("baselines: [base], improvement: 5.0").claims
    mine = judged("RC1", State.CLEARED, claims=(), subject_kind="method", subject_id="base")
    others = judged("RC2", State.CLEARED, claims=(), subject_kind="method", subject_id="copied")
    paper = judged("RC3", State.CLEARED, claims=(), subject_kind="paper")
    assert [j.rule for j in Bearing([mine, others, paper]).on(claim)] == ["RC3", "RC1"]


def test_the_headline_names_the_claim_the_verdict_and_the_cause() -> None:
    said = claims("baselines: [base], improvement: 5.0")
    made = Evidence(claims=said, runs=runs(ours=GOOD, base=BASE))
    conclusion = conclude(made, [judged("RC102", State.FLAGGED)])
    assert conclusion.sentence == (
        "“It is better” is reproduced, but the comparison is not like with like: "
        "30.0 vs 10.0 epochs (RC102); 0 checks are undetermined."
    )
