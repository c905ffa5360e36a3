"""The JSON Schema (draft 2020-12) of claims files, made of the same models that read them."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin

from repcheck.claims.customs import keys_of
from repcheck.claims.leaves import DISCLOSED, STATED_BY
from repcheck.claims.model import Claims, Method
from repcheck.claims.stated import Section, Stated
from repcheck.units import Ge, Gt, Le, Unit

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXTENSIONS: Schema = {"^x-": {}}
_STATES: Schema = {"enum": ["undeclared", "none", "n/a", False]}
_PLACE: Schema = {"type": "string", "description": "where in the paper or in the artifact"}
_REQUIRED = {
    "Claims": ["repcheck", "claims"],
    "Metric": ["higher_is_better"],
    "Result": ["method", "metric"],
}
_PRINTED: Schema = {"type": "string", "pattern": r"^\s*[-+\u2212]?(\d|\.\d)"}
_P_VALUE: Schema = {"type": "string", "pattern": r"^\s*([pP]\s*)?[<>=\u2264\u2265]*\s*(\d|\.\d)"}


def schema() -> Schema:
    """Return the schema of a claims file; it is as strict as the loader about keys and words.

    References, placeholders and units are checked by the loader alone.
    """
    maker = _Maker()
    root = dict(maker.mapping(Claims))
    root["properties"] = {**root["properties"], "defaults": maker.section(Method)}
    return {
        "$schema": DIALECT,
        "title": "repcheck claims file, format version 1",
        **root,
        "$defs": dict(sorted(maker.defs.items())),
    }


@dataclass(frozen=True, slots=True)
class _Maker:
    """Collects one definition for each kind of section and each kind of leaf."""

    defs: dict[str, Schema] = field(default_factory=dict)
    leaves: dict[Any, str] = field(default_factory=dict)

    def field(self, hint: Any) -> Schema:  # noqa: ANN401
        """Return the schema of a key of this type."""
        origin, args = get_origin(hint), get_args(hint)
        if origin is Stated:
            return self.leaf(args[0])
        if origin in (Union, types.UnionType):
            return self.field(next(arg for arg in args if arg is not type(None)))
        if origin is tuple:
            return {"anyOf": [{"type": "array", "items": self.section(args[0])}, _STATES]}
        if origin is not None and issubclass(origin, Mapping):
            table = {
                "type": "object",
                "patternProperties": _EXTENSIONS,
                "additionalProperties": self.field(args[1]),
            }
            return {"anyOf": [table, _STATES]}
        return self.section(hint)

    def section(self, cls: type[Section]) -> Schema:
        """Return a reference to a section: its mapping, its short form, or one of its states."""
        name = cls.__name__
        if name not in self.defs:
            self.defs[name] = {}  # a section may hold its own kind
            forms = [self.mapping(cls), _STATES, {"const": True}]
            if cls.short is not None:
                forms.append(self.content(get_args(keys_of(cls)[cls.short].hint)[0]))
            if "value" not in keys_of(cls):
                forms.append(self.long({"anyOf": [{"type": "object"}, *forms[1:]]}))
            self.defs[name] = {"description": _said_of(cls), "anyOf": forms}
        return {"$ref": f"#/$defs/{name}"}

    def mapping(self, cls: type[Section]) -> Schema:
        """Return the schema of a section's mapping."""
        own = {key: self.field(entry.hint) for key, entry in keys_of(cls).items()}
        account = {key: value for key, value in _account().items() if key not in own}
        if cls is Claims:
            account = {}
            own["repcheck"] = {"const": 1}
            own["claims"] = {
                "type": "array",
                "minItems": 1,
                "items": own["claims"]["anyOf"][0]["items"],
            }
        made: Schema = {
            "type": "object",
            "properties": {**own, **account},
            "patternProperties": _EXTENSIONS,
            "additionalProperties": False,
        }
        required = _REQUIRED.get(cls.__name__)
        return {**made, "required": required} if required else made

    def leaf(self, hint: Any) -> Schema:  # noqa: ANN401
        """Return a reference to a leaf: its content, one of its states, or its long form."""
        if hint not in self.leaves:
            name = self.leaves[hint] = self._name(hint)
            content = self.content(hint)
            short = {"anyOf": [content, _STATES]}
            self.defs[name] = {"anyOf": [content, _STATES, self.long(short)]}
        return {"$ref": f"#/$defs/{self.leaves[hint]}"}

    def _name(self, hint: Any) -> str:  # noqa: ANN401
        simple = {str: "text", bool: "yes-or-no", Any: "anything"}
        return simple.get(hint) or f"leaf-{len(self.leaves) + 1}"

    def long(self, short: Schema) -> Schema:
        """Return the schema of the long form of a leaf or section."""
        return {
            "type": "object",
            "properties": {"value": short, **_account()},
            "patternProperties": _EXTENSIONS,
            "required": ["value"],
            "additionalProperties": False,
        }

    def content(self, hint: Any) -> Schema:  # noqa: ANN401
        """Return the schema of a leaf's short form."""
        marks: tuple[Any, ...] = ()
        if hasattr(hint, "__metadata__"):
            marks, hint = hint.__metadata__, hint.__origin__
        origin, args = get_origin(hint), get_args(hint)
        if hint is str:
            return {"type": ["string", "number", "boolean"]}
        if hint is bool:
            return {"type": "boolean"}
        if hint in (int, float):
            return _number(marks)
        if origin is Literal:
            return {"enum": list(args)}
        if origin is tuple:
            return self._list(args[0], marks)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.content(arg) for arg in args]}
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.content(args[1])}
        return {"not": {"type": "null"}}

    def _list(self, item: Any, marks: tuple[Any, ...]) -> Schema:  # noqa: ANN401
        listed: Schema = {"type": "array", "items": self.content(item)}
        if any(isinstance(mark, Unit) and mark.name == "seeds" for mark in marks):
            return {"anyOf": [listed, {"type": "integer", "minimum": 1}]}
        lone = item is str or get_origin(item) is Literal
        return {"anyOf": [listed, self.content(item)]} if lone else listed


def _number(marks: tuple[Any, ...]) -> Schema:
    number: Schema = {"type": "number"}
    printed = _P_VALUE if Unit("p") in marks else _PRINTED
    for mark in marks:
        if isinstance(mark, Ge):
            number["minimum"] = mark.ge
        elif isinstance(mark, Gt):
            number["exclusiveMinimum"] = mark.gt
        elif isinstance(mark, Le):
            number["maximum"] = mark.le
    return {"anyOf": [number, printed]}


def _account() -> dict[str, Schema]:
    artifact = {
        "anyOf": [
            {
                "type": "object",
                "properties": {"value": {}, "where": _PLACE},
                "required": ["value"],
                "additionalProperties": False,
            },
            {"type": ["string", "number", "boolean", "array"]},
        ]
    }
    return {
        "where": _PLACE,
        "disclosed": {"enum": [*DISCLOSED]},
        "by": {"enum": [*STATED_BY]},
        "artifact": artifact,
    }


def _said_of(cls: type[Section]) -> str:
    return (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
