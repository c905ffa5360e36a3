"""Which files of an artifact its commands reach: those they name, and what these import."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence

from repcheck.named import python
from repcheck.named.tree import Tree

SHELL = (".sh", ".bash")
MOST_REACHED = 400
Commands = Sequence[tuple[str, tuple[str, ...]]]
"""Argument lists, each with the folder that it starts in."""


def reached(here: Tree, commands: Commands) -> tuple[str, ...]:
    """Return the files that the commands name, what these import, and so on."""
    there = set(here.paths)
    todo = [path for cwd, argv in commands for path in in_command(cwd, argv, there)]
    found: dict[str, None] = {}
    while todo and len(found) < MOST_REACHED:
        path = todo.pop()
        if path in found:
            continue
        found[path] = None
        if path.endswith(".py") and (module := python.parsed(here.text(path))) is not None:
            todo += resolved(path, python.imported(module), there)
        elif path.endswith(SHELL):
            cwd = posixpath.dirname(path)
            todo += in_command("", here.text(path).split(), there)
            todo += in_command(cwd, here.text(path).split(), there)
    return tuple(found)


def in_command(cwd: str, argv: Sequence[str], there: set[str]) -> list[str]:
    """Return the files that a command names, as paths or after `-m`."""
    found: list[str] = []
    for before, word in zip(("", *argv), argv, strict=False):
        name = word.rpartition("=")[2] or word
        if before == "-m":
            name = word.replace(".", "/")
        base = posixpath.normpath(posixpath.join(cwd or ".", name))
        found += [p for p in (base, f"{base}.py", f"{base}/__main__.py") if p in there]
    return found


def resolved(path: str, names: Iterable[str], there: set[str]) -> Iterator[str]:
    """Yield the files that imports of a file lead to; `names` are dotted, relative ones by dots."""
    folder = posixpath.dirname(path)
    for name in names:
        bare = name.lstrip(".")
        up = len(name) - len(bare)
        bases = ["", folder]
        if up:
            bases = [posixpath.normpath(posixpath.join(folder, *[".."] * (up - 1)))]
        for base in bases:
            module = posixpath.normpath(posixpath.join(base, bare.replace(".", "/")))
            yield from (p for p in (f"{module}.py", f"{module}/__init__.py") if p in there)
