"""What honest papers look like to the rules of the tricks, and what partial evidence may not clear.

Every case is a claims file with what a probe saw of its runs; nothing is trained.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from observed_support import evidence_beside

from repcheck import rules
from repcheck.judge import judge
from repcheck.rule import Judgement, Severity, State

RULES = rules.load()
OPEN = {State.UNDETERMINED, State.NOT_APPLICABLE}


def asked(
    folder: Path, code: str, claims: dict[str, Any], seen: dict[str, Any]
) -> list[Judgement]:
    """Return a rule's answers to a claims file and to what was seen of its runs."""
    file = folder / "claims.yaml"
    file.write_text(json.dumps({"repcheck": 1, **claims}))
    (folder / "claims.observed.yaml").write_text(json.dumps(seen))
    found = judge(evidence_beside(file), [RULES[code]])
    assert found
    assert not [one.message for one in found if one.state is State.ERROR]
    return found


def states(found: list[Judgement]) -> set[State]:
    return {one.state for one in found}


def accused(found: list[Judgement]) -> list[str]:
    return [
        one.message
        for one in found
        if one.state is State.FLAGGED and (one.severity or Severity.NOTE).rank > 0
    ]


# --- what a run printed, and what its predictions give ------------------------------------------


def two(metric: dict[str, Any], *, file: str = "preds.csv", **more: Any) -> dict[str, Any]:
    about = {"source": "ours-rerun", "eval": {"predictions": f"{{out}}/{file}"}}
    name, stated = next(iter(metric.items()))
    return {
        "methods": {"ours": {"role": "proposed", **about}, "base": {"role": "baseline", **about}},
        "metrics": {name: {"from": f"{{out}}/m.json:{name}", **stated}},
        "claims": [
            {"id": "C1", "method": "ours", "baselines": ["base"], "metric": name,
             "improvement": 5.0}
        ],
        **more,
    }  # fmt: skip


def ran(seed: int, name: str, value: float, **predicted: Any) -> dict[str, Any]:
    said = {"predictions": predicted} if predicted else {}
    return {"seed": seed, "probe": False, "metrics": {name: value}, **said}


ACC = {"accuracy": {"higher_is_better": True, "unit": "percent"}}


def test_predictions_of_a_part_of_the_test_set_clear_no_printed_number(tmp_path: Path) -> None:
    claims = two({"accuracy": {**ACC["accuracy"], "n_test": 1000}})
    seen = {"ours": [ran(0, "accuracy", 90.0, confusion=[[9, 1], [1, 9]])]}
    found = [one for one in asked(tmp_path, "RC603b", claims, seen) if one.subject_id == "ours"]
    assert states(found) == {State.UNDETERMINED}


def test_runs_without_predictions_are_not_cleared_by_the_others(tmp_path: Path) -> None:
    seen = {"ours": [ran(0, "accuracy", 90.0, confusion=[[9, 1], [1, 9]]),
                     ran(1, "accuracy", 99.0), ran(2, "accuracy", 99.5)]}  # fmt: skip
    found = asked(tmp_path, "RC603b", two(ACC), seen)
    mine = [one for one in found if one.subject_id == "ours"]
    assert states(mine) == {State.UNDETERMINED}
    assert "2 of 3 runs" in mine[0].message


def test_an_accuracy_of_whole_sequences_is_a_definition(tmp_path: Path) -> None:
    """Half of the sequences are right, and five of six positions."""
    claims = two({"accuracy": {**ACC["accuracy"], "n_test": 2}}, file="preds.npz")
    right = [[1, 2, 3], [1, 2, 3]]
    np.savez(tmp_path / "preds.npz", index=[0, 1], label=right, pred=[[1, 2, 3], [1, 2, 0]])
    run = ran(0, "accuracy", 50.0) | {"predictions": "preds.npz"}
    found = asked(tmp_path, "RC603b", claims, {"ours": [run]})
    assert not accused(found)


