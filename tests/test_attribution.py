"""What remains of a gain without a factor: verdicts, error rates, and what the sentences say."""

import math
import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from repcheck.stats.attribution import (
    Attribution,
    attribute,
    attribute_claim,
    holm,
    margin_of,
)
from repcheck.stats.compare import Summary, differences
from repcheck.stats.criteria import Criteria
from repcheck.stats.decision import GainClaim, Sample
from repcheck.stats.factorial import factorial, point_share

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
simulated = import_module("_simulated")

CLAIM = GainClaim(claimed=5.0, unit=0.1)
ORDER = ("gone", "reduced", "inconclusive", "survives")

scores = st.integers(0, 100_000).map(lambda digits: digits / 1e3)
arms = st.lists(scores, min_size=2, max_size=8)
gains = st.integers(10, 50_000).map(lambda digits: digits / 1e3)
tolerances = st.none() | st.floats(0.0, 20.0)


def judged(upper: list[float], lower: list[float], claim: GainClaim = CLAIM) -> Attribution:
    return attribute_claim(claim, Summary.of(upper), Summary.of(lower))


def around(mean: float, sd: float, n: int) -> Summary:
    return Summary(mean=mean, sd=sd, n=n)


# Seven arms of real trainings, five seeds each: claimed gain, 95 % interval of what remains, upper
# end of its 90 % interval, verdict, and the guaranteed share in percent.
TRAINED = [
    (5.1, -2.4, 1.1, 0.7, "gone", 79),
    (5.2, -1.7, 0.5, 0.3, "gone", 89),
    (5.3, -0.8, 1.5, 1.3, "gone", 71),
    (43.5, -1.9, 2.7, 2.3, "gone", 94),
    (5.3, -1.1, 1.3, 1.1, "gone", 75),
    (5.1, 1.7, 6.1, 5.7, "survives", 0),
    (5.2, 2.5, 6.9, 6.4, "survives", 0),
]


@pytest.mark.parametrize(("claimed", "low", "high", "hi90", "verdict", "explained"), TRAINED)
def test_seven_arms_of_real_trainings_get_their_verdicts(
    claimed, low, high, hi90, verdict, explained
):
    se = (high - low) / 2 / stats.t.ppf(0.975, 8)
    sd = se * math.sqrt(5 / 2)
    upper, lower = around(90 + (low + high) / 2, sd, 5), around(90.0, sd, 5)
    found = attribute(claimed=claimed, unit=0.1, tolerance=None, upper=upper, lower=lower)
    assert found.verdict == verdict
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.hi90 == pytest.approx(hi90, abs=0.1)
    assert 100 * found.explained_at_least == pytest.approx(explained, abs=1.5)


# Percentages gone, reduced, survives of the simulation that chose the rule: claim in seed sd, n,
# share of the gain that is the factor's.
TABLE = [
    (1, 5, 0.0, 0, 1, 26),
    (1, 5, 1.0, 9, 7, 2),
    (2, 3, 0.0, 0, 0, 37),
    (2, 3, 0.5, 1, 4, 12),
    (2, 3, 1.0, 10, 11, 2),
    (2, 5, 0.0, 0, 0, 77),
    (2, 5, 0.5, 1, 9, 26),
    (2, 5, 1.0, 17, 35, 2),
    (2, 8, 0.0, 0, 0, 96),
    (2, 8, 0.5, 1, 14, 45),
    (2, 8, 1.0, 24, 55, 2),
    (4, 5, 0.0, 0, 0, 100),
    (4, 5, 0.5, 0, 26, 62),
    (4, 5, 1.0, 40, 58, 0),
    (4, 8, 0.0, 0, 0, 100),
    (4, 8, 0.5, 0, 45, 55),
    (4, 8, 1.0, 60, 40, 0),
]


