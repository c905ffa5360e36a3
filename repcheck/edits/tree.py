"""The tree of a configuration file with the span of every node, and the search for one leaf."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from repcheck.claims.problems import nearest, one_of
from repcheck.edits.edit import Edit, failed

MAX_DEPTH = 100
MERGE = "merge"
_MOST_STEPS = 50
_MOST_NAMES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """A piece of a file: `start` and `end` count characters, `line` counts from 1.

    `items` are a list's items or a mapping's keys and values in turn; an alias has a `target`. A
    key with the tag `MERGE` stands for the mappings that it names.
    """

    kind: Literal["scalar", "alias", "map", "list"]
    start: int = 0
    end: int = 0
    line: int = 0
    value: str = ""
    style: str = ""
    tag: str | None = None
    anchor: str | None = None
    items: list[Node] = field(default_factory=list)
    target: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A leaf that was found.

    `trail` are the nodes from the root down as they are written and `path` their positions, each
    among the items of the one before; `names` are the keys. Where an alias or a merge was crossed,
    `rest` are the keys beyond it, `key` the last of them as it is written there, and the trail
    ends at the alias, or at the mapping that merges.
    """

    leaf: Node
    trail: tuple[Node, ...]
    path: tuple[int, ...]
    names: tuple[str, ...]
    rest: tuple[str, ...] = ()
    key: Node | None = None


def locate(root: Node, edit: Edit) -> Hit:
    """Return the one leaf that a dotted path names.

    Raises:
        EditFailed: if there is none, more than one, or no scalar.
    """
    parts = _steps(edit.key)
    found = list(_hits(edit, Hit(leaf=root, trail=(root,), path=(), names=()), parts))
    if not found:
        raise _missing(root, edit, parts)
    if len(found) > 1:
        lines = one_of(str(hit.leaf.line) for hit in found)
        raise failed(
            edit, f"names {len(found)} leaves (lines {lines})", "rename a key that has dots in it"
        )
    leaf = found[0].leaf
    if leaf.kind != "scalar":
        kind = "a mapping" if leaf.kind == "map" else "a list"
        names = [f"{edit.key}.{name}" for name in _names(leaf)]
        hint = f"name one value of it: {one_of(names)}" if names else ""
        raise failed(edit, f"is {kind}; only a single value can be changed", hint, line=leaf.line)
    return found[0]


def _steps(key: str) -> tuple[str, ...]:
    dotted = key.replace("[", ".").replace("]", "")
    return tuple(dotted.removeprefix("." if key.startswith("[") else "").split("."))[:_MOST_STEPS]


