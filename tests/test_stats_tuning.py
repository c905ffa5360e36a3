"""Tuning curves at equal trials, and a gain split over idea, compute, tuning and luck."""

import math
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri, stdtrit

from repcheck.stats.compare import Summary, t_interval, welch
from repcheck.stats.factorial import factorial
from repcheck.stats.tuning import (
    best_at,
    best_of_k,
    best_of_k_biased,
    budget_to_match,
    equal_trials,
    mean_band,
    median_band,
    spread_of_best,
    tuning_gain,
)
from repcheck.stats.waterfall import contrast, fieller, shapley, split, waterfall

FIVE = [0.3, 0.1, 0.5, 0.2, 0.4]
values = st.integers(-40, 40).map(lambda k: k / 8)
trials_of = st.lists(values, min_size=1, max_size=8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- curves -----------------------------------------------------------------------------------


def test_both_curves_have_the_worked_values():
    assert best_of_k_biased(FIVE, [1, 2, 3]) == pytest.approx([0.30, 0.38, 0.42])
    assert best_of_k(FIVE, [1, 2, 3]) == pytest.approx([0.30, 0.40, 0.45])


@given(trials_of)
def test_the_unbiased_curve_is_the_mean_best_of_all_subsets(trials):
    budgets = range(1, len(trials) + 1)
    expected = [np.mean([max(one) for one in combinations(trials, k)]) for k in budgets]
    found = best_of_k(trials, budgets)
    assert found == pytest.approx(expected, abs=1e-9)
    assert (np.diff(found) >= -1e-9).all()


@given(st.lists(values, min_size=1, max_size=4), st.integers(1, 4))
def test_the_biased_curve_is_the_mean_best_of_all_draws_with_replacement(trials, k):
    drawn = [max(one) for one in product(trials, repeat=k)]
    assert best_of_k_biased(trials, [k])[0] == pytest.approx(np.mean(drawn), abs=1e-9)
    assert spread_of_best(trials, [k])[0] == pytest.approx(np.std(drawn), abs=1e-7)


def test_the_unbiased_curve_is_right_on_average_and_the_other_too_low():
    random = rng(1)
    drawn = random.random((3_000, 10))
    found = np.mean([best_of_k(one, [5])[0] for one in drawn])
    biased = np.mean([best_of_k_biased(one, [5])[0] for one in drawn])
    assert found == pytest.approx(5 / 6, abs=0.006)
    assert biased < found - 0.01


def test_a_million_trials_and_any_unit_are_handled():
    many = rng(2).random(1_000_000)
    assert best_of_k(many, [1])[0] == pytest.approx(many.mean(), rel=1e-6)
    assert best_of_k(many, [1_000_000])[0] == pytest.approx(many.max())
    assert best_of_k(many, [9])[0] == pytest.approx(0.9, abs=1e-3)
    for unit in (2.0**-1000, 2.0**1000):
        assert best_of_k([unit * v for v in FIVE], [3])[0] == pytest.approx(0.45 * unit)
        assert spread_of_best([unit * v for v in FIVE], [1])[0] == pytest.approx(
            unit * math.sqrt(0.02)
        )


@pytest.mark.parametrize(
    ("trials", "k", "words"),
    [
        ([], 1, "at least 1 value, not 0"),
        ([math.nan], 1, "must be finite"),
        ([1.0, math.inf], 1, "must be finite"),
        (FIVE, 0, "at least 1 trial and at most the 5 trials"),
        (FIVE, 6, "at most the 5 trials there are, not 6"),
    ],
)
def test_bad_trials_are_refused_in_words(trials, k, words):
    with pytest.raises(ValueError, match=words):
        best_of_k(trials, [k])


# --- bands ------------------------------------------------------------------------------------


def test_the_band_of_the_mean_is_that_of_the_bounded_distribution_function():
    band = mean_band([0.5] * 4, [1, 2], (0.0, 1.0), level=1 - 2 * math.exp(-2 * 4 * 0.25))
    # The reach is 1/2: F is at most 1/2 below the trials and 1 above, at least 0 and 1/2.
    assert band.low == pytest.approx([1 - (0.25 + 0.5), 1 - (0.125 + 0.5)])
    assert band.high == pytest.approx([1 - 0.25, 1 - 0.125])


def test_bands_hold_what_they_should_in_at_least_their_level():
    random, repeats = rng(3), 400
    budgets = [1, 3, 10, 20]
    means = np.array([k / (k + 1) for k in budgets])
    medians = np.array([0.5 ** (1 / k) for k in budgets])
    whole, single = 0, np.zeros(4)
    for _ in range(repeats):
        trials = random.random(20)
        band = mean_band(trials, budgets, (0.0, 1.0), level=0.9)
        whole += ((band.low <= means) & (means <= band.high)).all()
        middle = median_band(trials, budgets, level=0.9)
        single += (middle.low <= medians) & (medians <= middle.high)
    assert whole / repeats >= 0.88
    assert (single / repeats >= 0.86).all()
    assert (single[0] / repeats) < 0.99


def test_the_median_of_one_trial_lies_between_the_trials_of_a_printed_table():
    # Order statistics of the median at 95 %, n = 10: the 2nd and 9th (any printed table).
    band = median_band(range(1, 11), [1], level=0.95)
    assert (band.low[0], band.high[0]) == (2.0, 9.0)
    far = median_band([1.0, 2.0, 3.0], [1, 50])
    assert (far.low[0], far.high[0], far.high[1]) == (-math.inf, math.inf, math.inf)


@given(trials_of, st.integers(1, 9))
def test_a_wider_level_has_a_wider_band_around_the_biased_curve(trials, k):
    support = (-6.0, 6.0)
    narrow, wide = (mean_band(trials, [k], support, level=level) for level in (0.5, 0.99))
    assert wide.low[0] <= narrow.low[0] <= best_of_k_biased(trials, [k])[0] + 1e-9
    assert best_of_k_biased(trials, [k])[0] - 1e-9 <= narrow.high[0] <= wide.high[0]
    middle, wider = (median_band(trials, [k], level=level) for level in (0.5, 0.99))
    assert wider.low[0] <= middle.low[0] <= middle.high[0] <= wider.high[0]


def test_trials_outside_the_support_are_refused():
    with pytest.raises(ValueError, match="must lie within the support"):
        mean_band([1.5], [1], (0.0, 1.0))


# --- equal trials -----------------------------------------------------------------------------


def test_the_interval_is_a_bootstrap_up_to_a_fifth_of_the_trials_and_a_band_beyond():
    trials = rng(4).random(20)
    few = best_at(trials, 4, random=rng(), support=(0, 1))
    more = best_at(trials, 5, random=rng(), support=(0, 1))
    assert (few.how, more.how) == ("bootstrap", "distribution-free")
    assert few.low < few.estimate < few.high
    assert more.low < more.estimate < more.high
    bare = best_at(trials, 5, random=rng())
    assert (bare.how, bare.low, bare.high) == ("none", None, None)


def test_the_bootstrap_is_that_of_sorting_every_resample():
    trials = rng(5).random(15)
    found = best_at(trials, 3, random=rng(6))
    places = rng(6).integers(0, 15, (15, 2_000), dtype=np.uint16).T
    drawn = [best_of_k(np.sort(trials)[one], [3])[0] for one in places]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-12)


