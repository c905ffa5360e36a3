"""What to run next, cheapest information first, and when there is nothing left worth running.

A check goes in rounds. First the methods as declared, looked at after growing numbers of seeds
where the file allows more than five; then, once a gain is established, the arms that tell where it
comes from: what needs no training, every difference at once, equal budgets, single factors. Each
round is decided by what the rounds before it showed, so that the same results always lead to the
same plan, and an interrupted check goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from repcheck import edits
from repcheck.arms import AUTO, Arm, NoArm, Target
from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claims
from repcheck.controls import controlled
from repcheck.counterfactuals import STAGES, Stage, Wanted, uncompared, wanted
from repcheck.errors import Missing, Reason, RepcheckError
from repcheck.fact import Evidence
from repcheck.facts.effects import Effect, Effects, established, never_attributed
from repcheck.needs import Need, needs
from repcheck.plan import (
    Plan,
    PlanOptions,
    arm_runs,
    artifact_root,
    make_plan,
    seeds_per_arm,
    within_budget,
)
from repcheck.references import referenced
from repcheck.reproduction import NOT_RUN, ONE_LOOK, reproduce
from repcheck.runs import Runs, RunSpec
from repcheck.stats.sequential import design_for, is_given_up

UNPROBED = "the arm changes the running process, which needs the probe: leave out --no-probe"


class Sizer(Protocol):
    """Finds the value of a placeholder at which a method costs as much as another a sample."""

    def __call__(self, arm: Arm, comparison: Comparison) -> Arm:
        """Return the arm with a number in place of `auto`, or raise `Missing`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One check's claims and options, and how `auto` is resolved."""

    claims: Claims
    options: PlanOptions
    size: Sizer

    def first(self) -> Plan:
        """Return the plan of the first round: the methods as declared, up to the first look."""
        looks = self._looks()
        return make_plan(self.claims, replace(self.options, look=looks[0]))

    def foreseen(self, plan: Plan) -> Plan:
        """Return the plan with the arms that the claims file alone lets one expect.

        Which of them are run is decided by the runs before them; others may be added.
        """
        return self._next_arms(plan, self.evidence(plan, ()), stages=len(STAGES)) or plan

    def after(self, plan: Plan, runs: Runs) -> Plan | None:
        """Return the plan with what the next round adds, or None if nothing is worth running."""
        if not runs:
            return None
        evidence = self.evidence(plan, runs)
        more = self._next_look(plan, evidence)
        if more is not None:
            return more
        return self._next_arms(plan, evidence)

    def evidence(self, plan: Plan, runs: Runs) -> Evidence:
        """Return all that is known after these runs."""
        return Evidence(
            claims=self.claims, runs=runs, arms=plan.arms, no_arms=plan.no_arms,
            most_seeds=plan.most_seeds,
        )  # fmt: skip

    # --- looks ------------------------------------------------------------------------------

    def _looks(self) -> tuple[int, ...]:
        most = seeds_per_arm(self.claims, self.options)
        if most <= ONE_LOOK:
            return (most,)
        return tuple(n for n in design_for(most).looks if n >= ONE_LOOK)

    def _next_look(self, plan: Plan, evidence: Evidence) -> Plan | None:
        done = len(plan.fresh_seeds)
        after = next((n for n in self._looks() if n > done), None)
        if after is None or plan.arms or settled(evidence):
            return None
        return make_plan(self.claims, replace(self.options, look=after))

    # --- arms -------------------------------------------------------------------------------

    def _next_arms(self, plan: Plan, evidence: Evidence, stages: int = 1) -> Plan | None:
        """Return the plan with the next stages that hold an arm which was not planned before."""
        known = {(arm.id, arm.dataset) for arm in plan.arms}
        known |= {(left.arm, left.dataset) for left in plan.left_out}
        found: list[tuple[Comparison, Wanted]] = []
        refused: list[NoArm] = list(uncompared(self.claims))
        for comparison in comparisons(self.claims):
            one, lacking = self._worth(evidence, comparison)
            found.append((comparison, one))
            refused += lacking
        unpaid = [one for one in plan.no_arms if one.reason is Reason.BUDGET_EXHAUSTED]
        plan = replace(plan, no_arms=_once([*refused, *unpaid]))
        before = plan.arms
        for stage in STAGES:
            for comparison, one in found:
                new = [arm for arm in one.arms.get(stage, ()) if (arm.id, arm.dataset) not in known]
                plan = self._with(plan, evidence, comparison, new, stage)
                known |= {(arm.id, arm.dataset) for arm in plan.arms}
            stages -= plan.arms != before
            if not stages:
                break
            before = plan.arms
        plan = referenced(controlled(plan, evidence, self.options), self.claims)
        if plan.arms != evidence.arms:
            return _affordable(within_budget(plan, self.claims))
        return None if plan.no_arms == evidence.no_arms else plan

    def _worth(self, evidence: Evidence, comparison: Comparison) -> tuple[Wanted, list[NoArm]]:
        """Return a comparison's arms, none of them where there is no gain to explain."""
        one = wanted(evidence, comparison)
        why = established(evidence, comparison) if evidence.runs else never_attributed(comparison)
        if why is not None:
            arms = [arm for stage in STAGES for arm in one.arms.get(stage, ())]
            return Wanted(), [arm.refused(why) for arm in arms]
        return one, list(one.refused)

    def _with(
        self,
        plan: Plan,
        evidence: Evidence,
        comparison: Comparison,
        arms: Sequence[Arm],
        stage: Stage,
    ) -> Plan:
        for arm in arms:
            if why := needless(evidence, comparison, arm, stage):
                none = arm.refused(Missing(Reason.NOT_OBSERVED, why))
                plan = replace(plan, no_arms=_once((*plan.no_arms, replace(none, needless=True))))
                continue
            try:
                need = _need(self.claims, comparison)
                if arm.surgery and not self.options.probe:
                    raise Missing(Reason.NOT_OBSERVED, UNPROBED)
                ready = self.size(arm, comparison) if AUTO in arm.set.values() else arm
                self._can_be_edited(ready)
                runs = arm_runs(
                    self.claims, self.options, plan, ready, replace(need, method=arm.method)
                )
                _differs(ready, runs, plan)
            except Missing as missing:
                plan = replace(plan, no_arms=_once((*plan.no_arms, arm.refused(missing))))
                continue
            done = plan.done | (self.options.history.done & {run.key for run in runs})
            plan = replace(plan, arms=(*plan.arms, ready), runs=(*plan.runs, *runs), done=done)
        return plan

    def _can_be_edited(self, arm: Arm) -> None:
        """Raise `Missing` where an arm's edits do not fit the artifact, before any run is made."""
        try:
            edits.check(arm.edits, self.options.root or artifact_root(self.claims))
        except RepcheckError as error:
            raise Missing(Reason.NO_PLACEHOLDER, str(error)) from None


