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
deviation. One seed is a note. From five or more fresh seeds: a reported number of the method above
what 99 % of such means would be (or one of the baseline below), which the declared seeds give
again, is major; above what 95 % would be, a note; a number that the declared seeds do not give
again is no matter of seeds. Two sides of the seeds that differ are a minor mismatch of this rule.

## How to fix
Report at least five seeds fixed beforehand, with mean and standard deviation, for both methods.

## Source
Trick 2.5 of the hzwer list: pick the random seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claim, Method, Result, Seeds
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.fresh import FreshSeeds, Standing
from repcheck.facts.spread import claimed_gain, count, variance_of_mean
from repcheck.facts.table import Table
from repcheck.finding import contribution, mismatches
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Severity, rule

Rows = Mapping[str, Result]
KEYS = ("seeds.train", "seeds.tried", "seeds.chosen.how", "seeds.chosen.best_of")


@rule("RC205", Severity.MAJOR)
def check(comparison: Comparison, table: Table, seeds: FreshSeeds, *, noise: float = 2.0) -> Answer:
    if unequal := mismatches(comparison, keys=KEYS):
        return [replace(flagged, severity=Severity.MINOR) for flagged in unequal]
    if exempt := contribution(comparison, "seeds"):
        return exempt
    pairs = [(claim, _rows(comparison, claim, table)) for claim in comparison.claims]
    found = [*_chosen(comparison), *_tried(comparison, table)]
    found += [
        item for claim, rows in pairs for item in _noise(comparison, claim, rows, table, noise)
    ]
    found += _single(comparison, pairs)
    standings = list(_standings(comparison, pairs, table, seeds))
    favoured = [item for side, row, one in standings for item in _picked(side, row, one)]
    found += favoured
    sides = {side for side, _, _ in standings}
    settled = all(item.severity is Severity.NOTE for item in found) and not favoured
    if settled and sides == {"method", "baseline"}:
        return [*found, _among_fresh([standing for _, _, standing in standings])]
    return found or _unfound(comparison, pairs)


def _standings(
    comparison: Comparison, pairs: list[tuple[Claim, Rows]], table: Table, seeds: FreshSeeds
) -> Iterator[tuple[str, Result, Standing]]:
    """Find where the reported numbers stand among fresh seeds, each row once."""
    rows = {id(row): (side, row) for _, found in pairs for side, row in found.items()}
    for side, row in rows.values():
        method = comparison.method if side == "method" else comparison.baseline
        metric = table.metric_of(row)
        if (found := seeds.standing(method, comparison.dataset, metric, row)) is not None:
            yield side, row, found


def _picked(side: str, row: Result, standing: Standing) -> Iterator[Flagged]:
    favour = standing.excess if side == "method" else -standing.excess
    if favour <= standing.likely:
        return
    picked = favour > standing.rare and standing.reproduced
    share = standing.below if side == "method" else 1 - standing.below
    words = "above" if standing.excess > 0 else "below"
    again = ", which its declared seeds give again," if standing.reproduced else ""
    yield Flagged(
        message=f"{standing.said()}: the reported number{again} is {words} {share:.0%} of them, "
        f"{abs(standing.excess):.2g} from their mean, where chance allows {standing.likely:.2g}",
        kind=Kind.UNSUPPORTED,
        severity=Severity.MAJOR if picked else Severity.NOTE,
        seen=standing.quantity(),
        at=row.centre.place,
    )


def _among_fresh(standings: list[Standing]) -> Cleared:
    return Cleared(
        message="; ".join(standing.said() for standing in standings),
        seen=tuple(standing.quantity() for standing in standings),
        limit="; ".join(f"`{one.method}`: {one.rare:.2g} from the fresh mean" for one in standings),
    )


def _rows(comparison: Comparison, claim: Claim, table: Table) -> Rows:
    """Return the rows (`method`, `baseline`) that a claim rests on, where there is one of each."""
    names = list(table.claims.metrics)
    metric = claim.metric.get(names[0] if len(names) == 1 else "")
    sides = (("method", comparison.method), ("baseline", comparison.baseline))
    found = {side: table.rows(m.id, comparison.dataset, metric) for side, m in sides}
    return {side: rows[0] for side, rows in found.items() if len(rows) == 1}


def _all_of(method: Method, table: Table) -> Iterator[Result]:
    return (row for row in table.claims.results if row.method.get("") == method.id)


def _best_of(seeds: Seeds) -> float:
    """Return how many runs the reported ones were chosen from, 1 if all; nothing says: nan."""
    chosen = seeds.chosen
    if chosen.best_of.known:
        return float(chosen.best_of.value)
    if chosen.how.known:
        return math.inf if chosen.how.value == "best-of" else 1.0
    return math.nan


def _chosen(comparison: Comparison) -> Iterator[Flagged]:
    ours, theirs = comparison.method.seeds, comparison.baseline.seeds
    mine, other = _best_of(ours), _best_of(theirs)
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
    if not tried.known or _best_of(method.seeds) > 1:
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


def _single(comparison: Comparison, pairs: list[tuple[Claim, Rows]]) -> list[Flagged]:
    sides: dict[str, Method] = {"method": comparison.method, "baseline": comparison.baseline}
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


def _unfound(comparison: Comparison, pairs: list[tuple[Claim, Rows]]) -> Cleared | NotApplicable:
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
