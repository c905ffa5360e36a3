"""What remains of a claimed gain once one factor is the same on both sides.

A counterfactual arm gives the baseline the factor f (add, align-up) or takes it from the method
(remove, align-down). The gain that remains is R = mean(upper) - mean(lower), where `upper` is the
method and `lower` the baseline with f, or `upper` the method without f and `lower` the baseline.
R is compared with a margin delta = min(half the claim, max(tolerance, a quarter of the claim)), in
this order:

- `gone`: the upper end of R's 90 % interval does not exceed delta;
- `reduced`: the upper end of its 95 % interval lies below the claim less delta;
- `survives`: the lower end of its 95 % interval lies above zero;
- `inconclusive`: otherwise.

With normal seeds an innocent factor is accused (`gone`, `reduced`) in at most 1 % of cases and a
factor that explains the whole gain is let off (`survives`) in at most 2.5 %; what few seeds cost is
`inconclusive`. Absence of significance is no clearance: `survives` clears the direction of a claim,
and its size only where `cleared_size` says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import stdtrit

from repcheck.stats.compare import Interval, Summary, one_sample, pooled_sd, welch
from repcheck.stats.criteria import DEFAULT, Criteria, require_positive
from repcheck.stats.decision import (
    EXACT,
    GainClaim,
    Sample,
    blocked,
    crashes,
    level_words,
    shortfalls,
    snapped,
)
from repcheck.stats.wording import Numbers, counted

AttributionVerdict = Literal["gone", "reduced", "survives", "inconclusive"]

UPPER, LOWER = "the method's side", "the baseline's side"
TWO_SIDED, ONE_SIDED = 0.025, 0.05
IDENTICAL_PAIRS = 3
"""So many pairs with equal scores are taken for identical runs: on a small test set two pairs tie
by chance too easily for an accusation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What remains of a gain without a factor, and what that says of the factor.

    `interval` is R's two-sided 95 % interval and `interval90` its 90 % one; both are None where the
    seeds carry no verdict. `explained_at_least` is the share of the claimed gain that is the
    factor's at least (it exceeds 1 where R lies wholly below zero), `explained_at_most` the share
    that may be its own at most (0 to 1). `seeds_needed` (per arm) is set only for an inconclusive
    verdict that more seeds could decide, and None where not within the cap.
    """

    verdict: AttributionVerdict
    rule_in_words: str
    interval: Interval | None
    interval90: Interval | None
    margin: float
    claimed: float
    test: str
    n_upper: int
    n_lower: int
    seeds_needed: int | None = None

    @property
    def remaining(self) -> float | None:
        """R, in the metric's unit."""
        return self.interval.estimate if self.interval else None

    @property
    def hi90(self) -> float | None:
        """Upper end of the 90 % interval: a one-sided 5 % test, as in tests of equivalence."""
        return self.interval90.high if self.interval90 else None

    @property
    def sign_established(self) -> bool:
        """Whether R is above zero beyond doubt (95 %)."""
        return self.interval is not None and self.interval.low > 0

    @property
    def explained_at_least(self) -> float | None:
        """max(0, 1 - hi(R) / claimed): the share to quote."""
        return max(0.0, 1 - self.interval.high / self.claimed) if self.interval else None

    @property
    def explained_at_most(self) -> float | None:
        """1 - lo(R) / claimed, between 0 and 1."""
        if self.interval is None:
            return None
        return min(1.0, max(0.0, 1 - self.interval.low / self.claimed))

    @property
    def cleared_size(self) -> bool:
        """Whether the factor explains at most the margin: R's 90 % interval lies above claimed -
        margin.
        """
        return (
            self.verdict == "survives"
            and self.interval90 is not None
            and self.interval90.low > self.claimed - self.margin
        )

    @property
    def p(self) -> float | None:
        """One-sided p of the verdict against the bound it had to pass; None where inconclusive.
        Correct it over the arms of a claim (`holm`) before it is printed.
        """
        if self.interval is None or self.verdict == "inconclusive":
            return None
        if self.verdict == "survives":
            return self.interval.p_above(0.0)
        bound = self.margin if self.verdict == "gone" else self.claimed - self.margin
        return 0.0 if self.interval.df is None else self.interval.p_below(bound)