def test_padding_in_sequences_accuses_nobody(tmp_path: Path) -> None:
    claims = two({"accuracy": {**ACC["accuracy"], "n_test": 2}}, file="preds.npz")
    padded = [[1, 2, -100], [1, -100, -100]]
    np.savez(tmp_path / "preds.npz", index=[0, 1], label=padded, pred=[[1, 2, 7], [1, 9, 9]])
    run = ran(0, "accuracy", 100.0) | {"predictions": "preds.npz"}
    found = asked(tmp_path, "RC603b", claims, {"ours": [run]})
    assert not accused(found)


def test_errors_in_another_unit_than_the_predictions_accuse_nobody(tmp_path: Path) -> None:
    claims = two({"rmse": {"higher_is_better": False, "n_test": 4}})
    runs = [
        ran(k, "rmse", 12.5 * value, index=[0, 1, 2, 3], label=[0.5, 1.5, 2.5, 3.5],
            pred=[0.5 + value, 1.5 + value, 2.5 + value, 3.5 + value])
        for k, value in enumerate((0.2, 0.3, 0.1))
    ]  # fmt: skip
    assert not accused(asked(tmp_path, "RC603b", claims, {"ours": runs}))


def test_a_share_in_the_other_unit_accuses_nobody(tmp_path: Path) -> None:
    claims = two({"accuracy": {**ACC["accuracy"], "n_test": 20}})
    seen = {"ours": [ran(0, "accuracy", 0.9, confusion=[[9, 1], [1, 9]])]}
    assert not accused(asked(tmp_path, "RC603b", claims, seen))


def test_digits_that_are_cut_off_accuse_nobody(tmp_path: Path) -> None:
    claims = two({"accuracy": {**ACC["accuracy"], "n_test": 30}})
    seen = {"ours": [ran(0, "accuracy", 96.6, confusion=[[14, 1], [0, 15]]),
                     ran(1, "accuracy", 93.3, confusion=[[14, 1], [1, 14]])]}  # fmt: skip
    assert not accused(asked(tmp_path, "RC603b", claims, seen))


@pytest.mark.parametrize("name", ["best_acc", "best.accuracy", "early_stopped.accuracy"])
def test_the_best_epoch_beside_the_predictions_of_the_last_accuses_nobody(
    tmp_path: Path, name: str
) -> None:
    stated = {**ACC["accuracy"], "n_test": 20, "from": f"{{out}}/m.json:{name}"}
    seen = {"ours": [ran(0, "accuracy", 95.0, confusion=[[9, 1], [1, 9]])]}
    assert not accused(asked(tmp_path, "RC603b", two({"accuracy": stated}), seen))


# --- definitions and examples -------------------------------------------------------------------


def predicted(index: list[Any], wrong: int) -> dict[str, Any]:
    label = [k % 2 for k in range(len(index))]
    pred = [1 - one if k < wrong else one for k, one in enumerate(label)]
    return {"index": index, "label": label, "pred": pred}


def test_examples_that_bear_other_names_are_not_called_missing(tmp_path: Path) -> None:
    ours, theirs = [f"img{k}" for k in range(20)], list(range(20))
    seen = {
        "ours": [ran(k, "accuracy", 95.0, **predicted(ours, 1)) for k in range(3)],
        "base": [ran(k, "accuracy", 80.0, **predicted(theirs, 4)) for k in range(3)],
    }
    found = asked(tmp_path, "RC504", two(ACC), seen)
    assert not accused(found)
    assert State.CLEARED not in states(found)


def test_a_test_set_drawn_anew_with_each_seed_is_not_called_smaller(tmp_path: Path) -> None:
    drawn = [list(range(k, 40, 1))[: 30 + k] for k in (0, 4, 8)]
    seen = {
        "ours": [ran(k, "accuracy", 100 * (1 - 3 / len(one)), **predicted(one, 3))
                 for k, one in enumerate(drawn)],
        "base": [ran(k, "accuracy", 100 * (1 - 6 / len(one)), **predicted(one, 6))
                 for k, one in enumerate(drawn)],
    }  # fmt: skip
    for side in seen.values():
        for run in side:
            run["metrics"]["accuracy"] = round(run["metrics"]["accuracy"], 4)
    assert not accused(asked(tmp_path, "RC504", two(ACC), seen))