def test_a_gain_that_is_only_more_tuning_goes_at_equal_trials():
    ours, theirs = (ndtri((np.arange(n) + 0.5) / n) for n in (200, 10))  # one distribution
    found = equal_trials(ours, theirs, random=rng())
    assert found.k == 10
    assert found.at_own == pytest.approx(ours.max() - theirs.max())
    assert abs(found.at_equal) < 0.2 < 1 < found.at_own
    assert found.at_equal + found.from_tuning == pytest.approx(found.at_own)
    assert found.clear_from is None
    words = found.in_words(0.01)
    assert words.startswith("with 10 trials each the difference is ")
    assert "with 200 and 10;" in words
    gained = tuning_gain(ours, theirs, random=rng())
    assert gained.estimate == pytest.approx(found.from_tuning)
    assert tuning_gain(theirs, ours, random=rng()).estimate == pytest.approx(-gained.estimate)


def test_a_better_method_is_clear_at_equal_trials_and_never_matched():
    random = rng(8)
    ours, theirs = random.uniform(0.8, 0.95, 60), random.uniform(0.1, 0.3, 60)
    found = equal_trials(ours, theirs, random=rng(), support=(0.0, 1.0))
    assert found.clear_from == 1
    assert found.to_match is None
    assert "none of its trials together reach that" in found.in_words(0.001)
    assert equal_trials(theirs, ours, random=rng(), support=(0.0, 1.0)).clear_from is None


