"""Files of numbers that somebody else wrote: opened confined, capped in size, refused in words."""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from repcheck.confined import open_below

if TYPE_CHECKING:
    from _csv import Reader

SIZE_CAP = 64 * 2**20
MOST_COLUMNS = 4_096
MOST_CELLS = 8_000_000
"""They take 70 bytes each in memory, and two in the file."""
SHOWN = 60


class Unreadable(Exception):
    """A file that cannot be used, with the reason in words."""


class NoFile(Unreadable):
    """A file that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A table by its columns, every cell stripped; all columns have one length."""

    path: str
    cells: Mapping[str, Sequence[str]]
    rows: int

    def get(self, name: str) -> Sequence[str]:
        """Return a column.

        Raises:
            Unreadable: if there is none of that name.
        """
        if name not in self.cells:
            known = ", ".join(list(self.cells)[:8])[:SHOWN]
            raise Unreadable(f"{self.path} has no column {name!r}; it has {known or 'none'}")
        return self.cells[name]


def open_file(base: Path, path: str, *, cap: int = SIZE_CAP) -> IO[bytes]:
    """Open a regular file of at most `cap` bytes below a folder; no link is followed.

    Raises:
        Unreadable: if there is none, or it leads elsewhere, with the reason.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts or not parts or "\0" in path:
        raise Unreadable(f"{path[:SHOWN]!r} leads out of its folder")
    try:
        descriptor = open_below(base, parts)
    except FileNotFoundError:
        raise NoFile(f"there is no {path}") from None
    except OSError as error:
        why = f"{path} cannot be read ({error.strerror}); links are not followed"
        raise Unreadable(why) from None
    about = os.fstat(descriptor)
    if stat.S_ISREG(about.st_mode) and about.st_size <= cap:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if not stat.S_ISREG(about.st_mode):
        raise Unreadable(f"{path} is not a regular file")
    raise Unreadable(
        f"{path} has {about.st_size / 2**20:.0f} MiB; at most {cap / 2**20:.0f} MiB are read"
    )


def columns(base: Path, path: str) -> Columns:
    """Read a csv file with a header, whole.

    Raises:
        Unreadable: for another encoding than UTF-8, rows of another length than the header, a
            column twice, no rows, or more cells than are read.
    """
    with open_file(base, path) as file:
        content = io.BytesIO(file.read(SIZE_CAP))
    reader = csv.reader(io.TextIOWrapper(content, encoding="utf-8-sig", newline=""))
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(header, path)
        cells = _filled(reader, header, path)
    except UnicodeDecodeError:
        raise Unreadable(f"{path} is not UTF-8: save it as a csv in that encoding") from None
    except csv.Error as error:
        raise Unreadable(f"{path} is not a table: {error}") from None
    if not cells[0]:
        raise Unreadable(f"{path} has a header and no row")
    return Columns(path=path, cells=dict(zip(header, cells, strict=True)), rows=len(cells[0]))


def _filled(reader: Reader, header: Sequence[str], path: str) -> list[list[str]]:
    """Return the cells by columns: a list for each row would take more than the cells do."""
    cells: list[list[str]] = [[] for _ in header]
    most = MOST_CELLS // len(header)
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            raise Unreadable(
                f"{path}, line {reader.line_num}: {len(row)} cells under {len(header)} names"
            )
        if len(cells[0]) == most:
            raise Unreadable(f"{path} has more than {most:,} rows of {len(header)} cells")
        for column, cell in zip(cells, row, strict=True):
            column.append(cell.strip())
    return cells


def _check_header(header: Sequence[str], path: str) -> None:
    if not any(header):
        raise Unreadable(f"{path} has no header")
    if len(header) > MOST_COLUMNS:
        raise Unreadable(f"{path} has {len(header):,} columns; at most {MOST_COLUMNS:,} are read")
    twice = next((name for at, name in enumerate(header) if name in header[:at]), None)
    if twice is not None:
        raise Unreadable(f"{path} has the column {twice[:SHOWN]!r} twice")