@pytest.mark.parametrize(("claimed", "n", "share", "gone", "reduced", "survives"), TABLE)
def test_verdicts_are_as_frequent_as_in_the_simulation_that_chose_the_rule(
    claimed, n, share, gone, reduced, survives
):
    random, repeats = np.random.default_rng([claimed, n, int(100 * share)]), 20_000
    cell = simulated.attributed(random, claimed=claimed, n=n, explained=share, repeats=repeats)
    for found, percent in ((cell.gone, gone), (cell.reduced, reduced), (cell.survives, survives)):
        noise = 4 * math.sqrt(max(found, 0.001) * (1 - found) / repeats)
        assert abs(found - percent / 100) <= 0.005 + 2 * noise
    noise = 3 * math.sqrt(0.025 / repeats)
    if share == 0:
        assert cell.gone + cell.reduced <= 0.01 + noise
    if share == 1:
        assert cell.survives <= 0.025 + noise


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_simulated_rule_is_the_packages(share):
    repeats, n, claimed = 400, 5, 2.0
    cell = simulated.attributed(
        np.random.default_rng(5), claimed=claimed, n=n, explained=share, repeats=repeats
    )
    upper, lower = np.random.default_rng(5).standard_normal((2, repeats, n))
    claim = GainClaim(claimed=claimed, unit=0.01)
    verdicts = [
        judged((a + (1 - share) * claimed).tolist(), b.tolist(), claim).verdict
        for a, b in zip(upper, lower, strict=True)
    ]
    for verdict in ORDER:
        assert verdicts.count(verdict) == round(repeats * getattr(cell, verdict))


@given(arms, arms, gains, tolerances)
def test_exactly_one_verdict_holds_and_it_is_the_one_that_scipys_intervals_give(
    upper, lower, claimed, tolerance
):
    assume(min(max(arm) - min(arm) for arm in (upper, lower)) > 1e-6)
    found = judged(upper, lower, GainClaim(claimed=claimed, unit=0.01, tolerance=tolerance))
    test = stats.ttest_ind(upper, lower, equal_var=False)
    low, high = test.confidence_interval(0.95)
    hi90 = test.confidence_interval(0.90).high
    margin = min(0.5 * claimed, max(tolerance or 0.0, 0.25 * claimed))
    assume(min(abs(hi90 - margin), abs(high - claimed + margin), abs(low)) > 1e-7)
    gone = hi90 <= margin
    reduced = not gone and high < claimed - margin
    survives = not gone and not reduced and low > 0
    expected = dict(zip(("gone", "reduced", "survives"), (gone, reduced, survives), strict=True))
    assert [v for v, holds in expected.items() if holds] == [found.verdict] or (
        not any(expected.values()) and found.verdict == "inconclusive"
    )
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=1e-7)
    assert found.explained_at_least == pytest.approx(max(0, 1 - high / claimed), abs=1e-6)
    assert found.sign_established == (low > 0)


@given(arms, arms, gains, st.floats(0.0, 50.0))
def test_more_remaining_gain_never_looks_worse(upper, lower, claimed, by):
    assume(max(upper) - min(upper) > 1e-3)
    claim = GainClaim(claimed=claimed, unit=0.01)
    before, after = judged(upper, lower, claim), judged([x + by for x in upper], lower, claim)
    assert ORDER.index(after.verdict) >= ORDER.index(before.verdict)


@given(arms, arms, gains)
def test_exchanging_the_sides_turns_what_remains_around(upper, lower, claimed):
    claim = GainClaim(claimed=claimed, unit=0.01)
    forth, back = judged(upper, lower, claim), judged(lower, upper, claim)
    assert forth.interval is not None
    assert back.interval is not None
    assert forth.interval.low == pytest.approx(-back.interval.high, abs=1e-9)
    assert not forth.verdict == back.verdict == "survives"


@given(arms, arms, gains, st.sampled_from([0.25, 4.0, 64.0]))
def test_the_unit_of_the_metric_does_not_change_the_verdict(upper, lower, claimed, factor):
    small = judged(upper, lower, GainClaim(claimed=claimed, unit=0.01))
    scaled = ([factor * x for x in upper], [factor * x for x in lower])
    large = judged(*scaled, GainClaim(claimed=factor * claimed, unit=factor * 0.01))
    assert small.verdict == large.verdict
    assert small.seeds_needed == large.seeds_needed


