"""What the raw ratings of a study with people show, recomputed from the artifact's own file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.model import Claims
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.ratings import Rating, Table, read
from repcheck.tabular import Unreadable

if TYPE_CHECKING:  # brings numpy and scipy, which linting can do without
    from repcheck.stats.raters import Gained

SEED = 20_260_101
CROSSED = 0.6
"""Below this share of all raters x items a study gave each rater some of the items on purpose."""
MOST_LEVELS = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Holes:
    """Ratings that a complete design has and the file has not.

    `missing` of `expected` pairs of rater and item; `only` counts the pairs with a rating of the
    method alone and of the baseline alone; `p` speaks for "they are missing where the method is
    worst" (None: it cannot be told).
    """

    missing: int
    expected: int
    only: tuple[int, int]
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study of two methods: the gain of the first over the second, rater by rater.

    `gain` is in points of the scale, or the share of preferences for the first minus the share for
    the second. `flips` are the raters without whom its sign turns; `first` counts how often the
    first method was shown first, of how many. `means` are what a paper may print of each method.
    """

    path: str
    form: str
    ours: str
    theirs: str
    raters: int
    items: int
    judged: int
    per_rater: tuple[int, int]
    gain: Gained
    flips: tuple[str, ...]
    alpha: float | None
    scale: str
    first: tuple[int, int]
    holes: Holes
    means: Mapping[str, tuple[float, ...]]

    def quantity(self, name: str, value: float) -> Quantity:
        """Return a number that was recomputed from the ratings as evidence."""
        return Quantity(
            name=name, value=value, level=Level.FORENSIC, source=f"artifact, {self.path}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings(Fact):
    """The ratings of the study; `why` says what is missing where the artifact's cannot be used."""

    label: ClassVar[str] = "ratings of people"
    study: Study | None = None
    why: Missing | None = None

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Read the ratings and recompute; both are empty where the claims name no file."""
        study = evidence.claims.human_evaluation
        if not study.declared or not study.raw_ratings.known:
            return cls()
        try:
            found = read(evidence.root, study.raw_ratings.value)
            ours, theirs = _pair(evidence.claims, found)
            return cls(study=_study(evidence.claims, found, ours, theirs))
        except Unreadable as error:
            words = f"ratings that can be read: {error}"
            return cls(why=Missing(Reason.NOT_TESTABLE, words))
        except Missing as missing:
            return cls(why=missing)


def _pair(claims: Claims, ratings: Table) -> tuple[str, str]:
    """Return what the file calls the proposed method and its first baseline."""
    named = {name.casefold(): name for name in ratings.methods}
    for claim in claims.claims:
        ours = named.get(claim.method.get("").casefold())
        for baseline in claim.baselines.get(()):
            theirs = named.get(baseline.casefold())
            if ours and theirs:
                return ours, theirs
    known = ", ".join(list(ratings.methods)[:6])
    raise Missing(
        Reason.CONFLICTING_EVIDENCE,
        f"ids of two methods of one claim in `{ratings.path}`, which names {known or 'none'}",
    )


def _study(claims: Claims, ratings: Table, ours: str, theirs: str) -> Study:
    import numpy as np

    from repcheck.stats.raters import gained, without_one

    gains = _gains(ratings, ours, theirs)
    if len(gains) < 2:
        raise Missing(
            Reason.NOT_TESTABLE, f"`{ratings.path}`: both methods rated by one rater on one item"
        )
    raters, items = (
        {name: at for at, name in enumerate(dict.fromkeys(one))} for one in zip(*gains, strict=True)
    )
    values = np.array(list(gains.values()), dtype=np.float64)
    who = np.array([raters[rater] for rater, _ in gains])
    what = np.array([items[item] for _, item in gains])
    whole = gained(values, who, what, np.random.default_rng(SEED))
    rest = without_one(values, who)
    counts = np.bincount(who)
    scale = _scale(ratings)
    return Study(
        path=ratings.path,
        form=ratings.form,
        ours=ours,
        theirs=theirs,
        raters=len(raters),
        items=len(items),
        judged=len(gains),
        per_rater=(int(counts.min()), int(counts.max())),
        gain=whole,
        flips=tuple(name for name, one in zip(raters, rest, strict=True) if one * whole.mean < 0),
        alpha=_alpha(ratings, gains, scale),
        scale=scale,
        first=_first(ratings, ours, theirs),
        holes=_holes(claims, ratings, gains, (ours, theirs)),
        means=_means(ratings, ours, theirs),
    )


Gains = Mapping[tuple[str, str], float]


def _gains(ratings: Table, ours: str, theirs: str) -> dict[tuple[str, str], float]:
    """Return the gain of each rater on each item where both methods were rated."""
    if ratings.form == "preferences":
        signs = {ours: 1.0, theirs: -1.0, "": 0.0}
        return {(r.rater, r.item): signs[r.method] for r in ratings.rows if r.method in signs}
    mine, other = (_of(ratings.rows, name) for name in (ours, theirs))
    return {key: mine[key] - other[key] for key in mine if key in other}


def _of(rows: Sequence[Rating], method: str) -> dict[tuple[str, str], float]:
    return {(row.rater, row.item): row.score for row in rows if row.method == method}


def _scale(ratings: Table) -> str:
    levels = {row.score for row in ratings.rows}
    whole = all(one == int(one) for one in levels)
    ordinal = ratings.form == "preferences" or (whole and len(levels) <= MOST_LEVELS)
    return "ordinal" if ordinal else "interval"


def _alpha(ratings: Table, gains: Gains, scale: str) -> float | None:
    """Return the raters' agreement: on the scores, or on which method is better."""
    import numpy as np

    from repcheck.stats.raters import alpha

    pairs = [((item, ""), gain) for (_, item), gain in gains.items()]
    if ratings.form == "scores":
        pairs = [((row.item, row.method), row.score) for row in ratings.rows]
    places = {key: at for at, key in enumerate(dict.fromkeys(key for key, _ in pairs))}
    units = np.array([places[key] for key, _ in pairs])
    kind = "ordinal" if scale == "ordinal" else "interval"
    return alpha(units, np.array([value for _, value in pairs]), kind)  # type: ignore[arg-type]


def _first(ratings: Table, ours: str, theirs: str) -> tuple[int, int]:
    """Return how often the method was shown before the baseline, and how often that is known."""
    if ratings.form == "preferences":
        shown = [row.first for row in ratings.rows if row.first in {ours, theirs}]
        return sum(name == ours for name in shown), len(shown)
    places: dict[tuple[str, str], dict[str, int]] = {}
    for row in ratings.rows:
        if row.position is not None and row.method in {ours, theirs}:
            places.setdefault((row.rater, row.item), {})[row.method] = row.position
    both = [one for one in places.values() if len(one) == 2 and one[ours] != one[theirs]]
    return sum(one[ours] < one[theirs] for one in both), len(both)


def _holes(claims: Claims, ratings: Table, gains: Gains, names: tuple[str, str]) -> Holes:
    """Return what is missing of a study in which every rater was to rate every item."""
    import numpy as np

    from repcheck.stats.raters import missing_where_worse

    study = claims.human_evaluation
    raters = max(len({row.rater for row in ratings.rows}), study.raters.get(0))
    items = max(len({row.item for row in ratings.rows}), study.items.get(0))
    only = (0, 0)
    if ratings.form == "scores":
        sides = [set(_of(ratings.rows, name)) for name in names]
        only = (len(sides[0] - sides[1]), len(sides[1] - sides[0]))
    expected = raters * items
    missing = expected - len(gains)
    if not missing or len(gains) < CROSSED * expected:
        return Holes(missing=sum(only), expected=len(gains) + sum(only), only=only, p=None)
    by_item: dict[str, list[float]] = {}
    for (_, item), gain in gains.items():
        by_item.setdefault(item, []).append(gain)
    means = [math.fsum(one) / len(one) for one in by_item.values()]
    holes = [raters - len(one) for one in by_item.values()]
    p = None
    if len(set(holes)) > 1:
        p = missing_where_worse(means, holes, np.random.default_rng(SEED))
    return Holes(missing=missing, expected=expected, only=only, p=p)


def _means(ratings: Table, ours: str, theirs: str) -> dict[str, tuple[float, ...]]:
    """Return what may be printed of each method: mean scores, or shares of preferences."""
    if ratings.form == "scores":
        sides = {name: list(_of(ratings.rows, name).values()) for name in (ours, theirs)}
        return {name: (math.fsum(one) / len(one),) for name, one in sides.items()}
    votes = Counter(row.method for row in ratings.rows)
    total, ties = votes[ours] + votes[theirs] + votes[""], votes[""]
    decided = votes[ours] + votes[theirs]
    return {
        name: (
            votes[name] / total,
            *((votes[name] / decided,) if decided else ()),
            (votes[name] + ties / 2) / total,
        )
        for name in (ours, theirs)
    }
