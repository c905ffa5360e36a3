"""Counts, spreads and bounds against published worked examples and brute-force enumeration."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement
from math import sqrt
from statistics import mean, pstdev, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.stats.forensics import Fit
from repcheck.stats.forensics_bounds import debit, spreads_of_range, whole_number_spreads
from repcheck.stats.forensics_compute import per_parameter_and_token, utilisation
from repcheck.stats.forensics_confusion import matrices
from repcheck.stats.forensics_grimmer import Seeds, grimmer, implied_counts, reach, squares_exist
from repcheck.stats.printed import Interval, Printed, Rounding, parse

# scrutiny, rsprite2: mean, standard deviation, n whole numbers, consistent
GRIMMER = [
    ("5.21", "1.6", 28, True), ("3.44", "2.47", 18, False), ("3.10", "1.37", 10, True),
    ("1.03", "0.41", 40, False), ("2.57", "2.57", 30, True),
]  # fmt: skip
# scrutiny's pigs3: mean, standard deviation of 1683 zeros and ones, consistent
PIGS3 = [
    ("0.53", "0.50", True), ("0.44", "0.50", True), ("0.77", "0.42", True), ("0.19", "0.35", False),
    ("0.34", "0.47", True), ("0.93", "0.25", True), ("0.12", "0.33", True),
]  # fmt: skip


def share(text: str) -> Printed:
    return parse(text).scaled(Fraction(1, 100))


def around(value: float, by: float) -> Interval:
    return Interval(low=Fraction(str(value - by)), high=Fraction(str(value + by)))


def of_seeds(average: str, spread: str, items: int, n: int) -> Seeds:
    return Seeds(mean=share(average), spread=share(spread), items=items, n=n)


# --- sums of squares --------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 8))
def test_which_sums_and_squares_whole_numbers_reach_is_that_of_enumeration(n: int) -> None:
    most = 6 if n < 5 else 4  # no whole number beyond it has a square below the bound
    reached = {(0, 0)}
    for _ in range(n):
        reached = {(r + d, q + d * d) for r, q in reached for d in range(-most, most + 1)}
    for r in range(-15, 16):
        for q in range((most + 1) ** 2):
            assert squares_exist(n, r, q) is ((r, q) in reached), (n, r, q)


# --- mean and spread --------------------------------------------------------------------------


@pytest.mark.parametrize(("average", "spread", "n", "expected"), GRIMMER)
def test_grimmer_agrees_with_the_published_examples(
    average: str, spread: str, n: int, expected: bool
) -> None:
    of = Seeds(mean=parse(average), spread=parse(spread), items=1, n=n)
    assert (grimmer(of, ("sample",)).fit is Fit.NEAREST) is expected


def printed_pairs(items: int, n: int) -> set[tuple[str, str]]:
    """Return every (mean, sample deviation) in percent, to one decimal, that some counts give.

    Counts below none and above all are among them: the test knows spreads and no ends of a scale.
    Exactly halfway both neighbours count, since authors round either way.
    """
    found = set()
    for counts in combinations_with_replacement(range(-items, 2 * items + 1), n):
        total, squares = sum(counts), sum(k * k for k in counts)
        middle = 100 * total / (n * items)
        spread = 100 / items * sqrt((squares - total * total / n) / (n - 1))
        if 0 <= middle <= 100 and spread < 50:
            means = {f"{abs(middle + side):.1f}" for side in (-1e-9, 1e-9)}
            spreads = {f"{abs(spread + side):.1f}" for side in (-1e-9, 1e-9)}
            found |= {(a, b) for a in means for b in spreads}
    return found


@pytest.mark.parametrize(("items", "n"), [(5, 2), (12, 2), (7, 3), (12, 3), (6, 4), (9, 4)])
def test_grimmer_is_exact_for_few_answers_and_few_seeds(items: int, n: int) -> None:
    reached = printed_pairs(items, n)
    means = sorted({average for average, _ in reached})[:: 1 + len(reached) // 1000]
    for average in means:
        for tenths in range(0, 490, 7):
            spread = f"{tenths / 10:.1f}"
            found = grimmer(of_seeds(average, spread, items, n), ("sample",)).fit is Fit.NEAREST
            assert found is ((average, spread) in reached), (average, spread)


@given(
    st.integers(20, 2000), st.lists(st.integers(0, 10**6), min_size=2, max_size=8),
    st.sampled_from(["sample", "population", "sem", "ci95"]), st.booleans(), st.integers(1, 2),
)  # fmt: skip
def test_grimmer_never_accuses_honest_seeds(
    items: int, draws: list[int], kind: str, rounded_first: bool, decimals: int
) -> None:
    values = [100 * (draw % (items + 1)) / items for draw in draws]
    if rounded_first:
        values = [round(value, decimals) for value in values]
    n = len(values)
    spread = {
        "sample": stdev(values),
        "population": pstdev(values),
        "sem": stdev(values) / sqrt(n),
        "ci95": 1.959964 * stdev(values) / sqrt(n),
    }[kind]
    of = of_seeds(f"{mean(values):.{decimals}f}", f"{spread:.{decimals}f}", items, n)
    found = grimmer(of, (kind,)).fit
    assert found is not Fit.NONE
    assert rounded_first or found is not Fit.ROUNDED_SEEDS


def test_a_spread_that_no_counts_give_beside_a_mean_that_some_do_is_found() -> None:
    # 3 seeds of 50 answers: 80.00 is 120 of 150; deviations of 0, 1, -1 answers are 2.00 points.
    assert grimmer(of_seeds("80.00", "2.00", 50, 3), ("sample",)).fit is Fit.NEAREST
    assert grimmer(of_seeds("80.00", "2.40", 50, 3), ("sample",)).fit is Fit.NONE
    assert grimmer(of_seeds("80.00", "1.63", 50, 3)).kinds == ("population",)
    assert grimmer(of_seeds("80.00", "2.00", 50, 1)).fit is Fit.NOT_TESTABLE


def test_the_counts_behind_a_mean_and_a_spread_are_listed() -> None:
    assert implied_counts(of_seeds("80.00", "2.00", 50, 3)) == ((39, 40, 41),)
    assert len(implied_counts(of_seeds("80", "8", 100, 3), most=5)) > 1
    assert implied_counts(of_seeds("80.00", "2.40", 50, 3)) == ()
    found = implied_counts(of_seeds("70.83", "7.22", 24, 3), most=9)
    assert found == ((15, 18, 18), (16, 16, 19))
    for counts in found:
        shares = [100 * k / 24 for k in counts]
        assert (f"{mean(shares):.2f}", f"{stdev(shares):.2f}") == ("70.83", "7.22")


def test_the_power_beside_a_printed_pair_falls_with_the_grid() -> None:
    fine, coarse = (of_seeds("80.00", "2.00", items, 3) for items in (10_000, 50))
    assert reach(coarse, ("sample",)) >= Fraction(9, 10)
    assert reach(fine, ("sample",), steps=2) == 0


# --- bounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("average", "spread", "expected"), PIGS3)
def test_debit_agrees_with_scrutiny(average: str, spread: str, expected: bool) -> None:
    found = debit(parse(average), parse(spread), 1683)
    assert (found is Rounding.NEAREST) is expected


def test_the_limits_of_a_spread_on_a_scale_are_those_of_rsprite2() -> None:
    found = whole_number_spreads(parse("4.2"), 5, 1, 7)
    assert found is not None
    assert (round(float(found.low), 2), round(float(found.high), 2)) == (0.45, 3.03)
    assert whole_number_spreads(parse("4.30"), 5, 1, 7) is None


@given(st.lists(st.integers(1, 7), min_size=2, max_size=9))
def test_whole_numbers_lie_within_their_limits(values: list[int]) -> None:
    shown = parse(f"{mean(values):.2f}")
    found = whole_number_spreads(shown, len(values), 1, 7)
    assert found is not None
    assert float(found.low) - 1e-9 <= stdev(values) <= float(found.high) + 1e-9


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=12))
def test_a_spread_lies_within_the_limits_of_its_range(values: list[int]) -> None:
    low, high = (Interval(low=Fraction(x), high=Fraction(x)) for x in (min(values), max(values)))
    found = spreads_of_range(low, high, len(values))
    assert float(found.low) - 1e-6 <= stdev(values) <= float(found.high) + 1e-6


def test_confusion_matrices_agree_with_mlscorecheck() -> None:
    scores = {
        "accuracy": around(0.9567, 1e-4), "sensitivity": around(0.8545, 1e-4),
        "specificity": around(0.9734, 1e-4),
    }  # fmt: skip
    assert list(matrices(100, 200, scores)) == []
    honest = {"accuracy": around(0.95, 5e-4), "sensitivity": around(0.91, 5e-4)}
    assert list(matrices(100, 200, honest)) == [(91, 194)]


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_true_confusion_matrix_is_always_among_them(
    positives: int, negatives: int, data: st.DataObject
) -> None:
    tp, tn = data.draw(st.integers(0, positives)), data.draw(st.integers(0, negatives))
    fp = negatives - tn
    true = {
        "accuracy": (tp + tn) / (positives + negatives), "sensitivity": tp / positives,
        "specificity": tn / negatives, "f1": 2 * tp / (positives + tp + fp),
    }  # fmt: skip
    if tp + fp:
        true["precision"] = tp / (tp + fp)
    scores = {name: parse(f"{value:.2f}").within() for name, value in true.items()}
    assert (tp, tn) in set(matrices(positives, negatives, scores))


def test_training_flops_are_six_per_parameter_and_token() -> None:
    found = per_parameter_and_token(3.15e23, 175e9, 300e9)  # GPT-3 (Brown et al. 2020)
    assert round(found.factor, 2) == 6.0
    assert "forward and backward" in found.means
    assert per_parameter_and_token(2e18, 1e9, 1e9).means == "forward alone"
    assert per_parameter_and_token(2.5e18 * 10, 1e9, 1e9).means == ""
    assert utilisation(3.6e17, 1, 100) == pytest.approx(1.0)
