"""The reported seeds were chosen by their results, or are too few to tell the gain from noise.

## What it catches
"Best of 20 seeds" reported as the result; more seeds tried than reported; a gain that is smaller
than what the reported spread lets two equal methods differ by.

## When it is legitimate
Seeds fixed beforehand, all of them reported, as mean and standard deviation. Best-of-k is fine
when it is called that and the baseline gets the same k.

## How it is decided
From the authors' words: `seeds.chosen: {best_of: k}` with more runs to choose from than the
baseline's, or `seeds.tried` above the number reported, is minor. A gain below 2 x sqrt(s1^2/n1 +
s2^2/n2) is minor ("within declared seed noise"); a spread of unstated kind is taken as a standard
deviation. One seed is a note. Two sides of the seeds that differ are a minor mismatch of this rule.

From reruns: where the declared seeds (up to five) give the reported mean again, they are held
against five or more fresh ones by a one-sided exact permutation test. p of at most 0.05, by Holm
over all tests of the paper (those of RC205b too), is major: "the published seeds are favourable";
for a baseline, unfavourable; a note where half a unit of the last printed digit is more than that.
Cleared is a test that finds the best of 20 seeds in 40 % of papers at least, else it is
undetermined with the fresh seeds that would decide. A number above what 95 % of such means would be
is a note, whatever its size. One run, or few where many rows share the 0.05, cannot be tested alone
(RC205b); a number that its declared seeds do not give again is no matter of seeds, and
undetermined.

## How to fix
Report at least five seeds fixed beforehand, with mean and standard deviation, for both methods.

## Source
Trick 2.5 of the hzwer list: pick the random seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claim, Method, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.fresh import ENOUGH, Again, Standing, best_of
from repcheck.facts.spread import claimed_gain, count, variance_of_mean
from repcheck.facts.standings import POWER, Favour, Ranked, Side, Standings, rows_of
from repcheck.facts.table import Table
from repcheck.finding import contribution, mismatches
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

Rows = Mapping[Side, Result]
SINGLE = 19
"""With so many fresh seeds one run alone can have p = 0.05."""
LEAN: Mapping[Side, float] = {"method": 1.0, "baseline": -1.0}
KEYS = ("seeds.train", "seeds.tried", "seeds.chosen.how", "seeds.chosen.best_of")


@rule("RC205", Severity.MAJOR)
def check(
    comparison: Comparison, table: Table, standings: Standings, *, noise: float = 2.0
) -> Answer:
    if unequal := mismatches(comparison, keys=KEYS):
        return [replace(flagged, severity=Severity.MINOR) for flagged in unequal]
    if exempt := contribution(comparison, "seeds"):
        return exempt
    pairs = [(claim, rows_of(comparison, claim, table)) for claim in comparison.claims]
    found: list[Outcome] = [*_chosen(comparison), *_tried(comparison, table)]
    found += [
        item for claim, rows in pairs for item in _noise(comparison, claim, rows, table, noise)
    ]
    found += _single(comparison, pairs)
    rerun = _rerun(pairs, standings)
    answers = [answer for answers in rerun.values() for answer in answers]
    found += [answer for answer in answers if not isinstance(answer, Cleared)]
    cleared = [answer for answer in answers if isinstance(answer, Cleared)]
    sides = {side for side, _ in rerun}
    if len(cleared) == len(rerun) and sides == {"method", "baseline"} and _all_notes(found):
        return [*found, _together(cleared)]
    if len(sides) == 1:
        found.append(_unseen(comparison.baseline if "method" in sides else comparison.method))
    return found or _unfound(comparison, pairs)


def _unseen(method: Method) -> Undetermined:
    return Undetermined(
        message=f"`{method.id}` has no number that {ENOUGH} fresh seeds could judge, and the other "
        "side has one",
        reason=Reason.NOT_OBSERVED,
        would_decide=f"{ENOUGH} fresh seeds of a mean or a single run of `{method.id}`",
    )


def _all_notes(found: Sequence[Outcome]) -> bool:
    return all(isinstance(one, Flagged) and one.severity is Severity.NOTE for one in found)


def _rerun(
    pairs: Sequence[tuple[Claim, Rows]], standings: Standings
) -> dict[tuple[Side, int], list[Outcome]]:
    """Return what reruns say of each row that fresh seeds can judge, each row once."""
    rows = {(side, id(row)): row for _, found in pairs for side, row in found.items()}
    return {
        (side, key): _answers(side, row, one, standings)
        for (side, key), row in rows.items()
        if (one := standings.of(side, row)) is not None
    }


def _answers(side: Side, row: Result, one: Standing, standings: Standings) -> list[Outcome]:
    """Return what the test of a row says; a bound alone is a note beside it."""
    if one.again is Again.NO:
        return [_not_of_these_seeds(side, one)]
    favour = standings.favour(side, row)
    if favour is not None and favour.found:
        return [_favourable(side, row, favour)]
    beyond = LEAN[side] * one.excess
    notes: list[Outcome] = [_beyond(side, row, one)] if beyond > one.likely else []
    if one.again is Again.UNKNOWN:
        return [*notes, _unknown(one)]
    if favour is not None and favour.apart:
        return [*notes, _of_seeds(side, favour)]
    return [*notes, _with_others(side, one, favour, standings.ranked)]


def _favourable(side: Side, row: Result, favour: Favour) -> Flagged:
    one = favour.standing
    lean, reach = (
        ("favourable", f"fresh seeds do not reach {one.reported} on average")
        if side == "method"
        else ("unfavourable to the baseline", "fresh seeds do better on average")
    )
    return Flagged(
        message=f"{one.said()}: the published seeds are {lean}, {favour.said}; {reach} from the "
        f"released configuration{_as_best(side, one)}; {one.innocent(LEAN[side])}"
        + ("" if one.shows else "; the printed digits do not show the difference"),
        kind=Kind.UNSUPPORTED,
        severity=Severity.MAJOR if one.shows else Severity.NOTE,
        seen=(*one.quantities(), Quantity(name="p", value=favour.p, level=Level.RERUN)),
        at=row.centre.place,
    )


def _as_best(side: Side, one: Standing) -> str:
    p = one.p_of_best(LEAN[side])
    if p is None or p > 0.05:
        return ""
    best = "best" if side == "method" else "worst"
    return f"; mean and spread are together as those of the {best} of more seeds (p = {p:.2g})"


def _beyond(side: Side, row: Result, one: Standing) -> Flagged:
    which = "better" if side == "method" else "worse"
    reached = (
        "fresh seeds do not reach it"
        if one.again is Again.YES
        else "it is not reachable from the released configuration as run"
    )
    factor = one.factor_of_best(LEAN[side])
    largest = (
        f"; it looks more like the {'best' if side == 'method' else 'worst'} of {one.n} seeds than "
        f"like their mean (Bayes factor {factor:.3g})"
        if factor is not None and factor > 3
        else ""
    )
    return Flagged(
        message=f"{one.said()}: {which} than 95 % of such means would be "
        f"({one.likely:.2g} from the fresh mean); {reached}{largest}; {one.innocent(LEAN[side])}",
        kind=Kind.UNSUPPORTED,
        severity=Severity.NOTE,
        seen=one.quantities(),
        at=row.centre.place,
    )


def _not_of_these_seeds(side: Side, one: Standing) -> Undetermined:
    return Undetermined(
        message=f"{one.said()}: the declared seeds do not give the reported number again, so it is "
        f"no matter of chosen seeds; {one.innocent(LEAN[side])}",
        reason=Reason.CONFLICTING_EVIDENCE,
        would_decide=f"a released configuration whose declared seeds give {one.reported}",
        seen=one.quantities(),
    )


def _unknown(one: Standing) -> Undetermined:
    return Undetermined(
        message=f"{one.said()}: whether the published seeds are favourable cannot be tested",
        reason=one.reason,
        would_decide=one.gap,
        seen=one.quantities(),
    )


def _of_seeds(side: Side, favour: Favour) -> Cleared | Undetermined:
    one = favour.standing
    lean = "favourable" if side == "method" else "unfavourable"
    best = "best" if side == "method" else "worst"
    seen = f"the {best} {len(one.declared)} of 20 seeds in {favour.power:.0%} of papers"
    if favour.power >= POWER:
        return Cleared(
            message=f"{one.said()}: the published seeds are not shown to be {lean}, {favour.said}",
            seen=one.quantities(),
            limit=f"would have seen {seen}",
        )
    weak = f"{one.said()}: {favour.said}, and the test sees {seen} only"
    return _too_few(one, weak, favour.needed)


def _with_others(
    side: Side, one: Standing, favour: Favour | None, ranked: Ranked | None
) -> Cleared | Undetermined:
    """Return that a number with too few seeds is judged with the paper's others, or not at all."""
    if ranked is None or side == "baseline" or one not in ranked.standings:
        if favour is not None:
            return _of_seeds(side, favour)
        m = len(one.fresh)
        alone = f"{one.said()}: one run among {m} fresh ones has a p of 1/{m + 1} at the least"
        return _too_few(one, alone, f"{SINGLE} fresh seeds")
    together = f"{one.said()}: {ranked.said}"
    if ranked.found:
        alone = f"{one.said()}: alone it has too few seeds to be tested"
        return _too_few(one, alone, "RC205b, which judges all such numbers together")
    if ranked.power < POWER:
        return _too_few(one, f"{together}; the test sees {ranked.seen} only", ranked.needed)
    return Cleared(message=together, seen=one.quantities(), limit=f"would have seen {ranked.seen}")


