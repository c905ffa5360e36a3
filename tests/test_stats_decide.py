"""Three-way verdicts: error rates, degenerate cases, and what the sentences say."""

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from repcheck.stats.compare import Summary, differences, welch
from repcheck.stats.criteria import Criteria
from repcheck.stats.decide import decide_gain
from repcheck.stats.decision import (
    Decision,
    GainClaim,
    Sample,
    ThresholdClaim,
    ValueClaim,
    three_way,
)

GAIN = GainClaim(claimed=5.2, unit=0.1)
METHOD = [93.1, 92.5, 92.9, 93.4, 92.2]
BASELINE = [87.9, 88.3, 87.5, 86.2, 88.5]
ORDER = ("not-reproduced", "inconclusive", "reproduced")

scores = st.integers(0, 100_000_000).map(lambda digits: digits / 1e6) | st.sampled_from(
    [0.0, 90.0, 92.5]
)
arms = st.lists(scores, min_size=2, max_size=8)
gains = st.floats(min_value=0.01, max_value=50.0)


def gain(ours: list[float], theirs: list[float], claim: GainClaim = GAIN) -> Decision:
    return decide_gain(Sample.of(ours), Sample.of(theirs), claim)


def shifted(values: list[float], by: float) -> list[float]:
    return [value + by for value in values]


# Rows of the simulation that chose the rule: n, claim in seed sd, true / claimed gain; then the
# percentages reproduced, not reproduced and gain shown to be above zero, in 40,000 runs.
TABLE = [
    (3, 2, 0.0, 0.3, 22.3, 3.8),
    (3, 2, 0.5, 4.0, 3.9, 22.4),
    (3, 4, 1.0, 57.6, 0.0, 97.7),
    (5, 2, 0.5, 4.6, 4.5, 40.8),
    (5, 2, 1.0, 40.2, 0.1, 88.1),
    (5, 4, 0.0, 0.0, 88.1, 4.5),
    (10, 2, 0.5, 4.8, 4.9, 68.7),
    (10, 4, 0.75, 68.9, 0.0, 100.0),
    (20, 4, 0.5, 5.1, 5.0, 100.0),
]


@pytest.mark.parametrize(("n", "claimed", "share", "yes", "no", "above"), TABLE)
def test_the_gain_rule_errs_as_rarely_as_the_simulation_that_chose_it(
    n, claimed, share, yes, no, above
):
    random, repeats = np.random.default_rng([n, claimed, int(100 * share)]), 4_000
    ours, theirs = random.normal(size=(2, repeats, n))
    ours += share * claimed
    found = {"reproduced": 0, "not-reproduced": 0, "inconclusive": 0, "above": 0}
    for a, b in zip(ours, theirs, strict=True):
        interval = welch(Summary.of(a.tolist()), Summary.of(b.tolist()), 0.05)
        found[three_way(interval, claimed / 2)] += 1
        found["above"] += interval.low > 0

    def agrees(name: str, expected: float) -> bool:
        p = expected / 100
        return abs(found[name] / repeats - p) <= 4 * math.sqrt(p * (1 - p) / repeats) + 0.0015

    assert agrees("reproduced", yes)
    assert agrees("not-reproduced", no)
    assert agrees("above", above)
    noise = 3 * math.sqrt(0.05 * 0.95 / repeats)
    if share <= 0.5:
        assert found["reproduced"] / repeats <= 0.055 + noise
    if share >= 0.5:
        assert found["not-reproduced"] / repeats <= 0.055 + noise


def test_a_clear_gain_is_reproduced_and_says_by_which_numbers():
    decision = gain(METHOD, BASELINE)
    assert (decision.verdict, decision.details, decision.test) == ("reproduced", (), "Welch t")
    assert decision.theta == 2.6
    assert decision.rule_in_words == (
        "The gain's one-sided 95 % lower bound +4.25 lies above half the claimed gain (+2.60): "
        "measured +5.14, 90 % interval [+4.25, +6.03], n = 5 + 5, Welch t."
    )
    assert decision.needed is None


def test_a_small_gain_is_real_but_smaller():
    decision = gain([89.1, 89.5, 88.9, 90.4, 89.2], [87.9, 88.3, 87.5, 87.2, 88.5])
    assert (decision.verdict, decision.detail) == ("not-reproduced", "real-but-smaller")


def test_a_loss_is_reversed():
    decision = gain(BASELINE, METHOD)
    assert (decision.verdict, decision.detail) == ("not-reproduced", "reversed")


def test_no_difference_is_no_evidence():
    decision = gain([87.1, 88.5, 86.9, 88.4, 87.2], [87.9, 88.3, 87.5, 87.2, 87.5])
    assert (decision.verdict, decision.detail) == ("not-reproduced", "no-evidence")


