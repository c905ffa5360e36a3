"""Where the gain comes from: every arm with what it left, and nothing painted that is not held."""

from __future__ import annotations

import json
import re

import pytest
from cli_support import ROOT, repcheck

from repcheck.reporter import named
from repcheck.reporters.parts import words
from repcheck.reporters.parts.arms import VERDICTS, panels, settles
from tests.sample_arms import effect
from tests.sample_report import sample
from tests.test_report_html import Page, css, page


def section(report=None) -> str:
    html = named("html").render(sample() if report is None else report)
    return html.split('aria-labelledby="arms"')[1].split('aria-labelledby="checks"')[0]


def cells(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.fixture(scope="module")
def rows():
    (panel,) = panels(sample())
    return {row.arm["id"]: row for row in panel.rows}


def test_each_verdict_has_its_word_and_how_much_it_settles(rows):
    said = [(row.verdict.word, row.settles) for row in rows.values()]
    assert said == [
        ("gone", "explains at least 86 %"),
        ("reduced", "explains at least 41 %"),
        ("survives", "explains at most 34 %"),
        ("inconclusive", "14 seeds an arm would decide"),
        ("undetermined", "invalid arm"),
        ("the contribution", "what the paper offers, so not held against the claim"),
        ("beyond the comparison", "trained longer than the method, so not held against the claim"),
    ]


def test_what_is_not_held_against_the_claim_is_never_painted_as_if_it_were(rows):
    assert [row.verdict.css for row in rows.values()] == ["bad", "bad", "ok", *4 * ["un"]]
    assert {word.css for word in VERDICTS.values()} == {"bad", "ok", "un"}
    unnamed = effect("gone", "with `x` in `mlp` too", "`x`", remaining=0.0, interval=[-1.0, 1.0])
    report = sample()
    report["arms"][3]["effects"] = [unnamed | {"apart": "unnamed", "apart_words": "not stated"}]
    first = panels(report)[0].rows[0]
    assert (first.verdict.word, first.verdict.css) == ("undetermined", "un")


def test_a_share_is_rounded_to_the_side_that_claims_less():
    def says(verdict, low, high):
        return settles(effect(verdict, "", "", remaining=(low + high) / 2, interval=[low, high]))

    assert says("gone", -1.0, 26 * 0.0001) == "explains at least 99 %"
    assert says("gone", -1.0, 0.0) == "explains all of it"
    assert says("gone", -3.0, -1.0) == "explains all of it"
    assert says("survives", 26 * 0.999, 30.0) == "explains at most 1 %"
    assert says("reduced", 20.0, 27.0) == "", "nothing is guaranteed"


def test_the_gain_as_declared_stands_first_with_its_own_level():
    said = cells(section())
    first = said.index("as declared")
    assert first < said.index("mlp at the samples of cnn")
    assert "; claimed +26.0, margin 6.5; 90 % interval" in said
    assert "90.1 ± 0.9 against 68.7 ± 1.0" in said
    assert "+21.4 [+19.2, +23.6]" in said


def test_a_smaller_gain_of_the_reruns_is_named_as_what_there_is_to_explain():
    report = sample()
    for arm in report["arms"]:
        for one in arm["effects"]:
            if "claimed" in one:
                one |= {"claimed": 21.4, "shown": True}
    assert "the smaller gain of the reruns is what there is to explain" in cells(section(report))
    assert "the +21.4 that the reruns show" in named("terminal").render(report)


def test_an_arm_that_is_not_valid_says_what_else_changed_and_draws_nothing(rows):
    (row,) = [row for row in rows.values() if row.arm["id"].startswith("mlp`")]
    assert row.mark is None
    assert row.others == ("steps: 360 → 400",)
    said = cells(section())
    assert "Decides nothing yet: an arm that changes seed and nothing else" in said
    assert "Changed too: steps: 360 → 400." in said


def test_an_aligned_arm_says_what_it_reached():
    assert "On target: ×1.000 of the 120,000 samples wanted." in cells(section())


def test_arms_that_were_not_run_are_listed_with_what_would_make_them_possible():
    assert "1 arm not run" in cells(section())
    assert "put {dropout} into methods.mlp.train.command" in re.sub(r" +", " ", cells(section()))
    report = sample()
    report["arms"] = [arm for arm in report["arms"] if not arm["effects"]]
    assert "<details open><summary>1 arm not run" in section(report)


def test_without_arms_there_is_no_section_and_no_link_to_one():
    report = sample()
    report["arms"] = report["arms"][:3]
    shown = page(report)
    assert "arms" not in shown.ids
    assert '<a href="#arms">' not in shown.html
    assert '<a href="#arms">' in page().html
    assert '<a href="#currency">' in shown.html


def test_names_and_changes_of_arms_stay_text():
    shown = page()
    assert "mlp`<b>x</b>|" in shown.text
    assert "seed=<i>{{ 7*7 }}</i>" in shown.text
    assert "i" not in {tag for tag, _, inside in shown.tags if "code" in inside}


def test_arms_keep_their_roles_and_their_notes_span_the_table():
    table = section().split('<table class="forest arms" role="table">')[1].split("</table>")[0]
    for tag, role in (("tr", "row"), ("td", "cell"), ("tbody", "rowgroup")):
        assert not re.findall(rf"<{tag}(?![^>]*role=\"{role}\")[ >]", table)
    assert table.count('class="aside"') == table.count('class="arm"') == 7
    assert re.search(r"\.arms \.aside td \{[^}]*color: var\(--mu\)", css())


def test_more_arms_than_find_room_are_counted():
    report = sample()
    one = report["arms"][4]
    report["arms"] += [json.loads(json.dumps(one)) | {"id": f"arm {n}"} for n in range(30)]
    assert f"{7 + 30 - 24} more arms of C1 in" in cells(section(report))
    assert "and 13 more arms in report.json" in named("terminal").render(report)
    Page(named("html").render(report))


def test_the_terminal_keeps_arms_and_budgets_within_80_columns():
    said = named("terminal").render(sample())
    arms = said.split("what remains of")[1].split("\nC3 ")[0]
    budget = said.split("budget of")[1].split("The headline claim")[0]
    assert "✗ mlp+norm: +12.2 [+9.1, +15.3], reduced, explains at least 41 %" in arms
    assert "36,000 samples (cnn ×3.33)" in budget
    assert "1.9 MFLOPs an example" in budget
    assert "15,210 parameters (declared, cnn ×0.34)" in " ".join(budget.split())
    assert max(map(len, [*arms.splitlines(), *budget.splitlines()])) <= 80


def test_markdown_has_a_row_an_arm_and_a_line_a_method():
    said = named("markdown").render(sample())
    table = said.split("### Where the gain comes from")[1].split("###")[0]
    rows = [line for line in table.splitlines() if line.startswith("| C1 ")]
    assert len(rows) == 7
    assert all(line.replace("\\|", "").count("|") == 6 for line in rows)
    assert "<b>" not in table.replace("\\<b\\>", "")
    assert "- mlp: 36,000 samples (cnn ×3.33), 210 GFLOPs to train (cnn ×15.24)" in said


@pytest.mark.parametrize(
    ("example", "change"),
    [
        ("norm_shuffle", "plain+norm: norm=batch, by a placeholder of the command"),
        ("equal_compute", "plain-wide: width=auto (auto: sized so that its FLOPs meet those of"),
    ],
)
def test_consent_and_plan_say_what_each_arm_changes(example, change, tmp_path):
    file = ROOT / "claims_examples" / example / "claims.yaml"
    asked = repcheck("check", file, "-o", tmp_path / "out", cwd=tmp_path)
    assert asked.returncode == 2
    assert "6 of them are of arms, made as the runs as declared give reason to" in asked.stderr
    assert f"5 x  {change}" in asked.stderr
    table = repcheck("plan", file, "-o", tmp_path / "out", cwd=tmp_path).stdout
    arms = table.split("\narms, ")[1].splitlines()[1:]
    assert f"changes {change.partition(': ')[2]}"[:60] in " ".join(" ".join(arms).split())
    assert any(line.startswith("    decides what of the gain remains") for line in arms)
    assert max(map(len, arms[:4])) <= 100


def test_fairness_names_what_explains_the_gain():
    found = {"verdict": "explained", "cause": "`norm`"}
    assert words.fairness(found).word == "explained by norm"
    assert words.fairness({"verdict": "partly-explained"}).word.endswith("something else")
    assert words.fairness({"verdict": "asymmetric", "cause": "x"}).word.endswith("unknown")
    report = sample()
    report["claims"][0]["fairness"] |= {"verdict": "explained", "cause": "longer training\u202e<b>"}
    for name in ("terminal", "concise"):
        assert "explained by longer training⟨U+202E⟩<b>" in named(name).render(report)
    assert "explained by longer training⟨U+202E⟩\\<b\\>" in named("markdown").render(report)


def test_the_grid_says_beside_a_trick_what_its_arms_showed():
    report = sample()
    trick = next(t for t in report["coverage"]["tricks"] if t["trick"] == "1.2")
    trick["effect"] = "explains the gain"
    grid = page(report).text.split("The 43 checks")[1]
    assert re.search(r"1\.2 hidden-epochs ✗ flagged, major; explains the gain", grid)
