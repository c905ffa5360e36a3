"""One value of a YAML file changed, every other byte kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import yaml

from repcheck.edits.edit import Edit, EditFailed, failed, same, shown
from repcheck.edits.tree import MAX_DEPTH, MERGE, Hit, Node, locate, plain, with_leaf
from repcheck.edits.yaml_text import LOADER, fitted, value_of, written

_ANCHOR = re.compile(r"&[^\s,\[\]{}]+(?:[ \t]+(?:#[^\n]*)?|\r?\n)*")
_BLOCK = re.compile(r"[|>][^\s#]*(?P<comment>[ \t]+#[^\r\n]*)?")


def changed(text: str, edit: Edit) -> str:
    """Return the text with one value changed: comments, order and anchors stay.

    A value that is an alias or comes from a merge is changed at this place only: the other users
    of the anchor keep theirs.

    Raises:
        EditFailed: if the file cannot be read, the key does not name one value, the change would
            reach another place too, or nothing would change.
    """
    document = read(text, edit)
    hit = locate(document, edit)
    _refuse_shared(document, hit, edit)
    if not hit.rest:
        after, expected = _in_place(text, document, hit, edit)
    else:
        after, expected = _beside(text, document, hit, edit)
    try:
        found = plain(read(after, edit))
    except EditFailed:
        found = None
    if found != expected:
        what = f"cannot become {shown(edit.value)} without changing something else"
        hint = "write the value there in double quotes first"
        raise failed(edit, what, hint, line=hit.leaf.line)
    return after


def read(text: str, edit: Edit) -> Node:
    """Return the tree of a file that holds one YAML document.

    Raises:
        EditFailed: if it is not YAML, holds more than one document or is nested too deeply.
    """
    # libyaml is quick and refuses a few things, such as `{a:, b: 1}`, that PyYAML itself reads.
    with suppress(yaml.YAMLError):
        return _Reader(edit).read(yaml.parse(text, Loader=LOADER))
    try:
        return _Reader(edit).read(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        what = f"is sought in what is not YAML: {error.problem or error.context}"
        raise failed(edit, what, line=line) from None
    except yaml.YAMLError as error:
        raise failed(edit, f"is sought in what is not YAML: {error}") from None


class _Reader:
    def __init__(self, edit: Edit) -> None:
        self.edit = edit
        self.anchors: dict[str, Node] = {}
        self.root: Node | None = None
        self.open: list[Node] = []

    def read(self, events: Iterable[Any]) -> Node:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    what = "is sought in a file with more than one YAML document"
                    raise failed(self.edit, what, "split the file", line=_line(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                # Known only now, long after the node's children were read.
                object.__setattr__(self.open.pop(), "end", _end(event))
            elif isinstance(event, yaml.NodeEvent):
                self._take(event)
        if self.root is None:
            raise failed(self.edit, "is sought in an empty file")
        return self.root

    def _take(self, event: Any) -> None:  # noqa: ANN401
        node = self._node(event)
        if self.open:
            self.open[-1].items.append(node)
        else:
            self.root = node
        if node.anchor:
            self.anchors[node.anchor] = node
        if node.kind in {"map", "list"}:
            self.open.append(node)
            if len(self.open) > MAX_DEPTH:
                what = f"is sought in a file nested deeper than {MAX_DEPTH} levels"
                raise failed(self.edit, what, line=node.line)

    def _node(self, event: Any) -> Node:  # noqa: ANN401
        start, line = event.start_mark.index, _line(event)
        common: dict[str, Any] = {"start": start, "end": _end(event), "line": line}
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                what = f"is sought in what is not YAML: `*{event.anchor}` has no anchor"
                raise failed(self.edit, what, line=line)
            target = self.anchors[event.anchor]
            return Node(kind="alias", value=event.anchor, target=target, **common)
        common |= {"tag": event.tag, "anchor": event.anchor}
        if isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            if (event.value, style, event.tag) == ("<<", "", None) and self._at_key():
                common["tag"] = MERGE
            return Node(kind="scalar", value=event.value, style=style, **common)
        style = "flow" if event.flow_style else ""
        if isinstance(event, yaml.MappingStartEvent):
            return Node(kind="map", style=style, **common)
        return Node(kind="list", style=style, **common)

    def _at_key(self) -> bool:
        above = self.open[-1] if self.open else None
        return above is not None and above.kind == "map" and len(above.items) % 2 == 0


def _line(event: Any) -> int:  # noqa: ANN401
    return int(event.start_mark.line) + 1


def _end(event: Any) -> int:  # noqa: ANN401
    return int(event.end_mark.index)


def _refuse_shared(document: Node, hit: Hit, edit: Edit) -> None:
    """Refuse a change that an alias elsewhere would repeat."""
    users = [alias for alias in _aliases(document) if alias.target in hit.trail]
    if users:
        lines = sorted({user.line for user in users})
        places = ", ".join(f"line {line}" for line in lines[:5])
        what = f"stands within the anchor `&{users[0].value}`; {places} would change with it"
        hint = "name the key where it is used, or write the values out there instead of the alias"
        raise failed(edit, what, hint, line=hit.leaf.line)


def _aliases(node: Node) -> Iterable[Node]:
    if node.kind == "alias":
        yield node
    for item in node.items:
        yield from _aliases(item)


def _new_text(hit: Hit, edit: Edit, *, flow: bool) -> str:
    leaf = hit.leaf
    if leaf.tag is not None:
        what = f"has the tag `{leaf.tag.removeprefix('tag:yaml.org,2002:')}`"
        raise failed(edit, what, "take the tag away", line=leaf.line)
    new = fitted(leaf, edit.value)
    if same(value_of(leaf), new):
        what = f"is {shown(value_of(leaf))} already; {shown(edit.value)} changes nothing"
        raise failed(edit, what, "give another value", line=leaf.line)
    text = written(leaf, new, edit.value, flow=flow)
    if not text:
        raise failed(edit, f"cannot become {shown(edit.value)} in YAML", line=leaf.line)
    return text


def _flow(nodes: Iterable[Node]) -> bool:
    return any(node.style == "flow" for node in nodes)


def _leaf(text: str, edit: Edit, *, flow: bool) -> Node:
    return read(f"[{text}]" if flow else f"- {text}\n", edit).items[0]


def _in_place(text: str, document: Node, hit: Hit, edit: Edit) -> tuple[str, Any]:
    """Return the text with the value put where it stands, and the tree that it has to have."""
    node, flow = hit.trail[-1], _flow(hit.trail[:-1])
    new = _new_text(hit, edit, flow=flow)
    start, end, comment = node.start, node.end, ""
    if node.anchor and (found := _ANCHOR.match(text, start, end)):
        start = found.end()
    if node.style in {"|", ">"}:
        end = start + len(text[start:end].rstrip())
        comment = _BLOCK.match(text, start)["comment"] or ""  # type: ignore[index]
    gap = " " if text[start - 1 : start].strip() and node.value == node.style == "" else ""
    after = f"{text[:start]}{gap}{new}{comment}{text[end:]}"
    anchor = node.anchor if node.kind == "scalar" else None
    leaf = plain(replace(_leaf(new, edit, flow=flow), anchor=anchor))
    return after, with_leaf(plain(document), hit.path, leaf)


def _beside(text: str, document: Node, hit: Hit, edit: Edit) -> tuple[str, Any]:
    """Return the text with the key given to the mapping that has it from elsewhere."""
    last, key = hit.trail[-1], hit.key
    if len(hit.rest) > 1 or key is None or key.anchor or key.tag:
        what = f"comes by an alias from line {hit.leaf.line}, which other places share"
        hint = "write the values out at this place instead of the alias"
        raise failed(edit, what, hint, line=last.line)
    flow = last.kind == "alias" or _flow(hit.trail)
    new = _new_text(hit, edit, flow=flow)
    pair = f"{text[key.start : key.end]}: {new}"
    added = [plain(key), plain(_leaf(new, edit, flow=flow))]
    if last.kind == "alias":
        after = f"{text[: last.start]}{{<<: *{last.value}, {pair}}}{text[last.end :]}"
        merged = [(MERGE, None, "", "<<"), ("*", last.value), *added]
        return after, with_leaf(plain(document), hit.path, ["map", None, None, merged])
    index = next(i for i, item in enumerate(last.items) if item.tag == MERGE and i % 2 == 0)
    at = _last_end(last.items[index + 1])
    if last.style == "flow":
        after = f"{text[:at]}, {pair}{text[at:]}"
    else:
        merge = last.items[index].start
        column = merge - text.rfind("\n", 0, merge) - 1
        line_end = text.find("\n", at) % (len(text) + 1)
        at, newline = (line_end - 1, "\r\n") if text[line_end - 1] == "\r" else (line_end, "\n")
        after = f"{text[:at]}{newline}{' ' * column}{pair}{text[at:]}"
    *about, items = plain(last)
    whole = [*about, [*items[: index + 2], *added, *items[index + 2 :]]]
    return after, with_leaf(plain(document), hit.path, whole)


def _last_end(node: Node) -> int:
    """Return where a node's text ends; a block's own end lies at the next thing that follows."""
    if node.items and node.style != "flow":
        return _last_end(node.items[-1])
    return node.end