def test_an_interval_around_theta_is_inconclusive_and_says_how_many_seeds_would_decide():
    decision = gain([93.1, 88.5, 89.9, 90.2, 91.3], [87.9, 89.3, 85.5, 86.1, 88.0])
    assert (decision.verdict, decision.detail) == ("inconclusive", "direction-confirmed")
    assert decision.needed is not None
    assert decision.needed.with_sd is not None
    assert decision.seeds_needed is not None
    assert decision.seeds_needed >= decision.needed.with_sd > 5
    assert "80 % power" in decision.needed.in_words


def test_an_estimate_at_the_threshold_plans_from_the_claim_and_says_so():
    decision = gain([91.0, 90.0, 92.0], [88.0, 87.4, 89.4])
    assert decision.needed is not None
    assert decision.needed.assumed_claim
    assert "taking the claim for the truth" in decision.needed.in_words


def test_a_gain_beyond_claim_and_tolerance_exceeds():
    ours = shifted(METHOD, 5)
    assert gain(ours, BASELINE).detail == "exceeds"
    wide = GainClaim(claimed=5.2, unit=0.1, tolerance=10.0)
    assert gain(ours, BASELINE, wide).details == ()
    assert gain(ours, BASELINE, wide).verdict == "reproduced"


def test_the_authors_tolerance_cannot_make_a_gain_reproduced():
    lax = GainClaim(claimed=5.2, unit=0.1, tolerance=5.0)
    small = [89.1, 89.5, 88.9, 90.4, 89.2]
    assert gain(small, BASELINE, lax).verdict == gain(small, BASELINE).verdict


def test_theta_is_never_less_than_one_printed_unit():
    decision = gain([90.2, 90.21], [90.0, 90.01], GainClaim(claimed=0.1, unit=0.1))
    assert decision.theta == 0.1
    assert "one unit of the last reported digit (+0.10)" in decision.rule_in_words


def test_arms_without_spread_are_compared_exactly():
    decision = gain([93.1] * 3, [87.9] * 3)
    assert (decision.verdict, decision.detail) == ("reproduced", "deterministic")
    assert decision.test == "exact comparison"
    assert gain([88.0] * 3, [87.9] * 3).details == ("real-but-smaller", "deterministic")
    assert gain([87.9] * 3, [87.9] * 3).details == ("no-evidence", "deterministic")
    assert gain([87.0] * 3, [87.9] * 3).details == ("reversed", "deterministic")


def test_an_exact_tie_with_theta_is_inconclusive_and_more_seeds_would_not_help():
    decision = gain([90.5] * 3, [87.9] * 3)
    assert (decision.verdict, decision.needed) == ("inconclusive", None)
    assert "equals half the claimed gain" in decision.rule_in_words


def test_one_arm_without_spread_is_an_ordinary_welch_comparison():
    decision = gain(METHOD, [87.9] * 5)
    assert (decision.verdict, decision.test) == ("reproduced", "Welch t")


def test_one_finished_seed_carries_no_verdict():
    decision = gain([99.0], BASELINE)
    assert (decision.verdict, decision.interval) == ("inconclusive", None)
    assert "1 finished seed (at least 2 are needed)" in decision.rule_in_words
    assert gain([], BASELINE).verdict == "inconclusive"


def test_more_than_a_fifth_crashed_carries_no_verdict_and_a_fifth_does():
    a_fifth = decide_gain(Sample.of(METHOD[:4], crashed=1), Sample.of(BASELINE), GAIN)
    assert a_fifth.verdict == "reproduced"
    assert "1 of 5 seeds of the method crashed" in a_fifth.rule_in_words
    more = decide_gain(Sample.of(METHOD[:3], crashed=1), Sample.of(BASELINE), GAIN)
    assert more.verdict == "inconclusive"
    assert "1 of 4 seeds of the method crashed, more than 20 %" in more.rule_in_words
    assert more.interval is not None


def test_crashes_of_the_other_arm_are_told_even_when_one_arm_has_too_few_seeds():
    decision = decide_gain(Sample.of([1.0]), Sample.of(BASELINE, crashed=1), GAIN)
    assert "1 of 6 seeds of the baseline crashed" in decision.rule_in_words


def test_a_published_baseline_is_compared_by_its_summary_and_named():
    published = Sample(finished=Summary.published(87.9, 1.6, 5), published=True)
    decision = decide_gain(Sample.of(METHOD), published, GAIN)
    assert (decision.verdict, decision.detail) == ("reproduced", "baseline-as-published")
    assert "n = 5 + 5 published" in decision.rule_in_words


def test_a_published_baseline_without_spread_carries_no_verdict():
    published = Sample(finished=Summary.published(87.9, None, 5), published=True)
    decision = decide_gain(Sample.of(METHOD), published, GAIN)
    assert decision.verdict == "inconclusive"
    assert "spread of the baseline over its n = 5 seeds is unknown" in decision.rule_in_words


