"""Numbers are claimed and the code that makes them is not there.

## What it catches
An artifact that holds a README and a figure; commands whose scripts are not there, or that end at
once in what is still to be written; claims that nobody but the authors can check.

## When it is legitimate
Code may be withheld for stated reasons. Then the claims are unverifiable, which is what is said; no
number is refuted by it. A file without commands is no finding: it may only be that nobody wrote
them down. What fails because a package, a GPU, the network or the data is not here is no finding.

## How it is decided
By `artifact.code_available`, in the authors' own words: `none` is minor, `eval-only` a note. By the
files, where `artifact.root` names them or they were run: no claim of a number has a command that
could start (the script is not there, or surely raises NotImplementedError, or imports a module of
the artifact that is not there) is major, for it is exact. By the runs: none of a claimed method
reached an optimizer step or a metric, for a reason that lies in the artifact, is major. Single
missing pieces are told by RC602b. Cleared is that a run reached one, or that the files are there.

## How to fix
Release the training and evaluation code of the method and of its baselines, or say why not.

## Source
hzwer 6.2
"""

from __future__ import annotations

from collections.abc import Sequence

from repcheck.claims.model import Claim, Claims
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.attempts import Attempt, Attempts
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
from repcheck.where import Where

_NO_NUMBER = frozenset({"qualitative", "existence"})
_MOST = 3


@rule("RC602", Severity.MINOR)
def check(claims: Claims, complete: Completeness, attempts: Attempts) -> Answer:
    numbers = [claim for claim in claims.claims if claim.kind not in _NO_NUMBER]
    if not numbers:
        return NotApplicable(message="no claim of a number")
    withheld = _withheld(claims, numbers)
    if withheld is not None:
        return withheld
    names = dict.fromkeys(claim.method.get("") for claim in numbers)
    tried = [one for name in names if (one := attempts.of(name)) is not None]
    if any(one.reached for one in tried):
        return _reached([one for one in tried if one.reached])
    runnable = [claim for claim in numbers if _has_command(claims, claim)]
    held = _held(claims, complete, numbers, runnable)
    return held if isinstance(held, Flagged) or not tried else _failed(claims, tried)


def _withheld(claims: Claims, numbers: Sequence[Claim]) -> Flagged | None:
    leaf = claims.artifact.code_available
    said = "none" if leaf.state.value == "none" else leaf.get("full")
    if said not in {"none", "eval-only"}:
        return None
    what = "no code" if said == "none" else "code for evaluation only"
    return Flagged(
        message=f"{len(numbers)} of {len(claims.claims)} claims state numbers and, in the "
        f"authors' words, there is {what}",
        kind=Kind.UNSUPPORTED,
        severity=Severity.MINOR if said == "none" else Severity.NOTE,
        seen=Quantity(name="code available", value=said, source=str(leaf.place)),
        at=leaf.place,
        disclosed=leaf.disclosure.in_paper,
    )


def _reached(went: Sequence[Attempt]) -> Cleared:
    told = ", ".join(f"{one.reached} of {one.runs} runs of `{one.method}`" for one in went)
    return Cleared(
        message=f"{told} reached a step or a metric",
        seen=tuple(one.quantity() for one in went),
        limit="that they start, not that they do what the paper says",
    )


def _failed(claims: Claims, tried: Sequence[Attempt]) -> Outcome:
    """Return what runs showed of which none got anywhere."""
    seen = tuple(one.quantity() for one in tried)
    told = "; ".join(f"0 of {one.runs} runs of `{one.method}` reached a step or a metric: "
                     f"{one.why}" for one in tried[:_MOST])  # fmt: skip
    if all(one.whose == "artifact" for one in tried):
        return Flagged(
            message=told,
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR,
            seen=seen,
            at=_place(claims),
            fix=f"supply what the commands need: {'; '.join(one.why for one in tried[:_MOST])}",
        )
    first = next(one for one in tried if one.whose != "artifact")
    return Undetermined(
        message=told,
        reason=first.reason,
        would_decide=f"a rerun where that is here, or the log of one: {first.why}",
        seen=seen,
    )


def _held(
    claims: Claims, complete: Completeness, numbers: Sequence[Claim], runnable: Sequence[Claim]
) -> Outcome:
    """Return what the files show where nothing was run."""
    seen = Quantity(name="files of source code", value=complete.sources, level=Level.FORENSIC,
                    source="the artifact's files")  # fmt: skip
    whole = [one for one in runnable if not complete.stopped.get(one.method.get(""))]
    looked = complete.shipped and (complete.sources or complete.bare)
    if looked and not whole and (runnable or complete.bare):
        gaps = [gap for one in runnable for gap in complete.stopped.get(one.method.get(""), ())]
        told = [gap.said for gap in dict.fromkeys(gaps)]
        words = f"the artifact holds {complete.holds}" if complete.bare else ""
        return Flagged(
            message=f"0 of {len(numbers)} claims have a runnable command: "
            + "; ".join([*filter(None, [words]), *told[:_MOST]]),
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR,
            seen=seen,
            at=_place(claims),
            fix="; ".join(gap.fix for gap in dict.fromkeys(gaps)) if gaps else "",
        )
    if not runnable:
        method = claims.methods.get(numbers[0].method.get(""))
        if method is not None and not method.eval.command.known:
            method.train.command.value  # noqa: B018  (raises with the key that is missing)
    seen_whole = [one for one in whole if one.method.get("") not in complete.unseen]
    if looked and complete.parts:
        lacking = "; ".join(gap.said for gap in complete.parts[:_MOST])
        return Undetermined(
            message=f"whether a claim has a command that runs is not clear: {lacking}",
            reason=Reason.NOT_OBSERVED,
            would_decide="a rerun of the commands",
            seen=seen,
        )
    if not looked or not complete.known or not seen_whole:
        return Undetermined(
            message=f"{len(runnable)} of {len(numbers)} claims have a command, and nobody looked "
            "whether what it starts is there",
            reason=Reason.NOT_OBSERVED,
            would_decide="the artifact's folder in `artifact.root`, and a rerun",
        )
    return Cleared(
        message=f"{len(seen_whole)} of {len(numbers)} claims have a command whose files are there",
        seen=Quantity(name="files of source code", value=complete.sources, level=Level.STATIC,
                      source="the artifact's files"),
        limit="that the files are there, not that they run" + (
            f"; {complete.unread}" if complete.unread else ""
        ),
    )  # fmt: skip


def _place(claims: Claims) -> Where:
    return claims.claims[0].place


def _has_command(claims: Claims, claim: Claim) -> bool:
    method = claims.methods.get(claim.method.get(""))
    return method is not None and (method.train.command.known or method.eval.command.known)