def test_the_budget_to_match_is_the_smallest_that_reaches():
    theirs = rng(9).random(50)
    curve = best_of_k(theirs, range(1, 51))
    for k in (1, 3, 9):
        target = rng(10).random(12)
        wanted = best_of_k(target, [k])[0]
        expected = next((n for n in range(1, 51) if curve[n - 1] >= wanted), None)
        assert budget_to_match(target, k, theirs) == expected
    assert budget_to_match(FIVE, 3, FIVE) == 3
    assert budget_to_match([2.0], 1, FIVE) is None
    assert budget_to_match([0.0], 1, FIVE) == 1


@settings(max_examples=40)
@given(trials_of, trials_of)
def test_swapped_sides_flip_the_sign_and_the_order_of_trials_changes_nothing(a, b):
    found, swapped = equal_trials(a, b, random=rng()), equal_trials(b, a, random=rng())
    assert swapped.at_equal == pytest.approx(-found.at_equal, abs=1e-9)
    assert swapped.at_own == pytest.approx(-found.at_own, abs=1e-9)
    assert equal_trials(a[::-1], sorted(b), random=rng()) == found


# --- contrasts and Shapley --------------------------------------------------------------------

CELLS = {
    "baseline": Summary(mean=80.0, sd=0.6, n=5),
    "baseline_with_compute": Summary(mean=82.0, sd=0.5, n=4),
    "method_at_baseline_compute": Summary(mean=81.0, sd=0.9, n=5),
    "method": Summary(mean=84.0, sd=0.7, n=6),
}


def test_a_contrast_of_two_arms_is_welchs_interval():
    a, b = Summary(mean=76.3, sd=0.4, n=5), Summary(mean=75.8, sd=0.5, n=4)
    found, expected = contrast([(1.0, a), (-1.0, b)], 0.05), welch(a, b, 0.05)
    for name in ("estimate", "se", "df", "low", "high"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name))
    with pytest.raises(ValueError, match="every cell needs at least 2 seeds"):
        contrast([(1.0, Summary(mean=1.0, sd=None, n=1))])


def test_a_gain_is_split_as_in_the_formula_and_sums_exactly():
    found = split(**CELLS)
    assert found.idea.estimate == pytest.approx(0.5 * ((81 - 80) + (84 - 82)))
    assert found.compute.estimate == pytest.approx(0.5 * ((82 - 80) + (84 - 81)))
    assert found.idea.estimate + found.compute.estimate == pytest.approx(found.total.estimate)
    variances = [one.sd**2 / one.n for one in CELLS.values()]
    assert found.idea.se == found.compute.se == pytest.approx(0.5 * math.sqrt(sum(variances)))
    weighted = zip(variances, CELLS.values(), strict=True)
    nu = sum(variances) ** 2 / sum(v**2 / (one.n - 1) for v, one in weighted)
    assert found.idea.df == pytest.approx(nu)
    assert (found.idea_first.estimate, found.idea_last.estimate) == (1.0, 2.0)
    same = factorial(
        baseline=CELLS["baseline"], baseline_with=CELLS["baseline_with_compute"],
        method=CELLS["method"], method_without=CELLS["method_at_baseline_compute"],
    )  # fmt: skip
    assert found.interaction.estimate == pytest.approx(same.interaction.estimate)
    assert found.interaction.se == pytest.approx(same.interaction.se)
    words = found.in_words(0.1)
    assert "of the measured gain +4.00" in words
    assert "the idea gives +1.50" in words


def test_two_orders_are_shown_where_they_differ():
    sharp = {name: Summary(mean=one.mean, sd=0.05, n=5) for name, one in CELLS.items()}
    found = split(**sharp)
    assert found.depends_on_order
    assert "they interact: the idea alone gives +1.00" in found.in_words(0.1)
    assert not split(**CELLS).depends_on_order


