"""Two papers whose gain is not their contribution's, and an honest one: from real trainings."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from repcheck.claims.load import load

ROOT = Path(__file__).parents[1]
LAB = ROOT / "tests" / "lab" / "attribution"
EXAMPLES = ROOT / "claims_examples"


@cache
def checked(file: Path) -> dict[str, Any]:
    """Check one paper with all its rounds, and return the report."""
    out = Path(mkdtemp(prefix="repcheck-lab-"))
    command = ["check", "--yes", "--fail-on", "never", "--no-progress", "-o", str(out), file.name]
    done = subprocess.run(
        [sys.executable, "-m", "repcheck", *command],
        cwd=file.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return json.loads((out / "report.json").read_text())  # type: ignore[no-any-return]


def effects(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {arm["id"]: arm["effects"][0] for arm in report["arms"] if arm.get("effects")}


def weighty(report: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return the findings at minor or above: rule and part, with what is said."""
    return {
        (one["rule"], one["part"]): one["message"]
        for one in report["judgements"]
        if one["state"] == "flagged" and one["severity"] != "note"
    }


def test_a_wider_network_sold_as_a_block_has_no_gain_at_equal_compute() -> None:
    report = checked(EXAMPLES / "equal_compute" / "claims.yaml")
    (arm,) = [one for one in report["arms"] if one["id"] == "plain-wide"]
    assert arm["changes"] == "width=32"
    assert abs(arm["reach"]["ratio"] - 1) < 0.001
    assert effects(report)["plain-wide"]["verdict"] == "gone"
    fairness = report["claims"][0]["fairness"]
    assert fairness["verdict"] == "explained"
    assert "at equal FLOPs a sample the gain that remains is" in report["headline"]["sentence"]
    assert "is explained by more compute" in report["headline"]["sentence"]
    found = weighty(report)
    assert set(found) == {("RC105", "protocol"), ("RC105", "effect"), ("RC402", "protocol")}
    assert "computes the identity" in found["RC402", "protocol"]


def test_a_gain_that_is_normalisation_is_gone_once_the_baseline_has_it() -> None:
    report = checked(EXAMPLES / "norm_shuffle" / "claims.yaml")
    assert effects(report)["plain+norm"]["verdict"] == "gone"
    fairness = report["claims"][0]["fairness"]
    assert fairness["verdict"] == "explained"
    assert fairness["explained_at_least"] >= 0.5
    found = weighty(report)
    assert ("RC305", "protocol") in found
    assert "batch_norm in 3 of 3 positions" in found["RC305", "protocol"]
    assert {rule for rule, _ in found} <= {"RC300", "RC305"}


def test_the_honest_twin_keeps_its_gain_and_nothing_is_found() -> None:
    report = checked(LAB / "norm_shuffle_honest.yaml")
    assert effects(report)["plain+silu"]["verdict"] == "survives"
    assert weighty(report) == {}
    states = {one["rule"]: one["state"] for one in report["judgements"]}
    assert {states["RC301"], states["RC305"]} == {"cleared"}


def test_every_claims_file_of_the_lab_is_in_order() -> None:
    files = sorted(LAB.glob("*.yaml"))
    assert len(files) == 9
    assert all(load(file).arms for file in files)
