"""What the parts of a method are worth, which arms tell it, and who says what of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from observed_support import observation_of, runs_of
from pydantic import TypeAdapter
from scipy.stats import ttest_ind, ttest_rel

from repcheck.arms import Arm
from repcheck.claims.comparison import comparisons
from repcheck.claims.load import parse
from repcheck.counterfactuals import wanted
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.facts.gates import gates_of
from repcheck.facts.worth import Worth, Worths, sort_of
from repcheck.judge import judge
from repcheck.observation import NetworkSeen
from repcheck.rule import Judgement, State
from repcheck.rules import load
from repcheck.runs import Run, Status
from repcheck.verdict import conclude

TEXT = """
repcheck: 1
datasets: {d: {train: {size: 400}}}
defaults: {dataset: d}
methods:
  ours:
    role: proposed
    components: [{name: block, kind: module}]
    losses: [{name: ce}, {name: cyc, weight: 0.1}]
    hyperparameters: {cyc: 0.1}
    train: {command: "python t.py --seed {seed} --cyc {cyc} --epochs {epochs} --out {out}", epochs: 10, batch_size: 32}
  base:
    role: baseline
    losses: [{name: ce}]
    train: {command: "python t.py --seed {seed} --epochs {epochs} --out {out}", epochs: 10, batch_size: 32}
arms:
  - {id: ours-cyc, of: ours, factor: losses.cyc, kind: remove, override: {cyc: 0}}
