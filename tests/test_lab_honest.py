"""Three honest papers in one: two processes and an EMA, a cell over time, two optimizers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LAB = Path(__file__).parent / "lab" / "honest"
CLEARED = {
    "averaged": {"RC101b", "RC102b", "RC103b", "RC201b", "RC202b", "RC204b"},
    "cells": {"RC101b", "RC102b", "RC103b", "RC201b", "RC202b", "RC204b"},
    "adversarial": {"RC101b", "RC102b", "RC103b", "RC202b", "RC204b", "RC108b"},
}


def test_honest_papers_yield_no_finding_and_are_cleared_where_it_was_seen(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "repcheck", "check", "--yes", "-o", str(tmp_path), "honest.yaml"],
        cwd=LAB, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert [run["status"] for run in report["runs"]] == ["ok"] * 21  # a control of each method too
    found = [j for j in report["judgements"] if j["state"] in {"flagged", "error"}]
    noted = [(j["state"], j["rule"], j["severity"]) for j in found]
    assert noted == [("flagged", "RC602b", "note")], found  # it ships no requirements
    judged = [j for j in report["judgements"] if j["state"] == "cleared"]
    cleared = {(j["subject"]["id"], j["rule"]) for j in judged}
    wanted = {(method, rule) for method, rules in CLEARED.items() for rule in rules}
    open_ = [j for j in report["judgements"] if (j["subject"]["id"], j["rule"]) in wanted - cleared]
    assert wanted - cleared == set(), [j["message"] for j in open_]
