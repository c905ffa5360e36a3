"""What several numbers of a table say about each other: relations, ranks, patterns, p-values."""

from __future__ import annotations

from fractions import Fraction
from math import exp
from statistics import mean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from repcheck.stats.forensics import average_fit
from repcheck.stats.forensics_patterns import (
    Spread,
    chi_squared_tail,
    constant_gain,
    equal_spreads,
    last_digits,
    repeated_rows,
)
from repcheck.stats.forensics_ranks import better_than_bold, mean_rank, rank_span
from repcheck.stats.forensics_relations import contradictions, inside, relations_asked
from repcheck.stats.forensics_suites import averaged_first, commonly_left_out
from repcheck.stats.forensics_tests import Arm, p_fit, stated_p, variants
from repcheck.stats.printed import Printed, Rounding, parse


def cells(**shown: str) -> dict[str, Printed]:
    return {name.replace("_", " "): parse(text) for name, text in shown.items()}


def arm(average: str, spread: str, n: int) -> Arm:
    return Arm(mean=parse(average), spread=parse(spread), n=n)


# --- relations --------------------------------------------------------------------------------

AT_ODDS = [
    {"top1_acc": "80.1", "top5_acc": "79.0"},
    {"accuracy": "80.1", "top_5_accuracy": "79.0"},
    {"R@1": "50.2", "R@5": "48.0"},
    {"pass@1": "50.2", "pass@10": "48.0"},
    {"AP": "60.1", "AP50": "58.0"},
    {"AP75": "61.1", "AP50": "58.0"},
    {"EM": "80.0", "F1": "75.0"},
    {"MAE": "3.3", "RMSE": "3.0"},
    {"RMSE": "3.0", "MSE": "8.0"},
    {"error": "20.0", "accuracy": "83.0"},
    {"ppl": "10.0", "loss": "3.5"},
    {"F1": "90.0", "precision": "80.0", "recall": "85.0"},
    {"IoU": "70.0", "Dice": "95.0"},
    {"IoU": "90.0", "Dice": "85.0"},
]
IN_ORDER = [
    {"top1_acc": "80.1", "top5_acc": "95.0"},
    {"top1_error": "20.1", "top5_error": "5.0"},
    {"R@1": "48.0", "R@5": "50.2"},
    {"AP": "40.1", "AP50": "58.0", "AP75": "43.0"},
    {"AP_small": "60.0", "AP50": "58.0"},
    {"EM": "75.0", "F1": "80.0"},
    {"MAE": "3.0", "RMSE": "3.2", "MSE": "10.3"},
    {"error": "17.0", "accuracy": "83.0"},
    {"ppl": "33.1", "loss": "3.5"},
    {"ppl": "70.1", "loss": "3.5"},
    {"F1": "82.0", "precision": "80.0", "recall": "85.0"},
    {"macro_F1": "90.0", "precision": "80.0", "recall": "85.0"},
    {"IoU": "81.0", "Dice": "89.5"},
    {"NDCG@1": "50.2", "NDCG@5": "48.0"},
]


def named(shown: dict[str, str]) -> dict[str, Printed]:
    return {name: parse(text) for name, text in shown.items()}


@pytest.mark.parametrize("shown", AT_ODDS, ids=" ".join)
def test_metrics_that_contradict_each_other_are_found_under_any_rounding(
    shown: dict[str, str],
) -> None:
    [found] = contradictions(named(shown))
    assert found.mode is None
    assert set(found.names) == set(shown)
    assert found.certain is ("ppl" not in shown)


@pytest.mark.parametrize("shown", IN_ORDER, ids=" ".join)
def test_metrics_that_agree_are_not(shown: dict[str, str]) -> None:
    assert contradictions(named(shown)) == ()


