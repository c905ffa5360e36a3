"""Peaks of devices, confusion matrices that averages keep, cells that repeat each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repcheck.stats.forensics_confusion import Scores, fit_of, reach, score_of
from repcheck.stats.forensics_devices import devices_in, peak_of
from repcheck.stats.forensics_patterns import Spread, repeated_cells
from repcheck.stats.printed import Printed, Rounding, parse


def shown(value: float, decimals: int) -> Printed:
    return parse(f"{value:.{decimals}f}")


@pytest.mark.parametrize(
    ("device", "precision", "tflops", "certain", "count"),
    [
        ("8x A100-80GB", "bf16", 312, True, 8),
        ("NVIDIA A100-SXM4-80GB", "", 312, False, 0),
        ("A100 x 4", "fp32", 156, True, 4),
        ("4 x RTX 3090", "fp16", 142.3, True, 4),
        ("GeForce RTX 3090 Ti", "", 160, False, 0),
        ("RTX4090", "mixed", 330.3, True, 0),
        ("GTX 1080Ti", "fp32", 11.3, True, 0),
        ("GTX 1080Ti", "fp16", 11.3, False, 0),
        ("8xH100", "fp8", 1978.9, True, 8),
        ("TPU v3-8", "bf16", 123, True, 0),
        ("V100S-PCIE-32GB", "fp16", 130, True, 0),
    ],
)
def test_the_peak_of_a_named_device_is_the_makers(
    device: str, precision: str, tflops: float, certain: bool, count: int
) -> None:
    found = peak_of(device, precision)
    assert found is not None
    assert (found.tflops, found.certain) == (tflops, certain)
    assert devices_in(device) == count


@pytest.mark.parametrize(
    "device", ["CPU", "a cluster", "A100 and V100", "RTX 3090 Laptop GPU", "A1000", "L4000", ""]
)
def test_a_device_that_is_not_one_known_device_has_no_peak(device: str) -> None:
    assert peak_of(device) is None


@pytest.mark.parametrize(
    ("name", "score"),
    [("Acc", "accuracy"), ("recall", "sensitivity"), ("F1-score", "f1"), ("F1", "f1"),
     ("specificity", "specificity"), ("recall@5", ""), ("macro F1", ""), ("F2", ""),
     ("balanced accuracy", ""), ("top-1 accuracy", ""), ("mAP", "")],
)  # fmt: skip
def test_a_score_is_known_by_its_plain_name_only(name: str, score: str) -> None:
    assert score_of(name) == score


counts = st.integers(1, 80)


@settings(max_examples=60, deadline=None)
@given(counts, counts, st.integers(1, 4), st.integers(2, 4), st.randoms(use_true_random=False))
def test_honest_scores_of_one_run_or_of_averaged_seeds_always_have_a_matrix(
    positives: int, negatives: int, seeds: int, decimals: int, draw: object
) -> None:
    integer = draw.randint  # type: ignore[attr-defined]
    hits = [(integer(0, positives), integer(0, negatives)) for _ in range(seeds)]
    tp, tn = (sum(one) for one in zip(*hits, strict=True))
    total = {"positives": positives * seeds, "negatives": negatives * seeds}
    scores = {
        "accuracy": (tp + tn) / sum(total.values()),
        "sensitivity": tp / total["positives"],
        "specificity": tn / total["negatives"],
    }
    if seeds == 1:
        false = negatives - tn
        scores |= {"precision": tp / (tp + false)} if tp + false else {}
        scores |= {"f1": 2 * tp / (positives + tp + false)}
    printed = {name: shown(value, decimals) for name, value in scores.items()}
    for both in ((positives, negatives), (negatives, positives)):
        assert fit_of(Scores(counts=both, n=seeds, shown=printed)).mode is Rounding.NEAREST


def test_scores_that_no_matrix_gives_are_seen_and_so_many_examples_that_any_fit_are_not() -> None:
    printed = {
        "accuracy": parse("0.9567"), "sensitivity": parse("0.8545"), "specificity": parse("0.9734")
    }  # fmt: skip
    assert fit_of(Scores(counts=(100, 200), n=1, shown=printed)).mode is None
    coarse = {"accuracy": parse("0.85"), "sensitivity": parse("0.85")}
    large = Scores(counts=(10_000, 20_000), n=1, shown=coarse)
    assert fit_of(large).mode is Rounding.NEAREST
    assert reach(large) == 0
    huge = Scores(counts=(10**9, 10**9), n=1, shown={"precision": parse("0.5"), "f1": parse("0.5")})
    assert not fit_of(huge).known


def test_the_chance_of_a_repeated_cell_is_a_bound() -> None:
    random, tables, n, seen, bound = np.random.default_rng(3), 4000, 5, 0, 0.0
    for _ in range(tables):
        runs = 80 + 0.5 * random.standard_normal((4, n))
        pairs = zip(runs.mean(axis=1), runs.std(axis=1, ddof=1), strict=True)
        cells = {
            i: Spread(mean=shown(m, 1), spread=shown(s, 1), n=n) for i, (m, s) in enumerate(pairs)
        }
        found = repeated_cells(cells)
        seen += bool(found)
        bound += min(1.0, sum(one.chance for one in found)) if found else 0.0
    assert seen
    assert seen / tables <= bound / seen


def test_a_repeated_cell_is_rare_only_with_enough_digits() -> None:
    def chance(mean: str, spread: str) -> float:
        one = Spread(mean=parse(mean), spread=parse(spread), n=5)
        [found] = repeated_cells({"a": one, "b": one})
        return found.chance

    assert chance("93.4", "0.5") > 0.01
    assert chance("93.41234", "0.51234") < 1e-6
    assert not repeated_cells({"a": Spread(mean=parse("93.4"), spread=parse("0.0"), n=5)})


def test_a_turned_number_keeps_the_unit_of_its_last_digit() -> None:
    assert parse("\N{MINUS SIGN}0.30") == parse("-0.30")
    assert parse("0.30").scaled(-1).unit == Fraction(1, 100)
    assert parse("1,234.5") == Printed(
        value=Fraction("1234.5"), unit=Fraction(1, 10), text="1234.5"
    )
