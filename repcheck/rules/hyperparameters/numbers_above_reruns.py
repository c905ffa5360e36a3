"""The numbers of the method together stand above their own reruns, as the best of several would.

## What it catches
One run a dataset, or few, and on dataset after dataset the reported number is better than nearly
all runs of the same configuration with other seeds.

## When it is legitimate
A number that its own seed does not give again is no matter of seeds and is not counted. Other
hardware or libraries, a checkpoint selected on the test set, a longer training or tuning that is
not stated put numbers above their reruns too: a finding says that they are not reached from the
released configuration by seeds that nobody chose, and not why.

## How it is decided
From five or more fresh seeds of each number of the proposed methods that RC205 cannot test apart:
those of a single run, and means whose seeds are too few where many rows share one error rate. One
number a dataset counts (numbers on one dataset are not independent): j reruns lie above it, or j
choices of as many seeds. Under "an ordinary run" j is uniform on 0 .. m; the statistic sums
log P(j | best of 5) / P(j | one run) over the numbers and has an exact p. One seed may do well on
all datasets at once, so the mean over them must also lie above that of each fresh seed (prediction
t, which holds for normal seeds whatever the luck they share). Both p of at most 0.05, by Holm over
all tests of the paper (those of RC205 too), are major where the numbers that their own seeds give
again reach it by themselves, and else a note: where seeds are not stated or were not rerun, another
machine or a longer training may have lifted all numbers.
Cleared is a test that finds the best of 20 seeds in 40 % of papers at least; one number of one run
takes 19 fresh seeds, and else it is undetermined with the seeds or numbers that would decide.

## How to fix
Report the mean and standard deviation over at least five seeds fixed beforehand, and name them.

## Source
Trick 2.5 of the hzwer list: pick the random seed.
"""

from __future__ import annotations

from repcheck.claims.model import Claims
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.spread import count
from repcheck.facts.standings import POWER, Ranked, Standings
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Severity,
    Undetermined,
    rule,
)


@rule("RC205b", Severity.MAJOR)
def check(claims: Claims, standings: Standings) -> Answer:
    ranked = standings.ranked
    if ranked is None:
        return _none(claims, standings)
    seen = (
        *(one.quantities()[0] for one in ranked.standings),
        Quantity(name="p", value=ranked.p, level=Level.RERUN, source="ranks among fresh seeds"),
    )
    holm = f", {ranked.p:.2g} by Holm over {ranked.family} tests" if ranked.family > 1 else ""
    words = f"{_named(ranked)}: {ranked.said}{holm}"
    if ranked.found:
        return _above(ranked, words, seen)
    if ranked.above:
        return Undetermined(
            message=f"{words}; one seed that does well on all of these datasets at once would do "
            f"so too (p = {ranked.p_shared:.2g} for their mean)",
            reason=Reason.UNDERPOWERED,
            would_decide=ranked.needed,
            seen=seen,
        )
    if ranked.power >= POWER:
        return Cleared(message=words, seen=seen, limit=f"would have seen {ranked.seen}")
    return Undetermined(
        message=f"{words}; the test sees {ranked.seen} only",
        reason=Reason.UNDERPOWERED,
        would_decide=ranked.needed,
        seen=seen,
    )


def _above(ranked: Ranked, words: str, seen: tuple[Quantity, ...]) -> Flagged:
    again = ranked.found_again
    seeds = "give them again" if again else "are not stated, not rerun, or not enough by themselves"
    innocent = max((one.innocent() for one in ranked.standings), key=len)
    return Flagged(
        message=f"{words}; seeds that nobody chose rarely reach them from the released "
        f"configuration, and their own seeds {seeds}; {innocent}",
        kind=Kind.UNSUPPORTED,
        severity=Severity.MAJOR if again else Severity.NOTE,
        seen=seen,
        at=ranked.standings[0].place,
    )


def _named(ranked: Ranked) -> str:
    shown = [
        f"{', '.join(filter(None, (one.method, one.dataset, one.metric)))} {one.reported}"
        for one in ranked.standings
    ]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return f"{'; '.join(shown[:3])}{more}"


def _none(claims: Claims, standings: Standings) -> NotApplicable:
    proposed = {claim.method.get("") for claim in claims.claims}
    proposed -= {name for claim in claims.claims for name in claim.baselines.get(())}
    rows = [row for row in claims.results if row.method.get("") in proposed and count(row) == 1]
    if not rows:
        return NotApplicable(
            message="no number of a proposed method rests on too few seeds for RC205"
        )
    if not standings.rerun:
        raise Missing(Reason.NOT_OBSERVED, "rerun it with `repcheck check`")
    raise Missing(
        Reason.NOT_OBSERVED, "5 fresh seeds of a single-run number that its own seed gives again"
    )
