"""Which arms are made, when one counts, and what it says of a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from observed_support import runs_of

from repcheck.arms import Arm, Target
from repcheck.claims.comparison import comparisons
from repcheck.claims.load import parse
from repcheck.claims.model import Claims
from repcheck.counterfactuals import Wanted, wanted
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.facts.effects import Effect, Effects
from repcheck.judge import judge
from repcheck.rule import State
from repcheck.rules import load
from repcheck.runs import Run
from repcheck.verdict import conclude

TEXT = """
repcheck: 1
paper: {title: "OurNet"}
artifact: {root: .}
datasets: {d: {train: {size: 400}, test: {size: 1000}}}
defaults: {dataset: d, optimizer: {type: SGD, lr: 0.1, momentum: 0.9}}
methods:
  ours:
    role: proposed
    components: [block]
    train: {command: "python t.py --model ours --seed {seed} --epochs {epochs} --out {out}", epochs: 30, batch_size: 32}
  base:
    role: baseline
    train: {command: "python t.py --model base --seed {seed} --epochs {epochs} --out {out}", epochs: 10, batch_size: 32}
overrides: {norm: "--norm {value}"}
arms:
  - {id: base+norm, of: base, factor: norm, kind: add, override: {norm: batch}}
metrics: {acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}}
results:
  - {method: ours, metric: acc, mean: 93.0, std: 0.5, std_kind: sample, n: 5}
  - {method: base, metric: acc, mean: 88.0, std: 0.5, std_kind: sample, n: 5}
claims:
  - {id: C1, text: "ours gains 5.0", type: improvement, method: ours, baselines: [base], metric: acc, improvement: 5.0}
