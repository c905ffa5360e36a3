"""What each arm showed of each claim: the gain that remains without a factor, or with it for both.

An arm speaks only if it is valid: the factor was seen to change, nothing else was, every run ended
well and learned something; and only of a gain that the declared runs themselves establish.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.arms import Arm, NoArm
from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claim, Claims
from repcheck.claims.offer import LENGTHS
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Fact
from repcheck.facts.arm_diff import Change, agreed, allowed_keys, paired, same_start
from repcheck.facts.arm_validity import Reach, named, validity
from repcheck.facts.axes import longer
from repcheck.facts.bearing import is_key, moot, offers
from repcheck.facts.factors import Factors
from repcheck.facts.gains import StatedGain, rows_of, stated_gain, unit_apart
from repcheck.facts.reruns import Reruns
from repcheck.runs import Runs, SeedKind

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.stats.attribution import Attribution
    from repcheck.stats.compare import Summary
    from repcheck.stats.decision import Sample

GAIN_ALPHA = 0.025
FEWEST = 3
"""Seeds below which nothing is attributed: what two agree on may be chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One arm put to one claim.

    `attribution` is there only if the arm is valid and the gain established; else `reason` and
    `why` say what is lacking. `changes` is the arm diff: what was seen to differ from the runs of
    the method it was derived from. `means` are those of method, baseline and arm, each with its
    standard deviation and n, in the metric's unit times `sign` (higher is better). `pairs` are the
    differences method - arm seed by seed, where both were seen to begin with the same weights.
    `covers` says
    that the arm gives the baseline every difference beside the contribution, `beyond` that it was
    trained longer than the method as declared: it tells what training on gains, and nothing of the
    gain that is claimed. `moot` says why it has nothing to do with the gain, `shown` that the
    reruns show a smaller gain than is claimed, which is then what there is to explain, `by_batch`
    that the method sees more samples in as many steps.
    """

    arm: Arm
    claim: Claim
    comparison: Comparison
    changes: tuple[Change, ...] = ()
    reach: Reach | None = None
    attribution: Attribution | None = None
    means: tuple[Summary | None, ...] = ()
    pairs: Summary | None = None
    reason: Reason | None = None
    why: str = ""
    sources: tuple[str, ...] = ()
    covers: bool = False
    beyond: bool = False
    moot: str = ""
    shown: bool = False
    by_batch: bool = False
    sign: int = 1

    @property
    def contribution(self) -> bool:
        """Return whether the arm changes what the paper offers: it may well explain the gain.

        So may a part of the method's own making that the arm takes from it.
        """
        return offers(self.comparison.of(self.claim), self.arm)

    @property
    def speaks(self) -> bool:
        """Return whether what it shows may be held against the claimed gain."""
        return not (self.contribution or self.beyond or self.moot or self.asks)

    @property
    def asks(self) -> bool:
        """Return whether it would explain the gain by what may be the paper's offer itself.

        A file that does not say what is offered leaves that open, except for the training budget;
        so does a part taken from the method under a name that says nothing to anybody else.
        """
        taken = self.attribution is not None and self.attribution.verdict in {"gone", "reduced"}
        known = self.comparison.of(self.claim).offer_known
        if self.removes:
            known = known and any(is_key(self.comparison.method, one) for one in self.arm.factors)
        silent = self.contribution or self.beyond or self.moot
        return taken and not known and not silent and self.arm.target is None

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
        # An arm of a sweep asks how wide a gain is, and not where it comes from.
        arms = [arm for arm in evidence.arms if arm.change != "sweep"]
        return cls(
            effects=_weighed(tuple(made.effects(arms))) if evidence.runs else (),
            refused=tuple(one for one in evidence.no_arms if one.change != "sweep"),
        )

    def on(self, comparison: Comparison) -> tuple[Effect, ...]:
        """Return the effects on the claims of a comparison, in the order of the arms."""
        return tuple(one for one in self.effects if one.comparison.id == comparison.id)

    def lacking(self, comparison: Comparison) -> tuple[NoArm, ...]:
        """Return the arms that a comparison needs and that cannot be made."""
        pair, on = {comparison.method.id, comparison.baseline.id}, {"", comparison.dataset}
        return tuple(
            one
            for one in self.refused
            if {one.method, one.beside} == pair and one.dataset in on and not one.needless
        )


def _weighed(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    """Return the effects, where what the baseline gains nothing from is the method's own need.

    That the method falls without a factor explains no gain over a baseline that has the factor too
    and stays behind.
    """
    given = {
        (one.comparison.id, one.claim.id.get(""), _about(one.arm))
        for one in effects
        if not one.removes and one.attribution is not None
        and one.attribution.verdict == "survives"
    }  # fmt: skip
    return tuple(
        replace(one, moot=f"`{one.comparison.baseline.id}` gains nothing from {named(one.arm)}")
        if one.removes and (one.comparison.id, one.claim.id.get(""), _about(one.arm)) in given
        else one
        for one in effects
    )


def _about(arm: Arm) -> tuple[str, ...]:
    """Return what an arm asks: every length of training is one question."""
    return tuple(sorted({"length" if one in LENGTHS else one for one in arm.factors}))


@dataclass(frozen=True, slots=True)
class _Maker:
    claims: Claims
    runs: Runs
    factors: Factors

    def effects(self, arms: Sequence[Arm]) -> Iterator[Effect]:
        """Yield the effect of each arm on each claim of the comparisons it bears on."""
        for arm in arms:
            for comparison in comparisons(self.claims):
                pair = {comparison.method.id, comparison.baseline.id}
                if {arm.method, arm.beside} == pair and arm.dataset in {"", comparison.dataset}:
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
        on_it = [run for run in self.runs if dataset in {"", run.dataset}]
        mine = [run for run in on_it if run.arm == arm.id]
        parent = [run for run in on_it if run.arm == arm.method]
        try:
            changes, reach = validity(arm, mine, parent)
        except Missing as missing:
            changes = agreed(paired(mine, parent), allowed_keys(arm))
            return _without(bare, missing, changes)
        sources = tuple(f"run {run.key[:12]}" for run in mine)
        beside = comparison.method.id
        ours = [run for run in on_it if run.arm == beside]
        beyond = arm.target is None and longer(mine, ours)
        theirs = [run for run in on_it if run.arm == comparison.baseline.id]
        by_batch = longer(ours, theirs) and not longer(ours, theirs, ("steps",))
        idle = "" if set(arm.factors) & keys else moot(comparison, arm, changes, on_it)
        bare = replace(
            bare,
            changes=changes,
            reach=reach,
            sources=sources,
            beyond=beyond,
            moot=idle,
            by_batch=by_batch,
        )
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
        self._testable(comparison, claim)
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

    def _testable(self, comparison: Comparison, claim: Claim) -> None:
        """Raise where the runs' last values answer another question than the claim's gain."""
        drawn = {run.dataset for run in self.runs}
        if claim.kind == "equivalence":
            raise Inapplicable("no gain is claimed")
        if claim.at_step.known:
            raise Inapplicable("a gain at a step (`at_step`); runs report their last value")
        if not comparison.dataset and (len(drawn) > 1 or len(claim.datasets.get(())) > 1):
            raise Inapplicable(SEVERAL)
        rows = rows_of(self.claims, comparison.method, comparison.dataset, claim.metric.value)
        if rows and not any(row.at.undeclared for row in rows):
            raise Inapplicable("a gain at an operating point (`at`)")
        name = claim.metric.value
        stated = [row.centre.value for row in rows if row.centre.known]
        stated += [claim.value.value] if claim.value.known else []
        gain = claim.improvement
        gains = [gain.value] if gain.known and not claim.relative else []
        here = [run for run in self.runs if comparison.dataset in {"", run.dataset}]
        done = [(run.method, run.metrics[name]) for run in here if name in run.metrics]
        for side in (comparison.method.id, comparison.baseline.id):
            own = [abs(value) for method, value in done if method == side]
            beside = [abs(value) for method, value in done if method != side]
            unit = self.claims.metrics[name].unit.get("")
            if why := unit_apart(unit, (stated, gains), (own, beside)):
                raise Inapplicable(f"`{name}` {why}; say `read_as` beside its `from`")

    def _judged(self, bare: Effect) -> Effect:
        from repcheck.stats.attribution import attribute

        claim, comparison, arm = bare.claim, bare.comparison, bare.arm
        method, baseline, stated = self.gain(comparison, claim)
        changed = self._sample(arm.id, comparison.dataset, claim.metric.value)
        upper, lower = (changed, baseline) if bare.removes else (method, changed)
        smaller = _smaller(method, baseline, stated.value)
        own = self._pairs(bare, comparison.method.id, arm.id)
        found = attribute(
            claimed=stated.value if smaller is None else smaller,
            unit=stated.unit,
            tolerance=claim.tolerance.value if claim.tolerance.known else None,
            upper=upper,
            lower=lower,
            pairs=self._pairs(bare, arm.id, comparison.baseline.id) if bare.removes else own,
        )
        return replace(
            bare,
            attribution=found,
            means=tuple(one.finished for one in (method, baseline, changed)),
            pairs=own,
            shown=smaller is not None,
            sign=self._sign(claim.metric.value),
        )

    def _sign(self, metric: str) -> int:
        return 1 if self.claims.metrics[metric].higher_is_better.value else -1

    def _sample(self, arm: str, dataset: str, metric: str) -> Sample:
        """Return an arm's fresh seeds, oriented so that higher is better."""
        from repcheck.stats.decision import Sample

        runs = tuple(run for run in self.runs if not run.replicate)
        found = Reruns(runs=runs).arm(arm, dataset, metric, SeedKind.FRESH)
        if found.unfinished or len(found.values) < FEWEST:
            n = len(found.values)
            words = f"{FEWEST} finished seeds of `{arm}`: n = {n} is too few"
            raise Missing(Reason.UNDERPOWERED, words)
        sign = self._sign(metric)
        return Sample.of([sign * value for value in found.values], crashed=len(found.failed))

    def _pairs(self, bare: Effect, first: str, second: str) -> Summary | None:
        """Return first - second seed by seed, where both arms began with the same weights."""
        from repcheck.stats.compare import differences

        dataset, metric = bare.comparison.dataset, bare.claim.metric.value
        fresh = [
            run
            for run in self.runs
            if run.seed_kind is SeedKind.FRESH
            and dataset in {"", run.dataset}
            and metric in run.metrics
        ]
        pairs = paired(*([run for run in fresh if run.arm == name] for name in (second, first)))
        if len(pairs) < 2 or not same_start(pairs):
            return None
        sign = self._sign(metric)
        values = [tuple(sign * run.metrics[metric] for run in pair) for pair in pairs]
        return differences(*zip(*values, strict=True))


