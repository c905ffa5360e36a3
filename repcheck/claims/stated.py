"""A leaf of the claims file: what is stated, as it was printed, where, and by whom.

Four states are kept apart and never confused: a value, *undeclared* (nothing is written), *none*
(explicitly not used: `none`, or `false` for a part) and *n/a* (the question does not apply).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from enum import StrEnum
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    NoReturn,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
)

from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.where import Where

_NOWHERE = Where()
T = TypeVar("T")
Number = TypeVar("Number", int, float)
S = TypeVar("S")


class State(StrEnum):
    """How a key stands in the claims file."""

    DECLARED = "declared"
    UNDECLARED = "undeclared"
    NONE = "none"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSide:
    """What the artifact says of the same key, where the long form states both sides."""

    value: Any
    text: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """The long form's account of a leaf: where in the paper, disclosed how, stated by whom."""

    where: str = ""
    disclosed: str = ""
    by: str = ""
    artifact: ArtifactSide | None = None

    @property
    def in_paper(self) -> bool:
        """Whether a place in the paper is given: the short form alone discloses nothing."""
        return bool(self.where) and self.disclosed in {"", "paper", "appendix"}


_SAID_NOTHING = Disclosure()


def _spoken(content: object) -> str:
    """Return structured content as the YAML flow that says it."""
    if isinstance(content, Mapping):
        return ", ".join(f"{key}: {_spoken(value)}" for key, value in content.items()) or "{}"
    if isinstance(content, tuple | list):
        return f"[{', '.join(map(_spoken, content))}]"
    return str(content).lower() if isinstance(content, bool) else str(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated(Generic[T]):
    """One leaf of type `T`.

    `text` is the scalar as printed (`"93.40"` has two decimals) and `unit` what followed the
    number; `place` says where the leaf stands, or for an undeclared one where its section stands.
    """

    state: State = State.UNDECLARED
    content: T | None = None
    text: str = ""
    unit: str = ""
    place: Where = _NOWHERE
    disclosure: Disclosure = _SAID_NOTHING

    @property
    def value(self) -> T:
        """Return the value.

        Raises:
            Missing: if the key is undeclared.
            Inapplicable: if it is stated as `none` or `n/a`.
        """
        if self.state is State.UNDECLARED:
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{self.path}`")
        if self.state is not State.DECLARED:
            raise Inapplicable(f"`{self.path}` is stated as {self.state.value}")
        return cast(T, self.content)

    @property
    def path(self) -> str:
        """Return the key path, as in `methods.ours.train.epochs`."""
        return self.place.path

    @property
    def known(self) -> bool:
        """Whether a value is stated."""
        return self.state is State.DECLARED

    @property
    def undeclared(self) -> bool:
        """Whether nothing at all is stated."""
        return self.state is State.UNDECLARED

    def get(self, otherwise: T) -> T:
        """Return the value, or what the caller wants where none is stated (never for a fact)."""
        return cast(T, self.content) if self.state is State.DECLARED else otherwise

    def __str__(self) -> str:
        return self.text or (_spoken(self.content) if self.known else self.state.value)


_BLANKS: dict[type, dict[str, Any]] = {}


def _blanks(cls: type) -> dict[str, Any]:
    """Return, for every field that a file may leave out, what it is then: a leaf or a section."""
    made = _BLANKS.get(cls)
    if made is None:
        made = _BLANKS[cls] = {}
        for item in fields(cls):
            if isinstance(item.default, Stated):
                made[item.name] = Stated
            elif item.default_factory is not MISSING:
                made[item.name] = item.default_factory
            elif item.default is not MISSING and item.name not in _OWN:
                made[item.name] = item.default
    return made


_NO_KEY = object()
_OWN = {"state": State.UNDECLARED, "place": _NOWHERE, "disclosure": _SAID_NOTHING}


def _is_silent(value: object) -> bool:
    """Return whether nothing is stated, and nowhere: the section then makes it with its place."""
    if isinstance(value, Stated):
        return value.state is State.UNDECLARED and not value.place.path
    return isinstance(value, Section) and value.is_blank()


@dataclass_transform(kw_only_default=True, frozen_default=True)
def section(cls: type[S]) -> type[S]:
    """Make a frozen, slotted dataclass of a section.

    Sections share the methods of `Section`: writing each of sixty its own takes 60 ms at start-up.
    """
    return dataclass(slots=True, kw_only=True, init=False, repr=False, eq=False)(cls)


@section
class Section:
    """A mapping of the claims file; its missing keys know their paths.

    `short` names the key that a bare scalar fills (`lr_schedule: cosine`); a section stated as
    `none`, `false` or `n/a` has that `state`, and all of its leaves are then not applicable.
    Keys that nobody wrote are made when they are asked for: most never are.
    """

    short: ClassVar[str | None] = None

    state: State = State.UNDECLARED
    place: Where = _NOWHERE
    disclosure: Disclosure = _SAID_NOTHING

    def __init__(self, **given: Any) -> None:  # noqa: ANN401
        put = object.__setattr__
        for name, otherwise in _OWN.items():
            put(self, name, given.pop(name, otherwise))
        for name, value in given.items():
            if name not in _blanks(type(self)):
                raise TypeError(f"{type(self).__name__} has no key {name!r}")
            if not _is_silent(value):
                put(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash(tuple(self.__getstate__()))

    def __repr__(self) -> str:
        values = zip(fields(self), self.__getstate__(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{f.name}={v!r}' for f, v in values)})"

    def __getstate__(self) -> list[Any]:
        return [getattr(self, item.name) for item in fields(self)]

    def __setstate__(self, state: list[Any]) -> None:
        for item, value in zip(fields(self), state, strict=True):
            object.__setattr__(self, item.name, value)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            kind = _blanks(type(self)).get(name, _NO_KEY)
            if kind is _NO_KEY:
                raise AttributeError(f"{type(self).__name__} has no key {name!r}")
            if kind is Stated or (isinstance(kind, type) and issubclass(kind, Section)):
                silence = State.NOT_APPLICABLE if self.absent else State.UNDECLARED
                made = kind(state=silence, place=self.place[key_of(name)])
            else:
                made = kind() if callable(kind) else kind
            object.__setattr__(self, name, made)
            return made

    def is_blank(self) -> bool:
        """Return whether this is a section that nobody filled and that stands nowhere."""
        if self.state is not State.UNDECLARED or self.place.path:
            return False
        blanks = _blanks(type(self))
        return all(_untouched(self, name, kind) for name, kind in blanks.items())

    @property
    def declared(self) -> bool:
        """Whether something is stated here."""
        return self.state is State.DECLARED

    @property
    def undeclared(self) -> bool:
        """Whether nothing at all is stated."""
        return self.state is State.UNDECLARED

    @property
    def absent(self) -> bool:
        """Whether the section is stated as not used or not applicable."""
        return self.state is State.NONE or self.state is State.NOT_APPLICABLE

    def used(self) -> bool:
        """Return whether the thing is stated as used.

        Raises:
            Missing: if nothing is stated.
        """
        if self.undeclared:
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{self.place.path}`")
        return self.declared

    def leaves(self) -> list[tuple[str, Stated[Any]]]:
        """Return every leaf below this section with its path relative to it."""
        found: list[tuple[str, Stated[Any]]] = []
        for name in _blanks(type(self)):
            value = getattr(self, name)
            if isinstance(value, Stated):
                found.append((key_of(name), value))
            elif isinstance(value, Section):
                found += [(f"{key_of(name)}.{path}", leaf) for path, leaf in value.leaves()]
        return found

    def written(self) -> list[tuple[str, Stated[Any]]]:
        """Return every leaf that stands in the file, and `none` for parts stated as not used."""
        found: list[tuple[str, Stated[Any]]] = []
        for name in _blanks(type(self)):
            value, key = getattr(self, name), key_of(name)
            if isinstance(value, Stated) and (value.known or value.text):
                found.append((key, value))
            elif isinstance(value, Section) and value.absent:
                found.append((key, Stated(state=value.state, place=value.place)))
            elif isinstance(value, Section):
                found += [(f"{key}.{path}", leaf) for path, leaf in value.written()]
        return found

    @classmethod
    def silent(cls, place: Where) -> Self:
        """Return a section of which nothing is stated."""
        return cls(place=place)


def _untouched(section: Section, name: str, kind: Any) -> bool:  # noqa: ANN401
    try:
        value = object.__getattribute__(section, name)
    except AttributeError:
        return True
    return not callable(kind) and value == kind


class Table(dict[str, Any]):
    """A mapping of the claims file, as read: it cannot be changed."""

    def _frozen(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("what the claims file says cannot be changed")

    __setitem__ = __delitem__ = update = setdefault = pop = popitem = clear = _frozen
    __ior__ = _frozen

    def __reduce__(self) -> tuple[type[Table], tuple[dict[str, Any]]]:
        return Table, (dict(self),)


def declare(
    leaf: tuple[Any, str, str], place: Where, said: Disclosure | None = None
) -> Stated[Any]:
    """Return a declared leaf of content, text and unit; quicker than its constructor."""
    made: Stated[Any] = _new(Stated)
    _set_state(made, State.DECLARED)
    _set_content(made, leaf[0])
    _set_text(made, leaf[1])
    _set_unit(made, leaf[2])
    _set_place(made, place)
    _set_disclosure(made, said or _SAID_NOTHING)
    return made


_new: Any = object.__new__
_slots: Any = Stated
_set_state = _slots.state.__set__
_set_content = _slots.content.__set__
_set_text = _slots.text.__set__
_set_unit = _slots.unit.__set__
_set_place = _slots.place.__set__
_set_disclosure = _slots.disclosure.__set__


def key_of(field_name: str) -> str:
    """Return the YAML key of a field: `from_` is `from`, which Python reserves."""
    return field_name.removesuffix("_")
