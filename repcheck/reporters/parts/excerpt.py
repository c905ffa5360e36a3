"""The line a finding is about, with a caret under the place, as a compiler shows it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repcheck.reporters.parts.text import visible

_LARGEST = 16 * 2**20
_WIDEST = 120
_WORD = re.compile(r"\S+")


class Source:
    """The claims file as it was judged; says nothing once the file has changed or is gone."""

    def __init__(self, claims_file: Mapping[str, Any]) -> None:
        self._path = str(claims_file.get("path") or "")
        self._lines = _read(Path(self._path), str(claims_file.get("sha256") or ""))

    def excerpt(self, where: Mapping[str, Any]) -> list[str]:
        """Return the line and its caret, or nothing where the line cannot be shown."""
        line, column = int(where.get("line") or 0), int(where.get("column") or 0)
        known = {self._path, Path(self._path).name}
        if where.get("file") not in known or not 0 < line <= len(self._lines):
            return []
        text = self._lines[line - 1]
        start = max(0, column - 1)
        found = _WORD.match(text, start)
        shown = visible(text.expandtabs(1))
        if shown != text.expandtabs(1) or start > _WIDEST:
            return [f"  {line} | {shown[:_WIDEST]}"]  # carets under a changed line would mislead
        width = min(len(found[0]) if found else 1, _WIDEST - start) or 1
        return [
            f"  {line} | {shown[:_WIDEST]}",
            f"  {' ' * len(str(line))} | {' ' * start}{'^' * width}",
        ]


def _read(path: Path, sha256: str) -> list[str]:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return []
        content = path.read_bytes()
    except OSError:
        return []
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        return []
    return content.decode("utf-8", errors="replace").splitlines()
