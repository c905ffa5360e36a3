"""YAML text to a plain tree that keeps the place and the printed text of everything.

The node tree is composed by PyYAML and walked here: its own constructors read `1e-3` as text, `NO`
as false and `010` as eight, and keep the last of two equal keys without a word.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from repcheck.claims.not_yaml import explained, place_of
from repcheck.claims.problems import ClaimsError, Problem
from repcheck.where import Where

MAX_BYTES = 16_000_000
MAX_NODES = 2_000_000
MAX_ALIASED = 200_000
MAX_DEPTH = 50
MOST_PROBLEMS = 1_000

_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = {f"{_CORE}{name}" for name in ("int", "float", "bool", "null", "map", "seq")}
_UNPRINTABLE = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\\ud800-\\udfff]")


class Scalar(NamedTuple):
    """A scalar as printed; `plain` if it stood without quotes."""

    text: str
    plain: bool
    line: int
    column: int


class Tree(NamedTuple):
    """A mapping, with the place of every key."""

    entries: dict[str, Node]
    marks: dict[str, tuple[int, int]]
    line: int
    column: int
    size: int


class Items(NamedTuple):
    """A sequence."""

    items: tuple[Node, ...]
    line: int
    column: int
    size: int


Node = Scalar | Tree | Items


class _Depth:
    """The part of a PyYAML resolver that composing needs: no tags are guessed, depth is bounded."""

    depth = 0

    def resolve(self, *_: object) -> str:
        """Leave a node without a tag: what a scalar means is decided by the key's type."""
        return ""

    def descend_resolver(self, parent: Any, _: object) -> None:  # noqa: ANN401
        """Enter a node."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"nested deeper than {MAX_DEPTH} levels",
                problem_mark=getattr(parent, "start_mark", None),
            )

    def ascend_resolver(self) -> None:
        """Leave a node."""
        self.depth -= 1


def _composer() -> type[Any]:
    """Return a composer on libyaml, or on PyYAML's own parser where that is all there is."""
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return type("Composer", (_Depth, base), {})


_Composer = _composer()


