"""A leaf of the claims file: short form, long form (`{value, where, disclosed, by, artifact}`),
or one of its states.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from repcheck.claims.problems import Problem, one_of
from repcheck.claims.source import NOT_VALUES, Items, Node, Scalar, Tree, is_false, is_null
from repcheck.claims.stated import ArtifactSide, Disclosure, State, Stated, declare
from repcheck.claims.values import (
    BAD,
    NULL_HINT,
    STATES,
    Desk,
    Number,
    Read,
    Value,
    anything,
    braces_hint,
    kind_of,
    shorten,
    value_of,
)
from repcheck.where import Where, placed

LONG = ("value", "where", "disclosed", "by", "artifact")
DISCLOSED = ("paper", "appendix", "code", "no")
STATED_BY = ("author", "reviewer")


@cache
def leaf_reader(hint: Any) -> Read:  # noqa: ANN401
    """Return the reader of a `Stated[...]` leaf: short form, long form, or one of its states."""
    value = value_of(hint)
    pair = value.read.pair if isinstance(value.read, Number) else None
    words = {word: state for word, state in STATES.items() if word not in value.words}
    read_value = value.read

    def scalar(node: Scalar, path: str, desk: Desk, said: Disclosure | None) -> Any:  # noqa: ANN401
        text = node.text
        place = placed(desk.file, node.line, node.column, path)
        if text in words:
            return Stated(state=words[text], place=place, disclosure=said or Disclosure())
        if text in NOT_VALUES and (is_null(node) or (is_false(node) and not value.boolean)):
            if is_null(node):
                return desk.refuse(node, path, "has no value", NULL_HINT)
            return Stated(state=State.NONE, place=place, disclosure=said or Disclosure())
        if pair is not None:
            found = pair(node, path, desk)
            return BAD if found is BAD else declare((found[0], text, found[1]), place, said)
        content = read_value(node, path, desk)
        return BAD if content is BAD else declare((content, text, ""), place, said)

    def read(node: Node, path: str, desk: Desk, said: Disclosure | None = None) -> Any:  # noqa: ANN401
        if type(node) is Scalar:
            return scalar(node, path, desk, said)
        if said is None and type(node) is Tree and _is_long(node, value):
            return _read_long(node, path, desk, read)
        content = read_value(node, path, desk)
        if content is BAD:
            return BAD
        return declare((content, "", ""), _place_with_keys(node, path, desk), said)

    return read


def _read_long(node: Tree, path: str, desk: Desk, read: Callable[..., Any]) -> Any:  # noqa: ANN401
    if braces_hint(node):
        return desk.refuse(node, path, "expected one value, found a mapping", braces_hint(node))
    said = disclosure(node, path, desk, read)
    inner = node.entries.get("value")
    if inner is None:
        return desk.refuse(node, path, "the long form needs `value`")
    return read(inner, path, desk, said or Disclosure())


def _place_with_keys(node: Node, path: str, desk: Desk) -> Where:
    if type(node) is Tree:
        return Where(desk.file, node.line, node.column, path, node.marks)
    items = node.items if type(node) is Items else ()
    keys = {str(i): (item.line, item.column) for i, item in enumerate(items)}
    return Where(desk.file, node.line, node.column, path, keys)


def _is_long(node: Tree, value: Value) -> bool:
    keys = node.entries.keys()
    if value.mapping:
        return "value" in keys and len(keys) > 1 and all(key in LONG for key in keys)
    return True


def disclosure(node: Tree, path: str, desk: Desk, read: Read | None) -> Disclosure | None:
    """Read the long form's account of a leaf or section, refusing keys that it does not have."""
    for key, child in node.entries.items():
        if key not in LONG and read is not None and not key.startswith("x-"):
            hint = braces_hint(node) or desk.nearest(key, LONG)
            place = Where(desk.file, *node.marks[key], f"{path}.{key}")
            desk.note(Problem(place, f"unknown key `{shorten(key)}`", hint))
        elif key in ("where", "disclosed", "by") and type(child) is not Scalar:
            desk.refuse(child, f"{path}.{key}", f"expected text, found {kind_of(child)}")
    where, disclosed, by = (_said(node, key) for key in ("where", "disclosed", "by"))
    for key, word, known in (("disclosed", disclosed, DISCLOSED), ("by", by, STATED_BY)):
        if word and word not in known:
            what = f"expected one of {one_of(known)}, found `{shorten(word)}`"
            desk.refuse(node.entries[key], f"{path}.{key}", what, desk.nearest(word, known))
    side = node.entries.get("artifact")
    artifact = _artifact_side(side, f"{path}.artifact", desk, read) if side is not None else None
    if not (where or disclosed or by or artifact):
        return None
    return Disclosure(where=where, disclosed=disclosed, by=by, artifact=artifact)


def _said(node: Tree, key: str) -> str:
    child = node.entries.get(key)
    if not isinstance(child, Scalar) or is_null(child) or child.text == "undeclared":
        return ""
    return child.text


def _artifact_side(node: Node, path: str, desk: Desk, read: Read | None) -> ArtifactSide | None:
    where, inner = "", node
    if isinstance(node, Tree) and "value" in node.entries:
        where, inner = _said(node, "where"), node.entries["value"]
        for key in node.entries:
            if key not in ("value", "where") and not key.startswith("x-"):
                place = Where(desk.file, *node.marks[key], f"{path}.{key}")
                hint = desk.nearest(key, ("value", "where"))
                desk.note(Problem(place, f"unknown key `{shorten(key)}`", hint))
    text = inner.text if isinstance(inner, Scalar) else ""
    if is_null(inner):
        desk.refuse(inner, path, "has no value", NULL_HINT)
        return None
    if read is None:
        return ArtifactSide(value=anything(inner, path, desk), text=text, where=where)
    leaf = read(inner, path, desk)
    if leaf is BAD or leaf.undeclared:
        return None
    value = leaf.content if leaf.known else leaf.state
    return ArtifactSide(value=value, text=text, where=where)
