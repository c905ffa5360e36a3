"""What stands beside a verdict: permutation tests, collapsed seeds, equivalence."""

from __future__ import annotations

import numpy as np
import pytest

from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.report_verdicts import reproduction
from repcheck.reporters.html import render
from repcheck.reproduction import reproduce
from repcheck.stats.collapse import Arms, collapsed, steady
from repcheck.stats.compare import Summary
from repcheck.stats.decide import decide_equivalence, decide_gain
from repcheck.stats.decision import Decision, GainClaim, Sample
from repcheck.stats.equivalence import EquivalenceClaim
from repcheck.stats.sample_size import noether
from repcheck.verdict import conclude
from tests.sample_report import sample
from tests.test_verdict import BASE, GOOD, claims, runs, verdict

GAIN = "baselines: [base], improvement: 5.0"
FIXES = ", seeds: {train: [0], fixes: [split]}"


# --- permutation ------------------------------------------------------------------------------


def test_the_exact_permutation_test_stands_beside_a_verdict_from_five_seeds_per_arm() -> None:
    found = verdict(claims(GAIN), runs(ours=GOOD, base=BASE))
    assert found.permutation is not None
    assert found.permutation.p == pytest.approx(1 / 252)
    assert found.permutation.agrees
    assert found.permutation.in_words == (
        "the exact permutation test shows it too: "
        "one-sided p = 0.004 for a difference above +2.50, n = 5 + 5"
    )
    fewer = verdict(claims(GAIN), runs(ours=GOOD[:4], base=BASE))
    assert (fewer.verdict, fewer.permutation) == ("reproduced", None)


def test_swapped_arms_give_the_same_p_for_the_other_side() -> None:
    said = claims("value: 92.9, baselines: [base]")
    made = Evidence(claims=said, runs=runs(ours=GOOD, base=BASE))
    other = Evidence(claims=said, runs=runs(ours=BASE, base=GOOD))
    first, second = (reproduce(said, said.claims[0], one)[1] for one in (made, other))
    assert first.permutation is not None
    assert second.permutation is not None
    assert (first.verdict, second.verdict) == ("reproduced", "not-reproduced")
    assert (first.permutation.side, second.permutation.side) == ("above", "below")
    assert first.permutation.p == pytest.approx(second.permutation.p)
    assert first.interval == pytest.approx((-second.interval[1], -second.interval[0]))


@pytest.mark.parametrize(
    ("ours", "base", "claimed", "word", "words"),
    [
        (
            (89.5, 90.1, 95.5, 93.5, 93.4), (88.0, 87.9, 88.0, 87.9, 88.1), 4.0, "reproduced",
            "the exact permutation test does not show it: "
            "one-sided p = 0.067 for a difference above +2.00, n = 5 + 5",
        ),
        (
            (91.8, 91.8, 91.9, 92.0, 92.0), (89.4, 90.1, 90.1, 90.4, 88.4), 6.0, "not-reproduced",
            "the exact permutation test does not show it: "
            "one-sided p = 0.052 for a difference below +3.00, n = 5 + 5",
        ),
        (
            (91.9, 92.1, 91.7, 92.1, 92.3), (88.4, 87.4, 88.9, 90.0, 88.7), 5.0, "inconclusive",
            "the exact permutation test alone would show it: "
            "one-sided p = 0.04 for a difference above +2.50, n = 5 + 5",
        ),
    ],
)  # fmt: skip
def test_a_permutation_test_that_disagrees_is_told_and_changes_nothing(
    ours: tuple[float, ...], base: tuple[float, ...], claimed: float, word: str, words: str
) -> None:
    said = claims(f"baselines: [base], improvement: {claimed}")
    found = verdict(said, runs(ours=ours, base=base))
    assert found.permutation is not None
    assert (found.verdict, found.permutation.agrees) == (word, False)
    assert found.permutation.in_words == words


def test_the_permutation_test_is_held_against_the_alpha_of_the_look() -> None:
    said = claims(GAIN)
    evidence = Evidence(claims=said, runs=runs(ours=GOOD, base=BASE), most_seeds=10)
    found = reproduce(said, said.claims[0], evidence)[0]
    assert found.permutation is not None
    assert (found.permutation.alpha, found.permutation.agrees) == (pytest.approx(0.0056), True)


