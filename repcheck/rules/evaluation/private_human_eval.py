"""Private data or unblinded people decide the result.

## What it catches
A human evaluation whose raters knew the method, saw the outputs in a fixed order or were fewer than
three; ratings that do not give the reported mean, that one rater carries, that are missing where
the method is worst, or whose gain chance explains; test data that nobody else can have, with no
public dataset beside it.

## When it is legitimate
Blinded, randomised ratings that are published, with a public anchor. A study in which each rater
judges a part of the items; an odd number of ratings, which cannot be half and half. Data that the
law keeps private is no fault of its authors: the finding then asks for an evaluation by a third
party.

## How it is decided
The authors' own words in `human_evaluation` and `datasets.D.public`, and the file
`human_evaluation.raw_ratings`: a csv with `rater,item,method,score` (and `position`, the place at
which the method was shown), or `rater,item,preferred` (a method's id, or tie, and `left`, the
method on the left). The gain over raters and items is recomputed with a 95 % interval that
resamples both at once; Krippendorff's alpha (below 0.2 minor, below 0.4 a note); the order (exact
binomial, p < 0.01); the sign without each rater (this and the gain where a claim is on a metric of
people or on none); pairs of rater and item that are missing (2 % of a
complete design: minor; major where they are the items of the lowest gain, p < 0.01, or where the
ratings of one method alone are missing). Who the raters were, whether they could recognise the
method and who chose the items is asked of a person in any case.

## How to fix
Release items and raw ratings, blind and counterbalance, add a public dataset of the same task.

## Source
hzwer 5.11
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from repcheck.claims.model import Claim, Claims, HumanEvaluation
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.rated import Ratings, Study
from repcheck.facts.table import Table, centre_of, printed
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

_FLAWS = (
    ("blinded", "the raters were not blinded", Severity.MAJOR),
    ("randomised", "the items were not randomised", Severity.MAJOR),
    ("order_counterbalanced", "the order of the outputs was not counterbalanced", Severity.MINOR),
)


_OF_PEOPLE = re.compile(
    r"\bmos\b|opinion|rating|human|prefer|win[ _-]?rate|likert|subjective|user[ _-]?study"
)
_BETTER = frozenset({"improvement", "qualitative", "value", "robustness"})
_WEAK, _POOR, _RARE, _FEW, _FIXED = 0.4, 0.2, 0.01, 0.02, 0.9


@rule("RC511", Severity.MAJOR)
def check(claims: Claims, ratings: Ratings, table: Table, *, fewest: int = 3) -> Answer:
    study = claims.human_evaluation
    found = list(_private(claims))
    if study.declared:
        found += _flaws(study, fewest)
    asked = list[Outcome]()
    if ratings.study is not None:
        found += _shown(claims, ratings.study, table)
        asked = [_asked(ratings.study)]
    if found or asked:
        return [*found, *asked]
    if ratings.why is not None:
        raise ratings.why
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


# --- what the ratings show ----------------------------------------------------------------------


def _shown(claims: Claims, study: Study, table: Table) -> Iterator[Flagged]:
    at = claims.human_evaluation.raw_ratings.place
    words = _gain(study)
    means = study.quantity(f"gain of {study.ours}, {study.judged} pairs", study.gain.mean)
    better = [c for c in claims.claims if c.method.get("") == study.ours and _of_people(claims, c)]
    if better and study.gain.low <= 0:
        yield Flagged(
            message=f"the ratings do not show that {study.ours} is better: {words}",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR,
            seen=means,
            at=at,
        )
    if better and study.flips and study.gain.mean > 0:
        yield Flagged(
            message=f"without rater {study.flips[0]} the sign of the gain turns ({words})",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR,
            seen=study.quantity("raters who carry the sign alone", len(study.flips)),
            at=at,
        )
    yield from _reported(claims, study, table)
    yield from _agreement(study, at)
    yield from _order(claims.human_evaluation, study, at)
    yield from _holes(study, at)


def _of_people(claims: Claims, claim: Claim) -> bool:
    """Return whether a claim says that people find the method better, as far as it is told."""
    if claim.kind not in _BETTER:
        return False
    metric = claims.metrics.get(claim.metric.get(""))
    if metric is None or claim.kind == "qualitative":
        return True
    return bool(_OF_PEOPLE.search(f"{metric.id} {metric.definition.get('')}".lower()))


def _gain(study: Study) -> str:
    gain = study.gain
    what = f"mean gain of {study.ours} over {study.theirs}"
    if study.form == "preferences":
        what = f"share that prefers {study.ours} less share that prefers {study.theirs}"
    return (
        f"{what} {gain.mean:+.2f} [{gain.low:.2f}, {gain.high:.2f}], {study.raters} raters and "
        f"{study.items} items"
    )


def _reported(claims: Claims, study: Study, table: Table) -> Iterator[Flagged]:
    """Hold the means of the ratings against the rows of a metric that is by its name of people."""
    ids = {study.ours.casefold(): study.ours, study.theirs.casefold(): study.theirs}
    for row in claims.results:
        name = ids.get(row.method.get("").casefold())
        metric = table.metric_of(row)
        if name is None or not _OF_PEOPLE.search(
            f"{metric.id} {metric.definition.get('')}".lower()
        ):
            continue
        leaf = centre_of(row)
        if not leaf.known or row.source.kind.content in {"copied-from-paper", "copied"}:
            continue
        shown = printed(leaf)
        scale = 100 if metric.unit.get("") in {"percent", "%"} else 1
        low, high = float(shown.value - shown.unit), float(shown.value + shown.unit)
        given = [scale * mean for mean in study.means[name]]
        if all(not low < mean < high for mean in given):
            yield Flagged(
                message=f"{metric.id} of {name} is reported as {shown.text}, and the ratings give "
                f"{given[0]:.4g} ({study.raters} raters, {study.items} items)",
                kind=Kind.MISMATCH,
                severity=Severity.MAJOR,
                seen=study.quantity(f"{name}.mean of the ratings", given[0]),
                at=leaf.place,
            )


def _agreement(study: Study, at: Where) -> Iterator[Flagged]:
    if study.alpha is not None and study.alpha < _WEAK:
        poor = study.alpha < _POOR
        yield Flagged(
            message=f"the raters hardly agree: Krippendorff's alpha ({study.scale}) "
            f"{study.alpha:.2f} over {study.raters} raters and {study.items} items",
            kind=Kind.UNSUPPORTED,
            severity=Severity.MINOR if poor else Severity.NOTE,
            seen=study.quantity("Krippendorff's alpha", study.alpha),
            at=at,
        )


def _order(stated: HumanEvaluation, study: Study, at: Where) -> Iterator[Flagged]:
    from repcheck.stats.raters import half_p  # brings scipy, which linting can do without

    first, of = study.first
    if not of or (p := half_p(first, of)) >= _RARE:
        return
    claimed = bool(stated.order_counterbalanced.content)
    heavy = claimed or max(first, of - first) >= _FIXED * of
    yield Flagged(
        message=f"{study.ours} was shown first in {first} of {of} pairs (p = {p:.1g} for half)"
        + (", and the order is said to be counterbalanced" if claimed else ""),
        kind=Kind.MISMATCH if claimed else Kind.UNSUPPORTED,
        severity=Severity.MAJOR if heavy else Severity.MINOR,
        seen=study.quantity(f"share of {study.ours} shown first", first / of),
        at=at,
    )


def _holes(study: Study, at: Where) -> Iterator[Flagged]:
    holes = study.holes
    if holes.missing < _FEW * holes.expected:
        return
    sided = min(holes.only) == 0 and max(holes.only) >= _FEW * holes.expected
    where = holes.p is not None and holes.p < _RARE
    chance = (
        ""
        if holes.p is None
        else f"; p = {holes.p:.2g} that by chance they are on items of so low a gain"
    )
    which = ""
    if sided:
        lost = study.theirs if holes.only[0] else study.ours
        which = f", {max(holes.only)} of them of {lost} alone"
    yield Flagged(
        message=f"{holes.missing} of {holes.expected} pairs of rater and item are missing{which}"
        f"{chance}",
        kind=Kind.OMISSION,
        severity=Severity.MAJOR if sided or where else Severity.MINOR,
        seen=study.quantity("missing pairs of rater and item", holes.missing),
        at=at,
    )


def _asked(study: Study) -> Undetermined:
    first, of = study.first
    order = f"{study.ours} first in {first} of {of}, " if of else ""
    agreed = "not defined" if study.alpha is None else f"{study.alpha:.2f}"
    fewest, most = study.per_rater
    return Undetermined(
        message=f"{_gain(study)}; Krippendorff's alpha ({study.scale}) {agreed}; {order}{fewest} "
        f"to {most} items a rater, {study.holes.missing} of {study.holes.expected} pairs missing: "
        "what the raters were told and could see, a person has to say",
        reason=Reason.NEEDS_HUMAN,
        would_decide="who were the raters, could they recognise the method, who chose the items?",
        seen=study.quantity(f"gain of {study.ours}, {study.judged} pairs", study.gain.mean),
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