def test_a_definition_that_cannot_be_recomputed_is_no_error(tmp_path: Path) -> None:
    error = {"error": {"higher_is_better": False, "unit": "percent",
                       "definition": "balanced error rate"}}  # fmt: skip
    seen = {
        "ours": [ran(k, "error", 5.0, **predicted(list(range(20)), 1)) for k in range(3)],
        "base": [ran(k, "error", 20.0, **predicted(list(range(20)), 4)) for k in range(3)],
    }
    found = asked(tmp_path, "RC504", two(error), seen)
    assert not accused(found)
    assert State.CLEARED not in states(found)


# --- figures --------------------------------------------------------------------------------------


def test_one_example_of_twenty_is_too_few_to_be_cleared(tmp_path: Path) -> None:
    claims = two(ACC, qualitative=[{"figure": "Fig. 1", "selection": "random", "indices": [3]}])
    seen = {
        "ours": [ran(0, "accuracy", 95.0, **predicted(list(range(20)), 1))],
        "base": [ran(0, "accuracy", 80.0, **predicted(list(range(20)), 4))],
    }
    found = asked(tmp_path, "RC512", claims, seen)
    assert State.CLEARED not in states(found)
    assert not accused(found)


def test_identical_predictions_clear_no_choice_of_figures(tmp_path: Path) -> None:
    claims = two(ACC, qualitative=[{"figure": "Fig. 1", "indices": [0, 3, 5]}])
    seen = {
        name: [ran(0, "accuracy", 95.0, **predicted(list(range(40)), 2))]
        for name in ("ours", "base")
    }
    assert State.CLEARED not in states(asked(tmp_path, "RC512", claims, seen))


# --- controls -------------------------------------------------------------------------------------


def control(metric: dict[str, Any], usual: float, fed: float, *, rows: int = 1000,
            data: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """Return a method with one control, fed other examples for all rows of its test set."""
    name, stated = next(iter(metric.items()))
    seen = {
        "seed": 7, "dataset": "d", "libraries": ["numpy", "torch"], "training": {"steps": 125},
        "sets": [{"id": 0, "examples": rows, "by": "indices"}],
        "evaluations": [{"n": 1, "at": 125, "set": 0, "rows": rows, "forwards": 4,
                         "params": 1000, "final": True}],
    }  # fmt: skip
    other = {"of": "ours", "arm_kind": "control", "metrics": {name: fed},
             "surgery": [{"kind": "unpair", "times": rows, "places": 1}]}  # fmt: skip
    claims = {
        "datasets": {"d": data or {}},
        "methods": {"ours": {"role": "proposed", "train": {"epochs": 10}}},
        "metrics": {name: stated},
        "claims": [{"id": "C1", "method": "ours", "dataset": "d", "metric": name, "value": usual}],
    }
    return claims, {"ours": {**seen, "metrics": {name: usual}},
                    "ours fed other examples": {**seen, **other}}  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "usual", "fed"),
    [
        ({"params": {"higher_is_better": False, "unit": "M"}}, 1.2, 1.2),
        ({"latency": {"higher_is_better": False, "unit": "ms"}}, 4.0, 4.01),
        ({"throughput": {"higher_is_better": True, "unit": "images/s"}}, 4000.0, 4000.0),
        ({"train_accuracy": {"higher_is_better": True, "unit": "percent"}}, 97.0, 97.0),
        ({"rmse": {"higher_is_better": False}}, 0.975, 1.025),
        ({"fid": {"higher_is_better": False}}, 12.31, 12.35),
    ],
)
def test_a_number_that_need_not_depend_on_the_inputs_accuses_nobody(
    tmp_path: Path, metric: dict[str, Any], usual: float, fed: float
) -> None:
    found = asked(tmp_path, "RC603c", *control(metric, usual, fed))
    assert not accused(found)
    assert State.CLEARED not in states(found)


