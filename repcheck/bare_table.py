"""A results table in a file of its own (CSV), long or wide, with the place of every number.

Long: a header with `method` and `mean` (or `single`), one number a row. Wide: the first column
names the methods, every other column is a dataset or a metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from repcheck.bare_cell import Cell, NoCell, number, plain_name, read_cell
from repcheck.errors import RepcheckError
from repcheck.stats.forensics_suites import is_average
from repcheck.stats.printed import Printed
from repcheck.visible import line as shown

LARGEST = 16 * 2**20
MOST_PROBLEMS = 20
_WORDS = ("method", "dataset", "metric", "std_kind", "p")
_NUMBERS = ("mean", "std", "median", "best", "single", "min", "max", "ci_low", "ci_high")
_CENTRES = ("mean", "single", "best", "median")
_COUNTS = ("n", "n_test")
LONG = (*_WORDS, *_NUMBERS, *_COUNTS, "per_seed")
_ALIASES = {
    "model": "method", "score": "mean", "value": "mean", "sd": "std",
    "stdev": "std", "seeds": "n", "runs": "n", "n_seeds": "n", "n_examples": "n_test",
    "task": "dataset", "benchmark": "dataset", "seed_values": "per_seed",
}  # fmt: skip
_OF_ROW = {"n": "n", "seeds": "n", "runs": "n", "n_seeds": "n", "n_test": "n_test"}
KINDS = ("sample", "population", "sem", "ci95")


class InvalidTable(RepcheckError):
    """A table that cannot be read; each problem with its file, line and column."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cell begins, counted from one."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One reported number; `header` is what stands above it, `n` 0 where nobody says."""

    method: str
    header: str
    cell: Cell
    place: Place
    dataset: str = ""
    metric: str = ""
    n: int = 0
    items: int = 0
    kind: str = ""
    p: str = ""
    statistic: str = "mean"
    per_seed: tuple[Printed, ...] = ()
    others: Mapping[str, Printed] = field(default_factory=dict)

    @property
    def value(self) -> Printed | None:
        """Return the number where it can be reckoned with."""
        return None if self.cell.inexact else self.cell.value

    @property
    def name(self) -> str:
        """Return the number as a person names it: `ours, cifar, accuracy`."""
        parts = (self.method, self.dataset, self.metric) if self.dataset or self.metric else ()
        return ", ".join(shown(part) for part in parts or (self.method, self.header) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class BareTable:
    """All entries of a file, its columns in order, and the columns that nothing was made of."""

    file: str
    wide: bool
    entries: tuple[Entry, ...]
    headers: tuple[str, ...]
    unread: tuple[str, ...] = ()


Field = tuple[str, Place]


def read_table(file: Path) -> BareTable:
    """Read a table.

    Raises:
        InvalidTable: if it cannot be read; every problem is named.
    """
    rows = [row for row in _rows(_text(file)) if any(text.strip() for text, _ in row)]
    if len(rows) < 2:
        raise InvalidTable(f"{file}:1:1: expected a header and at least one row below it")
    header, body = rows[0], rows[1:]
    problems = [
        f"{file}:{row[0][1].line}:{row[0][1].column}: {len(row)} cells below a header of"
        f" {len(header)}; a decimal comma needs quotes, or `;` between the cells"
        for row in body
        if len(row) > len(header)
    ]
    if problems:
        raise InvalidTable(_listed(problems))
    names = [plain_name(text) for text, _ in header]
    if len(body) > 1 and _is_header(header, body[0]):
        names, body = _merged(names, body[0]), body[1:]
    names = _told_apart(names)
    keys = [_key(name) for name in names]
    is_long = "method" in keys and bool({*_CENTRES, "per_seed"} & {*keys})
    is_long = is_long and 2 * len({*keys} & {*LONG}) > len(keys)
    return _long(file, names, keys, body) if is_long else _wide(file, names, body)


def _is_header(first: list[Field], second: list[Field]) -> bool:
    """Return whether a second row names columns under cells that span several in the first."""
    cells = [text for text, _ in second[1:] if text.strip()]
    spans = any(not text.strip() for text, _ in first[1:])
    return spans and bool(cells) and not any(_is_cell(text) for text in cells)


def _is_cell(text: str) -> bool:
    try:
        read_cell(text)
    except NoCell:
        return False
    return True


def _merged(above: list[str], below: list[Field]) -> list[str]:
    """Return the names of columns under a header of two rows: `ImageNet Top-1`."""
    names, span = [], ""
    for i, name in enumerate(above):
        span = name or span
        own = plain_name(below[i][0]) if i < len(below) else ""
        by_itself = i == 0 or _key(own) in _OF_ROW or is_average(own)
        names.append((own or name) if by_itself else f"{span} {own}".strip())
    return names


def _told_apart(names: list[str]) -> list[str]:
    """Return the names of columns, the second of a name called `accuracy (again)`."""
    seen: set[str] = set()
    found = []
    for name in names:
        while name in seen and _key(name) not in LONG:
            name += " (again)"
        seen.add(name)
        found.append(name)
    return found


def _key(name: str) -> str:
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    return _ALIASES.get(key, key)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > LARGEST:
            raise InvalidTable(f"{file}: larger than {LARGEST // 2**20} MiB")
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidTable(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InvalidTable(f"{file}: is not UTF-8 (byte {error.start})") from None


# --- fields with their places -----------------------------------------------------------------


def _rows(text: str) -> Iterator[list[Field]]:
    """Yield the fields of each row (RFC 4180; `,`, `;` or a tab between them)."""
    mark = _delimiter(text)
    row: list[Field] = []
    at, line, start = 0, 1, 0
    while at < len(text):
        place = Place(line, at - start + 1)
        content, at, breaks, last = _field(text, at, mark)
        line, start = line + breaks, last if breaks else start
        row.append((content, place))
        if at < len(text) and text[at] == mark:
            at += 1
            if at == len(text):
                row.append(("", Place(line, at - start + 1)))
            continue
        yield row
        row = []
        at += 2 if text.startswith("\r\n", at) else 1
        line, start = line + 1, at
    if row:
        yield row


def _delimiter(text: str) -> str:
    head = text.lstrip().partition("\n")[0]
    return next((mark for mark in "\t;" if mark in head), ",")


def _field(text: str, at: int, mark: str) -> tuple[str, int, int, int]:
    """Return one field, where it ends, how many lines it broke and where the last one began."""
    if not text.startswith('"', at):
        end = at
        while end < len(text) and text[end] not in (mark, "\n", "\r"):
            end += 1
        return text[at:end], end, 0, 0
    parts, begin = [], at + 1
    while True:
        end = text.find('"', begin)
        if end < 0:
            end = len(text)
            parts.append(text[begin:])
            break
        parts.append(text[begin:end])
        if not text.startswith('""', end):
            break
        parts.append('"')
        begin = end + 2
    content = "".join(parts)
    after = min(end + 1, len(text))
    while after < len(text) and text[after] not in (mark, "\n", "\r"):
        after += 1
    return content, after, content.count("\n"), text.rfind("\n", 0, end) + 1


def _listed(problems: Sequence[str]) -> str:
    more = len(problems) - MOST_PROBLEMS
    said = [*problems[:MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
    return "\n".join(said)


# --- wide and long ----------------------------------------------------------------------------


def _wide(file: Path, names: list[str], body: list[list[Field]]) -> BareTable:
    problems: list[str] = []
    entries = []
    of_row = {i: key for i, name in enumerate(names) if i and (key := _OF_ROW.get(_key(name)))}
    for row in body:
        method = plain_name(row[0][0])
        counts = {"n": 0, "n_test": 0}
        for i, key in of_row.items():
            if i < len(row):
                counts[key] = _count(row[i], file, problems)
        for i, (text, place) in enumerate(row):
            if i and i not in of_row:
                cell = _cell(text, place, file, problems)
                entries.append(
                    Entry(
                        method=method, header=names[i], cell=cell, place=place,
                        n=cell.n or counts["n"],
                        items=counts["n_test"],
                    )
                )  # fmt: skip
    if problems:
        raise InvalidTable(_listed(problems))
    headers = tuple(name for i, name in enumerate(names) if i and i not in of_row)
    return BareTable(file=str(file), wide=True, entries=tuple(entries), headers=headers)


def _cell(text: str, place: Place, file: Path, problems: list[str]) -> Cell:
    try:
        return read_cell(text)
    except NoCell as error:
        problems.append(f"{file}:{place.line}:{place.column}: {shown(error)}")
        return Cell()


def _count(of: Field, file: Path, problems: list[str]) -> int:
    text, place = of
    plain = text.strip().replace(",", "").replace("_", "")
    if not plain:
        return 0
    if not plain.isdecimal() or not 0 < int(plain) <= 10**12:
        problems.append(
            f"{file}:{place.line}:{place.column}: `{shown(text)[:40]}` is no count: write a whole"
            " number above 0"
        )
        return 0
    return int(plain)


def _long(file: Path, names: list[str], keys: list[str], body: list[list[Field]]) -> BareTable:
    problems: list[str] = []
    if twice := next((key for key in keys if key in LONG and keys.count(key) > 1), ""):
        raise InvalidTable(f"{file}:1:1: two columns are read as `{twice}`")
    entries = [_row(dict(zip(keys, row, strict=False)), file, problems) for row in body]
    if problems:
        raise InvalidTable(_listed(problems))
    unread = tuple(name for name, key in zip(names, keys, strict=True) if key not in LONG)
    headers = tuple(dict.fromkeys(entry.header for entry in entries))
    return BareTable(
        file=str(file), wide=False, entries=tuple(entries), headers=headers, unread=unread
    )


def _row(row: Mapping[str, Field], file: Path, problems: list[str]) -> Entry:
    words = {key: plain_name(row[key][0]) if key in row else "" for key in _WORDS}
    read = {key: _cell(*row[key], file, problems) for key in _NUMBERS if key in row}
    counts = {key: _count(row[key], file, problems) for key in _COUNTS if key in row}
    statistic = next((s for s in _CENTRES if _there(read, s)), "mean")
    cell = read.get(statistic, Cell())
    if _there(read, "std"):
        spread = read["std"].value
        cell = replace(cell, spread=spread)
    place = row[statistic][1] if statistic in row else next(iter(row.values()))[1]
    kind = words["std_kind"]
    if kind and kind not in KINDS:
        problems.append(f"{file}:{place.line}: std_kind `{shown(kind)}` is none of {KINDS}")
    seeds = _seeds(row["per_seed"], file, problems) if "per_seed" in row else ()
    others = {key: one.value for key, one in read.items() if one.value is not None}
    return Entry(
        method=words["method"], header=f"{words['dataset']} {words['metric']}".strip(), cell=cell,
        place=place, dataset=words["dataset"], metric=words["metric"],
        n=counts.get("n", 0) or cell.n, items=counts.get("n_test", 0), kind=kind, p=words["p"],
        statistic=statistic, per_seed=seeds, others=others,
    )  # fmt: skip


def _there(read: Mapping[str, Cell], key: str) -> bool:
    return key in read and read[key].value is not None


def _seeds(of: Field, file: Path, problems: list[str]) -> tuple[Printed, ...]:
    text, place = of
    found = []
    for part in _listed_numbers(text.strip().strip("[]()").strip()):
        try:
            found.append(number(part))
        except NoCell as error:
            problems.append(f"{file}:{place.line}:{place.column}: per_seed: {shown(error)}")
    return tuple(found)


def _listed_numbers(plain: str) -> list[str]:
    """Split a list at `;`, `|` or blanks, at commas only where they are no decimal ones."""
    for mark in ";|":
        if mark in plain:
            return [part.strip() for part in plain.split(mark) if part.strip()]
    parts = plain.split()
    if len(parts) == 1 and ("." in plain or plain.count(",") > 1):
        return [part for part in plain.split(",") if part]
    return [part.removesuffix(",") for part in parts]
