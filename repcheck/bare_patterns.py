"""Number forensics of a bare table as a whole: averages, ranks, bold, gains, repetitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from repcheck.bare_checks import Bare, Said, said, untestable
from repcheck.bare_names import What, higher_is_better, is_rank, what_is
from repcheck.bare_table import Entry
from repcheck.stats.forensics import AverageFit, Fit, average_fit, gains, is_mean
from repcheck.stats.forensics_patterns import (
    Pattern,
    Spread,
    constant_gain,
    equal_spreads,
    last_digits,
    repeated_rows,
)
from repcheck.stats.forensics_ranks import better_than_bold, mean_rank, rank_span
from repcheck.stats.forensics_suites import commonly_left_out, is_average
from repcheck.stats.printed import Printed, Rounding, fits

RARE, UNHEARD_OF = 1e-4, 1e-6
MOST_COLUMNS = 12
PLAIN, PLAIN_SHARE, PLAIN_ROWS = "the mean of its cells", 2 / 3, 3
_NO_CELLS = "which columns the average is of"
Row = Mapping[str, Entry]


def _wide_rows(bare: Bare) -> list[Row]:
    """Return the rows of a wide table, or those that a long one makes by method and metric."""
    rows: dict[tuple[int, str, str], dict[str, Entry]] = defaultdict(dict)
    for entry in bare.table.entries:
        if bare.table.wide:
            key = (entry.place.line, entry.method, "")
            rows[key][entry.header] = entry
        else:
            rows[0, entry.method, entry.metric].setdefault(entry.dataset, entry)
    return list(rows.values())


# --- averages ---------------------------------------------------------------------------------


def averages(bare: Bare) -> Iterator[Said]:
    """Averages that are not those of the columns beside them."""
    rows = _wide_rows(bare)
    headers = list(dict.fromkeys(name for row in rows for name in row))
    before = 0
    for i, header in enumerate(headers):
        if is_average(header):
            yield from _average(header, _choices(headers, before, i), rows)
            before = i + 1


def _choices(headers: Sequence[str], before: int, at: int) -> list[list[str]]:
    """Return the columns that an average may be of: since the last average, all before, all."""
    found = []
    for names in (headers[before:at], headers[:at], [*headers[:at], *headers[at + 1 :]]):
        cells = [name for name in names if not is_average(name) and not is_rank(name)]
        off_grid = commonly_left_out(cells)
        for choice in (cells, [name for name in cells if name not in off_grid]):
            if len(choice) > 1 and choice not in found:
                found.append(choice)
    return found


def _average(header: str, choices: Sequence[list[str]], rows: Sequence[Row]) -> Iterator[Said]:
    """Judge an average column by the one reading that most of its rows follow.

    What an average is of can only be told from the rows that fit, so two thirds of all must be the
    plain mean of the same columns before the others are at odds with them, and at least three
    rows before that is more than a note. Another formula or a subset must fit every row.
    """
    shown = [row for row in rows if header in row and row[header].value is not None]
    found = [(choice, [_fit(row, header, choice) for row in shown]) for choice in choices]
    counts = {
        (tuple(choice), how): sum(one is not None and one.how == how for one in fits_)
        for choice, fits_ in found
        for how in dict.fromkeys(one.how for one in fits_ if one is not None and one.innocent)
    }
    if choices:
        counts |= _subsets(header, max(choices, key=len), shown)
    label = max(counts, key=lambda one: counts[one], default=None)
    if label is None or counts[label] < len(shown) * (PLAIN_SHARE if label[1] == PLAIN else 1):
        yield untestable("averages", _NO_CELLS)
        return
    choice, how = label
    few = counts[label] < PLAIN_ROWS
    for row in shown:
        answer = _average_said(row[header], _fit(row, header, choice), how)
        yield replace(answer, severity="note") if few and answer.severity else answer


def _subsets(
    header: str, columns: Sequence[str], rows: Sequence[Row]
) -> dict[tuple[tuple[str, ...], str], int]:
    """Count the rows whose average is the mean without the same one or two columns."""
    found: dict[tuple[tuple[str, ...], str], int] = {}
    if len(columns) > MOST_COLUMNS or len(rows) < 2:
        return found
    for left_out in (1, 2):
        for names in combinations(columns, left_out):
            rest = tuple(name for name in columns if name not in names)
            if len(rest) > 1:
                fitting = sum(_is_mean(row, header, rest) for row in rows)
                found[rest, f"the mean without {' and '.join(names)}"] = fitting
    return found


def _is_mean(row: Row, header: str, columns: Sequence[str]) -> bool:
    average = row[header].value
    values = [v for n in columns if n in row and (v := row[n].value) is not None]
    whole = len(values) == len(columns)
    return average is not None and whole and is_mean(average, values, Rounding.NEAREST)


def _fit(row: Row, header: str, choice: Sequence[str]) -> AverageFit | None:
    parts = {name: row[name].value for name in choice if name in row}
    known = {name: value for name, value in parts.items() if value is not None}
    average = row[header].value
    if average is None or len(known) != len(choice):
        return None
    scores = {n: v for n, v in known.items() if what_is(row[n]) is not What.OTHER}
    return average_fit(average, scores or known)


def _average_said(entry: Entry, found: AverageFit | None, how: str) -> Said:
    if found is None:
        return untestable("averages", "an average over cells that are not all there")
    assert entry.value is not None
    subset = how.startswith("the mean without")
    if found.innocent:
        plain = found.fit is Fit.NEAREST and not subset
        words = f"{entry.value.text} is {how if subset else found.how}"
        severity = "" if plain else "note"
        return said("averages", entry, words, severity, "" if plain else "nearest")
    if found.how:
        words = f"{entry.value.text} is the mean without {found.how}, the others are {how}"
        return said("averages", entry, words, "minor", "any")
    words = f"{entry.value.text} is not the mean of its columns; the others are {how}"
    return said("averages", entry, words, "major", "any")


# --- ranks and bold ---------------------------------------------------------------------------


def ranks(bare: Bare) -> Iterator[Said]:
    """Ranks that the column beside them does not give."""
    rows = _wide_rows(bare)
    headers = list(dict.fromkeys(name for row in rows for name in row))
    for i, header in enumerate(headers):
        if not is_rank(header):
            continue
        scored = [h for h in headers[:i] if not is_rank(h) and not is_average(h)]
        known = [h for h in scored if higher_is_better(h) is not None]
        if not known or len(known) != len(scored):
            yield untestable("ranks", "which way each column is better (↑ or ↓ in its header)")
            continue
        answers = [
            _rank(entry, entry.value, row, known, rows)
            for row in rows
            if (entry := row.get(header)) is not None and entry.value is not None
        ]
        # A rank may be by other columns than those shown, which a single odd row does not say.
        if 2 * sum(bool(one.severity) for one in answers) > len(answers):
            yield untestable("ranks", "which columns the rank is by")
        else:
            yield from answers


def _rank(
    entry: Entry, value: Printed, row: Row, known: Sequence[str], rows: Sequence[Row]
) -> Said:
    spans = []
    for header in known:
        column = {i: v for i, r in enumerate(rows) if header in r and (v := r[header].value)}
        own = next((i for i, r in enumerate(rows) if r is row and i in column), None)
        if own is None or len(column) != len(rows):
            return untestable("ranks", "a column without gaps")
        higher = bool(higher_is_better(header))
        spans.append(rank_span(column, own, higher=higher, mode=Rounding.ANY))
    found = [mean_rank(spans), spans[-1]]
    words = (
        f"rank {value.text}, the columns give {float(found[0].low):g} to {float(found[0].high):g}"
    )
    # A rank within one column is a whole number, and nobody rounds it.
    exact = Rounding.NEAREST if value.unit == 1 else Rounding.ANY
    several = Rounding.ANY if len(spans) > 1 else exact
    fine = value.within(several).meets(found[0]) or value.within(exact).meets(found[1])
    return said("ranks", entry, words, "" if fine else "note", "" if fine else "any")


def bold(bare: Bare) -> Iterator[Said]:
    """Bold cells although another cell of the column is better, beyond rounding and spread."""
    # Bold in one row alone marks the row, whoever is best.
    own_row = len({e.place.line for e in bare.table.entries if e.cell.bold and e.value}) == 1
    for (_, header), column in bare.columns().items():
        marked = [entry for entry in column if entry.cell.bold and entry.value is not None]
        if not marked or len(marked) == len(column):
            continue
        higher = _direction(column[0].metric or header, bare)
        if higher is None:
            yield untestable("bold", f"which way `{header}` is better (↑ or ↓ in its header)")
            continue
        values = {i: e.value for i, e in enumerate(column) if e.value is not None}
        spreads = {i: e.cell.spread for i, e in enumerate(column) if e.cell.spread is not None}
        chosen = [i for i, e in enumerate(column) if e in marked]
        above = better_than_bold(values, chosen, higher=higher, spreads=spreads)
        if not above:
            yield said("bold", marked[0], "the bold number is the best of its column")
            continue
        best = column[above[0]]
        way = "higher" if higher else "lower"
        words = (
            f"{marked[0].value.text} is bold, though {best.method} has " if marked[0].value else ""
        )
        words += f"{values[above[0]].text}, and {way} is better"
        yield said("bold", marked[0], words, "note" if own_row else "minor", "any")


def _direction(header: str, bare: Bare) -> bool | None:
    """Return which way a column is better; an average, as all columns it may be of are."""
    own = higher_is_better(header)
    if own is not None or not is_average(header):
        return own
    others = [h for h in bare.table.headers if not is_average(h) and not is_rank(h)]
    shares = [h for h in others if (one := higher_is_better(h)) is not None and one]
    return True if shares and all(higher_is_better(h) is not None for h in others) else None


# --- gains ------------------------------------------------------------------------------------


def printed_gains(bare: Bare) -> Iterator[Said]:
    """Gains in brackets that are not the gain over any other row of the column."""
    for (_, header), column in bare.columns().items():
        higher = higher_is_better(column[0].metric or header) is not False
        others = [entry for entry in column if entry.value is not None]
        for entry in others:
            if entry.cell.gain is not None:
                rest = [other for other in others if other is not entry]
                yield _gain(entry, entry.cell.gain, rest, higher=higher)


def _gain(entry: Entry, gain: Printed, others: Sequence[Entry], *, higher: bool) -> Said:
    assert entry.value is not None
    for mode in Rounding:
        for other in others:
            assert other.value is not None
            found = gains(entry.value, other.value, higher=True, ceiling=100, mode=mode)
            for formula, truth in found.items():
                turned = fits(gain.scaled(-1), truth) if not higher and gain.unit > 0 else False
                if fits(gain, truth) or turned:
                    note = "" if mode is Rounding.NEAREST else "note"
                    words = f"{gain.text} is {formula} to {other.method}"
                    return said("gains", entry, words, note, "nearest" if note else "")
    words = f"{gain.text} is the gain over no row of this column, by any formula"
    return said("gains", entry, words, "note", "any")


# --- repetitions ------------------------------------------------------------------------------


def repetitions(bare: Bare) -> Iterator[Said]:
    """Equal spreads, gains and rows that chance would hardly give."""
    cells = {
        i: Spread(mean=e.value, spread=e.cell.spread, n=e.n, items=bare.items(e))
        for i, e in enumerate(bare.table.entries)
        if e.value is not None and e.cell.spread is not None
    }
    for found in equal_spreads(cells):
        entry = bare.table.entries[found.cells[0]]
        words = f"{len(found.cells)} numbers have the spread {found.text}"
        # A coarse grid of scores makes equal spreads likely, and nobody said how fine it is.
        fine = all(cells[i].items and cells[i].n for i in found.cells)
        yield _pattern(entry, found, words, worst="minor" if fine else "note")
    yield from _gains_alike(bare)
    rows = {i: row for i, row in enumerate(_wide_rows(bare)) if len(row) > 2}
    headers = list(dict.fromkeys(name for row in rows.values() for name in row))
    values = {i: [row[h].value if h in row else None for h in headers] for i, row in rows.items()}
    for again in repeated_rows(values):
        first, second = (next(iter(rows[i].values())) for i in again.cells[:2])
        words = f"shows the numbers of {second.method} ({again.text}, ...)"
        yield _pattern(first, again, words, worst="note")


def _pattern(entry: Entry, found: Pattern[int], words: str, worst: str) -> Said:
    if found.chance > RARE:
        return untestable("repetitions", "more digits: chance gives repetitions among so few")
    severity = worst if found.chance <= UNHEARD_OF else "note"
    words += f" (chance below {max(found.chance, 1e-12):.0e}): copied, or one pooled number?"
    return said("repetitions", entry, words, severity, "any")


def _gains_alike(bare: Bare) -> Iterator[Said]:
    rows = _wide_rows(bare)
    for i, ours in enumerate(rows):
        for theirs in rows[:i]:
            shared = [h for h in ours if h in theirs and not is_average(h)]
            pairs = {
                n: (a, b)
                for n, header in enumerate(shared)
                if (a := _spread(ours[header])) and (b := _spread(theirs[header]))
            }
            found = constant_gain(pairs)
            if found is not None and found.chance <= RARE:
                entry = next(iter(ours.values()))
                other = next(iter(theirs.values())).method
                words = f"gains {found.text} over {other} on all {len(pairs)} columns"
                yield _pattern(entry, found, words, worst="minor")


def _spread(entry: Entry) -> Spread | None:
    if entry.value is None or entry.cell.spread is None:
        return None
    return Spread(mean=entry.value, spread=entry.cell.spread, n=entry.n, items=entry.items)


def _on_grid(entry: Entry) -> bool:
    return what_is(entry) in {What.COUNT, What.UNKNOWN}


def digits(bare: Bare) -> Iterator[Said]:
    """Last digits that are not spread evenly, where there are enough of them."""
    entries = [e for e in bare.table.entries if e.value is not None and not is_rank(e.header)]
    # Scores lie on a grid of answers, on which few digits end where it is coarse or not known.
    grids = {id(e): bare.items(e) * max(1, e.n) for e in entries if _on_grid(e)}
    entries = [e for e in entries if grids.get(id(e), 1)]
    numbers = [e.value for e in entries if e.value is not None]
    grid = min((grids[id(e)] for e in entries if id(e) in grids), default=0)
    found = last_digits(numbers, grid=grid)
    if found is None:
        why = f"fifty numbers over many more than ten units, no coarse scores ({len(numbers)} here)"
        yield untestable("digits", why)
    elif found.p < RARE:
        words = f"last digits 0 to 9 stand {found.counts} times (chi squared {found.statistic:.1f})"
        yield said("digits", entries[0], words, "note", "any")
    else:
        yield Said(check="digits", message=f"last digits are spread evenly (p = {found.p:.2g})")
