"""Number forensics against published worked examples and against brute force."""

from __future__ import annotations

from fractions import Fraction
from statistics import pstdev, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.stats.forensics import (
    ABSOLUTE,
    REDUCTION,
    RELATIVE,
    Fit,
    average_fit,
    gains,
    grim,
    informative,
    largest_deviation,
    neighbours,
    power,
    reachable,
    spreads_that_fit,
)
from repcheck.stats.printed import Interval, Printed, Rounding, fits, parse, parse_all, root

# scrutiny's example data (README and tests/testthat/test-grim*.R): mean, n, consistent
PIGS1 = [
    ("7.22", 32, True), ("4.74", 25, False), ("5.23", 29, False), ("2.57", 24, False),
    ("6.77", 27, False), ("2.68", 28, True), ("7.01", 29, False), ("7.38", 26, True),
    ("3.14", 27, False), ("6.89", 31, False), ("5.00", 25, True), ("0.24", 28, False),
]  # fmt: skip
PIGS2 = [("67.4", 0), ("54.2", 0), ("54.0", 1), ("69.8", 0), ("68.1", 0), ("55.4", 0)]
SERIES = [
    ("5.{}", range(19, 31), 28, "FFTFFFTFFFTF"),
    (".{}", range(150, 160), 360, "TFFTFFTFTF"),
    (".{}", range(80, 90), 56, "TFTFTFTTTT"),
]


def percent(text: str) -> Printed:
    return parse(text).scaled(Fraction(1, 100))


@pytest.mark.parametrize(("mean", "n", "expected"), PIGS1)
def test_grim_agrees_with_scrutiny_on_means(mean: str, n: int, expected: bool) -> None:
    assert reachable(parse(mean).within(), n) is expected


@pytest.mark.parametrize(("share", "expected"), PIGS2)
def test_grim_agrees_with_scrutiny_on_percentages(share: str, expected: int) -> None:
    assert reachable(percent(share).within(), 150) is bool(expected)


@pytest.mark.parametrize(("form", "digits", "grid", "expected"), SERIES)
def test_grim_agrees_with_scrutiny_on_series(
    form: str, digits: range, grid: int, expected: str
) -> None:
    answers = [reachable(parse(form.format(d)).within(), grid) for d in digits]
    assert "".join("T" if a else "F" for a in answers) == expected


def test_grim_agrees_with_rsprite2() -> None:
    assert not reachable(parse("5.19").within(), 28)
    assert neighbours(parse("5.19"), 28)[0] == Fraction(145, 28)  # prints as 5.18
    assert reachable(parse("5.18").within(), 28)
    below, above = neighbours(parse("5.83"), 50)
    assert (float(below), float(above)) == (5.82, 5.84)


def test_power_is_the_share_of_made_up_numbers_that_the_grid_excludes() -> None:
    assert power(percent("87.50"), 45) == Fraction("0.9955")
    assert [round(100 * power(percent("87.50"), 277 * n)) for n in (1, 3, 5)] == [97, 92, 86]
    assert power(percent("93.2"), 10_000) == 0


def test_grim_says_not_testable_where_every_number_is_reachable() -> None:
    assert grim(percent("93.2"), 1000) is Fit.NOT_TESTABLE
    assert grim(percent("93.21"), 10_000) is Fit.NOT_TESTABLE
    assert grim(percent("93.21"), 2000, seeds=5) is Fit.NOT_TESTABLE


def test_an_accuracy_that_no_count_gives_is_found() -> None:
    assert grim(percent("94.37"), 1000) is Fit.NONE
    assert grim(percent("94.30"), 1000) is Fit.NEAREST
    assert [float(x) for x in neighbours(percent("94.37"), 1000)] == [0.943, 0.944]


def test_truncation_is_tried_before_a_number_is_called_impossible() -> None:
    assert float(Fraction(200, 277)) == pytest.approx(0.722022)
    assert grim(percent("72.20"), 277) is Fit.NEAREST
    assert grim(percent("72.21"), 277) is Fit.ANY  # 72.2022 rounded up
    assert grim(percent("72.25"), 277) is Fit.NONE


def test_seeds_averaged_after_rounding_are_innocent() -> None:
    seeds = [Fraction(round(Fraction(k, 277) * 10_000), 10_000) for k in (200, 203, 207)]
    shown = Printed(value=Fraction(round(sum(seeds) / 3 * 10_000), 10_000), unit=Fraction(1, 10**4),
                    text="")  # fmt: skip
    assert grim(shown, 277, seeds=3) is not Fit.NONE


