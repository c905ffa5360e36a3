"""Which confusion matrices give the printed scores of two classes together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import ceil, floor

from repcheck.stats.printed import Interval

SCORES = ("accuracy", "sensitivity", "specificity", "precision", "f1")


def matrices(
    positives: int, negatives: int, scores: Mapping[str, Interval]
) -> Iterator[tuple[int, int]]:
    """Yield every (true positives, true negatives) that meets all scores, as fractions of one.

    Scores are named as in `SCORES`. Averages over folds or seeds have no one matrix. The idea is
    that of Fazekas and Kovacs 2024 (mlscorecheck).
    """
    total = positives + negatives
    hits = _whole(scores.get("sensitivity"), positives)
    for tp in hits:
        rights = _whole(scores.get("specificity"), negatives)
        if "accuracy" in scores:
            both = _whole(scores["accuracy"], total)
            rights = range(max(rights.start, both.start - tp), min(rights.stop, both.stop - tp))
        for tn in rights:
            if _meets(tp, positives, negatives - tn, scores):
                yield tp, tn


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