def margin_of(claim: GainClaim) -> float:
    """min(half the claim, max(tolerance, a quarter of the claim))."""
    return min(0.5 * claim.claimed, max(claim.tolerance or 0.0, 0.25 * claim.claimed))


def attribute(
    *,
    claimed: float,
    unit: float,
    tolerance: float | None,
    upper: Summary | Sample,
    lower: Summary | Sample,
    pairs: Summary | None = None,
) -> Attribution:
    """Judge how much of a claimed gain one factor explains; `attribute_claim` with the default
    criteria.

    Raises ValueError for a claimed gain that is not above zero, as every gain claim does.
    """
    claim = GainClaim(claimed=claimed, unit=unit, tolerance=tolerance)
    return attribute_claim(claim, upper, lower, pairs=pairs)


def attribute_claim(
    claim: GainClaim,
    upper: Summary | Sample,
    lower: Summary | Sample,
    *,
    pairs: Summary | None = None,
    criteria: Criteria = DEFAULT,
) -> Attribution:
    """Judge how much of a claimed gain one factor explains; values arrive oriented.

    `pairs` summarises the differences upper - lower seed by seed and replaces Welch by the paired
    t; give it only for the same seeds and equal initial weights. Give the arms as `Sample` where
    seeds crashed: with more crashed seeds than `criteria` allows, or fewer than two finished, there
    is no verdict.
    """
    above, below = _sample(upper), _sample(lower)
    interval, interval90, test, pairs = intervals(above.finished, below.finished, pairs)
    n = f"n = {pairs.n} pairs" if pairs else f"n = {above.n} + {below.n}"
    base = Attribution(
        verdict="inconclusive",
        rule_in_words="",
        interval=interval,
        interval90=interval90,
        margin=margin_of(claim),
        claimed=claim.claimed,
        test=test,
        n_upper=above.n,
        n_lower=below.n,
    )
    sides = {UPPER: above, LOWER: below}
    reasons = shortfalls(criteria, sides)
    if reasons or interval is None or interval90 is None:
        nothing = replace(base, interval=None, interval90=None, test="none")
        return replace(nothing, rule_in_words=blocked(reasons, n))
    if interval.df is None:
        size = max(
            claim.claimed, *(abs(one.finished.mean) for one in (above, below) if one.finished)
        )
        targets = (base.margin, claim.claimed - base.margin, 0.0)
        interval, interval90 = (snapped(one, targets, size) for one in (interval, interval90))
    verdict = _verdict(interval, interval90.high, base)
    judged = replace(base, verdict=verdict, interval=interval, interval90=interval90)
    if verdict == "inconclusive" and interval.df is not None:
        known = [pairs] if pairs else [one.finished for one in (above, below) if one.finished]
        needed = seeds_to_narrow(known, base.margin / 2, criteria)
        judged = replace(judged, seeds_needed=needed)
    words = _words(judged, Numbers(claim.unit), criteria, f"{n}{crashes(sides)}, {test}")
    if interval.df is None:
        same = "runs of the two sides" if pairs else "seeds of each arm"
        words = f"The {same} do not differ, so this is exact: {words[0].lower()}{words[1:]}"
    return replace(judged, rule_in_words=words)


def holm(ps: Sequence[float]) -> list[float]:
    """Return p values corrected over all arms of a claim, in their order. Source: Holm 1979.

    Raises ValueError for a p outside 0 to 1.
    """
    if bad := [p for p in ps if not 0 <= p <= 1]:
        raise ValueError(f"a p value must lie between 0 and 1, not {bad[0]}")
    corrected, largest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = largest
    return corrected


def _sample(arm: Summary | Sample) -> Sample:
    return arm if isinstance(arm, Sample) else Sample(finished=arm)


def _usable(pairs: Summary, *arms: Summary | None) -> bool:
    if pairs.sd is None:
        return False
    if pairs.sd > 0 or all(one is not None and one.sd == 0 for one in arms):
        return True
    # Equal differences between seeds that do vary: a coarse metric, unless the runs are identical.
    return pairs.mean == 0 and pairs.n >= IDENTICAL_PAIRS