@given(st.lists(scores, max_size=6), st.integers(0, 3), arms, gains)
def test_every_sentence_names_its_seeds_and_ends(upper, crashed, lower, claimed):
    claim = GainClaim(claimed=claimed, unit=0.01)
    found = attribute_claim(claim, Sample.of(upper, crashed=crashed), Sample.of(lower))
    words = found.rule_in_words
    assert re.search(r"n = \d+ \+ \d+", words)
    assert words.endswith(".")
    if found.interval is not None and found.interval.df is not None:
        assert "95 % interval [" in words


def test_the_margin_lies_between_a_quarter_and_half_of_the_claim():
    assert margin_of(CLAIM) == 1.25
    assert margin_of(GainClaim(claimed=5.0, unit=0.1, tolerance=2.0)) == 2.0
    assert margin_of(GainClaim(claimed=5.0, unit=0.1, tolerance=9.0)) == 2.5


def test_a_gain_that_is_gone_says_by_which_numbers():
    found = attribute(
        claimed=5.1,
        unit=0.1,
        tolerance=None,
        upper=around(92.9, 1.0, 5),
        lower=around(93.6, 1.2, 5),
    )
    assert found.verdict == "gone"
    assert found.rule_in_words == (
        "What remains of the gain without the factor (-0.70) is at most the margin +1.27: the "
        "one-sided 95 % upper bound +0.60 does not exceed it, 95 % interval [-2.32, +0.92], "
        "n = 5 + 5, Welch t; at least 81 % of the claimed +5.10 is the factor's, and the sign of "
        "the rest is not established."
    )


def test_a_reduced_gain_says_whether_its_sign_is_established():
    small = judged([92.0, 92.1, 91.9, 92.0, 92.1], [90.0, 90.1, 89.9, 90.0, 90.1])
    assert (small.verdict, small.sign_established) == ("reduced", True)
    assert "the sign of the rest is established" in small.rule_in_words
    unsure = judged([92.0, 93.1, 90.9, 92.0, 91.0], [90.0, 92.1, 89.0, 91.0, 90.1])
    assert (unsure.verdict, unsure.sign_established) == ("reduced", False)


def test_survival_clears_the_direction_and_only_near_the_claim_its_size():
    direction = judged([93.0, 93.2, 92.8], [89.5, 89.6, 89.0])
    assert (direction.verdict, direction.cleared_size) == ("survives", False)
    assert "the direction holds without it, and up to " in direction.rule_in_words
    size = judged([94.9, 95.1, 95.0, 95.2], [90.0, 90.1, 89.9, 90.0])
    assert (size.verdict, size.cleared_size) == ("survives", True)
    assert "its size is confirmed, up to the margin" in size.rule_in_words
    assert size.explained_at_least == 0


def test_an_undecided_arm_says_how_many_seeds_would_narrow_the_interval():
    found = judged([94.0, 90.0, 92.0], [90.0, 91.0, 87.0])
    assert found.verdict == "inconclusive"
    sd = math.sqrt((np.var([94, 90, 92], ddof=1) + np.var([90, 91, 87], ddof=1)) / 2)
    n = next(
        n
        for n in range(4, 1000)
        if n >= 2 * (stats.t.ppf(0.975, 2 * n - 2) * sd / (found.margin / 2)) ** 2
    )
    assert found.seeds_needed == n
    assert f"about {n} seeds per arm would narrow the interval to ±0.62" in found.rule_in_words
    few = attribute_claim(
        CLAIM,
        Summary.of([94.0, 90.0, 92.0]),
        Summary.of([90.0, 91.0, 87.0]),
        criteria=Criteria(seed_cap=10),
    )
    assert few.seeds_needed is None
    assert "not decidable within 10 seeds per arm" in few.rule_in_words


