"""`file.csv:column@last|max|min|mean`: a column of a table with a header; blanks are skipped."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from repcheck.reader import (
    Left,
    NoMetric,
    beside,
    choose,
    file_text,
    number,
    reader,
    split_pick,
    usable,
)


@reader(".csv")
def read(left: Left, path: str, what: str) -> float:
    """Return the chosen value of a column."""
    name, pick = split_pick(what)
    rows = csv.reader(io.StringIO(file_text(left, path), newline=""))
    label = f"column {name!r} of {path}"
    try:
        header = [cell.strip() for cell in next(rows, [])]
        if name not in header:
            raise NoMetric(
                f"{path} has no column {name!r}; it has {', '.join(header[:8]) or 'none'}"
            )
        at = header.index(name)
        cells = [row[at].strip() for row in rows if len(row) > at]
    except csv.Error as error:
        raise NoMetric(f"{path} is not a table: {error}") from None
    return choose([number(cell, label) for cell in cells if cell], pick, label)


@beside(".csv")
def others(text: str, what: str) -> Iterator[tuple[str, float]]:
    """Yield the numbers of the last row that has the number which is read."""
    rows = csv.reader(io.StringIO(text, newline=""))
    last: list[str] = []
    try:
        header = [cell.strip() for cell in next(rows, [])]
        at = header.index(what) if what in header else 0
        for row in rows:
            if len(row) > at and row[at].strip():
                last = row
    except csv.Error as error:
        raise NoMetric(f"not a table: {error}") from None
    for name, cell in zip(header, last, strict=False):
        try:
            value = usable(float(cell))
        except ValueError:
            continue
        if name and value is not None:
            yield name, value
