"""What honest papers look like to the rules of the tricks, and what partial evidence may not clear.

Every case is a claims file with what a probe saw of its runs; nothing is trained.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from observed_support import evidence_beside

from repcheck import rules
from repcheck.answers import Answer, answered, load_answers
from repcheck.errors import Reason, UsageError
from repcheck.fact import Level
from repcheck.judge import judge
from repcheck.report_tricks import standing
from repcheck.rule import Judgement, Part, Severity, State

RULES = rules.load()
OPEN = {State.UNDETERMINED, State.NOT_APPLICABLE}


def asked(folder: Path, code: str, claims: dict[str, Any], seen: dict[str, Any]) -> list[Judgement]:
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


def control(
    metric: dict[str, Any],
    usual: float,
    fed: float,
    *,
    rows: int = 1000,
    data: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
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


# --- prompts, noise, losses, people -----------------------------------------------------------


def test_a_longer_prompt_that_is_the_contribution_accuses_nobody(tmp_path: Path) -> None:
    about = {"train": {"command": "python ask.py --seed {seed} --out {out}"},
             "prompt": {"template": "p.txt", "call": "lm:generate"}}  # fmt: skip
    claims = {
        "methods": {"ours": {"role": "proposed", **about}, "base": {"role": "baseline", **about}},
        "metrics": ACC,
        "claims": [{"id": "C1", "method": "ours", "baselines": ["base"], "metric": "accuracy",
                    "improvement": 5.0, "attributed_to": ["prompt"]}],
    }  # fmt: skip
    put = {"via": "call", "what": "lm:generate", "count": 200, "kept": 200, "unique": 200}
    seen = {
        "ours": {"metrics": {"accuracy": 93.0},
                 "prompts": {**put, "words": 80, "shots": 5, "prefix": "Think step by step."}},
        "base": {"metrics": {"accuracy": 88.0}, "prompts": {**put, "words": 20, "prefix": "Say."}},
    }  # fmt: skip
    assert not accused(asked(tmp_path, "RC508", claims, seen))


def test_a_credited_block_that_draws_random_numbers_is_a_question(tmp_path: Path) -> None:
    side = {
        "training": {"steps": 100, "samples": 4000, "unique": 400, "unique_by": "indices"},
        "evaluations": [{"n": 1, "at": 100, "set": 1, "rows": 1000, "forwards": 4, "final": True}],
        "sets": [{"id": 1, "examples": 1000, "by": "indices", "trained_index": 0}],
    }
    net = ["conv2d conv:Conv2d 8x8x8 +80 kernel=[3,3] <-1", "linear fc:Linear 10 +330"]
    claims = {
        "datasets": {"d": {"ood": True}},
        "defaults": {"dataset": "d", "augmentation": []},
        "methods": {
            name: {"role": role, "train": {"command": "python t.py --seed {seed} --out {out}"}}
            for name, role in (("ours", "proposed"), ("base", "baseline"))
        },
        "metrics": ACC,
        "claims": [{"id": "C1", "method": "ours", "baselines": ["base"], "metric": "accuracy",
                    "improvement": 5.0, "attributed_to": ["stochastic_gate"]}],
    }  # fmt: skip
    drawn = ["add gate:StochasticGate 1x8x8 by=chance <-1", net[0].removesuffix(" <-1"), net[1]]
    found = asked(
        tmp_path, "RC510", claims, {"ours": {**side, "net": drawn}, "base": {**side, "net": net}}
    )
    assert states(found) == {State.UNDETERMINED}


@pytest.mark.parametrize("name", ["entropy_bonus", "kl"])
def test_a_small_term_that_works_by_adding_up_is_not_called_inert(
    tmp_path: Path, name: str
) -> None:
    about = {"train": {"command": "python t.py --seed {seed} --out {out}"}}
    main = {"name": "cross_entropy", "weight": 1.0}
    claims = {
        "methods": {
            "ours": {"role": "proposed", "losses": [main, {"name": name, "weight": 0.01}], **about},
            "base": {"role": "baseline", "losses": [main], **about},
        },
        "metrics": ACC,
        "claims": [{"id": "C1", "method": "ours", "baselines": ["base"], "metric": "accuracy",
                    "improvement": 5.0}],
    }  # fmt: skip
    terms = [
        {"share": 0.999, "mean": 0.999, "top": 1.0, "small": 0.0, "op": "NllLossBackward0"},
        {"share": 0.001, "mean": 0.001, "top": 0.002, "small": 1.0, "op": "MulBackward0"},
    ]
    seen = {"losses": [{"n": 31, "calls": 250, "steps": [2, 248], "terms": terms}]}
    found = asked(tmp_path, "RC401", claims, {"ours": seen, "base": {}})
    assert not accused(found)


def test_a_study_with_people_contradicts_no_claim_on_accuracy(tmp_path: Path) -> None:
    """People see no difference; nobody claims that they do."""
    rows = ["rater,item,preferred,left"]
    for rater in range(6):
        for item in range(20):
            left = "ours" if (rater + item) % 2 else "base"
            liked = "ours" if (rater * 7 + item * 3) % 4 < 2 else "base"
            rows.append(f"r{rater},i{item},{liked},{left}")
    (tmp_path / "ratings.csv").write_text("\n".join(rows) + "\n")
    claims = {
        "datasets": {"d": {"public": True}},
        "methods": {"ours": {"role": "proposed"}, "base": {"role": "baseline"}},
        "metrics": ACC,
        "claims": [{"id": "C1", "method": "ours", "baselines": ["base"], "metric": "accuracy",
                    "improvement": 5.0}],
        "human_evaluation": {"raters": 6, "items": 20, "randomised": True, "blinded": True,
                             "order_counterbalanced": True, "raw_ratings": "ratings.csv"},
    }  # fmt: skip
    found = asked(tmp_path, "RC511", claims, {})
    assert not [one for one in accused(found) if "do not show" in one or "the sign" in one]


# --- leaks, references, releases --------------------------------------------------------------


def test_a_set_without_a_leak_clears_nothing_beside_one_with_a_leak(tmp_path: Path) -> None:
    claims = {
        "datasets": {"d": {"train": {"size": 1300}}},
        "methods": {"ours": {"role": "proposed", "train": {"command": "python t.py {seed}"}}},
        "metrics": ACC,
        "claims": [{"id": "C1", "method": "ours", "dataset": "d", "metric": "accuracy",
                    "value": 93.0}],
    }  # fmt: skip
    seen = {
        "training": {"steps": 100, "samples": 13000, "unique": 1300, "unique_by": "indices"},
        "sets": [
            {"id": 1, "examples": 500, "by": "indices", "trained_index": 100,
             "trained_storage": 100},
            {"id": 2, "examples": 600, "by": "indices", "trained_index": 0, "trained_storage": 0},
        ],
        "evaluations": [
            {"n": 1, "at": 50, "set": 1, "rows": 500, "forwards": 5},
            {"n": 2, "at": 100, "set": 1, "rows": 500, "forwards": 5},
            {"n": 3, "at": 100, "set": 2, "rows": 600, "forwards": 5, "final": True},
        ],
    }  # fmt: skip
    found = asked(tmp_path, "RC509", claims, {"ours": seen})
    assert states(found) == {State.UNDETERMINED}


def test_references_of_an_unknown_unit_accuse_nobody(tmp_path: Path) -> None:
    """The scores are fractions and nobody says so; references are read as fractions as well."""
    claims = {
        "datasets": {"d": {"protocol": "new", "labels": {"classes": 2}}},
        "defaults": {"dataset": "d"},
        "methods": {"ours": {"role": "proposed"}, "base": {"role": "baseline"}},
        "metrics": {"accuracy": {"higher_is_better": True}},
        "claims": [{"id": "C1", "method": "ours", "baselines": ["base"], "metric": "accuracy",
                    "improvement": 0.2}],
    }  # fmt: skip
    seen = {
        "ours": [{"seed": k, "dataset": "d", "metrics": {"accuracy": 0.9}} for k in range(3)],
        "base": [{"seed": k, "dataset": "d", "metrics": {"accuracy": 0.7}} for k in range(3)],
        "trivial references on d": {
            "of": "ours", "arm_kind": "reference", "dataset": "d", "metrics": {"accuracy": 0.6},
            "others": {"references.json:knn3": 0.6, "references.json:majority": 0.5},
        },
    }  # fmt: skip
    assert not accused(asked(tmp_path, "RC505", claims, seen))


@pytest.mark.parametrize("code", ["RC602", "RC602b"])
@pytest.mark.parametrize(
    "why",
    [
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/mnist.npz'",
        "FileNotFoundError: [Errno 2] No such file or directory: '/data/squad/train.json'",
        "FileNotFoundError: [Errno 2] No such file or directory: 'cifar/batches.pkl'",
        "ModuleNotFoundError: No module named 'wandb'",
    ],
)
def test_data_and_packages_that_are_not_here_accuse_nobody(
    tmp_path: Path, code: str, why: str
) -> None:
    (tmp_path / "code" / "loggers").mkdir(parents=True)
    (tmp_path / "code" / "loggers" / "wandb.py").write_text("import wandb\n")
    (tmp_path / "code" / "loggers" / "__init__.py").write_text("")
    (tmp_path / "code" / "t.py").write_text("print(1)\n")
    claims = {
        "artifact": {"root": "code"},
        "methods": {"ours": {"role": "proposed",
                             "train": {"command": "python t.py --seed {seed} --out {out}"}}},
        "metrics": ACC,
        "claims": [{"id": "C1", "method": "ours", "metric": "accuracy", "value": 93.0}],
    }  # fmt: skip
    run = {"probe": False, "status": "nonzero", "reason": f"the command exited with 1: {why}"}
    assert not accused(asked(tmp_path, code, claims, {"ours": run}))


# --- what persons say -------------------------------------------------------------------------


ANSWER = "{rule: RC402, about: ours, text: why, by: A. Reviewer, date: 2026-01-31"


def opened() -> Judgement:
    return Judgement(
        rule="RC402", name="inflated-formalism", trick="4.2", subject_kind="method",
        subject_id="ours", state=State.UNDETERMINED, part=Part.PROTOCOL, message="is it new?",
        reason=Reason.NEEDS_HUMAN,
    )  # fmt: skip


def answers_in(folder: Path, *said: str) -> tuple[Answer, ...]:
    listed = "".join(f"  - {ANSWER}, {one}}}\n" for one in said)
    (folder / "answers.yaml").write_text(f"answers:\n{listed}")
    return load_answers(folder / "answers.yaml")


def test_an_answer_that_is_unclear_decides_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unclear"):
        answers_in(tmp_path, "answer: unclear, decides: cleared")


def test_two_persons_who_differ_leave_the_question_open(tmp_path: Path) -> None:
    both = answers_in(tmp_path, "answer: no, decides: cleared", "answer: yes, decides: flagged")
    made, told = answered([opened()], both)
    assert made[0].state is State.UNDETERMINED
    assert {one["effect"] for one in told} == {"noted"}


def test_what_a_person_cleared_is_not_shown_as_absent(tmp_path: Path) -> None:
    made, _ = answered([opened()], answers_in(tmp_path, "answer: no, decides: cleared"))
    assert made[0].state is State.CLEARED
    assert standing(made, RULES, ()) is None


def said(rule: str, part: Part, state: State) -> Judgement:
    return Judgement(
        rule=rule, name="-", trick=f"{rule[2]}.{int(rule[3:5])}", subject_kind="comparison",
        subject_id="ours-vs-base", state=state, part=part, message="-", level=Level.RERUN,
        severity=Severity.MAJOR if state is State.FLAGGED else None, claims=("C1",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("finding", "arm", "stands"),
    [
        ("RC509", "RC509", "present, harmless"),
        ("RC101b", "RC101", "present, harmless"),
        ("RC509b", "RC509", "present, effect unknown"),
        ("RC203", "RC203b", "present, effect unknown"),
    ],
)
def test_an_arm_shows_only_what_it_is_of_to_be_harmless(
    finding: str, arm: str, stands: str
) -> None:
    both = [said(finding, Part.PROTOCOL, State.FLAGGED), said(arm, Part.EFFECT, State.CLEARED)]
    assert standing(both, RULES, ()) == stands


def test_a_component_whose_parameters_may_change_it_is_a_question(tmp_path: Path) -> None:
    """A gate that starts closed leaves SiLU, until it is trained."""
    claims = {
        "methods": {"ours": {"role": "proposed", "components": [
            {"name": "GatedCurve", "kind": "module", "claimed_novel": True}]}},
        "metrics": ACC,
        "claims": [{"id": "C1", "method": "ours", "metric": "accuracy", "value": 93.0}],
    }  # fmt: skip
    one = {"cls": "models.GatedCurve", "module": "act", "params": 1, "known": "SiLU",
           "diff": 1e-7, "n": 192, "of": 44, "scales": [0.01, 1, 100]}  # fmt: skip
    found = asked(tmp_path, "RC402", claims, {"ours": {"equals": [one]}})
    assert states(found) == {State.UNDETERMINED}


@pytest.mark.parametrize("fitted", [{"knn3": 0.6, "majority": 0.5}, {"knn3": 0.6}])
def test_references_beside_an_unknown_chance_accuse_nobody(
    tmp_path: Path, fitted: dict[str, float]
) -> None:
    """Of two classes, which nobody states: 60 is far from 66 when 50 is chance."""
    claims = {
        "datasets": {"d": {"protocol": "new"}},
        "defaults": {"dataset": "d"},
        "methods": {"ours": {"role": "proposed"}, "base": {"role": "baseline"}},
        "metrics": ACC,
        "claims": [{"id": "C1", "method": "ours", "baselines": ["base"], "metric": "accuracy",
                    "improvement": 8.0}],
    }  # fmt: skip
    seen = {
        "ours": [{"seed": k, "dataset": "d", "metrics": {"accuracy": 66.0}} for k in range(3)],
        "base": [{"seed": k, "dataset": "d", "metrics": {"accuracy": 58.0}} for k in range(3)],
        "trivial references on d": {
            "of": "ours", "arm_kind": "reference", "dataset": "d", "metrics": {"accuracy": 60.0},
            "others": {f"references.json:{name}": value for name, value in fitted.items()},
        },
    }  # fmt: skip
    assert not accused(asked(tmp_path, "RC505", claims, seen))


def test_padding_of_sequences_counts_for_nothing(tmp_path: Path) -> None:
    claims = two({"accuracy": {**ACC["accuracy"], "n_test": 2}}, file="preds.npz")
    np.savez(tmp_path / "preds.npz", index=[0, 1], label=[[1, -100], [2, 3]], pred=[[1, 9], [2, 9]])
    run = ran(0, "accuracy", 66.67) | {"predictions": "preds.npz"}
    found = asked(tmp_path, "RC603b", claims, {"ours": [run]})
    assert State.CLEARED in states(found)


# --- fixtures that accuse, with one thing changed that makes them honest ------------------------


def fixture(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a fixture's claims and what was seen of its runs."""
    path = Path(__file__).parent / "rules" / name
    seen = path.with_name(f"{path.stem}.observed.yaml")
    return yaml.safe_load(path.read_text()), yaml.safe_load(seen.read_text())


def test_monte_carlo_dropout_of_a_baseline_is_a_question(tmp_path: Path) -> None:
    claims, seen = fixture("evaluation/sabotaged_protocol/bad_training_mode.yaml")
    assert accused(asked(tmp_path, "RC503", claims, seen))
    seen["base"]["evaluations"][0]["rows"] = 20_000
    (tmp_path / "again").mkdir()
    found = asked(tmp_path / "again", "RC503", claims, seen)
    assert states(found) == {State.UNDETERMINED}


def test_a_module_of_a_loss_that_nobody_states_is_a_question(tmp_path: Path) -> None:
    claims, seen = fixture("ultimate/same_function/bad.yaml")
    term = {"share": 0.5, "mean": 0.5, "top": 0.9, "small": 0.0, "op": "MulBackward0"}
    ours = seen["ours"][0] if isinstance(seen["ours"], list) else seen["ours"]
    ours["losses"] = [{"n": 20, "calls": 100, "steps": [1, 99], "terms": [term, term]}]
    found = asked(tmp_path, "RC601b", claims, seen)
    assert not accused(found)
    assert State.CLEARED not in states(found)
