"""How a measured gain divides into the idea and the budget, where all four cells were run.

The cells are {baseline, method} x {its own budget, the other's}: both as declared, the baseline at
the method's budget (aligned up) and the method at the baseline's (aligned down), on one axis, each
by its fresh seeds and each a valid arm. phi_method = 1/2 [(method at the baseline's budget -
baseline) + (method - baseline at the method's budget)], phi_budget likewise; they sum to the
measured gain. Cells are taken as independent. A cell that is not there is named, never assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.arms import NoArm
from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claim, Method
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Evidence, Fact
from repcheck.facts.arm_validity import ON_TARGET
from repcheck.facts.axes import axis_of
from repcheck.facts.effects import Effect, Effects, gain_of
from repcheck.facts.gains import StatedGain
from repcheck.facts.trials import Trials

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.stats.compare import Interval, Summary
    from repcheck.stats.waterfall import Split, Waterfall

AXES = ("samples", "steps", "train_flops")
LENGTHS = ("epochs", "iterations", "samples", "tokens")
TWO_SIDED = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """A part of a division that is not there, and what would supply it."""

    what: str
    would_decide: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """One claim's gain over one baseline, divided as far as its cells exist; oriented means.

    `cells` are baseline, baseline at the method's budget, method at the baseline's, and method.
    `split` and `waterfall` are None where a cell is missing; `luck` is what the paper reports
    beyond the measured gain, `tuning` what more trials than the baseline's gave.
    """

    comparison: Comparison
    claim: Claim
    axis: str
    stated: StatedGain
    cells: tuple[Summary | None, ...]
    total: Interval
    luck: Interval
    split: Split | None = None
    tuning: Interval | None = None
    waterfall: Waterfall | None = None
    lacking: tuple[Lacking, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits(Fact):
    """Every gain of which a budget was made equal, divided as far as it can be."""

    label: ClassVar[str] = "the split of a gain"
    divided: tuple[Divided, ...]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Divide the gains whose arms were run; without arms there is nothing to divide."""
        if not evidence.runs or not (evidence.arms or evidence.no_arms):
            return cls(divided=())
        maker = _Maker(evidence, evidence.get(Effects))
        return cls(
            divided=tuple(
                found
                for comparison in comparisons(evidence.claims)
                for claim in comparison.claims
                if claim.metric.known
                for found in maker.of(comparison, claim)
            )
        )


