"""What the name and the definition of a metric say about the numbers it can give."""

from __future__ import annotations

import re
from functools import lru_cache

from repcheck.claims.model import Metric

_WORD = re.compile(r"[a-z]+|\d+")
_COUNTS = frozenset({"accuracy", "acc", "top", "em", "exact"})
_SHARES = _COUNTS | {"precision", "recall", "auc", "auroc", "iou", "miou", "dice", "map", "f"}
_NO_COUNTS = frozenset(
    {"balanced", "macro", "weighted", "mean", "class", "classes", "average", "soft", "map"}
)


@lru_cache(maxsize=1024)
def _words(name: str) -> frozenset[str]:
    return frozenset(_WORD.findall(name.lower()))


def _says(metric: Metric) -> frozenset[str]:
    return _words(f"{metric.id} {metric.definition.get('')}")


def is_count(metric: Metric) -> bool:
    """Return whether a value is a number of right answers over the number of examples."""
    words = _says(metric)
    if not words & _COUNTS or words & _NO_COUNTS:
        return False
    return metric.average.get("micro") == "micro"


def is_share(metric: Metric) -> bool:
    """Return whether no value can lie below none or above all."""
    return bool(_says(metric) & _SHARES)


def ceiling(metric: Metric) -> int | None:
    """Return what a perfect score prints: 100 in percent, 1 as a fraction, else nothing."""
    if not is_share(metric):
        return None
    return {"percent": 100, "fraction": 1}.get(metric.unit.get(""))
