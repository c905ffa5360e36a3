"""Changes that the probe makes in a running process: what comes of them, and what they report."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from repcheck import launch
from repcheck.analysis import observe
from repcheck.observation import Observation
from tests.probe_support import observe_raw, run_plain

LAB = Path(__file__).parent / "lab" / "surgery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a script told, line by line, and what was seen of it."""

    told: list[dict[str, Any]]
    seen: Observation | None = None

    @property
    def one(self) -> dict[str, Any]:
        return self.told[0]

    @property
    def applied(self) -> list[tuple[str, int, int]]:
        assert self.seen is not None
        return [(one.kind, one.times, one.places) for one in self.seen.surgery]


def run(folder: Path, script: str, *surgery: dict[str, Any]) -> Run:
    """Run a script of the lab with the probe, and with surgery if any is given."""
    shutil.copy(LAB / "common.py", folder)
    env = launch.variables(folder, {}, surgery)
    wanted = {launch.SURGERY: env[launch.SURGERY]} if surgery else {}
    raw = observe_raw((LAB / script).read_text(), folder, env=wanted, name=script)
    assert raw.rc == 0, raw.err
    return Run(told=[json.loads(line) for line in raw.out.splitlines()], seen=observe(raw.folder))


@cache
def plain(folder: Path, script: str) -> Run:
    """Run a script of the lab without any probe."""
    shutil.copy(LAB / "common.py", folder)
    raw = run_plain((LAB / script).read_text(), folder, name=script)
    assert raw.rc == 0, raw.err
    return Run(told=[json.loads(line) for line in raw.out.splitlines()])


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return plain(tmp_path_factory.mktemp("classify"), "classify.py")


def test_what_matches_nothing_or_makes_no_sense_changes_nothing_and_says_so(classified, tmp_path):
    found = run(
        tmp_path,
        "classify.py",
        {"kind": "activation", "from": "Mish", "to": "SiLU"},
        {"kind": "identity", "module": "Nowhere"},
        {"kind": "identity", "what": "se"},
        {"kind": "identity", "module": "last"},
        {"kind": "freeze", "parameter": "gamma"},
        {"kind": "no-load"},
        {"kind": "raw-weights"},
        {"kind": "optimizer", "betas": [0.5, 0.9]},
        {"kind": "levitate", "height": 3},
        {"kind": "activation", "from": "ReLU", "to": "Nothing"},
        {"kind": "lr", "value": 0.1, "factor": 2},
        {"kind": "schedule", "type": "cosine"},
        {"kind": "batch_size", "value": 0},
        {"kind": "input", "transform": "reverse-time"},
        {"kind": "labels", "shuffle": "everything"},
    )
    assert found.told == classified.told  # weights, draws and accuracy, to the last bit
    assert [times for _, times, _ in found.applied] == [0] * 15
    assert found.seen.surgery[8].what == "height: 3"
    wrong = [error.partition(": ")[0].removeprefix("surgery ") for error in found.seen.probe_errors]
    kinds = "activation batch_size identity input labels levitate lr optimizer schedule"
    assert " ".join(sorted(wrong)) == kinds


def test_an_activation_is_another_one_in_modules_and_functions_of_what_is_trained(
    classified, tmp_path
):
    found = run(tmp_path, "classify.py", {"kind": "activation", "from": "ReLU", "to": "GELU"})
    assert classified.one["relu_error"] < 1e-6 < 1e-2 < classified.one["gelu_error"]
    assert found.one["gelu_error"] < 1e-6 < 1e-2 < found.one["relu_error"]
    assert found.one["classes"].count("GELU") == 1
    assert found.one["teacher"] == ["Sequential", "Linear", "ReLU"]
    assert found.one["taught"]
    assert found.one["drawn"] == classified.one["drawn"]
    # 20 steps, 4 batches of the test set and one call more, two functions in each; one module.
    assert found.applied == [("activation", 25 * 2 + 1, 3)]


def test_settings_are_others_from_the_first_step_on(classified, tmp_path):
    found = run(
        tmp_path,
        "classify.py",
        {"kind": "optimizer", "cls": "AdamW", "betas": [0.8, 0.9], "weight_decay": 0.5},
        {"kind": "lr", "factor": 0.01},
        {"kind": "schedule", "type": "linear", "steps": 10},
        {"kind": "batch_size", "value": 64},
        {"kind": "freeze", "parameter": "*.beta", "value": 0.25},
        {"kind": "identity", "module": "block.drop"},
    )
    training = found.seen.training
    assert (found.one["optimizer"], training.steps, training.batch) == ("AdamW", 10, 64)
    assert training.optimizer.cls == "torch.optim.adamw.AdamW"
    assert training.optimizer.fields["betas"] == (0.8, 0.9)
    assert training.optimizer.fields["weight_decay"] == 0.5
    assert training.optimizer.first_lr == pytest.approx(0.002)
    assert training.optimizer.last_lr == pytest.approx(0.0002)
    assert training.optimizer.distinct_lrs == 10
    assert found.one["beta"] == 0.25
    assert classified.one["beta"] not in (0.25, 0.3)
    assert "Dropout" not in found.one["classes"]
    kinds = ["optimizer", "lr", "schedule", "batch_size", "freeze", "identity"]
    assert [one for one, _, _ in found.applied] == kinds
    assert [times for _, times, _ in found.applied] == [1, 1, 10, 2, 1, 1]
    assert found.seen.probe_errors == ()


