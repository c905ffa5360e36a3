"""The method's code stands elsewhere under other names, and nobody says so.

## What it catches
A block copied from another repository, its classes and variables renamed, offered as a new one.

## When it is legitimate
Building on, porting or forking with attribution: `artifact.related_code` with `cited: true`, or a
line in the code or the README that names the source. Training loops, loaders and command lines look
alike everywhere and do not count; a short canonical block is none.

## How it is decided
From the syntax of the code that the commands reach: functions of models, and functions that compute
with tensors and train nothing. All names of the artifact's own making, texts, comments, hints and
numbers are erased, and fingerprints are taken of what is left (winnowing). Held against them is
each path of `artifact.related_code`, and what stands in a folder such as `third_party`. At least
80 % of the fingerprints of a function of 15 statements, or half of those of all model and loss
code, is alike: minor where the source is named nowhere, cleared where it is cited. A component
called new and, by the claims file itself, equal to a known one is minor. That two functions compute
the same is asked by RC601b. Cleared is never more than static: who reorders statements, splits
functions or rewrites them passes here.

## How to fix
Cite the source, keep its licence header, list it in `artifact.related_code` with `cited: true`, and
say what differs.

## Source
hzwer 6.1; Schleimer, Wilkerson and Aiken 2003, Winnowing
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repcheck.claims.model import Claims
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.code_alike import CodeAlike, Reference
from repcheck.rule import Answer, Cleared, Flagged, Kind, Outcome, Severity, Undetermined, rule
from repcheck.source_code.alike import Match
from repcheck.where import Where

_MOST = 3
_SAME = 0.95
_LIMIT = (
    "would have seen copied functions with other names; not statements in another order, functions"
    " that were split or rewritten, nor code that the artifact does not hold"
)


@rule("RC601", Severity.MINOR, worst=Severity.MINOR)
def check(
    claims: Claims,
    alike: CodeAlike,
    *,
    share: float = 0.8,
    statements: int = 15,
    whole: float = 0.5,
) -> Answer:
    outcomes = [*_called_new(claims), *_twins(claims, alike)]
    cited: list[tuple[Reference, tuple[Match, ...]]] = []
    for one in alike.references:
        copied = one.alike.copied(share, statements, whole)
        if copied and one.cited:
            cited.append((one, copied))
        if copied:
            outcomes += _copied(claims, one, copied)
    if any(not isinstance(one, Flagged) or one.severity is Severity.MINOR for one in outcomes):
        return outcomes
    return [*outcomes, _rest(alike, cited)]


def _called_new(claims: Claims) -> Iterator[Outcome]:
    for method in claims.methods.values():
        for part in method.components or ():
            if part.claimed_novel.get(False) and part.equivalent_to.known:
                yield Flagged(
                    message=f"`{part.name.get('a component')}` of `{method.id}` is called new and, "
                    f"by the same file, equal to {part.equivalent_to.value}",
                    kind=Kind.MISMATCH,
                    severity=Severity.MINOR,
                    seen=Quantity(
                        name="equivalent to",
                        value=part.equivalent_to.value,
                        source=str(part.equivalent_to.place),
                    ),
                    at=part.equivalent_to.place,
                    disclosed=part.equivalent_to.disclosure.in_paper,
                )


def _twins(claims: Claims, alike: CodeAlike) -> Iterator[Outcome]:
    for ours, theirs, both in alike.twins:
        if both >= _SAME:
            place = claims.methods[ours].model.entry.place
            yield Flagged(
                message=f"the code of `{ours}` and of its baseline `{theirs}` share {both:.0%} of "
                "their fingerprints: what differs between them may be the recipe alone",
                kind=Kind.UNSUPPORTED,
                severity=Severity.NOTE,
                seen=_seen(f"{ours} and {theirs}", both, str(place)),
                at=place,
            )


def _copied(claims: Claims, found: Reference, copied: Sequence[Match]) -> Iterator[Outcome]:
    words = _words(found, copied)
    seen = _seen(found.path, copied[0].share, f"{copied[0].own.path}:{copied[0].own.line}")
    header = f"; the licence header of `{found.licence_gone}` is gone" if found.licence_gone else ""
    if found.cited:
        if header:
            yield Flagged(message=f"{words}, which is cited{header}", kind=Kind.OMISSION,
                          severity=Severity.NOTE, seen=seen, at=_place(claims))  # fmt: skip
        return
    if found.stated and found.cited is None:
        yield Undetermined(
            message=f"{words}; nobody says whether that is cited{header}",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"declare `cited` for `{found.path}` in `artifact.related_code`",
            seen=seen,
        )
        return
    if found.credit:
        what = f"named as a source in `{found.credit}` and not in the claims file"
    else:
        what = "cited nowhere" if not found.stated else "not cited, in the authors' own words"
    yield Flagged(
        message=f"{words}, which is {what}{header}",
        kind=Kind.OMISSION,
        severity=Severity.NOTE if found.credit else Severity.MINOR,
        seen=seen,
        at=_place(claims),
    )


def _words(found: Reference, copied: Sequence[Match]) -> str:
    named = "; ".join(one.said() for one in copied[:_MOST])
    more = f" and {len(copied) - _MOST} more" if len(copied) > _MOST else ""
    return (
        f"with all names erased {named}{more} of their fingerprints: {found.alike.whole:.0%} of "
        f"the method's model and loss code stands in `{found.path}`"
    )


def _rest(alike: CodeAlike, cited: Sequence[tuple[Reference, tuple[Match, ...]]]) -> Outcome:
    """Return what is to be said where nothing is found that is not cited."""
    if alike.missing is not None:
        raise alike.missing
    told = _not_compared(alike)
    if not alike.references:
        return Undetermined(
            message="whether the method is somebody's under another name was not asked: the "
            "artifact holds no other code to compare with",
            reason=Reason.NEEDS_HUMAN,
            would_decide="which published method is nearest? Put its code beside the artifact's and"
            " list it: `artifact: {related_code: [{path: ..., cited: ...}]}`",
        )
    if alike.blind or alike.spent or not alike.own or alike.absent or alike.unread:
        return Undetermined(
            message=f"not all code could be compared: {told or 'no model or loss code was found'}",
            reason=Reason.NOT_OBSERVED,
            would_decide="the code as text in Python 3, reached by the commands or `model.entry`",
        )
    best = max(alike.references, key=lambda one: one.alike.whole)
    words = f"{alike.own} functions of models and losses share at most {best.alike.whole:.0%} of "
    words += f"their fingerprints with `{best.path}`"
    if cited:
        words = f"{_words(*cited[0])}, which is cited"
    return Cleared(
        message=words,
        seen=_seen(best.path, best.alike.whole, "the artifact's files"),
        limit=f"{_LIMIT}; {told}" if told else _LIMIT,
    )


def _not_compared(alike: CodeAlike) -> str:
    said = []
    if alike.absent:
        said.append(f"not in the artifact, or no Python: {', '.join(alike.absent[:_MOST])}")
    if alike.spent:
        said.append("there is more code than is gone through")
    return "; ".join([*said, *filter(None, [alike.unread])])


def _place(claims: Claims) -> Where:
    return claims.claims[0].place if claims.claims else claims.place


def _seen(path: str, share: float, source: str) -> tuple[Quantity, ...]:
    return (
        Quantity(name=f"fingerprints shared with {path}", value=round(share, 4), unit="share",
                 level=Level.STATIC, source=source),
    )  # fmt: skip
