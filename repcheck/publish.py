"""Write a report down: report.json and report.html always, other formats where asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from repcheck.errors import UsageError
from repcheck.folder import Folder, write
from repcheck.reporter import Reporter, named, wants_colour
from repcheck.store import mended


@dataclass(frozen=True, slots=True)
class Wanted:
    """One format that was asked for, and the file it goes to (None: standard output)."""

    reporter: Reporter
    path: Path | None

    @classmethod
    def read(cls, text: str) -> Wanted:
        """Read `NAME` or `NAME=FILE`.

        Raises:
            UsageError: for a format that does not exist, or no file after `=`.
        """
        name, named_file, file = text.partition("=")
        reporter = named(name)
        if named_file and not file:
            raise UsageError(f"--format {text}: names no file; write {name}=FILE, or {name} alone")
        return cls(reporter, Path(file) if file else None)


def publish(
    report: dict[str, Any], folder: Folder, wanted: Sequence[Wanted], *, quiet: bool
) -> None:
    """Write the files, and say on standard output what was found.

    Raises:
        RepcheckError: if a file cannot be written.
    """
    write_text(folder.report, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False))
    # What a person sees is made from the file, so that a program can read all of it.
    stored = json.loads(folder.report.read_text(encoding="utf-8"))
    page = named("html")
    write_text(folder.root / page.file, page.render(stored))
    for one in wanted:
        if one.path is None:
            _say(one.reporter, stored)
        else:
            write_text(one.path, one.reporter.render(stored))
    if not quiet:
        if all(one.path for one in wanted):
            _say(named("terminal"), stored)
        with suppress(BrokenPipeError):
            click.echo(f"report: {folder.root / page.file}", err=True)


def _say(reporter: Reporter, stored: dict[str, Any]) -> None:
    shown = reporter.text(stored, sys.stdout)
    # A pager that was closed early changes nothing: the files are written, the exit code stands.
    with mended(Path("standard output")), suppress(BrokenPipeError), _nothing_left():
        coloured = sys.stdout is not None and wants_colour(sys.stdout)
        click.echo(shown, nl=False, color=coloured)


@contextmanager
def _nothing_left() -> Iterator[None]:
    """Drop what a broken standard output keeps: flushing it at the end is exit code 120."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.stdout.flush()
        raise


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; what UTF-8 cannot hold (odd file names) is escaped."""
    write(path, text.encode("utf-8", errors="backslashreplace"))
