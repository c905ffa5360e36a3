"""What an artifact holds, what it lacks to run its own commands, and how far its runs got."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from repcheck.claims.model import Claims
from repcheck.confined import open_below
from repcheck.errors import Missing
from repcheck.fact import Evidence, Fact
from repcheck.facts.source_code import SourceCode
from repcheck.named.tree import Tree
from repcheck.source_code.complete import (
    Gap,
    ends_in,
    entry,
    imports_missing,
    presence,
    weights_missing,
)
from repcheck.source_code.left_open import promises, stubs

_SOURCE = re.compile(
    r"\.(?:py|pyx|ipynb|sh|bash|r|jl|m|c|cc|cpp|cu|cuh|h|hpp|java|scala|rs|go|lua|js|ts|f90|mlx)$",
    re.I,
)
_FIGURE = re.compile(r"\.(?:png|jpe?g|gif|svg|pdf|eps|webp|mp4)$", re.I)
_PAGE = re.compile(
    r"\.(?:md|rst|txt|tex|bib|html?)$|(?:^|/)(?:licen[sc]e|copying|readme)[^/]*$", re.I
)
_LICENCE = re.compile(r"(?:licen[sc]e|copying|notice)[^/]*", re.IGNORECASE)
_ENV = re.compile(
    r"requirements[^/]*\.txt|environment[^/]*\.ya?ml|pyproject\.toml|setup\.(?:py|cfg)|pipfile"
    r"|dockerfile[^/]*",
    re.IGNORECASE,
)
_LOCK = re.compile(r".*\.lock|pipfile\.lock|.*lock\.(?:ya?ml|json|txt)|constraints\.txt", re.I)
_HASHED = 512 * 2**20
_CHUNK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness(Fact):
    """What the artifact lacks.

    `stopped` is, by method, what surely ends its commands. `known` counts the commands that start a
    file of the artifact; `unseen` names the methods with one that does not as far as can be seen: a
    module that is installed, a link, a path outside. `parts` may be needed, `context` only helps.
    `holds` says what there is; `bare` that no source is among it although something is; `shipped`
    that the folder is stated to be the artifact; `missing` why nothing was looked at.
    """

    label: ClassVar[str] = "what the artifact holds"
    stopped: Mapping[str, tuple[Gap, ...]] = field(default_factory=dict)
    parts: tuple[Gap, ...] = ()
    broken: tuple[Gap, ...] = ()
    context: tuple[Gap, ...] = ()
    holds: str = ""
    sources: int = 0
    bare: bool = False
    known: int = 0
    unseen: tuple[str, ...] = ()
    shipped: bool = False
    unread: str = ""
    missing: Missing | None = None

    @property
    def whole(self) -> bool:
        """Whether there were commands to follow, and all that they reach was read."""
        return bool(self.known) and not self.unread and not self.unseen

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Look at what the commands start and name, once."""
        try:
            source = evidence.get(SourceCode)
        except Missing as missing:
            return cls(missing=missing)
        claims, tree = evidence.claims, source.tree
        files = [path for path in tree.paths if not _is_claims(tree, path)]
        sources = [path for path in files if _SOURCE.search(path)]
        stopped: dict[str, tuple[Gap, ...]] = {}
        known, unseen = 0, dict[str, None]()
        for method, cwd, argv in source.commands:
            start, gap = entry(tree, cwd, argv)
            known += bool(start)
            if not start and gap is None:
                unseen[method] = None
            gaps = (gap,) if gap else tuple(_in_script(source, start))
            if gaps:
                before = stopped.get(method, ())
                stopped[method] = (*before, *(one for one in gaps if one not in before))
        parsed = {p: m for p in source.python if (m := source.module(p)) is not None}
        told = {gap.where for gaps in stopped.values() for gap in gaps}
        return cls(
            stopped=stopped if source.shipped else {},
            parts=tuple(
                gap
                for gap in (*_weights(claims, source), *stubs(parsed))
                if source.shipped and gap.where not in told
            ),
            broken=tuple(_hashes(claims, tree)) if source.shipped else (),
            context=tuple((*promises(tree), *_around(claims, tree))) if known else (),
            holds=_holds(files),
            sources=len(sources),
            bare=not sources and any(_PAGE.search(p) or _FIGURE.search(p) for p in files),
            known=known,
            unseen=tuple(unseen),
            shipped=source.shipped,
            unread=source.unread(),
        )