def test_a_test_that_cannot_reach_the_looks_level_says_so() -> None:
    said = claims(GAIN, ours=FIXES, base=FIXES)
    base = (80.0, 95.0, 85.0, 99.0, 90.0)
    made = runs(ours=tuple(value + 5 + 0.1 * n for n, value in enumerate(base)), base=base)
    evidence = Evidence(claims=said, runs=made, most_seeds=10)
    found = reproduce(said, said.claims[0], evidence)[0]
    assert (found.verdict, found.test) == ("reproduced", "paired t")
    assert found.permutation is not None
    assert not found.permutation.agrees
    assert found.permutation.in_words == (
        "the exact permutation test cannot show it at 0.56 %, its smallest p being 0.031: "
        "one-sided p = 0.031 for a difference above +2.50, n = 5 pairs"
    )
    single = verdict(said, made).permutation
    assert single is not None
    assert single.agrees


def test_runs_that_do_not_differ_and_published_baselines_have_no_permutation() -> None:
    same = verdict(claims(GAIN), runs(ours=(93.0,) * 5, base=(88.0,) * 5))
    assert (same.verdict, same.detail, same.permutation) == ("reproduced", "deterministic", None)
    copied = verdict(claims("baselines: [copied], improvement: 5.0"), runs(ours=GOOD))
    assert (copied.detail, copied.permutation) == ("baseline-as-published", None)


def test_values_too_large_to_add_up_have_a_verdict_and_no_permutation() -> None:
    huge = verdict(claims(GAIN), runs(ours=tuple(v * 1e303 for v in GOOD), base=BASE))
    assert (huge.verdict, huge.permutation) == ("reproduced", None)


def test_the_card_shows_the_permutation_test_as_a_check_that_decides_nothing() -> None:
    found = verdict(claims(GAIN), runs(ours=GOOD, base=BASE))
    report = sample()
    report["claims"][0]["reproduction"] = reproduction(found)
    page = render(report)
    assert "<dt>Robustness check</dt><dd>the exact permutation test shows it too" in page
    assert reproduction(found)["permutation"]["side"] == "above"


# --- collapse ---------------------------------------------------------------------------------


def gain(claimed: float, ours: list[float], base: list[float]) -> tuple[Decision, tuple[int, ...]]:
    claim = GainClaim(claimed=claimed, unit=0.01)

    def decide(a: Sample, b: Sample | None, pairs: Summary | None) -> Decision:
        assert b is not None
        return decide_gain(a, b, claim, pairs=pairs)

    arms = Arms(ours=Sample.of(ours), theirs=Sample.of(base))
    return steady(decide, arms, ("the method", "the baseline"))


def test_a_collapsed_seed_is_counted_and_told_with_its_n() -> None:
    found = verdict(claims(GAIN), runs(ours=(*GOOD[:4], 10.2), base=BASE))
    assert (found.collapsed_method, found.collapsed_baseline) == (1, 0)
    assert "; 1 of 5 seeds of the method collapsed" in found.rule
    assert not any("no collapsed seed was seen" in one for one in found.caveats)
    clean = verdict(claims(GAIN), runs(ours=GOOD, base=BASE))
    assert (clean.collapsed_method, clean.collapsed_baseline) == (0, 0)
    assert any("a collapse rate up to 45 %" in one for one in clean.caveats)
    value = verdict(claims("value: 92.9"), runs(ours=(*GOOD[:4], 10.2)))
    assert value.verdict == "inconclusive"  # and no margin of twice the spread of a collapse
    assert "minus the margin (-0.8" in value.rule
    assert "1 of 5 seeds of the rerun collapsed" in value.rule


def test_a_verdict_that_rests_on_one_collapse_stays_open() -> None:
    base = [88.0, 88.2, 87.9, 88.1, 88.3, 87.8, 88.1, 88.0, 87.9, 88.2]
    ours = [value + 4.0 for value in base]
    sure, counts = gain(8.0, [*ours[:7], 70.0, 69.5, 70.2], base)
    assert counts == (3, 0)
    assert sure.verdict == "inconclusive"
    assert sure.rule_in_words.endswith(
        "3 of 10 seeds of the method collapsed; “not reproduced” does not survive the removal of "
        "one collapsed seed of the method, so it stays open."
    )
    assert sure.details == ()


def test_a_verdict_that_holds_without_the_collapse_and_with_one_more_stands() -> None:
    ours = [200.0, 200.4, 199.8, 200.1, 200.2, 199.9, 200.3, 200.0, 199.7, 200.1]
    base = [10.0, 10.3, 9.9, 10.1, 10.2, 9.8, 10.1, 10.0, 9.9, -5.0]
    found, counts = gain(180.0, ours, base)
    assert (found.verdict, counts) == ("reproduced", (0, 1))
    assert found.rule_in_words.endswith("1 of 10 seeds of the baseline collapsed.")


