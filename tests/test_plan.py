"""What is planned, in which order, with which seeds, and what is left out and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repcheck.arms import replace_flag
from repcheck.claims.load import load
from repcheck.errors import Reason, RepcheckError, UsageError
from repcheck.machine.artifact import scan
from repcheck.plan import History, Plan, PlanOptions, make_plan
from repcheck.plan_table import shown
from repcheck.runs import SeedKind

CLAIMS = """
repcheck: 1
paper: {title: "BetterNet"}
artifact: {root: .}
defaults:
  seeds: [0, 1, 2]
methods:
  better: {role: proposed, train: {command: "python t.py --model better --seed {seed} --epochs {epochs} --out {out}", epochs: 10}}
  base: {role: baseline, train: {command: "python t.py --model base --seed {seed} --epochs {epochs} --out {out}", epochs: 10}}
metrics:
  acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}
results:
  - {method: better, metric: acc, mean: 93.1, std: 0.6, n: 5}
claims:
  - {id: C1, text: "better beats base", method: better, baselines: [base], metric: acc, improvement: 5.2}
"""  # noqa: E501


def planned(folder: Path, text: str = CLAIMS, **options: object) -> Plan:
    folder.mkdir(exist_ok=True)
    (folder / "claims.yaml").write_text(text)
    (folder / "t.py").touch()
    return make_plan(load(folder / "claims.yaml"), PlanOptions(**options))


def seeds(plan: Plan, method: str, kind: SeedKind) -> list[int]:
    first = [run for run in plan.runs if not run.replicate]
    return [run.seed for run in first if (run.method, run.seed_kind) == (method, kind)]


def test_each_method_gets_its_declared_and_five_fresh_seeds(tmp_path):
    plan = planned(tmp_path)
    assert seeds(plan, "better", SeedKind.DECLARED) == [0, 1, 2]
    assert seeds(plan, "base", SeedKind.FRESH) == list(plan.fresh_seeds)
    assert len(set(plan.fresh_seeds)) == 5
    assert all(0 <= seed < 2**31 for seed in plan.fresh_seeds)
    assert len({run.key for run in plan.runs}) == len(plan.runs) == 16 + 2


def test_the_arms_take_turns_so_that_stopping_early_leaves_them_even(tmp_path):
    runs = planned(tmp_path).runs
    assert [run.method for run in runs[:6]] == ["better", "base"] * 3
    assert [run.seed_kind for run in runs[:4]] == [SeedKind.FRESH] * 2 + [SeedKind.DECLARED] * 2


def test_last_of_all_the_first_fresh_seed_of_each_arm_on_each_dataset_is_run_again(tmp_path):
    text = CLAIMS.replace("--epochs {epochs}", "--data {train}")
    text = text.replace("  seeds:", "  dataset: s\n  seeds:")
    text = text.replace("metric: acc, improvement", "datasets: [s, l], metric: acc, improvement")
    text += "datasets: {s: {train: {path: s.npz}}, l: {train: {path: l.npz}}}\n"
    runs = planned(tmp_path, text).runs
    again = [run for run in runs if run.replicate]
    assert again == list(runs[-4:])
    arms = [(run.method, run.dataset) for run in again]
    assert sorted(arms) == [("base", "l"), ("base", "s"), ("better", "l"), ("better", "s")]
    for run in again:
        assert (run.replicate, run.seed_kind) == (1, SeedKind.FRESH)
        assert run.title.endswith("(fresh, again)")
        [once] = [one for one in runs if one.commands == run.commands and not one.replicate]
        assert once is next(one for one in runs if (one.method, one.dataset) == (
            run.method, run.dataset))  # fmt: skip
        assert once.key != run.key


def test_the_budget_spends_on_seeds_before_it_repeats_one(tmp_path):
    for most, repeated in ((16, 0), (17, 1), (18, 2)):
        plan = planned(tmp_path, CLAIMS + f"budget: {{max_trainings: {most}}}\n")
        assert [run.replicate for run in plan.runs] == [0] * 16 + [1] * repeated
        assert len(plan.left_out) == 2 - repeated
        assert all("again" in left.run for left in plan.left_out)
    costs = {("better", ""): 30.0, ("base", ""): 30.0}
    plan = planned(tmp_path, CLAIMS + "budget: {max_minutes: 8}\n", history=History(costs=costs))
    assert [run.replicate for run in plan.runs] == [0] * 16


def test_a_repeat_is_shown_as_one_and_not_as_a_seed_more(tmp_path):
    plan = planned(tmp_path, CLAIMS + "budget: {max_trainings: 17}\n")
    said = shown(plan, "table")
    first = plan.fresh_seeds[0]
    assert "17 runs: 10 with fresh seeds" in said
    assert f" 6 with declared ones, 1 repeat of seed {first}; 17 to do" in said
    assert said.count("repcheck, again") == 1
    whole = shown(planned(tmp_path), "table")
    assert f", 2 repeats of seed {first}; 18 to do" in whole
    kept = [
        json.loads(row)["run"] for row in plan.to_jsonl().splitlines() if row.startswith('{"run"')
    ]
    assert [run["replicate"] for run in kept] == [0] * 16 + [1]


def test_placeholders_are_filled_except_out(tmp_path):
    run = planned(tmp_path).runs[0]
    seed = str(run.seed)
    expected = [
        "python",
        "t.py",
        "--model",
        "better",
        "--seed",
        "S",
        "--epochs",
        "10",
        "--out",
        "{out}",
    ]
    assert run.commands == (tuple(seed if word == "S" else word for word in expected),)
    assert run.readers == {"acc": "{out}/m.json:acc"}
    assert run.time_limit_s == 3600


def test_more_than_five_declared_seeds_are_the_first_five_and_said_so(tmp_path):
    plan = planned(tmp_path, CLAIMS.replace("[0, 1, 2]", "[9, 8, 7, 6, 5, 4, 3]"))
    assert seeds(plan, "base", SeedKind.DECLARED) == [9, 8, 7, 6, 5]
    assert "base: the first 5 of 7 declared seeds are rerun" in plan.notes


def test_a_comment_or_a_reported_number_changes_neither_seeds_nor_keys(tmp_path):
    before = planned(tmp_path / "a")
    after = planned(tmp_path / "b", "# a remark\n" + CLAIMS.replace("93.1", "94.1"))
    assert after.fresh_seeds == before.fresh_seeds
    assert [run.key for run in after.runs] == [run.key for run in before.runs]
    assert after.id == before.id


def test_a_changed_command_or_salt_draws_other_seeds(tmp_path):
    before = planned(tmp_path).fresh_seeds
    changed = planned(tmp_path, CLAIMS.replace("--model base", "--model basic")).fresh_seeds
    salted = planned(tmp_path, salt="reviewer 2").fresh_seeds
    assert len({before, changed, salted}) == 3


def test_fresh_seeds_never_collide_with_declared_ones(tmp_path):
    first = planned(tmp_path).fresh_seeds
    plan = planned(tmp_path, CLAIMS.replace("[0, 1, 2]", f"[{first[0]}, {first[3]}]"))
    assert plan.fresh_seeds[:3] == (first[1], first[2], first[4])


def test_a_changed_artifact_changes_the_keys_and_its_caches_do_not(tmp_path):
    before = {run.key for run in planned(tmp_path).runs}
    for name in (".git", "__pycache__", ".venv", "repcheck-out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("x")
    assert {r.key for r in planned(tmp_path, exclude=(tmp_path / "out",)).runs} == before
    (tmp_path / "t2.py").write_text("x")
    assert not {run.key for run in planned(tmp_path).runs} & before


def test_a_claim_without_a_command_is_listed_with_its_reason(tmp_path):
    text = CLAIMS.replace("command: ", "x-command: ", 1)
    plan = planned(tmp_path, text)
    assert {run.method for run in plan.runs} == {"base"}
    (missing,) = plan.not_run
    assert (missing.claim, missing.method, missing.reason) == ("C1", "better", Reason.NO_COMMAND)
    assert "methods.better.train.command" in missing.would_decide


def test_a_metric_without_a_reader_is_listed_with_its_reason(tmp_path):
    plan = planned(tmp_path, CLAIMS.replace(', from: "{out}/m.json:acc"', ""))
    assert plan.runs == ()
    assert {item.reason for item in plan.not_run} == {Reason.UNDECLARED_KEY}


def test_a_claim_on_data_that_the_command_cannot_be_given_is_listed_with_its_reason(tmp_path):
    text = CLAIMS.replace("  seeds:", "  dataset: small\n  seeds:")
    text = text.replace("metric: acc, improvement", "dataset: large, metric: acc, improvement")
    text += "datasets: {small: {}, large: {}}\n"
    plan = planned(tmp_path, text)
    assert plan.runs == ()
    assert {item.reason for item in plan.not_run} == {Reason.NO_PLACEHOLDER}
    assert "runs on `small`" in plan.not_run[0].would_decide


def test_what_the_budget_leaves_out_is_listed_and_the_arms_stay_even(tmp_path):
    plan = planned(tmp_path, CLAIMS + "budget: {max_trainings: 6, seeds_per_arm: 4}\n")
    assert len(plan.runs) == 6
    assert [run.method for run in plan.runs].count("base") == 3
    assert len(plan.left_out) == 14 + 2 - 6
    assert {item.reason for item in plan.left_out} == {Reason.BUDGET_EXHAUSTED}


def test_the_minutes_of_the_budget_count_what_is_not_done_yet(tmp_path):
    text = CLAIMS + "budget: {max_minutes: 2}\n"
    costs = {("better", ""): 30.0, ("base", ""): 30.0}
    plan = planned(tmp_path, text, history=History(costs=costs))
    assert len(plan.runs) == 4
    assert plan.estimate_s == 120
    done = frozenset(run.key for run in plan.runs)
    again = planned(tmp_path, text, history=History(costs=costs, done=done))
    assert len(again.runs) == 8
    assert len(planned(tmp_path, text, history=History(costs=costs), jobs=2).runs) == 8


def test_the_cost_is_unknown_before_the_first_run(tmp_path):
    plan = planned(tmp_path)
    assert plan.estimate_s is None
    assert plan.cost(plan.runs[0]) is None


def test_without_a_seed_placeholder_the_runs_are_repetitions_and_said_so(tmp_path):
    plan = planned(tmp_path, CLAIMS.replace("--seed {seed} ", ""))
    assert len(plan.runs) == 10
    assert "no {seed}" in plan.notes[0]
    assert len({run.key for run in plan.runs}) == 10


def test_a_seed_fragment_is_appended_once(tmp_path):
    text = CLAIMS.replace("--seed {seed} ", "--seed 3 ") + 'overrides: {seed: "--seed {value}"}\n'
    run = planned(tmp_path, text).runs[0]
    assert run.commands[0].count("--seed") == 1
    assert run.commands[0][-2:] == ("--seed", str(run.seed))


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("a --pool avg b", "a b --pool conv"),
        ("a --pool=avg b", "a b --pool conv"),
        ("a --pool", "a --pool conv"),
        ("a --pool --x 1", "a --x 1 --pool conv"),
        ("a --pool -0.5 c", "a c --pool conv"),
        ("a --pooling avg", "a --pooling avg --pool conv"),
    ],
)
def test_a_fragment_replaces_an_earlier_flag(argv, expected):
    assert replace_flag(argv.split(), ("--pool", "conv")) == tuple(expected.split())


def test_data_placeholders_are_of_the_runs_own_dataset_and_relative_to_its_folder(tmp_path):
    text = CLAIMS.replace("--epochs {epochs}", "--data {train}").replace(
        "epochs: 10}", "cwd: src, epochs: 10}"
    )
    text += "datasets:\n  mini: {train: {path: data/train.npz}}\n"
    run = planned(tmp_path, text).runs[0]
    assert run.dataset == "mini"
    assert "../data/train.npz" in run.commands[0]
    assert run.cwds == ("src",)


def test_data_outside_of_the_artifact_is_part_of_the_key(tmp_path):
    data = tmp_path / "train.npz"
    data.write_text("1")
    text = CLAIMS + f"datasets:\n  mini: {{train: {{path: {data}}}}}\n"
    before = planned(tmp_path / "a", text).runs[0].key
    data.write_text("2")
    assert planned(tmp_path / "a", text).runs[0].key != before


def test_a_fraction_of_a_percent_metric_is_scaled_where_it_is_declared(tmp_path):
    plan = planned(tmp_path, CLAIMS.replace("unit: percent", "unit: percent, read_as: fraction"))
    assert plan.runs[0].scales == {"acc": 100.0}
    assert planned(tmp_path).runs[0].scales == {}


def test_a_methods_own_reader_is_used(tmp_path):
    text = CLAIMS.replace(
        "better: {role: proposed,", 'better: {role: proposed, read: {acc: "{out}/e.csv:acc@last"},'
    )
    readers = {run.method: run.readers["acc"] for run in planned(tmp_path, text).runs}
    assert readers == {"better": "{out}/e.csv:acc@last", "base": "{out}/m.json:acc"}


def test_the_plan_is_written_as_one_json_mapping_a_line(tmp_path):
    plan = planned(tmp_path, CLAIMS + "budget: {max_trainings: 6}\n")
    lines = [json.loads(line) for line in plan.to_jsonl().splitlines()]
    assert lines[0]["plan"] == plan.id
    assert lines[0]["estimate_s"] is None
    assert [line["run"]["key"] for line in lines if "run" in line] == [r.key for r in plan.runs]
    assert sum("left_out" in line for line in lines) == len(plan.left_out)


def test_a_stated_time_limit_may_be_longer_and_a_given_one_wins(tmp_path):
    text = CLAIMS.replace("epochs: 10}", 'epochs: 10, time_limit: "2 h"}')
    assert planned(tmp_path, text).runs[0].time_limit_s == 7200
    assert planned(tmp_path, text, time_limit_s=60).runs[0].time_limit_s == 60


def test_an_artifact_that_is_no_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="not a folder"):
        planned(tmp_path, CLAIMS.replace("root: .", "root: nowhere"))


def test_an_artifact_too_large_to_copy_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"x" * 2048)
    with pytest.raises(RepcheckError, match=r"outside of `artifact.root`"):
        scan(tmp_path, size_cap=1024)


def test_a_file_without_commands_plans_nothing_and_reads_no_artifact(tmp_path):
    plan = planned(
        tmp_path, CLAIMS.replace("command: ", "x-command: ").replace("root: .", "root: no")
    )
    assert plan.runs == ()
    assert plan.tree is None