def _is_claims(tree: Tree, path: str) -> bool:
    yaml = path.lower().endswith((".yaml", ".yml"))
    return yaml and re.search(r"^repcheck\s*:\s*\d", tree.text(path), re.MULTILINE) is not None


def _in_script(source: SourceCode, start: str) -> Iterator[Gap]:
    if not start.endswith(".py") or source.tree.cut:
        return
    found = ends_in(source.tree, start, source.module)
    if found is not None:
        yield found
    module = source.module(start)
    if module is not None:
        yield from imports_missing(source.tree, start, module)


def _holds(files: list[str]) -> str:
    """Return what there is in words: `README.md and 1 figure`, or by kinds where it is much."""
    figures = [path for path in files if _FIGURE.search(path)]
    others = [path for path in files if path not in figures]
    said = [*others[:3]]
    if len(others) > 3:
        said.append(f"{len(others) - 3} more files")
    if figures:
        said.append(f"{len(figures)} figure" + ("s" if len(figures) > 1 else ""))
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "nothing"


def _weights(claims: Claims, source: SourceCode) -> Iterator[Gap]:
    """Yield weights that are not there: those of methods that only evaluate, and declared ones."""
    told: Counter[str] = Counter()
    for one in claims.artifact.weights:
        path = posixpath.normpath(one.file.get(""))
        if one.file.known and presence(source.tree.root, path) == "missing":
            told[path] += 1
            yield Gap(
                said=f"the weights `{path}` are declared and not there",
                fix=f"add `{path}`",
                where=str(one.file.place),
            )
    if claims.artifact.env.setup.known:
        return
    trained = {m.id for m in claims.methods.values() if m.train.command.known}
    for method, cwd, argv in source.commands:
        if method not in trained:
            for gap in weights_missing(source.tree, cwd, argv):
                if not any(f"`{path}`" in gap.said for path in told):
                    yield gap


def _hashes(claims: Claims, tree: Tree) -> Iterator[Gap]:
    for one in claims.artifact.weights:
        if one.file.known and one.sha256.known:
            path, said = posixpath.normpath(one.file.value), one.sha256.value.strip().lower()
            found = _sha256(tree, path)
            if found and not found.startswith(said.removeprefix("sha256:")):
                yield Gap(
                    said=f"`{path}` has the SHA-256 {found[:12]}, declared is {said[:12]}",
                    fix=f"ship the `{path}` that was evaluated, or mend its hash",
                    where=str(one.sha256.place),
                )


def _sha256(tree: Tree, path: str) -> str:
    try:
        descriptor = open_below(tree.root, path.split("/"))
    except (OSError, ValueError):
        return ""
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _HASHED:
            return ""
        whole = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def _around(claims: Claims, tree: Tree) -> Iterator[Gap]:
    """Yield what a rerun does without and a reader misses: a licence, a pinned environment."""
    names = [posixpath.basename(path) for path in tree.paths if path.count("/") <= 1]
    if not claims.artifact.licence.known and not any(map(_LICENCE.match, names)):
        yield Gap(said="no licence", fix="add a licence")
    if claims.artifact.env.requirements.known or any(map(_LOCK.fullmatch, names)):
        return
    pages = [path for path in tree.paths if _ENV.fullmatch(posixpath.basename(path))]
    texts = [tree.text(path) for path in pages[:10]]
    if not any(re.search(r"[=@]=?\s*[\"']?v?\d", text) for text in texts):
        what = "a pinned environment" if pages else "requirements"
        yield Gap(said=f"no {what}", fix="list the packages with their versions")
