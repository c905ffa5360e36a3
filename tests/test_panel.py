"""The recomputed metrics against other people's programs and numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from repcheck.claims.load import parse
from repcheck.claims.model import Metric
from repcheck.facts.predicted import Scored
from repcheck.facts.protocols import Printed, declared, definitions, kind_of, matching
from repcheck.stats import panel
from repcheck.stats.shown import shown


@pytest.mark.parametrize(("classes", "seed"), [(2, 0), (3, 1), (7, 2), (40, 3)])
def test_classification_agrees_with_scikit_learn(classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    label = random.integers(0, max(2, classes - 1), 200)  # one class is never right
    shares = random.dirichlet(np.ones(classes), 200)
    pred = np.where(random.random(200) < 0.6, label, shares.argmax(axis=1))
    found = panel.classification(label, pred, classes, shares)
    names = np.arange(classes)
    there = np.union1d(label, pred)
    expected = {
        "accuracy": metrics.accuracy_score(label, pred),
        "balanced_accuracy": metrics.recall_score(
            label, pred, labels=np.unique(label), average="macro", zero_division=0
        ),
        "macro_f1": metrics.f1_score(label, pred, labels=there, average="macro", zero_division=0),
        "micro_f1": metrics.f1_score(label, pred, average="micro"),
        "weighted_f1": metrics.f1_score(label, pred, average="weighted", zero_division=0),
        "nll": metrics.log_loss(label, shares, labels=names),
        "worst_class_accuracy": metrics.recall_score(
            label, pred, labels=np.unique(label), average=None, zero_division=0
        ).min(),
    }
    if classes == 2:
        expected["binary_f1"] = metrics.f1_score(label, pred)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert set(found) == {*expected, "ece"}


def test_the_calibration_error_is_that_of_its_bins() -> None:
    shares = np.array([[0.9, 0.1], [0.95, 0.05], [0.6, 0.4], [0.3, 0.7]])
    label = np.array([0, 1, 1, 1])
    # 15 bins: 0.9 in (13/15, 14/15], 0.95 in the last, 0.6 in (8/15, 9/15], 0.7 in (10/15, 11/15].
    by_hand = (abs(0.9 - 1) + abs(0.95 - 0) + abs(0.6 - 0) + abs(0.7 - 1)) / 4
    assert panel.calibration_error(label, shares) == pytest.approx(by_hand)
    sure = np.repeat([[0.8, 0.2]], 10, axis=0)
    assert panel.calibration_error(np.array([0] * 8 + [1] * 2), sure) == pytest.approx(0, abs=1e-12)


def test_regression_agrees_with_scikit_learn_and_with_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    label = np.round(random.standard_normal(300), 1)  # with ties
    pred = label + random.standard_normal(300)
    found = panel.regression(label, pred)
    mse = metrics.mean_squared_error(label, pred)
    assert found == pytest.approx(
        {
            "mae": metrics.mean_absolute_error(label, pred),
            "mse": mse,
            "rmse": math.sqrt(mse),
            "r2": metrics.r2_score(label, pred),
            "spearman": pandas.Series(label).rank().corr(pandas.Series(pred).rank()),
        }
    )
    assert set(panel.regression(np.ones(3), np.arange(3.0))) == {"mae", "mse", "rmse"}


def test_psnr_is_that_of_rgb_and_of_luma_in_studio_range() -> None:
    label = np.full((2, 3, 6, 6), 0.5)
    pred = label.copy()
    pred[:, 0] += 0.1  # red alone: a third of the squared error, and 65.481 / 255 of luma
    pred[1, 0] += 0.1
    found = panel.restoration(label, pred, 1.0, [1])
    squared = np.array([0.01, 0.04]) / 3
    luma = (np.array([0.1, 0.2]) * 65.481 / 255) ** 2
    assert found["psnr_rgb"] == pytest.approx(float(-10 * np.log10(squared).mean()))
    assert found["psnr_rgb_pooled"] == pytest.approx(-10 * math.log10(squared.mean()))
    assert found["psnr_y"] == pytest.approx(float(-10 * np.log10(luma).mean()))
    assert found["psnr_y@1"] == pytest.approx(found["psnr_y"])
    assert found["mae"] == pytest.approx(0.05)


def test_psnr_of_a_range_of_255_is_that_of_1_and_a_border_is_cut() -> None:
    random = np.random.default_rng(1)
    label, pred = random.uniform(size=(2, 3, 3, 8, 8))
    small = panel.restoration(label, pred, 1.0, [0, 2])
    large = panel.restoration(255 * label, 255 * pred, 255.0, [0, 2])
    del small["mae"], large["mae"]
    assert small == pytest.approx(large)
    inner = (slice(None), slice(None), slice(2, 6), slice(2, 6))
    cut = panel.restoration(label[inner], pred[inner], 1.0)
    assert small["psnr_y@2"] == pytest.approx(cut["psnr_y"])
    same = panel.restoration(label, label, 1.0)  # no error has no PSNR
    assert same == {"mae": 0.0}


# --- which definition a printed value is of -------------------------------------------------------


def metric(text: str) -> Metric:
    text = text.replace("{", "{higher_is_better: true, ", 1).replace(", }", "}")
    claims = parse(
        f"repcheck: 1\nmethods: {{m: {{}}}}\nmetrics:\n  {text}\nclaims: [{{id: C1, method: m}}]\n",
        "c.yaml",
    )
    return next(iter(claims.metrics.values()))


def scored(**values: float) -> Scored:
    return Scored(source="s", kind="classes", index=np.arange(2), values=values, losses={})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("accuracy: {unit: percent}", "accuracy"),
        ("top1: {unit: percent}", "accuracy"),
        ("acc: {unit: percent, top_k: 5}", ""),
        ("val_accuracy: {unit: percent}", ""),
        ("ema_accuracy: {unit: percent}", ""),
        ("robust_accuracy: {unit: percent}", ""),
        ("macro_f1: {unit: percent}", "f1"),
        ("score: {unit: percent, from: '{out}/m.json:test.f1@last'}", "f1"),
        ("psnr_y: {unit: dB}", "psnr"),
        ("quality: {unit: dB, definition: PSNR on Y}", ""),
        ("error: {unit: percent}", "error"),
        ("rmse: {unit: cm}", "rmse"),
    ],
)
def test_only_what_a_name_is_known_for_is_recomputed(text: str, kind: str) -> None:
    assert kind_of(metric(text)) == kind


def test_a_value_is_compared_in_its_own_unit_and_never_in_one_that_is_not_said() -> None:
    one = scored(accuracy=0.93, balanced_accuracy=0.9)
    assert definitions(metric("accuracy: {unit: percent}"), one)["accuracy"] == pytest.approx(93)
    assert definitions(metric("accuracy: {unit: fraction}"), one)["accuracy"] == 0.93
    assert definitions(metric("error: {unit: percent}"), one) == {"accuracy": pytest.approx(7)}
    assert definitions(metric("accuracy: {}"), one) == {}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("psnr: {unit: dB}", ["psnr_rgb", "psnr_y", "psnr_rgb@4", "psnr_y@4"]),
        ("psnr: {unit: dB, colour_channel: Y}", ["psnr_y", "psnr_y@4"]),
        ("psnr: {unit: dB, colour_channel: Y, crop_border: 4}", ["psnr_y@4"]),
        ("psnr_rgb: {unit: dB, crop_border: 0}", ["psnr_rgb"]),
    ],
)
def test_what_is_declared_of_a_metric_leaves_its_definitions(text: str, kept: list[str]) -> None:
    names = ["psnr_rgb", "psnr_y", "psnr_rgb@4", "psnr_y@4"]
    assert declared(metric(text), names) == kept


def test_the_longest_number_tells_how_far_all_are_rounded() -> None:
    rounded = Printed.of_runs([93.0, 93.25, 92.5])
    assert [one.slack for one in rounded] == pytest.approx([0.005, 0.005, 0.005])
    assert rounded[0].meets(93.004)
    assert not rounded[0].meets(93.02)
    assert Printed.of_runs([93.0])[0].meets(93.4)  # perhaps a whole number is meant
    exact = Printed.of_runs([0.1 + 0.2])[0]
    assert exact.meets(0.3)


def test_one_definition_has_to_explain_every_run() -> None:
    values = Printed.of_runs([90.1, 88.4])
    pairs = [
        (values[0], {"macro_f1": 90.12, "micro_f1": 91.0}),
        (values[1], {"macro_f1": 87.0, "micro_f1": 88.41}),
    ]
    assert matching(pairs) == []
    assert matching(pairs[:1]) == ["macro_f1"]


# --- shown examples -------------------------------------------------------------------------------


def test_the_p_of_shown_examples_is_exact_where_choices_can_be_counted() -> None:
    gains = np.arange(12.0)
    found = shown(gains, np.array([9, 10, 11]), np.random.default_rng(0))
    assert found.exact
    assert found.p == pytest.approx(1 / math.comb(12, 3))
    assert (found.low, found.high) == (
        pytest.approx(100 * 9.5 / 12),
        pytest.approx(100 * 11.5 / 12),
    )
    assert shown(gains, np.array([0, 1, 2]), np.random.default_rng(0)).p == 1.0


@pytest.mark.parametrize(("total", "count"), [(2_000, 6), (60, 20)])
def test_drawn_choices_agree_with_the_normal_one_and_count_the_one_seen(
    total: int, count: int
) -> None:
    random = np.random.default_rng(0)
    gains = random.standard_normal(total)
    places = np.argsort(gains)[-count:]
    best = shown(gains, places, np.random.default_rng(1))
    assert not best.exact
    assert best.p == 1 / (best.splits + 1)
    hits = [
        shown(gains, random.choice(total, count, replace=False), np.random.default_rng(2)).p
        for _ in range(60)
    ]
    assert 0.3 < float(np.mean(hits)) < 0.7
    assert sum(p < 0.01 for p in hits) <= 3


def test_examples_that_are_shown_twice_or_not_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="each once"):
        shown(np.arange(5.0), np.array([1, 1]), np.random.default_rng(0))
    with pytest.raises(ValueError, match="finite"):
        shown(np.array([1.0, np.nan]), np.array([0]), np.random.default_rng(0))
