"""Trivial references: what they score on data of which the answer is known, and when they run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_effects import TEXT
from test_rounds import done, never

from repcheck.claims.load import load
from repcheck.plan import Plan, PlanOptions
from repcheck.references import PROGRAM
from repcheck.rounds import Course

NO_SKLEARN = "raise ImportError\n"


def scored(folder: Path, job: dict[str, Any], rc: int = 0) -> dict[str, float]:
    said = subprocess.run(
        [sys.executable, str(PROGRAM), json.dumps(job), str(folder)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == rc, said.stderr
    return json.loads((folder / "references.json").read_text()) if not rc else {"": said.stderr}  # type: ignore[no-any-return, dict-item]


def blobs(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three clusters at the corners of a triangle, the first as large as the others together."""
    draw = np.random.default_rng(seed)
    labels = np.array([0, 0, 1, 2] * (rows // 4))
    return np.eye(3)[labels] * 5 + draw.normal(size=(rows, 3)), labels


def test_known_clusters_are_told_apart_and_the_majority_is_half(tmp_path: Path) -> None:
    for name, seed in (("train", 0), ("test", 1)):
        x, y = blobs(80, seed)
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    found = scored(tmp_path, {"train": "train.npz", "test": "test.npz"})
    assert found["majority"] == 0.5
    assert found["knn3"] >= 0.95
    assert found["logistic"] >= 0.95
    assert found["best"] == max(found["majority"], found["knn3"], found["logistic"])
    assert (found["train_rows"], found["test_rows"]) == (80, 80)


def test_without_scikit_learn_a_ridge_stands_in_and_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "sklearn.py").write_text(NO_SKLEARN)
    for name, seed in (("train", 0), ("test", 1)):
        x, y = blobs(80, seed)
        np.savetxt(tmp_path / f"{name}.csv", np.c_[x, y], delimiter=",")
    found = scored(tmp_path, {"train": "train.csv", "test": "test.csv"})
    assert "logistic" not in found
    assert found["ridge"] >= 0.95


def test_a_loader_of_the_artifact_gives_the_splits_and_a_wrong_one_says_what_is_wrong(
    tmp_path: Path,
) -> None:
    (tmp_path / "sklearn.py").write_text(NO_SKLEARN)
    (tmp_path / "data.py").write_text(
        "import numpy as np\n"
        "def load(name):\n"
        "    x = np.eye(2)[np.arange(20) % 2]\n"
        "    pairs = [(row, int(row[1])) for row in x]\n"
        "    return {'train': (x, x[:, 1].astype(int)), 'test': pairs, 'named': name}\n"
        "def wrong():\n"
        "    return [1, 2]\n"
        "def regression():\n"
        "    return dict.fromkeys(('train', 'test'), (np.eye(4), np.linspace(0, 1, 4)))\n"
    )
    found = scored(tmp_path, {"loader": "data:load", "config": "x"})
    assert (found["knn3"], found["ridge"], found["majority"]) == (1.0, 1.0, 0.5)
    assert "no mapping" in str(scored(tmp_path, {"loader": "data:wrong"}, rc=1))
    assert "asks for name" in str(scored(tmp_path, {"loader": "data:load"}, rc=1))
    assert "no classes" in str(scored(tmp_path, {"loader": "data:regression"}, rc=1))


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    x = np.array([{"a": 1}, {"b": 2}], dtype=object)
    np.savez(tmp_path / "d.npz", x=x, y=np.array([0, 1]), allow_pickle=True)
    said = scored(tmp_path, {"train": "d.npz", "test": "d.npz"}, rc=1)
    assert "allow_pickle=False" in str(said)


# --- when they run ------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path: Path) -> Callable[[str], Course]:
    def make(text: str) -> Course:
        (tmp_path / "claims.yaml").write_text(text)
        (tmp_path / "t.py").touch()
        claims = load(tmp_path / "claims.yaml")
        return Course(claims=claims, options=PlanOptions(), size=never)

    return make


def fitted(course: Course) -> list[str]:
    plan: Plan | None = course.first()
    last = course.first()
    while plan is not None:
        last = plan
        plan = course.after(plan, done(plan, {"ours": 93.0}))
    return [one.dataset for one in last.runs if one.arm_kind == "reference"]


def test_references_are_fitted_once_in_a_scenario_whose_data_can_be_loaded_and_nowhere_else(
    course: Callable[[str], Course],
) -> None:
    assert fitted(course(TEXT)) == []
    (dataset,) = course(TEXT).claims.datasets
    start = f"datasets: {{{dataset}: {{"
    assert start in TEXT
    scenario = TEXT.replace(start, f'{start}protocol: new, loader: "data:load", ')
    assert fitted(course(scenario)) == [dataset]
    assert fitted(course(TEXT.replace(start, f"{start}protocol: new, "))) == []
    standard = TEXT.replace(start, f'{start}protocol: standard, loader: "data:load", ')
    assert fitted(course(standard)) == []
