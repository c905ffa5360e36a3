"""Whether the published seeds of a paper are favourable: all rows that can be tested, at once.

Two tests find something, and all of them share one error rate: the published seeds of a row beside
fresh ones, by exact permutation, and those numbers of the proposed methods together that have too
few seeds to be tested apart (single runs above all), by their ranks among their reruns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb, prod
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from repcheck.claims.comparison import Comparison, comparisons, dataset_of
from repcheck.claims.model import Claim, Claims, Method, Result
from repcheck.fact import Evidence, Fact
from repcheck.facts.fresh import Again, FreshSeeds, Standing
from repcheck.facts.seed_tests import power_alone, power_together, shared
from repcheck.facts.spread import count
from repcheck.facts.table import Table

if TYPE_CHECKING:  # linting tests nothing and needs no numpy
    from repcheck.stats.chosen import AgainstFresh, BestOf, Rank

ALPHA = 0.05
POWER = 0.4
"""A test that finds the best of 20 seeds more rarely than this clears nothing."""
FRESH_TO_TRY = (6, 7, 8, 10, 12, 15, 20)
MOST_RANKED = 60
_EVEN = 1 + 1e-9
"""A corrected p that equals alpha may come out a rounding above it."""

Side = Literal["method", "baseline"]
Key = tuple[Side, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Favour:
    """The published seeds of one row beside fresh ones: p that chance alone favours them so.

    For a baseline "favoured" means worse than its fresh seeds. `alone` is this row's p, `p` that
    corrected over the `family` of tests (Holm 1979), 1 where its seeds are too few to be tested
    `apart`.
    """

    standing: Standing
    alone: float
    p: float
    family: int
    apart: bool = True

    @property
    def found(self) -> bool:
        """Whether the published seeds are favourable beyond chance."""
        return self.p <= ALPHA * _EVEN

    @property
    def power(self) -> float:
        """How often the test finds the best of 20 seeds, whatever else is tested."""
        one = self.standing
        return power_alone(len(one.declared), len(one.fresh), self.family, ALPHA)

    @property
    def said(self) -> str:
        """The test in words."""
        one = self.standing
        over = f", {self.p:.2g} by Holm over {self.family} tests" if self.family > 1 else ""
        return (
            f"p = {self.alone:.2g}{over} (one-sided exact permutation of {len(one.declared)} + "
            f"{len(one.fresh)} runs)"
        )

    @property
    def needed(self) -> str:
        """How many fresh seeds would decide, in words."""
        published, fresh = len(self.standing.declared), len(self.standing.fresh)
        more = (m for m in FRESH_TO_TRY if m > fresh)
        enough = next(
            (m for m in more if power_alone(published, m, self.family, ALPHA) >= POWER), None
        )
        return f"{enough} fresh seeds" if enough else f"more than {FRESH_TO_TRY[-1]} fresh seeds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """The numbers of the proposed methods that cannot be tested apart, one a dataset, together.

    `alone` is p that each is an ordinary one, `p` that corrected over the `family` of tests, and
    `p_again` that over those numbers alone which their own seeds give again (1 without any).
    `p_shared` is that of their mean, which holds where one seed does well on all datasets.
    """

    standings: tuple[Standing, ...]
    said: str
    alone: float
    p: float
    p_again: float
    p_shared: float
    family: int

    @property
    def found(self) -> bool:
        """Whether the numbers stand above their reruns beyond chance."""
        return self.above and self.p_shared <= ALPHA * _EVEN

    @property
    def above(self) -> bool:
        """Whether they do if the luck of a seed on one dataset is none on another."""
        return self.p <= ALPHA * _EVEN

    @property
    def found_again(self) -> bool:
        """Whether those that their own seeds give again do so by themselves."""
        return self.found and self.p_again <= ALPHA * _EVEN

    @property
    def power(self) -> float:
        """How often the test finds numbers of the best of 20 seeds each."""
        return power_together(tuple(map(_arm, self.standings)), self.family, ALPHA)

    @property
    def seen(self) -> str:
        """What the test finds and how often, in words."""
        many = f" on {len(self.standings)} datasets" if len(self.standings) > 1 else ""
        return f"numbers of the best of 20 seeds{many} in {self.power:.0%} of papers"

    @property
    def needed(self) -> str:
        """How many fresh seeds would decide, in words; for single runs how many numbers too."""
        arms = [_arm(one) for one in self.standings]
        least = min(m for _, m in arms)
        singles = all(k == 1 for k, _ in arms)
        more = range(least, MOST_RANKED) if singles else [m for m in FRESH_TO_TRY if m > least]
        enough = (
            m
            for m in more
            if power_together(tuple((k, m) for k, _ in arms), self.family, ALPHA) >= POWER
        )
        seeds = next((f"{m} fresh seeds" for m in enough), f"more than {FRESH_TO_TRY[-1]}")
        if not singles:
            return seeds
        numbers = len(arms)
        while (
            numbers < MOST_RANKED
            and power_together(((1, least),) * numbers, self.family, ALPHA) < POWER
        ):
            numbers += 1
        return (
            f"{seeds} of each number, or such numbers on {numbers} datasets with {least} fresh "
            "seeds each"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings(Fact):
    """Every row that a comparison rests on and that fresh seeds can judge, with its test if any."""

    label: ClassVar[str] = "reported numbers beside fresh seeds"
    rerun: bool
    of_rows: Mapping[Key, Standing] = field(default_factory=dict, repr=False)
    favours: Mapping[Key, Favour] = field(default_factory=dict, repr=False)
    ranked: Ranked | None = None

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Test all rows of the paper at once."""
        table, seeds = evidence.get(Table), evidence.get(FreshSeeds)
        if not seeds.runs:
            return cls(rerun=False)
        found: dict[Key, Standing] = {}
        for comparison in comparisons(evidence.claims):
            for claim in comparison.claims:
                for side, row in rows_of(comparison, claim, table).items():
                    method = comparison.method if side == "method" else comparison.baseline
                    metric = table.metric_of(row)
                    one = seeds.standing(method, comparison.dataset, metric, row)
                    if one is not None:
                        found[side, id(row)] = one
        favours, ranked = assessed(found, list(_singles(evidence.claims, table, seeds)))
        return cls(rerun=True, of_rows=found, favours=favours, ranked=ranked)

    def of(self, side: Side, row: Result) -> Standing | None:
        """Return where a row stands among fresh seeds, if they can say."""
        return self.of_rows.get((side, id(row)))

    def favour(self, side: Side, row: Result) -> Favour | None:
        """Return the test of a row's published seeds, if they give its number again."""
        return self.favours.get((side, id(row)))


