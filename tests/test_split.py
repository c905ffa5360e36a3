"""How a gain divides into the idea and the budget, and what the page says where it does not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from repcheck.arms import Arm
from repcheck.fact import Evidence
from repcheck.facts.split import Divided, Splits
from repcheck.report_splits import splits, sweeps, tuned
from repcheck.reporter import named
from repcheck.reporters.parts import split as part
from repcheck.runs import Run
from tests.sample_report import sample
from tests.test_effects import BASE, DECLARED, TEXT, UP, claims, made, runs

DOWN = "ours at the samples of base"
UP_AT_90 = [value + 2 for value in BASE]
DOWN_AT_91 = [value + 3 for value in BASE]


def evidence(*its: Sequence[Run], arms: Sequence[str], text: str = TEXT) -> Evidence:
    known = made(text)
    return Evidence(
        claims=claims(text),
        runs=(*DECLARED, *(run for group in its for run in group)),
        arms=tuple(known[name] for name in arms),
    )


def up(values: Sequence[float] = UP_AT_90) -> list[Run]:
    return runs(UP, "base", values, 375)


def down(values: Sequence[float] = DOWN_AT_91, arm: str = DOWN) -> list[Run]:
    return runs(arm, "ours", values, 125)


def divided(*its: Sequence[Run], arms: Sequence[str] = (UP, DOWN), text: str = TEXT) -> Divided:
    (only,) = evidence(*its, arms=arms, text=text).get(Splits).divided
    return only


def test_four_cells_divide_a_gain_and_the_parts_sum_to_it():
    found = divided(up(), down())
    assert found.split is not None
    assert found.split.idea.estimate == pytest.approx(3.0)
    assert found.split.compute.estimate == pytest.approx(2.0)
    assert found.split.interaction.estimate == pytest.approx(0.0)
    assert found.split.total.estimate == pytest.approx(5.0)
    assert found.split.share is not None
    assert found.split.share.estimate == pytest.approx(0.6)
    assert found.split.share.low < 0.6 < found.split.share.high
    assert not found.split.depends_on_order
    assert found.axis == "samples"
    assert [cell.n for cell in found.cells if cell is not None] == [5, 5, 5, 5]


def test_where_idea_and_budget_interact_both_orders_are_given():
    found = divided(up(BASE), down(BASE))
    assert found.split is not None
    assert found.split.depends_on_order
    (told,) = splits(evidence(up(BASE), down(BASE), arms=(UP, DOWN)))
    assert told["orders"]["method_first"]["estimate"] == pytest.approx(0.0)
    assert told["orders"]["method_last"]["estimate"] == pytest.approx(5.0)
    assert "they interact" in told["words"]


def test_the_parts_of_a_reported_gain_sum_to_it_and_the_missing_one_is_named():
    text = TEXT.replace("improvement: 5.0", "improvement: 6.5")
    found = divided(up(), down(), text=text)
    assert found.waterfall is not None
    assert sum(one.estimate for one in found.waterfall.parts.values()) == pytest.approx(6.5)
    assert found.waterfall.luck.estimate == pytest.approx(1.5)
    assert found.waterfall.tuning is None
    assert [one.what for one in found.lacking] == ["what more tuning trials gave"]
    assert "methods.ours.tuning.scores" in found.lacking[0].would_decide


def test_what_more_trials_gave_is_a_part_of_its_own_where_the_scores_are_known():
    text = TEXT.replace(
        "role: proposed", "role: proposed\n    tuning: {scores: [90, 91, 92, 93, 94, 95]}"
    ).replace("role: baseline", "role: baseline\n    tuning: {scores: [85, 86, 87]}")
    found = divided(up(), down(), text=text)
    assert found.lacking == ()
    assert found.waterfall is not None
    assert found.waterfall.tuning is not None
    assert found.waterfall.tuning.estimate == pytest.approx(95 - 94.25)
    assert sum(one.estimate for one in found.waterfall.parts.values()) == pytest.approx(5.0)


def test_a_cell_that_was_not_run_is_named_with_the_line_that_asks_for_it():
    found = divided(up(), arms=(UP,))
    assert found.split is None
    assert found.waterfall is None
    gap = found.lacking[0]
    assert gap.what == "`ours` at the budget of `base`"
    assert "of: ours, factor: train.epochs, kind: align, override: {epochs: 10}" in gap.would_decide
    (told,) = splits(evidence(up(), arms=(UP,)))
    assert (told["phi_method"], told["share"]) == (None, None)
    assert [one["part"] for one in told["waterfall"]] == ["idea and compute together", "luck"]
    assert told["n"] == {"baseline": 5, "baseline_at": 5, "method_at": 0, "method": 5}


def test_the_line_that_asks_for_the_cell_gives_the_cell():
    name = "ours at the budget of base"
    line = (
        f'{{id: "{name}", of: ours, factor: train.epochs, kind: align, override: {{epochs: 10}}}}'
    )
    text = TEXT.replace("metrics:", f"  - {line}\nmetrics:")
    found = divided(up(), down(arm=name), arms=(UP, name), text=text)
    assert found.split is not None
    assert found.split.idea.estimate == pytest.approx(3.0)


def test_an_invalid_cell_is_no_cell():
    other = runs(DOWN, "ours", DOWN_AT_91, 125, training={"batch": 64.0})
    found = divided(up(), other)
    assert found.split is None
    assert "samples a step" in found.lacking[0].would_decide


def test_a_gain_that_is_not_there_is_not_divided():
    flat = [*runs("ours", "ours", BASE, 375), *runs("base", "base", BASE, 125)]
    known = made()
    its = Evidence(claims=claims(), runs=(*flat, *up(), *down()), arms=(known[UP], known[DOWN]))
    assert its.get(Splits).divided == ()


def test_without_arms_there_is_nothing_to_divide():
    assert splits(Evidence(claims=claims(), runs=tuple(DECLARED))) == []
    assert splits(Evidence(claims=claims())) == []


def test_an_arm_of_another_factor_is_no_cell():
    arm: Arm = made()["base+norm"]
    its = runs("base+norm", "base", UP_AT_90, 125, params=1100)
    again = replace(DECLARED[5], replicate=1)
    found = Evidence(claims=claims(), runs=(*DECLARED, again, *its), arms=(arm,))
    assert found.get(Splits).divided == ()


# --- the page -----------------------------------------------------------------------------------


def shown(**more: Any) -> str:
    html = named("html").render(sample() | more)
    found = html.split('aria-labelledby="split"')[1].split("</section>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found))


def test_the_page_shows_each_part_with_its_interval_and_the_sentence():
    its = evidence(up(), down(), arms=(UP, DOWN))
    said = shown(splits=splits(its))
    assert "the idea (phi of the method) 60 % of the measured gain, [" in said
    assert "+3.00 [" in said
    assert "of the measured gain +5.00 [" in said
    assert "n: base 5, at the other's budget 5, ours 5, at the other's budget 5" in said.replace(
        "&#39;", "'"
    )
    assert "Missing: what more tuning trials gave." in said


def test_the_page_names_the_missing_cell_and_draws_no_part_for_it():
    said = shown(splits=splits(evidence(up(), arms=(UP,))))
    assert "Missing: ours at the budget of base ." in said
    assert "repcheck makes it by itself only where the other arm decides nothing" in said
    assert "phi of the method" not in said
    assert "idea and compute together +5.00 [" in said


def test_a_page_without_any_of_it_has_no_such_section():
    assert 'aria-labelledby="split"' not in named("html").render(sample())
    empty = evidence(up(), arms=(UP,))
    assert (sweeps(empty), tuned(empty)) == ([], [])
    assert part.more(sample()) == 0


def test_a_share_of_a_gain_that_may_be_none_is_undefined():
    (told,) = splits(evidence(up(), down(), arms=(UP, DOWN)))
    said = shown(splits=[told | {"share": None}])
    assert "its share of the measured gain is undefined" in said
