"""The arms that would tell where a gain comes from, cheapest information first.

Those that the authors support (`arms:`), and those that repcheck makes: the baseline with every
difference beside the contribution at once, each of them alone, and both methods at the other's
budget; last of all the sweep of hyperparameters, where the claims file asks for one. What an arm
needs and the commands do not take is said with the exact text to add.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from repcheck.arms import AUTO, Arm, Change, NoArm, Target, takes
from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claims, DeclaredArm, Method
from repcheck.claims.offer import canonical
from repcheck.edits import parse_override
from repcheck.errors import Inapplicable, Missing, Reason, RepcheckError
from repcheck.fact import Evidence
from repcheck.facts.compute import Compute
from repcheck.facts.factors import Factor, Factors
from repcheck.facts.work import Seen, Work, more_samples
from repcheck.rescues import rescues
from repcheck.sweep import swept

ALIGNED = 1.05
ALIGNED_FLOPS = 1.10
SAME_TARGET = 0.02
MOST_TIMES = 10
"""A baseline is not trained more times as long for equal FLOPs: its size is the question then."""
COARSE = 0.10
"""An aligned arm that cannot come closer to its target than this is none."""
TWICE = ("sam", "lbfgs", "sharpness")
LENGTHS = ("epochs", "iterations", "samples", "tokens")
_WORDS = {"steps": "steps", "samples": "samples", "train_flops": "training FLOPs"}
Stage = Literal[
    "eval-only", "aggregate", "aligned", "compute", "factor", "aligned-down", "sweep"
]  # fmt: skip
STAGES: tuple[Stage, ...] = get_args(Stage)
_STAGE_OF: Mapping[str, Stage] = {"eval-only": "eval-only", "align": "aligned"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Arms by the stage of work in which they are run, and those that cannot be made."""

    arms: Mapping[Stage, tuple[Arm, ...]] = field(default_factory=dict)
    refused: tuple[NoArm, ...] = ()


def wanted(evidence: Evidence, comparison: Comparison) -> Wanted:
    """Return the arms of one comparison, by what is known of it so far."""
    maker = _Maker(evidence, comparison)
    found: dict[Stage, list[Arm]] = {stage: [] for stage in STAGES}
    refused: list[NoArm] = []
    declared: list[Arm] = []
    for one in maker.declared():
        if isinstance(one, NoArm):
            refused.append(one)
        else:
            declared.append(one)
            found[_STAGE_OF.get(one.change, "factor")].append(one)
    whole, lacking = maker.aggregate(declared)
    refused += lacking
    if whole is not None and whole in declared:
        found["factor"].remove(whole)
    if whole is not None:
        found["aggregate"].append(whole)
        found["factor"] += maker.alone(whole, declared)
    for stage, one in maker.aligned():
        if isinstance(one, NoArm):
            refused.append(one)
        else:
            found[stage].append(one)
    found["eval-only"] += rescues(evidence, comparison)
    for one in swept(evidence.claims, comparison):
        if isinstance(one, NoArm):
            refused.append(one)
        else:
            found["sweep"].append(one)
    dataset = comparison.dataset
    placed = {
        stage: tuple(replace(arm, dataset=dataset) for arm in arms) for stage, arms in found.items()
    }
    return Wanted(arms=placed, refused=tuple(refused))


