"""Permutation tests, equivalence, and many cells at once, against worked values and brute force."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.stats.cells import (
    benjamini_hochberg,
    critical_difference,
    explore,
    friedman,
    gate,
    mean_of,
    ranks,
    selective,
)
from repcheck.stats.compare import Summary, t_interval, welch
from repcheck.stats.equivalence import equivalence, equivalence_of_pairs
from repcheck.stats.permutation import paired, two_samples

# R's `sleep`: extra hours of sleep of ten patients under two drugs (Student 1908).
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
# Benjamini and Hochberg 1995, their example.
BH_1995 = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
    0.6528, 0.7590, 1.0,
]  # fmt: skip

scores = st.integers(-20, 20).map(lambda k: k / 4)


def arms(most: int = 5):
    return st.tuples(st.lists(scores, min_size=1, max_size=most),
                     st.lists(scores, min_size=1, max_size=most))  # fmt: skip


# --- permutation ------------------------------------------------------------------------------


def test_all_184756_splits_of_the_sleep_data_give_the_published_p():
    found = two_samples(DRUG_1, DRUG_2)
    assert found.exact
    assert found.splits == 184_756
    assert found.p_two_sided[0] == pytest.approx(0.0814480, abs=5e-8)
    assert found.p_less[0] == pytest.approx(0.0814480 / 2, abs=5e-8)


def test_flipping_signs_of_the_sleep_pairs_gives_the_published_p():
    found = paired([a - b for a, b in zip(DRUG_1, DRUG_2, strict=True)])
    assert found.p_two_sided[0] == 0.00390625
    assert found.p_less[0] == 0.001953125


@given(arms())
def test_a_permutation_p_is_that_of_counting_all_splits_exactly(both):
    a, b = both
    quarters = [round(4 * value) for value in (*a, *b)]
    sums = [sum(one) for one in combinations(quarters, len(a))]
    seen = sum(quarters[: len(a)])
    found = two_samples(a, b)
    assert found.p_greater[0] == pytest.approx(np.mean([s >= seen for s in sums]), abs=1e-12)
    assert found.p_less[0] == pytest.approx(np.mean([s <= seen for s in sums]), abs=1e-12)


@given(st.lists(scores, min_size=1, max_size=8))
def test_a_flipped_p_is_that_of_counting_all_flips_exactly(differences):
    quarters = [round(4 * value) for value in differences]
    sums = [sum(s * q for s, q in zip(signs, quarters, strict=True))
            for signs in product((1, -1), repeat=len(quarters))]  # fmt: skip
    found = paired(differences)
    assert found.p_greater[0] == pytest.approx(np.mean([s >= sum(quarters) for s in sums]))
    assert found.p_less[0] == pytest.approx(np.mean([s <= sum(quarters) for s in sums]))


@given(arms(4), st.sampled_from([1e-300, 1e-9, 3.0, 1e9, 1e300]), st.sampled_from([0.0, 5.0]))
def test_swapping_arms_swaps_the_sides_and_no_unit_or_order_changes_a_p(both, unit, shift):
    a, b = both
    found, swapped = two_samples(a, b), two_samples(b, a)
    assert swapped.p_greater[0] == found.p_less[0]
    scaled = two_samples([unit * (x + shift) for x in a], [unit * (x + shift) for x in b[::-1]])
    assert scaled.p_greater[0] == found.p_greater[0]
    assert scaled.p_less[0] == found.p_less[0]


def test_many_comparisons_at_once_are_what_each_is_alone():
    random = np.random.default_rng(3)
    a, b = random.normal(0.5, 1, (40, 4)), random.normal(0, 1, (40, 5)) * 10.0**7
    together = two_samples(a, b)
    alone = [two_samples(x, y) for x, y in zip(a, b, strict=True)]
    assert together.p_greater.tolist() == [one.p_greater[0] for one in alone]
    assert together.p_less.tolist() == [one.p_less[0] for one in alone]


def test_drawn_splits_agree_with_all_splits_and_repeat_with_the_seed():
    random = np.random.default_rng(5)
    a, b = random.normal(0.6, 1, (3, 11)), random.normal(0, 1, (3, 11))
    first = two_samples(a, b, random=np.random.default_rng(1), draws=20_000)
    again = two_samples(a, b, random=np.random.default_rng(1), draws=20_000)
    assert not first.exact
    assert first.p_greater.tolist() == again.p_greater.tolist()
    sums = np.array([a[0].tolist() + b[0].tolist()]) @ _choices(22, 11)
    exact = np.mean(sums >= a[0].sum() - 1e-12)
    assert first.p_greater[0] == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000))
    with pytest.raises(ValueError, match="too many to count: give a generator"):
        two_samples(a, b)


def _choices(total: int, n: int) -> np.ndarray:
    chosen = np.array(list(combinations(range(total), n)), dtype=np.int8)
    mask = np.zeros((total, len(chosen)), dtype=np.float64)
    mask[chosen.T, np.arange(len(chosen))] = 1
    return mask


def test_eighteen_pairs_are_drawn_and_agree_with_the_normal_curve():
    differences = np.random.default_rng(8).normal(0.5, 1, 18)
    found = paired(differences, random=np.random.default_rng(2), draws=20_000)
    assert not found.exact
    z = differences.sum() / math.sqrt(np.square(differences).sum())
    assert found.p_greater[0] == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)), abs=0.01)


def test_the_smallest_p_of_few_seeds_is_what_a_reader_is_told():
    three = two_samples([3.0, 4, 5], [0.0, 1, 2])
    assert three.p_greater[0] == three.smallest_p == 1 / 20
    assert three.p_two_sided[0] == 0.1
    assert two_samples(range(5, 10), range(5)).smallest_p == pytest.approx(1 / 252)


def test_equal_seeds_are_no_evidence_even_when_their_last_digit_is_rounded():
    found = two_samples([92.9] * 4, [0.929 * 100] * 4)
    assert (found.p_greater[0], found.p_less[0]) == (1.0, 1.0)
    assert two_samples([0.1 + 0.2] * 3, [0.3] * 3).p_two_sided[0] == 1.0
    assert paired([0.0, 0.0, 0.0]).p_two_sided[0] == 1.0


def test_an_error_rate_of_five_percent_is_kept_by_drawn_splits():
    random = np.random.default_rng(11)
    a, b = random.normal(size=(2_000, 12)), random.normal(size=(2_000, 12))
    found = two_samples(a, b, random=random, draws=999)
    assert np.mean(found.p_greater <= 0.05) == pytest.approx(0.05, abs=0.025)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([], [1.0], "at least 1 value, not 0"),
        ([1.0, math.nan], [1.0], "must be finite"),
        ([1.0], [math.inf], "must be finite"),
        ([[1.0, 2.0]], [[1.0], [2.0]], "same comparisons, not 1 and 2"),
        ([[[1.0]]], [1.0], "must be a table of numbers, not 3-dimensional"),
    ],
)
def test_bad_seeds_are_refused_in_words(a, b, words):
    with pytest.raises(ValueError, match=words):
        two_samples(a, b)


def test_one_seed_against_many_is_exact_and_a_million_are_refused():
    found = two_samples([10.0], np.arange(19.0) / 2)
    assert found.p_greater[0] == 1 / 20
    with pytest.raises(ValueError, match="too many to resample"):
        two_samples(np.zeros(10), np.ones(1_000_000), random=np.random.default_rng(0))


# --- equivalence ------------------------------------------------------------------------------


def test_two_one_sided_tests_give_what_statsmodels_gives_on_the_sleep_data():
    found = equivalence(Summary.of(DRUG_1), Summary.of(DRUG_2), 4.0)
    assert found.p == pytest.approx(0.00536162, abs=5e-9)
    assert found.equivalent
    assert found.in_words(0.1).startswith("equivalent within ±4.00: the difference is -1.58, 90 %")


@given(arms(6), st.floats(0.1, 10))
def test_equivalence_says_the_same_of_swapped_arms_and_agrees_with_its_p(both, margin):
    a, b = (Summary.of([*one, one[0] + 1]) for one in both)
    found, swapped = equivalence(a, b, margin), equivalence(b, a, margin)
    assert found.equivalent == swapped.equivalent
    assert found.p == pytest.approx(swapped.p, abs=1e-12)
    if abs(found.p - 0.05) > 1e-9:
        assert found.equivalent == (found.p < 0.05)


def test_pairs_are_equivalent_where_their_differences_are_small():
    ours = [90.0, 80.0, 70.0, 60.0]
    near = equivalence_of_pairs(ours, [90.1, 79.9, 70.05, 60.0], 1.0)
    assert near.equivalent
    assert not equivalence(Summary.of(ours), Summary.of(ours), 1.0).equivalent
    same = equivalence_of_pairs(ours, ours, 0.1)
    assert (same.equivalent, same.p) == (True, 0.0)


def test_no_evidence_of_a_difference_is_no_equivalence_but_may_be_not_worse():
    wide = equivalence(Summary(mean=2.0, sd=2.0, n=5), Summary(mean=0.0, sd=2.0, n=5), 1.0)
    assert not wide.equivalent
    assert wide.not_worse
    with pytest.raises(ValueError, match="margin must be above zero"):
        equivalence(Summary.of(DRUG_1), Summary.of(DRUG_2), 0.0)


# --- the gate ---------------------------------------------------------------------------------


def _cell(estimate: float, se: float = 0.2, df: float | None = 8.0):
    return t_interval(estimate, se, df if se else None, 0.05)


def test_the_mean_over_cells_has_the_degrees_of_freedom_of_all_its_arms():
    arms_of = [(Summary(mean=1.0, sd=0.5, n=5), Summary(mean=0.2, sd=0.2, n=4)),
               (Summary(mean=3.0, sd=1.5, n=3), Summary(mean=2.0, sd=0.7, n=6))]  # fmt: skip
    found = mean_of([welch(a, b, 0.05) for a, b in arms_of], 0.05)
    parts = [(one.sd**2 / one.n, one.n - 1) for pair in arms_of for one in pair]
    total = sum(v for v, _ in parts)
    assert found.estimate == pytest.approx(0.9)
    assert found.se == pytest.approx(math.sqrt(total) / 2)
    assert found.df == pytest.approx(total**2 / sum(v * v / df for v, df in parts))


def test_cells_are_judged_only_behind_the_gate():
    mixed = {"a": _cell(2.0), "b": _cell(-3.0), "c": _cell(0.1)}
    closed = gate(mixed)
    assert not closed.passed
    assert closed.cells == {}
    assert closed.shown == ()
    assert "so no single cell is judged" in closed.in_words(0.1)
    opened = gate({"a": _cell(2.0), "b": _cell(0.42), "c": _cell(0.3), "d": _cell(0.01)})
    assert opened.passed
    raw = _cell(0.42).p_above(0)
    assert raw < 0.05 < opened.cells["b"] == pytest.approx(3 * raw)
    assert opened.shown == ("a",)
    assert "shown on 1 of 4 (a) (Holm)" in opened.in_words(0.1)


def test_cells_without_spread_add_none():
    found = gate({"still": _cell(1.0, se=0.0), "noisy": _cell(1.0)})
    assert (found.interval.se, found.interval.df) == (pytest.approx(0.1), pytest.approx(8.0))
    still = gate({"still": _cell(0.5, se=0.0)})
    assert (still.passed, still.p, still.shown) == (True, 0.0, ("still",))
    with pytest.raises(ValueError, match="no cells"):
        gate({})


def test_the_gate_and_its_cells_err_in_five_percent_of_null_comparisons():
    random, wrong, repeats = np.random.default_rng(4), 0, 1_500
    for _ in range(repeats):
        a, b = random.normal(size=(8, 3)), random.normal(size=(8, 3))
        pairs = zip(a.tolist(), b.tolist(), strict=True)
        wrong += gate({str(i): welch(Summary.of(x), Summary.of(y), 0.05)
                       for i, (x, y) in enumerate(pairs)}).passed  # fmt: skip
    assert 0.03 < wrong / repeats < 0.065


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 3)), min_size=1, max_size=6),
       st.sampled_from([1e-200, 1e-3, 1e200]))  # fmt: skip
def test_units_scale_out_of_the_gate_and_swapped_arms_flip_its_sign(given_cells, unit):
    cells = {str(i): _cell(d, s) for i, (d, s) in enumerate(given_cells)}
    scaled = {k: _cell(c.estimate * unit, c.se * unit) for k, c in cells.items()}
    flipped = {k: _cell(-c.estimate, c.se) for k, c in cells.items()}
    found = gate(cells)
    assert gate(scaled).p == pytest.approx(found.p, rel=1e-6, abs=1e-12)
    assert gate(flipped).interval.estimate == pytest.approx(-found.interval.estimate)
    assert gate(flipped).p == pytest.approx(1 - found.p, abs=1e-9)
    assert gate(cells, alpha=0.01).interval.low < found.interval.low


# --- exploratory ------------------------------------------------------------------------------


def test_benjamini_and_hochberg_are_corrected_as_they_did_themselves():
    expected = [0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714, 0.06385714, 0.0645, 0.0765,
                0.486, 0.58118182, 0.714875, 0.75323077, 0.81321429, 1.0]  # fmt: skip
    assert benjamini_hochberg(BH_1995) == pytest.approx(expected, abs=5e-9)
    shuffled = [BH_1995[i] for i in (4, 0, 14, 7, 1, 2, 3, 5, 6, 8, 13, 9, 10, 11, 12)]
    again = dict(zip(shuffled, benjamini_hochberg(shuffled), strict=True))
    assert [again[p] for p in BH_1995] == pytest.approx(expected, abs=5e-9)


def test_a_screen_says_that_it_is_one():
    found = explore({f"metric {i}": p for i, p in enumerate(BH_1995, 1)}, rate=0.05)
    assert found.found == ("metric 1", "metric 2", "metric 3", "metric 4")
    assert found.in_words.startswith("exploratory, among 15: metric 1")
    assert explore({}).found == ()
    with pytest.raises(ValueError, match="p value must lie"):
        explore({"x": 1.5})
    with pytest.raises(ValueError, match="false discovery rate must lie"):
        explore({"x": 0.5}, rate=0.0)


# --- selective reporting ----------------------------------------------------------------------


def test_three_metrics_of_ten_that_are_the_three_that_improved_have_p_0_008():
    found = selective(computed=10, improved=3, reported=3)
    assert found.p == pytest.approx(1 / 120)
    assert (found.omitted, found.omitted_worse) == (7, 7)
    assert "10 were computed and 3 reported, 3 of them improved; 7 of the 7" in found.in_words


def test_the_hypergeometric_p_is_that_of_counting_all_choices():
    for n, w, k in product(range(7), range(7), range(7)):
        if w > n or k > n:
            continue
        hits = [len(set(one) & set(range(w))) for one in combinations(range(n), k)]
        for x in range(max(0, k - (n - w)), min(k, w) + 1):
            found = selective(computed=n, improved=w, reported=k, reported_improved=x)
            assert found.p == pytest.approx(np.mean([h >= x for h in hits]), abs=1e-12)


def test_reporting_everything_is_never_selective_and_nonsense_is_refused():
    assert selective(computed=10, improved=4, reported=10, reported_improved=4).p == 1.0
    assert selective(computed=1_000_000, improved=500_000, reported=3).p == pytest.approx(
        1 / 8, 1e-4
    )
    with pytest.raises(ValueError, match="cannot be among 2 improved ones"):
        selective(computed=10, improved=2, reported=3)
    with pytest.raises(ValueError, match="neither 11 improved"):
        selective(computed=10, improved=11, reported=3)


# --- ranks ------------------------------------------------------------------------------------


def test_friedmans_test_of_published_ranks_gives_the_published_statistics():
    chi2, f, p = friedman([3.143, 2.000, 2.893, 1.964], 14)
    assert chi2 == pytest.approx(9.28, abs=0.01)
    assert f == pytest.approx(3.69, abs=0.01)
    assert 0.01 < p < 0.025


@pytest.mark.parametrize(
    ("methods", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (10, 3.164)],
)
def test_critical_values_are_those_of_the_printed_table(methods, q):
    scale = math.sqrt(methods * (methods + 1) / (6 * 14))
    assert critical_difference(methods, 14) / scale == pytest.approx(q, abs=0.0011)


def test_critical_differences_are_the_computed_ones():
    assert critical_difference(4, 14) == pytest.approx(1.2536, abs=5e-5)
    assert critical_difference(4, 14, alpha=0.10) == pytest.approx(1.1181, abs=5e-5)


def test_ranks_share_ties_and_name_what_is_not_told_apart():
    random = np.random.default_rng(1)
    base = random.normal(size=12)
    table = {"worst": base, "best": base + 2, "nearly best": base + 2, "middle": base + 1}
    found = ranks(table)
    assert found.mean_ranks == {"worst": 4.0, "best": 1.5, "nearly best": 1.5, "middle": 3.0}
    assert found.chi2 == pytest.approx(36.0)  # all that is possible: the ties count as none
    assert found.f == math.inf
    assert found.p == pytest.approx(1 / 24**11)
    assert found.together == (("best", "nearly best"), ("middle", "worst"))


def test_ranks_need_three_methods_and_five_datasets_and_no_nan():
    assert ranks({"a": range(9), "b": range(9)}) is None
    assert ranks({"a": range(4), "b": range(4), "c": range(4)}) is None
    assert ranks({}) is None
    flat = ranks({"a": [1.0] * 5, "b": [1.0] * 5, "c": [1.0] * 5})
    assert (flat.chi2, flat.p, flat.together) == (0.0, 1.0, (("a", "b", "c"),))
    with pytest.raises(ValueError, match="one score for each dataset"):
        ranks({"a": range(5), "b": range(6), "c": range(5)})
    with pytest.raises(ValueError, match="must be finite"):
        ranks({"a": [math.nan] * 5, "b": range(5), "c": range(5)})


@given(st.lists(st.lists(scores, min_size=6, max_size=6), min_size=3, max_size=4))
def test_friedmans_chi2_is_unchanged_by_the_order_of_datasets_and_by_units(rows):
    table = {str(i): row for i, row in enumerate(rows)}
    found = ranks(table)
    turned = ranks({k: [2e300 * v for v in row[::-1]] for k, row in table.items()})
    assert turned.chi2 == pytest.approx(found.chi2)
    assert turned.mean_ranks == pytest.approx(found.mean_ranks)


def test_drawn_splits_never_give_a_p_of_zero():
    found = two_samples(range(50, 80), range(30), random=np.random.default_rng(0), draws=999)
    assert found.p_greater[0] == found.smallest_p == 0.001
    assert found.p_less[0] == 1.0
