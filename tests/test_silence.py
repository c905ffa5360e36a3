"""What no run has answered is never shown as answered: no verdict from the wrong numbers."""

from __future__ import annotations

import pytest

from repcheck import rules
from repcheck.claims.load import parse
from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.judge import judge
from repcheck.reporters.html import render
from repcheck.reproduction import Reproduction, reproduce
from repcheck.runs import Run, SeedKind, Status
from repcheck.verdict import Conclusion, conclude
from tests.sample_report import sample

GOOD = (93.0, 92.6, 93.3, 92.9, 93.1)
BASE = (88.1, 87.6, 88.4, 87.9, 88.0)


def claims(claim: str, *, unit: str = "percent", rows: str = "", head: str = "") -> Claims:
    results = f"results:\n{rows}" if rows else ""
    return parse(
        f"""
repcheck: 1
{head}
methods:
  ours: {{role: proposed, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}}}
  base: {{role: baseline, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}}}
  copied: {{role: baseline}}
metrics:
  acc: {{higher_is_better: true, unit: {unit}, from: "{{out}}/m.json:acc"}}
{results}
claims:
  - {{id: C1, text: "It is better.", method: ours, metric: acc, {claim}}}
""",
        "c.yaml",
    )


def runs(dataset: str = "", scale: float = 1.0, **arms: tuple[float, ...]) -> tuple[Run, ...]:
    return tuple(
        Run(
            key=f"{method}{dataset}{seed}",
            arm=method,
            method=method,
            dataset=dataset,
            seed=seed,
            seed_kind=SeedKind.FRESH,
            status=Status.OK,
            metrics={"acc": value * scale},
        )
        for method, values in arms.items()
        for seed, value in enumerate(values)
    )


def lost(method: str, seed: int) -> Run:
    return Run(
        key=f"lost{method}{seed}",
        arm=method,
        method=method,
        dataset="",
        seed=seed,
        seed_kind=SeedKind.FRESH,
        status=Status.INTERRUPTED,
    )


def parts(said: Claims, made: tuple[Run, ...]) -> tuple[Reproduction, ...]:
    return reproduce(said, said.claims[0], Evidence(claims=said, runs=made))


def concluded(said: Claims, made: tuple[Run, ...]) -> Conclusion:
    return conclude(Evidence(claims=said, runs=made), [])


@pytest.mark.parametrize(
    "claim",
    [
        "type: convergence, baselines: [base], improvement: 5.0, at_step: {iterations: 60}",
        "value: 93.0, at_step: {iterations: 60}",
        "type: equivalence, baselines: [base], improvement: 5.0, margin: 0.5",
    ],
)
def test_the_last_values_of_runs_do_not_answer_another_question(claim: str) -> None:
    conclusion = concluded(claims(claim), runs(ours=GOOD, base=BASE))
    assert (conclusion.verdict, conclusion.verdicts[0].reproduction.reason) == (
        "not-run",
        Reason.NO_RULE_YET,
    )
    assert "was not judged: no rule covers all of it yet" in conclusion.sentence


def test_runs_on_several_datasets_are_not_pooled_into_one_sample() -> None:
    said = claims("at_least: 90.0, datasets: [a, b]", head="datasets: {a: {}, b: {}}")
    (found,) = parts(said, runs("a", ours=GOOD, base=BASE) + runs("b", ours=GOOD, base=BASE))
    assert (found.verdict, found.reason) == ("not-run", Reason.NO_RULE_YET)
    assert "several datasets (a, b)" in found.rule


def test_a_list_of_one_dataset_is_that_dataset() -> None:
    said = claims(
        "baselines: [base], improvement: 5.0, datasets: [a]", head="datasets: {a: {}, b: {}}"
    )
    (found,) = parts(said, runs("a", ours=GOOD, base=BASE) + runs("b", ours=BASE, base=GOOD))
    assert (found.verdict, found.n_method, found.n_baseline) == ("reproduced", 5, 5)


def test_a_claim_without_a_dataset_does_not_borrow_the_runs_of_one() -> None:
    said = claims("baselines: [base], improvement: 5.0", head="datasets: {a: {}, b: {}}")
    bare, other = runs(ours=BASE, base=BASE), runs("a", ours=GOOD, base=BASE)
    (found,) = parts(said, bare + other)
    assert (found.verdict, found.n_method) == ("not-reproduced", 5)
    (found,) = parts(said, runs("b", ours=GOOD, base=BASE) + other)
    assert (found.verdict, found.reason) == ("not-run", Reason.NOT_OBSERVED)


def test_every_number_of_a_claim_is_judged_and_the_worst_counts() -> None:
    said = claims("at_least: 90.0, at_most: 91.0")
    conclusion = concluded(said, runs(ours=GOOD, base=BASE))
    assert [part.verdict for part in conclusion.verdicts[0].parts] == [
        "reproduced",
        "not-reproduced",
    ]
    assert conclusion.verdict == "not-reproduced"


