"""The look itself: which files the commands reach, and which datasets those name."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from repcheck.named import python, reach, results, texts
from repcheck.named.found import Declared, Named, folded, kept
from repcheck.named.tree import Tree, tree

_PAGES = (".md", ".rst")
_CONFIGS = (".yaml", ".yml", ".json", ".toml", ".cfg", ".ini")
_CLAIMS = re.compile(r"^repcheck\s*:\s*\d", re.MULTILINE)
MOST_FOUND = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is known of an artifact beforehand: its commands (with the folder each starts in), the
    ids of its methods (the proposed ones in `proposed`), what its datasets are called, and which
    parts of it are somebody else's.
    """

    commands: tuple[tuple[str, tuple[str, ...]], ...]
    methods: tuple[str, ...]
    proposed: tuple[str, ...]
    declared: Declared
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The names found: of declared datasets (`known`) and of others, each once, results first.

    `files` were read, `unread` could not be; `cut` says that more files than are looked at stand
    there; `zoos` are places left out because they name more than 30; `blind` says that no code
    which the commands reach was read, or not all of it.
    """

    known: tuple[Named, ...] = ()
    others: tuple[Named, ...] = ()
    zoos: tuple[str, ...] = ()
    files: int = 0
    unread: tuple[str, ...] = ()
    cut: bool = False
    blind: bool = False


def look(root: Path, asked: Asked) -> Look | None:
    """Return the datasets that an artifact names; None if there is no such folder."""
    here = tree(root, without=asked.foreign)
    if here is None:
        return None
    reached = reach.reached(here, asked.commands)
    found = [*_in_files(here, reached, asked)]
    others = [name for name in asked.methods if name not in asked.proposed]
    found += [*results.beside(here, asked.declared, asked.methods, others)]
    found += [*results.rows(here, asked.declared, asked.proposed)]
    counted, zoos = kept(found, asked.declared)
    of_results = {results.ROW, results.KEY}
    coded = {folded(n.name) for n in counted if not n.results and n.how not in of_results}
    first: dict[str, Named] = {}
    for one in sorted(counted, key=lambda n: not n.results):
        # A file of results says that something was run only where the code knows its dataset too.
        if one.results and folded(one.name) not in coded:
            if one.how != results.ROW:
                continue
            one = one if one.sure else replace(one, results=False)
        first.setdefault(folded(one.name), one)
    code = [path for path in reached if path.endswith((".py", *reach.SHELL))]
    known = tuple(one for one in first.values() if asked.declared.has(one.name))
    return Look(
        known=known,
        others=tuple(one for one in first.values() if one not in known),
        zoos=tuple(zoos),
        files=len(here.read),
        unread=tuple(sorted(here.unread)),
        cut=here.cut,
        blind=not code or not here.unread.isdisjoint(code),
    )


def _in_files(here: Tree, reached: Sequence[str], asked: Asked) -> Iterator[Named]:
    scripts = [posixpath.basename(path) for path in reached]
    folders = {posixpath.dirname(path) for path in reached if path.endswith(_CONFIGS)} - {""}
    for path in here.paths:
        lower = path.lower()
        if path in reached and lower.endswith(".py"):
            module = python.parsed(here.text(path))
            if module is None:
                here.unread.add(path)
            else:
                yield from python.named(module, path)
        elif lower.endswith(reach.SHELL):
            yield from _some(texts.of_commands(here.text(path), path, scripts))
        elif lower.endswith(_PAGES):
            text = texts.fenced(here.text(path))
            yield from _some(texts.of_commands(text, path, scripts))
        elif lower.endswith(_CONFIGS) and _ours(path, reached, folders, asked):
            text = here.text(path)
            if not _CLAIMS.search(text):
                yield from _some(texts.of_config(text, path))


def _some(found: Iterator[Named]) -> Iterator[Named]:
    return islice(found, MOST_FOUND)


def _ours(path: str, reached: Sequence[str], folders: set[str], asked: Asked) -> bool:
    """Return whether a configuration belongs to the paper's own method, by its name or place."""
    if path in reached:
        return True
    stem = posixpath.splitext(posixpath.basename(path))[0].lower()
    parts = set(re.split(r"[_.-]", stem)) | {stem}
    named = any(name.lower() in parts for name in asked.proposed)
    return named or posixpath.dirname(path) in folders
