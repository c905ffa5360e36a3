"""Number forensics of one bare table: every check, what it found, and what it could not test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from repcheck.bare_names import What, in_percent, top_of, what_is
from repcheck.bare_table import BareTable, Entry, Place
from repcheck.stats.forensics import (
    SPREADS,
    Fit,
    largest_deviation,
    mean_of,
    spread_of,
    spreads_that_fit,
)
from repcheck.stats.forensics_bounds import spreads_of_range
from repcheck.stats.forensics_relations import contradictions, inside, relations_asked
from repcheck.stats.forensics_tests import Arm, p_fit
from repcheck.stats.printed import Printed, Rounding

KINDS = {
    "sample": "sample standard deviation",
    "population": "population standard deviation",
    "sem": "standard error of the mean",
    "ci95": "half a 95 % interval",
}
READINGS = {
    Fit.TRUNCATED: "if it was truncated",
    Fit.ANY: "if it was rounded up",
    Fit.ROUNDED_SEEDS: "if the seeds were rounded before they were averaged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer: a finding (`severity` note, minor or major), a number that holds, or neither.

    `reading` is the weakest reading of the digits under which a finding still stands: `nearest`,
    `truncated` or `any`. `told` is what a number that holds implies, worth a line of its own.
    """

    check: str
    message: str
    severity: str = ""
    reading: str = ""
    not_testable: bool = False
    told: bool = False
    name: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """A table and what the person said of it."""

    table: BareTable
    n_test: int = 0

    def items(self, entry: Entry) -> int:
        """Return how many examples an entry is a share of; 0 if nobody says."""
        return entry.items or self.n_test

    def columns(self) -> Mapping[tuple[str, str], list[Entry]]:
        """Return the entries by what stands above them."""
        found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in self.table.entries:
            found[(entry.dataset, entry.metric) if entry.metric else ("", entry.header)].append(
                entry
            )
        return found

    def tops(self) -> Mapping[int, int]:
        """Return what a perfect score prints, by the entry's identity."""
        return {
            id(entry): top for column in self.columns().values() for top in [top_of(column)]
            for entry in column
        }  # fmt: skip


Check = Callable[[Bare], Iterator[Said]]


def said(check: str, entry: Entry, message: str, severity: str = "", reading: str = "") -> Said:
    """Return an answer about one entry."""
    return Said(
        check=check, message=message, severity=severity, reading=reading, name=entry.name,
        place=entry.place,
    )  # fmt: skip


def untestable(check: str, why: str) -> Said:
    """Return that something cannot be tested, and why."""
    return Said(check=check, message=why, not_testable=True)


# --- bounds -----------------------------------------------------------------------------------


def bounds(bare: Bare) -> Iterator[Said]:
    """Values outside their metric's range, fractions among percents, spreads that cannot be."""
    for column in bare.columns().values():
        top = top_of(column)
        for entry in column:
            if entry.value is None:
                continue
            share = what_is(entry) in {What.COUNT, What.SHARE}
            if share and in_disguise(entry, column):
                yield said("bounds", entry, _disguised(entry), "minor", "any")
                continue
            found = list(_outside(entry, top, share=share))
            found += _too_wide(entry, top) if share and not found else []
            yield from found
            if share and not found:
                yield said("bounds", entry, "lies within the range of its metric")


def _outside(entry: Entry, top: int, *, share: bool) -> Iterator[Said]:
    value = entry.value
    assert value is not None
    if share and value.within(Rounding.ANY).low > top:
        yield said(
            "bounds", entry, f"{value.text} is above a perfect score of {top}", "major", "any"
        )
    elif share and value.within(Rounding.ANY).high < 0:
        yield said("bounds", entry, f"{value.text} is below zero", "major", "any")


def in_disguise(entry: Entry, column: Sequence[Entry]) -> bool:
    """Return whether an entry is a fraction among percents, or under a header of percents."""
    value = entry.value
    if value is None or entry.cell.unit == "%" or not 0 < value.value < 1:
        return False
    others = [e.value for e in column if e is not entry and e.value is not None]
    if in_percent(entry.header) and len(others) > 1 and all(o.value < 1 for o in others):
        return True
    plain = [o for o in others if o.value > 1]
    # 93.1 printed as a fraction keeps its digits: 0.931.
    if not plain or 100 * value.unit > min(o.unit for o in plain):
        return False
    values = [o.value for o in plain]
    return min(values) / 2 <= 100 * value.value <= 2 * max(values)


def _disguised(entry: Entry) -> str:
    assert entry.value is not None
    return f"{entry.value.text} among percents: a fraction?"


def _too_wide(entry: Entry, top: int) -> Iterator[Said]:
    n, spread, value = entry.n, entry.cell.spread, entry.value
    if n < 2 or spread is None or value is None or entry.kind not in {"", "sample", "population"}:
        return
    scale = Fraction(1, top)
    most = largest_deviation(value.scaled(scale).within(Rounding.ANY), n)
    if spread.scaled(scale).within(Rounding.ANY).low > most:
        words = (
            f"± {spread.text}: {n} scores of mean {value.text} differ by {float(most * top):.3g}"
            " at most"
        )
        yield said("bounds", entry, words, "major", "any")


