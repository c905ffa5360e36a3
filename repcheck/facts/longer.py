"""What each side of a comparison still gains where it is trained longer than it was."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from repcheck.claims.comparison import Comparison
from repcheck.errors import Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.axes import LONGER, axis_of
from repcheck.facts.effects import Effect, Effects
from repcheck.runs import Run

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.stats.compare import Interval

LENGTHS = frozenset(
    {"samples", "steps", "train_flops", "train.epochs", "train.iterations", "train.samples",
     "train.tokens"}
)  # fmt: skip
QUARTER = 0.25
TWO_SIDED = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Longer:
    """What one longer training gains over the declared one, put to one claim.

    `ratio` is how much longer it was, `gain` the 95 % interval of what it gains, in the metric's
    unit, oriented; None where the arm decides nothing: `reason` and `why` say what is lacking.
    `bound` is max(tolerance, a quarter of the claimed gain). `ahead` says that the longer baseline
    scores more than the method for certain.
    """

    effect: Effect
    ratio: float
    gain: Interval | None = None
    bound: float = 0.0
    ahead: bool = False
    reason: Reason | None = None
    why: str = ""

    @property
    def verdict(self) -> Literal["gains", "done", "open"]:
        """Return whether the training was cut short: above the bound, below it, or neither."""
        if self.gain is None:
            return "open"
        if self.gain.low > self.bound:
            return "gains"
        return "done" if self.gain.high < self.bound else "open"

    def quantity(self) -> Quantity:
        """Return the gain as evidence."""
        return Quantity(
            name=f"{self.effect.arm.id}.gain of training on",
            value=round(self.gain.estimate, 6) if self.gain else "not known",
            unit=self.effect.claim.metric.get(""),
            level=Level.RERUN,
            source=", ".join(self.effect.sources[:3]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LongerTrainings(Fact):
    """Every arm that trains a declared method on."""

    label: ClassVar[str] = "what training on would gain"
    effects: Effects
    runs: tuple[Run, ...]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the effects of the arms and the runs that tell their length."""
        return cls(effects=evidence.get(Effects), runs=evidence.runs)

    def of(self, comparison: Comparison, *, baseline: bool) -> tuple[Longer, ...]:
        """Return what longer trainings of the baseline, or of the method, show of each claim."""
        side = comparison.baseline if baseline else comparison.method
        return tuple(
            _longer(effect, ratio)
            for effect in self.effects.on(comparison)
            if effect.arm.method == side.id
            and LENGTHS & {*effect.arm.factors}
            and (ratio := self._ratio(effect)) > LONGER
        )

    def ratio(self, comparison: Comparison) -> float | None:
        """Return how many times as long the method was trained as the baseline; None: unknown."""
        lengths = [
            self._length(one.id, comparison.dataset, "samples")
            or self._length(one.id, comparison.dataset, "steps")
            for one in (comparison.method, comparison.baseline)
        ]
        return lengths[0] / lengths[1] if lengths[0] and lengths[1] else None

    def _ratio(self, effect: Effect) -> float:
        dataset = effect.comparison.dataset
        for axis in ("samples", "steps"):
            arm, declared = (
                self._length(name, dataset, axis) for name in (effect.arm.id, effect.arm.method)
            )
            if arm and declared:
                return arm / declared
        return 1.0

    def _length(self, arm: str, dataset: str, axis: str) -> float | None:
        mine = [run for run in self.runs if run.arm == arm and dataset in {"", run.dataset}]
        found = [value for run in mine if (value := axis_of(run, axis)) is not None]
        return median(found) if found else None


def _longer(effect: Effect, ratio: float) -> Longer:
    found = effect.attribution
    if found is None:
        reason = effect.reason or Reason.NOT_OBSERVED
        return Longer(effect=effect, ratio=ratio, reason=reason, why=effect.why)
    method, baseline, arm = effect.means
    before = method if effect.removes else baseline
    if found.interval is None or before is None or arm is None or method is None:
        return Longer(
            effect=effect, ratio=ratio, reason=Reason.UNDERPOWERED, why=found.rule_in_words
        )
    from repcheck.stats.compare import welch

    tolerance = effect.claim.tolerance.get(0.0)
    return Longer(
        effect=effect,
        ratio=ratio,
        gain=welch(arm, before, TWO_SIDED),
        bound=max(tolerance, QUARTER * found.claimed),
        ahead=not effect.removes and welch(arm, method, TWO_SIDED).low > 0,
    )