def rows_of(comparison: Comparison, claim: Claim, table: Table) -> dict[Side, Result]:
    """Return the rows (`method`, `baseline`) that a claim rests on, where there is one of each."""
    names = list(table.claims.metrics)
    metric = claim.metric.get(names[0] if len(names) == 1 else "")
    sides: tuple[tuple[Side, Method], ...] = (
        ("method", comparison.method),
        ("baseline", comparison.baseline),
    )
    found = {side: table.rows(m.id, comparison.dataset, metric) for side, m in sides}
    return {side: rows[0] for side, rows in found.items() if len(rows) == 1}


def _singles(claims: Claims, table: Table, seeds: FreshSeeds) -> Iterator[Standing]:
    """Yield the single-run numbers of proposed methods that may be ranked, one a dataset.

    Numbers on one dataset do not count as several: a seed that draws its split favours all of them.
    A number that its own seed does not give again is no matter of seeds.
    """
    baselines = {name for claim in claims.claims for name in claim.baselines.get(())}
    taken: set[str] = set()
    for name, dataset, metric in dict.fromkeys(_claimed(claims, table)):
        method, rows = claims.methods[name], table.rows(name, dataset, metric)
        if name in baselines or dataset in taken or len(rows) != 1 or count(rows[0]) != 1:
            continue
        one = seeds.standing(method, dataset, table.metric_of(rows[0]), rows[0])
        if one is not None and one.again is not Again.NO:
            taken.add(dataset)
            yield one


def _claimed(claims: Claims, table: Table) -> Iterator[tuple[str, str, str]]:
    """Yield what the claims speak of, then every other number of the same methods."""
    methods: set[str] = set()
    for claim in claims.claims:
        method = claims.methods.get(claim.method.get(""))
        if method is not None:
            methods.add(method.id)
            names = list(claims.metrics)
            metric = claim.metric.get(names[0] if len(names) == 1 else "")
            yield method.id, dataset_of(claims, claim, method), metric
    yield from (key for key in table.index if key[0] in methods)


