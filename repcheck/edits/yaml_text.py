"""How a value is written in YAML, so that it is read as what stood there was read.

Programs read YAML by its version 1.1 (PyYAML, for which `1e-3` is text) or by 1.2. A new number is
written so that both read it as they read the old one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from repcheck.edits.edit import Scalar, fitting, number, text_of
from repcheck.edits.tree import Node

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_RESOLVER: Any = yaml.resolver.Resolver()
_PAIRS = (("true", "false"), ("yes", "no"), ("on", "off"))
_CASES = (str.lower, str.title, str.upper)
_EVENTS = 10  # of a mapping with two keys: stream, document, mapping, four scalars, ends
_NEWER = (
    ("null", re.compile(r"|~|null|Null|NULL")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")),
    ("float", re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")),
)


def kinds(text: str) -> tuple[str, str]:
    """Return what YAML 1.1 and what YAML 1.2 read in a text without quotes."""
    older = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_CORE)
    return older, next((kind for kind, form in _NEWER if form.fullmatch(text)), "str")


def value_of(leaf: Node) -> Scalar:
    """Return what stands there; a number or a truth value if either version reads one."""
    if leaf.style:
        return leaf.value
    found = kinds(leaf.value)
    if "null" in found:
        return None
    if found[0] in {"int", "float", "bool"}:
        try:
            older: Scalar = yaml.safe_load(leaf.value)
        except ValueError:
            return leaf.value
        return older
    newer = number(leaf.value) if found[1] in {"int", "float"} else None
    return leaf.value if newer is None else newer


def fitted(leaf: Node, value: Scalar) -> Scalar:
    """Return a value in the type of what stands there; quoted text stays text."""
    if leaf.style and value is not None:
        return text_of(value)
    old = value_of(leaf)
    if isinstance(old, bool) and isinstance(value, str) and kinds(value)[0] == "bool":
        return value.lower() in {"true", "yes", "on"}
    return fitting(old, value)


def written(leaf: Node, new: Scalar, given: Scalar, *, flow: bool) -> str:
    """Return the text of a new value in the style of the old one, or "" if there is none.

    `given` is the value before it was fitted, whose own digits are kept where they can be; `flow`
    says that the value stands within brackets or braces.
    """
    if new is None:
        return "null"
    if isinstance(new, bool):
        return _truth(leaf.value, new)
    if isinstance(new, str):
        return next((text for text in _texts(leaf, new) if _read_alone(text, flow) == new), "")
    name = type(new).__name__
    old = ("str", "str") if leaf.style else kinds(leaf.value)
    wanted = old if name in old else (name, name)
    forms = list(_numbers(new, given))
    exact = [text for text in forms if kinds(text) == wanted]
    close = [text for text in forms if kinds(text)[0] == name]
    return [*exact, *close, *forms][0]


def _truth(old: str, new: bool) -> str:  # noqa: FBT001
    for pair in _PAIRS:
        for case in _CASES:
            if old in map(case, pair):
                return case(pair[0] if new else pair[1])
    return "true" if new else "false"


def _numbers(new: int | float, given: Scalar) -> Iterator[str]:
    if isinstance(given, str) and number(given) == new:
        yield given.strip()
    if isinstance(new, int):
        yield str(new)
        yield f"{new:_}"
    elif not math.isfinite(new):
        yield ".nan" if math.isnan(new) else ".inf" if new > 0 else "-.inf"
    else:
        exact = Decimal(repr(new))
        if "e" not in repr(new):
            yield repr(new)
        mantissa, _, power = f"{exact:e}".partition("e")
        yield f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(power):+03d}"
        sign, digits, exponent = exact.normalize().as_tuple()
        yield f"{'-' * sign}{''.join(map(str, digits))}e{exponent}"


def _texts(leaf: Node, new: str) -> Iterator[str]:
    alike = isinstance(value_of(leaf), str) and kinds(new) == kinds(leaf.value)
    if not leaf.style and (alike or kinds(new) == ("str", "str")):
        yield new
    if leaf.style in {"", "'"}:
        yield "'" + new.replace("'", "''") + "'"
    yield yaml.safe_dump(new, default_style='"', allow_unicode=True, width=2**30).rstrip("\n")


def _read_alone(text: str, flow: bool) -> str | None:  # noqa: FBT001
    """Return what a text is read as where only a value can stand; line breaks are not allowed."""
    if "\n" in text or "\r" in text:
        return None
    whole = f"{{k: {text}, l: 0}}" if flow else f"k: {text}\nl: 0\n"
    try:
        events = list(yaml.parse(whole, Loader=LOADER))
    except yaml.YAMLError:
        return None
    values = [event.value for event in events if isinstance(event, yaml.ScalarEvent)]
    return values[1] if len(values) == 4 and len(events) == _EVENTS else None
