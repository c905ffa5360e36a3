"""What must hold of every statistic whatever the numbers: repeats, mirrors, units, order, width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from repcheck.stats.aggregate import (
    Resampled,
    almost_stochastic_order,
    iqm,
    iqm_intervals,
    mean_over_tasks,
    performance_profile,
    probability_of_improvement,
)
from repcheck.stats.attribution import attribute, holm
from repcheck.stats.cells import benjamini_hochberg, explore, gate, selective
from repcheck.stats.chosen import Rank, against_fresh, best_of
from repcheck.stats.chosen_normal import bayes_factor_of_max, prediction_p, top_of
from repcheck.stats.compare import Interval, Summary, one_sample, pooled_sd, welch
from repcheck.stats.criteria import Criteria
from repcheck.stats.decide import decide_direction, decide_gain, decide_threshold, decide_value
from repcheck.stats.decision import Decision, GainClaim, Sample, ThresholdClaim, ValueClaim
from repcheck.stats.equivalence import equivalence
from repcheck.stats.factorial import point_share
from repcheck.stats.permutation import paired as flipped
from repcheck.stats.permutation import two_samples
from repcheck.stats.tuning import (
    best_at,
    best_of_k,
    best_of_k_biased,
    equal_trials,
    mean_band,
    median_band,
    tuning_gain,
)

brief = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=[p for p in Phase if p.name != "explain"],
)
# Eighths: sums, differences and shifts of them are exact, so a verdict has no edge to slip on.
score = st.integers(-400, 400).map(lambda k: k / 8)
runs = st.lists(score, min_size=2, max_size=7)
tasks = st.lists(runs, min_size=1, max_size=4)
chances = st.lists(st.floats(0, 1), min_size=1, max_size=9)
claims = st.integers(1, 160).map(lambda k: k / 8)
UNITS, SHIFTS = (1000.0, 1e-6, 2.0**-40), (0.0, -64.0, 1024.0)


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def gain(
    ours: Sequence[float], theirs: Sequence[float], claimed: float, by: float = 1.0, at: float = 0.0
) -> Decision:
    """Judge the same gain in another unit, about another zero."""
    a, b = (Sample.of([by * (x + at) for x in arm]) for arm in (ours, theirs))
    return decide_gain(a, b, GainClaim(claimed=by * claimed, unit=by / 8))


# --- the same seed, the same answer -----------------------------------------------------------

RESAMPLED: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "iqm": lambda x, r: iqm_intervals({"a": [x]}, random=r, draws=200)["a"],
    "improvement": lambda x, r: probability_of_improvement([x], [x[::-1]], random=r, draws=200),
    "profile": lambda x, r: performance_profile([x], [0.0], random=r, draws=200).low.tolist(),
    "order": lambda x, r: almost_stochastic_order(x, [0.0, 1.0], random=r, draws=200),
    "best of k": lambda x, r: best_at(x * 3, 1, random=r),
    "tuning": lambda x, r: tuning_gain(x * 2, x, random=r),
    "share": lambda x, r: point_share([y + 999 for y in x], x, x, kind="add", random=r, draws=200),
    "splits": lambda x, r: two_samples(x * 6, x * 6, random=r, draws=300).p_greater.tolist(),
    "flips": lambda x, r: flipped(x * 9, random=r, draws=300).p_greater.tolist(),
    "fresh": lambda x, r: against_fresh(x * 6, [0.0] * 20, random=r, draws=300),
    "largest": lambda x, r: bayes_factor_of_max(1.0, [*x, 99.0], seeds=3, random=r, draws=200),
    "top": lambda x, r: top_of(Summary.of([*x, 9.5]), [*x, 99.0], random=r, draws=200),
}


@pytest.mark.parametrize("call", RESAMPLED.values(), ids=RESAMPLED)
@brief
@given(x=runs, seed=st.integers(0, 99))
def test_the_same_generator_gives_the_same_answer(call: Any, x: list[float], seed: int) -> None:
    assert call(x, rng(seed)) == call(x, rng(seed))


def test_another_generator_gives_another_answer() -> None:
    x = [0.125, 3.5, -2.0, 7.25, 1.0, 4.5]
    for name in ("iqm", "order", "best of k", "tuning", "splits", "largest"):
        assert RESAMPLED[name](x, rng(1)) != RESAMPLED[name](x, rng(2)), name


# --- swapped arms -----------------------------------------------------------------------------


@brief
@given(runs, runs)
def test_swapped_arms_flip_the_sign_of_every_comparison(a: list[float], b: list[float]) -> None:
    one, other = (
        welch(Summary.of(a), Summary.of(b), 0.05),
        welch(Summary.of(b), Summary.of(a), 0.05),
    )
    assert (one.estimate, one.low, one.high) == pytest.approx(
        (-other.estimate, -other.high, -other.low), rel=1e-12
    )
    assert one.p_above(0) == pytest.approx(other.p_below(0))
    first, second = two_samples(a, b), two_samples(b, a)
    assert first.p_greater == pytest.approx(second.p_less)
    won, lost = (
        probability_of_improvement([x], [y], random=rng(), draws=200) for x, y in ((a, b), (b, a))
    )
    assert won.estimate == pytest.approx(1 - lost.estimate)
    assert equal_trials(a, b, random=rng()).at_equal == -equal_trials(b, a, random=rng()).at_equal


MIRROR = {"reproduced": "not-reproduced", "not-reproduced": "reproduced"}


@brief
@given(runs, runs, claims)
def test_swapped_arms_turn_a_verdict_round(a: list[float], b: list[float], claimed: float) -> None:
    ours, theirs = Sample.of(a), Sample.of(b)
    one, other = (decide_direction(*arms, unit=0.125) for arms in ((ours, theirs), (theirs, ours)))
    assert other.verdict == MIRROR.get(one.verdict, "inconclusive")
    for one, other in ((gain(a, b, claimed), gain(b, a, claimed)),):
        assert not one.verdict == other.verdict == "reproduced"
        if one.verdict == "reproduced":
            assert "reversed" in other.details


# --- level ------------------------------------------------------------------------------------

LEVELLED: dict[str, Callable[[Any, float], tuple[float, float]]] = {
    "mean": lambda x, level: ends(mean_over_tasks(x, alpha=(1 - level) / 2)),
    "iqm": lambda x, level: ends(
        iqm_intervals({"a": x}, random=rng(), draws=400, level=level)["a"]
    ),
    "improvement": lambda x, level: ends(
        probability_of_improvement(x, x[::-1], random=rng(), draws=400, level=level)
    ),
    "profile": lambda x, level: profile_ends(x, level),
    "best of k": lambda x, level: ends(best_at(x[0] * 3, 1, random=rng(), level=level)),
    "mean band": lambda x, level: ends(mean_band(x[0], [2], (-50.0, 50.0), level=level)),
    "median band": lambda x, level: ends(median_band(x[0], [2], level=level)),
}


def ends(one: Any) -> tuple[float, float]:
    return float(np.ravel(one.low)[0]), float(np.ravel(one.high)[0])


def profile_ends(x: Any, level: float) -> tuple[float, float]:
    return ends(performance_profile(x, [0.0], random=rng(), draws=400, level=level))


@pytest.mark.parametrize("call", LEVELLED.values(), ids=LEVELLED)
@brief
@given(x=tasks, levels=st.tuples(st.floats(0.3, 0.98), st.floats(0.005, 0.019)))
def test_a_wider_level_has_a_wider_interval(
    call: Any, x: list[list[float]], levels: tuple[float, float]
) -> None:
    (low, high), (wider_low, wider_high) = call(x, levels[0]), call(x, levels[0] + levels[1])
    slack = 1e-9 * (abs(low) + abs(high)) if math.isfinite(low + high) else 0.0
    assert wider_low <= low + slack
    assert wider_high >= high - slack


@brief
@given(runs, runs, claims, st.floats(0.01, 0.2), st.floats(1.1, 2.0))
def test_a_smaller_alpha_never_decides_what_a_larger_does_not(
    a: list[float], b: list[float], claimed: float, alpha: float, times: float
) -> None:
    def verdict(at: float) -> str:
        claim = GainClaim(claimed=claimed, unit=0.125)
        return decide_gain(Sample.of(a), Sample.of(b), claim, Criteria(alpha=at)).verdict

    strict, loose = verdict(alpha), verdict(alpha * times)
    assert strict in {loose, "inconclusive"}


# --- order of seeds ---------------------------------------------------------------------------


@brief
@given(runs, runs, claims, st.randoms(use_true_random=False))
def test_the_order_of_seeds_changes_nothing(
    a: list[float], b: list[float], claimed: float, shuffle: Any
) -> None:
    mixed_a, mixed_b = list(a), list(b)
    shuffle.shuffle(mixed_a)
    shuffle.shuffle(mixed_b)
    one, other = gain(a, b, claimed), gain(mixed_a, mixed_b, claimed)
    assert (one.verdict, one.details) == (other.verdict, other.details)
    assert two_samples(a, b).p_greater == pytest.approx(two_samples(mixed_a, mixed_b).p_greater)
    assert iqm([a, b]) == pytest.approx(iqm([mixed_b, mixed_a]))
    assert best_of_k(a, [1, 2]) == pytest.approx(best_of_k(mixed_a, [1, 2]))
    assert mean_band(a, [2], (-50, 50)).low == pytest.approx(mean_band(mixed_a, [2], (-50, 50)).low)
    seen = [Rank(above=k, reruns=5) for k in range(len(a) % 6)] + [Rank(above=0, reruns=3)]
    assert best_of(seen).p == pytest.approx(best_of(seen[::-1]).p, rel=1e-12)


def test_the_order_of_seeds_does_not_move_the_last_digit() -> None:
    a, b = [0.0, 0.0, 0.0, 0.0, 0.0, 26.125], [3.25, 7.25, 0.0, 0.0, 0.0, 20.875]
    said = {gain(one, other, 0.125).rule_in_words for one in (a, a[::-1]) for other in (b, b[::-1])}
    assert len(said) == 1


@brief
@given(runs, runs, st.integers(1, 6))
def test_seeds_that_come_in_parts_are_those_that_come_at_once(
    a: list[float], b: list[float], cut: int
) -> None:
    whole = Summary.of(a + b)
    parts = [part for part in (a, b) if len(part) > 1]
    mean = sum(one.mean * one.n for one in map(Summary.of, parts)) / len(a + b)
    assert whole.mean == pytest.approx(mean, abs=1e-9)
    # Within and between the parts together: what a random effect of no parts at all would leave.
    within = sum((one.sd or 0.0) ** 2 * (one.n - 1) for one in map(Summary.of, parts))
    between = sum(one.n * (one.mean - mean) ** 2 for one in map(Summary.of, parts))
    assert (whole.sd or 0.0) ** 2 * (whole.n - 1) == pytest.approx(within + between, abs=1e-6)
    sd, df = pooled_sd(*map(Summary.of, parts))
    assert (sd**2 * df, df) == (pytest.approx(within, abs=1e-6), whole.n - 2)
    assert Summary.of(a[:cut] + a[cut:]) == Summary.of(a)
    assert mean_over_tasks([a]) == one_sample(Summary.of(a), 0.05)


# --- units and origin -------------------------------------------------------------------------


@pytest.mark.parametrize("by", UNITS)
@pytest.mark.parametrize("at", SHIFTS)
@brief
@given(a=runs, b=runs, claimed=claims)
def test_no_unit_and_no_origin_changes_the_verdict_on_a_gain(
    by: float, at: float, a: list[float], b: list[float], claimed: float
) -> None:
    one, other = gain(a, b, claimed), gain(a, b, claimed, by, at)
    edge = one.interval and min(
        abs(one.interval.low - one.theta), abs(one.interval.high - one.theta),
        abs(one.interval.low), abs(one.interval.high),
        abs(one.interval.low - claimed - 0.125),
    )  # fmt: skip
    # On a bound itself the last bit of the unit decides.
    assume(edge is None or edge > 1e-9 or one.interval.df is None)
    assert (one.verdict, one.details) == (other.verdict, other.details)
    assert one.seeds_needed == other.seeds_needed
    if one.interval and other.interval:
        assert other.interval.estimate == pytest.approx(by * one.interval.estimate, rel=1e-9)
        assert other.interval.se == pytest.approx(by * one.interval.se, rel=1e-6)


@pytest.mark.parametrize("by", UNITS)
@brief
@given(x=tasks, y=runs)
def test_units_scale_out_of_every_statistic(
    by: float, x: list[list[float]], y: list[float]
) -> None:
    def scaled(values: Sequence[float]) -> list[float]:
        return [by * value for value in values]

    other, reach = [scaled(one) for one in x], 1e-9 * by * 50
    for call in (LEVELLED["mean"], LEVELLED["iqm"], LEVELLED["best of k"]):
        assert call(other, 0.9) == pytest.approx([by * e for e in call(x, 0.9)], abs=reach)
    for call in (LEVELLED["improvement"],):
        assert call(other, 0.9) == pytest.approx(call(x, 0.9), abs=1e-9)
    assert two_samples(scaled(y), other[0]).p_greater == pytest.approx(
        two_samples(y, x[0]).p_greater
    )
    assert almost_stochastic_order(other[0], scaled(y), random=rng(), draws=200) == pytest.approx(
        almost_stochastic_order(x[0], y, random=rng(), draws=200), abs=1e-6
    )
    if len(set(y)) > 1:
        assert prediction_p(by * 2.5, scaled(y)) == pytest.approx(prediction_p(2.5, y), rel=1e-6)
    close = equivalence(Summary.of(scaled(y)), Summary.of(other[0]), by)
    assert close.p == pytest.approx(equivalence(Summary.of(y), Summary.of(x[0]), 1.0).p, rel=1e-6)


@pytest.mark.parametrize("by", UNITS)
@brief
@given(a=runs, b=runs, claimed=claims)
def test_units_scale_out_of_the_other_verdicts(
    by: float, a: list[float], b: list[float], claimed: float
) -> None:
    def verdicts(unit: float) -> list[str]:
        arms = [Summary.of([unit * value for value in arm]) for arm in (a, b)]
        samples = [Sample(finished=one) for one in arms]
        value = ValueClaim(reported=arms[1], unit=unit / 8)
        least = ThresholdClaim(unit=unit / 8, at_least=unit * (claimed + 0.0625))
        told = attribute(
            claimed=unit * claimed, unit=unit / 8, tolerance=None, upper=arms[0], lower=arms[1]
        )
        return [
            decide_value(samples[0], value).verdict,
            decide_threshold(samples[0], least).verdict,
            told.verdict,
        ]

    assert verdicts(by) == verdicts(1.0)


# --- many at once -----------------------------------------------------------------------------


@brief
@given(chances, st.integers(0, 8), st.floats(0, 1))
def test_corrections_are_monotone_and_ordered(ps: list[float], at: int, more: float) -> None:
    raised = list(ps)
    raised[at % len(ps)] = max(raised[at % len(ps)], more)
    for correct in (holm, benjamini_hochberg):
        before, after = correct(ps), correct(raised)
        assert all(one <= other + 1e-12 for one, other in zip(before, after, strict=True))
        order = sorted(range(len(ps)), key=ps.__getitem__)
        assert [before[i] for i in order] == sorted(before)
    for p, q, h in zip(ps, benjamini_hochberg(ps), holm(ps), strict=True):
        assert p - 1e-12 <= q <= h + 1e-12 <= 1 + 2e-12
    named = {str(i): p for i, p in enumerate(ps)}
    assert set(explore(named, rate=0.05).found) <= set(explore(named, rate=0.2).found)


@brief
@given(st.lists(st.tuples(runs, runs), min_size=1, max_size=4), claims)
def test_a_gate_opens_for_more_and_never_closes(
    pairs: list[tuple[list[float], list[float]]], up: float
) -> None:
    def judged(by: float) -> Any:
        cells = {
            str(i): welch(Summary.of([x + by for x in a]), Summary.of(b), 0.05)
            for i, (a, b) in enumerate(pairs)
        }
        return gate(cells)

    low, high = judged(0.0), judged(up)
    assert high.p <= low.p + 1e-12
    assert high.passed or not low.passed
    assert set(low.shown) <= set(high.shown)
    for one in (low, high):
        assert bool(one.cells) is one.passed
        assert all(p >= 0 for p in one.cells.values())


@brief
@given(st.integers(1, 30), st.data())
def test_reporting_one_more_improved_result_is_more_selective(n: int, data: st.DataObject) -> None:
    won = data.draw(st.integers(0, n))
    said = data.draw(st.integers(0, n))
    least, most = max(0, said - (n - won)), min(said, won)
    found = [
        selective(computed=n, improved=won, reported=said, reported_improved=k).p
        for k in range(least, most + 1)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(1.0)


# --- intervals and estimates ------------------------------------------------------------------


@brief
@given(tasks, runs)
def test_resampled_intervals_hold_their_estimate(x: list[list[float]], y: list[float]) -> None:
    found: list[Resampled | Interval] = [
        iqm_intervals({"a": x}, random=rng(), draws=400)["a"],
        probability_of_improvement([x[0]], [y], random=rng(), draws=400),
        mean_over_tasks(x),
    ]
    for one in found:
        assert one.low - 1e-9 <= one.estimate <= one.high + 1e-9
    shown = performance_profile(x, [0.0, 10.0], random=rng(), draws=400)
    assert (shown.low - 1e-9 <= shown.share).all()
    assert (shown.share <= shown.high + 1e-9).all()
    bound = almost_stochastic_order(x[0], y, random=rng(), draws=200)
    assert 0 <= bound <= 1


@brief
@given(st.lists(score, min_size=1, max_size=30))
def test_more_trials_never_do_worse(trials: list[float]) -> None:
    budgets = list(range(1, len(trials) + 1))
    curve, biased = best_of_k(trials, budgets), best_of_k_biased(trials, budgets)
    assert (np.diff(curve) >= -1e-9).all()
    assert (np.diff(biased) >= -1e-9).all()
    assert (curve >= biased - 1e-9).all()
    assert (curve[0], curve[-1]) == pytest.approx((np.mean(trials), max(trials)))
    band = mean_band(trials, budgets, (-50.0, 50.0))
    assert (np.diff(band.low) >= -1e-9).all()
    assert (band.low - 1e-9 <= biased).all()
    assert (biased <= band.high + 1e-9).all()
