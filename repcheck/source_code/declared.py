"""Numbers that are stated outside the code: in the claims, in commands, in configurations."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from repcheck.named.tree import Tree
from repcheck.units import NotANumber, read_number

_CONFIG = re.compile(r"conf(?:ig)?s?|cfgs?|hparams?|hyper\w*|settings?|params?|options?|recipes?")
_KINDS = (".yaml", ".yml", ".toml", ".cfg", ".ini", ".json")
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
_CLAIMS = re.compile(r"^repcheck\s*:\s*\d", re.MULTILINE)
MOST_NUMBERS = 500
"""A file that holds more numbers is data or results."""
DEEPEST = 12


def configurations(tree: Tree, reached: Iterable[str]) -> Iterator[str]:
    """Yield the configuration files of an artifact: those reached, and those called so."""
    named = {*reached}
    for path in tree.paths:
        if path.lower().endswith(_KINDS):
            words = re.split(r"[/_.-]", posixpath.splitext(path)[0].lower())
            if path in named or any(map(_CONFIG.fullmatch, words)):
                yield path


def in_configuration(text: str) -> frozenset[float]:
    """Return the numbers of a configuration; none of a claims file, or of one full of numbers."""
    if _CLAIMS.search(text):
        return frozenset()
    found = list(islice(_NUMBER.finditer(text), MOST_NUMBERS + 1))
    return frozenset(_floats(m[0] for m in found)) if len(found) <= MOST_NUMBERS else frozenset()


def in_content(content: object, depth: int = 0) -> Iterator[float]:
    """Yield the numbers in what a claims file states: a scalar, or anything nested."""
    if depth > DEEPEST or isinstance(content, bool):
        return
    if isinstance(content, int | float):
        yield from _floats([content])
    elif isinstance(content, str):
        yield from _floats(m[0] for m in islice(_NUMBER.finditer(content), MOST_NUMBERS))
        try:
            yield read_number(content).value
        except NotANumber:
            return
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from in_content(value, depth + 1)
            yield from in_content(key, depth + 1)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from in_content(value, depth + 1)
    elif hasattr(content, "content"):
        yield from in_content(content.content, depth + 1)


def _floats(values: Iterable[str | float]) -> Iterator[float]:
    for value in values:
        try:
            yield float(value)
        except OverflowError:
            continue
