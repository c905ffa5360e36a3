"""Which confusion matrices give the printed scores of two classes together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from repcheck.stats.printed import Interval, Printed, Rounding

SCORES = ("accuracy", "sensitivity", "specificity", "precision", "f1")
MOST_MATRICES = 100_000
_MODES = (Rounding.NEAREST, Rounding.ANY)
_WORD = re.compile(r"[a-z]+")
_NAMES = {
    "accuracy": "accuracy", "acc": "accuracy", "sensitivity": "sensitivity", "sens": "sensitivity",
    "recall": "sensitivity", "tpr": "sensitivity", "specificity": "specificity",
    "spec": "specificity", "tnr": "specificity", "precision": "precision", "ppv": "precision",
    "f": "f1", "fscore": "f1",
}  # fmt: skip
_SPOKEN = frozenset({"score", "binary", "test", "rate", "percent", "at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Printed scores, as fractions of one, of a test set with so many examples of each class.

    `n` seeds were averaged; only accuracy, sensitivity and specificity keep a matrix then.
    """

    counts: tuple[int, ...]
    n: int
    shown: Mapping[str, Printed]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixFit:
    """The weakest rounding under which some matrix gives all scores; None under none.

    `known` is false where there are too many matrices to try.
    """

    mode: Rounding | None
    known: bool = True


def score_of(metric: str) -> str:
    """Return which of `SCORES` a metric's name says that it is, or nothing."""
    words = [word for word in _WORD.findall(metric.lower()) if word not in _SPOKEN]
    digits = re.sub(r"f[\s_-]?1", "", metric.lower())
    if len(words) != 1 or any(one.isdigit() for one in digits):
        return ""
    return _NAMES.get(words[0], "")


def fit_of(of: Scores) -> MatrixFit:
    """Return how the scores can be true together, with either class as the positive one."""
    for mode in _MODES:
        around = {name: shown.within(mode) for name, shown in of.shown.items()}
        for positives, negatives in (of.counts, of.counts[::-1]):
            size = (positives * of.n, negatives * of.n)
            if _tries(*size, around) > MOST_MATRICES:
                return MatrixFit(mode=None, known=False)
            if next(matrices(*size, around), None) is not None:
                return MatrixFit(mode=mode)
    return MatrixFit(mode=None)


def reach(of: Scores, steps: int = 4) -> Fraction:
    """Return the share of scores near the printed ones that no matrix gives: the power here.

    One score at a time is moved by up to `steps` digits.
    """
    seen = tried = 0
    for name, shown in of.shown.items():
        for by in (*range(-steps, 0), *range(1, steps + 1)):
            value = shown.value + by * shown.unit
            if 0 <= value <= 1:
                moved = Printed(value=value, unit=shown.unit, text=shown.text)
                near = Scores(counts=of.counts, n=of.n, shown={**of.shown, name: moved})
                fit = fit_of(near)
                tried += 1
                seen += fit.known and fit.mode is None
    return Fraction(seen, tried) if tried else Fraction(0)


def matrices(
    positives: int, negatives: int, scores: Mapping[str, Interval]
) -> Iterator[tuple[int, int]]:
    """Yield every (true positives, true negatives) that meets all scores, as fractions of one.

    Scores are named as in `SCORES`. Averages over folds or seeds have no one matrix. The idea is
    that of Fazekas and Kovacs 2024 (mlscorecheck).
    """
    for tp in _whole(scores.get("sensitivity"), positives):
        for tn in _rights(tp, positives, negatives, scores):
            if _meets(tp, positives, negatives - tn, scores):
                yield tp, tn


def _tries(positives: int, negatives: int, scores: Mapping[str, Interval]) -> int:
    """Return about how many matrices stand to be tried."""
    hits = _whole(scores.get("sensitivity"), positives)
    size = hits.stop - hits.start
    some = hits[:: max(1, size // 8)]
    rights = [_rights(tp, positives, negatives, scores) for tp in some]
    widest = max((one.stop - one.start for one in rights), default=0)
    return size * max(1, widest)


def _rights(tp: int, positives: int, negatives: int, scores: Mapping[str, Interval]) -> range:
    rights = _whole(scores.get("specificity"), negatives)
    if "accuracy" in scores:
        both = _whole(scores["accuracy"], positives + negatives)
        rights = range(max(rights.start, both.start - tp), min(rights.stop, both.stop - tp))
    if "precision" in scores and tp and scores["precision"].low > 0:
        # tp / (tp + fp) >= low bounds the false positives from above.
        most = floor(tp / scores["precision"].low) - tp
        rights = range(max(rights.start, negatives - most), rights.stop)
    return rights


def _whole(share: Interval | None, of: int) -> range:
    if share is None:
        return range(of + 1)
    return range(max(0, ceil(share.low * of)), min(of, floor(share.high * of)) + 1)


def _meets(tp: int, positives: int, fp: int, scores: Mapping[str, Interval]) -> bool:
    found = {
        "precision": Fraction(tp, tp + fp) if tp + fp else None,
        "f1": Fraction(2 * tp, positives + tp + fp) if positives + tp + fp else None,
    }
    return all(
        value is None or name not in scores or scores[name].low <= value <= scores[name].high
        for name, value in found.items()
    )
