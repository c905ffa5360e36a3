"""No number of right answers gives the printed accuracy.

## What it catches
An accuracy of n examples is one of 0/n, 1/n, ... n/n, and a mean over seeds lies on a finer grid.
A printed value that no point of the grid rounds to was not measured on that many examples, or not
measured so: the value of a row, each seed listed beside it, and its mean and spread together.

## When it is legitimate
Truncation; averages of seeds that were rounded first; another number of test examples than stated;
means of batches or classes, weighted or multi-crop scores, folds. Only a metric that counts right
answers over all examples (`aggregation: per-sample`) is flagged.

## How it is decided
Exact integers, first with the nearest rounding, then truncated, then rounded either way, then with
seeds rounded before they were averaged: a finding needs all to fail, and a note names the one that
explains it. A spread may be the sample or population deviation, the standard error or half a 95 %
interval unless `std_kind` says which. Where every number of that many digits is on the grid (grid
points x unit of at least one), the answer is *not testable*, never passed.

## How to fix
Give the number of right answers, correct `n_test`, or say how the average was formed.

## Source
hzwer 6.3; Brown and Heathers 2017 (GRIM); Anaya 2016 (GRIMMER)
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from repcheck.claims.metrics import is_count
from repcheck.claims.model import Claims, Metric, Result
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, printed, printed_list, written
from repcheck.over_rows import over_rows
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Severity,
    Undetermined,
    rule,
)
from repcheck.stats.forensics import SPREADS, Fit, grim, informative, neighbours, power
from repcheck.stats.forensics_grimmer import Seeds, grimmer
from repcheck.stats.printed import Printed

_NO_COUNT = NotApplicable(message="the metric is no count of right answers")
_NO_MEAN = NotApplicable(message="neither a mean over seeds nor the value of one")
_NO_SHARE = NotApplicable(message="a share below none or above all (RC909)")
_AVERAGE = NotApplicable(message="an average of cells is checked by its cells")
_SCALES = {"percent": Fraction(1, 100), "fraction": Fraction(1)}
_MODEST = {
    Fit.TRUNCATED: "only if it was truncated",
    Fit.ANY: "only if it was rounded up",
    Fit.ROUNDED_SEEDS: "only as a mean of seeds that were rounded first",
}
_PAIR = {**_MODEST, Fit.ROUNDED_SEEDS: "only from seeds that were rounded first"}
_MANY_SUMS = 64
_DECIMALS = re.compile(r"\.(\d+)")
_SLACK = 1e-9
_UNDER_ANY = "under any rounding"


@rule("RC906", Severity.MAJOR, part=Part.FORENSIC)
def check(claims: Claims, table: Table) -> Answer:
    counts = {metric.id for metric in claims.metrics.values() if is_count(metric)}

    def ask(row: Result) -> Outcome:
        metric = table.metric_of(row)
        return _judge(row, metric, table) if metric.id in counts else _NO_COUNT

    return over_rows(claims.results, ask, needs="metric")


def _judge(result: Result, metric: Metric, table: Table) -> Outcome:
    if written(result, "aggregate"):
        return _AVERAGE
    leaf, seeds = _number(result)
    if leaf is None:
        return _NO_MEAN
    items = _items(result, metric, table)
    scale = _SCALES.get(metric.unit.value)
    if scale is None:
        return NotApplicable(message=f"{metric.unit.value} is no share")
    shown = printed(leaf)
    if not 0 <= leaf.value * float(scale) <= 1 + _SLACK:
        return _NO_SHARE
    if (found := _listed(result, metric, items, scale)) is not None:
        return found
    pair = leaf is result.mean and seeds > 1 and written(result, "std")
    if not informative(shown, items.value * seeds, scale):
        odd = None
        if pair and _few(result.std.value * float(scale), shown, (items.value, seeds), scale):
            few = _together(result, shown.scaled(scale), scale, (items.value, seeds))
            odd = _with_spread(result, few, _seed_unit(result, scale), metric, items)
        return odd or _not_testable(items.value * seeds, shown.unit)
    share, unit = shown.scaled(scale), _seed_unit(result, scale)
    fit = grim(share, items.value, seeds, unit)
    both = _together(result, share, scale, (items.value, seeds)) if pair else None
    odd = _with_spread(result, both, unit, metric, items) if both and fit is Fit.NEAREST else None
    if odd is not None:
        return odd
    return _verdict(share, scale, fit, (leaf, items, seeds), metric)


def _few(spread: float, shown: Printed, of: tuple[int, int], scale: Fraction) -> bool:
    """Return whether a spread is of so few answers that it lies on a grid of its own.

    A quick look: about 2 s u (n - 1) sums of squares round to one spread, with s and u in answers.
    """
    items, n = of
    unit = float(shown.unit) * float(scale) * items
    return 2 * spread * items * unit * (n - 1) < _MANY_SUMS


def _together(result: Result, share: Printed, scale: Fraction, of: tuple[int, int]) -> Seeds:
    return Seeds(mean=share, spread=printed(result.std).scaled(scale), items=of[0], n=of[1])


def _listed(result: Result, metric: Metric, items: Stated[int], scale: Fraction) -> Outcome | None:
    """Return what speaks against a listed seed, the worst first; None if each is on the grid."""
    if not written(result, "per_seed") or _too_coarse(result.per_seed, items.value, scale):
        return None
    count, worst = items.value, None
    for i, seed in enumerate(printed_list(result.per_seed), start=1):
        if not informative(seed, count, scale) or _near(seed, count, scale):
            continue
        fit = grim(seed.scaled(scale), count)
        if fit is Fit.NONE or (fit in _MODEST and worst is None):
            worst = (i, seed, fit)
        if fit is Fit.NONE:
            break
    if worst is None:
        return None
    i, seed, fit = worst
    below, above = (float(x / scale) for x in neighbours(seed.scaled(scale), count))
    digits = len(seed.text.partition(".")[2]) + 2
    seen = Quantity(
        name="nearest value that can be reached", value=below, level=Level.FORENSIC,
        source=str(result.per_seed.place),
    )  # fmt: skip
    words = f"seed {i} of the list, {seed.text}"
    nearest = f"with {count:,} examples (nearest are {below:.{digits}f} and {above:.{digits}f})"
    if fit in _MODEST:
        return Flagged(
            message=f"{words}, can be reached {nearest} {_MODEST[fit]}",
            kind=Kind.MISMATCH, severity=Severity.NOTE, seen=seen, at=result.per_seed.place,
        )  # fmt: skip
    return _impossible(
        f"{words}, cannot be reached {nearest} {_UNDER_ANY}", seen, result.per_seed, items, metric
    )


def _too_coarse(listed: Stated[tuple[float, ...]], items: int, scale: Fraction) -> bool:
    """Return whether no listed seed has the digits that could speak against it: a quick look."""
    text = listed.text or repr(listed.value)
    if "e" in text.lower():
        return False
    most = max(map(len, _DECIMALS.findall(text)), default=0)
    return bool(items * scale.numerator >= scale.denominator * 10**most)


def _near(seed: Printed, items: int, scale: Fraction) -> bool:
    """Return whether a seed surely is a count of answers: a quick look in floating point."""
    count = float(seed.value) * float(scale) * items
    return abs(count - round(count)) < 0.49 * float(seed.unit) * float(scale) * items


def _with_spread(
    result: Result, both: Seeds, unit: Fraction | None, metric: Metric, items: Stated[int]
) -> Outcome | None:
    """Return what speaks against mean and spread together; None if some counts give both."""
    kinds = (result.std_kind.value,) if written(result, "std_kind") else SPREADS
    fit = grimmer(both, kinds, unit).fit
    if fit in {Fit.NEAREST, Fit.NOT_TESTABLE}:
        return None
    leaf, words = result.std, f"{both.mean.text} with a spread of {both.spread.text}"
    n = f"{both.items:,} examples and {both.n} seeds"
    seen = Quantity(
        name="spread that no counts give", value=leaf.value, level=Level.FORENSIC,
        source=str(leaf.place),
    )  # fmt: skip
    if fit in _PAIR:
        return Flagged(
            message=f"{words} can be reached with {n} {_PAIR[fit]}",
            kind=Kind.MISMATCH, severity=Severity.NOTE, seen=seen, at=leaf.place,
        )  # fmt: skip
    by = "as any kind of spread" if len(kinds) > 1 else "as such a spread"
    return _impossible(
        f"{words} cannot be reached with {n} {by} {_UNDER_ANY}", seen, leaf, items, metric
    )


@lru_cache(maxsize=256)
def _not_testable(grid: int, unit: Fraction) -> Undetermined:
    return Undetermined(
        message=f"not testable: the power is 0: with {grid:,} answers in all, every number is "
        f"possible that is printed to {float(unit):g}",
        reason=Reason.NOT_TESTABLE,
        would_decide="more digits, or the predictions",
    )


def _number(result: Result) -> tuple[Stated[float] | None, int]:
    """Return the number and over how many seeds it is a mean."""
    for key in ("single", "best"):
        if written(result, key):
            return getattr(result, key), 1
    if not written(result, "mean"):
        return None, 0
    if not written(result, "n") and written(result, "per_seed"):
        return result.mean, len(result.per_seed.value)
    return result.mean, result.n.value


def _items(result: Result, metric: Metric, table: Table) -> Stated[int]:
    if metric.n_test.known:
        return metric.n_test
    dataset = table.claims.datasets.get(table.dataset_of(result))
    split = metric.computed_on.get("").casefold()
    if split and "test" not in split:
        return metric.n_test  # raises: the size of the test set is not that of another split
    if dataset is None or dataset.test.size.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{metric.n_test.path}`")
    if dataset.split.folds.known:
        return metric.n_test  # raises: a mean of folds has no one test set
    return dataset.test.size


def _seed_unit(result: Result, scale: Fraction) -> Fraction | None:
    if not written(result, "per_seed") or not result.per_seed.value:
        return None
    return max(seed.unit for seed in printed_list(result.per_seed)) * scale


def _verdict(
    share: Printed,
    scale: Fraction,
    fit: Fit,
    of: tuple[Stated[float], Stated[int], int],
    metric: Metric,
) -> Outcome:
    leaf, items, seeds = of
    grid = items.value * seeds
    below, above = (float(x / scale) for x in neighbours(share, grid))
    seen = Quantity(
        name="nearest value that can be reached",
        value=below if abs(below - leaf.value) < abs(above - leaf.value) else above,
        level=Level.FORENSIC,
        source=str(leaf.place),
    )
    n = f"{items.value:,} examples" + (f" and {seeds} seeds" if seeds > 1 else "")
    if fit is Fit.NEAREST:
        limit = f"would have seen {100 * float(power(share, grid)):.0f} % of made-up numbers"
        return Cleared(message=f"{share.text} can be reached with {n}", seen=seen, limit=limit)
    digits = len(share.text.partition(".")[2]) + 2
    nearest = f"nearest are {below:.{digits}f} and {above:.{digits}f}"
    if fit in _MODEST:
        return Flagged(
            message=f"{share.text} can be reached with {n} {_MODEST[fit]} ({nearest})",
            kind=Kind.MISMATCH,
            severity=Severity.NOTE,
            seen=seen,
            at=leaf.place,
        )
    words = f"{share.text} cannot be reached with {n} ({nearest}) {_UNDER_ANY}"
    return _impossible(words, seen, leaf, items, metric)


def _impossible(
    words: str,
    seen: Quantity,
    leaf: Stated[float] | Stated[tuple[float, ...]],
    items: Stated[int],
    metric: Metric,
) -> Outcome:
    aggregation = metric.aggregation
    if aggregation.undeclared:
        return Undetermined(
            message=f"{words}, unless it is no count over all examples",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"declare `{aggregation.path}` (per-sample, or what it is a mean of)",
            seen=seen,
        )
    if aggregation.get("") != "per-sample":
        return NotApplicable(message=f"the metric is a mean over {aggregation}")
    return Flagged(
        message=words,
        kind=Kind.MISMATCH,
        severity=Severity.MAJOR if items is metric.n_test else Severity.MINOR,
        seen=seen,
        at=leaf.place,
    )