def test_shapleys_parts_are_the_means_over_all_orders():
    random, names = rng(11), ("data", "epochs", "idea")
    subsets = [frozenset(c) for k in range(4) for c in combinations(names, k)]
    cells = {one: Summary.of(random.normal(80, 2, 4).tolist()) for one in subsets}
    found = shapley(cells)
    for name in names:
        steps = []
        for order in permutations(names):
            before = frozenset(order[: order.index(name)])
            steps.append(cells[before | {name}].mean - cells[before].mean)
        assert found[name].estimate == pytest.approx(np.mean(steps))
    whole = cells[frozenset(names)].mean - cells[frozenset()].mean
    assert sum(one.estimate for one in found.values()) == pytest.approx(whole)


def test_two_factors_are_the_split_and_missing_cells_are_named():
    cells = {
        frozenset(): CELLS["baseline"], frozenset({"compute"}): CELLS["baseline_with_compute"],
        frozenset({"idea"}): CELLS["method_at_baseline_compute"],
        frozenset({"idea", "compute"}): CELLS["method"],
    }  # fmt: skip
    found, expected = shapley(cells), split(**CELLS)
    for name in ("estimate", "se", "df", "low", "high"):
        assert getattr(found["idea"], name) == pytest.approx(getattr(expected.idea, name))
        assert getattr(found["compute"], name) == pytest.approx(getattr(expected.compute, name))
    with pytest.raises(ValueError, match="cells are missing: compute; idea"):
        shapley({k: v for k, v in cells.items() if len(k) != 1})
    with pytest.raises(ValueError, match="1 to 4 factors, not 0"):
        shapley({frozenset(): CELLS["baseline"]})


# --- Fieller ----------------------------------------------------------------------------------


def test_a_share_lies_where_the_linear_test_does_not_reject():
    found = split(**{name: Summary(mean=one.mean, sd=one.sd, n=50) for name, one in CELLS.items()})
    assert found.share.estimate == pytest.approx(1.5 / 4)
    covariance = found.total.se**2 / 2
    t = float(stdtrit(min(found.idea.df, found.total.df), 0.975))
    for end in (found.share.low, found.share.high):
        gap = found.idea.estimate - end * found.total.estimate
        variance = found.idea.se**2 - 2 * end * covariance + end**2 * found.total.se**2
        assert abs(gap) == pytest.approx(t * math.sqrt(variance))
    assert "the idea is 38 % of the measured gain (95 % interval" in found.in_words(0.1)


def test_the_share_of_no_gain_is_undefined():
    flat = split(**{name: Summary(mean=80.0 + 0.1 * i, sd=1.0, n=3)
                    for i, name in enumerate(CELLS)})  # fmt: skip
    assert flat.share is None
    still = split(**{name: Summary(mean=80.0, sd=0.0, n=3) for name in CELLS})
    assert (still.share, still.total.se) == (None, 0.0)


def test_without_spread_the_share_is_a_point():
    still = split(**{name: Summary(mean=one.mean, sd=0.0, n=3) for name, one in CELLS.items()})
    assert (still.share.low, still.share.high) == (0.375, 0.375)


def test_split_intervals_and_shares_cover_what_they_say():
    random, repeats, means = rng(12), 1_000, (0.0, 1.0, 1.5, 4.0)
    ideas = shares = defined = 0
    drawn = random.normal(size=(repeats, 4, 5)) + np.array(means)[None, :, None]
    for cells in drawn:
        one = [Summary.of(cell.tolist()) for cell in cells]
        found = split(**dict(zip(CELLS, one, strict=True)))
        ideas += found.idea.low <= 2.25 <= found.idea.high
        if found.share is not None:
            defined += 1
            shares += found.share.low <= 2.25 / 4 <= found.share.high
    assert ideas / repeats == pytest.approx(0.95, abs=0.02)
    assert defined > 0.98 * repeats
    assert shares / defined == pytest.approx(0.95, abs=0.025)


@given(st.lists(st.tuples(values, st.floats(0.05, 2), st.integers(2, 6)), min_size=4, max_size=4),
       st.sampled_from([2.0**-700, 2.0**700]))  # fmt: skip