def test_one_finished_seed_and_too_many_crashes_carry_no_verdict():
    one = judged([99.0], [90.0, 90.1])
    assert (one.verdict, one.interval, one.explained_at_least) == ("inconclusive", None, None)
    assert "1 finished seed (at least 2 are needed)" in one.rule_in_words
    crashed = Sample.of([90.0, 90.1, 90.2], crashed=1)
    found = attribute_claim(CLAIM, Summary.of([90.0, 90.2, 90.1]), crashed)
    assert (found.verdict, found.interval, found.p) == ("inconclusive", None, None)
    assert "1 of 4 seeds of the baseline's side crashed, more than 20 %" in found.rule_in_words
    a_fifth = Sample.of([90.0, 90.1, 90.2, 89.9], crashed=1)
    told = attribute_claim(CLAIM, Summary.of([90.0, 90.2, 90.1]), a_fifth)
    assert told.verdict == "gone"
    assert "1 of 5 seeds of the baseline's side crashed" in told.rule_in_words


def test_arms_without_spread_are_compared_exactly():
    for upper, verdict in ((90.0, "gone"), (91.25, "gone"), (93.0, "reduced"), (93.75, "survives")):
        found = judged([upper] * 3, [90.0] * 3)
        assert (found.verdict, found.test, found.p) == (verdict, "exact comparison", 0.0)
    assert judged([0.1 + 0.2] * 2, [0.3] * 2).remaining == 0.0


def test_identical_runs_leave_exactly_nothing_and_two_equal_pairs_do_not_show_it():
    runs = [91.0, 92.5, 90.0]
    arm = Summary.of(runs)
    found = attribute_claim(CLAIM, arm, arm, pairs=differences(runs, runs))
    assert (found.verdict, found.remaining, found.test) == ("gone", 0.0, "exact comparison")
    assert found.rule_in_words.startswith("The runs of the two sides do not differ, so this is")
    assert found.explained_at_least == 1.0
    two = Summary.of(runs[:2])
    found = attribute_claim(CLAIM, two, two, pairs=differences(runs[:2], runs[:2]))
    assert (found.verdict, found.test) == ("inconclusive", "Welch t")


def test_pairs_use_the_paired_t_and_a_constant_difference_does_not():
    upper, lower = [93.0, 88.0, 91.0, 90.0], [89.1, 84.0, 87.2, 85.9]
    arms = Summary.of(upper), Summary.of(lower)
    assert attribute_claim(CLAIM, *arms).test == "Welch t"
    found = attribute_claim(CLAIM, *arms, pairs=differences(upper, lower))
    assert (found.verdict, found.test, found.cleared_size) == ("survives", "paired t", True)
    low, high = stats.ttest_rel(upper, lower).confidence_interval(0.95)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert "n = 4 pairs" in found.rule_in_words
    constant = [x - 4 for x in upper]
    found = attribute_claim(
        CLAIM, arms[0], Summary.of(constant), pairs=differences(upper, constant)
    )
    assert found.test == "Welch t"


@pytest.mark.parametrize("claimed", [0.0, -1.0, math.nan])
def test_a_claimed_gain_that_is_none_is_refused_with_words(claimed):
    arm = around(90.0, 1.0, 3)
    with pytest.raises(ValueError, match="claimed gain must be"):
        attribute(claimed=claimed, unit=0.1, tolerance=None, upper=arm, lower=arm)


def test_each_verdict_has_the_p_of_the_bound_it_passed():
    upper, lower = [92.0, 93.1, 90.9, 92.0, 91.0], [90.0, 92.1, 89.0, 91.0, 90.1]
    reduced = judged(upper, lower)
    shifted = [x + 3.75 for x in lower]
    expected = stats.ttest_ind(upper, shifted, equal_var=False, alternative="less").pvalue
    assert reduced.p == pytest.approx(expected)
    gone = judged([x - 2 for x in upper], lower)
    assert gone.verdict == "gone"
    assert gone.p is not None
    assert gone.p <= 0.05
    survives = judged([x + 3 for x in upper], lower)
    greater = stats.ttest_ind(
        [x + 3 for x in upper], lower, equal_var=False, alternative="greater"
    ).pvalue
    assert survives.p == pytest.approx(greater)


