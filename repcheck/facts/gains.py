"""The gain that a claim states over one baseline, in the metric's own unit and oriented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from repcheck.claims.model import Claim, Claims, Method, Result
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.units import decimals

_PERCENT = frozenset({"percent", "%"})
_FAR = 10
"""An error of 0.9 % beside a reported 1.2 % is in percent, 0.93 beside 93 is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedGain:
    """A claimed gain, one unit of its last printed digit, and what had to be assumed."""

    value: float
    unit: float
    said: tuple[str, ...] = ()


def last_digit(text: str) -> float:
    """Return one unit of the last printed digit."""
    return float(f"1e-{decimals(text)}")


def rows_of(claims: Claims, method: Method, dataset: str, metric: str) -> list[Result]:
    """Return the reported rows of a method on a dataset and metric, one cell each."""
    cell = (method.id, metric, dataset)
    return [
        row
        for row in claims.results
        if (row.method.get(""), row.metric.get(""), row.dataset.get(dataset)) == cell
    ]


def row_of(claims: Claims, method: Method, dataset: str, metric: str) -> Result | None:
    """Return the reported row of a method, where there is exactly one without an `at`."""
    rows = [row for row in rows_of(claims, method, dataset, metric) if row.at.undeclared]
    return rows[0] if len(rows) == 1 else None


def unit_apart(
    unit: str,
    stated: tuple[Sequence[float], Sequence[float]],
    read: tuple[Sequence[float], Sequence[float]],
) -> str:
    """Return why one method's runs are plainly in another unit than the paper; "" if not.

    `stated` are the paper's levels and its claimed differences, `read` what this method's runs and
    the others' read.
    """
    (levels, gains), (own, beside) = stated, read
    every = [*own, *beside]
    why = in_another_unit(unit, levels, every) if levels else in_no_unit(unit, gains, every)
    return why or hundredfold(levels or beside, own)


def in_another_unit(unit: str, stated: Sequence[float], read: Sequence[float]) -> str:
    """Return why what runs read is plainly in another unit than the paper's numbers; "" if not."""
    most = max(map(abs, stated), default=0.0)
    if not read or not any(read):
        return ""
    if unit in _PERCENT and max(read) <= 1 and most > _FAR * max(read) > 0:
        return "is not read above 1 by any run although its unit is percent"
    if unit == "fraction" and min(read) > 1 >= most > 0:
        return "is read above 1 by every run although it is a fraction"
    return hundredfold(stated, read)


def hundredfold(stated: Sequence[float], read: Sequence[float]) -> str:
    """Return in words that what runs read is a fraction of what is stated in percent, or the
    reverse, by their size; "" if it is not.
    """
    if not read:
        return ""
    most, largest = (max(map(abs, values), default=0.0) for values in (stated, read))
    middle = fmean(map(abs, read))
    for small, times in ((largest, 100.0), (most, 0.01)):
        near = any(abs(one) / 2 <= times * middle <= 2 * abs(one) for one in stated)
        if small <= 1 < max(most, largest) and near:
            said = "smaller" if times > 1 else "larger"
            return f"is read about a hundred times {said} than the paper or the other runs have it"
    return ""


def in_no_unit(unit: str, gains: Sequence[float], read: Sequence[float]) -> str:
    """Return why nothing tells the unit of what runs read, where no level is stated; "" if it does.

    `gains` are claimed differences: they bound what is read from below, and from nowhere else.
    """
    if unit == "fraction" and read and min(read) > 1:
        return "is read above 1 by every run although it is a fraction"
    if not read or min(read) < 0 or max(read) > 1 or not any(read):
        return ""
    if unit in _PERCENT:
        return "is not read above 1 by any run although its unit is percent"
    if unit != "fraction" and max(gains, default=0.0) >= 1:
        return "is not read above 1 by any run, and a difference of 1 or more is claimed"
    return ""


def stated_gain(
    claims: Claims, claim: Claim, baseline: Method, dataset: str, rerun: float | None
) -> StatedGain:
    """Return the gain that a claim states over a baseline.

    A relative gain is taken of the baseline's reported value, else of its `rerun` mean; a claim of
    a value that names baselines states the difference of the two reported values.

    Raises:
        Missing: if the value it is relative to is not stated.
        Inapplicable: if no gain is claimed.
    """
    metric = claim.metric.get("")
    row = row_of(claims, baseline, dataset, metric)
    if not claim.improvement.known:
        return _difference(claims, claim, baseline, row)
    stated = claim.improvement
    unit = last_digit(stated.text)
    if not claim.relative:
        return StatedGain(value=stated.value, unit=unit)
    if row is not None and row.centre.known:
        reference, source = abs(row.centre.value), "reported"
    elif rerun is not None:
        reference, source = abs(rerun), "rerun"
    else:
        raise Missing(Reason.UNDECLARED_KEY, f"declare a result of `{baseline.id}`")
    said = f"{stated.text} is taken of the baseline's {source} value {reference:.4g}"
    return StatedGain(
        value=stated.value / 100 * reference, unit=unit / 100 * reference, said=(said,)
    )


def _difference(claims: Claims, claim: Claim, baseline: Method, row: Result | None) -> StatedGain:
    if not claim.value.known or row is None or not row.centre.known:
        raise Missing(Reason.UNDECLARED_KEY, f"declare a result of `{baseline.id}`")
    metric = claims.metrics[claim.metric.value]
    sign = 1 if metric.higher_is_better.value else -1
    gain = sign * (claim.value.value - row.centre.value)
    if gain <= 0:
        raise Inapplicable(f"the paper's own numbers state no gain over `{baseline.id}`")
    unit = max(last_digit(claim.value.text), last_digit(row.centre.text))
    return StatedGain(value=gain, unit=unit)
