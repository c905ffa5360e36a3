"""Summaries, intervals and numbers of seeds against worked values from elsewhere."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.stats.compare import (
    Summary,
    against_reported,
    collapse_caveat,
    collapse_rate_bound,
    differences,
    one_sample,
    paired,
    pooled_sd,
    prediction_half_width,
    t_interval,
    welch,
)
from repcheck.stats.criteria import Criteria
from repcheck.stats.sample_size import (
    Aim,
    Pilot,
    against,
    one_arm,
    power_at,
    seeds_needed,
    smallest_n,
    two_arms,
    upper_sd,
)

# R's `sleep`: extra hours of sleep of ten patients under two drugs (Student 1908).
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

values = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
samples = st.lists(values, min_size=2, max_size=12)


def test_welch_gives_what_r_gives_on_the_sleep_data():
    interval = welch(Summary.of(DRUG_1), Summary.of(DRUG_2), 0.025)
    assert interval.estimate / interval.se == pytest.approx(-1.86081, abs=5e-6)
    assert interval.df == pytest.approx(17.7765, abs=5e-5)
    assert interval.p_two_sided() == pytest.approx(0.0793941, abs=5e-8)
    assert (interval.low, interval.high) == pytest.approx((-3.36548, 0.20548), abs=5e-6)
    assert interval.level == pytest.approx(0.95)


def test_paired_t_gives_what_r_gives_on_the_sleep_data():
    interval = paired(DRUG_1, DRUG_2, 0.05)
    assert interval.estimate / interval.se == pytest.approx(-4.06213, abs=5e-6)
    assert interval.df == 9
    assert interval.p_two_sided() == pytest.approx(0.00283289, abs=5e-9)


def test_two_one_sided_tests_give_what_statsmodels_gives_on_the_sleep_data():
    interval = welch(Summary.of(DRUG_1), Summary.of(DRUG_2), 0.05)
    assert max(interval.p_above(-4), interval.p_below(4)) == pytest.approx(0.00536162, abs=5e-9)


def test_welch_works_from_printed_means_and_spreads():
    a, b = Summary(mean=76.3, sd=0.4, n=5), Summary(mean=75.8, sd=0.5, n=5)
    interval = welch(a, b, 0.05)
    assert interval.estimate / interval.se == pytest.approx(1.746076, abs=5e-7)
    assert interval.p_two_sided() == pytest.approx(0.1207526, abs=5e-8)


def test_three_equal_seeds_need_213_standard_errors_and_one_still_arm_292():
    equal = welch(Summary(mean=1, sd=1, n=3), Summary(mean=0, sd=1, n=3), 0.05)
    assert equal.df == pytest.approx(4)
    assert (equal.estimate - equal.low) / equal.se == pytest.approx(2.13, abs=0.005)
    still = welch(Summary(mean=1, sd=1, n=3), Summary(mean=0, sd=0, n=3), 0.05)
    assert still.df == pytest.approx(2)
    assert (still.estimate - still.low) / still.se == pytest.approx(2.92, abs=0.005)


@pytest.mark.parametrize(
    ("k", "one_rerun", "five_reruns"),
    [(2, 15.6, 10.6), (3, 4.97, 3.14), (5, 3.04, 1.76), (10, 2.37, 1.24)],
)
def test_prediction_half_widths_are_the_published_figures(k, one_rerun, five_reruns):
    assert prediction_half_width(1.0, k, 1) == pytest.approx(
        one_rerun, abs=0.005 if k > 2 else 0.05
    )
    assert prediction_half_width(1.0, k, 5) == pytest.approx(
        five_reruns, abs=0.005 if k > 2 else 0.05
    )


def test_the_prediction_interval_misses_five_honest_reruns_in_a_hundred():
    random, repeats = np.random.default_rng(20), 40_000
    for k, m in ((3, 1), (5, 3), (10, 5)):
        paper, rerun = random.normal(size=(repeats, k)), random.normal(size=(repeats, m))
        reach = prediction_half_width(1.0, k, m) * paper.std(axis=1, ddof=1)
        missed = np.mean(np.abs(rerun.mean(axis=1) - paper.mean(axis=1)) > reach)
        assert missed == pytest.approx(0.05, abs=0.0045)


@pytest.mark.parametrize(("df", "factor"), [(2, 2.12), (4, 1.56), (8, 1.32), (18, 1.18)])
def test_the_upper_bound_of_a_spread_has_the_published_factors(df, factor):
    assert upper_sd(1.0, df) == pytest.approx(factor, abs=0.005)


@pytest.mark.parametrize(
    ("d", "at_80", "at_95"),
    [
        (0.5, 51, 88),
        (0.75, 23, 40),
        (1.0, 14, 23),
        (1.5, 7, 11),
        (2.0, 4, 7),
        (2.5, 3, 5),
        (3.0, 3, 4),
    ],
)
def test_sample_sizes_are_those_of_statsmodels(d, at_80, at_95):
    pilot, aim = Pilot(sd=1.0, df=8, design=two_arms), Aim(distances=(d,))
    assert smallest_n(pilot, aim, Criteria(power=0.8)) == at_80
    assert smallest_n(pilot, aim, Criteria(power=0.95)) == at_95


@pytest.mark.parametrize(("n", "d"), [(3, 2.48), (5, 1.72), (10, 1.16), (20, 0.80), (30, 0.65)])
def test_the_smallest_effect_seen_with_80_percent_power_is_the_published_one(n, d):
    se, df = two_arms(1.0, np.array([float(n)]))
    assert power_at(d + 0.006, se, df, 0.05)[0] > 0.8 > power_at(d - 0.006, se, df, 0.05)[0]


def test_power_at_no_distance_is_alpha_and_far_out_is_one():
    se, df = one_arm(1.0, np.array([2.0, 5.0, 50.0]))
    assert power_at(0.0, se, df, 0.05) == pytest.approx(0.05, abs=1e-9)
    assert power_at(1e6, se, df, 0.05)[1:] == pytest.approx(1.0)


def test_a_wider_spread_needs_more_seeds_and_too_wide_a_one_is_not_decidable():
    narrow = seeds_needed(Pilot(sd=1.0, df=8, design=two_arms), Aim(distances=(1.0,)), Criteria())
    assert narrow.with_sd == 14
    assert narrow.with_upper_sd is not None
    assert narrow.with_upper_sd > 14
    wide = seeds_needed(Pilot(sd=50.0, df=8, design=two_arms), Aim(distances=(1.0,)), Criteria())
    assert (wide.with_sd, wide.with_upper_sd) == (None, None)
    assert "not decidable within 100 seeds" in wide.in_words


def test_new_seeds_alone_cannot_beat_a_vague_published_value():
    vague = Summary(mean=0.0, sd=None, n=1)
    aim = Aim(distances=(1.5,))
    assert smallest_n(Pilot(sd=1.0, df=4, design=against(vague)), aim, Criteria()) is None
    sharp = Summary(mean=0.0, sd=1.0, n=20)
    assert smallest_n(Pilot(sd=1.0, df=4, design=against(sharp)), aim, Criteria()) is not None


def test_two_thresholds_need_more_seeds_than_one():
    pilot = Pilot(sd=1.0, df=8, design=one_arm)
    one = smallest_n(pilot, Aim(distances=(1.0,)), Criteria())
    two = smallest_n(pilot, Aim(distances=(1.0, 1.0)), Criteria())
    assert one is not None
    assert two is not None
    assert two > one


def test_a_summary_has_the_sample_standard_deviation():
    summary = Summary.of([1.0, 2.0, 3.0, 4.0])
    assert summary.mean == 2.5
    assert summary.sd == pytest.approx(math.sqrt(5 / 3))


def test_equal_seeds_have_no_spread_even_where_their_sum_is_rounded():
    assert Summary.of([0.1] * 3).sd == 0.0
    assert Summary.of([0.1] * 3).mean == 0.1
    assert Summary.of([92.9, 0.929 * 100, 92.9]).sd == 0.0
    assert Summary.of([92.9, 92.9001, 92.9]).sd != 0.0


@pytest.mark.parametrize(
    ("kind", "spread", "sd"),
    [
        ("sample", 0.5, 0.5),
        ("population", 0.4, 0.4 * math.sqrt(5 / 4)),
        ("sem", 0.2, 0.2 * math.sqrt(5)),
        ("ci95", 0.4, 0.4 * math.sqrt(5) / 1.959963984540054),
    ],
)
def test_a_published_spread_of_every_kind_becomes_the_sample_one(kind, spread, sd):
    assert Summary.published(92.9, spread, 5, kind=kind).sd == pytest.approx(sd, rel=1e-12)


def test_a_published_value_over_an_unknown_number_of_seeds_counts_as_one_seed():
    assert Summary.published(92.9, 0.5, None) == Summary(mean=92.9, sd=None, n=1)
    assert Summary.published(92.9, None, 3) == Summary(mean=92.9, sd=None, n=3)


def test_without_a_reported_spread_that_of_the_rerun_stands_in():
    rerun, reported = Summary.of([1.0, 2.0, 3.0]), Summary(mean=0.0, sd=None, n=5)
    interval = against_reported(rerun, reported, 0.05)
    assert interval.se == pytest.approx(math.sqrt(1 / 5 + 1 / 3))
    assert interval.df == 2


def test_the_pooled_spread_weighs_by_degrees_of_freedom():
    a, b = Summary(mean=0, sd=1.0, n=3), Summary(mean=0, sd=2.0, n=5)
    assert pooled_sd(a, b) == (pytest.approx(math.sqrt((2 * 1 + 4 * 4) / 6)), 6)
    assert pooled_sd(a, Summary(mean=0, sd=None, n=9)) == (pytest.approx(1.0), 2)


@pytest.mark.parametrize(("n", "rate"), [(3, 63), (5, 45), (10, 26)])
def test_the_collapse_caveat_names_the_rate_that_was_not_excluded(n, rate):
    assert round(100 * collapse_rate_bound(n)) == rate
    assert f"up to {rate} %" in collapse_caveat(n)
    assert f"n = {n}" in collapse_caveat(n)


@given(samples, samples)
def test_exchanging_the_arms_mirrors_the_interval(a, b):
    forth, back = (welch(Summary.of(x), Summary.of(y), 0.05) for x, y in ((a, b), (b, a)))
    assert forth.estimate == -back.estimate
    assert forth.low == pytest.approx(-back.high, rel=1e-9, abs=1e-9)


@given(samples, samples, st.sampled_from([0.25, 2.0, 1024.0]))
def test_another_unit_of_the_metric_scales_the_interval(a, b, factor):
    small = welch(Summary.of(a), Summary.of(b), 0.05)
    large = welch(Summary.of([factor * x for x in a]), Summary.of([factor * x for x in b]), 0.05)
    assert large.low == pytest.approx(factor * small.low, rel=1e-9, abs=1e-9)
    assert large.high == pytest.approx(factor * small.high, rel=1e-9, abs=1e-9)


@given(samples, samples, st.floats(0.001, 0.2), st.floats(1.1, 2.0))
def test_a_smaller_alpha_widens_the_interval(a, b, alpha, times):
    wide, narrow = (welch(Summary.of(a), Summary.of(b), level) for level in (alpha, alpha * times))
    assert wide.low <= narrow.low <= narrow.estimate <= narrow.high <= wide.high


@given(samples, samples)
def test_welch_degrees_of_freedom_lie_between_the_smaller_arm_and_both(a, b):
    one, other = Summary.of(a), Summary.of(b)
    df = welch(one, other, 0.05).df
    if df is not None:
        fewest, all_of_them = min(one.n, other.n) - 1, one.n + other.n - 2
        assert fewest * (1 - 1e-9) <= df <= all_of_them * (1 + 1e-9)


@given(samples)
def test_a_summary_agrees_with_numpy(numbers):
    summary = Summary.of(numbers)
    assert summary.mean == pytest.approx(float(np.mean(numbers)), rel=1e-9, abs=1e-9)
    assert summary.sd == pytest.approx(float(np.std(numbers, ddof=1)), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        Summary.of([1.0, bad])
    with pytest.raises(ValueError, match="finite"):
        Summary(mean=bad, sd=1.0, n=3)
    with pytest.raises(ValueError, match="finite"):
        Summary(mean=1.0, sd=bad, n=3)
    with pytest.raises(ValueError, match="finite"):
        t_interval(bad, 1.0, 4, 0.05)


def test_impossible_summaries_are_refused_with_a_reason():
    with pytest.raises(ValueError, match="no values"):
        Summary.of([])
    with pytest.raises(ValueError, match="negative"):
        Summary(mean=1.0, sd=-0.1, n=3)
    with pytest.raises(ValueError, match="one seed"):
        Summary(mean=1.0, sd=0.1, n=1)
    with pytest.raises(ValueError, match="at least 1"):
        Summary.published(1.0, 0.1, 0)
    with pytest.raises(ValueError, match="equal lengths"):
        differences([1.0], [1.0, 2.0])


def test_an_interval_without_a_spread_is_refused_with_a_reason():
    single = Summary.of([1.0])
    with pytest.raises(ValueError, match="standard deviation"):
        welch(single, Summary.of([1.0, 2.0]), 0.05)
    with pytest.raises(ValueError, match="standard deviation"):
        one_sample(single, 0.05)
    with pytest.raises(ValueError, match="standard deviation"):
        against_reported(single, Summary(mean=1.0, sd=None, n=3), 0.05)


def test_the_statistics_do_not_load_the_slow_half_of_scipy():
    code = (
        "import sys, repcheck.stats.decide; "
        "print(sorted(m for m in ('scipy.stats', 'pandas', 'torch') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
