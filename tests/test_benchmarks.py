"""Every benchmark prints the object that the table of all of them is made of. Times are not judged
here: this machine may be busy.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "benchmarks"
# Minutes of trainings, and rivals that have to be installed first: those are run by hand.
BY_HAND = {"all", "arms_attribution", "stats_speed", "trick_recall"}
BENCHMARKS = [path for path in sorted(FOLDER.glob("[!_]*.py")) if path.stem not in BY_HAND]


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_prints_one_object_with_its_figures(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(path), "--json", "--quick"],
        cwd=FOLDER.parent.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert set(report) == {"benchmark", "machine", "figures"}
    assert report["benchmark"] == path.stem
    assert report["machine"]
    assert report["figures"]
    for figure in report["figures"]:
        assert figure["name"]
        assert figure["unit"]
        assert isinstance(figure["value"], int | float)
        assert figure["better"] in {"lower", "higher"}
        lower = figure["better"] == "lower"
        good = figure["value"] <= figure["goal"] if lower else figure["value"] >= figure["goal"]
        # A value on the edge of its goal may be rounded across it.
        assert figure["met"] is good or figure["value"] == figure["goal"]
    names = [figure["name"] for figure in report["figures"]]
    assert len(names) == len(set(names))


def test_the_table_finds_the_benchmarks_and_shows_goal_met_and_rival() -> None:
    assert BENCHMARKS
    sys.path.insert(0, str(FOLDER))
    try:
        from _bench import figure, table
    finally:
        sys.path.remove(str(FOLDER))
    slow = figure("start", 3.0, "ratio", 2.5, rival="imports alone", rival_value=0.1)
    heading, row = table([{"benchmark": "cli_start", "figures": [slow]}]).splitlines()
    assert heading.split() == ["benchmark", "figure", "value", "goal", "met", "rival"]
    cells = re.split(r"\s{2,}", row)
    assert cells == ["cli_start", "start", "3.0 ratio", "<= 2.5", "NO", "imports alone (0.1)"]