def test_a_gain_that_one_collapse_of_the_other_arm_would_undo_stays_open() -> None:
    base = [60.0, 88.0, 87.6, 88.4, 87.9, 88.1, 60.5, 59.8, 88.3, 88.2]
    ours = [94.0, 93.6, 93.4, 93.9, 93.1, 94.2, 93.3, 94.4, 93.7, 93.5]
    found, counts = gain(6.0, ours, base)
    assert counts == (0, 3)
    assert found.verdict == "inconclusive"
    assert "does not survive one collapsed seed of the method" in found.rule_in_words


def test_whether_a_seed_collapsed_depends_on_neither_unit_nor_origin_nor_order() -> None:
    ours, base = np.array([93.0, 92.6, 10.0, 92.9, 93.1]), np.array(BASE)
    for scale, origin in ((1.0, 0.0), (0.01, 0.0), (1e6, -4e7), (1.0, 1e5)):
        arms = [Sample.of((scale * one + origin).tolist()) for one in (ours, base)]
        assert collapsed(*arms) == (1, 0)
        assert collapsed(*reversed(arms)) == (0, 1)
    better = Sample.of([93.0, 92.6, 300.0, 92.9, 93.1])
    assert collapsed(better, Sample.of(list(BASE))) == (0, 0)


def test_honest_seeds_are_hardly_ever_called_collapsed() -> None:
    random, found = np.random.default_rng(11), {}
    shapes = {
        "normal": lambda n: random.standard_normal(n),
        "heavy": lambda n: random.standard_t(3, n),
        "skewed": lambda n: -np.exp(0.8 * random.standard_normal(n)),
        "gridded": lambda n: np.round(2 * random.standard_normal(n)) / 2,
    }
    for name, draw in shapes.items():
        for n in (3, 5, 10):
            arms = ((Sample.of(draw(n).tolist()), Sample.of(draw(n).tolist())) for _ in range(120))
            found[name, n] = sum(any(collapsed(*pair)) for pair in arms)
    assert max(found.values()) <= 3
    assert sum(found.values()) <= 8


def test_without_a_collapse_no_verdict_changes_and_one_arms_collapses_add_no_wrong_one() -> None:
    random, claim = np.random.default_rng(7), GainClaim(claimed=4.0, unit=0.01)
    clean = wrong = wrong_before = seen = 0
    for _ in range(100):
        ours, base = random.normal(4.0, 1.0, 5), random.normal(0.0, 1.0, 5)
        plain = decide_gain(Sample.of(ours.tolist()), Sample.of(base.tolist()), claim)
        clean += gain(4.0, ours.tolist(), base.tolist())[0] == plain
        fallen = ours - 2.0 + 10.0 - 100.0 * (random.random(5) < 0.1)
        before = decide_gain(Sample.of(fallen.tolist()), Sample.of(base.tolist()), claim)
        after, counts = gain(4.0, fallen.tolist(), base.tolist())
        seen += any(counts)
        wrong_before += before.verdict != "inconclusive"
        wrong += after.verdict != "inconclusive"
    assert clean >= 99
    assert seen > 30
    assert wrong <= wrong_before


def test_without_any_spread_nothing_is_called_a_collapse() -> None:
    assert collapsed(Sample.of([93.0, 93.0, 10.0]), Sample.of([88.0] * 3)) == (0, 0)
    assert collapsed(Sample.of([93.0]), Sample(finished=None)) == (0, 0)


# --- equivalence ------------------------------------------------------------------------------

NEAR = tuple(value + 0.1 for value in GOOD)


@pytest.mark.parametrize(
    ("margin", "word", "starts"),
    [
        (", margin: 0.5", "reproduced", "Equivalent within ±0.50 (as declared): "),
        (", margin: 0.3", "inconclusive", "Not shown to be equivalent within ±0.30 (as declared)"),
        ("", "reproduced", "Equivalent within ±0.52 (twice the spread over seeds): "),
        (
            ", margin: 3.0",
            "reproduced",
            "Equivalent within ±0.52 (twice the spread over seeds); the declared ±3.00 is wider "
            "and is not used: ",
        ),
    ],
)
def test_an_equivalence_is_shown_only_by_an_interval_within_the_margin(
    margin: str, word: str, starts: str
) -> None:
    said = claims(f"type: equivalence, baselines: [base]{margin}")
    found = verdict(said, runs(ours=GOOD, base=NEAR))
    assert (found.verdict, found.axis, found.baseline) == (word, "gain", "base")
    assert found.rule.startswith(starts)
    assert "the difference is -0.10, 90 % interval [-0.40, +0.20], n = 5 + 5" in found.rule
    assert found.rule.endswith("two one-sided tests (Welch t).")
    swapped = verdict(said, runs(ours=NEAR, base=GOOD))
    assert swapped.verdict == word
    assert swapped.interval == pytest.approx((-found.interval[1], -found.interval[0]))


