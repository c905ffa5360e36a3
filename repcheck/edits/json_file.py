"""One value of a JSON file changed, every other byte kept."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from repcheck.edits.edit import Edit, Scalar, failed, fitting, same, shown, text_of
from repcheck.edits.tree import MAX_DEPTH, Node, locate

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = json.JSONDecoder()
_LONGEST = 400
_WORD = re.compile(r"[^\s,:\[\]{}\"]+")


def changed(text: str, edit: Edit) -> str:
    """Return the text with one value changed.

    Raises:
        EditFailed: if the file is not JSON, the key does not name one value, or nothing would
            change.
    """
    before = _parsed(text, edit)
    if not isinstance(before, dict | list):
        raise failed(edit, "is sought in a file without keys")
    hit = locate(_Reader(text, edit).value(0)[0], edit)
    leaf = hit.leaf
    if not leaf.style and len(leaf.value) > _LONGEST:
        raise failed(edit, "is an absurdly long number", line=leaf.line)
    old: Scalar = leaf.value if leaf.style else json.loads(leaf.value)
    new = text_of(edit.value) if leaf.style and edit.value is not None else fitting(old, edit.value)
    if same(old, new):
        what = f"is {shown(old)} already; {shown(edit.value)} changes nothing"
        raise failed(edit, what, "give another value", line=leaf.line)
    if isinstance(new, float) and not math.isfinite(new):
        raise failed(edit, f"cannot become {new}: JSON has no such number", line=leaf.line)
    written = json.dumps(new, ensure_ascii=text.isascii())
    after = text[: leaf.start] + written + text[leaf.end :]
    place: Any = before
    for name in hit.names[:-1]:
        place = place[int(name) if isinstance(place, list) else name]
    name = hit.names[-1]
    place[int(name) if isinstance(place, list) else name] = _parsed(written, edit)
    if _parsed(after, edit) != before:
        raise failed(edit, "cannot be changed alone; change it by hand", line=leaf.line)
    return after


def _parsed(text: str, edit: Edit) -> Any:  # noqa: ANN401
    """Return the content with numbers as they are printed."""
    kept: Any = {name: lambda printed: ("number", printed)
                 for name in ("parse_int", "parse_float", "parse_constant")}  # fmt: skip
    try:
        return json.loads(text, **kept)
    except json.JSONDecodeError as error:
        what = f"is sought in what is not JSON: {error.msg}"
        raise failed(edit, what, "JSON takes no comments", line=error.lineno) from None


class _Reader:
    """Reads what is known to be JSON, for the span of every value."""

    def __init__(self, text: str, edit: Edit) -> None:
        self.text, self.edit = text, edit
        self.line, self.counted, self.depth = 1, 0, 0

    def value(self, at: int) -> tuple[Node, int]:
        """Return the value that begins at or after a position, and where it ends."""
        at = self._after_space(at)
        self.line += self.text.count("\n", self.counted, at)
        self.counted = at
        first = self.text[at]
        if first in "[{":
            return self._collection(at, "map" if first == "{" else "list")
        if first == '"':
            value, end = _STRING.raw_decode(self.text, at)
            style = '"'
        else:
            end = _WORD.match(self.text, at).end()  # type: ignore[union-attr]
            value, style = self.text[at:end], ""
        return Node(kind="scalar", start=at, end=end, line=self.line, value=value, style=style), end

    def _collection(self, start: int, kind: Any) -> tuple[Node, int]:  # noqa: ANN401
        self.depth += 1
        if self.depth > MAX_DEPTH:
            what = f"is sought in a file nested deeper than {MAX_DEPTH} levels"
            raise failed(self.edit, what, line=self.line)
        items: list[Node] = []
        line, at = self.line, self._after_space(start + 1)
        while self.text[at] not in "]}":
            item, at = self.value(at)
            items.append(item)
            at = self._after_space(at)
            if self.text[at] in ",:":
                at += 1
            at = self._after_space(at)
        self.depth -= 1
        return Node(kind=kind, start=start, end=at + 1, line=line, items=items), at + 1

    def _after_space(self, at: int) -> int:
        return _SPACE.match(self.text, at).end()  # type: ignore[union-attr]
