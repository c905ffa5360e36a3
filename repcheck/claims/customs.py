"""The customs officer: what stands in the file becomes typed sections, or problems."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from repcheck.claims.finish import finish
from repcheck.claims.leaves import LONG, disclosure, leaf_reader
from repcheck.claims.problems import Problem, one_of
from repcheck.claims.source import Items, Node, Scalar, Tree, is_false, is_null, is_true
from repcheck.claims.stated import Disclosure, Section, State, Stated, Table, declare, key_of
from repcheck.claims.values import BAD, NULL_HINT, STATES, Desk, Read, kind_of, shorten, value_of
from repcheck.where import Where

OWN = ("state", "place", "disclosure")


class Field(NamedTuple):
    """One key of a section: the field it fills and how it is read."""

    name: str
    hint: Any
    read: Read


class _Found(NamedTuple):
    """The fields that were read, where their section stands, and its account."""

    values: dict[str, Any]
    place: Where
    said: Disclosure | None


_KEYS: dict[type[Section], dict[str, Field]] = {}


def keys_of(cls: type[Section]) -> dict[str, Field]:
    """Return the keys that a section has in the file, each with its reader."""
    known = _KEYS.get(cls)
    if known is None:
        known = _KEYS[cls] = _fields_of(cls)
    return known


_HINTS: dict[tuple[str, str], Any] = {}


def _hints_of(cls: type[Section]) -> dict[str, Any]:
    """Return the types of a section's own fields; `Stated[str]` is evaluated once for a module."""
    module = cls.__module__
    written = {item.name: str(item.type) for item in fields(cls) if item.name not in OWN}
    new = {text: text for text in written.values() if (module, text) not in _HINTS}
    space = types.SimpleNamespace(__annotations__=new)
    made = get_type_hints(space, vars(sys.modules[module]), include_extras=True)
    _HINTS.update({(module, text): hint for text, hint in made.items()})
    return {name: _HINTS[module, text] for name, text in written.items()}


def _fields_of(cls: type[Section]) -> dict[str, Field]:
    hints = _hints_of(cls)
    named: dict[str, Field] = {}
    for item in fields(cls):
        hint = hints.get(item.name, str)
        if hint is not str:
            named[key_of(item.name)] = Field(item.name, hint, _reader(hint))
    return named


def _reader(hint: Any) -> Read:  # noqa: ANN401
    origin, args = get_origin(hint), get_args(hint)
    if origin is Stated:
        return leaf_reader(args[0])
    if origin in (Union, types.UnionType):  # tuple[Section, ...] | None
        return _reader(next(arg for arg in args if arg is not type(None)))
    if origin is tuple:
        return _list_reader(args[0])
    if origin is not None and issubclass(origin, Mapping):
        return _table_reader(args[1])
    return section_reader(hint)


