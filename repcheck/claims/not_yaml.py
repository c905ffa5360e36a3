"""Why a text is not YAML, in words that help: PyYAML's own name the parser's state."""

from __future__ import annotations

import re

import yaml

from repcheck.claims.problems import Problem
from repcheck.where import Where

_BRACES = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_MARKS = (
    "expected comment or line break",
    "expected alphabetic or numeric",
    "chomping or indentation",
)
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'")


def place_of(text: str, index: int, shown: str) -> Where:
    """Return the place of one character."""
    return Where(shown, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def explained(error: yaml.YAMLError, text: str, shown: str) -> Problem:
    """Return what is wrong, where, and how to mend it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or "is not YAML"
    if mark is None:
        position = getattr(error, "position", 0)
        return Problem(place_of(text, position, shown), f"not YAML: {what}")
    place = Where(shown, mark.line + 1, mark.column + 1)
    braces = _unquoted_braces(error, text)
    if braces is not None:
        line, column, found = braces
        hint = f'quote values that contain braces: "...{found}..."'
        return Problem(Where(shown, line, column), f"not YAML: `{found}` stands unquoted", hint)
    if "expected a single document" in what or "single document" in str(error):
        return Problem(place, "holds several documents", "one file holds one paper: delete `---`")
    lines = text.split("\n")
    here = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in here[: mark.column + 1] or "\t" in here[: len(here) - len(here.lstrip())]:
        return Problem(
            place, "not YAML: a tab stands where YAML wants spaces", "indent with spaces"
        )
    if "undefined alias" in what:
        return Problem(place, what, "anchors are written `&name` before `*name`")
    return Problem(place, f"not YAML: {what}", _usual_cause(what))


def _usual_cause(what: str) -> str:
    if "mapping values are not allowed" in what:
        return "quote text that contains `: `"
    if any(one in what for one in _MARKS):
        return "quote text that begins with >, |, *, & or !"
    if "block sequence entries" in what:
        return "quote a lone `-`, or begin the list on a line of its own"
    if "nested deeper" in what:
        return "a claims file needs less than ten"
    if "cannot start any token" in what:
        return "quote text that begins with @, `, % or *"
    if "expected ',' or" in what or "<stream end>" in what:
        return "a bracket, brace or quote is not closed"
    return ""


def _unquoted_braces(error: yaml.YAMLError, text: str) -> tuple[int, int, str] | None:
    """Return line, column and text of a `{name}` that stands unquoted where the parser gave up."""
    lines = text.split("\n")
    for name in ("problem_mark", "context_mark"):
        mark = getattr(error, name, None)
        if mark is None or mark.line >= len(lines):
            continue
        line = lines[mark.line][:100_000]
        bare = _QUOTED.sub(lambda match: "\x00" * len(match[0]), line)
        found = _BRACES.search(bare)
        if found is not None and not bare.lstrip().startswith("#"):
            return mark.line + 1, found.start() + 1, found[0]
    return None