def test_holm_corrects_as_published_and_keeps_the_order():
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
          0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    expected = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, *[1.0] * 6]
    assert holm(ps) == pytest.approx(expected)
    assert holm(ps[::-1]) == pytest.approx(expected[::-1])
    assert holm([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.5])


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_holm_lies_between_each_p_and_bonferronis_and_reverses_no_order(ps):
    corrected = holm(ps)
    for p, q in zip(ps, corrected, strict=True):
        assert p <= q <= min(1.0, len(ps) * p)
    ordered = [q for _, q in sorted(zip(ps, corrected, strict=True))]
    assert ordered == sorted(ordered)


def test_a_share_is_given_only_of_a_gain_that_is_there():
    random = np.random.default_rng(1)
    b, m, arm = [0.1, -0.2, 0.3], [4.0, 4.3, 3.9], [2.0, 2.2, 1.9]
    found = point_share(m, b, arm, kind="add", random=random)
    assert found is not None
    assert found.low < found.estimate < found.high
    assert found.estimate == pytest.approx((np.mean(arm) - np.mean(b)) / (np.mean(m) - np.mean(b)))
    out = point_share(m, b, arm, kind="remove", random=random)
    assert out is not None
    assert out.estimate == pytest.approx(1 - found.estimate)
    again = point_share(m, b, arm, kind="add", random=np.random.default_rng(1))
    assert again == found
    assert re.fullmatch(
        r"49 % of the measured gain \(95 % interval \d+ % to \d+ %\)", found.in_words
    )
    assert point_share(b, [0.0, 0.1, 0.2], arm, kind="add", random=random) is None
    assert point_share(m, b, [2.0], kind="add", random=random) is None


def test_the_interval_of_a_share_covers_it():
    random, hits, shown = np.random.default_rng(11), 0, 0
    for _ in range(600):
        b, m, arm = (random.normal(mean, 1.0, 5).tolist() for mean in (0.0, 5.0, 2.5))
        found = point_share(m, b, arm, kind="add", random=random, draws=500)
        if found is not None:
            shown += 1
            hits += found.low <= 0.5 <= found.high
    assert shown > 590
    assert 0.91 <= hits / shown <= 0.98


def test_what_a_factor_gives_and_what_is_lost_without_it_are_told_apart():
    cells = [
        [0.0, 0.4, -0.3, 0.1],
        [3.0, 3.3, 2.9, 3.1],
        [5.0, 5.2, 4.9, 5.1],
        [4.6, 4.8, 4.9, 4.7],
    ]
    b, b_with, m, m_without = (Summary.of(cell) for cell in cells)
    found = factorial(baseline=b, baseline_with=b_with, method=m, method_without=m_without)
    means = [np.mean(cell) for cell in cells]
    errors = np.array([np.var(cell, ddof=1) / 4 for cell in cells])
    df = errors.sum() ** 2 / (errors**2 / 3).sum()
    half = stats.t.ppf(0.975, df) * math.sqrt(errors.sum())
    estimate = (means[2] - means[3]) - (means[1] - means[0])
    assert found.interaction.estimate == pytest.approx(estimate)
    assert found.interaction.low == pytest.approx(estimate - half)
    assert found.interacts
    words = found.in_words(0.1)
    assert "gives the baseline +3.03" in words
    assert "neither stands for both" in words
    same = factorial(baseline=b, baseline_with=b_with, method=b_with, method_without=b)
    assert same.interaction.estimate == pytest.approx(0.0)
    assert not same.interacts
    exact = Summary.of([1.0, 1.0])
    still = factorial(baseline=exact, baseline_with=exact, method=exact, method_without=exact)
    assert (still.interaction.df, still.interacts) == (None, False)