metrics: {acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}}
claims: [{id: C1, type: improvement, method: ours, baselines: [base], metric: acc, improvement: 5.0}]
"""  # noqa: E501
OURS = (93.0, 92.4, 93.6, 92.8, 93.2)
BASE = (88.0, 87.4, 88.6, 87.8, 88.2)
NOTHING_LOST = (92.9, 92.5, 93.3, 92.6, 93.2)
ALL_LOST = (88.3, 87.9, 88.9, 88.0, 88.5)


def runs(arm: str, values: Sequence[float], *, of: str = "", steps: int = 125) -> list[Run]:
    training = {
        "steps": steps, "samples": steps * 32, "unique": 400, "unique_by": "indices",
        "batch": 32.0, "loss_trend": 0.2, "optimizer": {"peak_lr": 0.1, "distinct_lrs": 1,
                                                        "steps": steps, "cls": "SGD"},
    }  # fmt: skip
    seen = {"training": training, "final_weights": arm, "dataset": "d"}
    given = [{**seen, "seed": n, "metrics": {"acc": value}} for n, value in enumerate(values)]
    made = runs_of({arm: [{**one, "of": of} if of else one for one in given]})
    if of or arm != "ours":
        return list(made)
    return [*made, replace(made[0], replicate=1)]


DECLARED = (*runs("ours", OURS), *runs("base", BASE))


def evidence(text: str, *more: Run) -> Evidence:
    claims = parse(text)
    bare = Evidence(claims=claims, runs=(*DECLARED, *more))
    found = wanted(bare, comparisons(claims)[0])
    ran = {run.arm for run in more}
    arms = [arm for stage in found.arms.values() for arm in stage if arm.id in ran]
    return Evidence(claims=claims, runs=bare.runs, arms=tuple(arms), no_arms=found.refused)


def only(text: str, *more: Run) -> Worth:
    known = evidence(text, *more)
    ((worth,),) = known.get(Worths).of(comparisons(known.claims)[0], "loss")
    return worth


def said(text: str, *more: Run, rule: str = "RC401") -> list[Judgement]:
    return [one for one in judge(evidence(text, *more), load().values()) if one.rule == rule]


# --- the verdict on a part ----------------------------------------------------------------------


def test_the_worth_of_a_part_is_the_difference_of_means_between_welchs_bounds():
    worth = only(TEXT, *runs("ours-cyc", NOTHING_LOST, of="ours"))
    assert worth.verdict == "decorative"
    assert worth.interval is not None
    assert worth.interval90 is not None
    peer = ttest_ind(OURS, NOTHING_LOST, equal_var=False)
    for found, level in ((worth.interval, 0.95), (worth.interval90, 0.90)):
        ends = peer.confidence_interval(level)
        assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert worth.interval.estimate == pytest.approx(0.1)
    assert worth.margin == pytest.approx(1.25)


def test_arms_that_began_with_the_same_weights_are_compared_seed_by_seed():
    def begun(made: Sequence[Run]) -> list[Run]:
        return [
            replace(run, observation=replace(run.observation, initial_weights=f"s{run.seed}"))
            for run in made
            if run.observation is not None
        ]

    less = begun(runs("ours-cyc", NOTHING_LOST, of="ours"))
    known = evidence(TEXT, *less)
    known = replace(known, runs=(*begun(known.runs[: len(OURS) + 1]), *known.runs[6:11], *less))
    ((worth,),) = known.get(Worths).of(comparisons(known.claims)[0], "loss")
    peer = ttest_rel(OURS, NOTHING_LOST).confidence_interval(0.95)
    assert worth.interval is not None
    assert (worth.interval.low, worth.interval.high) == pytest.approx((peer.low, peer.high))
    assert worth.n == "n = 5 pairs"
    alone = only(TEXT, *less).interval
    assert alone is not None
    assert alone.low < worth.interval.low


def test_a_part_without_which_the_gain_is_lost_contributes():
    assert only(TEXT, *runs("ours-cyc", ALL_LOST, of="ours")).verdict == "contributes"


def test_a_little_that_is_lost_for_certain_is_no_decoration():
    worth = only(TEXT, *runs("ours-cyc", [value - 0.8 for value in OURS], of="ours"))
    assert worth.interval is not None
    assert worth.interval.high < worth.margin + 0.25
    assert worth.verdict == "contributes"


def test_what_is_not_decided_names_the_seeds_that_would():
    worth = only(TEXT, *runs("ours-cyc", (91.0, 94.5, 92.0, 94.0, 93.0), of="ours"))
    assert worth.verdict == "inconclusive"
    assert worth.seeds_needed is not None
    assert 5 < worth.seeds_needed < 100
    (judged,) = said(TEXT, *runs("ours-cyc", (91.0, 94.5, 92.0, 94.0, 93.0), of="ours"))
    assert judged.would_decide == f"{worth.seeds_needed} seeds per arm"


def test_a_part_that_hurts_is_neither_decoration_nor_contribution():
    worth = only(TEXT, *runs("ours-cyc", [value + 2 for value in OURS], of="ours"))
    assert worth.verdict == "inconclusive"


def test_a_part_that_serves_the_metric_of_one_claim_is_no_decoration():
    text = TEXT.replace("metrics: {", "metrics: {fid: {higher_is_better: false}, ").replace(
        "improvement: 5.0}]",
        "improvement: 5.0}, {id: C2, method: ours, baselines: [base], metric: fid,"
        " improvement: 5.0}]",
    )

    def also(made: list[Run], fid: float) -> list[Run]:
        return [replace(one, metrics={**one.metrics, "fid": fid + one.metrics["acc"] / 50})
                for one in made]  # fmt: skip

    known = evidence(text, *runs("ours-cyc", NOTHING_LOST, of="ours"))
    by_arm = {"ours": 10.0, "base": 20.0, "ours-cyc": 19.0}
    its = [also([run], by_arm[run.arm])[0] for run in known.runs]
    judgements = judge(replace(known, runs=tuple(its)), load().values())
    (judged,) = [one for one in judgements if one.rule == "RC401"]
    assert judged.state is State.CLEARED
    assert "fid" in judged.message


def test_an_arm_with_a_crashed_seed_decides_nothing():
    its = runs("ours-cyc", NOTHING_LOST, of="ours")
    worth = only(TEXT, *crashed(its, 1))
    assert (worth.verdict, worth.reason) == (None, Reason.COMMAND_FAILED)


def test_crashed_seeds_of_the_method_leave_no_verdict_on_its_parts():
    known = evidence(TEXT, *runs("ours-cyc", NOTHING_LOST, of="ours"))
    mine, rest = (
        [run for run in known.runs if (run.arm == "ours") is own] for own in (True, False)
    )
    known = replace(known, runs=(*crashed(mine, 2), *rest))
    ((worth,),) = known.get(Worths).of(comparisons(known.claims)[0], "loss")
    assert worth.verdict is None
    assert "2 of 5 seeds of `ours` crashed" in worth.why


def crashed(its: Sequence[Run], n: int) -> list[Run]:
    """Return runs of which the last ones, none of them a repeat, did not end well."""
    firsts = [run for run in its if not run.replicate]
    gone = {id(run) for run in firsts[-n:]}
    return [
        replace(run, status=Status.OOM, metrics={}, reason="no memory") if id(run) in gone else run
        for run in its
    ]


def test_a_term_that_never_reaches_the_weights_is_named_as_a_possibility_and_not_flagged():
    same = [replace(run, observation=observation_of(
        {"training": {"steps": 125, "samples": 4000, "unique": 400, "unique_by": "indices",
                      "batch": 32.0, "loss_trend": 0.2,
                      "optimizer": {"peak_lr": 0.1, "distinct_lrs": 1, "steps": 125}},
         "final_weights": "ours"})) for run in runs("ours-cyc", OURS, of="ours")]  # fmt: skip
    (judged,) = said(TEXT, *same)
    assert judged.state is State.UNDETERMINED
    assert judged.reason is Reason.INVALID_ARM
    assert "never reaches the weights" in judged.message


# --- who is asked, and who answers --------------------------------------------------------------


def test_a_loss_without_an_arm_is_told_the_arm_as_it_would_stand_in_the_file():
    bare = TEXT[: TEXT.index("arms:")] + TEXT[TEXT.index("metrics:") :]
    (judged,) = said(bare)
    assert judged.state is State.UNDETERMINED
    arm = "{id: ours-cyc, of: ours, factor: losses.cyc, kind: remove, override: {cyc: 0}}"
    assert f"`arms: [{arm}]`" in judged.would_decide
    assert not said(bare.replace("{name: ce}, {name: cyc, weight: 0.1}", "{name: ce}"))[0].reason


def test_an_arm_that_could_not_be_run_says_why_in_the_rule_it_is_about():
    text = TEXT.replace("override: {cyc: 0}", "override: {unknown: 0}")
    (judged,) = said(text)
    assert judged.reason is Reason.NO_PLACEHOLDER
    assert not [one for one in said(text, rule="RC300") if "ours-cyc" in one.message]


def test_a_loss_that_makes_the_gain_is_not_held_against_the_method():
    its = runs("ours-cyc", ALL_LOST, of="ours")
    known = evidence(TEXT, *its)
    judgements = judge(known, load().values())
    assert not [one for one in judgements if one.kind == "unsupported"]
    assert conclude(known, judgements).verdicts[0].fairness.verdict != "explained"


def test_a_loss_that_makes_the_gain_is_held_against_a_claim_that_credits_something_else():
    text = TEXT.replace("improvement: 5.0", "improvement: 5.0, attributed_to: [block]")
    its = runs("ours-cyc", ALL_LOST, of="ours")
    flagged = [one for one in said(text, *its) if one.state is State.FLAGGED]
    (only_one,) = flagged
    assert only_one.kind == "unsupported"
    assert "explained by `losses.cyc`" in only_one.message
    credited = text.replace("attributed_to: [block]", "attributed_to: [block, cyc]")
    assert not [one for one in said(credited, *its) if one.state is State.FLAGGED]


def test_the_same_arm_beside_a_second_baseline_is_not_asked_for_again():
    text = TEXT.replace("arms:", "  other: {extends: base, role: baseline}\narms:").replace(
        "baselines: [base]", "baselines: [base, other]"
    )
    judged = said(text, *runs("ours-cyc", ALL_LOST, of="ours"))
    assert [(one.subject_id, one.state.value) for one in judged] == [("ours-vs-base@d", "cleared")]


PARTS = [
    ("losses.cyc", "remove", (), "loss"),
    ("cyc", "remove", (), "loss"),
    ("gates.block", "remove", (), "gate"),
    ("block", "remove", ({"kind": "freeze"},), "gate"),
    ("block", "remove", (), "component"),
    ("block", "eval-only", (), "component"),
    ("components", "remove", (), "component"),
    ("search", "swap", (), "search"),
    ("block", "swap", (), None),
    ("optimizer.lr", "remove", (), None),
]


@pytest.mark.parametrize(("factor", "change", "surgery", "sort"), PARTS)
def test_an_arm_is_about_one_sort_of_part(
    factor: str, change: Any, surgery: tuple[dict[str, Any], ...], sort: str | None
):
    (comparison,) = comparisons(parse(TEXT))
    arm = Arm(
        id="a", kind="counterfactual", method="ours", factors=(factor,), change=change,
        surgery=surgery,
    )  # fmt: skip
    assert sort_of(arm, comparison) == sort


@pytest.mark.parametrize(
    ("factor", "credit", "offered"),
    [
        ("losses.cyc", "cyc", True),
        ("losses.cyc", "losses", True),
        ("losses.cyc", "cycle", False),
        ("augmentation+dropout", "dropout", True),
        ("norm", "dropout", False),
    ],
)
def test_what_is_credited_is_offered_by_any_of_its_names(factor: str, credit: str, offered: bool):
    text = TEXT.replace("improvement: 5.0", f"improvement: 5.0, attributed_to: [{credit}]")
    (comparison,) = comparisons(parse(text))
    assert comparison.contributes(factor) is offered


# --- training on --------------------------------------------------------------------------------

LONGER = TEXT.replace(
    "  - {id: ours-cyc, of: ours, factor: losses.cyc, kind: remove, override: {cyc: 0}}",
    "  - {id: base-longer, of: base, factor: epochs, kind: swap, override: {epochs: 20}}",
)


def test_a_baseline_trained_beyond_the_method_says_nothing_against_the_claimed_gain():
    its = runs("base-longer", NOTHING_LOST, of="base", steps=250)
    known = evidence(LONGER, *its)
    judgements = judge(known, load().values())
    assert conclude(known, judgements).verdicts[0].fairness.verdict != "explained"
    (cut,) = [one for one in judgements if one.rule == "RC835"]
    assert (cut.state, cut.severity) == (State.FLAGGED, "minor")
    assert "`base` trained ×2.00 as long gains +4.90" in cut.message
    assert not [one for one in judgements if one.rule == "RC102" and one.part == "effect"]


def test_a_baseline_that_beats_the_method_when_trained_on_is_major():
    its = runs("base-longer", [value + 3 for value in OURS], of="base", steps=250)
    (cut,) = said(LONGER, *its, rule="RC835")
    assert (cut.state, cut.severity) == (State.FLAGGED, "major")
    assert "it then beats `ours`" in cut.message


# --- gates as networks show them ----------------------------------------------------------------

TRACE = """
import json, sys
import torch
from torch import nn
from probe import op_trace

