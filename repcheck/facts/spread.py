"""How far a reported mean can be from its expectation, by what its row of the table says."""

from __future__ import annotations

from repcheck.claims.model import Claim, Metric, Result
from repcheck.facts.table import centre_of, written


def count(row: Result) -> int | None:
    """Return how many runs a row rests on: `n`, the values listed, or one for `single`."""
    if written(row, "n"):
        return row.n.value
    if written(row, "per_seed"):
        return len(row.per_seed.value)
    return 1 if written(row, "single") else None


def variance_of_mean(row: Result) -> float | None:
    """Return the squared standard error of a row's mean, or nothing.

    A spread of unstated kind is taken as a sample standard deviation.
    """
    n = count(row)
    if n is None or n < 2:
        return None
    if written(row, "std"):
        kind, spread = row.std_kind.get("sample"), row.std.value
        if kind == "sem":
            return spread**2
        if kind == "ci95":
            return (spread / 1.96) ** 2
        return float(spread**2 / (n - 1 if kind == "population" else n))
    if written(row, "per_seed"):
        values = row.per_seed.value
        mean = sum(values) / n
        return sum((value - mean) ** 2 for value in values) / (n - 1) / n
    return None


def claimed_gain(claim: Claim, metric: Metric, mine: Result, other: Result) -> float | None:
    """Return the claimed absolute gain, positive if better: the rows' difference, else as stated.

    The spreads that it is held against are the rows' too; a stated gain may be in another unit.
    """
    ours, theirs = centre_of(mine), centre_of(other)
    if metric.higher_is_better.known and ours.known and theirs.known:
        gain = ours.value - theirs.value
        return gain if metric.higher_is_better.value else -gain
    if claim.improvement.known and not claim.relative:
        return claim.improvement.value
    return None
