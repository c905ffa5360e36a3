"""Looks at growing numbers of seeds: error rates over all looks, savings, and when to stop."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from repcheck.stats.compare import Summary
from repcheck.stats.criteria import Criteria
from repcheck.stats.decide import decide_direction, decide_gain, decide_threshold, decide_value
from repcheck.stats.decision import Decision, GainClaim, Sample, ThresholdClaim, ValueClaim
from repcheck.stats.sequential import (
    DEFAULT,
    HOPELESS,
    Design,
    chance_of_a_verdict,
    criteria_at,
    design_for,
    given_up,
    is_given_up,
    look,
    next_look,
    step,
)

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
simulated = import_module("_simulated")

FIXED = Design(looks=(10,), alphas=(0.05,))
CLAIM = GainClaim(claimed=2.0, unit=0.01)
REPEATS = 25_000
NOISE = 3 * np.sqrt(0.05 * 0.95 / REPEATS)


def courses(last: int, *, spread: float = 1.0, seed: int = 3):
    return simulated.Courses.drawn(np.random.default_rng(seed), REPEATS, last, spread=spread)


@pytest.mark.parametrize("spread", [1.0, 1 / 6, 1e-6], ids=["equal", "one to six", "one arm"])
@pytest.mark.parametrize("max_n", [3, 4, 5, 6, 7, 8, 9, 10, 12, 25])
def test_over_all_looks_each_wrong_verdict_stays_below_five_and_a_half_percent(max_n, spread):
    design, null = design_for(max_n), courses(max_n, spread=spread, seed=max_n)
    found = simulated.ends(design, null, 0.0, futility=False)
    assert max(found.above, found.below) <= 0.055 + NOISE


def test_a_report_that_cannot_grow_keeps_the_error_rate_over_looks_at_reruns():
    random, k = np.random.default_rng(8), 5
    rerun = simulated.Courses.drawn(random, REPEATS, 10, spread=1e-9)
    reported = random.standard_normal((REPEATS, k))
    n = np.arange(2, 11)
    new, old = rerun.se**2, (reported.var(axis=1, ddof=1) / k)[:, None]
    both = simulated.Courses(
        difference=-rerun.difference - reported.mean(axis=1)[:, None],
        se=np.sqrt(new + old),
        df=(new + old) ** 2 / (new**2 / (n - 1) + old**2 / (k - 1)),
    )
    found = simulated.ends(DEFAULT, both, 0.0)
    assert max(found.above, found.below) <= 0.055 + NOISE


def test_sure_claims_save_four_trainings_in_ten_and_less_sure_ones_a_quarter():
    normal = courses(10)
    for effect, goal in ((2.0, 0.6), (1.0, 0.75)):
        for sign in (1, -1):
            assert simulated.ends(DEFAULT, normal, sign * effect).mean_n <= goal * 10
    assert simulated.ends(DEFAULT, normal, 0.0).mean_n < 7.5


def test_the_looks_cost_little_power_and_giving_up_early_less():
    normal = courses(10)
    for effect, lost, hasty in ((1.0, 0.10, 0.03), (2.0, 0.012, 0.005)):
        fixed = simulated.ends(FIXED, normal, effect).above
        patient = simulated.ends(DEFAULT, normal, effect, futility=False).above
        found = simulated.ends(DEFAULT, normal, effect).above
        assert fixed - found <= lost
        assert 0 <= patient - found <= hasty


def test_giving_up_early_never_makes_a_wrong_verdict():
    for max_n in (5, 10):
        null = courses(max_n)
        patient = simulated.ends(design_for(max_n), null, 0.0, futility=False)
        hasty = simulated.ends(design_for(max_n), null, 0.0)
        assert hasty.above <= patient.above
        assert hasty.below <= patient.below
        assert hasty.mean_n < patient.mean_n


@pytest.mark.parametrize("max_n", [5, 10])
def test_the_alphas_are_those_that_the_simulation_finds(max_n):
    design = design_for(max_n)
    again = simulated.calibrated(design.looks, simulated.EXPONENTS[max_n], 200_000, seed=77)
    assert again == pytest.approx(design.alphas, rel=0.04, abs=0.0002)


@pytest.mark.parametrize("max_n", [5, 10])
@pytest.mark.parametrize("effect", [-1.0, 0.0, 1.0])
def test_the_simulated_course_is_the_packages(max_n, effect):
    design, repeats = design_for(max_n), 150
    drawn = simulated.Courses.drawn(np.random.default_rng(4), repeats, max_n)
    expected = simulated.ends(design, drawn, effect)
    random = np.random.default_rng(4)
    ours, theirs = (random.standard_normal((repeats, max_n)) for _ in range(2))
    ours = ours + effect + CLAIM.claimed / 2
    seen, seeds = [], 0
    for a, b in zip(ours.tolist(), theirs.tolist(), strict=True):
        decision, n = followed(design, a, b)
        seen.append(decision.verdict)
        seeds += n
    assert seen.count("reproduced") == round(repeats * expected.above)
    assert seen.count("not-reproduced") == round(repeats * expected.below)
    assert seeds == round(repeats * expected.mean_n)


def followed(design: Design, ours: list[float], theirs: list[float]) -> tuple[Decision, int]:
    """Follow one course with the package's own rules to its last decision and number of seeds."""
    n: int | None = design.looks[0]
    while n is not None:
        reached, arms = n, (Sample.of(ours[:n]), Sample.of(theirs[:n]))
        decision = decide_gain(*arms, CLAIM, criteria_at(design, n))
        n = next_look(design, n, decision)
    return decision, reached