class Block(nn.Module):
    def __init__(self, gated):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.beta = nn.Parameter(torch.zeros(1)) if gated else 1.0
        self.scale = nn.Parameter(torch.zeros(4, 1, 1)) if gated else 1.0

    def forward(self, x):
        x = x + self.beta * self.conv(x)
        return x + torch.relu(x) * self.scale

class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 1, 1))
        self.bias = nn.Parameter(torch.zeros(4, 1, 1))

    def forward(self, x):
        return (x - x.mean((1, 2, 3), keepdim=True)) * self.weight + self.bias

found = []
for gated in (True, False):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), Block(gated), Norm(), nn.BatchNorm2d(4))
    trace = op_trace.new(torch, net)
    with trace:
        net(torch.ones(2, 1, 8, 8))
    params = sum(p.numel() for p in net.parameters())
    found.append({"root": 0, "cls": "Net", "params": params, "trainable": params, **trace.result()})
print(json.dumps(found))
"""


def test_gates_are_found_in_a_real_network_and_norms_and_plain_branches_are_none():
    inside = Path(__file__).parent.parent / "repcheck" / "inside"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRACE], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(inside), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    gated, plain = TypeAdapter(list[NetworkSeen]).validate_python(json.loads(done.stdout))
    assert gates_of(gated) == ("1", "1")
    assert gates_of(plain) == ()
