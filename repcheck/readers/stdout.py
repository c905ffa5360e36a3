r"""`stdout:REGEX`: the one group of the last match in what the run printed, line by line.

A pattern such as `(a+)+b` can take longer than the universe has. A cheap bound on the work decides
whether it is searched here or in a process of its own that is stopped after ten seconds.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from repcheck.reader import Left, NoMetric, log_file, number, reader

TEXT_CAP = 8 * 2**20
LINE_CAP = 10_000
WORK_BOUND = 1e8
PATIENCE_S = 10.0
MOST_CHOICES = 20
_CODE = """
import re, sys
pattern = re.compile(sys.argv[1])
for line in reversed(sys.stdin.read().split("\\n")):
    found = pattern.search(line)
    if found:
        sys.stdout.write("=" + (found.group(1) or ""))
        break
"""


@reader("stdout")
def read(left: Left, path: str, what: str) -> float:  # noqa: ARG001 - every reader's signature
    """Return the number in the last match."""
    pattern = _pattern(what)
    lines = [line[:LINE_CAP] for line in _tail(left.stdout).splitlines()]
    found = _search(pattern, lines) if _cheap(what, lines) else _search_apart(what, lines)
    if found is None:
        raise NoMetric(f"nothing the run printed matches /{what}/")
    return number(found, f"the match of /{what}/")


def _pattern(what: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(what)
    except (re.error, RecursionError, OverflowError) as error:
        raise NoMetric(f"/{what}/ is not a regular expression: {error}") from None
    if pattern.groups != 1:
        raise NoMetric(f"/{what}/ needs exactly one group ( ) around the number")
    return pattern


def _tail(path: Path) -> str:
    with log_file(path) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TEXT_CAP))
        # A progress bar rewrites its line with \r; each state counts as a line.
        return file.read(TEXT_CAP).decode("utf-8", errors="replace").replace("\r", "\n")


def _cheap(what: str, lines: Sequence[str]) -> bool:
    bare = re.sub(r"\[[^\]]*\]", "x", re.sub(r"\\.", "x", what))
    if re.search(r"\)[*+{]", bare):
        return False
    repeats = len(re.findall(r"[*+]|\{\d*,\d*\}", bare))
    # Every `a?` and every `a|b` is a choice, and choices in a row are tried in all combinations.
    choices = bare.count("|") + len(re.findall(r"(?<![(*+?}])\?", bare))
    if repeats + choices > MOST_CHOICES:
        return False
    work = sum(float(len(line) + 1) ** (1 + repeats) for line in lines)
    return work * 2.0**choices <= WORK_BOUND


def _search(pattern: re.Pattern[str], lines: Sequence[str]) -> str | None:
    for line in reversed(lines):
        found = pattern.search(line)
        if found:
            return found.group(1) or ""
    return None


def _search_apart(what: str, lines: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CODE, what],
            input="\n".join(lines).encode("utf-8", errors="replace"),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
            env={"PYTHONUTF8": "1"},
        )
    except subprocess.TimeoutExpired:
        raise NoMetric(f"/{what}/ did not finish in {PATIENCE_S:.0f} s: simplify it") from None
    except (OSError, ValueError) as error:
        raise NoMetric(f"/{what}/ could not be searched: {error}") from None
    answer = done.stdout.decode("utf-8", errors="replace")
    return answer[1:] if answer.startswith("=") else None
