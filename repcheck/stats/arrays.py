"""Arrays of scores as the tests want them: finite, of a known shape, and of a size that squares."""

from collections.abc import Sequence
from math import frexp, ldexp

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MOST_WORK = 1_000_000_000
"""So many values times draws are resampled (a minute or so); more is refused in words."""


def finite(name: str, values: ArrayLike, *, ndim: int = 1, least: int = 1) -> Floats:
    """Return the values as doubles with `ndim` axes and at least `least` of them along the last.

    Raises ValueError for another shape, too few values, NaN or infinity.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes, not {array.ndim}")
    if array.size == 0 or array.shape[-1] < least:
        found = 0 if array.size == 0 else array.shape[-1]
        raise ValueError(f"{name} need at least {least} values, not {found}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers, not NaN or infinite")
    return array


def ragged(name: str, tasks: Sequence[ArrayLike], *, least: int = 1) -> list[Floats]:
    """Return one array of runs for each task; tasks may have different numbers of runs.

    Raises ValueError as `finite` does, and where there is no task.
    """
    if len(tasks) == 0:
        raise ValueError(f"{name} need at least 1 task")
    return [finite(f"{name} (task {at})", one, least=least) for at, one in enumerate(tasks, 1)]


def unit_of(*arrays: Floats) -> float:
    """Return a power of two by which values of any size become at most 2, without rounding.

    Squares and sums of such values neither overflow nor vanish. It is 1 where all are zero.
    """
    largest = max((float(np.abs(one).max()) for one in arrays if one.size), default=0.0)
    return ldexp(1.0, frexp(largest)[1] - 1) if largest > 0 else 1.0


def require_level(level: float) -> float:
    """Return the level of a two-sided interval. Raises ValueError unless it is between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"a level must lie between 0 and 1, not {level}")
    return level


def require_draws(draws: int, values: int) -> int:
    """Return the number of draws. Raises ValueError for fewer than 100 or too much work."""
    if draws < 100:
        raise ValueError(f"at least 100 draws are needed, not {draws}")
    if draws * values > MOST_WORK:
        raise ValueError(
            f"{values:,} values in {draws:,} draws are too many to resample; "
            f"ask for at most {max(100, MOST_WORK // values):,} draws or give fewer values"
        )
    return draws


def drawn_counts(sizes: tuple[int, ...], draws: int, random: np.random.Generator) -> Floats:
    """Return how often each run is drawn, draws x all runs, resampling with replacement in a task.

    The tasks' runs stand one after the other; `sizes` are their numbers.
    """
    total, offset = sum(sizes), 0
    rows = np.arange(draws, dtype=np.int64)[:, None] * total
    places = np.empty((draws, total), dtype=np.int64)
    for size in sizes:
        drawn = random.integers(0, size, (draws, size), dtype=np.int32)
        np.add(rows, drawn + offset, out=places[:, offset : offset + size])
        offset += size
    counts = np.bincount(places.ravel(), minlength=draws * total)
    return counts.reshape(draws, total).astype(np.float64)
