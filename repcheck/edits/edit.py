"""What is changed, why it cannot be, and in which type a new value is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from repcheck.errors import RepcheckError
from repcheck.visible import line as on_one_line

Scalar = str | int | float | bool | None
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_LONGEST = 400
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One leaf of a configuration file, or one literal of a source file, given another value.

    `file` is relative to the artifact's root. `key` is a dotted path (`optim.lr`, `stages.0.width`)
    of a configuration; of a source file a name (`WIDTH`, `Config.width`, the parameter `f.width`,
    the option `--width`), a line (`41`) or the second literal of a line (`41:2`).
    """

    kind: Literal["config", "constant"]
    file: str
    key: str
    value: Scalar


class EditFailed(RepcheckError):
    """A change that cannot be made as it was asked for; no file was changed."""


def failed(edit: Edit, what: str, hint: str = "", *, line: int = 0) -> EditFailed:
    """Return the error that says where, which key, what is wrong and how to mend it."""
    place = f"{edit.file}:{line}" if line else edit.file
    more = f"; {hint}" if hint else ""
    return EditFailed(on_one_line(f"{place}: `{edit.key}` {what}{more}"))


def number(text: str) -> int | float | None:
    """Return the number that a decimal text is, or None."""
    text = text.strip()
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    return float(text) if set(text) & set(".eE") else int(text)


def fitting(old: Scalar, value: Scalar) -> Scalar:
    """Return a value in the type of the one it replaces, where its text allows that.

    A whole number stays one (`"32"` and `32.0` become 32), a number with a point keeps it (2
    becomes 2.0), and `"true"` is true where a truth value stood.
    """
    if isinstance(old, bool):
        return _WORDS.get(value.lower(), value) if isinstance(value, str) else value
    if not isinstance(old, int | float) or isinstance(value, bool) or value is None:
        return value
    found = number(value) if isinstance(value, str) else value
    if found is None:
        return value
    if isinstance(old, int):
        return int(found) if isinstance(found, float) and found.is_integer() else found
    return float(found) if abs(found) < 2**53 else found


def same(old: Scalar, new: Scalar) -> bool:
    """Return whether two values are the same in type and value; nan is nan."""
    return type(old) is type(new) and (old == new or (old != old and new != new))


def text_of(value: str | int | float) -> str:
    """Return a value as the text that stands where text stood."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(value: object) -> str:
    """Return a value as it can stand in a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
