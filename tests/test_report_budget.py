"""The page's budget in one currency: every number with its mark, the unknown never as nothing."""

from __future__ import annotations

import re

import pytest

from repcheck.reporter import named
from repcheck.reporters.parts.budget import budgets
from tests.sample_report import large, sample
from tests.test_report_html import Page, page


def section(report=None) -> str:
    html = named("html").render(sample() if report is None else report)
    return html.split('aria-labelledby="currency"')[1].split('aria-labelledby="budgets"')[0]


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_it_stands_before_declared_and_observed():
    text = page().text
    assert text.index("Budget in one currency") < text.index("Declared and observed")


def test_each_number_has_its_mark_and_each_ratio_both_numbers():
    said = words(section())
    for part in ("3.2 TFLOPs observed", "210 GFLOPs observed cnn has ×15.24", "10 declared",
                 "36 derived", "120,000 observed", "36,000 observed cnn has ×3.33"):  # fmt: skip
        assert part.replace(" cnn", "cnn") in said.replace(" cnn", "cnn"), part


def test_what_nobody_knows_is_said_and_what_is_bounded_has_no_ratio():
    said = words(section())
    assert "not known: rerun it: time is measured" in said
    assert "at least 1.9 MFLOPs" in said
    assert "no ratio: the baseline's is a lower bound" in said.replace("&#39;", "'")
    assert "count incomplete" in said


def test_only_what_the_first_method_has_more_of_is_marked():
    made = budgets(sample()).groups[0]
    marks = {row.name: row.cells[1].more for row in made.rows}
    assert marks["training FLOPs"]
    assert not marks["parameters"], "×0.34 favours nobody's suspicion"


def test_bars_are_drawn_to_scale_and_a_bound_is_open():
    drawn = {one.title: one.bars for one in budgets(sample()).groups[0].drawings}
    assert list(drawn) == ["samples", "training FLOPs", "inference FLOPs, one example"]
    assert [bar.width for bar in drawn["samples"]] == ["96%", "28.8%"]
    assert [bar.open for bar in drawn["inference FLOPs, one example"]] == [False, True]
    html = section()
    assert html.count('<rect class="seen"') == 6
    assert html.count('class="cut"') == 1
    assert "style=" not in html


def test_an_unknown_amount_has_no_bar():
    report = sample()
    cells = report["budget"]["methods"][1]["cells"]
    cells["samples"] = {"value": None, "reason": "declare `methods.mlp.train.epochs`"}
    bars = next(one.bars for one in budgets(report).groups[0].drawings if one.title == "samples")
    assert (bars[1].width, bars[1].said) == ("", "not known")
    report["budget"]["methods"][0]["cells"]["samples"] = cells["samples"]
    assert "samples" not in {one.title for one in budgets(report).groups[0].drawings}


@pytest.mark.parametrize("told", [None, {}, {"methods": [], "comparisons": []}])
def test_a_report_without_budgets_says_so(told):
    report = sample()
    report["budget"] = told
    if told is None:
        del report["budget"]
    assert "describes no method" in words(section(report))


def test_methods_without_a_comparison_stand_side_by_side():
    report = sample()
    report["budget"]["comparisons"] = []
    (group,) = budgets(report).groups
    assert [name for name, _ in group.methods] == ["cnn", "mlp"]
    assert not any(cell.ratio for row in group.rows for cell in row.cells)


def test_many_comparisons_are_cut_and_counted():
    report = large(20, 40)
    one = report["budget"]["methods"]
    report["budget"]["methods"] = [
        side | {"id": f"{side['id']}{i}"} for i in range(20) for side in one
    ]
    like = report["budget"]["comparisons"][0]
    report["budget"]["comparisons"] = [
        like | {"method": f"cnn{i}", "baseline": f"mlp{i}"} for i in range(20)
    ]
    assert len(budgets(report).groups) == 6
    assert "14 more comparisons" in Page(named("html").render(report)).text
