"""An artifact's files and what its Python source says by its syntax; nothing of it is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from repcheck.claims.stated_commands import stated_commands
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact
from repcheck.named import python, reach
from repcheck.named.tree import Tree, tree

NODES = 300_000
"""Syntax nodes of functions gone through in all, some 30,000 lines; what is beyond is said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCode(Fact):
    """The artifact as it lies there: all its files, and which of them the commands reach.

    `shipped` says that the folder is stated to be the artifact, or was run as one; without it
    nobody knows that a file which is not there should be.
    """

    label: ClassVar[str] = "the artifact's source code"
    tree: Tree
    commands: tuple[tuple[str, str, tuple[str, ...]], ...]
    reached: tuple[str, ...]
    shipped: bool
    _modules: dict[str, ast.Module | None] = field(default_factory=dict, repr=False)

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Walk the artifact's folder, once.

        Raises:
            Missing: if the claims name no artifact and no command, or its folder is not there.
        """
        claims = evidence.claims
        commands = stated_commands(claims)
        here = tree(evidence.root, whole=True)
        if here is None:
            raise Missing(Reason.NOT_OBSERVED, f"the artifact's folder: {evidence.root} is none")
        return cls(
            tree=here,
            commands=commands,
            reached=reach.reached(here, [(cwd, argv) for _, cwd, argv in commands]),
            shipped=claims.artifact.root.known or evidence.artifact is not None,
        )

    @property
    def python(self) -> tuple[str, ...]:
        """The Python files that the commands reach."""
        return tuple(path for path in self.reached if path.endswith(".py"))

    @property
    def notebooks(self) -> tuple[str, ...]:
        """The notebooks, which are not read."""
        return tuple(path for path in self.tree.paths if path.endswith(".ipynb"))

    def module(self, path: str) -> ast.Module | None:
        """Return a file's syntax; None where it is too large, not readable or not Python 3."""
        if path not in self._modules:
            text = self.tree.text(path)
            parsed = python.parsed(text) if path not in self.tree.unread else None
            if parsed is None:
                self.tree.unread.add(path)
            self._modules[path] = parsed
        return self._modules[path]

    def unread(self, paths: Iterable[str] = ()) -> str:
        """Return in words what was not read of what the commands reach and of `paths`, or ""."""
        said = []
        wanted = dict.fromkeys([*self.python, *paths])
        if lost := [path for path in wanted if self.module(path) is None]:
            said.append(f"not readable as Python 3 or as text: {_few(lost)}")
        if self.notebooks:
            said.append(f"notebooks, which are not read: {_few(self.notebooks)}")
        if self.tree.cut:
            said.append(f"only the first {len(self.tree.paths)} files were looked at")
        return "; ".join(said)


def _few(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