def _too_few(one: Standing, message: str, needed: str) -> Undetermined:
    return Undetermined(
        message=message,
        reason=Reason.UNDERPOWERED,
        would_decide=needed,
        seen=one.quantities(),
    )


def _together(cleared: Sequence[Cleared]) -> Cleared:
    seen = tuple(q for one in cleared for q in (one.seen if isinstance(one.seen, tuple) else ()))
    return Cleared(
        message="; ".join(one.message for one in cleared),
        seen=seen,
        limit="; ".join(dict.fromkeys(one.limit for one in cleared)),
    )


def _all_of(method: Method, table: Table) -> Iterator[Result]:
    return (row for row in table.claims.results if row.method.get("") == method.id)


def _chosen(comparison: Comparison) -> Iterator[Flagged]:
    ours = comparison.method.seeds
    mine, other = best_of(comparison.method), best_of(comparison.baseline)
    if not mine > 1 or (other >= mine):
        return
    leaf = ours.chosen.best_of if ours.chosen.best_of.known else ours.chosen.how
    of = f"{mine:.0f} runs" if math.isfinite(mine) else "an unstated number of runs"
    beside = "" if math.isnan(other) else f", those of `{comparison.baseline.id}` are not"
    yield Flagged(
        message=f"the reported seeds of `{comparison.method.id}` are the best of {of}{beside}",
        kind=Kind.UNSUPPORTED if math.isnan(other) else Kind.ASYMMETRY,
        severity=Severity.MINOR,
        seen=Quantity(name=f"{comparison.method.id}.best_of", value=str(leaf)),
        at=leaf.place,
    )