def ranges(bare: Bare) -> Iterator[Said]:
    """Means outside their own minimum, maximum or interval; spreads that no such range has."""
    for entry in bare.table.entries:
        value, others = entry.value, entry.others
        if value is None:
            continue
        for low, high in (("min", "max"), ("ci_low", "ci_high")):
            if low not in others or high not in others:
                continue
            mode = inside(value, others[low], others[high])
            words = f"{low} is {others[low].text}, {high} {others[high].text}"
            yield _by_mode("ranges", entry, value.text, words, mode)
        if {"min", "max"} <= others.keys() and entry.n >= 2 and entry.cell.spread is not None:
            span = [others[key].within(Rounding.ANY) for key in ("min", "max")]
            reach = spreads_of_range(span[0], span[1], entry.n)
            spread = entry.cell.spread
            fine = spread.within(Rounding.ANY).meets(reach) or entry.kind in {"sem", "ci95"}
            words = f"± {spread.text} beside {entry.n} values of {others['min'].text} to "
            words += others["max"].text
            yield said("ranges", entry, words, "" if fine else "minor", "" if fine else "any")


def _by_mode(check: str, entry: Entry, what: str, why: str, mode: Rounding | None) -> Said:
    if mode is Rounding.NEAREST:
        return said(check, entry, f"{what}: {why}")
    if mode is None:
        return said(check, entry, f"{what} cannot be under any rounding: {why}", "major", "any")
    words = f"{what} can be only {READINGS[Fit(mode.value)]}: {why}"
    return said(check, entry, words, "note", "nearest")


# --- lists of seeds ---------------------------------------------------------------------------


def seeds(bare: Bare) -> Iterator[Said]:
    """Means, spreads and numbers of seeds that are not those of the seeds listed beside them."""
    for entry in bare.table.entries:
        if not entry.per_seed:
            continue
        if entry.n and entry.n != len(entry.per_seed):
            words = f"n is {entry.n}, {len(entry.per_seed)} seeds are listed"
            yield said("seeds", entry, words, "minor", "any")
        if entry.value is not None and entry.statistic == "mean":
            yield _seed_mean(entry, entry.value)
        if entry.cell.spread is not None and len(entry.per_seed) > 1:
            yield _seed_spread(entry, entry.cell.spread)


def _seed_mean(entry: Entry, value: Printed) -> Said:
    truth = mean_of(entry.per_seed)
    modes = (mode for mode in Rounding if value.within(mode).meets(truth))
    digits = len(value.text.partition(".")[2]) + 2
    middle = float(truth.low + truth.high) / 2
    words = f"the {len(entry.per_seed)} listed seeds have {middle:.{digits}f}"
    return _by_mode("seeds", entry, f"a mean of {value.text}", words, next(modes, None))


def _seed_spread(entry: Entry, spread: Printed) -> Said:
    wanted = {entry.kind} if entry.kind else set(SPREADS)
    fits = {mode: spreads_that_fit(entry.per_seed, spread, mode) for mode in Rounding}
    modes = (mode for mode in Rounding if wanted & {*fits[mode]})
    found = next(modes, None)
    exact = spread_of(entry.per_seed, "sample")[0]
    places = len(spread.text.partition(".")[2]) + 2
    what = f"a spread of {spread.text}"
    middle = float(exact.low + exact.high) / 2
    words = f"the {len(entry.per_seed)} listed seeds have {middle:.{places}f}"
    if found is None and fits[Rounding.NEAREST]:
        other = KINDS[fits[Rounding.NEAREST][0]]
        return said("seeds", entry, f"{what}: {words}; it is a {other}", "minor", "any")
    return _by_mode("seeds", entry, what, words, found)


# --- several metrics, two arms ----------------------------------------------------------------


def relations(bare: Bare) -> Iterator[Said]:
    """Metrics of one method on one dataset that contradict each other."""
    groups: dict[tuple[str, str], dict[str, Entry]] = defaultdict(dict)
    for entry in bare.table.entries:
        if entry.value is not None and entry.statistic in {"mean", "single"}:
            groups[entry.method, entry.dataset].setdefault(entry.metric or entry.header, entry)
    tops = bare.tops()
    for group in groups.values():
        cells = {name: entry.value for name, entry in group.items() if entry.value is not None}
        found = contradictions(cells, most=max(tops[id(entry)] for entry in group.values()))
        for one in found:
            severity = "minor" if one.certain and one.mode is None else "note"
            reading = "any" if one.mode is None else "nearest"
            yield said("relations", group[one.names[0]], one.words, severity, reading)
        for _ in range(relations_asked(cells) - len(found)):
            yield Said(check="relations", message="holds")


def p_values(bare: Bare) -> Iterator[Said]:
    """p-values that no test of the two rows gives: each row with a p against the best other one."""
    for column in bare.columns().values():
        for entry in column:
            if entry.p:
                yield from _p_value(entry, [other for other in column if other is not entry])


def _p_value(entry: Entry, others: Sequence[Entry]) -> Iterator[Said]:
    ours = _arm(entry)
    arms = [(other, arm) for other in others if (arm := _arm(other)) is not None]
    if ours is None or not arms or entry.kind not in {"", "sample", "population"}:
        yield untestable("p-values", "mean, standard deviation and n of both rows")
        return
    try:
        fits = [(other, p_fit(ours, arm, entry.p)) for other, arm in arms]
    except ValueError:
        yield untestable("p-values", "a p-value that can be read, as in `p < 0.05`")
        return
    if fitting := next((found for _, found in fits if found.fits), None):
        yield said("p-values", entry, f"p {entry.p}: {fitting.fits[0]}")
        return
    spans = [v.p for _, found in fits for v in found.variants]
    low, high = min(p[0] for p in spans), max(p[1] for p in spans)
    error = all(found.decision_error for _, found in fits)
    words = f"p {entry.p}: no unpaired t test of this column gives it ({low:.2g} to {high:.2g})"
    words += "; the conclusion at 5 % turns" if error else ""
    words += "; a paired or another test?"
    yield said("p-values", entry, words, "note", "any")


def _arm(entry: Entry) -> Arm | None:
    if entry.value is None or entry.cell.spread is None or entry.n < 2:
        return None
    return Arm(mean=entry.value, spread=entry.cell.spread, n=entry.n)
