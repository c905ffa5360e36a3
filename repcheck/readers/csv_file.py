"""`file.csv:column@last|max|min|mean`: a column of a table with a header; blanks are skipped."""

from __future__ import annotations

import csv
import io

from repcheck.reader import Left, NoMetric, choose, file_text, number, reader, split_pick


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
