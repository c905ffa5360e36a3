"""What a part of a method is worth: what the method loses where the part is taken from it.

G = mean(method) - mean(method without the part), by the fresh seeds of both: seed by seed (paired
t) where both were seen to begin with the same weights, else by Welch's t. With the margin of
attribution, delta = min(half the claim, max(tolerance, a quarter of the claim)), in this order:

- `contributes`: the lower end of G's 95 % interval lies above zero;
- `decorative`: its 90 % interval lies within delta of zero on both sides: two one-sided 5 % tests;
- `inconclusive`: otherwise, with the seeds per arm whose interval would be narrow enough.

What is worth little for certain is not called decorative: its authors may say just that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from repcheck.arms import Arm, NoArm, takes
from repcheck.claims.comparison import LOSSES, Comparison, parts_of
from repcheck.claims.model import Claim, Claims, Method
from repcheck.errors import Reason
from repcheck.fact import Evidence, Fact
from repcheck.facts.effects import Effect, Effects
from repcheck.facts.gains import row_of
from repcheck.facts.network_words import words_of
from repcheck.facts.reruns import Reruns
from repcheck.runs import Run, SeedKind

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.stats.compare import Interval, Summary

Sort = Literal["loss", "gate", "search", "rl", "component"]
WorthVerdict = Literal["contributes", "decorative", "inconclusive"]
GATE_WORDS = frozenset(
    {"gate", "gates", "gated", "gating", "layerscale", "rezero", "skipinit", "fixup"}
)
_TAKEN = frozenset({"remove", "eval-only"})
POLICIES = frozenset({"rl", "policy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What one arm showed of a part, put to one claim; in the metric's unit, higher is better.

    `verdict` is None where the arm decides nothing: `reason` and `why` then say what is lacking.
    `seeds_needed` (per arm) is set for an inconclusive verdict that more seeds could decide; `n`
    says in words how many seeds it rests on. `told` is what the paper's own ablation says that the
    part is worth.
    """

    effect: Effect
    verdict: WorthVerdict | None = None
    interval: Interval | None = None
    interval90: Interval | None = None
    margin: float = 0.0
    seeds_needed: int | None = None
    n: str = ""
    told: float | None = None
    reason: Reason | None = None
    why: str = ""

    @property
    def arm(self) -> Arm:
        """Return the arm."""
        return self.effect.arm

    @property
    def claim(self) -> Claim:
        """Return the claim whose metric it is measured in."""
        return self.effect.claim

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name that the part goes by."""
        return tuple(name for factor in self.arm.factors for name in parts_of(factor))

    @property
    def headline(self) -> bool:
        """Whether the claim credits this very part with the gain."""
        return bool({*self.claim.attributed_to.get(())} & {*self.names})

    @property
    def conceded(self) -> bool:
        """Whether the paper says itself that the part is worth next to nothing."""
        return self.told is not None and self.told <= self.margin and not self.headline

    @property
    def left(self) -> tuple[float, str] | None:
        """Return the gain that remains without the part and its verdict; None if not known."""
        found = self.effect.attribution
        if found is None or found.remaining is None:
            return None
        return found.remaining, found.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Worths(Fact):
    """Every arm that takes a part from a proposed method, and what it shows of that part."""

    label: ClassVar[str] = "what the parts of a method are worth"
    claims: Claims
    effects: Effects
    runs: tuple[Run, ...]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the effects of the arms; without arms nothing is known of any part."""
        return cls(claims=evidence.claims, effects=evidence.get(Effects), runs=evidence.runs)

    def of(self, comparison: Comparison, sort: Sort) -> tuple[tuple[Worth, ...], ...]:
        """Return what the arms of one sort of part showed, arm by arm, each put to every claim."""
        found: dict[str, list[Worth]] = {}
        for effect in self.effects.on(comparison):
            if effect.removes and sort_of(effect.arm, comparison) == sort:
                found.setdefault(effect.arm.id, []).append(self._worth(effect))
        return tuple(map(tuple, found.values()))

    def refused(self, comparison: Comparison, sort: Sort) -> Iterator[NoArm]:
        """Yield the arms of one sort that the claims file asks for and that were not run."""
        for one in self.effects.lacking(comparison):
            if one.method == comparison.method.id and sort_of(one, comparison) == sort:
                yield one

    def elsewhere(self, comparison: Comparison, sort: Sort) -> bool:
        """Return whether the same method's parts are judged beside another baseline."""
        return any(
            effect.arm.method == comparison.method.id
            and effect.comparison.id != comparison.id
            and effect.comparison.dataset == comparison.dataset
            and sort_of(effect.arm, effect.comparison) == sort
            for effect in self.effects.effects
        )

    def _worth(self, effect: Effect) -> Worth:
        found = effect.attribution
        if found is None:
            reason = effect.reason or Reason.NOT_OBSERVED
            return Worth(effect=effect, reason=reason, why=effect.why)
        whole, _, without = effect.means
        if found.interval is None or whole is None or without is None:
            return Worth(effect=effect, reason=Reason.UNDERPOWERED, why=found.rule_in_words)
        if crashed := self._crashed(effect, whole, without):
            return Worth(effect=effect, reason=Reason.COMMAND_FAILED, why=crashed)
        worth = _judged(effect, whole, without, found.margin)
        return replace(worth, told=self._told(worth))

    def _told(self, worth: Worth) -> float | None:
        """Return what a row of the ablation says of a part: the reported value less the row's."""
        metric, dataset = worth.claim.metric.value, worth.effect.comparison.dataset
        whole = row_of(self.claims, worth.effect.comparison.method, dataset, metric)
        if whole is None or not whole.centre.known:
            return None
        sign = 1 if self.claims.metrics[metric].higher_is_better.value else -1
        for row in self.claims.ablations or ():
            value = row.result.get({}).get(metric)
            if row.component.get("") in worth.names and isinstance(value, int | float):
                return float(sign * (whole.centre.value - value))
        return None

    def _crashed(self, effect: Effect, *finished: Summary) -> str:
        """Return why the crashed seeds of an arm leave no verdict; "" where they do not."""
        from repcheck.stats.criteria import DEFAULT
        from repcheck.stats.decision import Sample, shortfalls

        reruns, metric = Reruns(runs=self.runs), effect.claim.metric.value
        samples = {}
        for name, values in zip((effect.arm.method, effect.arm.id), finished, strict=True):
            seeds = reruns.arm(name, effect.comparison.dataset, metric, SeedKind.FRESH)
            samples[f"`{name}`"] = Sample(finished=values, crashed=len(seeds.failed))
        return "; ".join(shortfalls(DEFAULT, samples))


