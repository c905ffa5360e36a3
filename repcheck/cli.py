"""The command line: one command a stage, and no logic of its own."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from repcheck import __version__
from repcheck.errors import RepcheckError

EPILOG = """\b
Exit codes: 0 nothing flagged at or above --fail-on; 1 flagged or not reproduced;
2 usage, or nothing run because nobody agreed; 3 undetermined under --strict;
4 the claims file is invalid; 5 a rerun failed; 70 internal error; 130 interrupted.
"""
MOST_SEEDS, MOST_SECONDS = 10_000, 100_000_000
USAGE, BROKEN, INTERRUPTED, BROKEN_PIPE = 2, 70, 130, 141
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
F = TypeVar("F", bound=Callable[..., Any])


class Guarded(click.Group):
    """A group whose commands end with a sentence and an exit code, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run the command and turn what can go wrong into an exit code."""
        # A path or a glyph that the terminal cannot show is no reason to lose a result.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except RepcheckError as problem:
            from repcheck.visible import visible

            click.echo(visible(str(problem)), err=True)
            ctx.exit(problem.exit_code)
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted; finished runs are kept, the same command resumes", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # As the shell shows a program whose reader went away: neither passed nor flagged.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            ctx.exit(BROKEN_PIPE)
        except OSError as problem:
            if problem.filename is not None or problem.errno not in _FULL:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            click.echo(f"standard output: cannot be written ({problem.strerror})", err=True)
            ctx.exit(USAGE)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as broken:
            _tell_of(broken)
            ctx.exit(BROKEN)


def _tell_of(broken: Exception) -> None:
    import traceback

    trace = "".join(traceback.format_exception(broken, limit=-6))
    click.echo(f"{trace}\nrepcheck itself broke; this is a bug, not a finding.", err=True)


@click.group(cls=Guarded, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="repcheck")
def main() -> None:
    """Check whether the claims of a machine-learning paper stand.

    A claims file says what the paper says. `check` reruns the artifact's own commands with fresh
    seeds, judges every claim, looks for 43 known ways to tilt a comparison, and leaves an HTML
    report. Start with `repcheck lint claims.yaml`.
    """


FILE = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _seconds(_: click.Context, __: click.Parameter, given: float | None) -> float | None:
    """Refuse what is no time, which a plain range does not do for nan."""
    if given is not None and not 0 < given <= MOST_SECONDS:
        raise click.BadParameter(f"expected seconds above 0 and up to {MOST_SECONDS:,}")
    return given


OUT = click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="Where reports and runs are kept  [default: repcheck-out/<folder of FILE>]",
)  # fmt: skip
SEEDING = _options(
    click.option("--seed-salt", default="", metavar="TEXT", help="Draw other fresh seeds."),
    click.option(
        "--seeds", "seeds_per_arm", type=click.IntRange(1, MOST_SEEDS), metavar="N",
        help="Fresh seeds per arm  [default: the file's budget.seeds_per_arm, else 5]",
    ),
)  # fmt: skip
RUNNING = _options(
    click.option("-y", "--yes", is_flag=True, help="The artifact is trusted: run without asking."),
    click.option("-j", "--jobs", type=click.IntRange(1), help="Runs at once  [default: cores]"),
    click.option(
        "--time-limit", type=float, callback=_seconds, metavar="SECONDS",
        help="Limit for one run  [default: 3600, or what the claims file says]",
    ),
    click.option(
        "--python", type=click.Path(path_type=Path), metavar="PATH",
        help="The interpreter whose folder comes first on a run's PATH",
    ),
    click.option(
        "--rerun", type=click.Choice(["failed", "all"]),
        help="Run again what is stored; old attempts stay counted.",
    ),
    click.option("--foreign", is_flag=True, help="Treat the artifact as somebody else's."),
    click.option(
        "--no-probe", is_flag=True,
        help="Leave PYTHONPATH alone: nothing is observed of the runs, and rules that ask what"
        " training really did stay undetermined.",
    ),
    click.option("--no-progress", is_flag=True, help="No progress bar and no heartbeat."),
)  # fmt: skip
JUDGING = _options(
    click.option(
        "--format", "formats", multiple=True, metavar="NAME[=FILE]",
        help="Also write this format; repeatable: terminal, concise, json, html, markdown, github",
    ),
    click.option(
        "--fail-on", type=click.Choice(["note", "minor", "major", "critical", "never"]),
        default="major", show_default=True, help="The lightest finding that makes the exit code 1",
    ),
    click.option("--strict", is_flag=True, help="Exit 3 when something is undetermined."),
    click.option(
        "--thresholds", type=click.Path(path_type=Path), metavar="FILE",
        help="YAML: {RC103: {major: 1.5}}; printed on the report's first page",
    ),
    click.option(
        "--answers", type=click.Path(path_type=Path), metavar="FILE",
        help="What a person answered to `repcheck questions`; who, and when, is printed",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Only the files, the exit code and errors."),
)  # fmt: skip


@main.command()
@click.argument(
    "file", type=click.Path(path_type=Path), metavar="[FILE]", default=Path("claims.yaml")
)
def init(file: Path) -> None:
    """Write a claims file to fill in (default: claims.yaml). Never overwrites."""
    from repcheck.starter import write_starter

    write_starter(file)
    click.echo(f"{file}: written; fill it in, then `repcheck lint {file}`")


@main.command()
@FILE
@click.option("--all", "everything", is_flag=True, help="List every undeclared key.")
def lint(file: Path, *, everything: bool) -> None:
    """Check a claims file: its form, its references and its arithmetic. Runs nothing."""
    from repcheck.lint import lint_file

    sys.exit(lint_file(file, everything=everything))


@main.command()
def schema() -> None:
    """Print the JSON Schema of claims files, for editors."""
    import json

    from repcheck.claims.schema import schema as made

    click.echo(json.dumps(made(), indent=2))


@main.command()
@FILE
@OUT
@SEEDING
@click.option(
    "--format", "form", type=click.Choice(["table", "jsonl"]), default="table", show_default=True
)
def plan(file: Path, form: str, **given: Any) -> None:  # noqa: ANN401
    """Show every run that `check` would make, and its cost as far as it is known. Runs nothing."""
    from repcheck.pipeline import Request, planned
    from repcheck.plan_table import shown

    click.echo(shown(planned(Request(file=file, **given)), form), nl=False)


@main.command()
@FILE
@OUT
@SEEDING
@RUNNING
@click.option("-q", "--quiet", is_flag=True, help="Only errors.")
def run(file: Path, **given: Any) -> None:  # noqa: ANN401
    """Make the runs of the plan and store them; `report` judges them later."""
    from repcheck.pipeline import Request, rerun

    sys.exit(rerun(Request(file=file, **given)))


@main.command()
@FILE
@OUT
@SEEDING
@RUNNING
@JUDGING
def check(file: Path, **given: Any) -> None:  # noqa: ANN401
    """Lint, plan, rerun, judge and report: all of it."""
    from repcheck.pipeline import Request
    from repcheck.pipeline import check as check_all

    sys.exit(check_all(Request(file=file, **given)))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@JUDGING
def report(folder: Path, **given: Any) -> None:  # noqa: ANN401
    """Judge and report again from what an earlier `check` or `run` stored in DIR."""
    from repcheck.pipeline import Request, report_again

    sys.exit(report_again(Request(file=folder, out=folder, **given)))


@main.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True), metavar="FILE|DIR")
@click.option(
    "--format", "form", type=click.Choice(["text", "yaml", "json"]), default="text",
    show_default=True, help="yaml: a file to answer in, for --answers",
)  # fmt: skip
def questions(path: Path, form: str) -> None:
    """List what only a person can answer, with the material beside it. Runs nothing.

    DIR is the folder of a check; a claims file alone has less material.
    """
    from repcheck.questions import asked, written

    click.echo(written(asked(path), form, path), nl=False)


@main.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="DIR DIR ...")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="Where merge.json and merge.html are written  [default: repcheck-out/merge]",
)  # fmt: skip
@click.option(
    "--name", "given", multiple=True, metavar="DIR=NAME",
    help="Call a site so; repeatable  [default: the folder's name]",
)  # fmt: skip
@click.option("--allow-other-code", is_flag=True, help="Merge sites whose artifacts differ.")
@click.option("--strict", is_flag=True, help="Exit 3 when a claim is undecided.")
@click.option("-q", "--quiet", is_flag=True, help="Only the files, the exit code and errors.")
def merge(given: tuple[str, ...], **more: Any) -> None:  # noqa: ANN401
    """Join checks of one claims file made at several sites: a random-effects summary of each claim.

    Each DIR is what `check` or `run` left at one site. Nothing is run.
    """
    from repcheck.merge import MergeRequest, names_of
    from repcheck.merge import merge as merge_sites

    sys.exit(merge_sites(MergeRequest(names=names_of(given), **more)))


@main.command()
@click.argument("name", metavar="TRICK-OR-CODE")
def explain(name: str) -> None:
    """Explain a trick (1.3) or a rule (RC103), or what bears the name (repeated-samples).

    A trick: what it is, when it is legitimate, how it is decided, and what a person is asked. A
    rule: what it catches, and its examples.
    """
    from repcheck.rules_page import explained

    click.echo(explained(name), nl=False)


@main.command()
@click.option("--tricks", is_flag=True, help="List the 43 tricks, each with its rules, instead.")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table")
def rules(form: str, *, tricks: bool) -> None:
    """List every rule, or every trick."""
    from repcheck.rules_page import listed, tricks_listed

    click.echo(tricks_listed(form) if tricks else listed(form), nl=False)


@main.command()
@click.argument("entry", metavar="MODULE:FUNCTION")
@click.option(
    "--input-shape", required=True, metavar="SHAPE",
    help="1,3,32,32 (the batch first); several as JSON: [[1,3,8,8],[1,10]] or {\"x\": [1,8]}",
)  # fmt: skip
@click.option("--kwargs", metavar="JSON", help='Arguments of the function: {"width": 8}')
@click.option(
    "--dtype", default="", metavar="NAME", help="float32, int64 ...  [default: found out]"
)
@click.option(
    "--root", type=click.Path(path_type=Path), default=Path(), metavar="DIR",
    help="The folder that MODULE is imported from  [default: this one]",
)  # fmt: skip
@click.option(
    "--python", type=click.Path(path_type=Path), metavar="PATH", help="The artifact's interpreter"
)
@click.option(
    "--deploy", default="", metavar="MODULE:FUNCTION",
    help="What builds the form for deployment, or takes the model and returns it",
)  # fmt: skip
@click.option(
    "--optimizer", default="", metavar="MODULE:FUNCTION",
    help="What takes the parameters and returns the optimizer, to count its step, too",
)  # fmt: skip
@click.option(
    "--time-limit", "time_limit_s", type=float, default=120.0, show_default=True,
    callback=_seconds, metavar="SECONDS",
)  # fmt: skip
@click.option(
    "--memory", "memory_mb", type=click.IntRange(1024), default=8192, show_default=True,
    metavar="MIB",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.option("-y", "--yes", is_flag=True, help="The artifact is trusted: run without asking.")
def profile(entry: str, **given: Any) -> None:  # noqa: ANN401
    """Count what a model costs: FLOPs of forward and training, parameters, memory, strides.

    Builds MODULE:FUNCTION in a process of its own, in a copy of the artifact's folder.
    """
    from repcheck.profile_page import profiled

    said, code = profiled(entry, **given)
    click.echo(said, nl=False)
    sys.exit(code)


@main.command()
@click.argument("table", type=click.Path(path_type=Path), metavar="TABLE.csv")
@click.option(
    "--n-test", type=click.IntRange(1), metavar="N",
    help="Test examples: every share of right answers is held against them.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def forensics(table: Path, **given: Any) -> None:  # noqa: ANN401
    """Check the printed numbers of a results table against each other. Runs nothing.

    Columns method, dataset, metric, mean, std, n, per_seed; or methods below each other and one
    column a dataset or metric, with cells such as `93.4 ± 0.2`.
    """
    from repcheck.forensics_page import examined

    said, code = examined(table, **given)
    click.echo(said, nl=False)
    sys.exit(code)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell: `eval "$(repcheck completion bash)"`."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"no completion for {shell}")
    click.echo(made(main, {}, "repcheck", "_REPCHECK_COMPLETE").source())
