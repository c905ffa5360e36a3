"""A mean or spread is not that of the seeds listed beside it.

## What it catches
A row that lists its single seeds and, beside them, a mean, a spread or a number of seeds that the
list does not give: a best seed printed as the mean, a seed left out, a spread from other runs.

## When it is legitimate
Rounding. Every listed value stands for all values that round to it, and the mean may have been
truncated. A spread may be the sample or the population deviation, the standard error or half of a
95 % interval; where `std_kind` is not stated, any of them will do.

## How it is decided
Exact arithmetic on the printed digits. A finding that only the nearest rounding supports is a
note; a wrong label for a spread that fits another convention is minor; what no rounding and no
convention explains is major.

## How to fix
Compute mean and spread from the list again, or list the seeds that they were computed from.

## Source
Brown and Heathers 2017 (GRIM) for the idea of arithmetic on printed digits
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from repcheck.claims.model import Claims, Result
from repcheck.fact import Level, Quantity
from repcheck.facts.table import printed, printed_list, written
from repcheck.over_rows import over_rows
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Part, Severity, rule
from repcheck.stats.forensics import mean_of, spreads_that_fit
from repcheck.stats.printed import Interval, Printed, Rounding

_QUICK = 1e100  # squares of larger numbers are no floating-point numbers
_STATISTICS = ("mean", "median", "best", "single")
_KINDS = {
    "sample": "sample standard deviation",
    "population": "population standard deviation",
    "sem": "standard error of the mean",
    "ci95": "half a 95 % interval",
}


@rule("RC901", Severity.MINOR, part=Part.FORENSIC)
def check(claims: Claims) -> Answer:
    return over_rows(claims.results, _judge, needs="per_seed")


def _judge(result: Result) -> Answer:
    if not result.per_seed.value:
        return NotApplicable(message="an empty list of seeds")
    seeds = printed_list(result.per_seed)
    if _plain(result, seeds):
        return _fine(result, seeds)
    found = [*_count(result, seeds), *_centre(result, seeds), *_spread(result, seeds)]
    return found or _fine(result, seeds)


def _plain(result: Result, seeds: Sequence[Printed]) -> bool:
    """Return whether mean and sample deviation agree so well that nothing finer is needed.

    A quick look in floating point, well inside the intervals of the exact arithmetic.
    """
    n, values = len(seeds), [float(seed.value) for seed in seeds]
    if n < 2 or not written(result, "mean") or (written(result, "n") and result.n.value != n):
        return False
    if max(map(abs, values)) > _QUICK:
        return False
    last = float(min(seed.unit for seed in seeds))
    shown, middle = printed(result.mean), sum(values) / n
    if abs(middle - float(shown.value)) > 0.49 * (last + float(shown.unit)):
        return False
    if not written(result, "std"):
        return True
    spread = printed(result.std)
    deviation = (sum((value - middle) ** 2 for value in values) / (n - 1)) ** 0.5
    near = abs(deviation - float(spread.value)) <= 0.49 * (last + float(spread.unit))
    return near and (not written(result, "std_kind") or result.std_kind.value == "sample")


def _fine(result: Result, seeds: Sequence[Printed]) -> Cleared:
    return Cleared(
        message=f"the printed summary is that of its {len(seeds)} seeds",
        seen=_seen("listed seeds", len(seeds), result),
        limit="would have seen a difference of one printed digit",
    )


def _seen(name: str, value: float, result: Result) -> Quantity:
    source = str(result.per_seed.place)
    return Quantity(name=name, value=round(value, 6), level=Level.FORENSIC, source=source)


def _exact_mean(seeds: Sequence[Printed]) -> Fraction:
    return sum((s.value for s in seeds), Fraction(0)) / len(seeds)


def _count(result: Result, seeds: Sequence[Printed]) -> Iterator[Flagged]:
    n = result.n.get(len(seeds))
    if n != len(seeds):
        yield Flagged(
            message=f"n is given as {n}, {len(seeds)} seeds are listed",
            kind=Kind.MISMATCH,
            severity=Severity.MINOR,
            seen=_seen("listed seeds", len(seeds), result),
            at=result.n.place,
        )


def _centre(result: Result, seeds: Sequence[Printed]) -> Iterator[Flagged]:
    name = next((s for s in _STATISTICS if written(result, s)), "")
    if not name:
        return
    shown = printed(getattr(result, name))
    truth = _centres(seeds)
    wanted = truth["best"] + truth["worst"] if name == "best" else truth[name]
    if _meets(shown, wanted, Rounding.NEAREST):
        return
    others = {k: v for k, v in truth.items() if k in {"mean", "median", "best"} and k != name}
    fits = next((k for k, v in others.items() if _meets(shown, v, Rounding.NEAREST)), "")
    severity = Severity.MINOR if fits == "median" else Severity.MAJOR
    because = f"; it is their {fits}" if fits else ", under any rounding"
    if _meets(shown, wanted, Rounding.TRUNCATED):
        severity, because = Severity.NOTE, "; truncated rather than rounded?"
    elif _meets(shown, wanted, Rounding.ANY):
        severity, because = Severity.NOTE, "; rounded up?"
    digits = max(0, len(shown.text.partition(".")[2])) + 2
    yield Flagged(
        message=f"the {name} is given as {shown.text}, the {len(seeds)} listed seeds "
        f"{_spoken(name, seeds, digits)}{because}",
        kind=Kind.MISMATCH,
        severity=severity,
        seen=_seen("mean of the listed seeds", float(_exact_mean(seeds)), result),
        at=getattr(result, name).place,
    )


def _spoken(name: str, seeds: Sequence[Printed], digits: int) -> str:
    """Return what the list has in the place of a statistic: `have a mean of 93.1234`."""
    if name in {"best", "single"}:
        values = [float(seed.value) for seed in seeds]
        last = max(len(seed.text.partition(".")[2]) for seed in seeds)
        return f"lie between {min(values):.{last}f} and {max(values):.{last}f}"
    if name == "median":
        middle = _centres(seeds)["median"][0]
        return f"have a median of {float((middle.low + middle.high) / 2):.{digits}f}"
    return f"have a mean of {float(_exact_mean(seeds)):.{digits}f}"


def _meets(shown: Printed, wanted: Sequence[Interval], mode: Rounding) -> bool:
    return any(shown.within(mode).meets(interval) for interval in wanted)


def _centres(seeds: Sequence[Printed]) -> dict[str, tuple[Interval, ...]]:
    """Return what each statistic of the unrounded seeds can be."""
    from statistics import median  # slow to import, and rarely needed

    half = max(s.unit for s in seeds) / 2
    values = [s.value for s in seeds]

    def around(value: Fraction) -> tuple[Interval, ...]:
        return (Interval(low=value - half, high=value + half),)

    return {
        "mean": (mean_of(seeds),),
        "median": around(Fraction(median(values))),
        "best": around(max(values)),
        "worst": around(min(values)),
        "single": tuple(s.within() for s in seeds),
    }


def _spread(result: Result, seeds: Sequence[Printed]) -> Iterator[Flagged]:
    if not written(result, "std") or len(seeds) < 2:
        return
    shown, kind = printed(result.std), result.std_kind.get("")  # type: ignore[arg-type]
    fits = spreads_that_fit(seeds, shown)
    if kind in fits or (not kind and fits):
        return
    digits = max(1, len(shown.text.partition(".")[2])) + 1
    from statistics import stdev

    deviation = stdev(float(s.value) for s in seeds)
    severity, because = Severity.MAJOR, "; no convention of a spread gives it under any rounding"
    loose = spreads_that_fit(seeds, shown, Rounding.ANY)
    if kind in loose or (not kind and loose):
        severity, because = Severity.NOTE, "; truncated rather than rounded?"
    elif fits:
        severity, because = Severity.MINOR, f"; it fits the {_KINDS[fits[0]]}"
    label = _KINDS.get(kind, "spread")
    yield Flagged(
        message=f"the {label} is given as {shown.text}, the {len(seeds)} listed seeds have a "
        f"sample standard deviation of {deviation:.{digits}f}{because}",
        kind=Kind.MISMATCH,
        severity=severity,
        seen=_seen("sample standard deviation of the listed seeds", deviation, result),
        at=result.std.place,
    )
