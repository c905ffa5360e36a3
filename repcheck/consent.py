"""Running somebody's commands needs a person's word: the commands are shown, and asked about."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import click

from repcheck.arms import AUTO, Arm
from repcheck.errors import UsageError
from repcheck.plan import Plan
from repcheck.reader import OUT
from repcheck.reporters.parts.words import applied
from repcheck.runs import RunSpec

MOST_SHOWN = 12
QUOTED_OUT = shlex.quote(OUT)
PROBED = (
    "the commands run as they are, PYTHONPATH set so that their Python notes what training does;"
    " nothing of the artifact is changed; --no-probe leaves it out"
)
WHEN = "made as the runs as declared give reason to; some may be left out, and others added"


class Asked(Protocol):
    """The part of a request that consent needs."""

    @property
    def yes(self) -> bool: ...  # noqa: D102
    @property
    def quiet(self) -> bool: ...  # noqa: D102
    @property
    def rerun(self) -> str | None: ...  # noqa: D102
    @property
    def no_probe(self) -> bool: ...  # noqa: D102


def agreed(plan: Plan, asked: Asked) -> bool:
    """Return whether the plan's commands may be run; nothing to run needs no word.

    Raises:
        UsageError: without a terminal to ask on and without `--yes`.
    """
    waiting = [run for run in plan.runs if run.key not in plan.done or asked.rerun]
    if not waiting:
        return True
    if not (asked.quiet and asked.yes):
        _show(waiting, len(plan.runs))
        _arms(plan, waiting)
        if not asked.no_probe:
            click.echo(f"  probe: {PROBED}", err=True)
    return permitted(yes=asked.yes)


def permitted(*, yes: bool) -> bool:
    """Return whether a person lets what was just shown run.

    Raises:
        UsageError: without a terminal to ask on and without `--yes`.
    """
    if yes:
        return True
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        raise UsageError(
            "nothing was run: these commands need your word, and there is no terminal to ask on;"
            " if you trust the artifact, say --yes"
        )
    if click.confirm("Run them with your rights on this machine?", default=False, err=True):
        return True
    click.echo("nothing was run", err=True)
    return False


def _show(waiting: Sequence[RunSpec], planned: int) -> None:
    """Show the commands as they will be started, one seed standing for all of its kind."""
    kinds: dict[tuple[str, str], list[RunSpec]] = {}
    for run in waiting:
        kinds.setdefault((run.arm, run.dataset), []).append(run)
    click.echo(
        f"{len(waiting)} runs of {planned} are to be made, each kind with its seeds:", err=True
    )
    if stated := waiting[0].env:
        shown = " ".join(f"{name}={shlex.quote(value)}" for name, value in stated.items())
        click.echo(f"  all with the variables {_visible(shown)}", err=True)
    for runs in list(kinds.values())[:MOST_SHOWN]:
        said = " && ".join(_visible(shlex.join(argv)) for argv in runs[0].commands)
        cwds = sorted({cwd for cwd in runs[0].cwds if cwd not in {"", "."}})
        if cwds:
            click.echo(f"  in the folder {_visible(', '.join(cwds))}:", err=True)
        click.echo(f"  {len(runs):>4} x  {said.replace(QUOTED_OUT, OUT)}", err=True)
    if len(kinds) > MOST_SHOWN:
        more = len(kinds) - MOST_SHOWN
        click.echo(f"  and {more} more commands: `repcheck plan --format jsonl`", err=True)


def _arms(plan: Plan, waiting: Sequence[RunSpec]) -> None:
    """Show what the arms among the runs change, and how."""
    counted = Counter(run.arm for run in waiting)
    arms = [arm for arm in plan.arms if counted[arm.id]]
    if not arms:
        return
    runs = sum(counted[arm.id] for arm in arms)
    click.echo(f"  {runs} of them are of arms, {WHEN}:", err=True)
    for arm in arms[:MOST_SHOWN]:
        click.echo(f"  {counted[arm.id]:>4} x  {_visible(arm.id)}: {changed(arm)}", err=True)
    if len(arms) > MOST_SHOWN:
        click.echo(f"  and {len(arms) - MOST_SHOWN} more arms: `repcheck plan`", err=True)


def changed(arm: Arm) -> str:
    """Return what an arm changes and by what: `norm=batch, by a placeholder of the command`."""
    if arm.kind == "reference":
        return (
            "nothing of the method: models of repcheck are fitted to the data that it is tested on"
        )
    if arm.kind == "control":
        return "which examples the trained model is fed in evaluation, in the running process"
    sized = AUTO in arm.set.values()
    auto = f" ({AUTO}: sized so that its FLOPs meet those of {arm.beside})" if sized else ""
    return _visible(f"{arm.changes}{auto}, by {applied(arm.how)}")


def _visible(text: str) -> str:
    """Return a command with nothing in it that a terminal would hide or act on."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