def test_a_ratio_that_no_run_answers_keeps_the_claim_from_being_reproduced() -> None:
    said = claims(
        "type: efficiency, baselines: [base], improvement: 5.0, ratio: {flops: 3.8}",
    )
    conclusion = concluded(said, runs(ours=GOOD, base=BASE))
    gain, ratio = conclusion.verdicts[0].parts
    assert (gain.verdict, ratio.verdict, ratio.claimed_text) == (
        "reproduced",
        "not-run",
        "×3.8 flops",
    )
    assert conclusion.verdict == "not-run"


def test_a_gain_over_nobody_is_not_run_and_says_what_to_declare() -> None:
    (found,) = parts(claims("improvement: 5.0"), runs(ours=GOOD))
    assert (found.verdict, found.reason) == ("not-run", Reason.UNDECLARED_KEY)
    assert "declare `claims[0].baselines`" in found.rule
    assert concluded(claims("improvement: 5.0"), runs(ours=GOOD)).verdict == "not-run"


def test_fractions_read_for_percents_are_reported_and_not_judged() -> None:
    made = runs(scale=0.01, ours=GOOD, base=BASE)
    for claim in ("baselines: [base], improvement: 5.0", "value: 93.0"):
        (found,) = parts(claims(claim), made)
        assert (found.verdict, found.reason) == ("not-run", Reason.NOT_TESTABLE)
        assert "although its unit is percent" in found.rule
        assert "read_as" in found.rule


def test_percents_read_for_fractions_are_reported_and_not_judged() -> None:
    (found,) = parts(claims("value: 0.93", unit="fraction"), runs(ours=GOOD))
    assert (found.verdict, found.reason) == ("not-run", Reason.NOT_TESTABLE)


def test_a_true_rate_below_one_percent_and_a_useless_baseline_are_judged() -> None:
    (found,) = parts(claims("value: 0.93"), runs(scale=0.01, ours=GOOD))
    assert found.verdict != "not-run"
    made = runs(ours=GOOD) + runs(scale=0.001, base=BASE)
    (found,) = parts(claims("baselines: [base], improvement: 50.0"), made)
    assert found.verdict == "reproduced"


def test_a_value_at_an_operating_point_is_not_compared_with_the_last_value() -> None:
    rows = "  - {method: ours, metric: acc, mean: 98.0, n: 5, at: {bpp: 0.8}}\n"
    (found,) = parts(claims("value: 98.0", rows=rows), runs(ours=GOOD))
    assert (found.verdict, found.reason) == ("not-run", Reason.NO_RULE_YET)


def test_the_best_of_several_runs_is_not_taken_for_their_mean() -> None:
    rows = "  - {method: ours, metric: acc, best: 93.6, n: 5}\n"
    (found,) = parts(claims("value: 93.6", rows=rows), runs(ours=GOOD))
    assert "the paper's value is the best of several runs, not a mean" in found.caveats
    assert "5 rerun + 1" in found.rule


def test_interrupted_runs_are_told_and_alone_decide_nothing() -> None:
    said = claims("baselines: [base], improvement: 5.0")
    (found,) = parts(said, (*runs(ours=GOOD, base=BASE), lost("base", 7)))
    assert "1 run of `base` was cut short" in found.caveats
    (found,) = parts(said, (*runs(ours=GOOD), lost("base", 7)))
    assert (found.verdict, found.reason) == ("not-run", Reason.NOT_OBSERVED)


def test_a_claim_rerun_against_one_of_two_baselines_is_said_to_be_rerun_in_part() -> None:
    said = claims("baselines: [base, copied], improvement: 5.0")
    conclusion = concluded(said, runs(ours=GOOD, base=BASE))
    assert conclusion.verdict == "not-run"
    assert "was rerun only in part" in conclusion.sentence


def test_a_claim_for_which_no_required_check_applies_is_not_called_fair() -> None:
    said = parse(
        "repcheck: 1\nmethods: {ours: {}}\nclaims: [{id: C1, text: x, type: existence}]\n", "c.yaml"
    )
    evidence = Evidence(claims=said)
    conclusion = conclude(evidence, judge(evidence, rules.load().values()))
    fair = conclusion.verdicts[0].fairness
    assert fair.verdict == "insufficiently-checked"
    assert "none was made" in fair.words


def test_the_page_tells_of_runs_that_were_planned_and_not_made() -> None:
    said = sample()
    said["plan"]["planned"] = len(said["runs"]) + 4
    said["plan"]["left_out"] = [
        {"title": "base", "reason": "budget-exhausted", "detail": "`budget.max_trainings` is 3"}
    ]
    page = render(said)
    assert "4 planned runs not made" in page
    assert "1 run left out by the budget" in page
