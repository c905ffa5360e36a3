"""Running somebody's commands needs a person's word: the commands are shown, and asked about."""

from __future__ import annotations

import shlex
import sys
from typing import Protocol

import click

from repcheck.claims.model import Claims
from repcheck.errors import UsageError
from repcheck.plan import Plan

MOST_SHOWN = 12


class Asked(Protocol):
    """The part of a request that consent needs."""

    @property
    def yes(self) -> bool: ...  # noqa: D102
    @property
    def quiet(self) -> bool: ...  # noqa: D102
    @property
    def rerun(self) -> str | None: ...  # noqa: D102


def agreed(claims: Claims, plan: Plan, asked: Asked) -> bool:
    """Return whether the plan's commands may be run; nothing to run needs no word.

    Raises:
        UsageError: without a terminal to ask on and without `--yes`.
    """
    waiting = [run for run in plan.runs if run.key not in plan.done or asked.rerun]
    if not waiting:
        return True
    if not (asked.quiet and asked.yes):
        _show(claims, plan, len(waiting))
    if asked.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "nothing was run: these commands need your word, and there is no terminal to ask on;"
            " if you trust the artifact, say --yes"
        )
    if click.confirm("Run them with your rights on this machine?", default=False, err=True):
        return True
    click.echo("nothing was run", err=True)
    return False


def _show(claims: Claims, plan: Plan, waiting: int) -> None:
    kinds: dict[tuple[str, ...], int] = {}
    for run in plan.runs:
        method = claims.methods[run.method]
        stated = [leaf.value for leaf in (method.train.command, method.eval.command) if leaf.known]
        shown = tuple(one if isinstance(one, str) else shlex.join(one) for one in stated)
        kinds[shown] = kinds.get(shown, 0) + 1
    click.echo(f"{waiting} runs of {len(plan.runs)} are to be made:", err=True)
    for commands, count in list(kinds.items())[:MOST_SHOWN]:
        click.echo(f"  {count:>4} x  {' && '.join(_visible(one) for one in commands)}", err=True)
    if len(kinds) > MOST_SHOWN:
        click.echo(f"  and {len(kinds) - MOST_SHOWN} more commands: `repcheck plan`", err=True)


def _visible(text: str) -> str:
    """Return a command with nothing in it that a terminal would hide or act on."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
