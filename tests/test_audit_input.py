"""What a person may type wrong about datasets, trials and sweeps, and what is then said."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CLAIMS = """\
repcheck: 1
datasets:
  alpha: {data: {path: alpha}}
  beta: {data: {path: beta}}
methods:
  ours:
    role: proposed
    optimizer: {lr: 0.1}
    tuning: {sweep: [lr], scores_from: "sweep.csv:acc"}
    train: {command: "python train.py --data {data} --lr {lr} --seed {seed} --out {out}"}
  base: {extends: ours, role: baseline}
metrics:
  accuracy: {higher_is_better: true, unit: percent, from: "{out}/m.json:accuracy"}
claims:
  - {id: ALL, method: ours, baselines: [base], metric: accuracy, datasets: [alpha, beta],
     improvement: 5.0}
  - {id: SAME, type: equivalence, method: ours, baselines: [base], metric: accuracy,
     dataset: alpha, margin: 1.0}
  - {id: ONE, method: ours, baselines: [base], metric: accuracy, dataset: alpha, improvement: 5.0}
"""


def repcheck(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run repcheck there; return its exit code and all that it says."""
    command = [sys.executable, "-m", "repcheck", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[alpha, beta]", "[]", r"15:.*: names no dataset; list some"),
        ("[alpha, beta]", "[alpha, alpha]", r"15:.*: `alpha` stands here twice; name each"),
        ("sweep.csv:acc", "sweep.csv", r"9:.*: `sweep.csv` is no column of a .csv or .jsonl"),
        ("sweep.csv:acc", "sweep.xlsx:acc", r"9:.*: `sweep.xlsx:acc` is no column of a .csv"),
        ("{sweep:", "{scores: [1, 2, 3], sweep:", r"9:.*: stands beside `scores`.*; keep one"),
        ("sweep: [lr]", "sweep: 3", r"9:.*: `3` names no hyperparameter; write `\[lr"),
        ("sweep: [lr]", "sweep: [seed]", r"9:.*: `seed` is no hyperparameter; write `\[lr"),
        (
            "sweep: [lr]",
            "sweep: {lr: {confg: a.yaml:lr}}",
            r"9:.*: `lr: .*` does not say how it is set; write `lr: {cli: ",
        ),
    ],
)
def test_lint_names_a_slip_about_datasets_trials_and_sweeps(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """The place is named with line and column, and what to write instead."""
    (tmp_path / "claims.yaml").write_text(CLAIMS.replace(old, new), encoding="utf-8")
    code, told = repcheck(tmp_path, "lint", "claims.yaml")
    assert code == 4
    assert re.search(rf"claims\.yaml:{said}", told), told


def test_a_plan_counts_a_sweep_once_and_says_why_the_mean_of_datasets_has_none(
    tmp_path: Path,
) -> None:
    """The sweep of the claim on one dataset is planned, that over both is refused."""
    (tmp_path / "claims.yaml").write_text(CLAIMS, encoding="utf-8")
    (tmp_path / "train.py").write_text("", encoding="utf-8")
    code, told = repcheck(tmp_path, "plan", "--seeds", "2", "claims.yaml")
    assert code == 0
    assert len(re.findall(r"^  \w+ with lr ×\S+: 2 runs", told, re.MULTILINE)) == 4
    assert len(re.findall(r"^no arm: .* a gain over several datasets", told, re.MULTILINE)) == 4
    assert not (tmp_path / "repcheck-out").exists()


def test_merging_a_file_says_that_it_is_none(tmp_path: Path) -> None:
    """A page in place of its folder is the commonest slip."""
    (tmp_path / "a").mkdir()
    (tmp_path / "report.html").write_text("", encoding="utf-8")
    code, told = repcheck(tmp_path, "merge", "report.html", "a")
    assert (code, told.strip()) == (2, "report.html: is a file, not a folder")
