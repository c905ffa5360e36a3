"""In how many neighbouring settings of the hyperparameters a gain is still there.

The settings are those of the sweep that the claims file asks for: one hyperparameter at half or at
twice its value, on both sides by the same factor. In each the gain is mean(method) -
mean(baseline) over the fresh seeds, with Welch's 95 % interval, and the setting is

- `apart`: not counted, where an arm is not valid or the baseline itself does not train there;
- `lost`: surely less than half of the declared gain is left: the 95 % interval of gain - half of
  the gain as declared lies below zero (contrast of the four means, Welch-Satterthwaite); or the
  method diverged in most of its runs;
- `kept`: the gain is surely there (the lower end of its interval is above zero), and its mean is at
  least half of the declared one;
- `open`: otherwise.

A baseline trains in a setting if its runs ended, its training loss fell where that was seen, its
scores are not one and the same for all seeds where they were not before, and its mean keeps at
least half of the way from chance to its own score as declared. Chance is one over the number of
`labels.classes`; where that is not stated, 50 % for a share above one half and otherwise 0. A score
that is better when lower may at most double, and for a share not pass half of the way to chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from repcheck.arms import Arm, NoArm
from repcheck.claims.comparison import Comparison, dataset_named
from repcheck.claims.model import Claim
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.arm_diff import (
    agreed,
    allowed_keys,
    paired,
    repeatable,
    same_end,
    unseen,
)
from repcheck.facts.effects import FEWEST, gain_of
from repcheck.runs import Run, SeedKind, Status
from repcheck.sweep import Point, points, settable

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.stats.compare import Interval, Summary

Standing = Literal["kept", "lost", "open", "apart"]
TWO_SIDED = 0.025
HALF = 0.5
_SHARES = {"percent": 100.0, "%": 100.0, "fraction": 1.0}
_PLAIN_WAYS = frozenset({"placeholder", "cli"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One neighbouring setting and what the gain was there; means are oriented, higher is better.

    `gain` is None where nothing could be compared; `why` says why a setting is apart.
    """

    point: Point
    standing: Standing
    method: Summary | None = None
    baseline: Summary | None = None
    gain: Interval | None = None
    why: str = ""
    reason: Reason | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a sweep shows of one claim: the gain as declared, and in each neighbouring setting.

    `settings` are sorted by what the setting takes from the gain, the most first; those that are
    not counted stand last.
    """

    claim: Claim
    declared: Interval
    n_method: int
    n_baseline: int
    settings: tuple[Setting, ...]

    def count(self, *standings: Standing) -> int:
        """Return in how many settings the gain stands so."""
        return sum(one.standing in standings for one in self.settings)

    @property
    def counted(self) -> int:
        """Return in how many settings the baseline trains and both arms are valid."""
        return len(self.settings) - self.count("apart")

    @property
    def width(self) -> float | None:
        """Return the share of the counted settings in which the gain is kept."""
        return self.count("kept") / self.counted if self.counted else None

    def quantities(self) -> tuple[Quantity, ...]:
        """Return the gain as declared and in each setting as evidence, in the metric's unit."""
        unit = self.claim.metric.get("")
        found = [
            Quantity(name="gain as declared", value=round(self.declared.estimate, 6), unit=unit,
                     level=Level.RERUN),
            Quantity(name="robustness width",
                     value=round(self.width, 4) if self.width is not None else "not known",
                     unit="share of neighbouring settings", level=Level.RERUN),
        ]  # fmt: skip
        found += [
            Quantity(name=f"gain at {one.point.label}", value=round(one.gain.estimate, 6),
                     unit=unit, level=Level.RERUN, source=", ".join(one.sources[:3]))
            for one in self.settings if one.gain is not None
        ]  # fmt: skip
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity(Fact):
    """The sweeps that the claims file asks for, as far as they were run."""

    label: ClassVar[str] = "the gain in neighbouring settings"
    evidence: Evidence

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs and arms as they are."""
        return cls(evidence=evidence)

    def asked(self, comparison: Comparison) -> tuple[Point, ...]:
        """Return the settings that the claims file asks for."""
        return points(self.evidence.claims, comparison)

    def settable(self, comparison: Comparison) -> list[str]:
        """Return which of the usual hyperparameters the commands of both sides take."""
        return settable(self.evidence.claims, comparison)

    def each(self, comparison: Comparison) -> list[Sweep | Missing | Inapplicable]:
        """Return what the sweep shows of each metric: of the first claim on it whose gain can be
        judged, else what that claim lacks which comes nearest to it.
        """
        found: dict[str, Sweep | Missing | Inapplicable] = {}
        for claim in comparison.claims:
            name = claim.metric.get("")
            if not name or isinstance(found.get(name), Sweep):
                continue
            try:
                found[name] = self.of(comparison, claim)
            except Missing as missing:
                if not isinstance(found.get(name), Missing):
                    found[name] = missing
            except Inapplicable as gap:
                found.setdefault(name, gap)
        return [*found.values()]

    def of(self, comparison: Comparison, claim: Claim) -> Sweep:
        """Return what the sweep shows of one claim.

        Raises:
            Missing: if no sweep is asked for or none was run, or the gain is not established.
            Inapplicable: if no gain is claimed.
        """
        from repcheck.stats.compare import welch

        asked = self.asked(comparison)
        if not asked:
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{comparison.method.tuning.sweep.path}`")
        if not self.evidence.runs:
            raise Missing(Reason.NOT_OBSERVED, "rerun it with `repcheck check`")
        ours, theirs, _ = gain_of(self.evidence, comparison, claim)
        assert ours.finished is not None
        assert theirs.finished is not None
        judge = _Judge(self.evidence, comparison, claim, ours.finished, theirs.finished)
        settings = tuple(sorted(map(judge.setting, asked), key=_effect))
        return Sweep(
            claim=claim,
            declared=welch(ours.finished, theirs.finished, TWO_SIDED),
            n_method=ours.n,
            n_baseline=theirs.n,
            settings=settings,
        )


def _effect(setting: Setting) -> tuple[bool, float]:
    gain = float("-inf") if setting.gain is None else setting.gain.estimate
    return setting.standing == "apart", gain


@dataclass(frozen=True, slots=True)
class _Judge:
    evidence: Evidence
    comparison: Comparison
    claim: Claim
    ours: Summary
    theirs: Summary

    def setting(self, point: Point) -> Setting:
        """Return how the gain stands in one setting."""
        try:
            mine = self._runs(point.ours)
            other = (
                self._of(self.comparison.baseline.id)
                if point.theirs is None
                else self._runs(point.theirs)
            )
            baseline = self._baseline(other)
        except Missing as missing:
            return Setting(
                point=point, standing="apart", why=missing.would_decide, reason=missing.reason
            )
        sources = tuple(f"run {run.key[:12]}" for run in (*mine, *other))
        diverged = self._diverging(self.comparison.method.id, mine)
        if 2 * len(diverged) > len(mine):
            words = f"`{self.comparison.method.id}` diverged in {len(diverged)} of {len(mine)} runs"
            return Setting(
                point=point, standing="lost", baseline=baseline, why=words, sources=sources
            )
        try:
            method = self._summary(mine, point.ours.id)
        except Missing as missing:
            return Setting(
                point=point, standing="apart", why=missing.would_decide, reason=missing.reason
            )
        return self._compared(point, method, baseline, sources)

    def _compared(
        self, point: Point, method: Summary, baseline: Summary, sources: tuple[str, ...]
    ) -> Setting:
        from repcheck.stats.compare import welch
        from repcheck.stats.waterfall import contrast

        gain = welch(method, baseline, TWO_SIDED)
        cells = [(1.0, method), (-1.0, baseline), (-HALF, self.ours), (HALF, self.theirs)]
        if point.theirs is None:
            # The baseline as declared stands in both gains: its errors partly cancel.
            cells = [(1.0, method), (HALF - 1.0, baseline), (-HALF, self.ours)]
        beyond_half = contrast(cells, TWO_SIDED)
        standing: Standing = "open"
        if beyond_half.high < 0:
            standing = "lost"
        elif gain.low > 0 and beyond_half.estimate >= 0:
            standing = "kept"
        return Setting(
            point=point, standing=standing, method=method, baseline=baseline, gain=gain,
            sources=sources,
        )  # fmt: skip

    # --- runs ---------------------------------------------------------------------------------

    def _of(self, arm: str) -> list[Run]:
        dataset = self.comparison.dataset
        return [
            run
            for run in self.evidence.runs
            if run.arm == arm
            and dataset in {"", run.dataset}
            and run.seed_kind is SeedKind.FRESH
            and not run.replicate
        ]

    def _runs(self, arm: Arm | NoArm) -> list[Run]:
        """Return the runs of an arm that is one: it was made, and seen to change what it should.

        Raises:
            Missing: if it was not.
        """
        if isinstance(arm, NoArm):
            raise Missing(arm.reason, arm.would_decide)
        for none in self.evidence.no_arms:
            here = none.dataset in {"", self.comparison.dataset}
            if here and (none.id, none.method) == (arm.id, arm.method):
                raise Missing(none.reason, none.would_decide)
        mine = self._of(arm.id)
        if not mine:
            raise Missing(Reason.NOT_OBSERVED, f"run the arm `{arm.id}`")
        parents = [run for run in self.evidence.runs if run.arm == arm.method]
        _changed(arm, [run for run in mine if run.status is Status.OK], parents)
        return mine

    def _diverging(self, method: str, runs: Sequence[Run]) -> list[Run]:
        """Return the runs that diverged; none where the method's loss grows as declared too."""
        return [] if any(map(_diverged, self._of(method))) else [*filter(_diverged, runs)]

    def _summary(self, runs: Sequence[Run], name: str) -> Summary:
        from repcheck.stats.compare import Summary

        metric = self.claim.metric.value
        done = [run for run in runs if run.status is Status.OK and metric in run.metrics]
        if failed := next((run for run in runs if run not in done), None):
            why = failed.reason or failed.status.value
            raise Missing(Reason.COMMAND_FAILED, f"mend the arm `{name}`: {why}")
        if len(done) < FEWEST:
            words = f"{FEWEST} finished seeds of `{name}`: n = {len(done)} is too few"
            raise Missing(Reason.UNDERPOWERED, words)
        return Summary.of([self._sign() * run.metrics[metric] for run in done])

    def _sign(self) -> int:
        metric = self.evidence.claims.metrics[self.claim.metric.value]
        return 1 if metric.higher_is_better.value else -1

    # --- does the baseline train there? -------------------------------------------------------

    def _baseline(self, runs: Sequence[Run]) -> Summary:
        name = self.comparison.baseline.id
        if self._diverging(name, runs):
            raise Missing(Reason.NOT_TESTABLE, f"`{name}` does not train here: it diverges")
        here = self._summary(runs, runs[0].arm)
        floor = self._floor()
        if floor is None:
            raise Missing(
                Reason.NOT_TESTABLE, f"a score of `{name}` above chance: here nobody can say what"
                " half of it would be"
            )  # fmt: skip
        sign = self._sign()
        if here.mean < floor:
            raise Missing(
                Reason.NOT_TESTABLE,
                f"`{name}` does not train here: it scores {sign * here.mean:.4g};"
                f" {sign * floor:.4g} is half of the way from chance to"
                f" {sign * self.theirs.mean:.4g}",
            )
        if here.sd == 0 and self.theirs.sd:
            raise Missing(
                Reason.NOT_TESTABLE,
                f"`{name}` does not train here: all seeds end at {sign * here.mean:.4g}",
            )
        return here

    def _floor(self) -> float | None:
        """Return the score below which the baseline is not trained, oriented; None: not known."""
        metric = self.evidence.claims.metrics[self.claim.metric.value]
        whole = _SHARES.get(metric.unit.get(""))
        score = self._sign() * self.theirs.mean
        classes = dataset_named(self.evidence.claims, self.comparison.dataset).labels.classes
        if self._sign() > 0:
            chance = 0.0
            if whole is not None and classes.known:
                chance = whole / classes.value
            elif whole is not None and score > whole / 2:
                chance = whole / 2
            return chance + HALF * (score - chance) if score > chance else None
        if score <= 0:
            return None
        most = 2 * score
        if whole is not None:
            chance = whole * (1 - 1 / classes.value) if classes.known else whole / 2
            most = min(most, score + HALF * (chance - score)) if score < chance else most
        return -most


