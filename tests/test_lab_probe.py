"""One paper twice: its claims file says what honest.py does, and not what cheating.py does."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

LAB = Path(__file__).parent / "lab" / "probe"


@cache
def checked(name: str) -> tuple[int, dict[str, Any], Path]:
    """Check one of the two papers; return the exit code, the report and the store."""
    out = Path(mkdtemp(prefix=f"repcheck-{name}-"))
    done = subprocess.run(
        [sys.executable, "-m", "repcheck", "check", "--yes", "-o", str(out), f"{name}.yaml"],
        cwd=LAB, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.returncode, json.loads((out / "report.json").read_text()), out / "store"


def observations(name: str, method: str) -> list[dict[str, Any]]:
    _, report, store = checked(name)
    places = [run["directory"] for run in report["runs"] if run["method"] == method]
    assert places
    return [json.loads((store / place / "observed.json").read_text()) for place in places]


def flagged(name: str) -> dict[str, str]:
    return {  # of several findings of a rule the first
        judgement["rule"]: judgement["message"]
        for judgement in reversed(checked(name)[1]["judgements"])
        if judgement["state"] == "flagged"
        and judgement["rule"] != "RC602b"  # a note: the artifacts ship no requirements
    }


def test_the_cheating_paper_yields_exactly_its_tricks() -> None:
    code, report, _ = checked("cheating")
    assert code == 1
    found = flagged("cheating")
    expected = {
        "RC101b": "`train.grad_accum` of `ours` is declared 1 and observed 2",
        "RC103": "`ours` draws each sample 3.00 times and `plain` 1.00 times",
        "RC103b": "`train.repeats` of `ours` is declared 1 and observed exactly 3",
        "RC108": "",
        "RC108b": "",
        "RC407": "states that it has no teacher",
        "RC509": "100 of 400 evaluated examples of `ours` are in its training stream",
    }
    assert set(found) == set(expected)
    assert [rule for rule, words in expected.items() if words not in found[rule]] == []
    said = [j["message"] for j in report["judgements"] if j["rule"] == "RC108b"]
    said = [words for words in said if "declared none" in words]
    assert any("`ema" in words and "0.98" in words for words in said), said
    assert any("3.0 views" in words for words in said), said
    assert report["claims"][0]["fairness"]["verdict"] == "invalid"


def test_the_cheating_paper_is_counted_exactly() -> None:
    for seen in observations("cheating", "ours"):
        training = seen["training"]
        assert (training["steps"], training["samples"], training["unique"]) == (180, 7200, 400)
        assert (training["batch"], training["accumulation"]) == (40, 2)
        assert (training["most_draws"], training["rounds"]) == (18, 6)
        (average,) = seen["averages"]
        assert average["decay"] == pytest.approx(0.98, abs=1e-6)
        assert average["evaluated"]
        (teacher,) = seen["teachers"]
        assert (teacher["forwards"], teacher["rows"]) == (360, 7200)
        (tested,) = seen["sets"]
        assert tested["examples"] == 400
        assert tested["trained_storage"] == 100
        (evaluation,) = seen["evaluations"]
        assert (evaluation["views"], evaluation["rows"], evaluation["held"]) == (3, 1200, False)


@pytest.mark.parametrize(("name", "method"), [("honest", "ours"), ("cheating", "plain")])
def test_an_honest_arm_shows_nothing_of_the_kind(name: str, method: str) -> None:
    for seen in observations(name, method):
        training = seen["training"]
        assert (training["steps"], training["samples"], training["unique"]) == (120, 2400, 400)
        assert (training["batch"], training["accumulation"]) == (20, 1)
        assert (seen["averages"], seen["teachers"], seen["loads"]) == ([], [], [])
        assert seen["sets"][0]["trained_storage"] == 0
        (evaluation,) = seen["evaluations"]
        assert (evaluation["views"], evaluation["held"], evaluation["swapped"]) == (1, True, False)
        assert evaluation["known"]
        assert seen["gaps"] == []


def test_the_honest_twin_is_clean_under_all_rules_and_cleared_of_the_six() -> None:
    code, report, _ = checked("honest")
    assert code == 0
    assert flagged("honest") == {}
    cleared = {j["rule"] for j in report["judgements"] if j["state"] == "cleared"}
    six = {"RC101", "RC101b", "RC102", "RC102b", "RC103", "RC103b", "RC108", "RC108b", "RC509"}
    assert cleared >= six | {"RC201", "RC201b", "RC202b", "RC204", "RC204b", "RC406", "RC813"}
