"""FLOPs that were counted, and what is made of them: per sample, in all, per evaluated example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from observed_support import observation_of, runs_of
from probe_support import observe_raw

from repcheck import rules
from repcheck.analysis import observe
from repcheck.claims.comparison import comparisons
from repcheck.claims.load import load
from repcheck.claims.model import Claims
from repcheck.errors import Missing
from repcheck.fact import Evidence, Level
from repcheck.facts.bill import ExampleCost, SampleCost, eval_bill, train_bill
from repcheck.facts.compute import Compute
from repcheck.facts.costs import Costs
from repcheck.facts.work import Work
from repcheck.judge import judge
from repcheck.report_budget import budget
from repcheck.rule import State

Fields = dict[str, Any]
TRAINING: Fields = {
    "steps": 120, "samples": 3840, "unique": 384, "unique_by": "indices", "batch": 32,
    "accumulation": 1, "forwards": 1,
}  # fmt: skip
NET: Fields = {"id": 0, "cls": "Net", "params": 100, "trainable": 100, "trained": True}
BIG: Fields = {"id": 1, "cls": "Big", "params": 900, "trainable": 900, "trained": False}
TRAIN: Fields = {"root": 0, "cls": "Net", "phase": "train", "rows": 32, "forward": 320,
                 "backward": 640}  # fmt: skip
EVAL: Fields = {"root": 0, "cls": "Net", "phase": "eval", "rows": 100, "forward": 1000}
LAST: Fields = {
    "n": 1, "at": 120, "set": 0, "rows": 1000, "forwards": 10, "views": 1.0, "modules": ["Net"],
    "params": 100, "final": True,
}  # fmt: skip


def run(**more: Any) -> Fields:
    """One run: 10 FLOPs forward and 20 backward a row, 1,000 examples evaluated once."""
    found: Fields = {
        "training": TRAINING, "models": [NET], "sets": [{"id": 0, "examples": 1000, "by": "rows"}],
        "evaluations": [LAST], "flops": [TRAIN, EVAL],
    }  # fmt: skip
    return found | more


def trained(**more: Any) -> SampleCost:
    seen = observation_of(run(**more))
    assert seen.training is not None
    return train_bill(seen, seen.training)


def evaluated(**more: Any) -> ExampleCost:
    return eval_bill(observation_of(run(**more)))


def claims_of(folder: Path, ours: str = "", base: str = "") -> Claims:
    path = folder / "claims.yaml"
    path.write_text(
        "repcheck: 1\ndatasets: {d: {train: {size: 384}}}\nmethods:\n"
        f"  ours: {{role: proposed, train: {{epochs: 10, batch_size: 32}}{ours}}}\n"
        f"  base: {{role: baseline, train: {{epochs: 10, batch_size: 32}}{base}}}\n"
        "claims: [{id: C1, method: ours, baselines: [base]}]\n"
    )
    return load(path)


def evidence(folder: Path, seen: Any, ours: str = "", base: str = "") -> Evidence:
    return Evidence(claims=claims_of(folder, ours, base), runs=runs_of(seen))


# One run's bill


def test_a_sample_takes_its_share_of_a_call_and_an_example_too() -> None:
    mine, one = trained(), evaluated()
    assert (mine.forward, mine.backward, mine.whole, mine.at_least) == (10, 20, 30, "")
    assert (one.forward, one.views, one.at_least) == (10, 1, "")


def test_accumulation_splits_a_step_and_a_sharpness_aware_step_passes_twice() -> None:
    split = {**TRAINING, "accumulation": 2}
    half = {**TRAIN, "rows": 16, "forward": 160, "backward": 320}
    assert trained(training=split, flops=[half]).whole == 30
    twice = trained(training=split)
    assert (twice.passes, twice.whole) == (2, 60)


def test_a_cell_is_counted_at_each_point_in_time() -> None:
    cell = trained(training={**TRAINING, "forwards": 5}, flops=[{**TRAIN, "optimizer": 7}])
    assert (cell.passes, cell.whole, cell.update) == (5, 150, 35)


def test_views_that_are_samples_of_their_own_are_no_second_pass() -> None:
    views = {**TRAINING, "forwards": 2, "batch": 64, "samples": 7680}
    assert (trained(training=views).passes, trained(training=views).whole) == (1, 30)


def test_the_parts_of_a_model_add_up_and_share_the_calls_of_a_step() -> None:
    head = {**TRAIN, "root": 1, "cls": "Head", "forward": 64, "backward": 64}
    both = trained(training={**TRAINING, "forwards": 2}, flops=[TRAIN, head])
    assert (both.whole, both.at_least) == (34, "")
    odd = trained(training={**TRAINING, "forwards": 4}, flops=[TRAIN, head])
    assert "which module they are of is not known" in odd.at_least


def test_teachers_are_shared_out_among_the_samples() -> None:
    asked = {"cls": "Big", "params": 900, "rows": 3840, "forwards": 120, "in_optimizer": False,
             "same_class_as_trained": False}  # fmt: skip
    call = {"root": 1, "cls": "Big", "phase": "teacher", "rows": 32, "forward": 3200}
    with_teacher = {"models": [NET, BIG], "teachers": [asked]}
    assert trained(**with_teacher, flops=[TRAIN, call]).teachers == 100
    assert "teacher `Big`" in trained(**with_teacher, flops=[TRAIN]).at_least


def test_a_smaller_last_batch_says_nothing_and_another_shape_makes_a_bound() -> None:
    last = {**TRAIN, "rows": 3, "forward": 60, "backward": 120}
    assert (trained(flops=[TRAIN, last]).whole, trained(flops=[TRAIN, last]).at_least) == (30, "")
    larger = trained(flops=[TRAIN, {**TRAIN, "shape": [9], "forward": 960, "backward": 640}])
    assert larger.whole == 30
    assert "shape" in larger.at_least


@pytest.mark.parametrize(("coverage", "whole"), [(1.0, True), (0.99, True), (0.98, False)])
def test_below_99_percent_a_count_is_incomplete(coverage: float, whole: bool) -> None:
    partly = {"coverage": coverage, "uncounted": {"fft_r2c": 2}}
    found = trained(flops=[{**TRAIN, **partly}]).at_least
    assert (found == "") is whole
    assert whole or "fft_r2c" in found
    assert (evaluated(flops=[{**EVAL, **partly}]).at_least == "") is whole


def test_an_example_takes_all_its_views_and_every_module_that_is_called() -> None:
    assert evaluated(evaluations=[{**LAST, "views": 4.0, "rows": 4000}]).forward == 40
    prior = {"root": 1, "cls": "Big", "phase": "eval", "rows": 100, "forward": 90_000}
    two = evaluated(
        models=[NET, BIG], flops=[EVAL, prior], evaluations=[{**LAST, "modules": ["Net", "Big"]}]
    )
    assert two.forward == 910
    assert two.parts[0] == ("Big", 900)


def test_five_members_take_five_times_as_much() -> None:
    members = [{**EVAL, "root": n} for n in range(5)]
    last = {**LAST, "models": 5, "views": 5.0, "modules": ["Net"] * 5}
    assert evaluated(flops=members, evaluations=[last]).forward == 50


def test_another_network_of_the_class_is_not_what_was_evaluated() -> None:
    wide = {**NET, "id": 1, "params": 900}
    both = [EVAL, {**EVAL, "root": 1, "forward": 50_000}]
    of_the_wide = [{**LAST, "params": 900}]
    assert evaluated(models=[NET, wide], flops=both).forward == 10
    assert evaluated(models=[NET, wide], flops=both, evaluations=of_the_wide).forward == 500


def test_an_evaluation_in_one_call_is_bounded_by_the_trained_forward() -> None:
    one = evaluated(flops=[TRAIN])
    assert one.forward == 10
    assert "stands for it" in one.at_least
    with pytest.raises(Missing, match="none was counted"):
        evaluated(flops=[TRAIN], evaluations=[{**LAST, "params": 60}])


@pytest.mark.parametrize("forged", [{"rows": 0}, {"forward": -1}, {"backward": float("nan")}])
def test_impossible_numbers_count_as_not_counted(forged: Fields) -> None:
    with pytest.raises(Missing, match="none was counted"):
        trained(flops=[{**TRAIN, **forged}])


def test_a_compiled_model_is_said_to_be_one() -> None:
    with pytest.raises(Missing, match="compiled"):
        trained(training={**TRAINING, "compiled": True}, flops=[])


# All runs of a method


def test_the_training_in_all_is_samples_and_optimizer_steps(tmp_path: Path) -> None:
    seen = evidence(tmp_path, {"ours": run(flops=[{**TRAIN, "optimizer": 50}, EVAL])})
    cost = seen.get(Compute).of(seen.claims.methods["ours"])
    assert cost.total.value == 30 * 3840 + 50 * 120
    assert str(cost.per_sample) == "30 FLOPs a sample"
    quantity = cost.quantity("train_flops", cost.total)
    assert quantity.level is Level.OBSERVED
    assert quantity.source.startswith("run ")


def test_of_several_runs_the_middle_one_stands_with_the_span(tmp_path: Path) -> None:
    dearer = run(flops=[TRAIN, {**EVAL, "forward": 3000}])
    seen = evidence(tmp_path, {"ours": [run(), dearer, dearer]})
    inference = seen.get(Compute).of(seen.claims.methods["ours"]).inference
    assert inference.value == 30
    assert inference.span == "10 FLOPs an example to 30 FLOPs an example over 3 runs"


def test_the_budget_takes_what_was_measured_whole_and_keeps_the_rest_stated(tmp_path: Path) -> None:
    stated = ', model: {flops: "0.1 kFLOPs"}'
    partly = run(flops=[TRAIN, {**EVAL, "coverage": 0.5}])
    for given, value, counted in ((run(), 10, True), (partly, 100, False)):
        seen = evidence(tmp_path, {"ours": given}, stated)
        work = seen.get(Work).of(seen.claims.methods["ours"])
        assert work.value("inference_flops") == value
        assert work.counted("inference_flops") is counted
        assert work.value("train_flops") == 30 * 3840


def test_on_fewer_devices_than_stated_no_training_is_measured(tmp_path: Path) -> None:
    seen = evidence(tmp_path, {"ours": run()})
    method = load_with(tmp_path, "devices: 8")
    work = Evidence(claims=method, runs=seen.runs).get(Work).of(method.methods["ours"])
    assert not work.has("train_flops")
    assert work.value("inference_flops") == 10


def load_with(folder: Path, train: str) -> Claims:
    claims_of(folder)
    path = folder / "claims.yaml"
    path.write_text(path.read_text().replace("batch_size: 32}", f"batch_size: 32, {train}}}", 1))
    return load(path)


def test_two_methods_compare_on_one_basis(tmp_path: Path) -> None:
    flops = ', model: {flops: "0.1 kFLOPs"}'
    seen = evidence(tmp_path, {"ours": run()}, flops, flops)
    costs, (pair,) = seen.get(Costs), comparisons(seen.claims)
    assert [cost.level for cost in costs.both("forward", pair)] == [Level.DECLARED] * 2
    both = evidence(tmp_path, {"ours": run(), "base": run()}, flops, flops)
    (pair,) = comparisons(both.claims)
    assert [cost.value for cost in both.get(Costs).both("forward", pair)] == [10, 10]
    alone = evidence(tmp_path, {"ours": run()})
    (pair,) = comparisons(alone.claims)
    with pytest.raises(Missing, match="rerun `base`"):
        alone.get(Costs).both("forward", pair)


def test_an_incomplete_count_never_clears_and_never_flags_its_rival(tmp_path: Path) -> None:
    partly = run(flops=[{**TRAIN, "coverage": 0.5}, {**EVAL, "coverage": 0.5}])
    dear = run(flops=[{**TRAIN, "forward": 32_000}, {**EVAL, "forward": 100_000}])
    asked = [rules.load()[code] for code in ("RC104", "RC105", "RC105b", "RC106", "RC107", "RC506")]
    flops = ', model: {flops: "0.01 kFLOPs"}'
    for seen in ({"ours": partly, "base": partly}, {"ours": dear, "base": partly}):
        found = judge(evidence(tmp_path, seen, base=flops), asked)
        states = {j.state for j in found if j.rule in {"RC104", "RC105"}}
        assert states == {State.UNDETERMINED}
        assert not [j for j in found if j.state is State.FLAGGED]


# In the report


def test_a_cell_says_how_it_is_known_and_no_ratio_mixes_the_two(tmp_path: Path) -> None:
    declared = ', model: {flops: "0.1 kFLOPs", params: 100}'
    told = budget(evidence(tmp_path, {"ours": run(wall_s=4.0)}, base=declared))
    ours, theirs = (method["cells"] for method in told["methods"])
    assert {key: cell.get("how") for key, cell in ours.items()} == {
        "steps": "observed", "samples": "observed", "epochs": "observed",
        "effective_epochs": "observed", "train_flops": "observed", "inference_flops": "observed",
        "params": "observed", "wall": "observed",
    }  # fmt: skip
    assert (theirs["epochs"]["how"], theirs["samples"]["how"]) == ("declared", "derived")
    assert theirs["train_flops"]["value"] is None
    assert "train_flops" in theirs["train_flops"]["reason"]
    (one,) = told["comparisons"]
    assert one["ratios"]["samples"] == {
        "ratio": 1.0, "method": 3840, "baseline": 3840, "at_least": "",
    }  # fmt: skip
    assert one["ratios"]["inference_flops"]["ratio"] is None


def test_tokens_stand_in_the_budget_only_where_there_are_any(tmp_path: Path) -> None:
    assert "tokens" not in budget(evidence(tmp_path, {}))["methods"][0]["cells"]
    claims = load_with(tmp_path, "sequence_length: 10")
    assert budget(Evidence(claims=claims))["methods"][0]["cells"]["tokens"]["value"] == 38_400


# From a real run


SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
data = torch.utils.data.TensorDataset(torch.randn(96, 8), torch.randint(0, 3, (96,)))
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(2):
    for x, y in torch.utils.data.DataLoader(data, batch_size=16):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for x, y in torch.utils.data.DataLoader(data, batch_size=32):
            net(x)
    net.train()
"""


def test_the_flops_of_a_real_training_are_the_analytic_ones(tmp_path: Path) -> None:
    raw = observe_raw(SCRIPT, tmp_path)
    assert raw.rc == 0, raw.err
    seen = observe(raw.folder)
    assert seen.training is not None
    mine, one = train_bill(seen, seen.training), eval_bill(seen)
    macs = 8 * 16 + 16 * 3
    assert (mine.forward, one.forward) == (2 * macs, 2 * macs)
    assert mine.backward == 2 * (8 * 16 + 2 * 16 * 3), "the first layer's input needs no gradient"
    assert (mine.passes, mine.samples, one.views) == (1, 192, 1)
    assert mine.at_least == one.at_least == ""
