"""`file.json:key.path`: a number in a JSON file; of a list, `@last|max|min|mean`."""

from __future__ import annotations

import json

from repcheck.reader import Left, NoMetric, choose, file_text, number, reader, split_pick


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
