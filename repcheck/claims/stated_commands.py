"""The commands that claims state: where a look into an artifact's files begins."""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.commands import split
from repcheck.claims.model import Claims
from repcheck.errors import Missing, Reason


def stated_commands(claims: Claims) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return every command: its method, the folder that it starts in, its words.

    Raises:
        Missing: if the claims name neither a command nor an artifact.
    """
    commands = tuple(commands_of(claims))
    if not commands and not claims.artifact.root.known:
        raise Missing(Reason.UNDECLARED_KEY, "declare `artifact.root` and the commands")
    return commands


def commands_of(claims: Claims) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield every command that can be split: its method, its folder, its words."""
    for method in claims.methods.values():
        for part in (method.train, method.eval):
            if part.command.known:
                try:
                    argv = split(part.command.value)
                except ValueError:
                    continue
                yield method.id, part.cwd.get(method.train.cwd.get("")), argv
