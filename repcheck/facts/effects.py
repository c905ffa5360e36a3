"""What each arm showed of each claim: the gain that remains without a factor, or with it for both.

An arm speaks only if it is valid: the factor was seen to change, nothing else was, every run ended
well and learned something; and only of a gain that the declared runs themselves establish.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.arms import Arm, NoArm
from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claim, Claims
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Fact
from repcheck.facts.arm_diff import (
    Change,
    agreed,
    allowed_keys,
    paired,
    repeatable,
    same_end,
    same_start,
)
from repcheck.facts.axes import axis_of, longer
from repcheck.facts.factors import Factors
from repcheck.facts.gains import StatedGain, stated_gain
from repcheck.facts.reruns import Reruns
from repcheck.runs import Run, Runs, SeedKind, Status

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.stats.attribution import Attribution
    from repcheck.stats.compare import Summary
    from repcheck.stats.decision import Sample

GAIN_ALPHA = 0.025
ON_TARGET = 0.02
ON_FLOPS = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What an aligned arm was to reach on its axis and what it reached, by the arm's own runs."""

    axis: str
    wanted: float
    reached: float

    @property
    def ratio(self) -> float:
        """Return reached over wanted."""
        return self.reached / self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One arm put to one claim.

    `attribution` is there only if the arm is valid and the gain established; else `reason` and
    `why` say what is lacking. `changes` is the arm diff: what was seen to differ from the runs of
    the method it was derived from. `means` are those of method, baseline and arm, each with its
    standard deviation and n, in the metric's unit. `covers` says that the arm gives the baseline
    every difference beside the contribution, `beyond` that it was trained longer than the method
    as declared: it tells what training on gains, and nothing of the gain that is claimed.
    """

    arm: Arm
    claim: Claim
    comparison: Comparison
    changes: tuple[Change, ...] = ()
    reach: Reach | None = None
    attribution: Attribution | None = None
    means: tuple[Summary | None, ...] = ()
    reason: Reason | None = None
    why: str = ""
    sources: tuple[str, ...] = ()
    covers: bool = False
    beyond: bool = False

    @property
    def contribution(self) -> bool:
        """Return whether the arm changes what the paper offers: it may well explain the gain.

        So may a part of the method's own making that the arm takes from it.
        """
        lengths = ("train.epochs", "train.iterations", "train.samples")
        factors = {*self.arm.factors, *(lengths if self.arm.kind == "aligned" else ())}
        if self.removes and any(self.comparison.owns(factor) for factor in self.arm.factors):
            return True
        return any(self.comparison.contributes(factor) for factor in factors)

    @property
    def speaks(self) -> bool:
        """Return whether what it shows may be held against the claimed gain."""
        return not (self.contribution or self.beyond)

    @property
    def removes(self) -> bool:
        """Return whether the factor was taken from the method, rather than given the baseline."""
        return self.arm.method == self.comparison.method.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects(Fact):
    """Every arm beside the declared ones, put to every claim that it bears on."""

    label: ClassVar[str] = "effects of the arms"
    effects: tuple[Effect, ...]
    refused: tuple[NoArm, ...]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Judge each arm's runs; without arms there are no effects."""
        made = _Maker(evidence.claims, evidence.runs, evidence.get(Factors))
        return cls(
            effects=tuple(made.effects(evidence.arms)) if evidence.runs else (),
            refused=evidence.no_arms,
        )

    def on(self, comparison: Comparison) -> tuple[Effect, ...]:
        """Return the effects on the claims of a comparison, in the order of the arms."""
        return tuple(one for one in self.effects if one.comparison.id == comparison.id)

    def lacking(self, comparison: Comparison) -> tuple[NoArm, ...]:
        """Return the arms that a comparison needs and that cannot be made."""
        pair = {comparison.method.id, comparison.baseline.id}
        return tuple(one for one in self.refused if {one.method, one.beside} == pair)


