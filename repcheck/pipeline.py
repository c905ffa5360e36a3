"""The whole flow on one screen, every stage one call."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from repcheck import executors, rules
from repcheck.claims.load import load
from repcheck.claims.model import Claims
from repcheck.consent import agreed
from repcheck.discover import modules
from repcheck.errors import UsageError
from repcheck.executor import Options, find
from repcheck.exits import OK, RUN_FAILED, USAGE, code_of
from repcheck.fact import Evidence
from repcheck.folder import Folder
from repcheck.judge import judge
from repcheck.plan import Plan, PlanOptions, make_plan
from repcheck.progress import shown
from repcheck.publish import Wanted, publish
from repcheck.report import Circumstances, Found, build
from repcheck.runs import Runs
from repcheck.store import Store
from repcheck.surroundings import (
    command_line,
    environment,
    isolation,
    local_jobs,
    without_probe,
)
from repcheck.thresholds import Thresholds, changed, load_thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asked for on the command line."""

    file: Path
    out: Path | None = None
    seed_salt: str = ""
    seeds_per_arm: int | None = None
    yes: bool = False
    jobs: int | None = None
    time_limit: float | None = None
    python: Path | None = None
    rerun: Literal["failed", "all"] | None = None
    foreign: bool = False
    no_progress: bool = False
    no_probe: bool = False
    formats: tuple[str, ...] = ()
    fail_on: str = "major"
    strict: bool = False
    thresholds: Path | None = None
    quiet: bool = False

    @property
    def folder(self) -> Folder:
        """Return where this request's reports and runs are kept."""
        return Folder(self.out or Folder.default_for(self.file))


def planned(request: Request) -> Plan:
    """Load and plan; nothing is executed and nothing is written."""
    return _plan(load(request.file), request)


def rerun(request: Request) -> int:
    """Load, plan and execute; judging is left to `report_again`."""
    claims = load(request.file)
    plan = _plan(claims, request)
    if not _allowed(claims, plan, request):
        return USAGE
    runs = _execute(claims, plan, request)
    if not request.quiet:
        click.echo(f"judge them with: repcheck report {request.folder.root}", err=True)
    return OK if all(run.status == "ok" for run in runs) else RUN_FAILED


def check(request: Request) -> int:
    """Load, plan, execute, judge, conclude and report."""
    claims = load(request.file)
    wanted = [Wanted.read(one) for one in request.formats]
    thresholds = load_thresholds(request.thresholds)
    plan = _plan(claims, request)
    if not _allowed(claims, plan, request):
        return USAGE
    runs = _execute(claims, plan, request)
    report = _judged(claims, plan, runs, thresholds, command_line())
    publish(report, request.folder, wanted, quiet=request.quiet)
    return code_of(report, fail_on=request.fail_on, strict=request.strict)


def report_again(
    root: Path,
    *,
    formats: tuple[str, ...],
    fail_on: str,
    strict: bool,
    thresholds: Path | None,
    quiet: bool,
) -> int:
    """Judge, conclude and report once more from what a folder holds; nothing is executed."""
    folder = Folder(root)
    wanted = [Wanted.read(one) for one in formats]
    limits = load_thresholds(thresholds)
    claims, plan = folder.claims(), folder.plan()
    command = f"{folder.command()} && {command_line()}"
    report = _judged(claims, plan, folder.runs(plan), limits, command)
    publish(report, folder, wanted, quiet=quiet)
    return code_of(report, fail_on=fail_on, strict=strict)


def _plan(claims: Claims, request: Request) -> Plan:
    folder = request.folder
    return make_plan(
        claims,
        PlanOptions(
            exclude=folder.inside(claims),
            salt=request.seed_salt,
            seeds_per_arm=request.seeds_per_arm,
            time_limit_s=request.time_limit,
            jobs=request.jobs or local_jobs(),
            history=folder.history(),
        ),
    )


def _allowed(claims: Claims, plan: Plan, request: Request) -> bool:
    """Return whether the runs may be made: where they are kept, whose code it is, and a word."""
    request.folder.must_be_usable(claims)
    if plan.runs and (request.foreign or claims.trust.get("own") == "foreign"):
        raise UsageError(NO_SANDBOX)
    return agreed(plan, request)


def _execute(claims: Claims, plan: Plan, request: Request) -> Runs:
    store = Store.open(request.folder.store)
    request.folder.keep(claims, plan, command_line())
    modules(executors)
    options = Options(
        jobs=plan.jobs,
        python=request.python,
        rerun=request.rerun or "none",
        probe=not request.no_probe,
    )
    unseen = request.quiet or request.no_progress or sys.stderr is None
    with shown(len(plan.runs), quiet=unseen) as progress:
        runs = find("local")(plan, store, options, progress)
    if options.probe and not request.quiet and (told := without_probe(runs)):
        click.echo(told, err=True)
    return runs


def _judged(
    claims: Claims, plan: Plan, runs: Runs, thresholds: Thresholds, command: str
) -> dict[str, Any]:
    from repcheck.verdict import conclude  # brings numpy and scipy, which planning can do without

    evidence = Evidence(claims=claims, runs=runs)
    known = rules.load()
    judgements = judge(evidence, known.values(), thresholds)
    conclusion = conclude(evidence, judgements)
    found = Found(
        claims=claims,
        plan=plan,
        runs=runs,
        rules=known,
        judgements=judgements,
        conclusion=conclusion,
    )
    return build(
        found,
        Circumstances(
            claims_path=claims.place.file,
            command=command,
            environment=environment(),
            isolation=isolation(runs),
            thresholds=changed(known, thresholds),
            artifact={
                "root": claims.artifact.root.get("."),
                "commit": claims.artifact.commit.get(""),
                "tree_sha256": next((run.artifact for run in plan.runs), ""),
            },
        ),
    )


NO_SANDBOX = (
    "the artifact is stated to be somebody else's (`trust: foreign` or --foreign), and this version"
    " of repcheck has no sandbox for it: its commands would run with your rights. Nothing was run."
    " Read the code first; then remove the statement and answer for it with --yes, on a machine"
    " that holds nothing else."
)