def test_shuffled_test_labels_and_a_gate_closed_for_evaluation_leave_the_training_alone(
    classified, tmp_path
):
    found = run(
        tmp_path,
        "classify.py",
        {"kind": "labels", "shuffle": "test", "seed": 3},
        {"kind": "freeze", "parameter": "beta", "value": 0, "when": "evaluation"},
    )
    assert classified.one["accuracy"] > 0.8
    assert found.one["accuracy"] < 0.4
    assert found.one["digest"] == classified.one["digest"]
    assert found.one["beta"] == classified.one["beta"]
    assert found.one["relu_error"] > 1e-2  # by hand, the gate is open
    [(_, times, places), frozen] = found.applied
    assert 190 <= times <= 200
    assert places == 1
    assert frozen == ("freeze", 5, 1)


def test_shuffled_training_labels_teach_nothing(classified, tmp_path):
    found = run(
        tmp_path,
        "classify.py",
        {"kind": "labels", "shuffle": "train"},
        {"kind": "input", "transform": "scale:1/255"},
    )
    assert found.one["accuracy"] < 0.45
    assert [(kind, places) for kind, _, places in found.applied] == [("labels", 1), ("input", 0)]
    assert 300 <= found.applied[0][1] <= 320
    assert found.applied[1][1] == 5  # the batches of the test set, and a call without gradients
    assert found.one["relu_error"] > 1e-2  # by hand, nothing is scaled


def test_a_squeeze_excitation_gate_is_found_by_what_it_does_and_left_out(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "surgery").mkdir()
    before = plain(tmp_path / "plain", "gates.py").one
    found = run(
        tmp_path / "surgery",
        "gates.py",
        {"kind": "identity", "what": "se"},
        {"kind": "identity", "module": "norm"},
        {"kind": "activation", "from": "ReLU", "to": "PReLU", "init": 0.5},
    )
    left_out = ["Conv2d", "Identity", "PReLU", "Identity", "Mixer", "Dropout", "Linear"]
    assert found.one["classes"] == left_out
    assert found.one["follower"][:5] == left_out[:5]
    assert before["means"] > 0 == found.one["means"]  # a norm that is left out learns nothing
    assert found.one["slope"] not in (None, 0.5)  # the new parameter is trained
    assert found.one["held"] == before["held"] + 1
    assert found.one["drawn"] == before["drawn"]
    assert [times for _, times, _ in found.applied] == [2, 2, 2]


def test_averages_are_evaluated_as_the_weights_that_were_trained_and_stay_what_they_are(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "surgery").mkdir()
    before = plain(tmp_path / "plain", "averaged.py").one
    found = run(tmp_path / "surgery", "averaged.py", {"kind": "raw-weights"})
    raw = before["found"]["raw"]
    averages = [before["found"][name] for name in ("copy", "swa", "shadow")]
    assert raw not in averages
    same = {"raw": raw, "copy": raw, "swa": raw, "shadow": raw, "first": before["found"]["first"]}
    assert found.one["found"] == same
    assert found.one["digests"] == before["digests"]
    assert found.applied == [("raw-weights", 12, 3)]
    evaluated = [(one.known, one.made_at) for one in found.seen.evaluations]
    assert evaluated == [(True, 20), (True, 20), (True, 20), (True, 10), (True, 20)]


def test_weights_from_elsewhere_are_not_loaded_but_the_runs_own_are(tmp_path):
    found = run(tmp_path, "borrowed.py", {"kind": "no-load"})
    first, second = found.told
    assert first["torch"] == first["numpy"] == first["safetensors"] == first["fresh"]
    assert first["follower"] == first["fresh"]  # what is in memory is nobody else's
    assert first["own"] == first["trained"] != first["fresh"]
    assert (second["own"], second["later"]) == (first["trained"], first["trained"])
    assert found.applied == [("no-load", 4, 3)]
    assert max(load.changed or 0 for load in found.seen.loads) > 0  # its own, told as ever


def test_a_claims_file_cannot_ask_for_surgery_by_itself(tmp_path):
    asked = {launch.SURGERY: '[{"kind": "labels", "shuffle": "test"}]'}
    assert launch.variables(tmp_path, asked)[launch.SURGERY] == ""
    assert launch.SURGERY not in launch.variables(tmp_path, {})