def test_rounding_explains_what_it_can_and_is_named() -> None:
    [found] = contradictions(named({"error": "20.0", "accuracy": "79.8"}))
    assert found.mode is Rounding.TRUNCATED
    assert contradictions(named({"error": "20.0", "accuracy": "79.9"})) == ()
    fractions = named({"error": "0.200", "accuracy": "0.800"})
    assert contradictions(fractions, most=1) == ()
    assert relations_asked(fractions) == 1


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 1000)), min_size=1, max_size=6),
    st.integers(1, 3),
)
def test_averages_of_honest_seeds_are_never_at_odds(pairs: list[tuple[int, int]], d: int) -> None:
    """Each seed has its own precision, recall, loss and errors; every metric is averaged."""
    precision, recall = [p / 1000 for p, _ in pairs], [r / 1000 for _, r in pairs]
    f1 = [2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)]
    iou = [f / (2 - f) for f in f1]
    loss = [3 * p for p in precision]
    rmse = [max(p, r) for p, r in zip(precision, recall, strict=True)]
    mae = [min(p, r) for p, r in zip(precision, recall, strict=True)]
    seeds = {
        "precision": precision, "recall": recall, "f1": f1, "iou": iou, "dice": f1, "loss": loss,
        "ppl": [exp(x) for x in loss], "rmse": rmse, "mae": mae, "mse": [x * x for x in rmse],
        "accuracy": precision, "error": [1 - p for p in precision], "top-1": mae, "top-5": rmse,
    }  # fmt: skip
    shown = {name: parse(f"{mean(values):.{d}f}") for name, values in seeds.items()}
    assert relations_asked(shown) >= 7
    assert contradictions(shown, most=1) == ()


def test_a_mean_lies_between_its_least_and_its_most() -> None:
    assert inside(parse("93.1"), parse("92.0"), parse("94.0")) is Rounding.NEAREST
    assert inside(parse("92.0"), parse("92.05"), parse("94.0")) is Rounding.NEAREST
    assert inside(parse("95.1"), parse("92.0"), parse("94.0")) is None


# --- averages of suites -----------------------------------------------------------------------


def test_scores_of_one_task_are_averaged_first() -> None:
    columns = ("MNLI-m", "MNLI-mm", "MRPC F1", "MRPC acc", "RTE", "AX")
    assert averaged_first(columns) == (columns[:2], columns[2:4], ("RTE",), ("AX",))
    assert commonly_left_out(columns) == ("AX",)
    parts = named({"MNLI-m": "84.0", "MNLI-mm": "86.0", "RTE": "61.0"})
    found = average_fit(parse("73.0"), parts)
    assert found.innocent
    assert "one task" in found.how


# --- ranks and bold ---------------------------------------------------------------------------


def test_ties_within_rounding_leave_a_rank_open() -> None:
    shown = cells(a="93.4", b="93.4", c="92.0", d="91.0")
    spans = [rank_span(shown, name, higher=True) for name in shown]
    assert [(s.low, s.high) for s in spans] == [(1, 2), (1, 2), (3, 3), (4, 4)]
    assert rank_span(shown, "d", higher=False).high == 1
    assert mean_rank(spans[1:3]).low == 2


def test_bold_is_best_within_rounding_and_spread() -> None:
    shown = cells(ours="93.4", base="93.9", old="91.0")
    assert better_than_bold(shown, ["ours"], higher=True) == ("base",)
    assert better_than_bold(shown, ["base"], higher=True) == ()
    assert better_than_bold(shown, ["ours"], higher=False) == ("old",)
    spread = {"base": parse("0.6")}
    assert better_than_bold(shown, ["ours"], higher=True, spreads=spread) == ()


# --- patterns ---------------------------------------------------------------------------------


def spread_cells(spreads: list[str], n: int = 5, items: int = 10_000) -> dict[int, Spread]:
    return {
        i: Spread(mean=parse(f"{80 + i}.123"), spread=parse(text), n=n, items=items)
        for i, text in enumerate(spreads)
    }


def test_one_spread_around_many_means_is_unlikely_only_with_enough_digits() -> None:
    [rare] = equal_spreads(spread_cells(["0.518"] * 6))
    assert rare.chance < 1e-10
    [common] = equal_spreads(spread_cells(["0.5"] * 4 + ["0.4"] * 2))
    assert common.chance > 1e-2
    assert equal_spreads(spread_cells(["0.518", "0.518", "0.520"])) == ()
    [coarse] = equal_spreads(spread_cells(["0.577"] * 6, n=3, items=100))
    assert coarse.chance > 0.1  # one answer of a hundred apart: such spreads are few


def test_the_chance_of_equal_spreads_is_a_bound() -> None:
    import random

    draw = random.Random(3)
    repeats, hits, bound = 600, 0, 0.0
    for _ in range(repeats):
        shown = []
        for _ in range(8):
            values = [draw.gauss(80, 0.5) for _ in range(5)]
            middle = mean(values)
            shown.append(f"{(sum((v - middle) ** 2 for v in values) / 4) ** 0.5:.2f}")
        found = [one for one in equal_spreads(spread_cells(shown)) if float(one.text) > 0.3]
        hits += bool(found)
        bound += max((one.chance for one in found), default=0.0)
    # Where a group of three is found, its chance must not be far below how often one is.
    assert hits
    assert bound / hits >= hits / repeats


