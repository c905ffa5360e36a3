"""What the probe sees of real scripts, counted: loops, frameworks, processes, no torch at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from repcheck.analysis import observe
from repcheck.observation import EvaluatedSet, Observation

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"
PATH = ROOT / "repcheck" / "inside" / "path"


def start(folder: Path, *command: str, probe: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that holds the scripts, with or without the probe."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__py*"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REPCHECK")}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    if probe:
        (folder / "record").mkdir(exist_ok=True)
        environment |= {"PYTHONPATH": str(PATH), "REPCHECK_PROBE_OUT": str(folder / "record")}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def seen(folder: Path, *command: str) -> Observation:
    start(folder, *command)
    return observed(folder)


def observed(folder: Path) -> Observation:
    observation = observe(folder / "record", files_root=folder)
    assert observation.seen
    assert observation.probe_errors == ()
    assert observation.gaps == ()
    return observation


Probed = Callable[..., tuple[subprocess.CompletedProcess[str], Path]]


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Probed:
    """Run a command with the probe, once for all tests that look at its folder."""

    @cache
    def run(*command: str) -> tuple[subprocess.CompletedProcess[str], Path]:
        folder = tmp_path_factory.mktemp("probed")
        return start(folder, *command), folder

    return run


def of_size(observation: Observation, examples: int) -> EvaluatedSet:
    (found,) = [one for one in observation.sets if one.examples == examples]
    return found


def test_a_plain_loop_is_counted_exactly(probed: Probed) -> None:
    observation = observed(probed("plain_loop.py", "7")[1])
    training = observation.training
    assert training is not None
    assert (training.steps, training.samples, training.drawn) == (20, 640, 640)
    assert (training.unique, training.unique_by, training.most_draws) == (160, "indices", 4)
    assert (training.batch, training.accumulation, training.world) == (32, 1, 1)
    optimizer = training.optimizer
    assert (optimizer.cls, optimizer.steps, optimizer.elements) == (
        "torch.optim.sgd.SGD",
        20,
        16 * 32 + 32 + 66,
    )
    assert optimizer.fields["momentum"] == 0.9
    assert optimizer.fields["weight_decay"] == 1e-4
    assert (optimizer.peak_lr, optimizer.distinct_lrs) == (0.1, 20)
    assert training.first_loss_chain[0] == "NllLossBackward0"
    assert training.first_output == (32, 2)
    assert (of_size(observation, 48).passes, of_size(observation, 80).passes) == (4, 1)
    assert [one.trained for one in observation.sets] == [0, 0]
    assert all(one.views == 1.0 for one in observation.evaluations)
    last = observation.evaluations[-1]
    assert (last.held, last.swapped, last.known, last.final) == (True, False, True, True)
    assert not any(one.in_training_mode for one in observation.evaluations)
    assert (observation.teachers, observation.averages, observation.loads) == ((), (), ())
    assert ("torch", "7") in {(seed.lib, seed.value) for seed in observation.seeds}
    assert observation.saves == 1


def test_a_trainer_class_with_accumulation_keeps_its_best_weights(tmp_path: Path) -> None:
    observation = seen(tmp_path, "trainer_class.py")
    training = observation.training
    assert training is not None
    assert (training.steps, training.samples, training.unique) == (18, 360, 120)
    assert (training.batch, training.accumulation) == (20, 2)
    assert (training.optimizer.cls, training.clip_norm) == ("torch.optim.adamw.AdamW", 1.0)
    assert (of_size(observation, 40).passes, of_size(observation, 60).passes) == (3, 1)
    last = observation.evaluations[-1]
    assert (last.held, last.known) == (True, True)
    assert observation.averages == ()


def test_lightning_is_seen_and_its_sanity_check_is_told_apart(tmp_path: Path) -> None:
    observation = seen(tmp_path, "lightning_fit.py")
    training = observation.training
    assert training is not None
    assert (training.steps, training.samples, training.unique) == (24, 1536, 512)
    assert (training.batch, training.accumulation) == (64, 2)
    assert (training.optimizer.first_lr, training.optimizer.last_lr) == (1e-3, 2.5e-4)
    assert [one.sanity for one in observation.evaluations] == [True, False, False, False]
    assert of_size(observation, 128).passes == 3
    assert of_size(observation, 128).trained == 0


def test_the_trainer_of_transformers_is_seen(tmp_path: Path) -> None:
    observation = seen(tmp_path, "hf_trainer.py")
    training = observation.training
    assert training is not None
    assert (training.steps, training.samples, training.unique) == (10, 320, 160)
    assert (training.batch, training.accumulation) == (32, 2)
    assert any("bfloat16" in dtype for dtype in training.amp)
    assert of_size(observation, 48).passes == 2


def test_two_ranks_under_torchrun_are_one_training(tmp_path: Path) -> None:
    observation = seen(
        tmp_path, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
        "distributed.py",
    )  # fmt: skip
    _two_ranks(observation)


def test_two_spawned_ranks_are_one_training(tmp_path: Path) -> None:
    _two_ranks(seen(tmp_path, "distributed.py"))


def _two_ranks(observation: Observation) -> None:
    training = observation.training
    assert training is not None
    assert (training.steps, training.samples, training.unique) == (24, 768, 256)
    assert (training.world, training.batch) == (2, 32)
    assert sorted(p.rank for p in observation.processes if p.rank is not None) == [0, 1]


def test_mixed_precision_workers_and_a_resumed_checkpoint(probed: Probed, tmp_path: Path) -> None:
    before = probed("mixed_precision.py", "0", "2")[1]
    first = observed(before)
    assert first.training is not None
    assert (first.training.steps, first.training.samples, first.training.unique) == (6, 192, 96)
    assert first.loads == ()
    second = tmp_path / "second"
    second.mkdir()
    shutil.copy(before / "checkpoint.pt", second)
    resumed = seen(second, "mixed_precision.py", "2", "4")
    assert resumed.training is not None
    assert resumed.training.steps == 6
    assert [(load.own, load.resumes, load.at) for load in resumed.loads] == [(False, True, 0)]
    assert any("bfloat16" in dtype for dtype in resumed.training.amp)


def test_a_compiled_module_is_counted(tmp_path: Path) -> None:
    training = seen(tmp_path, "compiled.py").training
    assert training is not None
    assert training.compiled
    assert (training.steps, training.samples) == (12, 192)


def test_scikit_learn_alone_shows_fits_seeds_and_rows_scored_again(tmp_path: Path) -> None:
    observation = seen(tmp_path, "sklearn_fit.py")
    assert observation.training is None
    assert [(fit.method, fit.calls, fit.rows) for fit in observation.fits] == [
        ("fit", 1, 150), ("score", 1, 60),
    ]  # fmt: skip
    assert [one.trained for one in observation.sets] == [60]
    assert {seed.lib for seed in observation.seeds} == {"python", "numpy", "numpy.generator"}
    assert "scores.json" in {Path(file.path).name for file in observation.files if file.written}


def test_numpy_alone_is_seen_but_no_training_is_claimed_of_it(tmp_path: Path) -> None:
    observation = seen(tmp_path, "numpy_only.py")
    assert observation.training is None
    assert observation.evaluations == ()
    assert {seed.lib for seed in observation.seeds} == {"numpy.generator"}


@pytest.mark.parametrize("command", [("plain_loop.py", "7"), ("mixed_precision.py", "0", "2")])
def test_trained_weights_are_bitwise_the_same_with_and_without_the_probe(
    probed: Probed, tmp_path: Path, command: tuple[str, ...]
) -> None:
    made = "weights.pt" if command[0] == "plain_loop.py" else "checkpoint.pt"
    with_probe, folder = probed(*command)
    without = start(tmp_path, *command, probe=False)
    assert with_probe.stdout == without.stdout
    assert (folder / made).read_bytes() == (tmp_path / made).read_bytes()