def _judged(effect: Effect, whole: Summary, without: Summary, margin: float) -> Worth:
    from repcheck.stats.attribution import intervals, seeds_to_narrow

    wide, narrow, _, pairs = intervals(whole, without, effect.pairs)
    assert wide is not None
    assert narrow is not None
    verdict: WorthVerdict = "inconclusive"
    if wide.low > 0:
        verdict = "contributes"
    elif -margin <= narrow.low and narrow.high <= margin:
        verdict = "decorative"
    open_still = verdict == "inconclusive"
    samples = (whole, without) if pairs is None else (pairs,)
    needed = seeds_to_narrow(samples, margin / 2) if open_still else None
    n = f"n = {whole.n} + {without.n}" if pairs is None else f"n = {pairs.n} pairs"
    return Worth(
        effect=effect, verdict=verdict, interval=wide, interval90=narrow, margin=margin,
        seeds_needed=needed, n=n,
    )  # fmt: skip


def sort_of(arm: Arm | NoArm, comparison: Comparison) -> Sort | None:
    """Return what sort of part an arm takes from the method; None if it takes none."""
    names = {name for factor in arm.factors for name in parts_of(factor)}
    heads = {name.partition(".")[0] for name in names}
    surgery = arm.surgery if isinstance(arm, Arm) else ()
    if "search" in heads and arm.change in {"swap", "remove"}:
        return "search"
    if heads & POLICIES or any(one.get("kind") == "policy" for one in surgery):
        return "rl" if arm.change in {"swap", *_TAKEN} else None
    if arm.change not in _TAKEN:
        return None
    losses = {loss.name.get("") for loss in comparison.method.losses or ()} - {""}
    if heads & LOSSES or names & losses:
        return "loss"
    if any(one.get("kind") == "freeze" for one in surgery) or any(map(is_gate, names)):
        return "gate"
    return "component" if any(map(comparison.owns, arm.factors)) else None


def is_gate(name: str) -> bool:
    """Return whether a name says that it is a gate: `zero-gate`, `gates.beta`, `LayerScale`."""
    return bool(words_of(name) & GATE_WORDS)


def suggested(claims: Claims, method: Method, part: str, factor: str) -> str:
    """Return the arm that would tell what a part is worth, as it would stand in the file."""
    short = part.rpartition(".")[2]
    taken = next((name for name in (short, f"{short}_weight") if takes(claims, method, name)), "")
    override = f"{{{taken}: 0}}" if taken else f'{{cli: "--{short} 0"}}'
    return (
        f"`arms: [{{id: {method.id}-{short}, of: {method.id}, factor: {factor}, kind: remove,"
        f" override: {override}}}]`"
    )
