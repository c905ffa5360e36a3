"""Tables of honest runs, printed in every honest way, never give a finding at minor or above."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import floor
from pathlib import Path
from statistics import mean, pstdev, stdev

import pytest

from repcheck import rules
from repcheck.claims.load import load
from repcheck.fact import Evidence
from repcheck.judge import judge
from repcheck.rule import Severity, State

ARITHMETIC = ("RC603", "RC901", "RC902", "RC906", "RC909", "RC911", "RC913", "RC915")
METHODS, DATASETS = 24, ("a", "b", "c")


def shown(value: float, decimals: int, how: str) -> str:
    if how == "truncated":
        return f"{floor(value * 10**decimals) / 10**decimals:.{decimals}f}"
    return f"{value:.{decimals}f}"


def paper(draw: random.Random, how: str) -> str:
    """Return a claims file of METHODS x DATASETS rows with an average column and a gain each."""
    n_test, seeds, decimals = draw.choice((277, 872, 1000)), draw.randint(2, 6), draw.randint(1, 2)
    lines = [
        "repcheck: 1",
        "datasets: {a: {public: true}, b: {public: true}, c: {public: true}, all: {public: true}}",
        "metrics:",
        "  accuracy: {higher_is_better: true, unit: percent, aggregation: per-sample, "
        f"n_test: {n_test}}}",
        "methods:",
        *(f"  m{i}: {{role: {'proposed' if i else 'baseline'}}}" for i in range(METHODS)),
        "results:",
    ]
    means = {}
    for i in range(METHODS):
        for data in DATASETS:
            hits = [draw.randint(n_test // 2, n_test) for _ in range(seeds)]
            scores = [100 * hit / n_test for hit in hits]
            if how == "rounded seeds":
                scores = [round(score, decimals) for score in scores]
            means[i, data] = mean(scores)
            kind, spread = draw.choice((("sample", stdev), ("population", pstdev)))
            listed = ", ".join(shown(score, decimals, "") for score in scores)
            lines.append(
                f"  - {{method: m{i}, dataset: {data}, metric: accuracy, n: {seeds}, "
                f"mean: {shown(means[i, data], decimals, how)}, std_kind: {kind}, "
                f"std: {shown(spread(scores), decimals, how)}, per_seed: [{listed}]}}"
            )
        average = mean(means[i, data] for data in DATASETS)
        lines.append(
            f"  - {{method: m{i}, dataset: all, metric: accuracy, mean: "
            f"{shown(average, decimals, how)}, aggregate: {{mean_of: [a, b, c]}}}}"
        )
    lines.append("claims:")
    for i in range(1, METHODS):
        gain = shown(means[i, "a"] - means[0, "a"], decimals, "")
        lines.append(
            f"  - {{id: C{i}, method: m{i}, baselines: [m0], dataset: a, metric: accuracy, "
            f'improvement: {gain}, text: "better"}}'
        )
    return "\n".join(lines) + "\n"


def confusion(draw: random.Random, how: str) -> str:
    """Return a claims file of METHODS binary classifiers, each with five scores of one run."""
    positives, negatives = draw.randint(20, 300), draw.randint(20, 300)
    decimals = draw.randint(2, 4)
    names = ("accuracy", "sensitivity", "specificity", "precision", "f1")
    lines = [
        "repcheck: 1",
        f"datasets: {{d: {{test: {{size: {positives + negatives}}}, "
        f"labels: {{counts: [{positives}, {negatives}]}}}}}}",
        "metrics:",
        *(f"  {n}: {{higher_is_better: true, unit: fraction, average: binary}}" for n in names),
        "methods:",
        *(f"  m{i}: {{role: {'proposed' if i else 'baseline'}}}" for i in range(METHODS)),
        "results:",
    ]
    for i in range(METHODS):
        tp, tn = draw.randint(1, positives), draw.randint(0, negatives)
        fp, fn = negatives - tn, positives - tp
        scores = (
            (tp + tn) / (positives + negatives), tp / positives, tn / negatives, tp / (tp + fp),
            2 * tp / (2 * tp + fp + fn),
        )  # fmt: skip
        lines += [
            f"  - {{method: m{i}, metric: {name}, single: {shown(score, decimals, how)}}}"
            for name, score in zip(names, scores, strict=True)
        ]
    return "\n".join([*lines, "claims:", "  - {type: existence, method: m1, metric: f1}"]) + "\n"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("made", [paper, confusion])
@pytest.mark.parametrize("how", ["rounded", "truncated", "rounded seeds"])
def test_an_honest_table_is_clean(
    tmp_path: Path, made: Callable[[random.Random, str], str], seed: int, how: str
) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(made(random.Random(seed), how))
    asked = [rules.load()[code] for code in ARITHMETIC]
    found = judge(Evidence(claims=load(path)), asked)
    assert not [j.message for j in found if j.state is State.ERROR]
    assert not [
        f"{j.rule}: {j.message}"
        for j in found
        if j.state is State.FLAGGED and j.severity is not Severity.NOTE
    ]
    assert any(j.state is State.CLEARED for j in found)
