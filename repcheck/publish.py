"""Write a report down: report.json and report.html always, other formats where asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from repcheck.folder import Folder
from repcheck.reporter import Reporter, named
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
            UsageError: for a format that does not exist.
        """
        name, _, file = text.partition("=")
        return cls(named(name), Path(file) if file else None)


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
            click.echo(one.reporter.text(stored, sys.stdout), nl=False)
        else:
            write_text(one.path, one.reporter.render(stored))
    if not quiet:
        if all(one.path for one in wanted):
            click.echo(named("terminal").text(stored, sys.stdout), nl=False)
        click.echo(f"report: {folder.root / page.file}", err=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with mended(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.new")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
