"""What the numbers of a whole table have in common that chance would hardly give them.

Each answer carries a bound on the chance that honest numbers show it, computed from what is
printed; where too little is printed for the chance to be small, the pattern is not testable.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, erfc, exp, hypot, lgamma, log, pi, sqrt
from typing import Generic, TypeVar

from repcheck.stats.printed import Printed

ENOUGH_DIGITS = 50
DEFAULT_SEEDS = 10
"""Taken where the number of seeds is unknown: more seeds make equal spreads likelier."""
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A printed mean and deviation of n seeds, each a share of `items` (0: unknown)."""

    mean: Printed
    spread: Printed
    n: int = 0
    items: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern(Generic[K]):
    """The cells that share something, and a bound on the chance of it."""

    cells: tuple[K, ...]
    text: str
    chance: float


# --- equal spreads ----------------------------------------------------------------------------


def equal_spreads(cells: Mapping[K, Spread], least: int = 3) -> tuple[Pattern[K], ...]:
    """Return the groups of at least three cells with the same spread and different means.

    A sample deviation of n seeds has a density of at most 0.4 sqrt(2 (n - 1)) / sigma, hence a
    second one prints the same with a chance of at most q = that times the printed unit; of m cells
    some k agree with a chance of at most C(m, k) q^(k - 1). Counts make the deviation a grid, whose
    step is added to the unit. Equal means beside equal spreads are one cell printed twice.
    """
    # By the digits: the fractions behind them are slow to compare, and large tables have many.
    groups: dict[str, dict[str, K]] = defaultdict(dict)
    for key, cell in cells.items():
        groups[cell.spread.text].setdefault(cell.mean.text, key)
    distinct = sum(len(group) for group in groups.values())
    found = []
    for group in groups.values():
        keys = tuple(group.values())
        if len(keys) < least or cells[keys[0]].spread.value.numerator <= 0:
            continue
        q = max(_same_spread(cells[key]) for key in keys)
        chance = min(1.0, comb(distinct, len(keys)) * q ** (len(keys) - 1))
        found.append(Pattern(cells=keys, text=cells[keys[0]].spread.text, chance=chance))
    return tuple(found)


def _same_spread(cell: Spread) -> float:
    n = cell.n if cell.n >= 2 else DEFAULT_SEEDS
    value, unit = float(cell.spread.value), float(cell.spread.unit)
    top = 100.0 if float(cell.mean.value) > 1 else 1.0
    # Variances of counts are multiples of 2 / (n (n - 1)) or their half.
    step = 2 * (top / cell.items) ** 2 / (n * (n - 1) * value) if cell.items else 0.0
    return min(1.0, 0.4 * sqrt(2 * (n - 1)) * (unit + step) / value)


# --- equal gains ------------------------------------------------------------------------------


def constant_gain(pairs: Mapping[K, tuple[Spread, Spread]], least: int = 3) -> Pattern[K] | None:
    """Return the gain that one method has over another wherever both stand, if it is one number.

    Gains of true values that are equal still scatter by their standard errors, so the chance that
    k of them print within one unit of each other is at most prod 3 u / (sqrt(2 pi) se). None where
    they differ; a chance of 1 where a spread is missing.
    """
    if len(pairs) < least:
        return None
    rough = [float(a.mean.value) - float(b.mean.value) for a, b in pairs.values()]
    widest = max(max(float(a.mean.unit), float(b.mean.unit)) for a, b in pairs.values())
    if max(rough) - min(rough) > 1.01 * widest:  # well beyond what exact arithmetic would allow
        return None
    gains = {key: a.mean.value - b.mean.value for key, (a, b) in pairs.items()}
    unit = max(max(a.mean.unit, b.mean.unit) for a, b in pairs.values())
    if max(gains.values()) - min(gains.values()) > unit or not any(gains.values()):
        return None
    errors = sorted((_error(a, b) for a, b in pairs.values()), reverse=True)
    chance = 1.0
    for error in errors[1:]:
        chance *= min(1.0, 3 * float(unit) / (sqrt(2 * pi) * error)) if error else 1.0
    first = next(iter(gains.values()))
    return Pattern(cells=tuple(pairs), text=f"{float(first):g}", chance=chance)


def _error(a: Spread, b: Spread) -> float:
    if a.n < 2 or b.n < 2:
        return 0.0
    return hypot(float(a.spread.value) / sqrt(a.n), float(b.spread.value) / sqrt(b.n))


# --- the same numbers twice -------------------------------------------------------------------


