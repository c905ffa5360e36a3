"""Pieces are missing without which the supplied code does not run.

## What it catches
The evaluation is there and the weights are not; the method's code is there and the baseline's
script is not; a module is imported and was not released; a function is still to be written.

## When it is legitimate
What a build or a download makes need not lie in the artifact (`artifact.env.setup`). What is tried,
imported inside a function or raised by an abstract class is no gap. A page that says "coming soon",
a missing licence and an unpinned environment are notes: they stop nobody. What fails because a
package, a GPU, the network or the data is not here is undetermined, never held against the paper.

## How it is decided
By the files and their syntax, where `artifact.root` names them or they were run. Exact, and major:
a script that a command starts is not there, imports a module of the artifact that is not there, or
surely raises NotImplementedError; a shipped file has another hash than the declared one. Weights
that are declared, or named by a method that only evaluates, and are not there are minor; so are
functions that are called and left open. By the runs: no run of a method reached a step or a metric,
for a reason that lies in the artifact, is major. Cleared is that the files are there.

## How to fix
Add the missing pieces.

## Source
hzwer 6.2
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.attempts import Attempts
from repcheck.facts.completeness import Completeness
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
    rule,
)
from repcheck.source_code.complete import Gap

_MOST = 4


@rule("RC602b", Severity.MAJOR)
def check(claims: Claims, complete: Completeness, attempts: Attempts) -> Answer:
    if complete.missing is not None:
        raise complete.missing
    if not complete.shipped or not (complete.sources or complete.bare):
        return Undetermined(
            message="whether the release is complete is not known: no file of it was looked at",
            reason=Reason.NOT_OBSERVED,
            would_decide="the artifact's folder in `artifact.root`",
        )
    if complete.bare:
        return NotApplicable(message=f"the artifact holds no code at all, but {complete.holds}")
    went = {name for name in claims.methods if (one := attempts.of(name)) and one.reached}
    outcomes = [*_stopped(claims, complete, went), *_failed(claims, complete, attempts)]
    outcomes += _parts(claims, complete, went)
    if not outcomes and not complete.whole:
        return _unclear(complete)
    return [*(outcomes or [_whole(complete)]), *_context(claims, complete)]


def _stopped(claims: Claims, complete: Completeness, went: set[str]) -> Iterator[Flagged]:
    """Yield what surely ends a command that was not seen to run, and files of another hash."""
    methods: dict[Gap, list[str]] = {}
    for method, gaps in complete.stopped.items():
        for gap in gaps if method not in went else ():
            methods.setdefault(gap, []).append(method)
    for gap, names in methods.items():
        listed = ", ".join(f"`{name}`" for name in names)
        yield Flagged(
            message=f"the commands of {listed} cannot run: {gap.said}",
            kind=Kind.UNSUPPORTED,
            seen=_seen(complete, gap, Level.FORENSIC),
            at=claims.methods[names[0]].place,
            fix=gap.fix,
        )
    for gap in complete.broken:
        yield Flagged(
            message=gap.said,
            kind=Kind.MISMATCH,
            severity=Severity.MAJOR,
            seen=_seen(complete, gap, Level.FORENSIC),
            at=claims.artifact.place,
            fix=gap.fix,
        )


def _failed(claims: Claims, complete: Completeness, attempts: Attempts) -> Iterator[Outcome]:
    """Yield what the runs of each method showed that none of its files had told."""
    for method in claims.methods.values():
        found = attempts.of(method.id)
        if found is None or found.reached or complete.stopped.get(method.id):
            continue
        told = f"0 of {found.runs} runs of `{method.id}` reached a step or a metric: {found.why}"
        if found.whose == "artifact":
            yield Flagged(
                message=told,
                kind=Kind.UNSUPPORTED,
                seen=found.quantity(),
                at=method.place,
                fix=f"supply what the command needs: {found.why}",
            )
        else:
            yield Undetermined(
                message=told,
                reason=found.reason,
                would_decide=f"a rerun where that is here, or the log of one: {found.why}",
                seen=found.quantity(),
            )


def _parts(claims: Claims, complete: Completeness, went: set[str]) -> Iterator[Flagged]:
    """Yield what may be needed; where every method ran without it, it was not."""
    if complete.parts:
        commands = (name for name, m in claims.methods.items()
                    if m.train.command.known or m.eval.command.known)  # fmt: skip
        more = len(complete.parts) - _MOST
        told = "; ".join(gap.said for gap in complete.parts[:_MOST])
        yield Flagged(
            message=f"{told} and {more} more" if more > 0 else told,
            kind=Kind.OMISSION,
            severity=Severity.NOTE if went.issuperset(commands) else Severity.MINOR,
            seen=_seen(complete, complete.parts[0], Level.STATIC),
            at=claims.artifact.place,
            fix=_fixes(complete.parts),
        )


def _context(claims: Claims, complete: Completeness) -> Iterator[Flagged]:
    if complete.context:
        listed = "; ".join(gap.said for gap in complete.context[:_MOST])
        yield Flagged(
            message=f"in what is released: {listed}",
            kind=Kind.OMISSION,
            severity=Severity.NOTE,
            seen=_seen(complete, complete.context[0], Level.STATIC),
            at=claims.artifact.place,
            fix=_fixes(complete.context),
        )


def _unclear(complete: Completeness) -> Undetermined:
    what = complete.unread or "no command starts a file of the artifact"
    if complete.known and complete.unseen:
        listed = ", ".join(f"`{name}`" for name in complete.unseen)
        what = f"what a command of {listed} starts is no file of the artifact that can be looked at"
    return Undetermined(
        message=f"whether all pieces are there is not clear: {what}",
        reason=Reason.NOT_OBSERVED,
        would_decide="a rerun of the commands",
    )


def _whole(complete: Completeness) -> Cleared:
    return Cleared(
        message=f"what {complete.known} commands start and import is there, among "
        f"{complete.sources} files of source code",
        seen=_seen(complete, None, Level.STATIC),
        limit="would have seen scripts, own modules and weights that are named and not there; not "
        "what is named while running",
    )


def _fixes(gaps: Sequence[Gap]) -> str:
    listed = "; ".join(dict.fromkeys(gap.fix for gap in gaps))
    return f"{listed[:1].upper()}{listed[1:]}."


def _seen(complete: Completeness, gap: Gap | None, level: Level) -> tuple[Quantity, ...]:
    source = gap.where if gap and gap.where else "the artifact's files"
    return (
        Quantity(name="files of source code", value=complete.sources, level=level, source=source),
    )