def _differs(arm: Arm, runs: Iterable[RunSpec], plan: Plan) -> None:
    """Raise `Missing` where an arm's runs would be those of its method as declared, once more."""
    declared = [_what(run) for run in plan.runs if run.arm == arm.method and not run.replicate]
    if any(_what(run) in declared for run in runs):
        raise Missing(
            Reason.INVALID_ARM,
            f"an override that changes something: with {arm.changes or 'it'} the commands of"
            f" `{arm.method}` stay as they are",
        )


def _what(run: RunSpec) -> tuple[object, ...]:
    return run.dataset, run.commands, run.env, run.edits, run.surgery


def _affordable(plan: Plan) -> Plan:
    """Return the plan without the arms of which the budget pays only a part."""
    cut = {(left.arm, left.dataset): left.detail for left in plan.left_out}
    whole = tuple(arm for arm in plan.arms if (arm.id, arm.dataset) not in cut)
    unpaid = [
        arm.refused(Missing(Reason.BUDGET_EXHAUSTED, f"a larger budget ({detail})"))
        for arm in plan.arms
        if (detail := cut.get((arm.id, arm.dataset))) is not None
    ]
    runs = tuple(
        run for run in plan.runs
        if run.arm_kind == "declared" or (run.arm, run.dataset) not in cut
    )  # fmt: skip
    return replace(plan, arms=whole, runs=runs, no_arms=_once([*plan.no_arms, *unpaid]))


