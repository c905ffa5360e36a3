"""Verdicts on claimed values and thresholds, and the prediction interval beside them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.stats.compare import Summary, against_reported
from repcheck.stats.decide import decide_threshold, decide_value
from repcheck.stats.decision import Sample, ThresholdClaim, ValueClaim, three_way

METHOD = [93.1, 92.5, 92.9, 93.4, 92.2]
VERDICTS = {"not-reproduced", "inconclusive", "reproduced"}

scores = st.integers(0, 100_000_000).map(lambda digits: digits / 1e6) | st.sampled_from(
    [0.0, 90.0, 92.5]
)
arms = st.lists(scores, min_size=2, max_size=8)


def shifted(values: list[float], by: float) -> list[float]:
    return [value + by for value in values]


@pytest.mark.parametrize(
    ("k", "n", "shift", "yes", "no"),
    [(1, 5, 0, 45.3, 0.1), (1, 5, 2, 5.0, 4.9), (3, 3, 2, 4.2, 3.9), (5, 5, 0, 88.3, 0.0)],
)
def test_the_value_rule_errs_as_rarely_as_the_simulation_that_chose_it(k, n, shift, yes, no):
    random, repeats, margin = np.random.default_rng([k, n, shift]), 4_000, 2.0
    papers, reruns = random.normal(size=(repeats, k)), random.normal(size=(repeats, n)) - shift
    found = {"reproduced": 0, "not-reproduced": 0, "inconclusive": 0}
    for paper, rerun in zip(papers, reruns, strict=True):
        reported = Summary.of(paper.tolist())
        interval = against_reported(Summary.of(rerun.tolist()), reported, 0.05)
        found[three_way(interval, -margin)] += 1
    assert 100 * found["reproduced"] / repeats == pytest.approx(yes, abs=3.2)
    assert 100 * found["not-reproduced"] / repeats == pytest.approx(no, abs=1.4)
    if shift:
        noise = 3 * math.sqrt(0.05 * 0.95 / repeats)
        assert max(found["reproduced"], found["not-reproduced"]) / repeats <= 0.055 + noise


REPORTED = ValueClaim(reported=Summary.published(92.9, 0.5, 5), unit=0.1)


def test_a_value_within_twice_the_spread_is_reproduced():
    decision = decide_value(Sample.of(METHOD), REPORTED)
    assert (decision.verdict, decision.details) == ("reproduced", ())
    assert decision.theta == pytest.approx(-2 * math.sqrt((0.5**2 + 0.227) / 2), abs=1e-9)
    assert decision.outside_prediction_interval is False
    assert "n = 5 rerun + 5 reported, Welch t" in decision.rule_in_words


def test_a_value_far_below_is_not_reproduced_and_outside_the_prediction_interval():
    decision = decide_value(Sample.of(shifted(METHOD, -2)), REPORTED)
    assert decision.verdict == "not-reproduced"
    assert decision.details == ("outside-prediction-interval",)
    assert decision.prediction_half_width == pytest.approx(0.7125, abs=1e-4)


def test_a_value_far_above_exceeds_and_is_refused_only_by_a_two_sided_claim():
    above = Sample.of(shifted(METHOD, 4))
    assert decide_value(above, REPORTED).verdict == "reproduced"
    assert "exceeds" in decide_value(above, REPORTED).details
    equal = ValueClaim(reported=REPORTED.reported, unit=0.1, two_sided=True)
    assert decide_value(above, equal).verdict == "not-reproduced"
    assert decide_value(Sample.of(METHOD), equal).verdict == "reproduced"
    tight = ValueClaim(reported=REPORTED.reported, unit=0.1, two_sided=True, margin=0.4)
    undecided = decide_value(Sample.of(METHOD), tight)
    assert undecided.verdict == "inconclusive"
    assert undecided.needed is not None


def test_the_prediction_flag_is_independent_of_the_verdict():
    loose = ValueClaim(reported=Summary.published(92.9, 0.5, 5), unit=0.1, margin=5.0)
    decision = decide_value(Sample.of(shifted(METHOD, -2)), loose)
    assert decision.verdict == "reproduced"
    assert decision.outside_prediction_interval is True


def test_a_bare_reported_value_counts_as_one_seed():
    bare = ValueClaim(reported=Summary.published(92.9, None, None), unit=0.1)
    decision = decide_value(Sample.of([92.7, 92.4, 92.9]), bare)
    sd = Summary.of([92.7, 92.4, 92.9]).sd
    assert decision.interval is not None
    assert decision.interval.df == 2
    assert decision.interval.se == pytest.approx(sd * math.sqrt(1 + 1 / 3))
    assert "1 (or unknown) reported" in decision.rule_in_words
    assert decision.needed is not None
    assert decision.seeds_needed is None
    assert "not decidable within 100 seeds" in decision.needed.in_words


def test_a_single_rerun_gets_no_verdict_but_the_prediction_flag():
    near, far = (decide_value(Sample.of([value]), REPORTED) for value in (92.1, 90.1))
    assert near.verdict == far.verdict == "inconclusive"
    assert (near.outside_prediction_interval, far.outside_prediction_interval) == (False, True)
    assert near.prediction_half_width == pytest.approx(3.04 * 0.5, abs=0.005)


def test_nothing_to_predict_from_gives_no_flag():
    bare = ValueClaim(reported=Summary.published(92.9, None, None), unit=0.1)
    decision = decide_value(Sample.of([92.9]), bare)
    assert decision.outside_prediction_interval is None
    assert decide_value(Sample.of([]), REPORTED).outside_prediction_interval is None


@pytest.mark.parametrize(
    ("value", "verdict", "outside"),
    [
        (92.9, "reproduced", False),
        (92.8, "reproduced", False),
        (93.4, "reproduced", True),
        (92.7, "not-reproduced", True),
    ],
)
def test_a_deterministic_value_is_compared_within_one_printed_unit(value, verdict, outside):
    bare = ValueClaim(reported=Summary.published(92.9, None, None), unit=0.1)
    decision = decide_value(Sample.of([value] * 3), bare)
    assert decision.verdict == verdict
    assert "deterministic" in decision.details
    assert decision.outside_prediction_interval is outside


def test_a_threshold_is_met_missed_or_undecided():
    at_least = ThresholdClaim(unit=0.1, at_least=92.5)
    assert decide_threshold(Sample.of([93.7, 93.4, 93.9]), at_least).verdict == "reproduced"
    assert decide_threshold(Sample.of([90.7, 90.4, 90.9]), at_least).verdict == "not-reproduced"
    open_one = decide_threshold(Sample.of([92.7, 92.4, 92.9]), at_least)
    assert open_one.verdict == "inconclusive"
    assert open_one.needed is not None
    assert "n = 3, one-sample t" in open_one.rule_in_words


def test_at_most_mirrors_at_least():
    at_most = ThresholdClaim(unit=0.1, at_most=3.1)
    assert decide_threshold(Sample.of([2.7, 2.4, 2.9]), at_most).verdict == "reproduced"
    assert decide_threshold(Sample.of([4.7, 4.4, 4.9]), at_most).verdict == "not-reproduced"
    assert decide_threshold(Sample.of([3.0, 3.1, 3.2]), at_most).verdict == "inconclusive"


def test_a_deterministic_value_on_the_threshold_meets_it():
    exact = Sample.of([100 * 0.925] * 3)
    for claim in (ThresholdClaim(unit=0.1, at_least=92.5), ThresholdClaim(unit=0.1, at_most=92.5)):
        decision = decide_threshold(exact, claim)
        assert (decision.verdict, decision.detail) == ("reproduced", "deterministic")


def test_a_threshold_needs_two_seeds():
    decision = decide_threshold(Sample.of([99.0]), ThresholdClaim(unit=0.1, at_least=92.5))
    assert (decision.verdict, decision.interval) == ("inconclusive", None)


@given(arms, scores, st.none() | st.floats(0.0, 5.0), st.booleans(), st.integers(1, 6))
def test_every_value_gets_a_verdict_and_a_sentence(rerun, reported, spread, two_sided, k):
    summary = Summary.published(reported, spread, k)
    decision = decide_value(
        Sample.of(rerun), ValueClaim(reported=summary, unit=0.1, two_sided=two_sided)
    )
    assert decision.verdict in VERDICTS
    assert f"n = {len(rerun)} rerun" in decision.rule_in_words
    assert decision.outside_prediction_interval is not None
    assert ("outside-prediction-interval" in decision.details) == (
        decision.outside_prediction_interval
    )


@given(arms, scores)
def test_at_least_and_at_most_of_the_same_number_answer_each_other(rerun, threshold):
    least = decide_threshold(Sample.of(rerun), ThresholdClaim(unit=0.1, at_least=threshold))
    most = decide_threshold(Sample.of(rerun), ThresholdClaim(unit=0.1, at_most=threshold))
    if least.verdict == "not-reproduced":
        assert most.verdict == "reproduced"
    if most.verdict == "not-reproduced":
        assert least.verdict == "reproduced"
