"""In which order a check spends its runs, and when it stops."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from observed_support import observation_of
from test_effects import TEXT, UP, training

from repcheck.arms import Arm
from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.load import load
from repcheck.errors import Missing, Reason
from repcheck.facts.effects import Effects
from repcheck.plan import Plan, PlanOptions
from repcheck.plan_table import shown
from repcheck.report_arms import arms
from repcheck.reproduction import Reproduction, reproduce
from repcheck.rounds import Course
from repcheck.runs import Run, Runs, RunSpec, Status

STEPS = {"ours": 375, UP: 375, "ours at the samples of base": 125}
NOISE = (0.0, -0.6, 0.6, -0.2, 0.2, 0.5, -0.5, 0.1, -0.1, 0.3)


def never(arm: Arm, comparison: Comparison) -> Arm:
    raise Missing(Reason.UNDECLARED_KEY, "declare a model")


@pytest.fixture
def course(tmp_path: Path) -> Callable[..., Course]:
    def make(text: str = TEXT, **options: object) -> Course:
        (tmp_path / "claims.yaml").write_text(text)
        (tmp_path / "t.py").touch()
        claims = load(tmp_path / "claims.yaml")
        return Course(claims=claims, options=PlanOptions(**options), size=never)  # type: ignore[arg-type]

    return make


def result(spec: RunSpec, means: Mapping[str, float], number: int) -> Run:
    seen = {
        "training": training(STEPS.get(spec.arm, 125)),
        "final_weights": f"{spec.arm}{spec.seed}",
        "models": [{"id": 1, "cls": "Net", "params": 1100 if "norm" in spec.arm else 1000,
                    "trainable": 1000, "trained": True}],
    }  # fmt: skip
    value = means.get(spec.arm, 88.0) + NOISE[number % len(NOISE)]
    return Run(
        key=spec.key, arm=spec.arm, arm_kind=spec.arm_kind, method=spec.method,
        dataset=spec.dataset, seed=spec.seed, seed_kind=spec.seed_kind, replicate=spec.replicate,
        status=Status.OK, metrics={"acc": value}, observation=observation_of(seen),
    )  # fmt: skip


def done(plan: Plan, means: Mapping[str, float]) -> Runs:
    """Return results for all runs of a plan: each arm's mean, and the same noise for each seed."""
    seeds = list(dict.fromkeys(run.seed for run in plan.runs))
    return tuple(result(spec, means, seeds.index(spec.seed)) for spec in plan.runs)


def rounds(course: Course, means: Mapping[str, float]) -> list[Plan]:
    plans = [course.first()]
    while (more := course.after(plans[-1], done(plans[-1], means))) is not None:
        plans.append(more)
        assert len(plans) < 30, "it does not end"
    return plans


def added(plans: list[Plan]) -> list[list[str]]:
    """Return the arms that each round added."""
    names = [[arm.id for arm in plan.arms] for plan in plans]
    before: list[list[str]] = [[], *names]
    return [[one for one in now if one not in old] for old, now in zip(before, names, strict=False)]


def test_the_methods_come_first_then_equal_budgets_then_single_factors(course):
    plans = rounds(course(), {"ours": 93.0, UP: 88.0})
    assert added(plans)[:3] == [[], [UP], ["base+norm"]]
    assert "ours at the samples of base" not in [arm.id for arm in plans[-1].arms]
    assert [run.arm for run in plans[-1].runs].count(UP) == 5


def test_a_method_is_trained_less_only_where_a_longer_baseline_cannot_decide(course):
    text = TEXT.replace("base --seed {seed} --epochs {epochs}", "base --seed {seed}")
    plans = rounds(course(text), {"ours": 93.0, "ours at the samples of base": 90.0})
    assert added(plans)[-1] == ["ours at the samples of base"]
    assert [one.reason for one in plans[-1].no_arms if one.id == UP] == [Reason.NO_PLACEHOLDER]


def test_a_method_that_is_not_trained_less_is_listed_with_the_arm_that_has_decided(course):
    last = rounds(course(), {"ours": 93.0, UP: 88.0})[-1]
    (none,) = [one for one in last.no_arms if one.id == "ours at the samples of base"]
    assert none.needless
    assert none.would_decide == f"`{UP}` has decided already"


def test_arms_of_claims_that_no_run_answers_are_listed_with_what_these_lack(course):
    made = course(TEXT.replace(', from: "{out}/m.json:acc"', ""))
    plan = made.foreseen(made.first())
    assert (plan.runs, plan.arms) == ((), ())
    reasons = {one.id: (one.reason, one.would_decide) for one in plan.no_arms}
    assert reasons["base+norm"] == (Reason.UNDECLARED_KEY, "declare `metrics.acc.from`")


def test_where_no_gain_is_established_no_arm_is_run_and_each_says_why(course):
    last = rounds(course(), {"ours": 88.1})[-1]
    assert last.arms == ()
    assert {one.reason for one in last.no_arms} == {Reason.UNDERPOWERED}
    assert "no arm: base+norm: the gain itself is not established" in shown(last, "table")


def looks(plans: list[Plan]) -> list[int]:
    """Return the numbers of seeds that the plans before the first arm have, each once."""
    return list(dict.fromkeys(len(plan.fresh_seeds) for plan in plans if not plan.arms))


def test_more_than_five_seeds_are_looked_at_as_they_come_and_stop_when_settled(course):
    clear = rounds(course(seeds_per_arm=10), {"ours": 93.0})
    assert looks(clear) == [5]
    open_ = rounds(course(seeds_per_arm=10), {"ours": 90.9})
    assert looks(open_) == [5, 6, 7, 8, 10]
    assert all(plan.most_seeds == 10 for plan in open_)


