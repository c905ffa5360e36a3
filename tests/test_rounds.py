"""In which order a check spends its runs, and when it stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from observed_support import observation_of
from test_effects import TEXT, UP, training

from repcheck.arms import Arm
from repcheck.claims.comparison import Comparison
from repcheck.claims.load import load
from repcheck.errors import Missing, Reason
from repcheck.plan import Plan, PlanOptions
from repcheck.plan_table import shown
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


def test_where_no_gain_is_established_no_arm_is_run_and_each_says_why(course):
    last = rounds(course(), {"ours": 88.1})[-1]
    assert last.arms == ()
    assert {one.reason for one in last.no_arms} == {Reason.UNDERPOWERED}
    assert "no arm: base+norm: the gain itself is not established" in shown(last, "table")


def test_more_than_five_seeds_are_looked_at_as_they_come_and_stop_when_settled(course):
    clear = rounds(course(seeds_per_arm=10), {"ours": 93.0})
    assert [len(plan.fresh_seeds) for plan in clear if not plan.arms] == [5]
    close = rounds(course(seeds_per_arm=10), {"ours": 90.55})
    looked = [len(plan.fresh_seeds) for plan in close if not plan.arms]
    assert looked[:4] == [5, 6, 7, 8]
    assert looked[-1] == 10
    assert all(plan.most_seeds == 10 for plan in close)


def test_later_looks_keep_the_runs_of_the_earlier_ones(course):
    first, second = rounds(course(seeds_per_arm=10), {"ours": 90.55})[:2]
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
    innocent = rounds(course(text), {"ours": 93.0, UP: 88.0})
    names = [arm.id for arm in innocent[-1].arms]
    assert whole in names
    assert "base with hyperparameters.a=1" not in names
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
