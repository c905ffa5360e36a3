"""The whole flow on one screen, every stage one call."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click

from repcheck import executors, rules
from repcheck.answers import Answer, answered, load_answers
from repcheck.claims.load import load
from repcheck.claims.model import Claims
from repcheck.consent import agreed
from repcheck.discover import modules
from repcheck.errors import UsageError
from repcheck.executor import Options, find
from repcheck.exits import OK, RUN_FAILED, USAGE, code_of
from repcheck.fact import Evidence
from repcheck.facts.effects import Effects
from repcheck.folder import Folder
from repcheck.judge import judge
from repcheck.likened import likened
from repcheck.machine.processes import interruptible
from repcheck.plan import Plan, PlanOptions
from repcheck.plan_table import told
from repcheck.progress import shown
from repcheck.publish import Wanted, publish
from repcheck.report import Circumstances, Found, build
from repcheck.rounds import Course
from repcheck.runs import Run, Runs
from repcheck.sizes import KeptSizes, Sizes
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
    answers: Path | None = None
    quiet: bool = False

    @property
    def folder(self) -> Folder:
        """Return where this request's reports and runs are kept."""
        return Folder(self.out or Folder.default_for(self.file))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What a person brings to the judging beside the claims: thresholds, and signed answers."""

    thresholds: Thresholds
    answers: tuple[Answer, ...]

    @classmethod
    def read(cls, thresholds: Path | None, answers: Path | None) -> _Given:
        return cls(thresholds=load_thresholds(thresholds), answers=load_answers(answers))


def planned(request: Request) -> Plan:
    """Load and plan; nothing is executed and nothing is written.

    What earlier runs showed is taken into account, as far as all runs of a round are stored.
    """
    return _foreseen(load(request.file), request)


def _foreseen(claims: Claims, request: Request) -> Plan:
    """Return the plan as far as it can be told without executing anything."""
    course, folder = _course(claims, request), request.folder
    plan, runs = course.first(), dict[str, Run]()
    course = replace(course, size=KeptSizes(claims, folder.kept_arms(plan)))
    while (runs := runs | _by_key(folder.stored(plan))).keys() >= _keys(plan):
        more = course.after(plan, _in_order(plan, runs))
        if more is None and runs:
            return plan
        if more is None:
            break
        plan = more
    return course.foreseen(plan) if not plan.arms else plan


def rerun(request: Request) -> int:
    """Load, plan and execute; judging is left to `report_again`."""
    claims = load(request.file)
    course = _course(claims, request)
    if not _allowed(claims, request):
        return USAGE
    with interruptible():
        _, runs = _execute(claims, course, request)
    if not request.quiet:
        click.echo(f"judge them with: repcheck report {request.folder.root}", err=True)
    return OK if all(run.status == "ok" for run in runs) else RUN_FAILED


def check(request: Request) -> int:
    """Load, plan, execute, judge, conclude and report."""
    claims = load(request.file)
    wanted = [Wanted.read(one) for one in request.formats]
    given = _Given.read(request.thresholds, request.answers)
    course = _course(claims, request)
    if not _allowed(claims, request):
        return USAGE
    with interruptible():
        plan, runs = _execute(claims, course, request)
    report = _judged(claims, plan, runs, given, command_line(), request.folder)
    publish(report, request.folder, wanted, quiet=request.quiet)
    return code_of(report, fail_on=request.fail_on, strict=request.strict)


def report_again(request: Request) -> int:
    """Judge, conclude and report once more from what `out` holds; nothing is executed."""
    folder = request.folder
    wanted = [Wanted.read(one) for one in request.formats]
    given = _Given.read(request.thresholds, request.answers)
    claims, plan = folder.claims(), folder.plan()
    command = f"{folder.command()} && {command_line()}"
    report = _judged(claims, plan, folder.runs(plan), given, command, folder)
    publish(report, folder, wanted, quiet=request.quiet)
    return code_of(report, fail_on=request.fail_on, strict=request.strict)


def _course(claims: Claims, request: Request) -> Course:
    folder = request.folder
    options = PlanOptions(
        exclude=folder.inside(claims),
        salt=request.seed_salt,
        seeds_per_arm=request.seeds_per_arm,
        time_limit_s=request.time_limit,
        jobs=request.jobs or local_jobs(),
        probe=not request.no_probe,
        history=folder.history(),
    )
    return Course(claims=claims, options=options, size=Sizes(claims, request.python))


def _allowed(claims: Claims, request: Request) -> bool:
    """Return whether the runs may be made: where they are kept, whose code it is, and a word."""
    request.folder.must_be_usable(claims)
    plan = _foreseen(claims, request)
    if plan.runs and (request.foreign or claims.trust.get("own") == "foreign"):
        raise UsageError(NO_SANDBOX)
    return agreed(plan, request)


def _execute(claims: Claims, course: Course, request: Request) -> tuple[Plan, Runs]:
    """Make the rounds of a check, one after the other; return the whole plan and its runs."""
    store = Store.open(request.folder.store)
    modules(executors)
    options = Options(
        jobs=course.options.jobs,
        python=request.python,
        rerun=request.rerun or "none",
        probe=not request.no_probe,
    )
    unseen = request.quiet or request.no_progress or sys.stderr is None
    began, made = time.monotonic(), dict[str, Run]()
    plan: Plan | None = course.first()
    kept = course.first()
    course = replace(course, size=Sizes(claims, request.python, request.folder.kept_arms(kept)))
    while plan is not None:
        kept = plan
        request.folder.keep(claims, plan, command_line())
        part = _part(plan, made, began)
        if made and part.runs and not unseen:
            click.echo(told(plan, part), err=True)
        with shown(len(part.runs), quiet=unseen) as progress:
            made |= _by_key(find("local")(part, store, options, progress))
        plan = course.after(plan, _in_order(plan, made)) if made.keys() >= _keys(plan) else None
    runs = _in_order(kept, made)
    _liken(claims, kept, runs, request)
    if options.probe and not request.quiet and (said := without_probe(runs)):
        click.echo(said, err=True)
    return kept, runs


def _liken(claims: Claims, plan: Plan, runs: Runs, request: Request) -> None:
    """Hold models against each other as functions, where the runs leave that open; keep it."""
    evidence, folder = Evidence(claims=claims, runs=runs), request.folder
    folder.keep_likened(plan, likened(evidence, request.python, folder.likened(plan)))


def _part(plan: Plan, made: Mapping[str, Run], began: float) -> Plan:
    """Return the runs of a plan that are not made yet, with the minutes that are left for them."""
    left = plan.max_minutes
    if left is not None:
        left = max(0.0, left - (time.monotonic() - began) / 60)
    todo = tuple(run for run in plan.runs if run.key not in made)
    return replace(plan, runs=todo, max_minutes=left)


def _by_key(runs: Runs) -> dict[str, Run]:
    return {run.key: run for run in runs}


def _keys(plan: Plan) -> set[str]:
    return {run.key for run in plan.runs}


def _in_order(plan: Plan, made: Mapping[str, Run]) -> Runs:
    return tuple(made[run.key] for run in plan.runs if run.key in made)


def _judged(
    claims: Claims, plan: Plan, runs: Runs, given: _Given, command: str, folder: Folder
) -> dict[str, Any]:
    from repcheck.verdict import conclude  # brings numpy and scipy, which planning can do without

    evidence = Evidence(
        claims=claims, runs=runs, arms=plan.arms, no_arms=plan.no_arms,
        most_seeds=plan.most_seeds, artifact=folder.artifact(plan), store=folder.store,
        likened=folder.likened(plan),
    )  # fmt: skip
    known = rules.load()
    judged = judge(evidence, known.values(), given.thresholds)
    judgements, answers = answered(judged, given.answers)
    conclusion = conclude(evidence, judgements)
    found = Found(
        claims=claims,
        plan=plan,
        runs=runs,
        rules=known,
        judgements=judgements,
        conclusion=conclusion,
        effects=evidence.get(Effects).effects,
    )
    return build(
        found,
        Circumstances(
            claims_path=claims.place.file,
            command=command,
            environment=environment(),
            isolation=isolation(runs),
            thresholds=changed(known, given.thresholds),
            answers=answers,
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
