"""How the content of a leaf is read: text, numbers, words, lists, mappings.

A reader is made once from the type of each leaf of the model, so that the model alone says what
the format is. Readers never stop at the first problem: they note it at the desk and go on.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from repcheck.claims.problems import ClaimsError, Problem, nearest, one_of
from repcheck.claims.source import (
    MOST_PROBLEMS,
    NOT_NUMBERS,
    Items,
    Node,
    Scalar,
    Tree,
    is_false,
    is_null,
    is_true,
    scalar_value,
)
from repcheck.claims.stated import State, Table
from repcheck.units import Ge, Gt, Le, NotANumber, Unit, read_number
from repcheck.where import Where

Read = Callable[[Node, str, "Desk"], Any]
BAD: Any = object()
STATES = {"none": State.NONE, "n/a": State.NOT_APPLICABLE, "undeclared": State.UNDECLARED}
NULL_HINT = "write `undeclared`, `none` or `n/a`"
MOST_HINTS = 100
_MAX_SEEDS = 100_000


@dataclass(frozen=True, slots=True)
class Desk:
    """Where problems are noted while a file is read."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def at(self, node: Node, path: str) -> Where:
        """Return the place of a node."""
        return Where(self.file, node.line, node.column, path)

    def refuse(self, node: Node, path: str, what: str, hint: str = "") -> Any:  # noqa: ANN401
        """Note a problem and return the mark of a value that could not be read."""
        self.note(Problem(self.at(node, path), what, hint))
        return BAD

    def note(self, problem: Problem) -> None:
        """Note a problem.

        Raises:
            ClaimsError: at the thousandth, when this is plainly no claims file.
        """
        self.problems.append(problem)
        if len(self.problems) >= MOST_PROBLEMS:
            more = Problem(problem.place, "reading stops here: there are too many problems")
            raise ClaimsError([*self.problems, more])

    def nearest(self, word: str, known: Iterable[str], *, sure: bool = False) -> str:
        """Return `did you mean ...?` or nothing; a search for each of a thousand slips is slow."""
        return "" if len(self.problems) > MOST_HINTS else nearest(word, known, sure=sure)


class Value(NamedTuple):
    """How the content of a leaf is read, and what else its words may mean."""

    read: Read
    words: frozenset[str] = frozenset()
    mapping: bool = False
    sequence: bool = False
    boolean: bool = False
    unit: str | None = None


def kind_of(node: Node) -> str:
    """Return what a person would call a node."""
    if type(node) is Tree:
        return "a mapping"
    return "a list" if type(node) is Items else f"`{shorten(node.text)}`"  # type: ignore[union-attr]


