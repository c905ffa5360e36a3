"""Private data or unblinded people decide the result.

## What it catches
A human evaluation whose raters knew the method, saw the outputs in a fixed order or were fewer than
three; test data that nobody else can have, with no public dataset beside it.

## When it is legitimate
Blinded, randomised ratings that are published, with a public anchor. Data that the law keeps
private is no fault of its authors: the finding then asks for an evaluation by a third party.

## How it is decided
The authors' own words in `human_evaluation` and `datasets.D.public`. What they leave out is named
as what would decide; no rating file is opened yet.

## How to fix
Release items and raw ratings, blind and counterbalance, add a public dataset of the same task.

## Source
hzwer 5.11
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.claims.model import Claims, HumanEvaluation
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Severity, rule

_FLAWS = (
    ("blinded", "the raters were not blinded", Severity.MAJOR),
    ("randomised", "the items were not randomised", Severity.MAJOR),
    ("order_counterbalanced", "the order of the outputs was not counterbalanced", Severity.MINOR),
)


@rule("RC511", Severity.MAJOR)
def check(claims: Claims, *, fewest: int = 3) -> Answer:
    study = claims.human_evaluation
    found = list(_private(claims))
    if study.declared:
        found += _flaws(study, fewest)
    if found:
        return found
    if study.undeclared:
        raise Missing(
            Reason.UNDECLARED_KEY, f"declare `{study.place.path}` (`none` where no people judged)"
        )
    silent = [d.public for d in claims.datasets.values() if d.public.undeclared]
    if study.absent:
        return _without_people(claims, bool(silent))
    for key, _, _ in _FLAWS:
        getattr(study, key).value  # noqa: B018  (raises with the key that is missing)
    return Cleared(
        message=f"{study.raters} raters, blinded, randomised and counterbalanced",
        seen=Quantity.declared("raters", study.raters),
        limit="the authors' words",
    )


def _without_people(claims: Claims, silent: bool) -> NotApplicable:  # noqa: FBT001
    if silent:
        leaf = next(d.public for d in claims.datasets.values() if d.public.undeclared)
        leaf.value  # noqa: B018  (raises with the key that is missing)
    return NotApplicable(message="no people judged, and the data are public")


def _flaws(study: HumanEvaluation, fewest: int) -> Iterator[Flagged]:
    for key, words, severity in _FLAWS:
        leaf = getattr(study, key)
        if leaf.known and not leaf.value:
            yield Flagged(
                message=words,
                kind=Kind.UNSUPPORTED,
                severity=severity,
                seen=Quantity(name=key.replace("_", " "), value="no", source=str(leaf.place)),
                at=leaf.place,
            )
    if study.raters.known and study.raters.value < fewest:
        yield Flagged(
            message=f"{study.raters.value} raters, fewer than {fewest}",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MINOR,
            seen=Quantity.declared("raters", study.raters),
            at=study.raters.place,
        )


def _private(claims: Claims) -> Iterator[Flagged]:
    stated = [d for d in claims.datasets.values() if d.public.known]
    if not stated or any(d.public.value for d in stated) or len(stated) < len(claims.datasets):
        return
    places = stated[0].public.place
    judged = claims.human_evaluation.declared
    yield Flagged(
        message=f"no result can be checked on public data: {', '.join(d.id for d in stated)} "
        + ("is private" if len(stated) == 1 else "are private"),
        kind=Kind.UNSUPPORTED,
        severity=Severity.MAJOR if judged else Severity.MINOR,
        seen=Quantity(name="public datasets", value=0, source=str(places)),
        at=places,
    )