def test_an_imbalanced_test_set_accuses_nobody(tmp_path: Path) -> None:
    """Ninety-five of a hundred are of one class: any answers that keep to that score 91."""
    claims, seen = control({"acc": ACC["accuracy"]}, 96.0, 92.1, data={"labels": {"classes": 2}})
    assert not accused(asked(tmp_path, "RC603c", claims, seen))


def test_a_score_at_chance_is_not_cleared_by_a_control(tmp_path: Path) -> None:
    claims, seen = control(
        {"acc": ACC["accuracy"]}, 60.0, 50.0, rows=10, data={"labels": {"classes": 2}}
    )
    assert states(asked(tmp_path, "RC603c", claims, seen)) == {State.UNDETERMINED}


def test_a_network_written_in_numpy_is_not_called_idle(tmp_path: Path) -> None:
    claims = {
        "datasets": {"d": {"labels": {"classes": 10}}},
        "methods": {"ours": {"role": "proposed", "model": {"entry": "mlp:MLP"},
                             "train": {"epochs": 10}}},
        "metrics": {"acc": ACC["accuracy"]},
        "claims": [{"id": "C1", "method": "ours", "dataset": "d", "metric": "acc", "value": 94.3}],
    }  # fmt: skip
    seen = {"seed": 7, "dataset": "d", "metrics": {"acc": 94.3}, "libraries": ["numpy"],
            "cpu_s": 3.0, "processes": [{"base": "a", "argv": ["python", "t.py"],
                                         "python": "3.11", "cpu_s": 3.0}]}  # fmt: skip
    found = asked(tmp_path, "RC603c", claims, {"ours": seen})
    assert not accused(found)
    assert State.CLEARED not in states(found)


# --- environments -----------------------------------------------------------------------------


def resets(train: list[int], test: list[int], **more: Any) -> dict[str, Any]:
    lines = [
        {"site": "/run/a.py:18", "cls": "Maze", "count": 300, "seeds": [train], "during": True},
        {"site": "/run/a.py:30", "cls": "Maze", "count": 140, "seeds": [test], "during": True,
         "after": True},
    ]  # fmt: skip
    return {"metrics": {"return": 60}, "resets": lines, **more}


MAZE = {
    "datasets": {"maze": {"environment": {"id": "Maze"}}},
    "defaults": {"dataset": "maze"},
    "methods": {name: {"role": role, "train": {"command": "python t.py --seed {seed} --out {out}"}}
                for name, role in (("ours", "proposed"), ("base", "baseline"))},
    "metrics": {"return": {"higher_is_better": True, "from": "{out}/m.json:return"}},
    "claims": [{"id": "C1", "type": "improvement", "method": "ours", "baselines": ["base"],
                "metric": "return", "improvement": 5.0}],
}  # fmt: skip


def test_seeds_of_one_run_do_not_clear_those_of_the_others(tmp_path: Path) -> None:
    seen = {"ours": [resets([0, 299], [1000, 1019]), resets([0, 299], [290, 309], seed=1)]}
    found = asked(tmp_path, "RC509b", MAZE, seen)
    assert states(found) == {State.FLAGGED}


def test_environments_in_processes_out_of_sight_are_not_cleared(tmp_path: Path) -> None:
    gap = {"gaps": [{"what": "process", "why": "a worker was not seen"}]}
    seen = {"ours": resets([0, 299], [1000, 1019], **gap)}
    assert State.CLEARED not in states(asked(tmp_path, "RC509b", MAZE, seen))


def test_a_baseline_that_was_not_seen_is_not_called_clean(tmp_path: Path) -> None:
    found = asked(tmp_path, "RC509b", MAZE, {"ours": resets([0, 299], [290, 309])})
    assert "0 for `base`" not in found[0].message