def _once(refused: Iterable[NoArm]) -> tuple[NoArm, ...]:
    return tuple({(one.id, one.method, one.dataset): one for one in refused}.values())


def _need(claims: Claims, comparison: Comparison) -> Need:
    """Return what an arm of a comparison has to report: the metrics of the claims on it.

    Raises:
        Missing: if none of these claims can be rerun.
    """
    ours, where = comparison.method.id, comparison.dataset
    found, not_run = needs(claims)
    for need in found:
        if need.method == ours and where in {"", need.dataset}:
            return need
    names = {claim.id.get("") for claim in comparison.claims}
    for gap in not_run:
        if gap.method in {"", ours} and (gap.claim in names or where in {"", gap.dataset}):
            raise Missing(gap.reason, gap.would_decide)
    raise Missing(Reason.NOT_OBSERVED, f"a claim on `{ours}` that names a metric of its runs")


def settled(evidence: Evidence) -> bool:
    """Return whether every claim that can be judged has a verdict, or is unlikely to get one.

    To give up is not to decide: such a claim stays inconclusive, and the alphas of the looks do not
    count on it (`stats.sequential`).
    """
    for claim in evidence.claims.claims:
        for part in reproduce(evidence.claims, claim, evidence):
            if part.verdict == "inconclusive" and not is_given_up(part.caveats):
                return False
            if part.verdict == NOT_RUN and part.reason is Reason.NOT_OBSERVED:
                return False
    return True


def needless(evidence: Evidence, comparison: Comparison, arm: Arm, stage: Stage) -> str:
    """Return why an arm could no longer change what is concluded; "" where it could.

    Once every difference at once explains next to nothing, no single one of them can; a baseline
    needs no longer training for equal FLOPs where one as dear a sample has decided, and a method no
    shorter one where the baseline's longer one has. What the authors ask for is always run.
    """
    if not arm.ours or not evidence.runs:
        return ""
    known = evidence.get(Effects).on(comparison)
    axis = arm.target.axis if arm.target else ""
    if stage == "factor":
        if innocent := _all(known, lambda one: len(one.arm.factors) > 1, _innocent):
            return f"all differences at once explain {_most(innocent)} of the gain"
        return ""
    if axis == "train_flops" and (
        found := _all(known, lambda one: _to(one.arm.target, "flops a sample"), _decided)
    ):
        return f"`{found[0].arm.id}`, as dear a sample, has decided already"
    if stage == "aligned-down" and (
        found := _all(known, lambda one: _to(one.arm.target, axis), _decided)
    ):
        return f"`{found[0].arm.id}` has decided already"
    return ""


def _most(known: Iterable[Effect]) -> str:
    """Return the largest share that one of them leaves possible, rounded up."""
    found = (one.attribution.explained_at_most for one in known if one.attribution is not None)
    most = math.ceil(100 * max(share or 0.0 for share in found) - 1e-9)
    return f"at most {most} %" if most else "none"


def _all(
    known: Iterable[Effect], which: Callable[[Effect], bool], holds: Callable[[Effect], bool]
) -> list[Effect]:
    """Return the effects of a sort if there are any and it holds for all of them, else none."""
    chosen = [one for one in known if which(one)]
    return chosen if all(map(holds, chosen)) else []


def _to(target: Target | None, axis: str) -> bool:
    return target is not None and target.axis == axis


def _innocent(effect: Effect) -> bool:
    return effect.attribution is not None and effect.attribution.cleared_size


def _decided(effect: Effect) -> bool:
    return effect.attribution is not None and effect.attribution.verdict != "inconclusive"
