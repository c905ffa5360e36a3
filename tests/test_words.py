"""What a report may say: evidence and never motives, silence and never a pass."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_support import CLAIMS, ROOT, SCORE, paper, repcheck, report

FORMATS = ("terminal", "concise", "markdown", "github", "html", "json")
MOTIVES = re.compile(r"fraud|dishonest|cheat|\bliars?\b|decei[tv]|suspicio|guilty", re.IGNORECASE)
# What a rule, a page of a trick or a report's own text must not say of anybody.
INTENT = re.compile(
    MOTIVES.pattern
    + r"|\blied\b|guilt|culprit|misconduct|intention|manipulat|bad faith|\bfak(?:e|ed|ing)\b"
    r"|fabricat|mislead|conceal|sneak|pretend|quietly|malicious|\bblam|accus|\bmotive|trickery",
    re.IGNORECASE,
)
SPOKEN = [
    *(ROOT / "repcheck").glob("*.py"),
    *(ROOT / "repcheck" / "facts").rglob("*.py"),
    *(ROOT / "repcheck" / "reporters").rglob("*.py"),
    *(ROOT / "repcheck" / "rules").rglob("*.py"),
    *(ROOT / "repcheck" / "tricks").glob("*.md"),
    *(ROOT / "templates").rglob("*.html"),
]
UNEQUAL = CLAIMS.replace(
    '{seed} {out}", epochs: 10}}\n      base', '{seed} {out}", epochs: 30}}\n      base'
)
PAPERS = {
    "reproduced": (CLAIMS, SCORE),
    "not-reproduced": (CLAIMS.replace("5.0", "10.0").replace("mean: 93.0", "mean: 98.0"), SCORE),
    "not-run": (CLAIMS, "import sys; sys.exit('no data')"),
    "flagged": (UNEQUAL, SCORE),
}


@pytest.fixture(scope="module", params=[*PAPERS, "minimal"])
def said(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Any], dict[str, str]]:
    """The kind of paper, its report as data, and as text in every format."""
    folder = tmp_path_factory.mktemp("said")
    if request.param == "minimal":
        file = ROOT / "claims_examples" / "minimal" / "claims.yaml"
    else:
        file = paper(folder, *PAPERS[request.param])
    formats = [word for name in FORMATS for word in ("--format", f"{name}={name}.txt")]
    done = repcheck("check", "-y", file, "-o", "out", "--seeds", "3", *formats, cwd=folder)
    texts = {name: (folder / f"{name}.txt").read_text(encoding="utf-8") for name in FORMATS}
    return request.param, report(folder / "out"), texts | {"screen": done.stdout + done.stderr}


def test_no_text_speaks_of_motives(said: tuple[str, dict[str, Any], dict[str, str]]) -> None:
    _, _, texts = said
    for name, text in texts.items():
        found = MOTIVES.search(text)
        assert found is None, (name, text[found.start() - 80 : found.end() + 80])


def _texts(path: Path) -> Iterator[str]:
    """Yield what a file says to a person, without the list's own words that it quotes."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        yield text
    elif path.suffix == ".md":
        yield "\n".join(line for line in text.splitlines() if not line.startswith("> "))
    else:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.split("\n## Source\n")[0]


def test_no_rule_page_or_template_holds_a_word_about_intent() -> None:
    assert len([path for path in SPOKEN if path.parent.name == "tricks"]) == 43
    assert len([path for path in SPOKEN if "rules" in path.parts]) > 80
    found = [
        (path.name, text[max(0, word.start() - 60) : word.end() + 40])
        for path in SPOKEN
        for text in _texts(path)
        for word in INTENT.finditer(text)
    ]
    assert found == []


def test_the_words_about_intent_are_found_where_they_are() -> None:
    for said in ("They pretended to", "a fabricated table", "it was faked", "The authors cheat"):
        assert INTENT.search(said)
    for said in ("hidden-epochs", "the interval lies above", "cherry-picking", "a hidden layer"):
        assert not INTENT.search(said)


def test_nothing_that_was_not_run_counts_as_reproduced(
    said: tuple[str, dict[str, Any], dict[str, str]],
) -> None:
    _, found, texts = said
    verdicts = [claim["reproduction"]["verdict"] for claim in found["claims"]]
    counts = found["headline"]["counts"]
    assert counts == {word: verdicts.count(word) for word in counts}
    assert sum(counts.values()) == len(found["claims"])
    for claim in found["claims"]:
        if claim["reproduction"]["verdict"] == "not-run":
            assert claim["reproduction"]["observed"] is None
            assert claim["reproduction"]["interval"] is None
            assert claim["reproduction"]["reason"]
            assert f"{claim['id']}: not run" in claim["headline"]
            assert f"{claim['id']} – not run" in texts["terminal"]
            assert "is reproduced" not in found["headline"]["sentence"]


def test_all_43_tricks_stand_once_each_with_its_rules(
    said: tuple[str, dict[str, Any], dict[str, str]],
) -> None:
    _, found, texts = said
    tricks = [trick["trick"] for trick in found["coverage"]["tricks"]]
    assert len(tricks) == len(set(tricks)) == 43
    for trick in found["coverage"]["tricks"]:
        assert trick["rules"]
        if trick["standing"] == "absent":
            assert trick["states"].keys() <= {"cleared", "not-applicable"}
        assert f'id="trick-{trick["trick"]}"' in texts["html"]
        if trick["state"] == "undetermined":
            assert trick["would_decide"]
        if trick["state"] in {"cleared", "flagged"}:
            assert trick["message"]


def test_silence_is_never_a_pass(said: tuple[str, dict[str, Any], dict[str, str]]) -> None:
    _, found, texts = said
    for judgement in found["judgements"]:
        if judgement["state"] == "undetermined":
            assert judgement["reason"]
            assert judgement["would_decide"]
        if judgement["state"] == "cleared" and judgement["level"] == "declared":
            assert judgement["part"] not in {"protocol", "effect"}
    assert not re.search(r"\bpassed\b", texts["terminal"] + texts["concise"] + texts["screen"])
    states = found["coverage"]["rules"]
    assert states["undetermined"] > 0
    assert f"{states['undetermined']} undetermined" in texts["terminal"]


def test_every_finding_has_a_place_that_exists_and_a_remedy(
    said: tuple[str, dict[str, Any], dict[str, str]],
) -> None:
    kind, found, _ = said
    flagged = [j for j in found["judgements"] if j["state"] == "flagged"]
    assert bool([j for j in flagged if j["severity"] != "note"]) == (kind == "flagged")
    lines = Path(found["claims_file"]["path"]).read_text(encoding="utf-8").splitlines()
    for judgement in flagged:
        assert 0 < judgement["where"]["line"] <= len(lines)
        assert judgement["fix"]
        assert judgement["level"]