def test_a_verdict_that_has_become_unlikely_is_not_waited_for_and_says_so(course):
    made, means = course(seeds_per_arm=10), {"ours": 90.55}
    plans = rounds(made, means)
    assert looks(plans) == [5]
    ((part,),) = parts(made, plans[-1], means)
    assert part.verdict == "inconclusive"
    assert part.level == pytest.approx(1 - 2 * 0.0056), "the alpha of the look at 5 of 10 seeds"
    (said,) = [one for one in part.caveats if "no more seeds" in one]
    assert said == (
        "no more seeds are spent on it: stopped at 5 seeds per arm: were the present estimate the"
        " truth, the chance of a verdict by 10 seeds per arm would be below 8 %"
    )
    clear = {"ours": 93.0}
    ((sure,),) = parts(made, made.first(), clear)
    assert sure.verdict == "reproduced"
    assert not any("no more seeds" in one for one in sure.caveats)


def test_one_claim_that_may_still_be_decided_keeps_the_seeds_coming_for_all(course):
    hopeful = "  - {id: C2, method: ours, metric: acc, at_least: 90.3}\n"
    made, means = course(TEXT + hopeful, seeds_per_arm=10), {"ours": 90.55}
    first = made.first()
    second = made.after(first, done(first, means))
    assert second is not None
    assert looks([first, second]) == [5, 6]
    (gain,), (least,) = parts(made, first, means)
    assert (gain.verdict, least.verdict) == ("inconclusive", "inconclusive")
    assert any("no more seeds" in one for one in gain.caveats)
    assert not any("no more seeds" in one for one in least.caveats)


def parts(made: Course, plan: Plan, means: Mapping[str, float]) -> list[tuple[Reproduction, ...]]:
    evidence = made.evidence(plan, done(plan, means))
    return [reproduce(made.claims, claim, evidence) for claim in made.claims.claims]


def test_later_looks_keep_the_runs_of_the_earlier_ones(course):
    made = course(seeds_per_arm=10)
    first = made.first()
    second = made.after(first, done(first, {"ours": 90.9}))
    assert second is not None
    assert {run.key for run in first.runs} < {run.key for run in second.runs}


def test_an_arm_that_the_budget_pays_only_in_part_is_not_begun(course):
    plans = rounds(course(TEXT + "budget: {max_trainings: 14}\n"), {"ours": 93.0})
    assert plans[-1].arms == ()
    assert {run.arm for run in plans[-1].runs} == {"ours", "base"}
    unpaid = {one.id for one in plans[-1].no_arms if one.reason is Reason.BUDGET_EXHAUSTED}
    assert {UP, "base+norm"} <= unpaid


def test_a_plan_foresees_arms_with_what_they_change_and_would_decide(course):
    made = course()
    table = shown(made.foreseen(made.first()), "table")
    assert "base at the samples of ours" in table
    assert "changes epochs=30, by a placeholder of the command" in table
    assert "whether the gain remains at equal samples" in table


def test_once_all_differences_together_explain_nothing_none_is_tried_alone(course):
    text = TEXT.replace(
        "components: [block]", "components: [block]\n    hyperparameters: {a: 1, b: 1}"
    )
    text = text.replace("role: baseline", "role: baseline\n    hyperparameters: {a: 0, b: 0}")
    text = text.replace("--model base", "--model base --a {a} --b {b}")
    whole = "base with all differences"
    made, means = course(text), {"ours": 93.0, UP: 88.0}
    innocent = rounds(made, means)
    last, alone = innocent[-1], "base with hyperparameters.a=1"
    names = [arm.id for arm in last.arms]
    assert whole in names
    assert alone not in names
    (none,) = [one for one in last.no_arms if one.id == alone]
    assert (none.needless, none.reason) == (True, Reason.NOT_OBSERVED)
    said = re.fullmatch(
        r"all differences at once explain at most (\d+) % of the gain", none.would_decide
    )
    assert said is not None
    effects = made.evidence(last, done(last, means)).get(Effects)
    (attribution,) = [e.attribution for e in effects.effects if e.arm.id == whole]
    assert 0 <= int(said[1]) - 100 * attribution.explained_at_most < 1
    assert f"no arm: {alone}: {none.would_decide}" in shown(last, "table")
    listed = {arm["id"]: arm for arm in arms(last, effects.effects)}
    assert (listed[alone]["reason"], listed[alone]["runs"]) == ("not-observed", 0)
    (comparison,) = comparisons(made.claims)
    assert alone not in {one.id for one in effects.lacking(comparison)}, "what ran has answered"
    guilty = rounds(course(text), {"ours": 93.0, UP: 88.0, whole: 93.0})
    assert "base with hyperparameters.a=1" in [arm.id for arm in guilty[-1].arms]


def test_a_size_that_cannot_be_found_is_said_and_ends_nothing(course):
    text = TEXT.replace("override: {norm: batch}", "override: {norm: auto}")
    last = rounds(course(text), {"ours": 93.0, UP: 88.0})[-1]
    (none,) = [one for one in last.no_arms if one.id == "base+norm"]
    assert none.would_decide == "declare a model"


def test_an_edit_that_does_not_fit_the_artifact_is_said_before_any_run(course):
    text = TEXT.replace("override: {norm: batch}", 'override: {constant: {"t.py:WIDTH": 32}}')
    last = rounds(course(text), {"ours": 93.0, UP: 88.0})[-1]
    (none,) = [one for one in last.no_arms if one.id == "base+norm"]
    assert none.reason is Reason.NO_PLACEHOLDER
    assert "t.py" in none.would_decide
