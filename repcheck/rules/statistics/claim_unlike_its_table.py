"""A claimed number does not follow from the paper's own table.

## What it catches
A gain in the abstract that is not the difference of the two rows it speaks of, a relative gain
called a difference, a gain over another baseline, a best seed against a mean, a value that the
table does not show.

## When it is legitimate
Both rows are rounded, so their difference is an interval; a claim with fewer digits than the table
is as wide as its own last digit. A claim smaller than the table's gain is only noted.

## How it is decided
Interval arithmetic on the printed digits: the claim must meet [ours low - theirs high, ours high -
theirs low], oriented so that positive is better; over several datasets, their mean or the smallest.
Where it does not, the other formulas and rows are tried, and the one that fits is named: then the
finding is minor. A claim above its table that nothing explains is major.

## How to fix
Copy the numbers from the final table again, and say of every gain over whom and by which formula.

## Source
hzwer 6.3; the gain arithmetic of table checkers
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice

from repcheck.claims.comparison import dataset_of
from repcheck.claims.metrics import ceiling
from repcheck.claims.model import Claim, Method, Metric, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, centre_of, printed, printed_list, written
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Severity,
    rule,
)
from repcheck.stats.forensics import ABSOLUTE, REDUCTION, RELATIVE, SPEEDUP, gains
from repcheck.stats.printed import Interval, Printed, Rounding, parse

_NO_NUMBER = NotApplicable(message="the claim states no number that a table could show")
_NO_SHARE = NotApplicable(message="a share of a number below zero has no one meaning")
_TIME = frozenset(
    {"s", "ms", "us", "ns", "sec", "second", "seconds", "min", "minutes", "h", "hours"}
)
_POINTS = "the difference in percentage points"
_ENOUGH = 200  # other rows that are looked at for an explanation
Rows = Sequence[Result]
Gains = Mapping[str, Interval]
Choice = Mapping[str, Sequence[Interval]]


@rule("RC902", Severity.MINOR, part=Part.FORENSIC)
def check(claim: Claim, table: Table) -> Answer:
    if not any(
        leaf.known for leaf in (claim.improvement, claim.value, claim.at_least, claim.at_most)
    ):
        return _NO_NUMBER
    method = table.claims.methods.get(claim.method.value)
    metric = _metric(claim, table)
    if method is None or metric is None:
        return _NO_NUMBER
    ours = _rows(table, claim, method, metric)
    if claim.improvement.known:
        return _improvement(claim, table, metric, ours)
    return _value(claim, metric, ours)


def _metric(claim: Claim, table: Table) -> Metric | None:
    metrics = table.claims.metrics
    if claim.metric.undeclared and len(metrics) == 1:
        return next(iter(metrics.values()))
    return metrics.get(claim.metric.value)


def _rows(table: Table, claim: Claim, method: Method, metric: Metric) -> Rows:
    """Return the rows that the claim is about: one, or one for each of its datasets."""
    names = claim.datasets.get(()) or (dataset_of(table.claims, claim, method),)
    at = claim.at_step.get({}) or None
    rows = []
    for name in names:
        row = table.row(method.id, name, metric.id, at)
        if not centre_of(row).known:
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{row.mean.path}`")
        rows.append(row)
    return rows


def _numbers(rows: Rows) -> list[Printed]:
    return [printed(centre_of(row)) for row in rows]


# --- a value ----------------------------------------------------------------------------------


def _value(claim: Claim, metric: Metric, ours: Rows) -> Outcome:
    leaf = next(v for v in (claim.value, claim.at_least, claim.at_most) if v.known)
    said, shown = printed(leaf), _numbers(ours)
    truth = _mean([number.within() for number in shown])
    bound = said.within()
    low, high = bound.low <= truth.high, truth.low <= bound.high
    held = low if claim.at_least.known else high if claim.at_most.known else low and high
    text = shown[0].text if len(shown) == 1 else f"{float(truth.low + truth.high) / 2:.4g}"
    seen = _seen("value in the table", truth, ours)
    if held:
        return Cleared(message=f"the table shows {text} too", seen=seen, limit="one printed digit")
    above = said.value > (truth.low + truth.high) / 2
    better = metric.higher_is_better.known and metric.higher_is_better.value is above
    loose = _mean([n.within(Rounding.ANY) for n in shown]).meets(said.within(Rounding.ANY))
    return Flagged(
        message=f"the claim says {said.text}, the table {text}",
        kind=Kind.MISMATCH,
        severity=Severity.NOTE if loose or not better else Severity.MAJOR,
        seen=seen,
        at=leaf.place,
    )


def _seen(name: str, truth: Interval, rows: Rows) -> Quantity:
    middle = float((truth.low + truth.high) / 2)
    source = str(centre_of(rows[0]).place)
    return Quantity(name=name, value=round(middle, 6), level=Level.FORENSIC, source=source)


def _mean(intervals: Sequence[Interval]) -> Interval:
    n = len(intervals)
    return Interval(
        low=sum((i.low for i in intervals), Fraction(0)) / n,
        high=sum((i.high for i in intervals), Fraction(0)) / n,
    )


# --- a gain -----------------------------------------------------------------------------------


def _improvement(claim: Claim, table: Table, metric: Metric, ours: Rows) -> Outcome:
    said = parse(claim.improvement.text or repr(claim.improvement.value))
    wanted = RELATIVE if claim.relative else ABSOLUTE
    found, missing = _beside_each(claim, table, metric)
    if not found and missing is not None:
        raise missing
    if claim.relative and any(n.value <= 0 for row in found.values() for n in _numbers(row)):
        return _NO_SHARE
    for name, theirs in found.items():
        plain = wanted == ABSOLUTE and _plain(said, ours, theirs, metric)
        fits = "" if plain else _fitting(claim, said, metric, (ours, theirs))
        if plain or fits:
            return Cleared(
                message=f"{said.text} is {fits or wanted} between the rows of {claim.method} "
                f"and {name}",
                seen=_claimed(claim, wanted, float(said.value)),
                limit="would have seen a difference of one printed digit",
            )
    if missing is not None:
        raise missing
    elsewhere = _elsewhere(claim, table, metric, ours)
    return _contradiction(claim, said, wanted, metric, (ours, found, elsewhere))


def _plain(said: Printed, ours: Rows, theirs: Rows, metric: Metric) -> bool:
    """Return whether the difference of two rows agrees so well that nothing finer is needed.

    A quick look in floating point, well inside the intervals of the exact arithmetic.
    """
    if len(ours) > 1:
        return False
    (a,), (b,) = _numbers(ours), _numbers(theirs)
    gain = float(a.value) - float(b.value)
    off = abs((gain if metric.higher_is_better.value else -gain) - float(said.value))
    return off <= 0.49 * (float(a.unit) + float(b.unit) + float(said.unit))


def _fitting(claim: Claim, said: Printed, metric: Metric, rows: tuple[Rows, Rows]) -> str:
    """Return the formula that the claim's words allow and that gives its number, or nothing.

    "50 % faster" is as often said of the speed (30 ms to 20 ms) as of the time; and a text that
    speaks of the error may mean its reduction.
    """
    allowed = [RELATIVE if claim.relative else ABSOLUTE]
    unit: str = metric.unit.get("")
    if claim.relative and (claim.kind in {"speed", "efficiency"} or unit.lower() in _TIME):
        allowed.append(SPEEDUP)
    if claim.relative and "error" in claim.text.get("").lower():
        allowed.append(REDUCTION)
    choices = _choices(*rows, metric, Rounding.NEAREST)
    return next((formula for formula in allowed if _holds(said, formula, choices)), "")


def _holds(said: Printed, formula: str, choice: Choice) -> bool:
    return any(said.within().meets(gain) for gain in choice.get(formula, ()))


def _claimed(claim: Claim, name: str, value: float) -> Quantity:
    source = str(claim.improvement.place)
    return Quantity(name=name, value=round(value, 6), level=Level.FORENSIC, source=source)


def _beside_each(
    claim: Claim, table: Table, metric: Metric
) -> tuple[dict[str, Rows], Missing | None]:
    """Return the rows of each baseline of the claim, and what is missing of the others."""
    found: dict[str, Rows] = {}
    missing: Missing | None = None
    for name in claim.baselines.value:
        baseline = table.claims.methods.get(name)
        if baseline is None:
            continue
        try:
            found[name] = _rows(table, claim, baseline, metric)
        except Missing as lacking:
            missing = lacking
    if not found and missing is None:
        missing = Missing(Reason.UNDECLARED_KEY, f"name a method in `{claim.baselines.path}`")
    return found, missing


def _choices(ours: Rows, theirs: Rows, metric: Metric, mode: Rounding, only: str = "") -> Choice:
    """Return, by formula, the gain; over several datasets their mean and the smallest."""
    return _gains(_numbers(ours), _numbers(theirs), metric, mode, only)


def _gains(
    ours: Sequence[Printed], theirs: Sequence[Printed], metric: Metric, mode: Rounding, only: str
) -> Choice:
    higher, top = metric.higher_is_better.value, None if only else ceiling(metric)
    each: list[Gains] = [
        gains(a, b, higher=higher, ceiling=top, mode=mode)
        for a, b in zip(ours, theirs, strict=True)
    ]
    formulas = [only] if only else list(each[0])
    found: dict[str, Sequence[Interval]] = {
        name: _mean_and_least([gain[name] for gain in each])
        for name in formulas
        if all(name in gain for gain in each)
    }
    if metric.unit.get("") == "fraction" and not only:
        found[_POINTS] = [gain.scaled(100) for gain in found[ABSOLUTE]]
    return found


def _mean_and_least(each: Sequence[Interval]) -> Sequence[Interval]:
    return each if len(each) == 1 else (_mean(each), min(each, key=lambda i: i.low))


def _elsewhere(
    claim: Claim, table: Table, metric: Metric, ours: Rows
) -> Iterator[tuple[str, Choice]]:
    """Yield the gains that the claim does not speak of: the best seed, another baseline."""
    if len(ours) != 1:
        return
    named, own = claim.baselines.value, claim.method.value
    near: list[Result] = []
    for row in islice(table.beside(ours[0]), _ENOUGH):
        name = row.method.get("")
        if name in named and written(ours[0], "per_seed") and ours[0].per_seed.value:
            pick = max if metric.higher_is_better.value else min
            best = pick(printed_list(ours[0].per_seed), key=lambda seed: seed.value)
            words = f"the best seed against the mean of {name}"
            yield words, _gains([best], _numbers([row]), metric, Rounding.NEAREST, "")
        elif name not in {*named, own} and centre_of(row).known and _near(claim, ours[0], row):
            near.append(row)
    for row in near:
        words = f"the difference to {row.method}, which the claim does not name"
        yield words, _choices(ours, [row], metric, Rounding.NEAREST)


def _near(claim: Claim, ours: Result, theirs: Result) -> bool:
    """Return whether the claim may be the gain over this row: a look before the exact one."""
    a, b = centre_of(ours).value, centre_of(theirs).value
    gain = abs(a - b) / (abs(b) / 100 if claim.relative and b else 1)
    return abs(gain - abs(claim.improvement.value)) <= 0.1 * gain


def _contradiction(
    claim: Claim,
    said: Printed,
    wanted: str,
    metric: Metric,
    of: tuple[Rows, Mapping[str, Rows], Iterator[tuple[str, Choice]]],
) -> Flagged:
    ours, found, elsewhere = of
    strict = {name: _choices(ours, rows, metric, Rounding.NEAREST) for name, rows in found.items()}
    loose = {name: _choices(ours, rows, metric, Rounding.ANY) for name, rows in found.items()}
    name, first = next(iter(strict.items()))
    shown = first.get(wanted) or first[ABSOLUTE]
    exact = float((shown[0].low + shown[0].high) / 2)
    because = _explanation(said, wanted, strict, elsewhere)
    over = said.value > max(choice.get(wanted, shown)[0].high for choice in strict.values())
    severity = Severity.MINOR if because else Severity.MAJOR
    around = said.within(Rounding.ANY)
    if any(around.meets(gain) for choice in loose.values() for gain in choice.get(wanted, ())):
        severity, because = Severity.NOTE, "truncated rather than rounded?"
    if because.startswith(f"{said.text} is {_POINTS}"):
        severity = Severity.NOTE  # the unit of the claim is not that of the table, its size is
    per, average = " %" if wanted == RELATIVE else "", " on average" if len(shown) > 1 else ""
    return Flagged(
        message=f"the claim says {said.text}{per}, {wanted} to {name} in the table is "
        f"{exact:.4g}{average}" + (f"; {because}" if because else ""),
        kind=Kind.MISMATCH,
        severity=severity if over else Severity.NOTE,
        seen=_claimed(claim, wanted, exact),
        at=claim.improvement.place,
    )


def _explanation(
    said: Printed,
    wanted: str,
    strict: Mapping[str, Choice],
    elsewhere: Iterator[tuple[str, Choice]],
) -> str:
    for name, choices in strict.items():
        for formula in choices:
            if formula != wanted and _holds(said, formula, choices):
                return f"{said.text} is {formula} to {name}"
    for words, other in elsewhere:
        if _holds(said, wanted, other):
            return f"{said.text} is {words}"
    return ""
