"""What a person answered: it resolves what needs a human, lowers a little, and deletes nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RULES = Path(__file__).parent / "rules" / "statistics" / "best_unlike_its_table"
SIGNED = "text: their footnote says so, by: A. Reviewer, date: 2026-01-31"


def repcheck(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "repcheck", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def checked(folder: Path, claims: Path, answers: str = "") -> tuple[int, dict[str, Any]]:
    shutil.copy(claims, folder / "claims.yaml")
    given: list[object] = []
    if answers:
        (folder / "answers.yaml").write_text(answers)
        given = ["--answers", "answers.yaml"]
    done = repcheck(
        "check", "--yes", "-q", "-o", "out", "--fail-on", "note", *given, "claims.yaml", cwd=folder
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, json.loads((folder / "out" / "report.json").read_text())


def of(report: dict[str, Any], rule: str) -> dict[str, Any]:
    (one,) = [j for j in report["judgements"] if j["rule"] == rule and j["subject"]["id"] == "C1"]
    return one  # type: ignore[no-any-return]


def test_questions_name_what_needs_a_person_and_make_a_file_to_answer_in(tmp_path: Path) -> None:
    shutil.copy(RULES / "unjudged.yaml", tmp_path / "claims.yaml")
    shown = repcheck("questions", "claims.yaml", cwd=tmp_path).stdout
    assert "(RC917, about C1)" in shown
    made = repcheck("questions", "--format", "yaml", "claims.yaml", cwd=tmp_path).stdout
    assert 'rule: RC917, about: "C1"' in made
    (tmp_path / "answers.yaml").write_text(made)
    done = repcheck(
        "check", "--yes", "-q", "-o", "out", "--answers", "answers.yaml", "claims.yaml",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert of(report, "RC917")["state"] == "undetermined"
    assert {one["effect"] for one in report["answers"]} == {"noted"}


@pytest.mark.parametrize(
    ("decides", "state", "code"), [("cleared", "cleared", 0), ("flagged", "flagged", 1)]
)
def test_an_answer_resolves_what_needs_a_human(
    tmp_path: Path, decides: str, state: str, code: int
) -> None:
    answer = f"answers: [{{rule: RC917, about: C1, answer: yes, {SIGNED}, decides: {decides}}}]"
    exit_code, report = checked(tmp_path, RULES / "unjudged.yaml", answer)
    one = of(report, "RC917")
    assert (one["state"], one["level"], exit_code) == (state, "human", code)
    assert "A. Reviewer, 2026-01-31: yes, their footnote says so" in one["message"]
    assert report["answers"][0]["effect"] == "resolved"


def test_an_answer_lowers_a_finding_by_one_level_and_says_so(tmp_path: Path) -> None:
    _, before = checked(tmp_path, RULES / "bad.yaml")
    answer = f"answers: [{{rule: RC917, answer: no, {SIGNED}, severity: note}}]"
    _, after = checked(tmp_path, RULES / "bad.yaml", answer)
    old, new = of(before, "RC917"), of(after, "RC917")
    assert (old["severity"], new["severity"]) == (
        "minor",
        "note" if old["level"] == "declared" else "minor",
    )
    assert new["state"] == "flagged"
    assert old["message"] in new["message"]


def test_a_measured_finding_is_lowered_by_one_level_and_never_to_a_note() -> None:
    from dataclasses import replace

    from repcheck.answers import Answer, answered
    from repcheck.fact import Level
    from repcheck.rule import Judgement, Part, Severity, State
    from repcheck.where import NOWHERE

    said = Answer(
        rule="RC509", answer="no", text="t", by="b", date="d", severity=Severity.NOTE,
        place=NOWHERE,
    )  # fmt: skip
    leak = Judgement(
        rule="RC509", name="", trick="5.9", subject_kind="method", subject_id="ours",
        state=State.FLAGGED, part=Part.PROTOCOL, message="300 of 1,000", level=Level.OBSERVED,
        severity=Severity.CRITICAL,
    )  # fmt: skip
    (once,), told = answered([leak], [said])
    assert (once.severity, told[0]["effect"]) == (Severity.MAJOR, "lowered")
    minor = replace(leak, severity=Severity.MINOR)
    (kept,), told = answered([minor], [said])
    assert (kept, told[0]["effect"]) == (minor, "kept")
    _, told = answered([replace(leak, rule="RC101")], [said])
    assert told[0]["effect"] == "no question"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("answers: [{rule: RC917, answer: yes}]", "has to say its text and by and date"),
        (f"answers: [{{rule: RC999, answer: yes, {SIGNED}}}]", "RC999: no such rule"),
        (f"answers: [{{rule: RC917, answer: maybe, {SIGNED}}}]", "`answer` is one of yes, no"),
        (f"answers: [{{rule: RC917, answer: yes, {SIGNED}, decide: x}}]", "no such key"),
        (f"answers: [{{rule: RC917, answer: yes, {SIGNED}, decides: no}}]", "`decides` is one of"),
        ("answers: 3", "expected one list named `answers`"),
        ("- 1", "answers.yaml"),
        ("answers: [[]]", "expected answers:"),
        ("answers: [", "--answers: expected"),
    ],
)
def test_a_file_of_answers_that_cannot_be_one_is_refused_with_its_place(
    tmp_path: Path, text: str, says: str
) -> None:
    shutil.copy(RULES / "good.yaml", tmp_path / "claims.yaml")
    (tmp_path / "answers.yaml").write_text(text)
    done = repcheck(
        "check", "--yes", "--answers", "answers.yaml", "-o", "out", "claims.yaml", cwd=tmp_path
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "out").exists()