@dataclass(frozen=True, slots=True)
class _Maker:
    evidence: Evidence
    effects: Effects

    def of(self, comparison: Comparison, claim: Claim) -> Iterator[Divided]:
        """Yield one division for each axis on which a budget was, or could not be, made equal."""
        heard = [one for one in self.effects.on(comparison) if one.claim is claim]
        placed = [(self._axis(one), one) for one in heard]
        lacking = [
            none
            for none in self.effects.lacking(comparison)
            if none.change == "align" and set(none.factors) & {*AXES}
        ]
        for axis in AXES:
            mine = [one for where, one in placed if where == axis]
            refused = [none for none in lacking if axis in none.factors]
            if not mine and not refused:
                continue
            try:
                yield self._divided(comparison, claim, axis, mine, refused)
            except (Missing, Inapplicable):
                continue

    def _axis(self, effect: Effect) -> str:
        """Return on which axis an arm is at the other side's budget; "" if on none.

        An arm of the authors is on the first axis on which its own runs meet the other side's.
        """
        arm = effect.arm
        if arm.target is not None:
            return arm.target.axis
        if arm.change != "align" or effect.attribution is None:
            return ""
        for axis in AXES[:2]:
            reached, wanted = (self._spent(one, effect, axis) for one in (arm.id, arm.beside))
            if reached and wanted and abs(reached / wanted - 1) <= ON_TARGET:
                return axis
        return ""

    def _spent(self, arm: str, effect: Effect, axis: str) -> float | None:
        dataset = effect.comparison.dataset
        found = [
            value
            for run in self.evidence.runs
            if run.arm == arm and dataset in {"", run.dataset}
            if (value := axis_of(run, axis)) is not None
        ]
        return median(found) if found else None

    def _divided(
        self,
        comparison: Comparison,
        claim: Claim,
        axis: str,
        effects: Sequence[Effect],
        refused: Sequence[NoArm],
    ) -> Divided:
        from repcheck.stats.compare import t_interval, welch

        ours, theirs, stated = gain_of(self.evidence, comparison, claim)
        assert ours.finished is not None
        assert theirs.finished is not None
        up = next((one for one in effects if not one.removes and one.attribution), None)
        down = next((one for one in effects if one.removes and one.attribution), None)
        cells = (theirs.finished, _cell(up), _cell(down), ours.finished)
        total = welch(ours.finished, theirs.finished, TWO_SIDED)
        lacking = list(self._lacking(comparison, effects, refused))
        tuning = self._tuning(comparison, claim, lacking)
        bare = Divided(
            comparison=comparison, claim=claim, axis=axis, stated=stated, cells=cells, total=total,
            luck=t_interval(stated.value - total.estimate, total.se, total.df, TWO_SIDED),
            tuning=tuning, lacking=tuple(lacking),
        )  # fmt: skip
        return _with_split(bare)

    def _tuning(
        self, comparison: Comparison, claim: Claim, lacking: list[Lacking]
    ) -> Interval | None:
        try:
            return self.evidence.get(Trials).gain(comparison, claim)
        except Missing as missing:
            lacking.append(
                Lacking(what="what more tuning trials gave", would_decide=missing.would_decide)
            )
            return None

    def _lacking(
        self,
        comparison: Comparison,
        effects: Sequence[Effect],
        refused: Sequence[NoArm],
    ) -> Iterator[Lacking]:
        """Yield each cell that is not there, with why it is not."""
        sides = (comparison.baseline, comparison.method)
        for side, other in (sides, sides[::-1]):
            mine = [one for one in effects if one.arm.method == side.id]
            if any(one.attribution for one in mine):
                continue
            what = f"`{side.id}` at the budget of `{other.id}`"
            why = [one.why for one in mine] + [
                none.would_decide for none in refused if none.method == side.id
            ]
            said = why[0] if why else _to_ask(side, other, effects)
            yield Lacking(what=what, would_decide=said or f"an arm of {what}")


def _cell(effect: Effect | None) -> Summary | None:
    return effect.means[2] if effect is not None else None


def _with_split(bare: Divided) -> Divided:
    from repcheck.stats.waterfall import split, waterfall

    none, more, alone, both = bare.cells
    if none is None or more is None or alone is None or both is None:
        return bare
    found = split(
        baseline=none,
        baseline_with_compute=more,
        method_at_baseline_compute=alone,
        method=both,
        alpha=TWO_SIDED,
    )
    laid = waterfall(bare.stated.value, found, tuning=bare.tuning, alpha=TWO_SIDED)
    return replace(bare, split=found, waterfall=laid)


def _to_ask(side: Method, other: Method, effects: Sequence[Effect]) -> str:
    """Return the line that asks for the arm that repcheck runs only where the other is open."""
    arm = next((one.arm for one in effects if one.arm.method == other.id), None)
    unit = next((name for name in LENGTHS if arm is not None and name in arm.set), None)
    if arm is None or unit is None:
        return ""
    own, theirs = getattr(side.train, unit), getattr(other.train, unit)
    if not (own.known and theirs.known):
        return f"declare `{own.path}` and `{theirs.path}`"
    value = own.value * theirs.value / float(arm.set[unit])
    said = f"{max(1, round(value))}" if float(own.value).is_integer() else f"{value:.6g}"
    return (
        f'`arms: [{{id: "{side.id} at the budget of {other.id}", of: {side.id}, factor:'
        f" train.{unit}, kind: align, override: {{{unit}: {said}}}}}]`: repcheck makes it by itself"
        " only where the other arm decides nothing"
    )