def read_bytes(path: Path, shown: str) -> bytes:
    """Return the bytes of a claims file: a regular file of at most 16 MB.

    Raises:
        ClaimsError: if there is none, or it cannot be one.
    """
    place = Where(shown, 1, 1)
    try:
        mode = path.stat()
        if stat.S_ISDIR(mode.st_mode):
            raise ClaimsError([Problem(place, "is a folder", "name the claims file in it")])
        if not stat.S_ISREG(mode.st_mode):
            raise ClaimsError([Problem(place, "is not a regular file")])
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "name a claims file; `repcheck init` writes one"
        raise ClaimsError([Problem(place, "there is no such file", hint)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ClaimsError([Problem(place, f"cannot be read: {reason}")]) from None
    if len(data) > MAX_BYTES:
        limit = f"is larger than {MAX_BYTES // 1_000_000} MB"
        raise ClaimsError([Problem(place, limit, "is this a claims file?")])
    return data


def decode(data: bytes, shown: str) -> str:
    """Return the text of the file.

    Raises:
        ClaimsError: if it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
        column = len(before[start:].decode("utf-8", "replace")) + 1
        raise ClaimsError(
            [Problem(Where(shown, line, column), "is not UTF-8 text", "save the file as UTF-8")]
        ) from None


def read_tree(text: str, shown: str) -> Tree:
    """Return the tree of one YAML document whose top level is a mapping.

    Raises:
        ClaimsError: if the text is not YAML, or is YAML that cannot be trusted (equal keys, tags,
            recursive or exploding aliases, depth).
    """
    text = text.removeprefix("\ufeff")
    bad = _first_forbidden(text)
    if bad is not None:
        place, what = place_of(text, bad, shown), f"holds the character U+{ord(text[bad]):04X}"
        raise ClaimsError([Problem(place, what, "delete it")])
    try:
        root = _Composer(text).get_single_node()
    except yaml.YAMLError as error:
        raise ClaimsError([explained(error, text, shown)]) from None
    if root is None:
        hint = "`repcheck init` writes one"
        raise ClaimsError([Problem(Where(shown, 1, 1), "the file is empty", hint)])
    walk = _Walk(shown)
    tree = walk.node(root)
    if walk.problems:
        raise ClaimsError(walk.problems)
    if not isinstance(tree, Tree):
        place = Where(shown, tree.line, tree.column)
        hint = "a claims file begins with `repcheck: 1`"
        raise ClaimsError([Problem(place, "the file is no mapping of keys", hint)])
    return tree


def _first_forbidden(text: str) -> int | None:
    """Return where a character stands that YAML forbids, or a byte order mark within the text."""
    control = yaml.reader.Reader.NON_PRINTABLE.search(text)  # compiled already, and slow to compile
    mark = text.find("\ufeff")
    found = [place for place in (control.start() if control else -1, mark) if place >= 0]
    return min(found, default=None)


# A named tuple's own constructor takes twice as long.
_scalar: Callable[..., Scalar] = tuple.__new__


class _Walk:
    """Makes the tree of a node graph; a node that aliases share is walked once."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.problems: list[Problem] = []
        self.done: dict[int, Node] = {}
        self.open: set[int] = set()
        self.path: list[str | int] = []
        self.aliased = 0

    def node(self, node: Any) -> Node:  # noqa: ANN401
        """Return the tree of a node."""
        value = node.value
        if node.tag:
            self._check_tag(node)
        mark = node.start_mark
        if type(value) is str:
            style = node.style
            plain = not style and node.tag != f"{_CORE}str"
            if style == '"' and _UNPRINTABLE.search(value):
                self._refuse(node, "holds a control character", "delete it")
            return _scalar(Scalar, (value, plain, mark.line + 1, mark.column + 1))
        known = self.done.get(id(node))
        if known is not None:
            self._count_alias(node, known)
            return known
        if id(node) in self.open:
            self._refuse(node, "an alias contains itself")
            return Scalar("", plain=True, line=mark.line + 1, column=mark.column + 1)
        self.open.add(id(node))
        made = self._mapping(node) if isinstance(node, yaml.MappingNode) else self._sequence(node)
        self.open.discard(id(node))
        self.done[id(node)] = made
        return made

    def _sequence(self, node: Any) -> Items:  # noqa: ANN401
        items, size = [], 1
        for index, child in enumerate(node.value):
            self.path.append(index)
            item = self.node(child)
            self.path.pop()
            size += 1 if type(item) is Scalar else item.size  # type: ignore[union-attr]
            items.append(item)
        mark = node.start_mark
        return Items(tuple(items), mark.line + 1, mark.column + 1, self._bounded(node, size))

    def _mapping(self, node: Any) -> Tree:  # noqa: ANN401
        entries: dict[str, Node] = {}
        marks: dict[str, tuple[int, int]] = {}
        merged: list[Tree] = []
        size = 1
        for key_node, child in node.value:
            key = key_node.value
            if type(key) is not str or not key:
                what = "a key must be a word" if key else "a key is empty"
                self._refuse(key_node, what, "quote values that contain braces" if key else "")
                continue
            mark = key_node.start_mark
            self.path.append(key)
            if key == "<<" and not key_node.style:
                merged += self._merged(child)
                self.path.pop()
                continue
            if key in marks or key_node.style:
                self._check_key(key_node, marks)
            marks.setdefault(key, (mark.line + 1, mark.column + 1))
            entry = self.node(child)
            self.path.pop()
            entries.setdefault(key, entry)
            size += 1 if type(entry) is Scalar else entry.size  # type: ignore[union-attr]
        size += _merge_into(entries, marks, merged)
        mark = node.start_mark
        return Tree(entries, marks, mark.line + 1, mark.column + 1, self._bounded(node, size))

    def _check_key(self, node: Any, marks: dict[str, tuple[int, int]]) -> None:  # noqa: ANN401
        key = node.value
        if node.style and _UNPRINTABLE.search(key):
            self._refuse(node, "the key holds a control character", "delete it")
        if key in marks:
            first = "{}:{}".format(*marks[key])
            what = f"the key `{key[:60]}` stands twice; the first is at {first}"
            self._refuse(node, what, "keep one of them")

    def _merged(self, node: Any) -> list[Tree]:  # noqa: ANN401
        tree = self.node(node)
        parts = tree.items if isinstance(tree, Items) else (tree,)
        trees = [part for part in parts if isinstance(part, Tree)]
        if len(trees) != len(parts):
            self._refuse(node, "`<<` merges mappings only")
        return trees

    def _check_tag(self, node: Any) -> None:  # noqa: ANN401
        if node.tag not in _PLAIN_TAGS and node.tag != f"{_CORE}str":
            shown = node.tag.replace(_CORE, "!!")[:60]
            self._refuse(node, f"the tag `{shown}` is not allowed", "leave tags out")

    def _count_alias(self, node: Any, known: Node) -> None:  # noqa: ANN401
        self.aliased += 1 if isinstance(known, Scalar) else known.size
        if self.aliased > MAX_ALIASED:
            self._stop(node, f"its aliases stand for more than {MAX_ALIASED:,} values")

    def _bounded(self, node: Any, size: int) -> int:  # noqa: ANN401
        if size > MAX_NODES:
            self._stop(node, f"stands for more than {MAX_NODES:,} values")
        return size

    def _stop(self, node: Any, what: str) -> None:  # noqa: ANN401
        self._refuse(node, what, "write the file without repeated aliases")
        raise ClaimsError(self.problems)

    def _refuse(self, node: Any, what: str, hint: str = "") -> None:  # noqa: ANN401
        mark = node.start_mark
        path = Where()
        for key in self.path:
            path = Where(path=path.join(key))
        place = Where(self.shown, mark.line + 1, mark.column + 1, path.path)
        self.problems.append(Problem(place, what, hint))
        if len(self.problems) >= MOST_PROBLEMS:
            raise ClaimsError(self.problems)


def _merge_into(
    entries: dict[str, Node], marks: dict[str, tuple[int, int]], merged: list[Tree]
) -> int:
    """Add the keys of `<<` that a mapping does not have itself; return how much that adds."""
    size = 0
    for tree in merged:
        for key, entry in tree.entries.items():
            if key not in entries:
                entries[key], marks[key] = entry, tree.marks[key]
                size += 1 if isinstance(entry, Scalar) else entry.size
    return size


_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
NOT_VALUES = _NULL | _FALSE
NOT_NUMBERS = _TRUE | _FALSE
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?").fullmatch
_BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+").fullmatch
_WHOLE = re.compile(r"[-+]?[0-9]+").fullmatch


def is_null(node: Node) -> bool:
    """Return whether a node is YAML's null: nothing, `~` or `null`."""
    return type(node) is Scalar and node.plain and node.text in _NULL


def is_true(node: Node) -> bool:
    """Return whether a node is `true`."""
    return type(node) is Scalar and node.plain and node.text in _TRUE


def is_false(node: Node) -> bool:
    """Return whether a node is `false`."""
    return type(node) is Scalar and node.plain and node.text in _FALSE


def scalar_value(node: Scalar) -> str | int | float | bool | None:
    """Return what a scalar is in YAML 1.2's core schema; text that is no finite number is text."""
    text = node.text
    if not node.plain or len(text) > 400:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _WHOLE(text):
        return int(text)
    if _NUMBER(text):
        return float(text)
    return int(text, 0) if _BASED(text) else text