def _diverged(run: Run) -> bool:
    """Return whether a run's training was seen to end worse than it began, or in no number."""
    training = run.observation.training if run.observation else None
    if training is None:
        return False
    trend = training.loss_trend
    return bool(training.loss_not_finite) or (trend is not None and not trend < 1)


def _changed(arm: Arm, mine: Sequence[Run], parents: Sequence[Run]) -> None:
    """Raise `Missing` unless an arm's runs changed what it asks for and nothing else.

    Where no probe could see the training, a placeholder counts if the same seed run twice gives
    the same score and the arm gives another: nothing but that one word of the command differs.
    """
    pairs = paired(mine, parents)
    if not pairs:
        return  # every run failed: what that says is not this function's
    if all(_untrained(run) for pair in pairs for run in pair):
        if arm.how in _PLAIN_WAYS and _scores_moved(pairs, parents):
            return
        words = f"runs of `{arm.id}` in which the probe sees the training, or other scores than"
        raise Missing(Reason.NOT_OBSERVED, f"{words} those of `{arm.method}`, which repeat")
    if why := unseen(pairs):
        words = f"runs of `{arm.id}` and `{arm.method}` that were seen whole ({why})"
        raise Missing(Reason.NOT_OBSERVED, words)
    changes = agreed(pairs, allowed_keys(arm))
    if other := [change for change in changes if not change.allowed]:
        told = "; ".join(map(str, other[:3]))
        raise Missing(
            Reason.INVALID_ARM,
            f"an arm that changes `{arm.factors[0]}` and nothing else ({told})",
        )
    if not changes and (same_end(pairs) or not repeatable(parents)):
        raise Missing(Reason.INVALID_ARM, f"a sweep that changes something: {arm.changes}")


def _untrained(run: Run) -> bool:
    """Return whether a probe was there and saw no optimizer: the training is no network's."""
    return run.observation is not None and run.observation.training is None


def _scores_moved(pairs: Sequence[tuple[Run, Run]], parents: Sequence[Run]) -> bool:
    first = {run.seed: run.metrics for run in parents if not run.replicate}
    again = [run for run in parents if run.replicate and run.seed in first]
    same = bool(again) and all(run.metrics == first[run.seed] for run in again)
    return same and any(before.metrics != after.metrics for before, after in pairs)
