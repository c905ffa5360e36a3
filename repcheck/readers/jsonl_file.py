"""`file.jsonl:key@last|max|min|mean`: one key of the lines that have it (dotted paths allowed)."""

from __future__ import annotations

import json
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
)
from repcheck.readers.json_file import numbers

MOST_LINES = 10_000

_ABSENT = object()


@reader(".jsonl")
def read(left: Left, path: str, what: str) -> float:
    """Return the chosen value of a key over the lines of a log."""
    name, pick = split_pick(what)
    label = f"{name} in {path}"
    values: list[float] = []
    for count, line in enumerate(file_text(left, path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = _at(json.loads(line), name)
        except (ValueError, RecursionError) as error:
            raise NoMetric(f"{path}, line {count} is not JSON: {error}") from None
        if found is not _ABSENT and found is not None:
            values.append(number(found, label))
    return choose(values, pick, label)


def _at(line: object, name: str) -> object:
    if not isinstance(line, dict):
        return _ABSENT
    if name in line:
        return line[name]
    first, dot, rest = name.partition(".")
    return _at(line.get(first), rest) if dot else _ABSENT


@beside(".jsonl")
def others(text: str, what: str) -> Iterator[tuple[str, float]]:
    """Yield the numbers of the last line that has the number which is read."""
    for line in reversed(text.splitlines()[-MOST_LINES:]):
        try:
            row = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError) as error:
            raise NoMetric(f"a line is not JSON: {error}") from None
        if _at(row, what) not in (_ABSENT, None):
            yield from numbers(row)
            return
