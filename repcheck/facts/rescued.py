"""What a baseline scores once it is evaluated on the input that it was trained on.

The method is evaluated with the same change, as a control: a change that raises both is none of the
baseline's protocol.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import ClassVar, Self

from repcheck.arms import Arm
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claim
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Fact
from repcheck.facts.arm_diff import paired, same_end
from repcheck.facts.arm_validity import applied, finished
from repcheck.facts.effects import gain_of
from repcheck.runs import Run, SeedKind

FACTOR = "eval.input"
FEWEST = 3
SURE = 3.0
SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one method scores without and with the change, over `n` seeds, higher being better.

    `se` is the standard error of the gain: of the differences seed by seed where both ended with
    the same weights.
    """

    method: str
    before: float
    after: float
    sd_before: float
    sd_after: float
    se: float
    n: int
    keys: tuple[str, ...]

    @property
    def gain(self) -> float:
        """Return what the change brings."""
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """One change of the evaluation's input, for both methods of a comparison.

    `sign` turns scores back into the metric's unit.
    """

    claim: Claim
    transform: str
    theirs: Change
    ours: Change
    claimed: float
    margin: float
    sign: int

    @property
    def raises(self) -> bool:
        """Whether the baseline gains more than chance and a quarter of the claimed gain."""
        return self.theirs.gain > max(SURE * self.theirs.se, SHARE * self.claimed)

    @property
    def alone(self) -> bool:
        """Whether the method gains no more than the margin."""
        return self.ours.gain <= self.margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued(Fact):
    """What the arms show that evaluate both methods of a comparison on another input."""

    label: ClassVar[str] = "what another evaluation input brings"
    evidence: Evidence

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs as they are; without such arms there is nothing to say."""
        return cls(evidence=evidence)

    def of(self, comparison: Comparison) -> tuple[Rescue | Missing, ...]:
        """Return what was shown of each claim, or what is lacking; empty where no arm was made."""
        arms = {
            arm.method: arm
            for arm in self.evidence.arms
            if arm.factors == (FACTOR,) and arm.dataset in {"", comparison.dataset}
        }
        pair = comparison.method.id, comparison.baseline.id
        if not all(one in arms for one in pair):
            return ()
        claims = [claim for claim in comparison.claims if claim.metric.known]
        return tuple(self._of(comparison, claim, arms) for claim in claims)

    def _of(self, comparison: Comparison, claim: Claim, arms: dict[str, Arm]) -> Rescue | Missing:
        try:
            stated = gain_of(self.evidence, comparison, claim)[2]
            ours, theirs = (
                self._change(arms[one.id], comparison, claim)
                for one in (comparison.method, comparison.baseline)
            )
        except Missing as missing:
            return missing
        except Inapplicable as gap:
            return Missing(Reason.NOT_TESTABLE, str(gap))
        least = max(claim.tolerance.get(0.0), SHARE * stated.value)
        return Rescue(
            claim=claim,
            transform=str(arms[comparison.baseline.id].surgery[0]["transform"]),
            theirs=theirs,
            ours=ours,
            claimed=stated.value,
            margin=min(0.5 * stated.value, least),
            sign=self._sign(claim.metric.value),
        )

    def _sign(self, metric: str) -> int:
        return 1 if self.evidence.claims.metrics[metric].higher_is_better.value else -1

    def _change(self, arm: Arm, comparison: Comparison, claim: Claim) -> Change:
        """Return what a method's arm changes.

        Raises:
            Missing: if the arm was not run, did not apply or has too few seeds.
        """
        metric = claim.metric.value
        on_it = [
            run for run in self.evidence.runs
            if comparison.dataset in {"", run.dataset} and run.seed_kind is SeedKind.FRESH
        ]  # fmt: skip
        mine = [run for run in on_it if run.arm == arm.id]
        parent = [run for run in on_it if run.arm == arm.method and not run.replicate]
        finished(arm, mine)
        applied(arm, mine)
        pairs = [pair for pair in paired(mine, parent) if all(metric in r.metrics for r in pair)]
        if len(pairs) < FEWEST:
            raise Missing(Reason.UNDERPOWERED, f"{FEWEST} finished seeds of `{arm.id}`")
        return _changed(arm.method, pairs, metric, self._sign(metric))


def _changed(method: str, pairs: list[tuple[Run, Run]], metric: str, sign: int) -> Change:
    before, after = ([sign * pair[side].metrics[metric] for pair in pairs] for side in (0, 1))
    n = len(pairs)
    if same_end(pairs):
        se = stdev(b - a for a, b in zip(before, after, strict=True)) / math.sqrt(n)
    else:
        se = math.sqrt((stdev(before) ** 2 + stdev(after) ** 2) / n)
    return Change(
        method=method,
        before=fmean(before),
        after=fmean(after),
        sd_before=stdev(before),
        sd_after=stdev(after),
        se=se,
        n=n,
        keys=tuple(run.key for _, run in pairs),
    )