@dataclass(frozen=True, slots=True)
class _Maker:
    claims: Claims
    runs: Runs
    factors: Factors

    def effects(self, arms: Sequence[Arm]) -> Iterator[Effect]:
        """Yield the effect of each arm on each claim of the comparisons it bears on."""
        for arm in arms:
            for comparison in comparisons(self.claims):
                if {arm.method, arm.beside} == {comparison.method.id, comparison.baseline.id}:
                    for claim in comparison.claims:
                        if claim.metric.known:
                            yield self._effect(arm, comparison, claim)

    def _effect(self, arm: Arm, comparison: Comparison, claim: Claim) -> Effect:
        keys = {factor.key for factor in self.factors.of(comparison)} if arm.factors else set()
        bare = Effect(
            arm=arm, claim=claim, comparison=comparison,
            covers=bool(keys) and arm.method == comparison.baseline.id
            and keys <= set(arm.factors),
        )  # fmt: skip
        dataset = comparison.dataset
        mine = [r for r in self.runs if r.arm == arm.id and dataset in {"", r.dataset}]
        parent = [r for r in self.runs if r.arm == arm.method and dataset in {"", r.dataset}]
        try:
            changes, reach = validity(arm, mine, parent)
        except Missing as missing:
            changes = agreed(paired(mine, parent), allowed_keys(arm))
            return _without(bare, missing, changes)
        sources = tuple(f"run {run.key[:12]}" for run in mine)
        beside = comparison.method.id
        ours = [r for r in self.runs if r.arm == beside and dataset in {"", r.dataset}]
        beyond = arm.target is None and longer(mine, ours)
        bare = replace(bare, changes=changes, reach=reach, sources=sources, beyond=beyond)
        try:
            return self._judged(bare)
        except Missing as missing:
            return _without(bare, missing, changes)
        except Inapplicable as gap:
            return _without(bare, Missing(Reason.NOT_TESTABLE, str(gap)), changes)

    def gain(self, comparison: Comparison, claim: Claim) -> tuple[Sample, Sample, StatedGain]:
        """Return both declared arms' seeds and the stated gain, if the seeds establish one.

        Raises:
            Missing: if they do not, or something is not known.
            Inapplicable: if no gain is claimed.
        """
        method, baseline = (
            self._sample(name, comparison.dataset, claim.metric.value)
            for name in (comparison.method.id, comparison.baseline.id)
        )
        rerun = baseline.finished.mean if baseline.finished else None
        stated = stated_gain(self.claims, claim, comparison.baseline, comparison.dataset, rerun)
        if stated.value <= 0:
            raise Inapplicable("no gain is claimed")
        _established(method, baseline)
        return method, baseline, stated

    def _judged(self, bare: Effect) -> Effect:
        from repcheck.stats.attribution import attribute

        claim, comparison, arm = bare.claim, bare.comparison, bare.arm
        method, baseline, stated = self.gain(comparison, claim)
        changed = self._sample(arm.id, comparison.dataset, claim.metric.value)
        upper, lower = (changed, baseline) if bare.removes else (method, changed)
        other = comparison.baseline.id if bare.removes else comparison.method.id
        found = attribute(
            claimed=stated.value,
            unit=stated.unit,
            tolerance=claim.tolerance.value if claim.tolerance.known else None,
            upper=upper,
            lower=lower,
            pairs=self._pairs(bare, other),
        )
        means = tuple(one.finished for one in (method, baseline, changed))
        return replace(bare, attribution=found, means=means)

    def _sign(self, metric: str) -> int:
        return 1 if self.claims.metrics[metric].higher_is_better.value else -1

    def _sample(self, arm: str, dataset: str, metric: str) -> Sample:
        """Return an arm's fresh seeds, oriented so that higher is better."""
        from repcheck.stats.decision import Sample

        runs = tuple(run for run in self.runs if not run.replicate)
        found = Reruns(runs=runs).arm(arm, dataset, metric, SeedKind.FRESH)
        if found.unfinished or len(found.values) < 2:
            n = len(found.values)
            raise Missing(Reason.UNDERPOWERED, f"finish the runs of `{arm}`: n = {n} is too few")
        sign = self._sign(metric)
        return Sample.of([sign * value for value in found.values], crashed=len(found.failed))

    def _pairs(self, bare: Effect, other: str) -> Summary | None:
        """Return the differences seed by seed, where both arms began with the same weights."""
        from repcheck.stats.compare import differences

        dataset, metric = bare.comparison.dataset, bare.claim.metric.value
        sign = self._sign(metric)
        arm, beside = (
            [
                run
                for run in self.runs
                if run.arm == name
                and dataset in {"", run.dataset}
                and run.seed_kind is SeedKind.FRESH
                and metric in run.metrics
            ]
            for name in (bare.arm.id, other)
        )
        pairs = paired(arm, beside)
        if len(pairs) < 2 or not same_start(pairs):
            return None
        values = [tuple(sign * run.metrics[metric] for run in pair) for pair in pairs]
        others, arms = zip(*values, strict=True)
        return differences(arms, others) if bare.removes else differences(others, arms)


def established(evidence: Evidence, comparison: Comparison) -> Missing | None:
    """Return why the gain of a comparison needs no explanation yet; None where one claim's does."""
    made = _Maker(evidence.claims, evidence.runs, evidence.get(Factors))
    why: Missing | None = None
    for claim in comparison.claims:
        if not claim.metric.known:
            continue
        try:
            made.gain(comparison, claim)
        except Missing as missing:
            why = missing
        except Inapplicable as gap:
            why = Missing(Reason.NOT_TESTABLE, str(gap))
        else:
            return None
    return why or Missing(Reason.NOT_TESTABLE, "no claim of this comparison names a metric")


def _without(bare: Effect, missing: Missing, changes: tuple[Change, ...]) -> Effect:
    return replace(bare, changes=changes, reason=missing.reason, why=missing.would_decide)


