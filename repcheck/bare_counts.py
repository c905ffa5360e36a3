"""Which numbers of a bare table no right answers give: shares, seeds, and their spreads."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from repcheck.bare_checks import KINDS, READINGS, Bare, Said, in_disguise, said, untestable
from repcheck.bare_names import What, is_rank, what_is
from repcheck.bare_table import Entry
from repcheck.stats.forensics import SPREADS, Fit, grim, informative, neighbours, power
from repcheck.stats.forensics_bounds import debit
from repcheck.stats.forensics_grimmer import Seeds, grimmer, implied_counts
from repcheck.stats.forensics_suites import is_average
from repcheck.stats.printed import Printed

MOST_SEEDS = 10
_ELSE = "; a mean over batches or classes, or other examples?"


def shares(bare: Bare) -> Iterator[Said]:
    """Means, listed seeds, and means with their spreads, that no right answers give."""
    tops = bare.tops()
    for column in bare.columns().values():
        for entry in column:
            kind = what_is(entry)
            asked = kind is What.COUNT or (kind is What.UNKNOWN and bool(bare.n_test))
            summed_up = entry.statistic == "median" or is_average(entry.header)
            if entry.value is None or not asked or summed_up or is_rank(entry.header):
                continue
            if entry.value.value > tops[id(entry)] or in_disguise(entry, column):
                continue  # out of range, which is said already
            items = bare.items(entry)
            if not items:
                yield untestable("counts", "the number of test examples (--n-test, or n_test)")
            else:
                yield from _shares(entry, items, Fraction(1, tops[id(entry)]))


def _shares(entry: Entry, items: int, scale: Fraction) -> Iterator[Said]:
    assert entry.value is not None
    if (odd := _listed(entry, items, scale)) is not None:
        yield odd
        return
    share = entry.value.scaled(scale)
    seeds = 1 if entry.statistic in {"single", "best"} else entry.n or len(entry.per_seed)
    if not seeds:
        yield from _unknown_seeds(entry, share, items)
        return
    unit = max((s.unit * scale for s in entry.per_seed), default=None)
    spread, both = entry.cell.spread and entry.cell.spread.scaled(scale), None
    if spread is not None and seeds >= 2:
        both = Seeds(mean=share, spread=spread, items=items, n=seeds)
    if not informative(share, items * seeds):
        if both is not None and grimmer(both, SPREADS, unit).fit is Fit.NONE:
            yield from _with_spread(entry, both, unit, scale)
        else:
            yield untestable("counts", _any(items * seeds))
        return
    fit = grim(share, items, seeds, unit)
    if fit in (Fit.NONE, *READINGS):
        of = f"{items:,} answers" + (f" and {seeds} seeds" if seeds > 1 else "")
        yield _count_finding(entry, share.text, of, _near(share, items * seeds, scale), fit)
    elif spread is not None and debit(share, spread, items) is not None:
        words = f"± {spread.text} is the deviation of {items:,} single answers, not of seeds"
        yield said("counts", entry, words, "note", "nearest")
    elif both is not None:
        yield from _with_spread(entry, both, unit, scale)
    else:
        seen = f"{float(100 * power(share, items * seeds)):.0f} % of made-up numbers would be seen"
        yield said("counts", entry, f"{share.text} can be reached; {seen}")


def _any(answers: int) -> str:
    return f"with {answers:,} answers every such number is possible: more digits, or predictions"


def _near(share: Printed, grid: int, scale: Fraction) -> str:
    below, above = (float(x / scale) for x in neighbours(share, grid))
    digits = len(share.text.partition(".")[2]) + 2
    return f" (nearest are {below:.{digits}f} and {above:.{digits}f})"


def _listed(entry: Entry, items: int, scale: Fraction) -> Said | None:
    """Return what speaks against a listed seed under any rounding."""
    for i, seed in enumerate(entry.per_seed, start=1):
        share = seed.scaled(scale)
        if grim(share, items) is Fit.NONE:
            what = f"seed {i} of the list, {seed.text},"
            near = _near(share, items, scale)
            return _count_finding(entry, what, f"{items:,} answers", near, Fit.NONE)
    return None


def _unknown_seeds(entry: Entry, share: Printed, items: int) -> Iterator[Said]:
    if not informative(share, items):
        yield untestable("counts", _any(items))
    elif grim(share, items) is Fit.NEAREST:
        yield untestable("counts", "the number of seeds (a column n)")
    else:
        several = (n for n in range(2, MOST_SEEDS + 1) if grim(share, items, n) is not Fit.NONE)
        least = next(several, MOST_SEEDS)
        words = f"no single run of {items:,} answers gives {share.text}; a mean of {least} could"
        yield said("counts", entry, words, "note", "nearest")


def _count_finding(entry: Entry, what: str, of: str, near: str, fit: Fit) -> Said:
    if fit is not Fit.NONE:
        words = f"{what} can be reached with {of} only {READINGS[fit]}{near}"
        return said("counts", entry, words, "note", "nearest")
    words = f"{what} cannot be reached with {of} under any rounding{near}{_ELSE}"
    return said("counts", entry, words, "minor", "any")


def _kinds(entry: Entry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the spreads that a spread is taken for first, and the others."""
    first = (entry.kind,) if entry.kind else SPREADS[:2]
    return first, tuple(kind for kind in SPREADS if kind not in first)


def _with_spread(entry: Entry, of: Seeds, unit: Fraction | None, scale: Fraction) -> Iterator[Said]:
    first, others = _kinds(entry)
    found = grimmer(of, first, unit)
    pair = f"{of.mean.text} ± {of.spread.text}"
    answers = f"{of.items:,} answers and {of.n} seeds"
    if found.fit is Fit.NEAREST:
        words = f"{pair} with {answers}: reached as {KINDS[found.kinds[0]]}"
        yield _implied(entry, of, found.kinds, scale) or said("counts", entry, words)
    elif found.fit is not Fit.NONE:
        yield _count_finding(entry, pair, answers, "", found.fit)
    elif other := grimmer(of, others, unit).kinds:
        severity = "minor" if entry.kind else "note"
        words = f"{pair} with {answers}: only if the spread is a {KINDS[other[0]]}"
        yield said("counts", entry, words, severity, "any")
    else:
        yield _count_finding(entry, pair, answers, "", Fit.NONE)


def _implied(entry: Entry, of: Seeds, kinds: tuple[str, ...], scale: Fraction) -> Said | None:
    """Return the seeds that a mean and a spread must be of, where only one set of counts fits."""
    if entry.per_seed or len(kinds) > 1:
        return None
    sets = implied_counts(of, kinds[0])
    if len(sets) != 1:
        return None
    digits = len(of.mean.text.partition(".")[2])
    seeds = ", ".join(f"{float(Fraction(k, of.items) / scale):.{digits}f}" for k in sets[0])
    counts = ", ".join(str(k) for k in sets[0])
    words = f"{of.mean.text} ± {of.spread.text}, rounded to the nearest, can only be of the seeds "
    words += f"{seeds} ({counts} of {of.items:,})"
    found = said("counts", entry, words)
    return Said(check=found.check, message=words, told=True, name=found.name, place=found.place)