def test_a_constant_gain_is_weighed_by_its_spreads() -> None:
    def pairs(gains: list[float], spread: str) -> dict[int, tuple[Spread, Spread]]:
        made = {}
        for i, gain in enumerate(gains):
            low = Fraction(7000 + 311 * i, 100)
            both = [low + Fraction(str(gain)), low]
            made[i] = tuple(
                Spread(mean=parse(f"{float(x):.2f}"), spread=parse(spread), n=5) for x in both
            )
        return made

    rare = constant_gain(pairs([1.5] * 6, "0.50"))
    assert rare is not None
    assert rare.chance < 1e-6
    assert constant_gain(pairs([1.5, 1.1, 1.9, 1.3], "0.50")) is None
    sure = constant_gain(pairs([1.5] * 6, "0.00"))
    assert sure is not None
    assert sure.chance == 1.0


def test_rows_that_repeat_each_other_are_found() -> None:
    rows = {
        "a": [parse("93.41"), parse("88.10"), parse("76.93"), parse("61.02")],
        "b": [parse("91.20"), parse("86.77"), parse("75.01"), parse("59.88")],
        "c": [parse("93.41"), parse("88.10"), parse("76.93"), parse("61.02")],
    }
    [found] = repeated_rows(rows)
    assert found.cells == ("a", "c")
    assert found.chance < 1e-4
    assert repeated_rows({**rows, "c": [*rows["b"][:3], parse("0.00")]}) == ()


def test_last_digits_are_judged_only_where_there_are_enough() -> None:
    even = [parse(f"{60 + i * 0.61:.2f}") for i in range(60)]
    found = last_digits(even)
    assert found is not None
    assert found.p > 1e-4
    fives = [parse(f"{60 + i * 0.6:.1f}5") for i in range(60)]
    odd = last_digits(fives)
    assert odd is not None
    assert odd.counts[5] == 60
    assert odd.p < 1e-10
    assert last_digits(even[:40]) is None
    assert last_digits(fives, grid=500) is None
    assert chi_squared_tail(16.919, 9) == pytest.approx(0.05, abs=1e-5)


# --- p-values ---------------------------------------------------------------------------------


def test_p_is_recomputed_as_welch_has_it() -> None:
    ours, theirs = arm("76.3000", "0.4000", 5), arm("75.8000", "0.5000", 5)
    spans = {v.name: v.p for v in variants(ours, theirs)}
    low, high = spans["Welch, 2-sided, sample deviations"]
    assert low < 0.1207526 < high
    assert high - low < 1e-2
    one_sided = spans["Welch, 1-sided, sample deviations"]
    assert one_sided[0] < 0.0603763 < one_sided[1]


@pytest.mark.parametrize(
    ("said", "fits", "decision"),
    [
        ("0.12", True, False),
        ("p = 0.06", True, False),
        ("0.45", False, False),
        ("p < 0.001", False, True),
        ("p > 0.05", True, False),
    ],
)
def test_a_p_is_at_odds_only_if_no_test_gives_it(said: str, fits: bool, decision: bool) -> None:
    found = p_fit(arm("76.30", "0.40", 5), arm("75.80", "0.50", 5), said)
    assert bool(found.fits) is fits
    assert found.decision_error is decision


def test_what_is_no_p_is_refused() -> None:
    assert stated_p("< .05") == (0.0, pytest.approx(0.06))
    for wrong in ("n.s.", "1.2", "0.01-0.05"):
        with pytest.raises(ValueError, match="no p-value"):
            stated_p(wrong)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 400), min_size=3, max_size=6),
    st.lists(st.integers(0, 400), min_size=3, max_size=6),
    st.booleans(),
)
def test_an_honest_p_always_fits(first: list[int], second: list[int], welch: bool) -> None:
    a, b = [90 + x / 100 for x in first], [90 + x / 100 for x in second]
    if min(stdev(a), stdev(b)) < 0.02:
        return
    p = float(ttest_ind(a, b, equal_var=not welch).pvalue)
    arms = [arm(f"{mean(v):.2f}", f"{stdev(v):.2f}", len(v)) for v in (a, b)]
    assert p_fit(*arms, f"{p:.3f}").fits
