"""`file.json:key.path`: a number in a JSON file; of a list, `@last|max|min|mean`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from repcheck.reader import (
    NAME_CAP,
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

MOST_NODES = 200_000
DEEPEST_NODE = 20


@reader(".json")
def read(left: Left, path: str, what: str) -> float:
    """Return the number at a dotted path; list elements by index, keys may contain dots."""
    name, pick = split_pick(what)
    try:
        content = json.loads(file_text(left, path))
    except (ValueError, RecursionError) as error:
        raise NoMetric(f"{path} is not JSON: {error}") from None
    found = _descend(content, name.split("."), f"{path}:{name}")
    label = f"{name} in {path}"
    if isinstance(found, list):
        return choose([number(item, label) for item in found], pick, label)
    return number(found, label)


def _descend(node: object, parts: list[str], whole: str) -> object:
    if not parts:
        return node
    if isinstance(node, list):
        try:
            return _descend(node[int(parts[0])], parts[1:], whole)
        except (ValueError, IndexError):
            raise NoMetric(f"{whole}: the list has no element {parts[0]!r}") from None
    if isinstance(node, dict):
        for length in range(len(parts), 0, -1):
            key = ".".join(parts[:length])
            if key in node:
                return _descend(node[key], parts[length:], whole)
        there = ", ".join(sorted(map(str, node))[:8]) or "nothing"
        raise NoMetric(f"{whole}: no key {parts[0]!r}; there is {there}")
    raise NoMetric(f"{whole}: nothing below a single value at {parts[0]!r}")


@beside(".json")
def others(text: str, what: str) -> Iterator[tuple[str, float]]:  # noqa: ARG001 - one signature
    """Yield every single number of a file by its dotted path; of a list of rows, the last row's."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoMetric(f"not JSON: {error}") from None
    if isinstance(content, list) and content and isinstance(content[-1], dict):
        content = {"-1": content[-1]}
    yield from numbers(content)


def numbers(content: object) -> Iterator[tuple[str, float]]:
    """Yield the single numbers of nested mappings, as they stand; lists are left alone.

    Raises:
        NoMetric: if there are more than 200,000 values.
    """
    nodes, seen = [("", content, 0)], 0
    while nodes:
        path, node, depth = nodes.pop()
        seen += 1
        if seen > MOST_NODES:
            raise NoMetric(f"more than {MOST_NODES:,} values")
        value = usable(node)
        if value is not None and path:
            yield path, value
        elif isinstance(node, dict) and depth < DEEPEST_NODE and len(path) <= NAME_CAP:
            head = f"{path}." if path else ""
            inner = [(f"{head}{key}", item, depth + 1) for key, item in node.items()]
            nodes.extend(reversed(inner))