def gain_of(
    evidence: Evidence, comparison: Comparison, claim: Claim
) -> tuple[Sample, Sample, StatedGain]:
    """Return both declared arms' seeds, oriented, and the gain that a claim states over them.

    Raises:
        Missing: if the seeds establish no gain, or something is not known.
        Inapplicable: if no gain is claimed that the runs could show.
    """
    made = _Maker(evidence.claims, evidence.runs, evidence.get(Factors))
    return made.gain(comparison, claim)


SEVERAL = "a gain over several datasets, where arms need one: claim it on one dataset too"


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


def never_attributed(comparison: Comparison) -> Missing | None:
    """Return why no run could make arms of a comparison tell anything; None where some could."""
    over = [len({*claim.datasets.get(())}) > 1 for claim in comparison.claims]
    if all(over) and not comparison.dataset:
        return Missing(Reason.NOT_TESTABLE, SEVERAL)
    return None


def _without(bare: Effect, missing: Missing, changes: tuple[Change, ...]) -> Effect:
    return replace(bare, changes=changes, reason=missing.reason, why=missing.would_decide)


def _smaller(method: Sample, baseline: Sample, claimed: float) -> float | None:
    """Return the gain of the reruns where it is surely smaller than the claimed one, else None.

    The part of a claim that does not reproduce is no factor's.
    """
    from repcheck.stats.compare import welch

    assert method.finished is not None
    assert baseline.finished is not None
    gain = welch(method.finished, baseline.finished, GAIN_ALPHA)
    return gain.estimate if gain.high < claimed else None


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
