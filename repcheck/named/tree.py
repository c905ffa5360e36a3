"""An artifact's files, taken in with suspicion: no link is followed, and every size has a cap."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from repcheck.confined import FOLDER, open_below

MOST_FILES = 3_000
DEEPEST = 8
FILE_CAP = 512 * 2**10
ALL_CAP = 32 * 2**20
# Somebody else's, or not of the paper: what these know says nothing about what was run.
_FOREIGN = re.compile(
    r"\..*|tests?|docs?|third[-_]?party|vendor(?:ed)?|extern(?:al)?s?|submodules?|site-packages"
    r"|node_modules|v?env|build|dist|__pycache__|repcheck-out|.*\.egg-info",
    re.IGNORECASE,
)
_INSTALLED = re.compile(
    r"\..*|site-packages|node_modules|v?env|__pycache__|repcheck-out|.*\.egg-info", re.IGNORECASE
)
_KINDS = frozenset({".py", ".sh", ".bash", ".md", ".rst", ".yaml", ".yml", ".json", ".jsonl",
                    ".toml", ".csv", ".cfg", ".ini"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of an artifact by their paths below its root, and what of them was not read.

    `cut` says that there are more than are looked at.
    """

    root: Path
    paths: tuple[str, ...] = ()
    cut: bool = False
    unread: set[str] = field(default_factory=set)
    _texts: dict[str, str] = field(default_factory=dict)

    @property
    def read(self) -> frozenset[str]:
        """The files that were read."""
        return frozenset(self._texts) - self.unread

    def text(self, path: str) -> str:
        """Return a file's text, "" for one that is too large or cannot be read (and is counted)."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str:
        try:
            descriptor = open_below(self.root, path.split("/"))
        except OSError:
            self.unread.add(path)
            return ""
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            fits = about.st_size <= min(FILE_CAP, ALL_CAP - sum(map(len, self._texts.values())))
            if not stat.S_ISREG(about.st_mode) or not fits:
                self.unread.add(path)
                return ""
            return file.read(FILE_CAP).decode("utf-8", errors="replace")


def tree(root: Path, *, without: Sequence[str] = (), whole: bool = False) -> Tree | None:
    """Return the files below a folder; None if it is none. `without` are paths not to look in.

    A `whole` tree has files of all kinds, and those in folders of somebody else's code; what is
    hidden, installed or built is in neither.
    """
    try:
        resolved = root.resolve()
        os.close(os.open(resolved, FOLDER))
    except (OSError, RuntimeError):  # RuntimeError: links that lead to themselves
        return None
    if resolved == Path(resolved.anchor):
        return None
    left_out = frozenset(path.strip("/") for path in without)
    found: list[str] = []
    for path in _walk(resolved, "", left_out, _INSTALLED if whole else _FOREIGN, whole=whole):
        if len(found) >= MOST_FILES:
            return Tree(resolved, tuple(found), cut=True)
        found.append(path)
    return Tree(resolved, tuple(found))


def _walk(
    root: Path, below: str, left_out: frozenset[str], closed: re.Pattern[str], *, whole: bool
) -> Iterator[str]:
    if below.count("/") >= DEEPEST:
        return
    items: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(root / below) as found:
        items = sorted(found, key=lambda item: item.name)
    folders: list[str] = []
    for item in items:
        path = f"{below}{item.name}"
        if item.is_symlink() or path in left_out:
            continue
        if item.is_dir(follow_symlinks=False):
            folders += [] if closed.fullmatch(item.name) else [f"{path}/"]
        elif whole or os.path.splitext(item.name)[1].lower() in _KINDS:  # noqa: PTH122 - a text
            yield path
    for folder in folders:
        yield from _walk(root, folder, left_out, closed, whole=whole)
