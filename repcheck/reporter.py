"""What a reporter is: one file of `repcheck.reporters` that turns a report into text.

A reporter reads the report's plain data and nothing else; its module is named as its format is
and holds one `REPORTER`. Modules are imported only when their format is asked for, so that a
terminal never pays for the page's template engine.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from repcheck.errors import UsageError

Report = Mapping[str, Any]
_FOLDER = Path(__file__).parent / "reporters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """One output format.

    `file` is the name under which it is written by default; an empty one means standard output.
    `coloured` is what a terminal shows instead of `render`, where that differs.
    """

    name: str
    about: str
    file: str
    render: Callable[[Report], str]
    coloured: Callable[[Report], str] | None = None

    def text(self, report: Report, stream: TextIO | None = None) -> str:
        """Return the report as text, in colours where the stream is a terminal that wants them."""
        if self.coloured is not None and stream is not None and wants_colour(stream):
            return self.coloured(report)
        return self.render(report)


def names() -> tuple[str, ...]:
    """Return the names of all formats, without importing any."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules([str(_FOLDER)]) if not m.ispkg))


def named(name: str) -> Reporter:
    """Return the reporter of this name.

    Raises:
        UsageError: if there is none; the message lists those there are.
    """
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"choose from {', '.join(names())}"
        raise UsageError(f"no report format is called `{name}`; {hint}")
    found = importlib.import_module(f"repcheck.reporters.{name}").REPORTER
    if not isinstance(found, Reporter):
        raise TypeError(f"repcheck/reporters/{name}.py: REPORTER is no Reporter")
    return found


def wants_colour(stream: TextIO) -> bool:
    """Whether colours may be written: FORCE_COLOR says yes, NO_COLOR no, else a terminal does."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
