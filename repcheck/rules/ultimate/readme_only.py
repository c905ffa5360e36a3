"""Numbers are claimed and the code that makes them is not available.

## What it catches
The authors say that there is no code, or only code for evaluation, and claim numbers. Nothing is
refuted by it; nobody can check it either.

## When it is legitimate
Code may be withheld for stated reasons. Then the claims are unverifiable, which is what is said. A
file without commands is no finding: it may only be that nobody wrote them down.

## How it is decided
`artifact.code_available`, in the authors' own words: `none` is minor, `eval-only` a note (trained
numbers can be evaluated, not trained again). Whether supplied code runs is seen by running it.

## How to fix
Release the training and evaluation code of the method and of its baselines, or say why not.

## Source
hzwer 6.2
"""

from __future__ import annotations

from repcheck.claims.model import Claim, Claims
from repcheck.fact import Quantity
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Severity, rule

_NO_NUMBER = frozenset({"qualitative", "existence"})


@rule("RC602", Severity.MINOR)
def check(claims: Claims) -> Answer:
    leaf = claims.artifact.code_available
    numbers = [claim for claim in claims.claims if claim.kind not in _NO_NUMBER]
    if not numbers:
        return NotApplicable(message="no claim of a number")
    said = "none" if leaf.state.value == "none" else leaf.value
    seen = Quantity(name="code available", value=said, source=str(leaf.place))
    if said in {"none", "eval-only"}:
        what = "no code" if said == "none" else "code for evaluation only"
        return Flagged(
            message=f"{len(numbers)} of {len(claims.claims)} claims state numbers and, in the "
            f"authors' words, there is {what}",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MINOR if said == "none" else Severity.NOTE,
            seen=seen,
            at=leaf.place,
            disclosed=leaf.disclosure.in_paper,
        )
    runnable = [claim for claim in numbers if _has_command(claims, claim)]
    if not runnable:
        method = claims.methods.get(numbers[0].method.get(""))
        if method is not None and not method.eval.command.known:
            method.train.command.value  # noqa: B018  (raises with the key that is missing)
    return Cleared(
        message=f"{len(runnable)} of {len(numbers)} claims have a command",
        seen=seen,
        limit="the authors' words",
    )


def _has_command(claims: Claims, claim: Claim) -> bool:
    method = claims.methods.get(claim.method.get(""))
    return method is not None and (method.train.command.known or method.eval.command.known)
