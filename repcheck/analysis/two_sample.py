"""Whether two samples of rows can be told apart: the AUC of a classifier that has to.

A classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests"):
logistic regression with a ridge on the leading principal components, their squares and what these
leave over, in five folds. 0.5 is chance; the interval is that of Hanley and McNeil (1982).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COMPONENTS = 30
FOLDS = 5
STEPS = 8
RIDGE = 5.0
MOST_ROWS = 1000
FEWEST_ROWS = 50
Z95 = 1.959964
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How well two samples are told apart, with the sizes of both and the 95 % interval."""

    auc: float
    low: float
    high: float
    n_first: int
    n_second: int


def told_apart(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32], rng: np.random.Generator
) -> Told | None:
    """Return the AUC of telling two samples of rows (n, values) apart; None below 50 rows each."""
    first, second = (_sampled(one, rng) for one in (first, second))
    if min(len(first), len(second)) < FEWEST_ROWS:
        return None
    features = _features(np.concatenate([first, second]).astype(np.float64), rng)
    label = np.repeat([0.0, 1.0], [len(first), len(second)])
    # Every fold has its share of both.
    fold = np.concatenate([rng.permutation(np.arange(len(one)) % FOLDS) for one in (first, second)])
    score = np.zeros(len(label))
    for number in range(FOLDS):
        held = fold == number
        score[held] = _fitted(features[~held], label[~held], features[held])
    return _auc(score, label == 1)


def _sampled(rows: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    if len(rows) <= MOST_ROWS:
        return rows
    return rows[np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))]


def _features(rows: Doubles, rng: np.random.Generator) -> Doubles:
    """Return the leading components of all rows, their squares and the size of the rest."""
    rows = rows - rows.mean(axis=0)
    spread = rows.std()
    rows = rows / (spread if spread > 0 else 1.0)
    count = min(COMPONENTS, rows.shape[1])
    # Randomised range finder (Halko, Martinsson and Tropp 2011), with two power iterations.
    basis = rows @ rng.standard_normal((rows.shape[1], min(count + 10, rows.shape[1])))
    for _ in range(2):
        basis = rows @ (rows.T @ np.linalg.qr(basis)[0])
    basis = np.linalg.qr(basis)[0]
    _, _, directions = np.linalg.svd(basis.T @ rows, full_matrices=False)
    parts = rows @ directions[:count].T
    rest = np.square(rows).sum(axis=1) - np.square(parts).sum(axis=1)
    made = np.column_stack(
        [parts, np.square(parts), np.log(np.maximum(rest, 0) + 1e-6 * rows.shape[1])]
    )
    scale = made.std(axis=0)
    scaled: Doubles = (made - made.mean(axis=0)) / np.where(scale > 1e-9, scale, 1.0)
    return scaled


def _fitted(features: Doubles, label: Doubles, held: Doubles) -> Doubles:
    """Return the scores of held-out rows: a few Newton steps of ridge logistic regression."""
    design = np.column_stack([np.ones(len(features)), features])
    weight = np.zeros(design.shape[1])
    penalty = np.full(design.shape[1], RIDGE)
    penalty[0] = 1e-6
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ weight, -30, 30)))
        slope = design.T @ (chance - label) + penalty * weight
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
        weight = weight - np.linalg.solve(curve, slope)
    made: Doubles = weight[0] + held @ weight[1:]
    return made


def _auc(score: Doubles, positive: npt.NDArray[np.bool_]) -> Told:
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(score))
    rank[order] = np.arange(1, len(score) + 1)
    _, back = np.unique(score, return_inverse=True)
    rank = (np.bincount(back, rank) / np.bincount(back))[back]  # ties share their ranks
    n, m = int(positive.sum()), int((~positive).sum())
    auc = float((rank[positive].sum() - n * (n + 1) / 2) / (n * m))
    one, two = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = (auc * (1 - auc) + (n - 1) * (one - auc**2) + (m - 1) * (two - auc**2)) / (n * m)
    half = Z95 * math.sqrt(max(variance, 0.0))
    return Told(auc=auc, low=max(0.0, auc - half), high=min(1.0, auc + half), n_first=m, n_second=n)