def test_units_scale_out_of_a_split_and_a_wider_level_widens_it(cells, unit):
    def made(factor, alpha=0.025):
        arms = [Summary(mean=factor * m, sd=abs(factor) * s, n=n) for m, s, n in cells]
        return split(**dict(zip(CELLS, arms, strict=True)), alpha=alpha)

    found, scaled, flipped, wide = made(1.0), made(unit), made(-1.0), made(1.0, alpha=0.005)
    assert scaled.idea.estimate == pytest.approx(unit * found.idea.estimate, rel=1e-9)
    assert scaled.idea.se == pytest.approx(unit * found.idea.se)
    assert (scaled.share is None) == (found.share is None)
    if found.share is not None:
        assert scaled.share.low == pytest.approx(found.share.low)
        assert flipped.share.high == pytest.approx(found.share.high)
        assert found.share.low <= found.share.estimate <= found.share.high
    assert flipped.idea.estimate == -found.idea.estimate
    assert wide.idea.low < found.idea.low
    assert wide.idea.high > found.idea.high


def test_fieller_agrees_with_the_delta_method_where_the_gain_is_sure():
    part, whole = t_interval(30.0, 0.3, 400.0, 0.025), t_interval(100.0, 0.5, 400.0, 0.025)
    found = fieller(part, whole, correlation=0.1 / (0.3 * 0.5))
    variance = (0.3**2 - 2 * 0.3 * 0.1 + 0.3**2 * 0.5**2) / 100**2
    assert found.high - found.estimate == pytest.approx(1.966 * math.sqrt(variance), rel=0.01)


# --- the waterfall ----------------------------------------------------------------------------


def test_the_parts_of_a_reported_gain_sum_to_it_exactly():
    measured = split(**CELLS)
    tuned = t_interval(0.4, 0.1, 19.0, 0.025)
    found = waterfall(5.2, measured, tuning=tuned)
    assert math.fsum(one.estimate for one in found.parts.values()) == pytest.approx(5.2, abs=1e-12)
    assert found.idea.estimate == pytest.approx(1.1)
    assert found.idea.se == pytest.approx(math.hypot(measured.idea.se, 0.1))
    assert found.luck.estimate == pytest.approx(1.2)
    assert found.luck.se == measured.total.se
    words = found.in_words(0.1)
    assert words.startswith("of the reported gain +5.20: idea +1.10 [")
    assert "luck +1.20 [" in words
    without = waterfall(5.2, measured)
    assert list(without.parts) == ["idea", "compute", "luck"]
    assert sum(one.estimate for one in without.parts.values()) == pytest.approx(5.2)
    with pytest.raises(ValueError, match="reported gain must be a finite number"):
        waterfall(math.nan, measured)


def test_equal_trials_give_no_tuning_part():
    assert tuning_gain(FIVE, FIVE[::-1], random=rng()).estimate == 0.0
    found = waterfall(4.0, split(**CELLS), tuning=tuning_gain(FIVE, FIVE, random=rng()))
    assert found.idea.estimate == pytest.approx(1.5)


def test_numbers_of_any_size_neither_overflow_nor_warn():
    huge, tiny = [1e300 * v for v in FIVE], [1e-310 * v for v in FIVE]
    for trials in (huge, tiny, [-1e304, 1e304] * 5, [0.0] * 12):
        best_at(trials, 1, random=rng())
        equal_trials(trials, FIVE, random=rng())
        tuning_gain(trials, FIVE[:2], random=rng())
        median_band(trials, [1, 3])
    assert tuning_gain(huge * 2, huge, random=rng()).se > 0
    with pytest.raises(ValueError, match="must not be larger than 1e"):
        best_of_k([1e305], [1])
    far = [Summary(mean=m, sd=1.0, n=3) for m in (-1.7e308, 0.0, 0.0, 1.7e308)]
    with pytest.raises(ValueError, match="must be a finite number"):
        split(**dict(zip(CELLS, far, strict=True)))


def test_bands_of_both_sides_hold_together_at_the_level():
    ours, theirs = np.linspace(0.5, 0.9, 37), np.linspace(0.1, 0.5, 37)

    def apart(level):
        lower, upper = (mean_band(one, [1], (0, 1), level=level) for one in (ours, theirs))
        return lower.low[0] > upper.high[0]

    # Each at 95 % they are apart, but then both hold only in 90 %.
    assert apart(0.95)
    assert not apart(0.975)
    assert equal_trials(ours, theirs, random=rng(), support=(0, 1), level=0.95).clear_from is None
    assert equal_trials(ours, theirs, random=rng(), support=(0, 1), level=0.90).clear_from == 1