def _established(method: Sample, baseline: Sample) -> None:
    """Raise unless the declared runs themselves show a gain: there is nothing else to explain."""
    from repcheck.stats.compare import welch

    ours, theirs = method.finished, baseline.finished
    if ours is None or theirs is None or ours.sd is None or theirs.sd is None:
        raise Missing(Reason.UNDERPOWERED, "at least two seeds of the method and of the baseline")
    gain = welch(ours, theirs, GAIN_ALPHA)
    if gain.low <= 0:
        raise Missing(
            Reason.UNDERPOWERED,
            f"the gain itself is not established (95 % interval {gain.low:+.3g} to"
            f" {gain.high:+.3g}), so there is nothing to attribute",
        )


# --- whether an arm is one ----------------------------------------------------------------------


def validity(
    arm: Arm, mine: Sequence[Run], parent: Sequence[Run]
) -> tuple[tuple[Change, ...], Reach | None]:
    """Return what an arm changed, and what it reached if it was aligned.

    Raises:
        Missing: if it is not valid, or not yet known to be; with what is wrong.
    """
    _finished(arm, mine)
    pairs = paired(mine, parent)
    if not pairs:
        raise Missing(Reason.NOT_OBSERVED, f"runs of `{arm.method}` with the seeds of `{arm.id}`")
    if any(run.observation is None or not run.observation.seen for run in mine):
        raise Missing(Reason.NOT_OBSERVED, f"runs of `{arm.id}` that a probe saw")
    changes = agreed(pairs, allowed_keys(arm))
    if other := [change for change in changes if not change.allowed]:
        told = "; ".join(map(str, other[:3]))
        raise Missing(
            Reason.INVALID_ARM, f"an arm that changes {_named(arm)} and nothing else ({told})"
        )
    _applied(arm, mine)
    if not changes and not arm.surgery:
        _moved(arm, pairs, parent)
    return changes, _on_target(arm, mine)


def _named(arm: Arm) -> str:
    return " and ".join(f"`{factor}`" for factor in arm.factors[:3]) or "the factor"


def _finished(arm: Arm, mine: Sequence[Run]) -> None:
    if not mine:
        raise Missing(Reason.NOT_OBSERVED, f"run the arm `{arm.id}`")
    for run in mine:
        if run.status is not Status.OK:
            raise Missing(Reason.COMMAND_FAILED, f"mend the arm `{arm.id}`: {run.reason}")
        training = run.observation.training if run.observation else None
        if training is None:
            continue
        trend = training.loss_trend
        if training.loss_not_finite or (trend is not None and not trend < 1):
            raise Missing(Reason.INVALID_ARM, f"an arm `{arm.id}` whose training loss decreases")


def _applied(arm: Arm, mine: Sequence[Run]) -> None:
    """Raise where a surgery never applied: what did not change proves nothing."""
    wanted = Counter(str(one.get("kind")) for one in arm.surgery)
    for run in mine:
        done = run.observation.surgery if run.observation else ()
        if idle := wanted - Counter(one.kind for one in done if one.times):
            raise Missing(
                Reason.INVALID_ARM, f"an arm whose change applies: `{min(idle)}` applied 0 times"
            )
        errors = run.observation.probe_errors if run.observation else ()
        if wanted and (mixed := [one for one in errors if one.startswith("surgery")]):
            raise Missing(Reason.INVALID_ARM, f"an arm that is changed whole: {mixed[0][:160]}")


def _moved(arm: Arm, pairs: Sequence[tuple[Run, Run]], parent: Sequence[Run]) -> None:
    """Raise unless a repeatable training ended elsewhere: the change was there, if unseen."""
    if same_end(pairs):
        raise Missing(Reason.INVALID_ARM, f"an override that changes something: {arm.changes}")
    if not repeatable(parent):
        raise Missing(
            Reason.INVALID_ARM,
            f"an arm whose change the probe sees: nothing of {_named(arm)} was seen to change, and"
            f" runs of `{arm.method}` differ from repeat to repeat by themselves",
        )


def _on_target(arm: Arm, mine: Sequence[Run]) -> Reach | None:
    target = arm.target
    if target is None:
        return None
    reached = [value for run in mine if (value := axis_of(run, target.axis)) is not None]
    if not reached:
        raise Missing(Reason.NOT_OBSERVED, f"runs of `{arm.id}` whose {target.axis} are seen")
    slack = ON_FLOPS if target.axis == "flops a sample" else ON_TARGET
    most = max(slack, 0.5 * target.unit / target.value)
    worst = max(reached, key=lambda value: abs(value / target.value - 1))
    found = Reach(axis=target.axis, wanted=target.value, reached=worst)
    if not math.isfinite(found.ratio) or abs(found.ratio - 1) > most:
        raise Missing(
            Reason.INVALID_ARM,
            f"an arm on target: {target.axis} reached ×{found.ratio:.3f} of what was wanted"
            f" (within {most:.1%} is)",
        )
    return found
