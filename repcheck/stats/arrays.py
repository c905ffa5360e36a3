"""Arrays of scores as the tests want them: finite, of a known shape, and of a size that squares."""

from collections.abc import Sequence
from math import frexp, ldexp

import numpy as np
from numpy.typing import ArrayLike, NDArray

from repcheck.stats.wording import counted

Floats = NDArray[np.float64]

MOST_WORK = 1_000_000_000
"""So many values times draws are resampled (a minute or so); more is refused in words."""


LARGEST = 1e304
"""Beyond it sums of scores overflow; no score is so large."""
BLOCK = 1 << 19
"""So many counts are held at a time."""


def finite(name: str, values: ArrayLike, *, ndim: int = 1, least: int = 1) -> Floats:
    """Return the values as doubles with `ndim` axes and at least `least` of them along the last.

    Raises ValueError for another shape, too few values, NaN, infinity, or beyond 1e304, and for
    what is no plain number: text that is none, complex numbers, masked values.
    """
    array = _doubles(name, values)
    if array.ndim != ndim:
        shape = "a plain list" if ndim == 1 else "a table"
        raise ValueError(f"{name} must be {shape} of numbers, not {array.ndim}-dimensional")
    if array.size == 0 or array.shape[-1] < least:
        found = 0 if array.size == 0 else array.shape[-1]
        raise ValueError(f"{name} need at least {counted(least, 'value')}, not {found}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers, not NaN or infinite")
    if np.abs(array).max() > LARGEST:
        raise ValueError(f"{name} must not be larger than {LARGEST:g}")
    return array


def _doubles(name: str, values: ArrayLike) -> Floats:
    found = np.asarray(values)
    # Both would lose a part in silence: the imaginary one, and which values do not count.
    if np.iscomplexobj(found) or np.ma.is_masked(values):
        raise ValueError(f"{name} must be plain numbers, neither complex nor masked")
    try:
        return found.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be plain numbers: {error}") from None


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


def units_of_rows(rows: Floats) -> Floats:
    """Return `unit_of` each row, as a column."""
    largest = np.abs(rows).max(axis=1, keepdims=True)
    found: Floats = np.where(largest > 0, np.ldexp(1.0, np.frexp(largest)[1] - 1), 1.0)
    return found


def require_level(level: float) -> float:
    """Return the level of a two-sided interval. Raises ValueError unless it is between 0 and 1."""
    # Half of it beyond the middle must be told from nothing, and from all.
    if not 0.5 < (1 + level) / 2 < 1:
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


def blocks(draws: int, width: int) -> list[int]:
    """Return the draws in parts whose counts stay in the processor's cache."""
    step = max(1, BLOCK // max(1, width))
    return [min(step, draws - at) for at in range(0, draws, step)]


def drawn_counts(
    sizes: tuple[int, ...], draws: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return how often each run is drawn, all runs x draws, resampling with replacement in a task.

    The tasks' runs stand one after the other; `sizes` are their numbers.
    """
    total = sum(sizes)
    columns = np.arange(draws, dtype=np.int64)
    kind = np.uint16 if max(sizes) < 1 << 16 else np.uint32
    if len(set(sizes)) == 1:
        drawn = random.integers(0, sizes[0], (total, draws), dtype=kind)
    else:
        parts = [random.integers(0, size, (size, draws), dtype=kind) for size in sizes]
        drawn = np.concatenate(parts)
    first = np.repeat(np.cumsum((0, *sizes[:-1])), sizes)
    places = (drawn + first[:, None]) * draws + columns
    return np.bincount(places.ravel(), minlength=total * draws).reshape(total, draws)
