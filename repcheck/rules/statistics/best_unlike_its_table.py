"""A method is called the best, and its own table has a better one.

## What it catches
"Best", "state of the art" or "outperforms all" where a row of the same table, for the same dataset
and metric, shows another method ahead.

## When it is legitimate
Ties within rounding; the best of a class ("among real-time models", "of its size", "single
model"), where a person has to read whether the rival belongs to it. Ablations, teachers and other
proposed methods are no rivals.

## How it is decided
The words of the claim beside the rows of its datasets and metric, in the metric's direction, with
the widest rounding. A rival ahead is minor; within the larger of the two spreads it is a note.
Where the claim limits its class, it is undetermined. Bold print is not in a claims file: `repcheck
forensics` reads it from a bare table.

## How to fix
Name the class in which the method is the best, or the rival that is better.

## Source
hzwer 6.3; reviewing checklists of machine-learning conferences
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from repcheck.claims.comparison import dataset_of
from repcheck.claims.model import Claim, Method, Metric, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, centre_of, printed, written
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Severity,
    Undetermined,
    rule,
)
from repcheck.stats.printed import Rounding

_BEST = re.compile(
    r"\b(?:best|state[\s-]of[\s-]the[\s-]art|sota|outperforms? (?:all|every|any|each)|"
    r"better than (?:all|every|any)|(?:beats?|surpass(?:es)?) (?:all|every|any)|highest|"
    r"new record|first place|ranks? first|unrivall?ed)\b",
    re.IGNORECASE,
)
# What limits the class that is spoken of, or speaks of another best: of seeds, epochs, knowledge.
_LIMITED = re.compile(
    r"\b(?:among|amongst|within|of (?:its|this|that|the same|similar|comparable)|for its|single|"
    r"without|with(?:out)? (?:fewer|less|no|only)|under|given|at (?:equal|the same|this|similar)|"
    r"same|similar|comparable|competitive|compet\w*|match(?:es|ing)?|close to|near(?:ly|s|ing)?|"
    r"second|one of|almost|nearly|trade-?off|per|compared (?:to|with)|previous|prior|published|"
    r"best[- ](?:of|known|seed|run|epoch|checkpoint|case|practice|reported|performing)|"
    r"real[- ]time|lightweight|open|end-to-end|non-\w+|\w+-based|most|except)\b",
    re.IGNORECASE,
)
_RIVALS = frozenset({"baseline", "trivial"})
_MODEST = NotApplicable(message="the claim does not call its method the best")


@rule("RC917", Severity.MINOR, part=Part.FORENSIC, worst=Severity.MINOR)
def check(claim: Claim, table: Table) -> Answer:
    text = claim.text.get("")
    if not _BEST.search(text):
        return _MODEST
    claims = table.claims
    method = claims.methods.get(claim.method.value)
    name = claim.metric.get(next(iter(claims.metrics)) if len(claims.metrics) == 1 else "")
    metric = claims.metrics.get(name)
    if method is None or metric is None:
        return NotApplicable(message="the claim names no method and metric of the table")
    names = claim.datasets.get(()) or (dataset_of(claims, claim, method),)
    found = [one for dataset in names for one in _on(dataset, claim, method, metric, table)]
    if found or len(names) == 1:
        return found
    return NotApplicable(message="no row to look at")


def _on(
    dataset: str, claim: Claim, method: Method, metric: Metric, table: Table
) -> Iterator[Outcome]:
    ours = table.row(method.id, dataset, metric.id, claim.at_step.get({}) or None)
    rivals = [row for row in table.beside(ours) if _rival(row, ours, method, table)]
    if not rivals:
        about = f"{metric.id} on {dataset}" if dataset else metric.id
        raise Missing(Reason.UNDECLARED_KEY, f"add the rows of the rivals for {about} to `results`")
    ahead = _ahead(ours, rivals, higher=metric.higher_is_better.value)
    seen = Quantity(
        name="rows of rivals", value=len(rivals), level=Level.FORENSIC,
        source=str(centre_of(ours).place),
    )  # fmt: skip
    shown = printed(centre_of(ours)).text
    if not ahead:
        words = f"none of {len(rivals)} rivals is ahead of {shown}"
        yield Cleared(message=words, seen=seen, limit="would have seen one printed digit")
        return
    best = ahead[0]
    where = f" on {dataset}" if dataset else ""
    lead = f"{best.method} has {printed(centre_of(best)).text}{where}, {method.id} {shown}"
    if limited := _LIMITED.search(claim.text.value):
        yield Undetermined(
            message=f"{lead}; the claim says `{limited.group()}`",
            reason=Reason.NEEDS_HUMAN,
            would_decide=f"read whether {best.method} is of the class that the claim speaks of",
            seen=seen,
        )
        return
    close = _within_spread(ours, best)
    yield Flagged(
        message=f"the claim calls {method.id} the best; {lead}"
        + ("; within one spread of each other" if close else ""),
        kind=Kind.MISMATCH,
        severity=Severity.NOTE if close else Severity.MINOR,
        seen=seen,
        at=claim.text.place,
    )


def _rival(row: Result, ours: Result, method: Method, table: Table) -> bool:
    if not centre_of(row).known or written(row, "aggregate") != written(ours, "aggregate"):
        return False
    point = row.at.get({}) == ours.at.get({}) if written(row, "at") else not written(ours, "at")
    other = table.claims.methods.get(row.method.get(""))
    return point and other is not None and other is not method and str(other.role) in _RIVALS


def _ahead(ours: Result, rivals: Sequence[Result], *, higher: bool) -> list[Result]:
    """Return the rivals that are ahead under every rounding, the best first."""
    own, found = centre_of(ours).value, []
    exact = printed(centre_of(ours)).within(Rounding.ANY)
    for row in rivals:
        value = centre_of(row).value
        if (value <= own) if higher else (value >= own):
            continue
        other = printed(centre_of(row)).within(Rounding.ANY)
        if other.low > exact.high if higher else other.high < exact.low:
            found.append(row)
    return sorted(found, key=lambda row: centre_of(row).value, reverse=higher)


def _within_spread(ours: Result, best: Result) -> bool:
    spreads = [row.std.value for row in (ours, best) if written(row, "std")]
    gap = abs(centre_of(ours).value - centre_of(best).value)
    return bool(spreads) and gap <= max(spreads)