def uncompared(claims: Claims) -> Iterator[NoArm]:
    """Yield the arms of the claims file on which no comparison of the claims bears."""
    pairs = [(one.method.id, one.baseline.id) for one in comparisons(claims)]
    for number, stated in enumerate(claims.arms):
        of = stated.of.get("")
        if not any(of in pair for pair in pairs):
            missing = Missing(Reason.NOT_TESTABLE, f"a claim that compares `{of}` with a baseline")
            if not of:
                missing = Missing(Reason.UNDECLARED_KEY, f"declare `{stated.of.path}`")
            yield NoArm(
                id=stated.id.get(f"arm {number + 1}"), method=of, beside="",
                factors=tuple(filter(None, [canonical(stated.factor.get(""))])),
                change=stated.kind.get("add"), reason=missing.reason,
                would_decide=missing.would_decide,
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Maker:
    evidence: Evidence
    comparison: Comparison

    @property
    def claims(self) -> Claims:
        return self.evidence.claims

    # --- what the authors support -----------------------------------------------------------

    def declared(self) -> Iterator[Arm | NoArm]:
        """Yield the arms of the claims file that are derived from either side."""
        ours, theirs = self.comparison.method.id, self.comparison.baseline.id
        for number, stated in enumerate(self.claims.arms):
            of = stated.of.get("")
            if of in {ours, theirs}:
                yield self._declared(stated, number, beside=theirs if of == ours else ours)

    def _declared(self, stated: DeclaredArm, number: int, beside: str) -> Arm | NoArm:
        name = stated.id.get(f"arm {number + 1}")
        of, factor = stated.of.value, canonical(stated.factor.get(""))
        change: Change = stated.kind.get("add" if of == self.comparison.baseline.id else "remove")
        if not factor:
            missing = Missing(Reason.UNDECLARED_KEY, f"declare `{stated.factor.path}`")
            return self._none(name, of, (), missing, change)
        try:
            override = parse_override(stated.override.get({}))
        except RepcheckError as error:
            return self._none(
                name, of, (factor,), Missing(Reason.NO_PLACEHOLDER, str(error)), change
            )
        arm = Arm(
            id=name, kind="counterfactual", method=of, beside=beside, set=override.set,
            flags=override.flags, env=override.env, edits=override.edits,
            surgery=override.surgery, factors=(factor,), change=change,
            ours=False, decides=self._decides(of, f"without `{factor}`", f"with `{factor}`"),
        )  # fmt: skip
        method = self.claims.methods[of]
        for name_ in override.set:
            if not takes(self.claims, method, name_):
                return self._none(name, of, arm.factors, _no_placeholder(method, name_), change)
        return arm

    # --- what repcheck makes ----------------------------------------------------------------

    def aggregate(self, declared: Iterable[Arm]) -> tuple[Arm | None, list[NoArm]]:
        """Return the baseline with every difference beside the contribution, and what lacks."""
        base = self.comparison.baseline
        arm = Arm(
            id=f"{base.id} with all differences", kind="counterfactual", method=base.id,
            beside=self.comparison.method.id, change="add",
            decides="how much of the gain is not the contribution's at all",
        )  # fmt: skip
        lacking: list[NoArm] = []
        known = [one for one in declared if one.method == base.id and one.change in {"add", "swap"}]
        used: list[Arm] = []
        for factor in self.evidence.get(Factors).of(self.comparison):
            given = next((one for one in known if factor.key in one.factors), None)
            if given is None and (value := self._settable(factor)) is not None:
                given = Arm(
                    id=f"{base.id} with {factor.key}={factor.ours}", kind="counterfactual",
                    method=base.id, beside=arm.beside, set={value: factor.ours},
                    factors=(factor.key,), change="swap",
                    decides=self._decides(base.id, "", f"with `{factor.key}` {factor.ours}"),
                )  # fmt: skip
            if given is None:
                lacking.append(self._unsettable(factor))
            elif AUTO not in given.set.values():
                used.append(given)
                arm = _merged(arm, given)
        if not used:
            return None, lacking
        return (used[0] if len(used) == 1 else arm), lacking

    def alone(self, whole: Arm, declared: Iterable[Arm]) -> Iterator[Arm]:
        """Yield each difference that repcheck can give the baseline alone, if there are several."""
        if len(whole.factors) < 2:
            return
        taken = {factor for arm in declared for factor in arm.factors}
        for factor in self.evidence.get(Factors).of(self.comparison):
            name = self._settable(factor)
            if factor.key in whole.factors and factor.key not in taken and name is not None:
                yield replace(
                    whole, id=f"{whole.method} with {factor.key}={factor.ours}",
                    set={name: factor.ours}, flags=(), env={}, edits=(), surgery=(),
                    factors=(factor.key,), change="swap",
                    decides=self._decides(
                        whole.method, "", f"with `{factor.key}` {factor.ours}"
                    ),
                )  # fmt: skip

    def aligned(self) -> Iterator[tuple[Stage, Arm | NoArm]]:
        """Yield both sides at the other's budget, on every axis on which they differ."""
        targets: list[float] = []
        for axis, ratio, ours, theirs in self._axes():
            if any(abs(ratio / known - 1) <= SAME_TARGET for known in targets):
                continue
            targets.append(ratio)
            pair = self.comparison
            stage: Stage = "compute" if axis == "train_flops" else "aligned"
            yield stage, self._stretched(pair.baseline, pair.method, axis, (theirs, ours))
            yield "aligned-down", self._stretched(pair.method, pair.baseline, axis, (ours, theirs))

    def _axes(self) -> Iterator[tuple[str, float, float, float]]:
        """Yield the axes on which the method has more, its ratio and both raw values."""
        try:
            ours, theirs = self.evidence.get(Work).both(self.comparison)
        except Missing:
            return
        named = [claim.aligned_on for claim in self.comparison.claims]
        stated = {leaf.value for leaf in named if leaf.known}
        axes: tuple[Literal["samples", "steps"], ...] = ("samples",)
        if "iterations" in stated:
            axes = ("samples", "steps")
        share = self._of_longer_training(ours, theirs)
        for axis in axes:
            pair = _both(ours, theirs, axis)
            more = pair[0] / pair[1] * (share if axis == "samples" else 1.0) if pair else 0.0
            if pair is not None and more > ALIGNED:
                yield axis, pair[0] / pair[1], *pair
        costs = self._costs()
        if costs is not None and costs[1] > 0 and share * costs[0] / costs[1] > ALIGNED_FLOPS:
            yield "train_flops", share * costs[0] / costs[1], share * costs[0], costs[1]

    def _of_longer_training(self, ours: Seen, theirs: Seen) -> float:
        """Return which part of the ratio of samples is longer training.

        More different samples in as many epochs are more data, and views of one sample are one.
        """
        pair = _both(ours, theirs, "samples")
        if pair is None or not pair[0]:
            return 1.0
        work, dataset = self.evidence.get(Work), self.comparison.dataset
        views = [
            work.views(side, dataset) for side in (self.comparison.method, self.comparison.baseline)
        ]
        try:
            part = more_samples(ours, theirs) * pair[1] / pair[0]
        except (Missing, Inapplicable):
            part = 1.0
        return min(1.0, part, views[1] / views[0] if views[0] > views[1] else 1.0)

    def _costs(self) -> tuple[float, float] | None:
        """Return what both trainings cost in FLOPs; None where one was not counted whole.

        What saves memory computes again and learns nothing; the second passes of an optimizer that
        is declared to make them are that optimizer's.
        """
        found: list[float] = []
        for method in (self.comparison.method, self.comparison.baseline):
            try:
                cost = self.evidence.get(Compute).of(method, self.comparison.dataset)
                total = cost.total
            except Missing:
                return None
            if total.at_least or cost.sample is None:
                return None
            again = cost.sample.recompute * cost.sample.samples
            found.append((total.value - again) / (cost.sample.passes if _twice(method) else 1))
        return found[0], found[1]

    def _stretched(
        self, method: Method, other: Method, axis: str, values: tuple[float, float]
    ) -> Arm | NoArm:
        """Return a method trained as long as the other on an axis; its schedule is stretched."""
        own, wanted_value = values
        words = _WORDS[axis]
        name = f"{method.id} at the {words} of {other.id}"
        length = next((unit for unit in LENGTHS if takes(self.claims, method, unit)), None)
        stated = getattr(method.train, length) if length is not None else None
        if length is None or stated is None or not stated.known:
            return self._none(name, method.id, (axis,), _no_length(method), "align")
        before = float(stated.value)
        exact = before * wanted_value / own
        value = max(1, round(exact)) if before.is_integer() else exact
        if axis == "train_flops" and exact > MOST_TIMES * before:
            missing = Missing(
                Reason.NOT_TESTABLE,
                f"`{method.id}` as dear as `{other.id}` by its size: training it"
                f" ×{exact / before:.0f} as long for equal FLOPs would take longer than it tells",
            )
            return self._none(name, method.id, (axis,), missing, "align")
        if abs(value / exact - 1) > COARSE:
            missing = Missing(
                Reason.NOT_TESTABLE,
                f"a command of `{method.id}` that takes finer steps: {value:.10g} {length} is"
                f" ×{value / exact:.2f} of what equal {words} would take",
            )
            return self._none(name, method.id, (axis,), missing, "align")
        return Arm(
            id=name, kind="aligned", method=method.id, beside=other.id,
            set={length: f"{value:.10g}"}, factors=(axis,), change="align",
            target=Target(axis=axis, value=wanted_value, unit=own / before),
            decides=f"whether the gain remains at equal {words}",
        )  # fmt: skip

    # --- words and refusals -----------------------------------------------------------------

    def _decides(self, of: str, without: str, given: str) -> str:
        ours, theirs = self.comparison.method.id, self.comparison.baseline.id
        if of == ours:
            return f"what of the gain over `{theirs}` remains {without}".strip()
        return f"what of the gain remains beside `{theirs}` {given}"

    def _settable(self, factor: Factor) -> str | None:
        """Return the name that carries a factor in the baseline's commands, if there is one."""
        if not factor.ours:
            return None
        base = self.comparison.baseline
        return next((name for name in factor.names if takes(self.claims, base, name)), None)

    def _unsettable(self, factor: Factor) -> NoArm:
        base = self.comparison.baseline
        name = factor.names[0]
        value = factor.ours or "VALUE"
        missing = Missing(
            Reason.NO_PLACEHOLDER,
            f'write `overrides: {{{name}: "--{name} {{value}}"}}` (as `{base.id}` takes it), or'
            f" `arms: [{{id: {base.id}+{name}, of: {base.id}, factor: {factor.key}, kind: add,"
            f" override: {{{name}: {value}}}}}]`",
        )
        return self._none(f"{base.id} with {factor.key}", base.id, (factor.key,), missing, "add")

    def _none(
        self, name: str, of: str, factors: tuple[str, ...], missing: Missing, change: Change
    ) -> NoArm:
        pair = self.comparison
        beside = pair.baseline.id if of == pair.method.id else pair.method.id
        return NoArm(
            id=name, method=of, beside=beside, factors=factors, change=change,
            reason=missing.reason, would_decide=missing.would_decide,
        )  # fmt: skip


def _merged(arm: Arm, other: Arm) -> Arm:
    """Return an arm that changes what both change."""
    surgery: tuple[Mapping[str, Any], ...] = (*arm.surgery, *other.surgery)
    return replace(
        arm, set={**arm.set, **other.set}, flags=(*arm.flags, *other.flags),
        env={**arm.env, **other.env}, edits=(*arm.edits, *other.edits), surgery=surgery,
        factors=tuple(dict.fromkeys((*arm.factors, *other.factors))),
        ours=arm.ours,
    )  # fmt: skip


def _both(
    ours: Seen, theirs: Seen, axis: Literal["samples", "steps"]
) -> tuple[float, float] | None:
    if not (ours.has(axis) and theirs.has(axis)):
        return None
    values = ours.value(axis), theirs.value(axis)
    return values if values[1] > 0 else None


def _twice(method: Method) -> bool:
    """Return whether a method's optimizer is declared as one that passes over a step twice."""
    kind = method.optimizer.type.get("").lower().replace("-", "")
    return method.optimizer.sam.get(False) or any(word in kind for word in TWICE)


def _no_placeholder(method: Method, name: str) -> Missing:
    path = method.train.command.path
    return Missing(
        Reason.NO_PLACEHOLDER,
        f'write `--{name} {{{name}}}` in `{path}`, or `overrides: {{{name}: "--{name}'
        ' {value}"}`, as the command takes it',
    )


def _no_length(method: Method) -> Missing:
    train = method.train
    known = [unit for unit in LENGTHS if getattr(train, unit).known]
    unit = known[0] if known else "epochs"
    declare = "" if known else f" and declare `{getattr(train, unit).path}`"
    return Missing(
        Reason.NO_PLACEHOLDER,
        f"write `--{unit} {{{unit}}}` in `{train.command.path}`, as the command takes its length"
        f"{declare}",
    )