def test_a_look_judges_at_the_level_of_its_own_alpha():
    ours, theirs = [93.1, 92.5, 92.9], [87.9, 88.3, 87.5]
    claim = GainClaim(claimed=5.2, unit=0.1)
    decision = decide_gain(Sample.of(ours), Sample.of(theirs), claim, criteria_at(DEFAULT, 3))
    assert decision.interval is not None
    assert decision.interval.level == pytest.approx(1 - 2 * DEFAULT.alphas[0])
    kept = criteria_at(DEFAULT, 5, Criteria(rho=0.7, seed_cap=20))
    assert (kept.alpha, kept.rho, kept.seed_cap) == (look(DEFAULT, 5), 0.7, 20)


def test_between_looks_the_last_one_reached_counts_and_before_the_first_the_first():
    assert look(DEFAULT, 10) == DEFAULT.alphas[-1]
    assert look(DEFAULT, 9) == look(DEFAULT, 8)
    assert look(DEFAULT, 2) == look(DEFAULT, 3)
    assert look(DEFAULT, 99) == DEFAULT.alphas[-1]


def test_few_seeds_have_one_look_and_many_spread_the_looks():
    assert [design_for(n).looks for n in (1, 2, 3)] == [(1,), (2,), (3,)]
    assert {design_for(n).alphas for n in (1, 2, 3)} == {(0.05,)}
    assert design_for(5).looks == (3, 4, 5)
    assert design_for(10) == DEFAULT
    assert design_for(20).looks == (6, 8, 10, 12, 14, 16, 20)
    for n in range(1, 60):
        assert design_for(n).max_n == n
    with pytest.raises(ValueError, match="at least 1"):
        design_for(0)


@pytest.mark.parametrize(
    ("looks", "alphas", "said"),
    [
        ((), (), "at least one look"),
        ((3, 5), (0.05,), "one alpha for each look"),
        ((5, 3), (0.01, 0.04), "must rise"),
        ((0, 3), (0.01, 0.04), "must rise"),
        ((3, 5), (0.01, 0.5), "between 0 and 0.5"),
    ],
)
def test_designs_that_are_none_are_refused_with_words(looks, alphas, said):
    with pytest.raises(ValueError, match=said):
        Design(looks=looks, alphas=alphas)


def judged(ours: list[float], theirs: list[float], n: int) -> Decision:
    return decide_gain(Sample.of(ours), Sample.of(theirs), CLAIM, criteria_at(DEFAULT, n))


WIDE = [0.0, 2.0, -2.0, 1.0, -1.0]


def test_a_verdict_stops_and_no_verdict_goes_on_to_the_next_look():
    sure = judged([9.0, 9.1, 9.2], [0.0, 0.1, 0.2], 3)
    found = step(DEFAULT, 3, sure)
    assert (sure.verdict, found.next_n) == ("reproduced", None)
    assert found.in_words == "stopped at 3 seeds per arm: the verdict is reproduced"
    unsure = judged([x + 3 for x in WIDE[:3]], WIDE[:3], 3)
    found = step(DEFAULT, 3, unsure)
    assert found.next_n == 4
    assert found.in_words == (
        "3 seeds per arm do not decide at the 99.7 % level of this look; the next look is at 4"
    )
    last = step(DEFAULT, 10, unsure)
    assert (last.next_n, "last look planned" in last.in_words) == (None, True)


