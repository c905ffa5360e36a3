"""Best of several tries, published beside fresh seeds, means that are maxima."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import fdtr, stdtr

from repcheck.stats.chosen import (
    INNOCENT,
    Rank,
    against_fresh,
    best_of,
    log_likelihood,
    power_against_fresh,
    power_of_ranks,
    rank_of,
    tries_where_known,
)
from repcheck.stats.chosen_normal import (
    bayes_factor_of_max,
    combined_p,
    expected_max,
    log_ratio_of_max,
    prediction_p,
    top_of,
)
from repcheck.stats.compare import Summary

reruns_of = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8, unique=True)


# --- ranks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "k"), [(1, 1), (5, 1), (5, 5), (10, 2.5), (40, 20), (3, 1e3)])
def test_the_chances_of_all_ranks_sum_to_one(m, k):
    chances = np.exp(log_likelihood(np.arange(m + 1), m, k))
    assert chances.sum() == pytest.approx(1.0, abs=1e-10)
    assert chances[0] == pytest.approx(k / (k + m))
    if k == 1:
        assert chances == pytest.approx(1 / (m + 1))


def test_the_chance_of_beating_all_reruns_is_the_worked_one():
    chances = np.exp(log_likelihood(0, 5, np.array([1, 5, 20])))
    assert chances == pytest.approx([1 / 6, 0.5, 0.8])


def test_ranks_of_simulated_best_of_five_have_the_likelihood():
    random, repeats = np.random.default_rng(2), 60_000
    best = random.exponential(size=(repeats, 5)).max(axis=1)  # any distribution will do
    above = (random.exponential(size=(repeats, 4)) > best[:, None]).sum(axis=1)
    seen = np.bincount(above, minlength=5) / repeats
    assert seen == pytest.approx(np.exp(log_likelihood(np.arange(5), 4, 5)), abs=0.008)


def test_a_rank_alone_has_the_p_of_an_ordinary_run():
    assert rank_of(5.0, [1.0, 2, 3]) == Rank(above=0, reruns=3)
    assert Rank(above=0, reruns=19).p == 0.05
    assert rank_of(2.0, [1.0, 2, 3]) == Rank(above=2, reruns=3)  # a tie is the author's
    drawn = {rank_of(2.0, [1.0, 2, 2], random=np.random.default_rng(i)).above for i in range(30)}
    assert drawn == {0, 1, 2}


def test_the_p_over_claims_is_that_of_counting_all_ranks():
    claims = [Rank(above=0, reruns=3), Rank(above=1, reruns=4), Rank(above=0, reruns=2)]

    def ratio(ranks):
        return sum(float(log_likelihood(r.above, r.reruns, 5)) + math.log(r.reruns + 1)
                   for r in ranks)  # fmt: skip

    every = [[Rank(above=j, reruns=one.reruns) for j, one in zip(js, claims, strict=True)]
             for js in product(*(range(one.reruns + 1) for one in claims))]  # fmt: skip
    found = best_of(claims)
    assert found.log_ratio == pytest.approx(ratio(claims))
    assert found.p == pytest.approx(np.mean([ratio(one) >= ratio(claims) - 2e-3 for one in every]))


def test_the_p_of_many_claims_is_that_of_simulated_ranks():
    claims = [Rank(above=j, reruns=5) for j in (0, 0, 1, 0, 2, 0, 1, 3, 0, 1)]
    scores = log_likelihood(np.arange(6), 5, 5.0) + math.log(6)
    drawn = scores[np.random.default_rng(6).integers(0, 6, (200_000, 10))].sum(axis=1)
    found = best_of(claims)
    assert found.p == pytest.approx(np.mean(drawn >= found.log_ratio - 1e-9), rel=0.1)


def test_one_claim_cannot_be_found_and_ten_best_of_five_can():
    assert best_of([Rank(above=0, reruns=10)]).p == pytest.approx(1 / 11)
    found = best_of([Rank(above=0, reruns=5)] * 10)
    assert found.p == pytest.approx(6.0**-10)
    assert (found.k_hat, found.k_high) == (1000.0, None)
    assert "as the best of 23 tries or more would (95 % interval; p = 1.7e-08" in found.in_words
    assert found.k_low > 5


def test_the_test_finds_what_the_published_simulation_finds_and_errs_no_more():
    random, repeats = np.random.default_rng(9), 300

    def found_of(tries: int) -> tuple[float, float]:
        best = random.normal(size=(repeats, 5, tries)).max(axis=2)
        above = (random.normal(size=(repeats, 5, 5)) > best[:, :, None]).sum(axis=2)
        tests = [best_of([Rank(above=int(j), reruns=5) for j in row]) for row in above]
        return np.mean([one.p < 0.05 for one in tests]), np.median([one.k_hat for one in tests])

    assert found_of(1)[0] < 0.08
    share, k_hat = found_of(5)
    assert share == pytest.approx(0.832, abs=0.07)
    assert 4 <= k_hat <= 7


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(6, 9)), min_size=1, max_size=8))
def test_the_order_of_claims_changes_nothing_and_a_better_rank_lowers_p(ranks):
    claims = [Rank(above=j, reruns=m) for j, m in ranks]
    found = best_of(claims)
    again = best_of(claims[::-1])
    assert (again.p, again.k_hat) == (pytest.approx(found.p), found.k_hat)
    assert found.k_low <= found.k_hat
    better = best_of([Rank(above=0, reruns=one.reruns) for one in claims])
    assert better.p <= found.p + 1e-12
    assert 0 < better.p <= 1


def test_bad_ranks_are_refused_and_a_million_reruns_are_handled():
    for above, reruns in ((1, 0), (-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="cannot lie above the reported number"):
            Rank(above=above, reruns=reruns)
    with pytest.raises(ValueError, match="needs 1 claim and 2 tries"):
        best_of([])
    with pytest.raises(ValueError, match="needs 1 claim and 2 tries"):
        best_of([Rank(above=0, reruns=3)], tries=1)
    with pytest.raises(ValueError, match="must be a finite number"):
        rank_of(math.nan, [1.0])
    with pytest.raises(ValueError, match="must be finite numbers"):
        rank_of(1.0, [math.inf])
    # Rounded to 20,000 steps the p is larger than the 1e-6 of the rank, never smaller.
    assert 1e-6 <= best_of([Rank(above=0, reruns=1_000_000)]).p <= 5e-4


def test_the_number_of_tries_where_the_distribution_is_known_is_the_worked_one():
    found = tries_where_known([0.9, 0.95, 0.8, 0.97, 0.85, 0.99, 0.7, 0.93])
    assert found.k_hat == pytest.approx(7.905, abs=5e-4)
    assert (found.low, found.high) == pytest.approx((3.41, 14.25), abs=5e-3)
    assert found.p == pytest.approx(1.12e-5, rel=5e-3)
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        tries_where_known([0.5, 1.0])


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=9))
def test_a_wider_level_has_a_wider_interval_of_tries(shares):
    narrow, wide = tries_where_known(shares, level=0.8), tries_where_known(shares, level=0.99)
    assert wide.low < narrow.low < narrow.k_hat < narrow.high * 1.2
    assert narrow.high < wide.high


# --- published beside fresh -------------------------------------------------------------------


def test_published_seeds_beside_fresh_ones_have_the_published_smallest_p():
    few = against_fresh([9.0, 8, 7], [1.0, 2, 3, 4, 5])
    assert few.p == few.smallest_p == pytest.approx(1 / 56)
    more = against_fresh([19.0, 18, 17], range(10))
    assert more.p == pytest.approx(1 / 286)
    assert more.fresh_below == 10
    assert more.difference == pytest.approx(18 - 4.5)
    assert "the 3 published seeds beside 10 fresh ones: p = 0.0035" in more.in_words


def test_the_best_three_of_twenty_seeds_are_found_as_often_as_published():
    random = np.random.default_rng(12)
    best = np.sort(random.normal(size=(400, 20)), axis=1)[:, -3:]
    fresh = random.normal(size=(400, 5))
    found = np.mean([against_fresh(a, b).p <= 0.05 for a, b in zip(best, fresh, strict=True)])
    assert found == pytest.approx(0.60, abs=0.08)
    honest = random.normal(size=(400, 3))
    wrong = np.mean([against_fresh(a, b).p <= 0.05 for a, b in zip(honest, fresh, strict=True)])
    assert wrong < 0.08


def test_the_power_of_both_tests_is_the_published_one():
    assert power_of_ranks([5] * 10, made=5) == pytest.approx(0.988, abs=0.012)
    assert power_of_ranks([5] * 5, made=5) == pytest.approx(0.832, abs=0.04)
    assert power_of_ranks([10] * 5, made=3) == pytest.approx(0.59, abs=0.05)
    assert power_of_ranks([3], made=20) == power_of_ranks([18], made=20) == 0.0
    assert power_of_ranks([19], made=20) == pytest.approx(20 / 39)  # K / (K + m)
    assert power_of_ranks([5] * 6, made=1) <= 0.05
    random = np.random.default_rng(4)
    for published, fresh, power in ((3, 5, 0.60), (3, 10, 0.80), (5, 5, 0.70), (5, 10, 0.80)):
        found = power_against_fresh(published, fresh, random=random)
        assert found == pytest.approx(power, abs=0.045)
    assert power_against_fresh(3, 5, random=random, alpha=0.017) == 0.0
    with pytest.raises(ValueError, match="cannot be tested"):
        power_against_fresh(21, 5, random=random)
    with pytest.raises(ValueError, match="every claim needs a rerun"):
        power_of_ranks([])


def test_there_are_innocent_reasons_to_name():
    assert len(INNOCENT) >= 5
    assert all("fraud" not in one.lower() for one in INNOCENT)


# --- normal seeds -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "e"),
    [
        (2, 0.5642),
        (3, 0.8463),
        (5, 1.1630),
        (10, 1.5388),
        (20, 1.8675),
        (50, 2.2491),
        (100, 2.5076),
    ],
)
def test_the_mean_of_the_largest_of_k_is_the_printed_one(k, e):
    assert expected_max(k) == pytest.approx(e, abs=5.1e-5)


def test_the_mean_of_the_largest_is_known_at_the_ends():
    assert expected_max(1) == pytest.approx(0.0, abs=1e-9)
    assert expected_max(2) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-7)
    assert 4.8 < expected_max(1_000_000) < 4.9
    with pytest.raises(ValueError, match="at least 1"):
        expected_max(0)


@pytest.mark.parametrize(("m", "limit"), [(3, 3.37), (5, 2.34), (10, 1.92)])
def test_one_number_is_flagged_beyond_the_published_spreads(m, limit):
    reruns = np.random.default_rng(m).normal(size=m).tolist()
    summary = Summary.of(reruns)
    assert prediction_p(summary.mean + limit * summary.sd, reruns) == pytest.approx(0.05, abs=4e-4)


@given(reruns_of, st.integers(1, 9), st.sampled_from([1e-250, 1e-3, 1e250]))
def test_a_prediction_does_not_depend_on_unit_or_order_and_mirrors(reruns, seeds, unit):
    found = prediction_p(3.0, reruns, seeds=seeds)
    scaled = prediction_p(3.0 * unit, [unit * y for y in reruns[::-1]], seeds=seeds)
    assert scaled == pytest.approx(found, rel=1e-6, abs=1e-12)
    mirrored = prediction_p(-3.0, [-y for y in reruns], seeds=seeds)
    assert mirrored == pytest.approx(1 - found, abs=1e-9)


def test_stouffers_p_is_known_and_combines_what_single_numbers_do_not_show():
    assert combined_p([0.5, 0.5]) == pytest.approx(0.5)
    assert combined_p([0.05]) == pytest.approx(0.05)
    assert combined_p([0.05] * 4) == pytest.approx(0.5 * math.erfc(2 * 1.6448536 / math.sqrt(2)))
    assert 0 <= combined_p([0.0, 1.0]) <= 1
    with pytest.raises(ValueError, match="p value must lie"):
        combined_p([1.1])
    with pytest.raises(ValueError, match="at least 1 value, not 0"):
        combined_p([])


def test_the_ratio_of_a_largest_to_a_mean_is_that_of_their_densities():
    def phi(x):
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    for k, z in ((2, 0.3), (5, 1.2), (10, -0.5)):
        below = 0.5 * math.erfc(-z / math.sqrt(2))
        expected = math.log(k * phi(z) * below ** (k - 1)) - math.log(
            math.sqrt(k) * phi(math.sqrt(k) * z)
        )
        assert float(log_ratio_of_max(z, k)) == pytest.approx(expected)


def test_the_bayes_factor_is_that_of_integrating_over_mean_and_spread():
    reruns, k, reported = [1.0, 2.0, 2.5, 0.5, 1.4], 5, 2.9
    m, mean = len(reruns), float(np.mean(reruns))
    s2 = float(np.var(reruns, ddof=1))
    mu, sigma = np.meshgrid(np.linspace(-8, 11, 1500), np.exp(np.linspace(-4, 4, 1500)))
    # dsigma / sigma of the prior is even in log sigma.
    posterior = sigma**-m * np.exp(-((m - 1) * s2 + m * (mu - mean) ** 2) / (2 * sigma**2))
    z = (reported - mu) / sigma
    below = np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(z)
    largest = (posterior * k * np.exp(-z * z / 2) * below ** (k - 1) / sigma).sum()
    averaged = (posterior * math.sqrt(k) * np.exp(-k * z * z / 2) / sigma).sum()
    found = bayes_factor_of_max(reported, reruns, seeds=k, random=np.random.default_rng(1),
                                draws=100_000)  # fmt: skip
    assert found == pytest.approx(math.log(largest / averaged), abs=0.05)


def test_the_bayes_factor_leans_the_right_way_and_repeats():
    random = np.random.default_rng(15)
    seeds, reruns = random.normal(size=(200, 8)), random.normal(size=(200, 20))

    def median_of(numbers):
        return float(np.median([
            bayes_factor_of_max(x, y.tolist(), seeds=8, random=np.random.default_rng(0))
            for x, y in zip(numbers.tolist(), reruns, strict=True)
        ]))  # fmt: skip

    assert median_of(seeds.max(axis=1)) > 1 > -1 > median_of(seeds.mean(axis=1))


def test_a_mean_too_high_and_a_spread_too_low_are_found_together():
    random = np.random.default_rng(21)
    reruns = random.normal(size=10).tolist()
    top = np.sort(random.normal(size=40))[-5:].tolist()
    found = top_of(Summary.of(top), reruns, random=np.random.default_rng(1))
    assert found.p < min(0.05, found.p_mean * 5)
    assert found.p_spread < 0.05
    flat = top_of(Summary(mean=0.0, sd=0.0, n=5), reruns, random=np.random.default_rng(1))
    assert flat.p_spread == 0.0
    assert 0 < flat.p <= 0.01


@pytest.mark.parametrize(("k", "m", "cut"), [(3, 3, 0.10), (5, 5, 0.25), (10, 10, 0.43)])
def test_the_one_percent_cut_of_the_spread_is_the_published_one(k, m, cut):
    reruns = list(range(m))
    reported = Summary(mean=0.0, sd=cut * Summary.of(reruns).sd, n=k)
    found = top_of(reported, reruns, random=np.random.default_rng(0))
    assert found.p_spread == pytest.approx(0.01, abs=1e-3)


def test_honest_reports_are_found_too_good_in_five_percent():
    random, wrong, repeats = np.random.default_rng(31), 0, 400
    for _ in range(repeats):
        reported, reruns = random.normal(size=5), random.normal(size=4)
        found = top_of(Summary.of(reported.tolist()), reruns.tolist(), random=random, draws=1_000)
        wrong += found.p < 0.05
    assert wrong / repeats == pytest.approx(0.05, abs=0.035)


def test_reruns_that_cannot_carry_a_comparison_are_refused_in_words():
    random = np.random.default_rng(0)
    for reruns in ([1.0], [2.0, 2.0, 2.0]):
        with pytest.raises(ValueError, match="no spread to hold the reported number against"):
            prediction_p(3.0, reruns)
    with pytest.raises(ValueError, match="no values"):
        prediction_p(3.0, [])
    with pytest.raises(ValueError, match="finite"):
        prediction_p(math.inf, [1.0, 2.0])
    with pytest.raises(ValueError, match="at least 2 of them"):
        bayes_factor_of_max(1.0, [1.0, 2.0], seeds=1, random=random)
    with pytest.raises(ValueError, match="reported spread is unknown"):
        top_of(Summary(mean=1.0, sd=None, n=3), [1.0, 2.0], random=random)


def test_numbers_of_any_size_neither_overflow_nor_warn():
    random = np.random.default_rng(0)
    huge = [1e300, 1.1e300, 1.3e300]
    assert prediction_p(9e300, huge) < 0.05
    assert math.isfinite(bayes_factor_of_max(1e305, huge, seeds=3, random=random))
    assert math.isfinite(bayes_factor_of_max(-1e305, [1e-300, 2e-300], seeds=3, random=random))
    assert 0 < top_of(Summary(mean=1e300, sd=1e299, n=3), [1e-300, 2e-300], random=random).p <= 1
    assert against_fresh([1e300], huge).p == 1.0
    assert against_fresh([-1e304] * 3, [1e304] * 3).difference == -2e304


def test_the_p_of_mean_and_spread_together_is_that_of_simulated_seeds():
    random, repeats, k, m = np.random.default_rng(3), 40_000, 4, 5
    reruns, reported = [0.3, -0.9, 1.1, 0.2, -0.6], Summary(mean=1.2, sd=0.5, n=k)
    found = top_of(reported, reruns, random=random)
    x, y = random.normal(size=(repeats, k)), random.normal(size=(repeats, m))
    spread = y.std(axis=1, ddof=1)
    t = (x.mean(axis=1) - y.mean(axis=1)) / (spread * math.sqrt(1 / k + 1 / m))
    drawn = stdtr(m - 1, -t) * fdtr(k - 1, m - 1, (x.std(axis=1, ddof=1) / spread) ** 2)
    assert found.p == pytest.approx(np.mean(drawn <= found.p_mean * found.p_spread), abs=0.008)
    assert 0.01 < found.p < 0.5
