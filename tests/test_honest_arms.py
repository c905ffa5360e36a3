"""Honest papers under the arms: nobody accused, nothing unchecked cleared, no wrong cause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from test_effects import BASE, DECLARED, LIKE_OURS, OURS, TEXT, UP, claims, runs

from repcheck.arms import Arm
from repcheck.claims.comparison import comparisons
from repcheck.counterfactuals import wanted
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.facts.effects import Effect, Effects
from repcheck.facts.factors import Factors
from repcheck.judge import judge
from repcheck.rule import Judgement, Part, State
from repcheck.rules import load
from repcheck.runs import Run
from repcheck.verdict import Conclusion, conclude

EQUAL = TEXT.replace("epochs: 30", "epochs: 10")
AS_LONG = (*runs("ours", "ours", OURS, 125), *runs("base", "base", BASE, 125))
FLOPS = {"root": 1, "cls": "Net", "phase": "train", "rows": 32}
ONCE = {"forwards": 1.0, "accumulation": 1.0}
RULES = tuple(load().values())
Make = Callable[[Arm], Sequence[Run]]


@dataclass(frozen=True)
class Seen:
    """What all rules and the conclusion say of one file and its runs."""

    judgements: list[Judgement]
    conclusion: Conclusion
    effects: tuple[Effect, ...]

    @property
    def effect(self) -> Effect:
        return self.effects[0]

    @property
    def fairness(self) -> str:
        return self.conclusion.verdicts[0].fairness.verdict

    def flagged(self, part: Part = Part.EFFECT) -> list[str]:
        found = [one for one in self.judgements if one.part is part and not one.is_note]
        return [one.rule for one in found if one.state is State.FLAGGED]

    def accuses(self) -> bool:
        return bool(self.flagged()) or self.fairness in {"explained", "partly-explained"}


def look(text: str, make: Make, declared: Sequence[Run], *names: str) -> Seen:
    """Judge a file whose arms (those of these names) scored what `make` says."""
    read = claims(text)
    bare = Evidence(claims=read, runs=tuple(declared))
    found = [wanted(bare, comparison) for comparison in comparisons(read)]
    arms = {a.id: a for one in found for stage in one.arms.values() for a in stage}
    chosen = [arm for name, arm in arms.items() if name in names]
    assert len(chosen) == len(names), f"no arm of that name among {sorted(arms)}"
    its = [run for arm in chosen for run in make(arm)]
    evidence = Evidence(claims=read, runs=(*declared, *its), arms=tuple(chosen))
    judgements = judge(evidence, RULES)
    assert not [one for one in judgements if one.state is State.ERROR]
    return Seen(judgements, conclude(evidence, judgements), evidence.get(Effects).effects)


def planned(text: str, declared: Sequence[Run]) -> list[str]:
    evidence = Evidence(claims=claims(text), runs=tuple(declared))
    found = wanted(evidence, comparisons(evidence.claims)[0])
    return [arm.id for stage in found.arms.values() for arm in stage]


def scoring(values: Sequence[float], steps: int = 125, **more: Any) -> Make:
    return lambda arm: runs(arm.id, arm.method, values, steps, **{"params": 1100, **more})


def longer(values: Sequence[float]) -> Make:
    return lambda arm: runs(arm.id, arm.method, values, 375 if arm.method == "base" else 125)


def credited(text: str, *names: str) -> str:
    return text.replace(
        "improvement: 5.0", f"improvement: 5.0, attributed_to: [{', '.join(names)}]", 1
    )


def with_arm(text: str, line: str) -> str:
    return text.replace("arms:\n", f"arms:\n  - {line}\n")


def rated(peak: float) -> dict[str, Any]:
    optimizer = {"cls": "SGD", "fields": {"momentum": 0.9}, "peak_lr": peak, "distinct_lrs": 1}
    return {"training": {"optimizer": {"steps": 125, **optimizer}}}


# --- the contribution by whichever name ---------------------------------------------------------


@pytest.mark.parametrize("name", ["Epochs", "train.iterations", "longer-training", "compute"])
def test_longer_training_that_is_the_offer_may_explain_its_own_gain(name: str):
    found = look(credited(TEXT, name), longer(LIKE_OURS), DECLARED, UP)
    assert found.effect.contribution
    assert not found.accuses()
    assert found.fairness == "insufficiently-checked"


@pytest.mark.parametrize(
    ("where", "name"),
    [("attributed", "norm"), ("attributed", "normalisation"), ("component", "BatchNorm"),
     ("differs", "batch-norm")],
)  # fmt: skip
def test_a_norm_that_is_the_offer_is_found_under_its_usual_names(where: str, name: str):
    told = {
        "attributed": credited(EQUAL, name),
        "component": EQUAL.replace("[block]", f"[{{name: {name}}}]"),
        "differs": EQUAL.replace("[block]", f"[{{name: x, differs_in: [{name}]}}]"),
    }
    assert not look(told[where], scoring(LIKE_OURS), AS_LONG, "base+norm").accuses()


@pytest.mark.parametrize(
    ("name", "factor", "value"),
    [("lr", "learning_rate", "0.2"), ("LR", "optimizer.lr", "0.2"), ("optimizer", "lr", "0.2")],
)
def test_a_learning_rate_that_is_the_offer_is_found(name: str, factor: str, value: str):
    line = f"{{id: b, of: base, factor: {factor}, kind: swap, override: {{norm: {value}}}}}"
    ours = [*runs("ours", "ours", OURS, 125, **rated(0.2)), *AS_LONG[5:]]
    make = scoring(LIKE_OURS, params=1000, **rated(0.2))
    assert not look(with_arm(credited(EQUAL, name), line), make, ours, "b").accuses()
    assert look(with_arm(credited(EQUAL, "block"), line), make, ours, "b").accuses()


def test_a_value_that_is_the_offer_is_no_difference_to_give_the_baseline():
    text = EQUAL.replace("[block]", "[{name: mixup}]\n    augmentation: [flip, mixup]")
    text = text.replace("role: baseline", "role: baseline\n    augmentation: [flip]")
    text = text.replace("overrides: {", 'overrides: {aug: "--aug {value}", ')
    assert planned(text, AS_LONG) == ["base+norm"]
    other = text.replace("{name: mixup}", "{name: block}")
    assert "base with augmentation=flip,mixup" in planned(other, AS_LONG)


@pytest.mark.parametrize(
    ("component", "factor", "value"),
    [
        ("drift-block", "drift", "x"),
        ("DriftBlock", "drift_block", "x"),
        ("drift-block", "db", "x"),
        ("drift-block", "foo", "drift"),
        ("drift-block", "quux", "x"),
    ],
)
def test_an_ablation_of_the_contribution_rightly_loses_the_gain(
    component: str, factor: str, value: str
):
    text = EQUAL.replace("[block]", f"[{{name: {component}}}]")
    line = f"{{id: wo, of: ours, factor: {factor}, kind: remove, override: {{norm: {value}}}}}"
    found = look(with_arm(text, line), scoring(BASE, params=900), AS_LONG, "wo")
    assert found.effect.attribution is not None
    assert found.effect.attribution.verdict == "gone"
    assert not found.accuses()


def test_what_the_file_does_not_say_it_offers_is_asked_and_not_accused():
    text = EQUAL.replace("    components: [block]\n", "")
    found = look(text, scoring(LIKE_OURS), AS_LONG, "base+norm")
    assert not found.accuses()
    (said,) = [one for one in found.judgements if one.rule == "RC305" and one.part == "effect"]
    assert said.reason is Reason.UNDECLARED_KEY
    assert "methods.ours.components" in said.would_decide
    assert look(EQUAL, scoring(LIKE_OURS), AS_LONG, "base+norm").accuses()


def test_what_one_claim_credits_is_no_excuse_for_another():
    second = (
        '  - {id: C2, text: "training gains", type: improvement, method: ours, baselines: [base],'
        " metric: acc, improvement: 5.0, attributed_to: [epochs]}\n"
    )
    found = look(credited(TEXT, "block") + second, longer(LIKE_OURS), DECLARED, UP)
    assert [one.fairness.verdict for one in found.conclusion.verdicts] == [
        "explained", "insufficiently-checked",
    ]  # fmt: skip


# --- a factor that is no difference -------------------------------------------------------------


def test_what_both_have_explains_nothing_although_the_method_needs_it():
    text = EQUAL.replace("defaults: {", "defaults: {norm: batch, ")
    line = "{id: wo, of: ours, factor: norm, kind: remove, override: {norm: none}}"
    found = look(with_arm(text, line), scoring(BASE, params=900), AS_LONG, "wo")
    assert "stated to be alike" in found.effect.moot
    assert not found.accuses()


def test_a_sweep_of_the_baseline_at_rates_that_the_method_has_not_either_explains_nothing():
    line = "{id: b, of: base, factor: lr, kind: swap, override: {norm: 0.5}}"
    make = scoring(LIKE_OURS, params=1000, **rated(0.5))
    found = look(with_arm(EQUAL, line), make, AS_LONG, "b")
    assert "alike in `optimizer.lr`" in found.effect.moot
    assert not found.accuses()


def test_a_method_cut_shorter_than_its_baseline_tells_nothing_of_the_comparison():
    line = "{id: short, of: ours, factor: epochs, kind: remove, override: {epochs: 5}}"
    found = look(with_arm(EQUAL, line), scoring(BASE, 62, params=1000), AS_LONG, "short")
    assert "shorter than `base`" in found.effect.moot
    assert not found.accuses()


def test_a_training_that_the_method_needs_and_the_baseline_gains_nothing_from_accuses_nobody():
    down = "ours at the samples of base"
    found = look(TEXT, longer(BASE), DECLARED, UP, down)
    verdicts = {e.arm.id: e.attribution.verdict for e in found.effects if e.attribution}
    assert verdicts == {UP: "survives", down: "gone"}
    assert not found.accuses()
    assert look(TEXT, longer(BASE), DECLARED, down).accuses()


# --- the gain itself ----------------------------------------------------------------------------


def test_the_part_of_a_gain_that_does_not_reproduce_is_no_factors():
    declared = [*runs("ours", "ours", [v + 1.5 for v in BASE], 125), *AS_LONG[5:]]
    found = look(EQUAL, scoring(BASE), declared, "base+norm")
    assert not found.accuses()
    (said,) = [one for one in found.judgements if one.rule == "RC305" and one.part == "effect"]
    assert said.state is State.CLEARED
    assert "of the +1.50 that the reruns show: survives" in said.message
    half = look(EQUAL, scoring([v + 1.5 for v in BASE]), declared, "base+norm")
    assert half.fairness == "explained"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"type: improvement": "type: equivalence", "improvement: 5.0": "margin: 1.0"}, "no gain"),
        ({"improvement: 5.0": "improvement: 5.0, at_step: {epochs: 5}"}, "at a step"),
        ({"metric: acc, imp": "metric: acc, datasets: [d, e], imp",
          "dataset: d, ": "", "{d: {": "{e: {train: {size: 9}}, d: {"}, "several datasets"),
    ],
)  # fmt: skip
def test_claims_that_the_last_values_do_not_answer_are_not_attributed(change: Any, why: str):
    text = EQUAL
    for old, new in change.items():
        text = text.replace(old, new)
    found = look(text, scoring(LIKE_OURS), AS_LONG, "base+norm")
    assert why in found.effect.why
    assert not found.accuses()


def test_runs_that_read_fractions_of_percents_explain_nothing():
    def small(all_: Sequence[Run]) -> list[Run]:
        return [replace(run, metrics={"acc": run.metrics["acc"] / 100}) for run in all_]

    found = look(EQUAL, lambda arm: small(scoring(BASE)(arm)), small(AS_LONG), "base+norm")
    assert "read_as" in found.effect.why
    assert not found.accuses()


def test_two_seeds_accuse_and_clear_nobody():
    few = [run for run in DECLARED if run.seed < 2]
    for values in (LIKE_OURS, BASE):
        found = look(TEXT, lambda arm, v=values: longer(v)(arm)[:2], few, UP)
        assert found.effect.reason is Reason.UNDERPOWERED
        said = {
            one.state for one in found.judgements if one.rule == "RC102" and one.part == "effect"
        }
        assert said == {State.UNDETERMINED}


@pytest.mark.parametrize(("less", "told"), [(100, "-7.1"), (0, "92.9")])
def test_scores_are_told_with_their_sign(less: int, told: str):
    def lowered(all_: Sequence[Run]) -> list[Run]:
        return [replace(run, metrics={"acc": run.metrics["acc"] - less}) for run in all_]

    text = TEXT.replace("93.0", f"{93 - less}.0").replace("88.0", f"{88 - less}.0")
    text = text.replace("unit: percent", "unit: reward")
    found = look(text, lambda arm: lowered(longer(LIKE_OURS)(arm)), lowered(DECLARED), UP)
    (said,) = [one for one in found.judgements if one.rule == "RC102" and one.part == "effect"]
    assert f"scores {told}" in said.message


def test_an_equivalence_is_not_called_fair_by_what_was_asked_of_another_metric():
    text = EQUAL.replace("metrics: {", "metrics: {nll: {higher_is_better: false, unit: nats}, ")
    text += (
        '  - {id: C2, text: "as good", type: equivalence, method: ours, baselines: [base],'
        " metric: nll, margin: 0.1}\n"
    )
    found = look(text, scoring(BASE), AS_LONG, "base+norm")
    second = found.conclusion.verdicts[1].fairness
    assert second.verdict == "insufficiently-checked"
    assert second.words.startswith("whether both are equivalent was not tested")


# --- budgets ------------------------------------------------------------------------------------


def costing(ours: dict[str, float], more: dict[str, Any] | None = None) -> list[Run]:
    base = {"forward": 320.0, "backward": 640.0}
    mine = {"flops": [{**FLOPS, **base, **ours}]}
    return [
        *runs("ours", "ours", OURS, 125, training=more or ONCE, observation=mine),
        *runs("base", "base", BASE, 125, training=ONCE, observation={"flops": [{**FLOPS, **base}]}),
    ]


def test_what_saves_memory_is_no_training_compute():
    assert planned(EQUAL, costing({"recompute": 320.0})) == ["base+norm"]
    assert len(planned(EQUAL, costing({"forward": 960.0}))) == 3


def test_the_second_passes_of_a_declared_optimizer_are_its_own():
    twice = costing({}, {"forwards": 2.0, "accumulation": 1.0})
    sam = EQUAL.replace(
        "[block]", "[block]\n    optimizer: {type: SGD, lr: 0.1, momentum: 0.9, sam: true}"
    )
    assert "base at the training FLOPs of ours" not in planned(sam, twice)
    assert "base at the training FLOPs of ours" in planned(EQUAL, twice)


@pytest.mark.parametrize("name", ["width", "params", "model.flops"])
def test_a_method_that_is_larger_and_says_so_may_owe_its_gain_to_that(name: str):
    arm = "base at the training FLOPs of ours"
    seen = {"training": ONCE, "observation": {"flops": [{**FLOPS, "forward": 320.0,
                                                         "backward": 640.0}]}}  # fmt: skip
    make = scoring(LIKE_OURS, 375, params=1000, **seen)
    dear = costing({"forward": 960.0, "backward": 1920.0})
    found = look(credited(EQUAL, name), make, dear, arm)
    assert not found.accuses()
    assert "RC105" not in found.flagged(Part.PROTOCOL)
    assert look(EQUAL, make, dear, arm).fairness == "explained"


def test_more_different_samples_in_as_many_epochs_are_no_longer_training():
    declared = [*runs("ours", "ours", OURS, 250, training={"unique": 800}), *AS_LONG[5:]]
    text = EQUAL.replace("[block]", "[block]\n    train_data: e")
    text = text.replace("{d: {", "{e: {train: {size: 800}}, d: {")
    assert planned(text, declared) == ["base+norm"]


def test_a_larger_batch_is_called_one_and_is_no_accusation_where_it_is_the_offer():
    text = EQUAL.replace("--epochs {epochs}", "--iterations {iterations}")
    text = text.replace("epochs: 10, batch_size", "iterations: 125, batch_size")
    text = text.replace("batch_size: 32", "batch_size: 64", 1)
    batch = {"samples": 8000, "batch": 64.0}
    declared = [*runs("ours", "ours", OURS, 125, training=batch), *AS_LONG[5:]]
    make = scoring(LIKE_OURS, 250, params=1000)
    assert not look(credited(text, "batch_size"), make, declared, UP).accuses()
    guilty = look(text, make, declared, UP).conclusion.verdicts[0].fairness
    assert guilty.cause == "more samples a step"
    assert guilty.by == ("RC101",)


# --- several findings, several answers ----------------------------------------------------------


def test_an_arm_beside_one_baseline_answers_for_no_other():
    more = (
        '  base2:\n    role: baseline\n    train: {command: "python t.py --model x --seed {seed}'
        ' --epochs {epochs} --out {out}", epochs: 10, batch_size: 32}\n'
    )
    text = TEXT.replace("overrides:", f"{more}overrides:", 1)
    text = text.replace("baselines: [base]", "baselines: [base, base2]")
    second = runs("base2", "base2", [v - 1 for v in BASE], 125)
    found = look(text, longer(BASE), [*DECLARED, *second], UP)
    assert found.fairness == "asymmetric"
    assert "base2" in found.conclusion.verdicts[0].fairness.words


def test_an_arm_on_one_of_two_findings_of_a_rule_leaves_the_other_open():
    text = EQUAL.replace("[block]", "[block]\n    ema: 0.99\n    tta: 4")
    text = text.replace("role: baseline", "role: baseline\n    ema: none\n    tta: none")
    line = "{id: raw, of: ours, factor: ema, kind: eval-only, override: {norm: none}}"
    again = replace(AS_LONG[0], replicate=1)
    make = scoring(OURS, params=1000)
    found = look(with_arm(text, line), make, [*AS_LONG, again], "raw")
    assert found.fairness == "asymmetric"


# --- differences that are none ------------------------------------------------------------------


def factors(text: str, declared: Sequence[Run]) -> list[str]:
    evidence = Evidence(claims=claims(text), runs=tuple(declared))
    (comparison,) = comparisons(evidence.claims)
    return [one.key for one in evidence.get(Factors).of(comparison)]


def optimized(**more: Any) -> list[Run]:
    optimizer = {"cls": "SGD", "fields": {"momentum": 0.9}, "peak_lr": 0.1, "distinct_lrs": 1}
    fields = optimizer["fields"] | more.pop("fields", {})  # type: ignore[operator]
    seen = {"training": {"optimizer": {"steps": 125, **optimizer, **more, "fields": fields}}}
    return [*runs("ours", "ours", OURS, 125, **seen), *AS_LONG[5:]]


def test_spellings_and_defaults_are_no_differences_to_be_made_equal():
    text = EQUAL.replace("[block]", "[block]\n    activation: ReLU\n    dropout: 0")
    text = text.replace("role: baseline", "role: baseline\n    activation: relu\n    dropout: none")
    assert factors(text, AS_LONG) == []
    assert factors(text.replace("ReLU", "SiLU"), AS_LONG) == ["activation"]


def test_a_momentum_that_a_schedule_moves_and_a_peak_between_two_steps_are_no_differences():
    assert factors(EQUAL, optimized(changed=["momentum"])) == []
    assert factors(EQUAL, optimized(fields={"momentum": 0.5})) == ["optimizer.momentum"]
    assert factors(EQUAL, optimized(peak_lr=0.0995, distinct_lrs=9)) == []
    assert factors(EQUAL, optimized(peak_lr=0.0995)) == ["optimizer.lr"]


def test_the_fields_of_another_optimizer_are_its_own():
    assert factors(EQUAL, optimized(cls="Adam", fields={"betas": [0.9, 0.99]})) == [
        "optimizer.type"
    ]