def intervals(
    a: Summary | None, b: Summary | None, pairs: Summary | None
) -> tuple[Interval | None, Interval | None, str, Summary | None]:
    """Return the 95 % and the 90 % interval of a - b, the test's name, and the pairs if they serve.

    Differences seed by seed replace Welch's t by the paired t where they carry an interval. There
    is no interval where the spread of either is not known.
    """
    if a is None or b is None or a.sd is None or b.sd is None:
        return None, None, "none", None
    if pairs is not None and _usable(pairs, a, b):
        both, test = [one_sample(pairs, alpha) for alpha in (TWO_SIDED, ONE_SIDED)], "paired t"
    else:
        both, test = [welch(a, b, alpha) for alpha in (TWO_SIDED, ONE_SIDED)], "Welch t"
        pairs = None
    return both[0], both[1], EXACT if both[0].df is None else test, pairs


def _verdict(interval: Interval, hi90: float, base: Attribution) -> AttributionVerdict:
    if hi90 <= base.margin:
        return "gone"
    if interval.high < base.claimed - base.margin:
        return "reduced"
    return "survives" if interval.low > 0 else "inconclusive"


def seeds_to_narrow(
    samples: Sequence[Summary], half_width: float, criteria: Criteria = DEFAULT
) -> int | None:
    """Return the smallest n per arm whose 95 % interval reaches no further than `half_width`.

    n = k (t s / half_width)^2 for k samples, t with k (n - 1) degrees of freedom and s the pooled
    standard deviation: k is 2 for two arms and 1 for the differences of pairs. The n exceeds that
    of the smaller sample; None where it would exceed `criteria.seed_cap`.
    """
    require_positive("half the width", half_width)
    sd, _ = pooled_sd(*samples)
    k = len(samples)
    for n in range(min(one.n for one in samples) + 1, criteria.seed_cap + 1):
        if math.sqrt(n / k) >= float(stdtrit(k * (n - 1), 1 - TWO_SIDED)) * sd / half_width:
            return n
    return None


def _words(found: Attribution, numbers: Numbers, criteria: Criteria, basis: str) -> str:
    interval, interval90 = found.interval, found.interval90
    if interval is None or interval90 is None:
        return blocked([], basis)
    rest = f"What remains of the gain without the factor ({numbers.signed(interval.estimate)})"
    claimed, margin = numbers.signed(found.claimed), numbers.signed(found.margin)
    less = numbers.signed(found.claimed - found.margin)
    span = f"{level_words(interval)} {numbers.span(interval)}"
    exact = interval.df is None
    if found.verdict == "gone":
        upper = (
            f"the one-sided 95 % upper bound {numbers.signed(interval90.high)} does not exceed it"
        )
        seen = "" if exact else f": {upper}, {span}"
        rule = f"{rest} is at most the margin {margin}{seen}"
    elif found.verdict == "reduced":
        seen = "" if exact else f": the {span} lies below it"
        rule = f"{rest} is less than the claimed {claimed} minus the margin, {less}{seen}"
    elif found.verdict == "survives":
        rule = f"{rest} is above zero{'' if exact else f', and so is its {span}'}"
    else:
        rule = f"{rest} may be nothing or nearly the claimed {claimed}: {span}"
    return f"{rule}, {basis}; {_consequence(found, numbers, criteria)}."


def _consequence(found: Attribution, numbers: Numbers, criteria: Criteria) -> str:
    claimed = f"the claimed {numbers.signed(found.claimed)}"
    if found.verdict == "inconclusive":
        if found.seeds_needed is None:
            return f"not decidable within {counted(criteria.seed_cap, 'seed')} per arm"
        half = numbers.plain(found.margin / 2)
        seeds = counted(found.seeds_needed, "seed")
        return f"about {seeds} per arm would narrow the interval to ±{half}"
    if found.verdict == "survives":
        size = "; its size is confirmed, up to the margin" if found.cleared_size else ""
        most = math.ceil(round(100 * (found.explained_at_most or 0.0), 9))
        share = f"up to {most} % of" if most else "none of"
        return f"the direction holds without it, and {share} {claimed} may be the factor's{size}"
    least = math.floor(round(100 * (found.explained_at_least or 0.0), 9))
    share = "all of" if least >= 100 else f"at least {least} % of"
    sign = "is" if found.sign_established else "is not"
    return f"{share} {claimed} is the factor's, and the sign of the rest {sign} established"