def test_only_a_difference_beyond_the_declared_margin_is_held_against_an_equivalence() -> None:
    made = runs(ours=GOOD, base=BASE)
    wide = verdict(claims("type: equivalence, baselines: [base], margin: 9.0"), made)
    assert (wide.verdict, wide.seeds_needed) == ("inconclusive", None)
    beyond = verdict(claims("type: equivalence, baselines: [base], margin: 3.0"), made)
    assert beyond.verdict == "not-reproduced"
    assert beyond.rule.startswith("Not equivalent within ±3.00: the difference is +4.98")
    value, same = reproduce(
        said := claims("type: equivalence, value: 92.9, baselines: [base], margin: 0.5"),
        said.claims[0],
        Evidence(claims=said, runs=made),
    )
    assert (value.verdict, same.verdict) == ("reproduced", "not-reproduced")


def test_equal_deterministic_runs_are_equivalent_and_nothing_is_guessed_without_a_margin() -> None:
    claim = "type: equivalence, baselines: [base]"
    same = runs(ours=(93.0,) * 3, base=(93.0,) * 3)
    found = verdict(claims(f"{claim}, margin: 0.5"), same)
    assert (found.verdict, found.detail) == ("reproduced", "deterministic")
    bare = verdict(claims(claim, metric="error"), same)
    assert (bare.verdict, bare.reason) == ("not-run", Reason.UNDECLARED_KEY)
    alone = decide_equivalence(Sample.of([93.0]), Sample.of([93.0]), EquivalenceClaim(declared=1.0))
    assert alone.verdict == "inconclusive"
    assert "at least 2 are needed" in alone.rule_in_words


def test_paired_seeds_are_used_for_an_equivalence_where_they_are_declared() -> None:
    base = (80.0, 95.0, 85.0, 99.0, 90.0)
    ours = tuple(value + 0.1 * (n % 2) for n, value in enumerate(base))
    said = claims("type: equivalence, baselines: [base], margin: 0.5", ours=FIXES, base=FIXES)
    found = verdict(said, runs(ours=ours, base=base))
    assert (found.verdict, found.test) == ("reproduced", "paired t")
    assert "n = 5 pairs" in found.rule


def test_the_headline_of_an_equivalence_names_what_was_found() -> None:
    said: Claims = claims("type: equivalence, baselines: [base], margin: 0.5")
    [found] = conclude(Evidence(claims=said, runs=runs(ours=GOOD, base=NEAR)), []).verdicts
    assert found.headline.startswith("C1: reproduced. Equivalent within ±0.50 (as declared): ")


# --- degenerate samples, and how many runs ----------------------------------------------------


def test_no_seed_and_one_seed_are_told_by_name() -> None:
    none = verdict(claims(GAIN), runs(ours=GOOD))
    assert (none.verdict, none.reason) == ("not-run", Reason.NOT_OBSERVED)
    one = verdict(claims(GAIN), runs(ours=GOOD, base=(88.0,)))
    assert (one.verdict, one.rule) == (
        "inconclusive",
        "No verdict from these seeds: the baseline has 1 finished seed (at least 2 are needed); "
        "n = 5 + 1.",
    )


def test_a_crashed_seed_of_five_is_told_and_two_leave_the_gain_open() -> None:
    one = verdict(claims(GAIN), runs(ours=GOOD, base=(*BASE[:4], None)))
    assert (one.verdict, one.n_baseline) == ("reproduced", 4)
    assert "1 of 5 seeds of the baseline crashed" in one.rule
    two = verdict(claims(GAIN), runs(ours=GOOD, base=(*BASE[:3], None, None)))
    assert two.verdict == "inconclusive"
    assert "2 of 5 seeds of the baseline crashed, more than 20 %" in two.rule


def test_noether_asks_for_29_pairs_of_runs_at_three_quarters() -> None:
    assert noether(0.75) == pytest.approx(28.859, abs=5e-4)
    assert noether(0.9) < noether(0.75) < noether(0.6)
    for gamma, alpha in ((0.5, 0.05), (1.1, 0.05), (0.75, 0.5)):
        with pytest.raises(ValueError, match="must"):
            noether(gamma, alpha=alpha)
