"""One value of a TOML file changed, every other byte kept.

No parser of TOML says where things stand. So every piece of the text that reads as the old value
is marked, and the mark that is then read at the key tells the place.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Sequence
from typing import Any

from repcheck.edits.edit import Edit, failed, fitting, same, shown, text_of
from repcheck.edits.tree import Node, locate

_TOKENS = re.compile(
    r'#[^\n]*|"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
    r"|\d{4}-\d\d-\d\d[ Tt]\d\d:\d\d:\d\d[^\s,\]}#]*|[^\s,=\[\]{}#\"']+",
    re.DOTALL,
)
_KEY_END = re.compile(r"[ \t]*[=.]")
_HEADER = re.compile(r"^[ \t]*\[[^=\n]*\][ \t]*(#[^\n]*)?\r?$", re.MULTILINE)
_MARK = "repcheck mark "
_DATES = (datetime.date, datetime.time)


def changed(text: str, edit: Edit) -> str:
    """Return the text with one value changed.

    Raises:
        EditFailed: if the file is not TOML, the key does not name one value, the value cannot be
            written in TOML, or nothing would change.
    """
    tree = _parsed(text, edit)
    names = locate(_tree(tree), edit).names
    holder = _at(tree, names[:-1])
    last: Any = int(names[-1]) if isinstance(holder, list) else names[-1]
    start, end = _span(text, holder[last], names, edit)
    new = _written(text[start:end], holder[last], edit)
    after = text[:start] + new + text[end:]
    holder[last] = tomllib.loads(f"x = {new}", parse_float=_Float)["x"]
    if repr(_loaded(after)) != repr(tree):
        what = f"cannot become {shown(edit.value)} without changing something else"
        raise failed(edit, what, "change it by hand")
    return after


class _Float(str):
    """A number with a point as printed, so that nothing is lost and nan is equal to nan."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"float {self}"


def _parsed(text: str, edit: Edit) -> Any:  # noqa: ANN401
    try:
        return tomllib.loads(text, parse_float=_Float)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        what = f"is sought in what is not TOML: {error}"
        raise failed(edit, what, line=int(found[1]) if found else 0) from None
    except ValueError as error:
        raise failed(edit, f"is sought in what cannot be read as TOML: {error}") from None


def _loaded(text: str) -> Any:  # noqa: ANN401
    try:
        return tomllib.loads(text, parse_float=_Float)
    except ValueError:
        return None


def _tree(value: Any) -> Node:  # noqa: ANN401
    if isinstance(value, dict):
        items = [node for key, child in value.items()
                 for node in (Node(kind="scalar", value=key), _tree(child))]  # fmt: skip
        return Node(kind="map", items=items)
    if isinstance(value, list):
        return Node(kind="list", items=[_tree(child) for child in value])
    return Node(kind="scalar", value=str(value))


def _at(tree: Any, names: Sequence[str]) -> Any:  # noqa: ANN401
    """Return what stands at a path, or None."""
    for name in names:
        if isinstance(tree, list) and name.isdecimal() and int(name) < len(tree):
            tree = tree[int(name)]
        elif isinstance(tree, dict) and name in tree:
            tree = tree[name]
        else:
            return None
    return tree


def _span(text: str, old: object, names: Sequence[str], edit: Edit) -> tuple[int, int]:
    """Return where a value stands: all that read alike are marked, and the mark is looked up."""
    alike: dict[str, bool] = {}
    found = []
    for token in _TOKENS.finditer(text):
        if token[0] not in alike:
            read = None if token[0].startswith("#") else _loaded(f"x = {token[0]}")
            alike[token[0]] = read is not None and repr(read["x"]) == repr(old)
        if alike[token[0]] and not _KEY_END.match(text, token.end()):
            found.append(token.span())
    headers = {header.start() for header in _HEADER.finditer(text)}
    outside = [span for span in found if text.rfind("\n", 0, span[0]) + 1 not in headers]
    for spans in (outside, found):
        marked = [text[: spans[0][0]]] if spans else []
        for index, (_, end) in enumerate(spans):
            following = spans[index + 1][0] if index + 1 < len(spans) else len(text)
            marked += [f'"{_MARK}{index}"', text[end:following]]
        mark = _at(_loaded("".join(marked)), names)
        if isinstance(mark, str) and mark.startswith(_MARK):
            return spans[int(mark.removeprefix(_MARK))]
    what = f"cannot be told from other places that hold {shown(old)}"
    raise failed(edit, what, "write its table as `[table]` and `key = value` lines")


def _written(printed: str, old: object, edit: Edit) -> str:
    known: Any = float(old) if isinstance(old, _Float) else old
    value = edit.value
    new: Any = None
    if isinstance(old, _DATES):
        known, new = str(printed), str(value)
        if type((_loaded(f"x = {new}") or {}).get("x")) is not type(old):
            raise failed(edit, f"is a date or a time, and {shown(value)} is none")
    elif value is None:
        raise failed(edit, "cannot become null, which TOML does not have")
    else:
        new = text_of(value) if isinstance(known, str) else fitting(known, value)
    if same(known, new):
        raise failed(edit, f"is {shown(known)} already; {shown(value)} changes nothing",
                     "give another value")  # fmt: skip
    if isinstance(old, _DATES) or not isinstance(new, str):
        return text_of(new)
    if printed.startswith("'") and new.isprintable() and "'" not in new:
        return f"'{new}'"
    return json.dumps(new, ensure_ascii=False).replace("\x7f", "\\u007f")