def _list_reader(cls: type[Section]) -> Read:
    def read(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        if type(node) is Scalar and (node.text in STATES or is_false(node)):
            return BAD if node.text in ("undeclared", "n/a") else ()
        if type(node) is not Items:
            hint = NULL_HINT if is_null(node) else "begin each entry with `-`"
            return desk.refuse(node, path, f"expected a list, found {kind_of(node)}", hint)
        one = read_section
        found = [one(cls, item, f"{path}[{i}]", desk) for i, item in enumerate(node.items)]
        return tuple(item for item in found if item is not BAD)

    return read


def _table_reader(hint: Any) -> Read:  # noqa: ANN401
    is_leaf = get_origin(hint) is Stated
    one = _reader(hint)
    named = not is_leaf and _is_named(hint)

    def read(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        if type(node) is Scalar and (node.text in STATES or is_false(node)):
            return BAD
        if type(node) is not Tree:
            hint = NULL_HINT if is_null(node) else ""
            return desk.refuse(node, path, f"expected a mapping, found {kind_of(node)}", hint)
        found = {}
        for key, child in node.entries.items():
            if key.startswith("x-"):
                continue
            item = one(child, f"{path}.{key}", desk)
            if item is not BAD:
                if named:
                    object.__setattr__(item, "id", key)
                found[key] = item
        return Table(found)

    return read


def _is_named(cls: type[Section]) -> bool:
    """Return whether a section's `id` is the key it stands under, and no key of its own."""
    return "id" not in keys_of(cls) and any(item.name == "id" for item in fields(cls))


def section_reader(cls: type[Section]) -> Read:
    """Return the reader of one kind of section."""

    def read(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        return read_section(cls, node, path, desk)

    return read


def read_section(
    cls: type[Section], node: Node, path: str, desk: Desk, said: Disclosure | None = None
) -> Any:  # noqa: ANN401
    """Read a section: a mapping of its keys, its short form, or one of its states."""
    if type(node) is Tree:
        known = keys_of(cls)
        if "value" in node.entries and "value" not in known and said is None:
            said = disclosure(node, path, desk, None)
            _refuse_unknown(cls, node, path, desk)
            return read_section(cls, node.entries["value"], path, desk, said or Disclosure())
        return _read_keys(cls, node, path, desk, said)
    if is_null(node):
        return desk.refuse(node, path, "has no value", NULL_HINT)
    if type(node) is Scalar:
        state = STATES.get(node.text) or (State.NONE if is_false(node) else None)
        if state is not None or is_true(node):
            made = cls(state=state or State.DECLARED, place=desk.at(node, path))
            if said is not None:
                object.__setattr__(made, "disclosure", said)
            return made
    return _read_short(cls, node, path, desk, said)


def _refuse_unknown(cls: type[Section], node: Tree, path: str, desk: Desk) -> None:
    for key in node.entries:
        if key not in LONG and not key.startswith("x-"):
            place = Where(desk.file, *node.marks[key], f"{path}.{key}")
            both = "the long form" if key in keys_of(cls) else ""
            what = (
                f"`{shorten(key)}` stands beside `value`"
                if both
                else f"unknown key `{shorten(key)}`"
            )
            hint = "write it below `value`" if both else desk.nearest(key, LONG)
            desk.note(Problem(place, what, hint))


def _read_short(
    cls: type[Section], node: Node, path: str, desk: Desk, said: Disclosure | None
) -> Any:  # noqa: ANN401
    short = cls.short
    field_ = keys_of(cls).get(short) if short else None
    is_list = type(node) is Items
    if short is None or field_ is None or (is_list and not _takes_list(field_.hint)):
        hint = f"its keys: {one_of(keys_of(cls))}"
        return desk.refuse(node, path, f"expected a mapping, found {kind_of(node)}", hint)
    leaf = field_.read(node, f"{path}.{short}", desk)
    if leaf is BAD:
        return BAD
    return _made(_Found({field_.name: leaf}, desk.at(node, path), said), cls, desk)


@cache
def _takes_list(hint: Any) -> bool:  # noqa: ANN401
    return value_of(get_args(hint)[0]).sequence


def _read_keys(
    cls: type[Section], node: Tree, path: str, desk: Desk, said: Disclosure | None
) -> Any:  # noqa: ANN401
    known = keys_of(cls)
    prefix = f"{path}." if path else ""
    found: dict[str, Any] = {}
    speaks = False
    for key, child in node.entries.items():
        entry = known.get(key)
        if entry is not None:
            value = entry.read(child, prefix + key, desk)
            if value is not BAD:
                found[entry.name] = value
        elif key in LONG and key != "value":
            speaks = True
        elif not key.startswith("x-"):
            what = f"unknown key `{shorten(key)}`"
            place = Where(desk.file, *node.marks[key], prefix + key)
            hint = desk.nearest(key, known) or f"known here: {one_of(known)}"
            desk.note(Problem(place, what, hint))
    if speaks and said is None:
        own = {key: child for key, child in node.entries.items() if key not in known}
        said = disclosure(node._replace(entries=own), path, desk, None)
    place = Where(desk.file, node.line, node.column, path, node.marks)
    return _made(_Found(found, place, said), cls, desk)


def _made(found: _Found, cls: type[Section], desk: Desk) -> Section:
    made = object.__new__(cls)
    put = object.__setattr__
    values, place, said = found
    put(made, "state", State.DECLARED if values or said else State.UNDECLARED)
    put(made, "place", place)
    put(made, "disclosure", said or _SILENT)
    if said is not None:
        values = _share_disclosure(cls, values, said)
    values, problems = finish(cls, values, place)
    for problem in problems:
        desk.note(problem)
    for name, value in values.items():
        put(made, name, value)
    return made


def _share_disclosure(
    cls: type[Section], found: dict[str, Any], said: Disclosure
) -> dict[str, Any]:
    """Give the section's account to those of its leaves that have none of their own."""
    plain = Disclosure(where=said.where, disclosed=said.disclosed, by=said.by)
    shared = {}
    for name, value in found.items():
        if isinstance(value, Stated) and value.disclosure == _SILENT and value.known:
            own = said if key_of(name) == cls.short else plain
            value = declare((value.content, value.text, value.unit), value.place, own)
        shared[name] = value
    return shared


_SILENT = Disclosure()
