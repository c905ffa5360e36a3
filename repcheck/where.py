"""A place a person can open: file, line, column, and the path of the key that stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_NO_KEYS: Mapping[str, tuple[int, int]] = {}


@dataclass(frozen=True, slots=True)
class Where:
    """Where something stands in a file, and where each of its keys stands.

    Lines and columns count from 1; line 0 means that the thing stands nowhere.
    """

    file: str = "<none>"
    line: int = 0
    column: int = 0
    path: str = ""
    keys: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: _NO_KEYS, compare=False, repr=False
    )

    def __getitem__(self, key: str | int) -> Where:
        """Return the place of one key, or of the whole where the key is not written."""
        line, column = self.keys.get(str(key), (self.line, self.column))
        return placed(self.file, line, column, self.join(key))

    def join(self, key: str | int) -> str:
        """Return the path of a key below this place: `methods.ours.train`, `results[3]`."""
        if isinstance(key, int):
            return f"{self.path}[{key}]"
        return f"{self.path}.{key}" if self.path else key

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def to_json(self) -> dict[str, str | int]:
        """Return the place as the report carries it."""
        return {"file": self.file, "line": self.line, "column": self.column, "path": self.path}


NOWHERE = Where()

_new: Any = object.__new__
_slots: Any = Where
_set_file = _slots.file.__set__
_set_line = _slots.line.__set__
_set_column = _slots.column.__set__
_set_path = _slots.path.__set__
_set_keys = _slots.keys.__set__


def placed(file: str, line: int, column: int, path: str) -> Where:
    """Return a place without keys; quicker than its constructor."""
    made: Where = _new(Where)
    _set_file(made, file)
    _set_line(made, line)
    _set_column(made, column)
    _set_path(made, path)
    _set_keys(made, _NO_KEYS)
    return made
