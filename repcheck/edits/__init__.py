"""Changes to the run's own copy of an artifact: one leaf of a file, one literal of a source.

A change touches the value that was named and no other byte; what was read before and after is
compared, and a change that cannot be made so is refused. Nothing is written if one is refused.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from repcheck.edits import constant, files, json_file, toml_file, yaml_file
from repcheck.edits.edit import Edit, EditFailed, Scalar, failed
from repcheck.edits.flags import apply_flags
from repcheck.edits.override import Override, UnknownOverride, parse_override

__all__ = [
    "Edit", "EditFailed", "Override", "Scalar", "UnknownOverride", "apply", "apply_flags", "check",
    "parse_override",
]  # fmt: skip

_CONFIGS = {
    ".yaml": yaml_file.changed,
    ".yml": yaml_file.changed,
    ".json": json_file.changed,
    ".toml": toml_file.changed,
}


def check(edits: Sequence[Edit], root: Path) -> None:
    """Go through edits as `apply` would, and write nothing.

    Raises:
        EditFailed: for the first edit that cannot be made as asked.
    """
    _contents(edits, root)


def apply(edits: Sequence[Edit], root: Path) -> None:
    """Make edits in the files below a folder, one after the other; all of them or none.

    Raises:
        EditFailed: for the first edit that cannot be made as asked; no file is changed then.
    """
    for edit, content in _contents(edits, root):
        files.write(edit, root, content)


def _contents(edits: Sequence[Edit], root: Path) -> list[tuple[Edit, bytes]]:
    """Return the new content of every file, beside an edit that names it."""
    found: dict[tuple[str, ...], tuple[Edit, bytes]] = {}
    seen: set[tuple[tuple[str, ...], str]] = set()
    for edit in edits:
        parts = files.parts_of(edit)
        if (parts, edit.key) in seen:
            raise failed(edit, "is changed twice", "keep one of the two values")
        seen.add((parts, edit.key))
        before = found[parts][1] if parts in found else files.read(edit, root)
        found[parts] = (edit, _changed(before, edit))
    return list(found.values())


def _changed(before: bytes, edit: Edit) -> bytes:
    suffix = PurePosixPath(edit.file).suffix.lower()
    if edit.kind == "config" and suffix not in _CONFIGS:
        hint = f"name a {', '.join(_CONFIGS)} file"
        hint += ", or use `constant:` for source code" if suffix == ".py" else ""
        raise failed(edit, "is sought in a file that is neither YAML, JSON nor TOML", hint)
    if edit.kind == "constant" and suffix != ".py":
        hint = "name a .py file" + (", or use `config:`" if suffix in _CONFIGS else "")
        if suffix == ".ipynb":
            hint = "export the notebook as a .py file and let the command run that"
        raise failed(edit, "is sought in a file that is no Python source", hint)
    encoding = _encoding(before, edit) if edit.kind == "constant" else "utf-8"
    mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
    try:
        text = before.removeprefix(mark).decode(encoding)
    except UnicodeDecodeError as error:
        line = before[: error.start].count(b"\n") + 1
        raise failed(edit, f"is sought in what is not {encoding} text", line=line) from None
    if "\0" in text:
        raise failed(edit, "is sought in a binary file", "name a text file")
    try:
        after = (constant.changed if edit.kind == "constant" else _CONFIGS[suffix])(text, edit)
        return mark + after.encode(encoding)
    except RecursionError:
        raise failed(edit, "is sought in a file nested too deeply") from None
    except UnicodeEncodeError:
        raise failed(edit, f"holds characters that {encoding} does not have") from None


def _encoding(source: bytes, edit: Edit) -> str:
    try:
        found, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except SyntaxError as error:
        raise failed(edit, f"is sought in what is no Python source: {error.msg}", line=1) from None
    return found.removesuffix("-sig")
