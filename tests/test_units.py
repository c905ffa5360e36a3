# ruff: noqa: E501  (a table of small files reads better unwrapped)
"""Printed numbers are read one way, and nothing that is no number becomes one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repcheck.units import (
    NotANumber,
    convention_of,
    decimals,
    print_duration,
    print_scaled,
    read_number,
)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("93.40", "score", 93.4), ("1e-3", "count", 0.001), ("010", "count", 10),
        ("0x10", "count", 16), ("\N{MINUS SIGN}3", "count", -3), ("29k", "count", 29_000),
        ("7.66 M", "count", 7_660_000), ("50,000", "count", 50_000), ("1.2 billion", "count", 1.2e9),
        ("0.21 MFLOPs", "flops", 2.1e5), ("12 GFLOPs", "flops", 12e9), ("8 MACs", "flops", 8),
        ("4.1 GMACs", "flops", 4.1e9), ("3 G", "flops", 3e9), ("0.5 s", "seconds", 0.5),
        ("3.2 h", "seconds", 11520), ("2 d", "seconds", 172_800), ("90 min", "hours", 1.5),
        ("3 GPU hours", "hours", 3), ("3 GPU-hours", "hours", 3), ("2 GB", "MB", 2000),
        ("1 GiB", "MB", 1073.741824), ("640 GB", "GB", 640), ("0.4 ms", "ms", 0.4),
        ("2 s", "ms", 2000), ("1200 images/s", "rate", 1200), ("94.3 %", "score", 94.3),
        ("24.1 dB", "score", 24.1), ("5 %", "gain", 5), ("5.2 points", "gain", 5.2),
    ],
)  # fmt: skip
def test_printed_numbers_are_read_into_the_unit_of_their_key(text, unit, value):
    assert read_number(text, unit).value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("nan", "score", "finite"), (".inf", "count", "finite"), ("-Infinity", "count", "finite"),
        ("1e999", "count", "finite"), ("9" * 500, "count", "long"), ("", "count", "not a number"),
        ("abc", "count", "not a number"), ("1_000", "count", "unit"), ("93.1 ± 0.6", "score", "two"),
        ("93,1", "score", "comma"), ("3 fortnights", "seconds", "unit"), ("5 apples", "count", "unit"),
        ("1 2", "score", "one number"), ("5 %", "count", "unit"), ("٣", "count", "not a number"),
    ],
)  # fmt: skip
def test_what_is_no_number_of_this_unit_is_refused_with_a_reason(text, unit, said):
    with pytest.raises(NotANumber) as error:
        read_number(text, unit)
    assert said in error.value.what


def test_an_unknown_unit_names_the_known_ones():
    with pytest.raises(NotANumber) as error:
        read_number("3 fortnights", "seconds")
    assert "min" in error.value.hint


def test_percent_and_points_are_told_apart():
    assert read_number("5 %", "gain").unit == "%"
    assert read_number("5 percent", "gain").unit == "%"
    assert read_number("5 pp", "gain").unit == "points"
    assert read_number("5 %-points", "gain").unit == "points"


def test_macs_keep_their_name_and_are_never_doubled():
    reading = read_number("8 GMACs", "flops")
    assert reading == (8e9, "GMACs")
    assert convention_of(reading.unit) == "macs"
    assert convention_of("MFLOPs") == "flops"
    assert convention_of("k") == ""


def test_decimals_are_those_that_are_printed():
    assert [decimals(text) for text in ("93.40", "93", "1e-3", "94.3 %", "1.5e2")] == [
        2,
        0,
        3,
        1,
        0,
    ]


def test_numbers_are_printed_with_a_prefix_and_times_in_a_fitting_unit():
    assert print_scaled(210_000, "FLOPs") == "210 kFLOPs"
    assert print_scaled(7_660_000) == "7.66 M"
    assert [print_duration(s) for s in (0.004, 0.5, 90, 600, 11_520)] == [
        "4 ms", "500 ms", "90 s", "10 min", "3.2 h",
    ]  # fmt: skip


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back_as_itself(value):
    assert read_number(repr(value), "score").value == value


@given(
    st.text(max_size=30), st.sampled_from(["count", "seconds", "flops", "score", "gain", "MB", ""])
)
def test_any_text_is_a_finite_number_or_is_refused(text, unit):
    try:
        value = read_number(text, unit).value
    except NotANumber:
        return
    assert abs(value) < float("inf")
