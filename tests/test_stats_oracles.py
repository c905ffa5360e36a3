"""Published values that no other test holds, and enumerations that leave nothing to a formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, combinations_with_replacement, product
from statistics import pstdev, stdev

import numpy as np
import pytest
from scipy.special import ndtr, ndtri, stdtr

from repcheck.stats.attribution import holm
from repcheck.stats.chosen import Rank, best_of, log_likelihood
from repcheck.stats.compare import Summary, prediction_half_width, welch
from repcheck.stats.forensics import Fit, cells, grim, power, reachable
from repcheck.stats.forensics_grimmer import Seeds, grimmer
from repcheck.stats.permutation import paired, two_samples
from repcheck.stats.printed import Printed, parse
from repcheck.stats.sample_size import noether
from repcheck.stats.tuning import best_of_k

# Benjamini and Hochberg 1995, section 3.1: 15 hypotheses of a thrombolysis trial.
BH_1995 = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
    0.6528, 0.7590, 1.0,
]  # fmt: skip
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def share(text: str) -> Printed:
    return parse(text).scaled(Fraction(1, 100))


# --- forensics --------------------------------------------------------------------------------


def test_the_number_of_means_that_no_n_gives_is_scrutinys_grim_total() -> None:
    # grim_total("5.30", 20:30) of R's scrutiny: 80, 79, ... 70 of the hundred means of two digits.
    found = [100 * power(parse("5.30"), n) for n in range(20, 31)]
    assert found == list(range(80, 69, -1))
    for n in (20, 25, 28, 30):
        excluded = sum(not reachable(parse(f"5.{d:02d}").within(), n) for d in range(100))
        # Each of the n reachable means is one of two digits, or half-way between two of them.
        halves = sum((200 * k) % (2 * n) == n for k in range(n))
        assert excluded == 100 - n - halves


def test_items_of_a_scale_refine_the_grid_as_in_rsprite2() -> None:
    assert cells(14, 2) == 28
    assert reachable(parse("5.18").within(), cells(14, 2))
    assert not reachable(parse("5.18").within(), 14)
    assert not reachable(parse("5.19").within(), cells(14, 2))


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        (277, (97, 92, 86)),  # RTE
        (408, (96, 88, 80)),  # MRPC
        (872, (91, 74, 56)),  # SST-2, dev
        (1821, (82, 45, 9)),  # SST-2, test
        (5463, (45, 0, 0)),  # QNLI
        (10_000, (0, 0, 0)),  # CIFAR, MNIST
    ],
)
def test_what_a_mean_of_1_3_and_5_seeds_can_show_depends_on_the_test_set(
    items: int, shown: Sequence[int]
) -> None:
    found = [power(share("87.50"), items * n) for n in (1, 3, 5)]
    assert tuple(round(100 * float(one)) for one in found) == shown
    for one, n in zip(found, (1, 3, 5), strict=True):
        assert (grim(share("87.50"), items, n) is Fit.NOT_TESTABLE) is (one == 0)


@pytest.mark.parametrize(
    ("n", "sizes"), [(2, range(1, 13)), (3, (1, 2, 4, 7, 11, 12)), (4, (1, 3, 6, 9))]
)
def test_no_counts_of_up_to_twelve_answers_are_ever_called_impossible(
    n: int, sizes: Sequence[int]
) -> None:
    for items in sizes:
        pairs = set()
        for counts in combinations_with_replacement(range(items + 1), n):
            shares = [100 * k / items for k in counts]
            mean = sum(counts) * 100 / (n * items)
            pairs |= {
                (f"{mean:.2f}", f"{stdev(shares):.2f}", "sample"),
                (f"{mean:.2f}", f"{pstdev(shares):.2f}", "population"),
            }
        for mean_shown, spread, kind in pairs:
            of = Seeds(mean=share(mean_shown), spread=share(spread), items=items, n=n)
            assert grimmer(of, (kind,)).fit is Fit.NEAREST, (items, mean_shown, spread, kind)


# --- permutation ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_quick_permutation_is_that_of_all_splits_in_whole_numbers(n: int) -> None:
    random = np.random.default_rng(n)
    rows = random.integers(0, 7, (20, 2 * n)).tolist()
    found = two_samples([row[:n] for row in rows], [row[n:] for row in rows])
    assert found.splits == math.comb(2 * n, n)
    for row, greater, less in zip(rows, found.p_greater, found.p_less, strict=True):
        sums = [sum(row[i] for i in chosen) for chosen in combinations(range(2 * n), n)]
        seen = sum(row[:n])
        assert greater == sum(one >= seen for one in sums) / len(sums)
        assert less == sum(one <= seen for one in sums) / len(sums)


def test_the_quick_flips_are_all_flips_in_whole_numbers() -> None:
    rows = np.random.default_rng(9).integers(-4, 5, (20, 6)).tolist()
    found = paired(rows)
    for row, greater in zip(rows, found.p_greater, strict=True):
        sums = [sum(s * d for s, d in zip(signs, row, strict=True))
                for signs in product((-1, 1), repeat=6)]  # fmt: skip
        assert greater == sum(one >= sum(row) for one in sums) / len(sums)


# --- corrections and intervals ----------------------------------------------------------------


def test_holm_corrects_the_p_values_of_benjamini_and_hochberg_as_published() -> None:
    expected = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, *[1.0] * 6]
    assert holm(BH_1995) == pytest.approx(expected, abs=5e-9)


def test_the_t_interval_and_its_p_say_the_same_on_the_sleep_data() -> None:
    for alpha in (0.005, 0.025, 0.05, 0.0793941 / 2):
        found = welch(Summary.of(DRUG_1), Summary.of(DRUG_2), alpha)
        assert (found.high < 0) is (found.p_below(0) < alpha)
    # At the printed two-sided p the interval ends at zero.
    assert found.high == pytest.approx(0, abs=1e-5)
    t = found.estimate / found.se
    assert 2 * stdtr(found.df, t) == pytest.approx(0.0793941, abs=5e-8)


def test_core_benchs_interval_of_three_runs_is_five_standard_deviations_wide() -> None:
    assert prediction_half_width(1.0, 3, 1) == pytest.approx(4.97, abs=5e-3)


def test_noethers_29_pairs_give_the_power_they_are_planned_for() -> None:
    """P(A > B) = 0.75 is found by Mann-Whitney's U at 5 % with 95 % power (Noether 1987), and by
    the permutation test as well."""
    n = noether(0.75)
    assert n == pytest.approx(28.859, abs=2e-3)
    random, pairs = np.random.default_rng(29), math.ceil(n)
    gap = math.sqrt(2) * ndtri(0.75)
    assert ndtr(gap / math.sqrt(2)) == pytest.approx(0.75)
    a, b = random.normal(gap, 1, (300, pairs)), random.normal(0, 1, (300, pairs))
    p = two_samples(a, b, random=random, draws=999).p_greater
    assert 0.9 <= (p <= 0.05).mean() <= 0.99


# --- chosen seeds and tuning ------------------------------------------------------------------


def test_ranks_of_the_best_of_k_have_the_chances_of_counting_all_orders() -> None:
    """K tries and m reruns are m + K numbers in random order; j of the reruns lie above the best
    try where the first j of them are reruns and the next is a try."""
    for m, k in ((3, 2), (4, 3), (2, 5)):
        orders = list(combinations(range(m + k), k))  # the places of the tries, the highest first
        for j in range(m + 1):
            counted = sum(min(places) == j for places in orders) / len(orders)
            assert math.exp(log_likelihood(j, m, k)) == pytest.approx(counted, rel=1e-12)


def test_the_best_of_several_beats_all_reruns_as_often_as_printed() -> None:
    for k, expected in ((1, 0.167), (5, 0.5), (20, 0.8)):
        assert math.exp(log_likelihood(0, 5, k)) == pytest.approx(expected, abs=5e-4)
    assert Rank(above=0, reruns=19).p == 0.05
    assert best_of([Rank(above=0, reruns=19)]).p == pytest.approx(0.05)


def test_the_unbiased_curve_is_the_mean_of_every_subset_in_whole_numbers() -> None:
    trials = [3, 1, 4, 1, 5, 9, 2, 6]
    for k in range(1, 9):
        best = [max(chosen) for chosen in combinations(trials, k)]
        assert best_of_k(trials, [k])[0] == pytest.approx(sum(best) / len(best), rel=1e-12)
