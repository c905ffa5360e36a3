"""How much of a method's model and loss code stands in other code that the artifact holds."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from repcheck.claims.model import Claims, Method
from repcheck.errors import Missing
from repcheck.fact import Evidence, Fact
from repcheck.facts.source_code import NODES, SourceCode
from repcheck.source_code.alike import Alike, compared
from repcheck.source_code.prints import Budget, Print, prints

_THIRD = re.compile(r"third[-_]?party|vendor(?:ed)?|extern(?:al)?s?|submodules?", re.IGNORECASE)
_CREDIT = re.compile(
    r"adapted from|based on|borrow(?:ed|s) from|copied from|modified from|taken from|ported from"
    r"|fork(?:ed)? (?:from|of)|derived from|originally (?:from|by)|code (?:from|by)|thanks to",
    re.IGNORECASE,
)
_LICENCE = re.compile(r"copyright|spdx-licen[sc]e|licen[sc]ed under", re.IGNORECASE)
_HEAD = 2_000
_PAGE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Other code, and how it is spoken of: `stated` in `artifact.related_code`, `cited` there.

    `cited` is None where nobody says; `credit` is where the artifact itself names a source
    (`models.py:3`); `licence_gone` names files whose licence header the own code does not have.
    """

    path: str
    stated: bool
    cited: bool | None
    alike: Alike
    files: int
    credit: str = ""
    licence_gone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAlike(Fact):
    """The own model and loss code of the paper against each reference in the artifact.

    `own` counts its functions; `absent` are paths of related code that the artifact does not hold;
    `twin` is how much of the method's own entry stands in the baseline's, by method; `spent` says
    that not all code was gone through, `missing` why none was.
    """

    label: ClassVar[str] = "code that stands elsewhere too"
    own: int = 0
    references: tuple[Reference, ...] = ()
    absent: tuple[str, ...] = ()
    twins: tuple[tuple[str, str, float], ...] = ()
    blind: bool = True
    spent: bool = False
    unread: str = ""
    missing: Missing | None = None

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the fingerprints of all code that the commands or `model.entry` reach, once."""
        try:
            source = evidence.get(SourceCode)
        except Missing as missing:
            return cls(missing=missing)
        stated = {_normal(one.path.value): one.cited.content
                  for one in evidence.claims.artifact.related_code if one.path.known}  # fmt: skip
        found = {path: files for path in stated if (files := _below(source, path))}
        for folder, files in _third(source).items():
            left = [f for f in files if not any(_is_below(f, path) for path in found)]
            if left:
                found[folder] = left
        foreign = {file for files in found.values() for file in files}
        paths = [path for path in _own(evidence.claims, source) if path not in foreign]
        budget = Budget.of(NODES)
        own = _prints(source, paths, budget) if found or _pairs(evidence.claims) else []
        return cls(
            own=len(own),
            references=tuple(
                _reference(source, path, files, own, (path in stated, stated.get(path)), budget)
                for path, files in found.items()
            ),
            absent=tuple(path for path in stated if path not in found),
            twins=tuple(_twins(evidence.claims, own)),
            blind=not paths or any(source.module(path) is None for path in paths),
            spent=budget.spent,
            unread=_unread(source, paths, budget),
        )


def _unread(source: SourceCode, paths: Sequence[str], budget: Budget) -> str:
    lost = [path for path in paths if source.module(path) is None]
    return source.unread([*lost, *budget.lost])


def _normal(path: str) -> str:
    return posixpath.normpath(path).strip("/")


def _is_below(file: str, path: str) -> bool:
    return file == path or file.startswith(f"{path}/")


def _below(source: SourceCode, path: str) -> list[str]:
    return [f for f in source.tree.paths if f.endswith(".py") and _is_below(f, path)]


def _third(source: SourceCode) -> dict[str, list[str]]:
    """Return the files of folders for other people's code, by the folder and what is in it."""
    found: dict[str, list[str]] = {}
    for file in source.tree.paths:
        parts = file.split("/")
        at = next((n for n, part in enumerate(parts[:-1]) if _THIRD.fullmatch(part)), None)
        if at is not None and file.endswith(".py"):
            folder = "/".join(parts[: min(at + 2, len(parts) - 1)])
            found.setdefault(folder, []).append(file)
    return found


def _own(claims: Claims, source: SourceCode) -> list[str]:
    entries = [_entry(method)[0] for method in claims.methods.values()]
    there = set(source.tree.paths)
    return [*dict.fromkeys([*source.python, *(path for path in entries if path in there)])]


def _entry(method: Method) -> tuple[str, str]:
    """Return the file and the name of a method's `model.entry`: `models:Net` is models.py, Net."""
    module, _, name = method.model.entry.get("").partition(":")
    return f"{module.replace('.', '/')}.py" if module else "", name


def _prints(source: SourceCode, paths: Sequence[str], budget: Budget) -> list[Print]:
    found: list[Print] = []
    for path in paths:
        if budget.spent:
            break
        module = source.module(path)
        if module is None:
            budget.lost.append(path)
        else:
            found += prints(module, path, budget)
    return found


def _reference(
    source: SourceCode,
    path: str,
    files: Sequence[str],
    own: Sequence[Print],
    said: tuple[bool, bool | None],
    budget: Budget,
) -> Reference:
    alike = compared(own, _prints(source, files, budget))
    credit = gone = ""
    for match in alike.matches:
        if match.share >= _WORTH_ASKING:
            mine = source.tree.text(match.own.path)
            credit = credit or _credit(mine, match.own.path)
            heads = [text[:_HEAD] for text in (source.tree.text(match.other.path), mine)]
            if _LICENCE.search(heads[0]) and not _LICENCE.search(heads[1]):
                gone = gone or match.other.path
    stated, cited = said
    return Reference(
        path=path,
        stated=stated,
        cited=cited,
        alike=alike,
        files=len(files),
        credit=credit or _in_readme(source, path),
        licence_gone=gone,
    )


_WORTH_ASKING = 0.5


def _credit(text: str, path: str) -> str:
    found = _CREDIT.search(text)
    return f"{path}:{text.count(chr(10), 0, found.start()) + 1}" if found else ""


def _in_readme(source: SourceCode, path: str) -> str:
    """Return the place where a page of the artifact names a reference among what it is built on."""
    name = posixpath.splitext(posixpath.basename(path))[0].lower()
    for page in source.tree.paths:
        if "/" not in page and page.lower().endswith((".md", ".rst", ".txt")):
            text = source.tree.text(page)[:_PAGE]
            for number, line in enumerate(text.splitlines(), start=1):
                if len(name) > 2 and name in line.lower() and _CREDIT.search(line[:1_000]):
                    return f"{page}:{number}"
    return ""


def _pairs(claims: Claims) -> list[tuple[Method, Method]]:
    """Return each proposed method with each baseline that is built by another function."""
    methods = [one for one in claims.methods.values() if one.model.entry.known]
    ours = [one for one in methods if one.role.content == "proposed"]
    theirs = [one for one in methods if one.role.content == "baseline"]
    return [(a, b) for a in ours for b in theirs if _entry(a) != _entry(b)]


def _twins(claims: Claims, own: Sequence[Print]) -> Iterator[tuple[str, str, float]]:
    for ours, theirs in _pairs(claims):
        mine, other = ([one for one in own if _of(one, _entry(m))] for m in (ours, theirs))
        if mine and other:
            both = min(compared(mine, other).whole, compared(other, mine).whole)
            yield ours.id, theirs.id, both


def _of(one: Print, entry: tuple[str, str]) -> bool:
    path, name = entry
    return one.path == path and (one.name == name or one.name.startswith(f"{name}."))