"""  # noqa: E501
UP = "base at the samples of ours"
OURS = (93.0, 92.4, 93.6, 92.8, 93.2)
BASE = (88.0, 87.4, 88.6, 87.8, 88.2)
LOADED = {"how": "torch.load", "what": "w.pt", "at": 0, "changed": 0.9}
LIKE_OURS = (92.9, 92.5, 93.3, 92.6, 93.2)


def training(steps: int, **more: Any) -> dict[str, Any]:
    optimizer = {"cls": "SGD", "fields": {"momentum": 0.9}, "peak_lr": 0.1, "distinct_lrs": 1}
    return {
        "steps": steps, "samples": steps * 32, "unique": 400, "unique_by": "indices", "batch": 32.0,
        "loss_trend": 0.2, "optimizer": {"steps": steps, **optimizer}, **more,
    }  # fmt: skip


def runs(
    arm: str, method: str, values: Sequence[float], steps: int, *, of: str = "", **more: Any
) -> list[Run]:
    seen = [
        {
            "training": training(steps, **more.get("training", {})),
            "models": [
                {"id": 1, "cls": "Net", "params": more.get("params", 1000), "trainable": 1000,
                 "trained": True}
            ],
            "final_weights": f"{of or arm}{seed}", "seed": seed, "dataset": "d",
            "metrics": {"acc": value}, **more.get("observation", {}),
        }
        for seed, value in enumerate(values)
    ]  # fmt: skip
    kind = "declared" if arm == method else "counterfactual"
    made = runs_of({arm: seen})
    return [replace(run, arm=arm, arm_kind=kind, method=method) for run in made]


DECLARED = [*runs("ours", "ours", OURS, 375), *runs("base", "base", BASE, 125)]


def claims(text: str = TEXT) -> Claims:
    return parse(text)


def arms_of(found: Wanted) -> dict[str, Arm]:
    return {arm.id: arm for stage in found.arms.values() for arm in stage}


def made(text: str = TEXT, more: Sequence[Run] = tuple(DECLARED)) -> dict[str, Arm]:
    evidence = Evidence(claims=claims(text), runs=tuple(more))
    return arms_of(wanted(evidence, comparisons(evidence.claims)[0]))


def effect(arm: Arm, its: Sequence[Run], text: str = TEXT) -> Effect:
    evidence = Evidence(claims=claims(text), runs=(*DECLARED, *its), arms=(arm,))
    (only,) = evidence.get(Effects).effects
    return only


def aligned() -> Arm:
    return made()[UP]


# --- which arms ---------------------------------------------------------------------------------


def test_the_baseline_is_given_the_samples_of_the_method_and_the_other_way_round():
    arms = made()
    assert arms[UP].set == {"epochs": "30"}
    assert arms[UP].target == Target(axis="samples", value=12000.0, unit=400.0)
    assert arms["ours at the samples of base"].set == {"epochs": "10"}
    assert arms["base+norm"].set == {"norm": "batch"}
    assert not arms["base+norm"].ours


def test_before_any_run_the_declared_lengths_lead_to_the_same_arms():
    assert made(more=())[UP].set == {"epochs": "30"}


def test_what_was_observed_overrules_what_is_declared():
    hidden = TEXT.replace("epochs: 30", "epochs: 10")
    assert UP not in made(hidden, more=())
    assert made(hidden)[UP].set == {"epochs": "30"}


def test_a_longer_baseline_needs_no_aligned_arm():
    swapped = [*runs("ours", "ours", OURS, 125), *runs("base", "base", BASE, 375)]
    text = TEXT.replace("epochs: 30", "epochs: 1").replace("epochs: 10", "epochs: 30")
    assert not [name for name in made(text, swapped) if "at the samples" in name]


def test_a_command_without_a_length_is_told_what_to_write():
    text = TEXT.replace(
        "--model base --seed {seed} --epochs {epochs}", "--model base --seed {seed}"
    )
    evidence = Evidence(claims=claims(text), runs=tuple(DECLARED))
    found = wanted(evidence, comparisons(evidence.claims)[0])
    (none,) = [one for one in found.refused if one.id == UP]
    assert none.reason is Reason.NO_PLACEHOLDER
    assert "write `--epochs {epochs}` in `methods.base.train.command`" in none.would_decide


def test_all_stated_differences_go_into_one_arm_and_each_into_its_own():
    text = TEXT.replace(
        "components: [block]", "components: [block]\n    hyperparameters: {act: silu, d: 1}"
    )
    text = text.replace("role: baseline", "role: baseline\n    hyperparameters: {act: relu, d: 0}")
    text = text.replace("--model base", "--model base --act {act} --d {d}")
    arms = made(text, ())
    assert arms["base with all differences"].set == {"act": "silu", "d": "1"}
    assert arms["base with hyperparameters.act=silu"].set == {"act": "silu"}


def test_the_contribution_is_not_given_to_the_baseline():
    text = TEXT.replace(
        "components: [block]", "components: [block]\n    hyperparameters: {act: silu}"
    )
    text = text.replace("role: baseline", "role: baseline\n    hyperparameters: {act: relu}")
    text = text.replace("--model base", "--model base --act {act}")
    text = text.replace(
        "improvement: 5.0", "improvement: 5.0, attributed_to: [hyperparameters.act]"
    )
    assert not [name for name in made(text, ()) if "act" in name]


# --- when an arm counts -------------------------------------------------------------------------


def test_a_baseline_trained_as_long_that_reaches_the_method_explains_the_gain():
    found = effect(aligned(), runs(UP, "base", LIKE_OURS, 375))
    assert found.attribution is not None
    assert found.attribution.verdict == "gone"
    assert [change.key for change in found.changes] == ["steps", "samples"]
    assert found.reach is not None
    assert found.reach.ratio == pytest.approx(1.0)


def test_arms_that_began_with_the_same_weights_pair_in_the_direction_of_the_gain():
    less = tuple(value + shift for value, shift in zip(BASE, (0.1, -0.1, 0.2, 0, 0), strict=True))
    arm, its = aligned(), runs(UP, "base", less, 375)
    alike = [
        replace(run, observation=replace(run.observation, initial_weights=f"s{run.seed}"))
        for run in (*DECLARED, *its)
        if run.observation is not None
    ]
    (found,) = Evidence(claims=claims(), runs=tuple(alike), arms=(arm,)).get(Effects).effects
    assert found.attribution is not None
    assert found.attribution.test == "paired t"
    assert found.attribution.remaining == pytest.approx(5 - 0.04)
    assert found.pairs is not None
    assert found.pairs.mean == pytest.approx(5 - 0.04)


def test_a_gain_that_stays_survives():
    found = effect(aligned(), runs(UP, "base", BASE, 375))
    assert found.attribution is not None
    assert found.attribution.verdict == "survives"
    assert found.attribution.explained_at_least == 0


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"training": {"batch": 64.0}}, "samples a step"),
        ({"params": 2000}, "parameters"),
        ({"training": {"clip_norm": 1.0}}, "clipping"),
        ({"observation": {"loads": [LOADED]}}, "loaded weights"),
    ],
)
def test_an_arm_that_changes_something_else_too_is_invalid(more: dict[str, Any], word: str):
    found = effect(aligned(), runs(UP, "base", LIKE_OURS, 375, **more))
    assert found.attribution is None
    assert found.reason is Reason.INVALID_ARM
    assert word in found.why


def test_an_arm_beside_its_target_is_invalid():
    found = effect(aligned(), runs(UP, "base", LIKE_OURS, 300))
    assert found.reason is Reason.INVALID_ARM
    assert "×0.800 of what was wanted" in found.why


def test_a_schedule_that_was_cut_off_rather_than_stretched_makes_an_arm_invalid():
    lr = {"step": [1, 188, 375], "samples": [], "value": [0.1, 0.1, 0.001]}
    bent = {"optimizer": {"cls": "SGD", "steps": 375, "fields": {"momentum": 0.9}, "peak_lr": 0.1,
                          "distinct_lrs": 3, "lr": lr}}  # fmt: skip
    found = effect(aligned(), runs(UP, "base", LIKE_OURS, 375, training=bent))
    assert found.reason is Reason.INVALID_ARM
    assert "schedule" in found.why


def test_an_arm_whose_loss_does_not_fall_is_invalid():
    found = effect(aligned(), runs(UP, "base", LIKE_OURS, 375, training={"loss_trend": 1.2}))
    assert found.reason is Reason.INVALID_ARM


@pytest.mark.parametrize("side", ["the arm", "its method"])
def test_an_arm_of_which_not_all_was_seen_decides_nothing(side: str):
    gap = {"observation": {"gaps": [{"what": "process", "why": "a child ran without the probe"}]}}
    arm, again = made()["base+norm"], replace(DECLARED[5], replicate=1)
    its = runs("base+norm", "base", LIKE_OURS, 125, **(gap if side == "the arm" else {}))
    declared = DECLARED if side == "the arm" else [
        *DECLARED[:5], *runs("base", "base", BASE, 125, **gap)
    ]  # fmt: skip
    evidence = Evidence(claims=claims(), runs=(*declared, again, *its), arms=(arm,))
    (found,) = evidence.get(Effects).effects
    assert found.attribution is None
    assert found.reason is Reason.NOT_OBSERVED
    assert "a child ran without the probe" in found.why


@pytest.mark.parametrize("lost", ["samples", "batch"])
def test_what_was_seen_on_one_side_alone_is_not_taken_as_equal(lost: str):
    its = runs(UP, "base", LIKE_OURS, 375, training={lost: None})
    found = effect(aligned(), its)
    assert found.attribution is None
    assert found.reason is Reason.NOT_OBSERVED


def test_an_override_that_changes_nothing_decides_nothing():
    arm = made()["base+norm"]
    found = effect(arm, runs("base+norm", "base", BASE, 125, of="base"))
    assert found.reason is Reason.INVALID_ARM
    assert "changes something" in found.why


def test_an_unseen_change_counts_only_where_the_same_seed_repeats_itself():
    arm = made()["base+norm"]
    its = runs("base+norm", "base", LIKE_OURS, 125)
    assert effect(arm, its).reason is Reason.INVALID_ARM
    again = replace(DECLARED[5], replicate=1)
    evidence = Evidence(claims=claims(), runs=(*DECLARED, again, *its), arms=(arm,))
    (found,) = evidence.get(Effects).effects
    assert found.attribution is not None


def test_a_surgery_that_never_applied_makes_an_arm_invalid():
    arm = replace(made()["base+norm"], set={}, surgery=({"kind": "activation"},))
    seen = {"observation": {"surgery": [{"kind": "activation", "times": 0}]}}
    found = effect(arm, runs("base+norm", "base", LIKE_OURS, 125, params=1100, **seen))
    assert "applied 0 times" in found.why


def test_where_no_gain_is_established_there_is_nothing_to_attribute():
    flat = [*runs("ours", "ours", BASE, 375), *runs("base", "base", BASE, 125)]
    arm = aligned()
    its = (*flat, *runs(UP, "base", LIKE_OURS, 375))
    (found,) = Evidence(claims=claims(), runs=its, arms=(arm,)).get(Effects).effects
    assert found.attribution is None
    assert found.reason is Reason.UNDERPOWERED
    assert "not established" in found.why


# --- what the report says -----------------------------------------------------------------------


def judged(its: Sequence[Run], text: str = TEXT) -> tuple[Any, Any]:
    evidence = Evidence(claims=claims(text), runs=(*DECLARED, *its), arms=(aligned(),))
    judgements = judge(evidence, load().values())
    return judgements, conclude(evidence, judgements).verdicts[0].fairness


def test_a_gain_that_is_gone_at_equal_samples_is_explained_by_longer_training():
    judgements, fairness = judged(runs(UP, "base", LIKE_OURS, 375))
    assert fairness.verdict == "explained"
    assert fairness.by == ("RC102",)
    assert fairness.words.startswith("at equal samples the gain that remains is +0.10 [")
    assert "of it is explained by longer training" in fairness.words
    (said,) = [one for one in judgements if one.rule == "RC102" and one.part == "effect"]
    assert said.state is State.FLAGGED
    assert said.severity.value == "major"


def test_a_gain_that_survives_leaves_the_asymmetry_and_says_that_it_is_harmless():
    judgements, fairness = judged(runs(UP, "base", BASE, 375))
    states = {one.part.value: one.state for one in judgements if one.rule == "RC102"}
    assert states == {"protocol": State.FLAGGED, "effect": State.CLEARED}
    assert fairness.verdict == "insufficiently-checked"


def test_without_the_arm_the_asymmetry_has_an_unknown_effect():
    evidence = Evidence(claims=claims(), runs=tuple(DECLARED))
    judgements = judge(evidence, load().values())
    assert conclude(evidence, judgements).verdicts[0].fairness.verdict == "asymmetric"


def test_an_arm_that_takes_the_contribution_away_accuses_nobody():
    text = TEXT.replace("improvement: 5.0", "improvement: 5.0, attributed_to: [norm]")
    arm = made(text)["base+norm"]
    its = runs("base+norm", "base", LIKE_OURS, 125, params=1100)
    evidence = Evidence(claims=claims(text), runs=(*DECLARED, *its), arms=(arm,))
    judgements = judge(evidence, load().values())
    fairness = conclude(evidence, judgements).verdicts[0].fairness
    assert fairness.verdict != "explained"
    assert not [one for one in judgements if one.part == "effect" and one.state is State.FLAGGED]