def test_an_estimate_at_the_threshold_is_given_up_half_way_and_not_before():
    hopeless = [x + CLAIM.claimed / 2 for x in WIDE]
    early = judged(hopeless[:4], WIDE[:4], 4)
    assert next_look(DEFAULT, 4, early) == 5
    half_way = step(DEFAULT, 5, judged(hopeless, WIDE, 5))
    assert half_way.next_n is None
    assert "the chance of a verdict by 10 seeds per arm would be below 8 %" in half_way.in_words
    hopeful = judged([x + 3.5 for x in WIDE], WIDE, 5)
    assert (hopeful.verdict, next_look(DEFAULT, 5, hopeful)) == ("inconclusive", 6)
    # On the other side of the threshold just as far.
    hopeful = judged([x - 1.5 for x in WIDE], WIDE, 5)
    assert (hopeful.verdict, next_look(DEFAULT, 5, hopeful)) == ("inconclusive", 6)


def test_only_an_open_verdict_with_seeds_left_is_given_up_in_words_that_are_known_again():
    hopeless = judged([x + CLAIM.claimed / 2 for x in WIDE], WIDE, 5)
    said = given_up(DEFAULT, 5, hopeless)
    assert said.endswith(step(DEFAULT, 5, hopeless).in_words)
    assert is_given_up(["another caveat", said])
    assert given_up(DEFAULT, 10, hopeless) == ""
    assert given_up(DEFAULT, 5, judged([x + 3.5 for x in WIDE], WIDE, 5)) == ""
    sure = judged([9.0, 9.1, 9.2], [0.0, 0.1, 0.2], 3)
    assert given_up(DEFAULT, 3, sure) == ""
    assert not is_given_up(["another caveat", step(DEFAULT, 3, sure).in_words])


@pytest.mark.parametrize(("gain", "goes_on"), [(1.4, False), (1.8, True), (0.2, True)])
def test_the_chance_of_a_verdict_is_that_of_a_simulated_rest_of_the_course(gain, goes_on):
    arms = Summary(mean=gain, sd=1.0, n=6), Summary(mean=0.0, sd=1.0, n=6)
    decision = decide_gain(
        Sample(finished=arms[0]), Sample(finished=arms[1]), CLAIM, criteria_at(DEFAULT, 6)
    )
    assert decision.interval is not None
    chance = chance_of_a_verdict(DEFAULT, 6, decision.interval, decision.theta)
    rest = np.random.default_rng(2).normal(gain, np.sqrt(2 / 4), 200_000)
    z = (0.6 * gain + 0.4 * rest - 1.0) / np.sqrt(2 / 10)
    side = z if gain > 1 else -z
    assert chance == pytest.approx((side > norm.isf(DEFAULT.alphas[-1])).mean(), abs=0.005)
    assert (chance >= HOPELESS) == goes_on == (next_look(DEFAULT, 6, decision) == 7)


def test_seeds_that_do_not_differ_or_never_finish_stop_and_crashes_may_be_outgrown():
    tie = judged([1.0] * 3, [0.0] * 3, 3)
    assert tie.verdict == "inconclusive"
    assert "do not differ" in step(DEFAULT, 3, tie).in_words
    none = decide_gain(Sample.of([], crashed=3), Sample.of(WIDE[:3]), CLAIM)
    assert step(DEFAULT, 3, none).in_words.endswith("no seed of an arm finished")
    some = decide_gain(Sample.of(WIDE[:2], crashed=1), Sample.of(WIDE[:3]), CLAIM)
    assert next_look(DEFAULT, 3, some) == 4


def test_values_thresholds_and_directions_follow_the_same_looks():
    criteria = criteria_at(DEFAULT, 5)
    rerun = Sample.of(WIDE)
    value = ValueClaim(reported=Summary.of([1.9, 2.1, 2.0]), unit=0.01, margin=0.5)
    at_least = ThresholdClaim(unit=0.01, at_least=0.01)
    for decision, following in (
        (decide_value(rerun, value, criteria), 6),
        (decide_threshold(rerun, at_least, criteria), None),
        (decide_direction(rerun, Sample.of(WIDE), unit=0.01, criteria=criteria), None),
    ):
        assert decision.verdict == "inconclusive"
        assert next_look(DEFAULT, 5, decision) == following


scores = st.integers(0, 1000).map(float)


@given(st.lists(scores, max_size=5), st.lists(scores, max_size=5), st.integers(2, 40))
def test_a_step_goes_to_a_later_look_only_where_nothing_is_decided(ours, theirs, max_n):
    design = design_for(max_n)
    n = max(len(ours), len(theirs), 1)
    decision = decide_gain(Sample.of(ours), Sample.of(theirs), CLAIM, criteria_at(design, n))
    found = step(design, n, decision)
    assert found.next_n is None or (found.next_n > n and found.next_n in design.looks)
    if decision.verdict != "inconclusive" or n >= max_n:
        assert found.next_n is None
    assert str(n) in found.in_words