def assessed(
    standings: Mapping[Key, Standing], singles: Sequence[Standing]
) -> tuple[dict[Key, Favour], Ranked | None]:
    """Test each row apart and weak ones together, with all p values corrected as one family.

    `standings` are the rows of a paper by side and any key, `singles` its single-run numbers of
    proposed methods, one a dataset.
    """
    able = {
        key: one
        for key, one in standings.items()
        if one.again is Again.YES and one.n > 1 and len(one.declared) > 1
    }
    if not able and not singles:
        return {}, None
    from repcheck.stats.attribution import holm

    apart, together, able_together = _split(able, singles)
    ps = {key: _against(key[0], one).p for key, one in able.items()}
    over, again = _over(together), _over([one for one in together if one.again is Again.YES])
    tested = [ps[key] for key in apart] + ([over.p] if over and able_together else [])
    corrected = holm(tested)
    by_row = dict(zip(apart, corrected, strict=False))
    size, every = len(tested), len(able) + bool(singles)
    favours = {
        key: Favour(standing=one, alone=ps[key], p=by_row.get(key, 1.0), apart=key in by_row,
                    family=size if key in by_row else every)
        for key, one in able.items()
    }  # fmt: skip
    if over is None:
        return favours, None
    size = size if able_together else every
    return favours, Ranked(
        standings=tuple(together),
        said=_together_said(together, over),
        alone=over.p,
        p=corrected[-1] if able_together else 1.0,
        p_again=min(1.0, again.p * size) if again else 1.0,
        p_shared=min(1.0, shared(together) * size),
        family=size,
    )


def _split(
    able: Mapping[Key, Standing], singles: Sequence[Standing]
) -> tuple[list[Key], list[Standing], bool]:
    """Return the rows tested apart, the numbers tested together, and whether those can reject.

    It depends on numbers of seeds alone, on no result, and so costs no error.
    """
    least = [1 / _sets(one) for one in able.values()]
    weak = family(least)
    if singles or any(weak):
        *weak, _ = family([*least, 0.0])  # one test of all that is weak takes its share
        together = _pooled(able, weak, singles)
        size = weak.count(False) + 1
        smallest = prod(1 / _sets(one) for one in together)
        if together and smallest * size <= ALPHA * _EVEN:
            return [key for key, out in zip(able, weak, strict=True) if not out], together, True
        weak = family(least)
    apart = [key for key, out in zip(able, weak, strict=True) if not out]
    return apart, _pooled(able, weak, singles), False


def _pooled(
    able: Mapping[Key, Standing], weak: Sequence[bool], singles: Sequence[Standing]
) -> list[Standing]:
    """Return the numbers of proposed methods that only together can reject, one a dataset."""
    found = list(singles)
    for (side, _), one, out in zip(able, able.values(), weak, strict=True):
        if out and side == "method" and one.dataset not in {other.dataset for other in found}:
            found.append(one)
    return found


def _over(together: Sequence[Standing]) -> BestOf | None:
    from repcheck.stats.chosen import best_of

    return best_of([_rank(one) for one in together]) if together else None


def _together_said(together: Sequence[Standing], over: BestOf) -> str:
    if all(one.n == 1 for one in together):
        return over.in_words
    numbers = f"{len(together)} reported number{'s' if len(together) > 1 else ''}"
    return (
        f"over {numbers} published seeds stand as high among their reruns by chance in "
        f"p = {over.p:.2g} (ranks among all choices of as many seeds, exact)"
    )


def family(smallest: Sequence[float], alpha: float = ALPHA) -> list[bool]:
    """Return which tests are set aside, given the smallest p of each.

    A test whose smallest p is above its share of alpha never rejects, and set aside it costs the
    others nothing (Tarone 1990).
    """
    for size in range(1, len(smallest) + 2):
        weak = [p * size > alpha * _EVEN for p in smallest]
        if weak.count(False) <= size:
            return weak
    raise AssertionError("a family larger than all tests sets all of them aside or none")


def _arm(one: Standing) -> tuple[int, int]:
    return (1 if one.n == 1 else len(one.declared)), len(one.fresh)


def _sets(one: Standing) -> int:
    """Return how many choices of as many seeds as published there are."""
    published, fresh = _arm(one)
    return comb(published + fresh, published)


def _against(side: Side, one: Standing) -> AgainstFresh:
    import numpy as np

    from repcheck.stats.chosen import against_fresh

    sign = one.sign if side == "method" else -one.sign
    published, fresh = ([sign * v for v in values] for values in (one.declared, one.fresh))
    return against_fresh(published, fresh, random=np.random.default_rng(0))


def _rank(one: Standing) -> Rank:
    """Return the rank of a method's number: of one run by its printed digits."""
    if one.n > 1:
        return _against("method", one).rank
    from repcheck.stats.chosen import rank_of
    from repcheck.units import decimals

    digits = decimals(one.reported)
    return rank_of(one.sign * one.value, [one.sign * round(v, digits) for v in one.fresh])