@given(st.integers(20, 900), st.lists(st.integers(0, 10**6), min_size=1, max_size=7))
def test_grim_never_accuses_an_honest_mean(items: int, draws: list[int]) -> None:
    shares = [Fraction(draw % (items + 1), items) for draw in draws]
    rounded = [Fraction(round(share * 10_000), 10_000) for share in shares]
    for seeds in (shares, rounded):
        mean = sum(seeds) / len(seeds)
        for shown in (round(mean * 10_000), int(mean * 10_000)):
            text = f"{shown / 100:.2f}"
            assert grim(percent(text), items, len(seeds)) is not Fit.NONE


@given(st.lists(st.integers(0, 10**5), min_size=2, max_size=12), st.integers(0, 2))
def test_an_honest_spread_always_fits_its_own_kind(raw: list[int], decimals: int) -> None:
    values = [x / 1000 for x in raw]
    shown = [parse(f"{v:.{decimals}f}") for v in values]
    n = len(values)
    for kind, spread in (
        ("sample", stdev(values)),
        ("population", pstdev(values)),
        ("sem", stdev(values) / n**0.5),
        ("ci95", 1.959964 * stdev(values) / n**0.5),
    ):
        printed = parse(f"{spread:.{decimals}f}")
        assert kind in spreads_that_fit(shown, printed, Rounding.ANY)


def test_each_convention_of_spread_is_told_apart() -> None:
    seeds = parse_all("[93.30, 92.20, 93.00, 92.60, 93.40]")
    assert spreads_that_fit(seeds, parse("0.50")) == ("sample",)
    assert spreads_that_fit(seeds, parse("0.45")) == ("population",)
    assert spreads_that_fit(seeds, parse("0.22")) == ("sem",)
    assert spreads_that_fit(seeds, parse("0.44")) == ("population", "ci95")
    assert spreads_that_fit(seeds, parse("0.62")) == ("ci95",)
    assert spreads_that_fit(seeds, parse("1.20"), Rounding.ANY) == ()


def test_each_formula_of_a_gain_is_told_apart() -> None:
    found = gains(parse("93.1"), parse("87.9"), higher=True, ceiling=100, mode=Rounding.NEAREST)
    assert fits(parse("5.2"), found[ABSOLUTE])
    assert fits(parse("5.9"), found[RELATIVE])
    assert fits(parse("43.0"), found[REDUCTION])
    assert not fits(parse("5.9"), found[ABSOLUTE])


def test_a_gain_of_a_falling_metric_is_positive() -> None:
    found = gains(parse("3.1"), parse("4.1"), higher=False, ceiling=None, mode=Rounding.NEAREST)
    assert found[ABSOLUTE].low == Fraction("0.9")
    assert found[ABSOLUTE].high == Fraction("1.1")
    assert REDUCTION not in found


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=12), st.integers(0, 2))
def test_the_interval_rule_never_accuses_an_honest_average(raw: list[int], decimals: int) -> None:
    cells = [x / 10**4 for x in raw]
    parts = {str(i): parse(f"{c:.{decimals}f}") for i, c in enumerate(cells)}
    shown = parse(f"{sum(cells) / len(cells):.{decimals}f}")
    assert average_fit(shown, parts).fit is Fit.NEAREST


def test_a_cell_left_out_of_an_average_is_named() -> None:
    parts = {"a": parse("80.0"), "b": parse("70.0"), "c": parse("50.0")}
    found = average_fit(parse("75.0"), parts)
    assert (found.fit, found.how, found.innocent) == (Fit.NONE, "c", False)
    weighted = average_fit(parse("56.0"), {"a": parse("80.0"), "c": parse("50.0")}, [100, 400])
    assert weighted.innocent
    assert "weighted" in weighted.how


def test_the_largest_deviation_is_that_of_a_split_in_two_halves() -> None:
    half = Interval(low=Fraction(1, 2), high=Fraction(1, 2))
    assert float(largest_deviation(half, 2)) == pytest.approx(stdev([0, 1]))
    assert float(largest_deviation(Interval(low=Fraction(0), high=Fraction(0)), 5)) < 1e-6


def test_a_printed_number_keeps_its_trailing_zeros() -> None:
    assert parse("93.40").unit == Fraction(1, 100)
    assert parse("1e-3").unit == Fraction(1, 1000)
    assert parse("5 %").value == 5
    assert informative(percent("93.40"), 872)
    assert [p.text for p in parse_all("[1, 2.50, -3e2]")] == ["1", "2.50", "-3e2"]


@given(st.fractions(min_value=0, max_value=10**6))
def test_a_root_is_enclosed(square: Fraction) -> None:
    found = root(square)
    assert found.low**2 <= square <= found.high**2
