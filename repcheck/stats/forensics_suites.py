"""How benchmark suites average: which scores are averaged first, and which are left out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

_PART = re.compile(r"[a-z0-9]+")
_OFF_GRID = frozenset({"ax", "wnli", "diagnostic", "diagnostics"})
"""Parts of GLUE and SuperGLUE that their averages commonly leave out."""
_SUFFIXES = frozenset(
    {
        "m", "mm", "matched", "mismatched", "acc", "accuracy", "f1", "f1a", "em", "pearson",
        "spearman", "p", "s", "corr", "b",
    }
)  # fmt: skip


_AVERAGES = frozenset({"avg", "average", "averages", "averaged", "mean", "overall"})
_SUITES = frozenset({"glue", "superglue"})
_OF_ALL = frozenset(
    {"score", "acc", "accuracy", "all", "tasks", "datasets", "of", "dev", "test", "again"}
)


def is_average(name: str) -> bool:
    """Return whether a dataset or column is by its name the average of others, and nothing else."""
    words = frozenset(_PART.findall(name.lower()))
    said = words & (_AVERAGES | _SUITES)
    return bool(said) and not words - said - _OF_ALL


def task_of(column: str) -> str:
    """Return the task of a column that shows one of its several scores: MNLI-mm is mnli."""
    words = _PART.findall(column.lower())
    while len(words) > 1 and words[-1] in _SUFFIXES:
        words.pop()
    return "".join(words)


def averaged_first(columns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of columns that show scores of one task, in order.

    Averages of a suite take the mean of a task's scores first (MNLI matched and mismatched, MRPC
    accuracy and F1). Single columns are groups of one.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for column in columns:
        groups[task_of(column)].append(column)
    return tuple(tuple(group) for group in groups.values())


def commonly_left_out(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that averages of their suite do not count."""
    return tuple(column for column in columns if task_of(column) in _OFF_GRID)