def _tried(comparison: Comparison, table: Table) -> Iterator[Flagged]:
    method = comparison.method
    tried = method.seeds.tried
    if not tried.known or best_of(method) > 1:
        return
    reported = max((n for r in _all_of(method, table) if (n := count(r)) is not None), default=0)
    reported = max(reported, len(method.seeds.train.get(())))
    if reported and tried.value > reported:
        yield Flagged(
            message=f"{tried.value} seeds were tried for `{method.id}` and {reported} are reported",
            kind=Kind.MISMATCH,
            severity=Severity.MINOR,
            seen=(
                Quantity.declared(f"{method.id}.seeds.tried", tried),
                Quantity(name=f"{method.id}.n", value=reported),
            ),
            at=tried.place,
        )


def _noise(
    comparison: Comparison, claim: Claim, rows: Rows, table: Table, factor: float
) -> Iterator[Flagged]:
    mine, other = rows.get("method"), rows.get("baseline")
    if claim.kind != "improvement" or mine is None or other is None:
        return
    gain = claimed_gain(claim, table.metric_of(mine), mine, other)
    parts = (variance_of_mean(mine), variance_of_mean(other))
    if gain is None or parts[0] is None or parts[1] is None:
        return
    bound = factor * math.sqrt(parts[0] + parts[1])
    if gain <= 0 or gain >= bound:
        return
    yield Flagged(
        message=f"the gain of {gain:.4g} over `{comparison.baseline.id}` is within declared seed "
        f"noise: {factor:g} standard errors of the difference are {bound:.2g}",
        kind=Kind.UNSUPPORTED,
        severity=Severity.MINOR,
        seen=(
            Quantity(name="gain", value=gain, source=str(claim.place)),
            Quantity(name="noise", value=bound, source=str(mine.std.place)),
        ),
        at=claim.improvement.place if claim.improvement.known else claim.place,
    )


def _single(comparison: Comparison, pairs: Sequence[tuple[Claim, Rows]]) -> list[Flagged]:
    sides: dict[Side, Method] = {"method": comparison.method, "baseline": comparison.baseline}
    alone = {
        sides[side].id: row
        for _, rows in pairs
        for side, row in rows.items()
        if row.centre.known and count(row) == 1
    }
    if not alone:
        return []
    first = next(iter(alone.values()))
    return [
        Flagged(
            message=f"single seed: {' and '.join(f'`{name}`' for name in alone)} "
            f"{'rests' if len(alone) == 1 else 'rest'} on one run",
            kind=Kind.UNSUPPORTED,
            severity=Severity.NOTE,
            seen=tuple(
                Quantity(name=f"{name}.n", value=1, source=str(row.place))
                for name, row in alone.items()
            ),
            at=first.n.place if first.n.known else first.place,
        )
    ]


def _unfound(
    comparison: Comparison, pairs: Sequence[tuple[Claim, Rows]]
) -> Cleared | NotApplicable:
    seeds = comparison.method.seeds
    if seeds.chosen.undeclared and seeds.chosen.how.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{seeds.chosen.place.path}`")
    counts = {
        f"{row.method.get('')}.n": n
        for _, rows in pairs
        for row in rows.values()
        if (n := count(row)) is not None
    }
    seen = tuple(Quantity(name=name, value=n) for name, n in counts.items())
    chosen = Quantity(name=f"{comparison.method.id}.seeds.chosen", value=str(seeds.chosen.how))
    return Cleared(
        message="the seeds were not chosen by result", seen=(chosen, *seen), limit="stated words"
    )