def repeated_rows(
    rows: Mapping[K, Sequence[Printed | None]], least: int = 3
) -> tuple[Pattern[K], ...]:
    """Return rows of a table that show the same numbers, column by column.

    The chance is a bound by the digits: each column's values spread over as many units as lie
    between its lowest and its highest.
    """
    spans = _spans(list(rows.values()))
    groups: dict[tuple[tuple[int, Fraction], ...], list[K]] = defaultdict(list)
    for key, cells in rows.items():
        known = tuple((i, cell.value) for i, cell in enumerate(cells) if cell is not None)
        if len(known) >= least:
            groups[known].append(key)
    found = []
    for known, keys in groups.items():
        if len(keys) > 1:
            same = 1.0
            for column, _ in known:
                same /= spans[column]
            chance = min(1.0, comb(len(rows), 2) * same)
            text = ", ".join(f"{float(value):g}" for _, value in known[:4])
            found.append(Pattern(cells=tuple(keys), text=text, chance=chance))
    return tuple(found)


def _spans(rows: Sequence[Sequence[Printed | None]]) -> list[float]:
    spans = []
    for column in zip(*rows, strict=True):
        known = [cell for cell in column if cell is not None]
        if not known:
            spans.append(1.0)
            continue
        unit = max(cell.unit for cell in known)
        values = [cell.value for cell in known]
        # A third of the range: values crowd in the middle of it.
        spans.append(max(1.0, float((max(values) - min(values)) / unit) / 3))
    return spans


def repeated_cells(cells: Mapping[K, Spread]) -> tuple[Pattern[K], ...]:
    """Return groups of two or more cells with the same mean and the same spread.

    Whatever the true means are, the difference of two measured ones has a density of at most
    1 / (sqrt(2 pi) se), so two print the same with a chance of at most 2 u / (sqrt(2 pi) se), grid
    step included; times the chance of one spread (`equal_spreads`), times the pairs there are.
    """
    groups: dict[tuple[str, str], list[K]] = defaultdict(list)
    for key, cell in cells.items():
        if cell.spread.value.numerator > 0:
            groups[cell.mean.text, cell.spread.text].append(key)
    found = []
    for keys in groups.values():
        if len(keys) < 2:
            continue
        same = max(_same_spread(cells[key]) * _same_mean(cells[key]) for key in keys)
        chance = min(1.0, comb(len(cells), len(keys)) * same ** (len(keys) - 1))
        first = cells[keys[0]]
        text = f"{first.mean.text} with {first.spread.text}"
        found.append(Pattern(cells=tuple(keys), text=text, chance=chance))
    return tuple(found)


def _same_mean(cell: Spread) -> float:
    n = cell.n if cell.n >= 2 else DEFAULT_SEEDS
    error = float(cell.spread.value) * sqrt(2 / n)
    top = 100.0 if float(cell.mean.value) > 1 else 1.0
    step = top / (cell.items * n) if cell.items else 0.0
    return min(1.0, 2 * (float(cell.mean.unit) + step) / (sqrt(2 * pi) * error))


# --- last digits ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDigits:
    """How the last digits of a table's numbers are spread; `p` is that of chi squared."""

    counts: tuple[int, ...]
    statistic: float
    p: float


def last_digits(numbers: Sequence[Printed], grid: int = 0) -> LastDigits | None:
    """Return the test of uniform last digits, or None where it says nothing.

    It needs fifty numbers over many more than ten units, of at least two decimals or digits, and a
    grid of scores (`grid` points, 0 if unknown or none) that is much finer than a unit: shares of
    few examples do not end in all digits alike.
    """
    fit = [n for n in numbers if abs(n.value) >= 10 * n.unit]
    if len(fit) < ENOUGH_DIGITS:
        return None
    unit = max(n.unit for n in fit)
    values = sorted(n.value for n in fit)
    low, high = values[len(values) // 4], values[-len(values) // 4]
    if high - low < 20 * unit or (grid and unit * grid < 1000):
        return None
    tally = Counter(int(abs(n.value) / n.unit) % 10 for n in fit)
    counts = tuple(tally[digit] for digit in range(10))
    expected = len(fit) / 10
    statistic = sum((count - expected) ** 2 for count in counts) / expected
    return LastDigits(counts=counts, statistic=statistic, p=chi_squared_tail(statistic, 9))


def chi_squared_tail(x: float, df: int) -> float:
    """Return the chance that chi squared with an odd number of degrees of freedom is above x."""
    if x <= 0:
        return 1.0
    total, term = erfc(sqrt(x / 2)), 0.0
    for k in range(1, df, 2):
        term += exp(k / 2 * log(x / 2) - x / 2 - lgamma(k / 2 + 1))
    return min(1.0, total + term)
