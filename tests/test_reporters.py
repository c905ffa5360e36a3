"""The formats: found by name, stable, safe with any text, honest about what was not checked."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.errors import UsageError
from repcheck.reporter import named, names, wants_colour
from repcheck.reporters.parts import text, words
from repcheck.reporters.parts.scale import Scale
from repcheck.rule import State
from tests.sample_report import large, sample
from tests.test_report_html import Page

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "x</script><img src=x onerror=alert(1)>\"'&\u202e\x1b[31m\n::error::|`@team #1 {{ 7*7 }}"
WORDS_OF_THE_FORMAT = {
    *("state", "verdict", "axis", "severity", "status", "seed_kind", "part", "sha256"),
    *("trick", "group", "reason"),
}


def poisoned(value, key=""):
    """Return the report with hostile text in every field that people or programs fill."""
    if isinstance(value, dict):
        return {name: poisoned(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner, key) for inner in value]
    if isinstance(value, str) and key not in WORDS_OF_THE_FORMAT:
        return value + HOSTILE
    return value


def test_formats_are_found_and_never_listed():
    assert set(names()) >= {"html", "json", "terminal", "concise", "markdown", "github"}
    for name in names():
        assert named(name).name == name
        assert named(name).about


def test_an_unknown_format_is_refused_with_the_nearest_one():
    with pytest.raises(UsageError, match="did you mean `markdown`"):
        named("markdwon")
    with pytest.raises(UsageError, match="choose from concise"):
        named("../../etc")


def test_the_terminal_needs_no_template_engine():
    code = (
        "import sys; from repcheck.reporter import named; named('terminal'); named('concise');"
        "print(sorted({'jinja2', 'rich', 'numpy', 'pandas', 'torch'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["html", "json", "terminal", "concise", "markdown", "github"])
def test_rendering_twice_gives_the_same_and_changes_nothing(name):
    report = sample()
    assert named(name).render(report) == named(name).render(report)
    assert report == sample()


@pytest.mark.parametrize(
    ("name", "file"), [("terminal", "terminal.txt"), ("markdown", "markdown.md")]
)
def test_the_golden_report_reads_as_it_did(name, file):
    report = json.loads((GOLDEN / "report.json").read_text(encoding="utf-8"))
    assert named(name).render(report) == (GOLDEN / file).read_text(encoding="utf-8")


def test_the_golden_report_is_the_sample():
    assert json.loads((GOLDEN / "report.json").read_text(encoding="utf-8")) == sample()


def test_json_gives_the_report_back():
    report = poisoned(sample())
    said = named("json").render(report)
    assert json.loads(said) == report
    assert "\u202e" not in said
    assert "\x1b" not in said


def test_hostile_text_stays_text_on_the_page():
    page = Page(named("html").render(poisoned(sample())))
    assert not {"script", "img"} & {tag for tag, _, _ in page.tags}
    assert not [name for _, attrs, _ in page.tags for name in attrs if name.startswith("on")]
    assert "\x1b" not in page.html
    assert "\u202e" not in page.html
    assert "{{ 7*7 }}" in page.text
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("name", ["terminal", "concise", "markdown", "github"])
def test_hostile_text_stays_visible_in_text_formats(name):
    said = named(name).render(poisoned(sample()))
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "⟨U+202E⟩" in said


def test_hostile_text_starts_no_workflow_command():
    said = named("github").render(poisoned(sample()))
    kinds = ("::error file=", "::warning file=", "::notice file=")
    assert all(line.startswith(kinds) for line in said.splitlines())
    assert len(said.splitlines()) == len(named("github").render(sample()).splitlines())


def test_hostile_text_starts_no_html_mention_or_cell_in_markdown():
    said = named("markdown").render(poisoned(sample()))
    assert "<img" not in said.replace("\\<img", "")
    assert "@team" not in said
    rows = [line for line in said.split("###")[0].splitlines() if line.startswith("| ")]
    assert len(rows) == 5
    assert all(line.replace("\\|", "").count("|") == 6 for line in rows)


def test_markdown_fits_a_comment_and_keeps_its_marker():
    said = named("markdown").render(large(claims=1_000, runs=1_000))
    assert said.startswith("<!-- repcheck report -->\n")
    assert len(said) < 65_000
    assert "more claims in `report.html`" in said
    assert "more findings in `report.html`" in said


def test_github_annotations_stand_on_the_line():
    said = named("github").render(sample()).splitlines()
    assert said[0].startswith("::error file=claims.yaml,line=8,col=16,title=RC102 hidden-epochs::")
    assert any(line.startswith("::notice") and "C3 inconclusive" in line for line in said)
    assert "90 %25" in said[-1]


def test_the_terminal_shows_the_line_with_a_caret_while_the_file_is_as_it_was(tmp_path):
    file = tmp_path / "claims.yaml"
    file.write_text("repcheck: 1\n" * 7 + "    length: 360 iterations\n", encoding="utf-8")
    report = sample()
    report["claims_file"] |= {
        "path": str(file),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    report["judgements"][0]["where"]["column"] = 13
    said = named("terminal").render(report)
    assert "  8 |     length: 360 iterations\n    |             ^^^\n  help: Report both" in said
    file.write_text("repcheck: 1\n" * 9, encoding="utf-8")
    assert "^^^" not in named("terminal").render(report)
    file.unlink()
    assert "^^^" not in named("terminal").render(report)


def test_the_terminal_never_quotes_a_file_other_than_the_claims_file(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2\n" * 20)
    report = sample()
    report["judgements"][0]["where"]["file"] = str(secret)
    assert "hunter2" not in named("terminal").render(report)


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not wants_colour(io.StringIO())
    plain = named("terminal").text(sample(), io.StringIO())
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in named("terminal").text(sample(), io.StringIO())
    assert "\x1b" not in named("concise").text(sample(), io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert named("terminal").text(sample(), io.StringIO()) == plain


def test_concise_gives_one_line_a_finding_and_a_claim():
    lines = named("concise").render(sample()).splitlines()
    assert len(lines) == 4 + 4
    assert lines[0].startswith("claims.yaml:8:16: RC102 [major] 360 iterations")
    assert "claims.yaml:58:5: C4 not run: claimed 96 %, nothing observed (no command)" in lines[5]


def test_every_state_has_a_word_and_only_two_words_are_good():
    assert {state.value for state in State} | {"note"} == set(words.STATES)
    good = [w.word for table in (words.STATES, words.VERDICTS, words.FAIRNESS)
            for w in table.values() if w.css == "ok"]  # fmt: skip
    assert good == ["cleared", "reproduced", "fair as far as checked"]


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, max_size=5), st.lists(st.floats(), max_size=5))
def test_any_numbers_make_an_axis(core, reach):
    scale = Scale.around(core, reach)
    for value in [*core, *[one for one in reach if one == one]]:
        assert 0 <= float(scale.at(value).rstrip("%")) <= 100
    assert len(scale.ticks()) <= 11


def test_a_very_wide_interval_is_cut_and_leaves_the_others_readable():
    scale = Scale.around([0.0, 1.0, 2.0], [0.5, 1.5, -900.0, 900.0, 1.0, 2.2])
    assert scale.high - scale.low < 20
    assert not scale.holds(900.0)
    assert scale.at(900.0) == "96%"


@given(st.text())
def test_visible_text_hides_nothing_and_can_be_written(said):
    shown = text.visible(said)
    shown.encode("utf-8")
    assert text.visible(shown) == shown
    assert not any(ch in shown for ch in "\x00\x1b\u202e\u2066\u200b")


@pytest.mark.parametrize(
    ("value", "said"),
    [(600000, "600,000"), (0.00123, "0.00123"), (36.0, "36"), ("10 epochs", "10 epochs"),
     (True, "True"), (1e30, "1e+30")],
)  # fmt: skip
def test_numbers_read_as_people_write_them(value, said):
    assert text.number(value) == said


def test_rounded_zero_claims_no_direction():
    assert text.fixed(-0.001, 2, sign=True) == "0.00"
    assert text.fixed(4.84, 1, sign=True) == "+4.8"
    assert text.fixed(-4.84, 1) == "−4.8"
