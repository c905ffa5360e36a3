"""Means, interquartile means and orders over many tasks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repcheck.stats.aggregate import (
    almost_stochastic_order,
    iqm,
    iqm_intervals,
    mean_over_tasks,
    performance_profile,
    probability_of_improvement,
    stretch_of,
)
from repcheck.stats.compare import Summary, one_sample

# rliable, tests/rliable/metrics_test.py: runs x tasks; here one sequence of runs a task.
RLIABLE_X = np.array([[1, 2], [2, 2], [1, 1], [2, 1]], dtype=float).T
RLIABLE_Y = np.array([[1, 1], [2, 2], [3, 3]], dtype=float).T

values = st.integers(-40, 40).map(lambda k: k / 8)
few_runs = st.lists(values, min_size=2, max_size=4)
tasks_of = st.lists(st.lists(values, min_size=2, max_size=5), min_size=1, max_size=4)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- means ------------------------------------------------------------------------------------


def test_means_and_interquartile_means_are_those_of_rliables_own_tests():
    assert mean_over_tasks(RLIABLE_X).estimate == iqm(RLIABLE_X) == 1.5
    assert mean_over_tasks(RLIABLE_Y).estimate == iqm(RLIABLE_Y) == 2.0


def test_the_mean_of_one_task_is_its_t_interval():
    runs = [1.0, 2.0, 4.0]
    assert mean_over_tasks([runs]) == one_sample(Summary.of(runs), 0.05)


def test_the_interval_of_the_mean_covers_what_it_says():
    random, hits, repeats = rng(1), 0, 600
    truth = random.normal(1, 0.6, 5)
    for _ in range(repeats):
        found = mean_over_tasks(truth[:, None] + 0.3 * random.normal(size=(5, 3)), alpha=0.025)
        hits += found.low <= truth.mean() <= found.high
    assert hits / repeats == pytest.approx(0.95, abs=0.03)


@given(tasks_of)
def test_the_interquartile_mean_is_the_mean_of_the_middle_half(tasks):
    pooled = sorted(v for task in tasks for v in task)
    cut = len(pooled) // 4
    assert iqm(tasks) == pytest.approx(np.mean(pooled[cut : len(pooled) - cut]), abs=1e-12)


# --- intervals of the interquartile mean ------------------------------------------------------


def test_the_interval_is_that_of_sorting_every_resample():
    tasks = rng(3).gamma(2, 0.5, (6, 4))
    found = iqm_intervals({"a": tasks}, random=rng(5), draws=2_000)["a"]
    places = rng(5).integers(0, 4, (6, 4, 2_000), dtype=np.uint16)
    resampled = np.sort(
        np.take_along_axis(tasks[:, :, None], places, axis=1).reshape(24, -1), axis=0
    )
    low, high = np.quantile(resampled[6:18].mean(axis=0), [0.025, 0.975])
    estimate, stretch = iqm(tasks), stretch_of([4] * 6, 0.95)
    assert found.estimate == estimate
    assert found.low == pytest.approx(estimate + stretch * (low - estimate), abs=1e-12)
    assert found.high == pytest.approx(estimate + stretch * (high - estimate), abs=1e-12)


def test_the_stretch_is_the_published_one():
    # sqrt(n / (n - 1)) t(.975, T (n - 1)) / 1.96 at one task of three runs, and many of ten.
    assert stretch_of([3], 0.95) == pytest.approx(math.sqrt(1.5) * 4.30265 / 1.95996, rel=1e-5)
    assert stretch_of([10] * 26, 0.95) == pytest.approx(math.sqrt(10 / 9) * 1.970 / 1.96, rel=1e-3)


def test_the_stretched_interval_covers_what_the_plain_one_does_not():
    random, repeats = rng(7), 250
    truth = random.normal(1, 0.6, 5)
    middles = [iqm(truth[:, None] + 0.3 * random.normal(size=(5, 3))) for _ in range(3_000)]
    target, plain, stretched = np.mean(middles), 0, 0
    for _ in range(repeats):
        scores = truth[:, None] + 0.3 * random.normal(size=(5, 3))
        found = iqm_intervals({"a": scores}, random=random, draws=500)["a"]
        stretched += found.low <= target <= found.high
        low, high = (found.estimate + (end - found.estimate) / found.stretch
                     for end in (found.low, found.high))  # fmt: skip
        plain += low <= target <= high
    assert stretched / repeats > 0.90
    assert plain / repeats < stretched / repeats - 0.02


def test_methods_share_draws_only_where_their_runs_match_in_number():
    ours, theirs = rng(1).normal(size=(3, 4)), [[1.0, 2.0], [3.0, 5.0, 4.0]]
    together = iqm_intervals({"a": ours, "b": theirs, "c": ours + 1}, random=rng(2), draws=500)
    assert list(together) == ["a", "b", "c"]
    assert together["c"].low == pytest.approx(together["a"].low + 1, abs=1e-12)
    alone = iqm_intervals({"a": ours}, random=rng(2), draws=500)["a"]
    assert alone == together["a"]


@settings(max_examples=40)
@given(tasks_of, st.sampled_from([2.0**-900, 2.0**-3, 2.0**900]))
def test_intervals_repeat_with_the_seed_scale_with_the_unit_and_widen_with_the_level(tasks, unit):
    def found(given_tasks, level=0.95):
        return iqm_intervals({"a": given_tasks}, random=rng(4), draws=200, level=level)["a"]

    one = found(tasks)
    assert found(tasks) == one
    scaled = found([[unit * v for v in task] for task in tasks])
    assert (scaled.low, scaled.high) == (unit * one.low, unit * one.high)
    negated = found([[-v for v in task] for task in tasks])
    assert negated.low == pytest.approx(-one.high, abs=1e-9)
    assert negated.high == pytest.approx(-one.low, abs=1e-9)
    wide = found(tasks, level=0.99)
    assert wide.low <= one.low <= one.high <= wide.high


@given(tasks_of, st.randoms(use_true_random=False))
def test_the_order_of_seeds_changes_no_estimate(tasks, shuffle):
    mixed = [shuffle.sample(task, len(task)) for task in tasks]
    assert iqm(mixed) == pytest.approx(iqm(tasks), abs=1e-12)
    before, after = mean_over_tasks(tasks), mean_over_tasks(mixed)
    assert after.estimate == pytest.approx(before.estimate, abs=1e-12)
    assert after.low == pytest.approx(before.low, rel=1e-9, abs=1e-9)


def test_a_large_offset_costs_no_digits():
    tasks = rng(1).normal(size=(3, 5))
    near, far = (
        iqm_intervals({"a": t}, random=rng(2), draws=300)["a"] for t in (tasks, tasks + 1e9)
    )
    assert far.high - far.low == pytest.approx(near.high - near.low, abs=1e-5)


# --- probability of improvement ---------------------------------------------------------------


def test_the_probability_of_improvement_is_that_of_rliables_own_test():
    found = probability_of_improvement(RLIABLE_X, RLIABLE_Y, random=rng(), draws=500)
    assert found.estimate == pytest.approx(1 / 3)
    assert 0 <= found.low < 1 / 3 < found.high <= 1


def test_its_interval_is_that_of_comparing_every_resample():
    random = rng(8)
    a, b = random.normal(0.4, 1, (4, 5)), random.normal(0, 1, (4, 6))
    found = probability_of_improvement(a, b, random=rng(1), draws=4_000)
    drawn = rng(2)
    shares = []
    for _ in range(4_000):
        ours, theirs = (np.take_along_axis(x, drawn.integers(0, x.shape[1], x.shape), axis=1)
                        for x in (a, b))  # fmt: skip
        shares.append(np.mean(ours[:, :, None] > theirs[:, None]))
    plain = np.quantile(shares, [0.025, 0.975])
    for end, expected in zip((found.low, found.high), plain, strict=True):
        assert (end - found.estimate) / found.stretch == pytest.approx(
            expected - found.estimate, abs=0.02
        )


@settings(max_examples=40)
@given(st.lists(st.tuples(few_runs, few_runs), min_size=1, max_size=3))
def test_swapped_arms_mirror_it_and_ties_count_half(pairs):
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    found = probability_of_improvement(ours, theirs, random=rng(), draws=200)
    swapped = probability_of_improvement(theirs, ours, random=rng(), draws=200)
    assert swapped.estimate == pytest.approx(1 - found.estimate)
    assert 0 <= found.low <= found.estimate + 1e-12
    assert found.estimate <= found.high + 1e-12 <= 1 + 2e-12


def test_where_all_runs_win_the_interval_is_a_point_and_equal_runs_are_a_half():
    sure = probability_of_improvement([[5.0, 6.0]], [[1.0, 2.0, 3.0]], random=rng(), draws=200)
    assert (sure.low, sure.estimate, sure.high) == (1.0, 1.0, 1.0)
    even = probability_of_improvement([[1.0, 1.0]], [[1.0, 1.0]], random=rng(), draws=200)
    assert (even.low, even.estimate, even.high) == (0.5, 0.5, 0.5)


# --- profiles ---------------------------------------------------------------------------------


def test_a_profile_is_the_share_of_runs_above_each_threshold():
    found = performance_profile(RLIABLE_Y, [0.0, 1.0, 1.5, 2.5, 3.0], random=rng())
    assert found.share == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3, 0])
    assert (found.low <= found.share + 1e-12).all()
    assert (found.share <= found.high + 1e-12).all()
    assert (found.low[0], found.high[0], found.high[-1]) == (
        pytest.approx(1.0),
        pytest.approx(1.0),
        0,
    )


def test_every_task_weighs_the_same_in_a_profile_however_many_runs_it_has():
    found = performance_profile([[0.0, 0.0], [1.0] * 8], [0.5], random=rng(), draws=200)
    assert found.share == pytest.approx([0.5])


# --- almost stochastic order ------------------------------------------------------------------


def test_a_full_order_has_bound_zero_its_reverse_one_and_equals_a_half():
    low, high = [1.0, 2, 3, 4, 5], [11.0, 12, 13, 14, 15]
    assert almost_stochastic_order(high, low, random=rng()) == 0.0
    assert almost_stochastic_order(low, high, random=rng()) == 1.0
    assert almost_stochastic_order([2.0, 2.0], [2.0, 2.0], random=rng()) == 0.5


def test_the_violation_is_that_of_the_integrals_of_both_quantile_functions():
    a, b = [0.0, 3.0, 4.0], [1.0, 2.0]
    # Steps at 1/3, 1/2, 2/3: theirs less ours is 1, -2, -1, -2 over widths 1/3, 1/6, 1/6, 1/3.
    against = 1 / 3
    whole = 1 / 3 + 4 / 6 + 1 / 6 + 4 / 3
    # Without spread (level 1/2) the bound is the ratio itself.
    found = almost_stochastic_order(a, b, random=rng(), level=0.5)
    assert found == pytest.approx(against / whole)


def test_more_comparisons_and_a_higher_level_raise_the_bound_and_units_do_not():
    random = rng(3)
    a, b = random.normal(0.7, 1, 8), random.normal(0, 1, 11)
    one = almost_stochastic_order(a, b, random=rng(1))
    assert 0 < one < almost_stochastic_order(a, b, random=rng(1), comparisons=10) <= 1
    assert one < almost_stochastic_order(a, b, random=rng(1), level=0.99)
    assert one == almost_stochastic_order(a[::-1], b, random=rng(1))
    assert one == almost_stochastic_order(a * 2.0**800, b * 2.0**800, random=rng(1))
    # Ten comparisons at 95 % are one at 99.5 %, and not at 95.5 %.
    assert almost_stochastic_order(a, b, random=rng(1), comparisons=10) == pytest.approx(
        almost_stochastic_order(a, b, random=rng(1), level=0.995)
    )


# --- bad input --------------------------------------------------------------------------------

CALLS = {
    "mean": lambda t: mean_over_tasks(t),
    "iqm": lambda t: iqm_intervals({"a": t}, random=rng(), draws=200),
    "poi": lambda t: probability_of_improvement(t, t, random=rng(), draws=200),
    "profile": lambda t: performance_profile(t, [0.0], random=rng(), draws=200),
    "order": lambda t: almost_stochastic_order(t[0] if len(t) else [], [1.0, 2.0], random=rng()),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "tasks", [[], [[]], [[1.0]], [[1.0, math.nan]], [[math.inf, 1.0]], [[[1.0, 2.0]]]], ids=repr
)
def test_bad_runs_are_refused_in_words(call, tasks):
    with pytest.raises(ValueError, match=r"need at least|must be finite|must be a plain list"):
        call(tasks)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "tasks",
    [
        [[2.0, 2.0, 2.0]],
        [[1e300, -1e300, 5.0]],
        [[1e-320, 2e-320]],
        [[1e39, 2e39], [1.0, 2.0, 3.0]],
    ],
    ids=["constant", "huge", "tiny", "beyond float32, unequal n"],
)
def test_odd_runs_are_handled_without_a_warning(call, tasks):
    call(tasks)


def test_a_million_values_are_handled_or_refused_in_words():
    many = rng().normal(size=1_000_000)
    assert abs(iqm([many])) < 0.01
    assert mean_over_tasks([many]).high < 0.01
    with pytest.raises(ValueError, match=r"too many to resample; ask for at most 1,000 draws"):
        iqm_intervals({"a": [many]}, random=rng())
    with pytest.raises(ValueError, match="pairs of runs are too many"):
        probability_of_improvement([many], [many], random=rng())
    with pytest.raises(ValueError, match="too many to resample"):
        almost_stochastic_order(many, many, random=rng())
    with pytest.raises(ValueError, match="at least 100 draws"):
        iqm_intervals({"a": [[1.0, 2.0]]}, random=rng(), draws=10)
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        iqm_intervals({"a": [[1.0, 2.0]]}, random=rng(), level=95)
    with pytest.raises(ValueError, match="same tasks, not 1 and 2"):
        probability_of_improvement([[1.0, 2.0]], [[1.0, 2.0]] * 2, random=rng())