def test_declared_pairs_use_the_paired_t():
    ours, theirs = [93.0, 88.0, 91.0, 90.0], [89.1, 84.0, 87.2, 85.9]
    arms = Sample.of(ours), Sample.of(theirs)
    assert decide_gain(*arms, GAIN).verdict == "inconclusive"
    decision = decide_gain(*arms, GAIN, pairs=differences(ours, theirs))
    assert (decision.verdict, decision.test) == ("reproduced", "paired t")
    assert "n = 4 pairs" in decision.rule_in_words


def test_equal_differences_between_varying_seeds_are_not_taken_for_determinism():
    ours, theirs = [93.0, 88.0, 91.0], [89.0, 84.0, 87.0]
    decision = decide_gain(
        Sample.of(ours), Sample.of(theirs), GAIN, pairs=differences(ours, theirs)
    )
    assert decision.test == "Welch t"
    assert "deterministic" not in decision.details


@pytest.mark.parametrize("claimed", [0.0, -0.5])
def test_a_claimed_gain_that_is_none_is_refused_with_words(claimed):
    with pytest.raises(ValueError, match="a claimed gain must be above zero"):
        GainClaim(claimed=claimed, unit=0.1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_claims_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        GainClaim(claimed=bad, unit=0.1)
    with pytest.raises(ValueError, match="finite"):
        GainClaim(claimed=1.0, unit=bad)
    with pytest.raises(ValueError, match="finite"):
        GainClaim(claimed=1.0, unit=0.1, tolerance=bad)
    with pytest.raises(ValueError, match="finite"):
        ValueClaim(reported=Summary.of([1.0]), unit=0.1, margin=bad)
    with pytest.raises(ValueError, match="finite"):
        ThresholdClaim(unit=0.1, at_least=bad)
    with pytest.raises(ValueError, match="finite"):
        Sample.of([1.0, bad])


def test_thresholds_outside_their_range_are_refused():
    with pytest.raises(ValueError, match="alpha"):
        Criteria(alpha=0.5)
    with pytest.raises(ValueError, match="rho"):
        Criteria(rho=0.0)
    with pytest.raises(ValueError, match="crash_share"):
        Criteria(crash_share=1.0)
    with pytest.raises(ValueError, match="power"):
        Criteria(power=0.01)
    with pytest.raises(ValueError, match="seed_cap"):
        Criteria(seed_cap=1)
    with pytest.raises(ValueError, match="negative"):
        Sample(finished=None, crashed=-1)
    with pytest.raises(ValueError, match="exactly one"):
        ThresholdClaim(unit=0.1)
    with pytest.raises(ValueError, match="exactly one"):
        ThresholdClaim(unit=0.1, at_least=1.0, at_most=2.0)


@given(arms, arms, gains, st.floats(0.0, 50.0))
def test_a_better_method_never_gets_a_worse_verdict(ours, theirs, claimed, by):
    claim = GainClaim(claimed=claimed, unit=0.01)
    assume(max(ours) - min(ours) > 1e-3)
    before, after = gain(ours, theirs, claim), gain(shifted(ours, by), theirs, claim)
    assert ORDER.index(after.verdict) >= ORDER.index(before.verdict)


@given(arms, arms, gains, st.floats(0.1, 1.0))
def test_a_more_modest_claim_never_gets_a_worse_verdict(ours, theirs, claimed, share):
    bold = gain(ours, theirs, GainClaim(claimed=claimed, unit=0.001))
    modest = gain(ours, theirs, GainClaim(claimed=max(claimed * share, 1e-3), unit=0.001))
    assert ORDER.index(modest.verdict) >= ORDER.index(bold.verdict)


@given(arms, arms, gains)
def test_a_gain_and_its_opposite_are_never_both_reproduced(ours, theirs, claimed):
    claim = GainClaim(claimed=claimed, unit=0.01)
    forth, back = gain(ours, theirs, claim), gain(theirs, ours, claim)
    assert not forth.verdict == back.verdict == "reproduced"


@given(arms, arms, gains, st.sampled_from([0.25, 4.0, 64.0]))
def test_the_unit_of_the_metric_does_not_change_the_verdict(ours, theirs, claimed, factor):
    small = gain(ours, theirs, GainClaim(claimed=claimed, unit=0.01))
    scaled = ([factor * x for x in ours], [factor * x for x in theirs])
    large = gain(*scaled, GainClaim(claimed=factor * claimed, unit=factor * 0.01))
    assert (small.verdict, small.details) == (large.verdict, large.details)


@given(st.lists(scores, max_size=6), st.integers(0, 3), arms, gains)
def test_every_sentence_about_a_gain_names_its_seeds_and_figures_only_with_an_interval(
    ours, crashed, theirs, claimed
):
    claim = GainClaim(claimed=claimed, unit=0.01)
    decision = decide_gain(Sample.of(ours, crashed=crashed), Sample.of(theirs), claim)
    words = decision.rule_in_words
    assert re.search(r"n = \d+ \+ \d+", words)
    assert words.endswith(".")
    assert ("measured" in words) <= (" % interval [" in words)