def shorten(text: str) -> str:
    """Return text as it can be shown in a message."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def braces_hint(node: Node) -> str:
    """Return what to do where `{seed}` was read as a mapping, or nothing."""
    if isinstance(node, Tree) and len(node.entries) == 1:
        ((key, child),) = node.entries.items()
        if is_null(child):
            return f'quote values that contain braces: "{{{key}}}"'
    return ""


def _text(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
    if type(node) is Scalar:
        return node.text
    return desk.refuse(node, path, f"expected text, found {kind_of(node)}", braces_hint(node))


def _boolean(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
    if is_true(node):
        return True
    if is_false(node):
        return False
    what = f"expected true or false, found {kind_of(node)}"
    return desk.refuse(node, path, what, "write `true` or `false`")


def _literal(words: tuple[Any, ...]) -> Value:
    known = {str(word): word for word in words}

    def read(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        if type(node) is Scalar and node.text in known:
            return known[node.text]
        listed = f"one of {one_of(known)}" if len(known) > 1 else f"`{next(iter(known))}`"
        hint = desk.nearest(node.text, known) if type(node) is Scalar else ""
        return desk.refuse(node, path, f"expected {listed}, found {kind_of(node)}", hint)

    return Value(read, frozenset(known))


def anything(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
    """Return what stands there in YAML's own types, frozen."""
    if type(node) is Scalar:
        return scalar_value(node)
    if type(node) is Tree:
        return Table((key, anything(child, path, desk)) for key, child in node.entries.items())
    return tuple(anything(child, path, desk) for child in node.items)  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Number:
    """Reads a number with its unit and its bounds into `(number, unit text)`."""

    whole: bool
    unit: str
    least: float | None
    above: float | None
    most: float | None

    def __call__(self, node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        """Return the number alone."""
        pair = self.pair(node, path, desk)
        return BAD if pair is BAD else pair[0]

    def pair(self, node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        """Return the number and its unit text, or note why there is none."""
        if type(node) is not Scalar or (node.text in NOT_NUMBERS and node.plain):
            what = f"expected {self.name}, found {kind_of(node)}"
            return desk.refuse(node, path, what, braces_hint(node))
        try:
            value, unit = read_number(node.text, self.unit)
        except NotANumber as error:
            what = f"expected {self.name}: {error.what}"
            return desk.refuse(node, path, what, error.hint or _word_hint(node.text, desk))
        wrong = self._wrong(value)
        if wrong:
            what = f"expected {self.name}{wrong}, found `{shorten(node.text)}`"
            return desk.refuse(node, path, what)
        return (int(value) if self.whole else float(value)), unit

    @property
    def name(self) -> str:
        """Return what is expected."""
        return "a whole number" if self.whole else "a number"

    def _wrong(self, value: int | float) -> str:
        if self.least is not None and value < self.least:
            return f" of at least {self.least:g}"
        if self.above is not None and value <= self.above:
            return f" above {self.above:g}"
        if self.most is not None and value > self.most:
            return f" of at most {self.most:g}"
        return " " if self.whole and value != int(value) else ""


def _word_hint(text: str, desk: Desk) -> str:
    return desk.nearest(text, STATES) if len(text) < 20 else ""


def _number(base: type, marks: tuple[Any, ...]) -> Value:
    unit, least, above, most = "count", None, None, None
    for mark in marks:
        if isinstance(mark, Unit):
            unit = mark.name
        elif isinstance(mark, Ge):
            least = mark.ge
        elif isinstance(mark, Gt):
            above = mark.gt
        elif isinstance(mark, Le):
            most = mark.le
    read = Number(base is int, unit, least, above, most)
    return Value(read, unit=unit)


def _tuple(item: Value, *, lone: bool) -> Value:
    """Read a list; `lone` says that one bare text stands for a list of it."""
    read_item = item.read

    def read(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        if type(node) is Items:
            found = []
            for index, child in enumerate(node.items):
                if is_null(child):
                    found.append(desk.refuse(child, f"{path}[{index}]", "has no value", NULL_HINT))
                else:
                    found.append(read_item(child, f"{path}[{index}]", desk))
            return BAD if BAD in found else tuple(found)
        if lone and type(node) is Scalar:
            only = read_item(node, path, desk)
            return BAD if only is BAD else (only,)
        return desk.refuse(node, path, f"expected a list, found {kind_of(node)}", "write `[...]`")

    return Value(read, sequence=True)


def _seeds(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
    """Read a list of seeds, or `5` for the seeds 0 to 4."""
    whole = Number(True, "count", 0, None, None)  # noqa: FBT003
    if type(node) is Scalar:
        count = whole(node, path, desk)
        if count is BAD or 0 < count <= _MAX_SEEDS:
            return BAD if count is BAD else tuple(range(count))
        return desk.refuse(node, path, f"expected 1 to {_MAX_SEEDS} seeds, found {count}")
    return _tuple(Value(whole), lone=False).read(node, path, desk)


def _mapping(item: Value) -> Value:
    read_item = item.read

    def read(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        if type(node) is not Tree:
            return desk.refuse(node, path, f"expected a mapping, found {kind_of(node)}")
        found = {
            key: read_item(child, f"{path}.{key}", desk) for key, child in node.entries.items()
        }
        return BAD if BAD in found.values() else Table(found)

    return Value(read, mapping=True)


def _either(options: list[Value]) -> Value:
    """Read a union by the kind of node: mapping, list or scalar."""
    by_kind: dict[type, Value] = {}
    for option in options:
        by_kind.setdefault(Tree if option.mapping else Items if option.sequence else Scalar, option)

    def read(node: Node, path: str, desk: Desk) -> Any:  # noqa: ANN401
        return by_kind.get(type(node), options[0]).read(node, path, desk)

    return Value(read, mapping=Tree in by_kind, sequence=Items in by_kind)


_SIMPLE = {
    str: Value(_text),
    bool: Value(_boolean, boolean=True),
    Any: Value(anything, mapping=True, sequence=True),
}


@cache
def value_of(hint: Any) -> Value:  # noqa: ANN401
    """Return how a leaf's content of this type is read."""
    marks: tuple[Any, ...] = ()
    if hasattr(hint, "__metadata__"):
        marks, hint = hint.__metadata__, hint.__origin__
    origin, args = get_origin(hint), get_args(hint)
    if any(isinstance(mark, Unit) and mark.name == "seeds" for mark in marks):
        return Value(_seeds, sequence=True)
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if hint in (int, float):
        return _number(hint, marks)
    if origin is Literal:
        return _literal(args)
    if origin is tuple:
        return _tuple(value_of(args[0]), lone=args[0] is str or get_origin(args[0]) is Literal)
    if origin in (Union, types.UnionType):
        return _either([value_of(arg) for arg in args])
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(value_of(args[1]))
    raise TypeError(f"the model has a leaf of an unknown type: {hint}")