def _splits(parts: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Return every way to read the first key, which may itself hold dots."""
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count]), parts[count:]


def _hits(edit: Edit, so_far: Hit, parts: tuple[str, ...]) -> Iterator[Hit]:
    node = so_far.trail[-1]
    if node.kind == "alias":
        yield from _beyond(so_far, node, parts, ())
        return
    if not parts:
        yield so_far
        return
    for name, more in _splits(parts):
        own = _own(node, name)
        if len(own) > 1:
            lines = " and ".join(str(node.items[index].line) for index in own)
            what = f"stands there more than once: `{name}` is written in lines {lines}"
            raise failed(edit, what, "keep one of them", line=node.items[own[0]].line)
        for index in own:
            child = node.items[index]
            deeper = Hit(
                leaf=child,
                trail=(*so_far.trail, child),
                path=(*so_far.path, index),
                names=(*so_far.names, name),
            )
            yield from _hits(edit, deeper, more)
        for key, child in [] if own else _inherited(node, name):
            yield from _beyond(so_far, child, more, (name,), key)


def _beyond(
    so_far: Hit, node: Node, parts: tuple[str, ...], rest: tuple[str, ...], key: Node | None = None
) -> Iterator[Hit]:
    node = node.target or node
    if not parts:
        yield Hit(
            leaf=node, trail=so_far.trail, path=so_far.path, names=so_far.names, rest=rest, key=key
        )
        return
    for name, more in _splits(parts):
        for inner, child in _lookup(node, name):
            yield from _beyond(so_far, child, more, (*rest, name), inner)


def _own(node: Node, name: str) -> list[int]:
    """Return the positions of the values that have a name in a mapping or a list."""
    if node.kind == "list":
        index = int(name) if name.isdecimal() and len(name) < 10 else -1
        return [index] if 0 <= index < len(node.items) else []
    if node.kind != "map":
        return []
    keys = node.items[::2]
    return [2 * i + 1 for i, key in enumerate(keys) if key.value == name and key.tag != MERGE]


def _lookup(node: Node, name: str, seen: set[Node] | None = None) -> list[tuple[Node | None, Node]]:
    own = _own(node, name)[-1:]
    if not own:
        return _inherited(node, name, seen)
    return [(node.items[index - 1] if node.kind == "map" else None, node.items[index])
            for index in own]  # fmt: skip


def _inherited(
    node: Node, name: str, seen: set[Node] | None = None
) -> list[tuple[Node | None, Node]]:
    """Return the key and the value that a mapping has by a merge, from the first that has it."""
    seen = set() if seen is None else seen
    if node.kind != "map" or node in seen:
        return []
    seen.add(node)
    for source in _merged(node):
        if found := _lookup(source, name, seen):
            return found
    return []


def _merged(node: Node) -> Iterator[Node]:
    """Return the mappings that a mapping merges."""
    pairs = zip(node.items[::2], node.items[1::2], strict=True) if node.kind == "map" else ()
    for key, value in pairs:
        if key.tag == MERGE:
            for source in value.items if value.kind == "list" else [value]:
                yield source.target or source


def _names(node: Node) -> list[str]:
    if node.kind == "list":
        return [str(index) for index in range(len(node.items))]
    return [key.value for key in node.items[::2] if key.tag != MERGE]


def _merged_names(node: Node, seen: set[Node] | None = None) -> Iterator[str]:
    """Return the names that a mapping has, its own first."""
    seen = set() if seen is None else seen
    if node not in seen:
        seen.add(node)
        yield from _names(node)
        for source in _merged(node):
            yield from _merged_names(source, seen)


def _leaves(node: Node, above: str = "") -> Iterator[str]:
    for name in _merged_names(node):
        path = f"{above}.{name}" if above else name
        inner = [node.items[index] for index in _own(node, name)]
        if inner and inner[0].kind in {"map", "list"}:
            yield from _leaves(inner[0], path)
        else:
            yield path


def _missing(root: Node, edit: Edit, parts: tuple[str, ...]) -> Exception:
    node, done = root, 0
    while done < len(parts) and (found := _lookup(node, parts[done])):
        node, done = found[0][1].target or found[0][1], done + 1
    inside = f" in `{'.'.join(parts[:done])}`" if done else ""
    known = list(islice(_leaves(root), _MOST_NAMES))
    alike = [path for path in known if path.split(".")[-1] == parts[-1]]
    hint = nearest(edit.key, alike or known)
    if alike and not hint:
        hint = f"did you mean {one_of(f'`{path}`' for path in alike)}?"
    names = list(islice(_merged_names(node), _MOST_NAMES))
    has = f" (it has {one_of(names)})" if names and inside else ""
    what = f"is not there: nothing is called `{parts[min(done, len(parts) - 1)]}`{inside}{has}"
    never = "a key that is missing is not added, since nothing may read it"
    return failed(edit, what, hint or never, line=node.line)


def plain(node: Node) -> Any:  # noqa: ANN401
    """Return what is to stay as it was: everything but the places of things."""
    if node.kind == "scalar":
        return (node.tag, node.anchor, node.style, node.value)
    if node.kind == "alias":
        return ("*", node.value)
    return [node.kind, node.tag, node.anchor, [plain(item) for item in node.items]]


def with_leaf(tree: Any, path: tuple[int, ...], new: Any) -> Any:  # noqa: ANN401
    """Return a copy of a plain tree with one part replaced."""
    if not path:
        return new
    *about, items = tree
    first, *rest = path
    changed = with_leaf(items[first], tuple(rest), new)
    return [*about, [*items[:first], changed, *items[first + 1 :]]]
