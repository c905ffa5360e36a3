"""The examples that come with repcheck do what their README says; their trainings are real."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cli_support import ROOT, repcheck, report

EXAMPLES = ROOT / "claims_examples"
FILES = sorted(EXAMPLES.glob("*/*.yaml"))
WEIGHTY = {"minor", "major", "critical"}
needs_torch = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("torch", "mlxtend")),
    reason="NOT TESTED: the trainings need torch and mlxtend; install repcheck[examples]",
)


def short(path: Path) -> str:
    return str(path.relative_to(EXAMPLES))


@pytest.mark.parametrize("path", FILES, ids=short)
def test_every_example_is_in_order(path: Path) -> None:
    done = repcheck("lint", path, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "form and references are in order" in done.stdout
    assert ", 0 flagged, " in done.stdout


@pytest.mark.parametrize("path", FILES, ids=short)
def test_every_example_stands_beside_a_readme_that_names_it(path: Path) -> None:
    readme = path.with_name("README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {path.parent.name}")
    assert path.name in readme


@pytest.mark.parametrize("name", ["claims", "claims_full"])
def test_the_mnist1d_table_has_its_plan(name: str, tmp_path: Path) -> None:
    path = EXAMPLES / "mnist1d" / f"{name}.yaml"
    done = repcheck("plan", path, "--format", "jsonl", "-o", tmp_path / "out", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    head, *rest = [json.loads(line) for line in done.stdout.splitlines()]
    runs = [line["run"] for line in rest if "run" in line]
    assert head["runs"] == len(runs) > 0
    arms = {run["arm"] for run in runs}
    assert len(head["fresh_seeds"]) >= 3
    for arm in arms:
        mine = [run for run in runs if run["arm"] == arm and run["seed_kind"] == "fresh"]
        fresh = [run["seed"] for run in mine if not run["replicate"]]
        again = [run["seed"] for run in mine if run["replicate"]]
        if {run["arm_kind"] for run in mine} == {"control"}:  # one run, of one seed, made once
            assert (again, fresh) == ([], [head["fresh_seeds"][0]])
            continue
        assert set(again) == {head["fresh_seeds"][0]}
        assert len(fresh) % len(head["fresh_seeds"]) == 0
        assert set(fresh) == set(head["fresh_seeds"])
    assert {"cnn", "mlp"} <= {arm.lower().split("-")[0] for arm in arms}


@cache
def trained(name: str, folder: Path) -> tuple[int, str, dict[str, Any]]:
    """Check a copy of an example with six trainings in place of twenty-two."""
    source = EXAMPLES / "hidden_epochs"
    text = (source / f"{name}.yaml").read_text(encoding="utf-8")
    budget = "budget: {seeds_per_arm: 5}"
    assert budget in text
    copy = folder / name
    copy.mkdir()
    (copy / "train.py").write_bytes((source / "train.py").read_bytes())
    cheap = text.replace(budget, "budget: {seeds_per_arm: 2, max_trainings: 6}")
    (copy / "claims.yaml").write_text(cheap)
    done = repcheck("check", "--yes", "claims.yaml", "-o", "out", cwd=copy, timeout=300)
    return done.returncode, done.stdout, report(copy / "out")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained")


def weighty(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [j for j in found["judgements"] if j["state"] == "flagged" and j["severity"] in WEIGHTY]


@needs_torch
def test_hidden_epochs_and_a_block_that_does_nothing_are_found(folder: Path) -> None:
    code, screen, found = trained("claims", folder)
    assert code == 1, screen
    # The block is the identity, which is a second thing, and true.
    assert [one["rule"] for one in weighty(found)] == ["RC102", "RC402", "RC601b"]
    finding = weighty(found)[0]
    assert finding["severity"] == "major"
    assert "30.0 vs 10.0 epochs" in finding["message"]
    assert "×3.00" in finding["message"]
    line = (
        (folder / "claims" / "claims.yaml").read_text().splitlines()[finding["where"]["line"] - 1]
    )
    assert line.strip() == "iterations: 360"
    assert "RC102 [major]" in screen
    assert found["claims"][0]["fairness"]["verdict"] == "asymmetric"
    assert "not like with like" in found["headline"]["sentence"]


@needs_torch
def test_the_honest_twin_is_clean(folder: Path) -> None:
    code, screen, found = trained("honest", folder)
    assert weighty(found) == []
    verdict = found["claims"][0]["reproduction"]["verdict"]
    assert verdict in {"reproduced", "inconclusive", "not-reproduced"}
    assert code == (1 if verdict == "not-reproduced" else 0), screen


@needs_torch
@pytest.mark.parametrize("name", ["claims", "honest"])
def test_every_training_ended_well_with_its_accuracy(name: str, folder: Path) -> None:
    _, _, found = trained(name, folder)
    assert [run["status"] for run in found["runs"]] == ["ok"] * 6
    assert all(50 < run["metrics"]["accuracy"] < 100 for run in found["runs"])
    assert found["claims"][0]["reproduction"]["n"] == {"method": 2, "baseline": 2}
    assert len(found["plan"]["left_out"]) == 11


@needs_torch
@pytest.mark.parametrize("name", ["claims", "honest"])
def test_what_only_the_authors_say_never_clears_a_protocol_or_an_effect(
    name: str, folder: Path
) -> None:
    _, _, found = trained(name, folder)
    cleared = [j for j in found["judgements"] if j["state"] == "cleared"]
    assert cleared
    for judgement in cleared:
        assert judgement["limit"] or judgement["message"]
        if judgement["level"] == "declared":
            assert judgement["part"] not in {"protocol", "effect"}, judgement


def test_the_minimal_file_is_not_run_and_its_arithmetic_is_judged(tmp_path: Path) -> None:
    path = EXAMPLES / "minimal" / "claims.yaml"
    done = repcheck("check", path, "-o", "out", cwd=tmp_path)  # nothing to run: nothing to ask
    assert done.returncode == 0, done.stderr
    found = report(tmp_path / "out")
    [claim] = found["claims"]
    assert claim["reproduction"]["verdict"] == "not-run"
    assert claim["reproduction"]["reason"] == "no-command"
    assert found["runs"] == []
    assert found["headline"]["counts"]["reproduced"] == 0
    sums = [j for j in found["judgements"] if j["rule"].startswith("RC9")]
    assert sum(j["state"] == "cleared" for j in sums) >= 3
    assert weighty(found) == []
    assert all(j["part"] == "forensic" for j in found["judgements"] if j["state"] == "cleared")
    assert (tmp_path / "out" / "report.html").exists()
