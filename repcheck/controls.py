"""One more run of each claimed method, whose model is fed other examples when it is evaluated.

Such a control costs one training. It is made where it can decide something: where a probe saw a
trained model being evaluated, a metric holds its outputs against what is right, and the budget
allows to change the running process. It counts in no statistic and in no comparison.
"""

from __future__ import annotations

from dataclasses import replace

from repcheck.arms import Arm
from repcheck.claims.model import Method
from repcheck.errors import Missing
from repcheck.fact import Evidence
from repcheck.facts.controls import evaluated_through_a_model, is_held
from repcheck.needs import Need, needs
from repcheck.plan import Plan, PlanOptions, arm_runs
from repcheck.runs import RunSpec, SeedKind

UNPAIRED = ({"kind": "unpair"},)


def control(method: str, dataset: str) -> Arm:
    """Return the control of a method on a dataset."""
    return Arm(
        id=f"{method} fed other examples",
        kind="control",
        method=method,
        surgery=UNPAIRED,
        factors=("evaluation inputs",),
        change="control",
        dataset=dataset,
        decides=f"whether the score of `{method}` depends on what its model is fed",
    )


def controlled(plan: Plan, evidence: Evidence, options: PlanOptions) -> Plan:
    """Return the plan with a control of each claimed method that it does not have yet.

    Before any run, it is that of every claimed method, as far as the claims file lets one expect.
    """
    claims = evidence.claims
    if not options.probe or not claims.budget.allow_surgery.get(True):
        return plan
    claimed = {claim.method.get("") for claim in claims.claims}
    known = {(arm.id, arm.dataset) for arm in plan.arms}
    known |= {(left.arm, left.dataset) for left in plan.left_out}
    for need in needs(claims)[0]:
        arm = control(need.method, need.dataset)
        seeds = _seeds(need, evidence) if evidence.runs else plan.fresh_seeds
        if not evidence.runs and not _is_network(claims.methods[need.method]):
            continue
        if need.method not in claimed or (arm.id, arm.dataset) in known or not seeds:
            continue
        if not any(is_held(claims.metrics[name]) for name in need.metrics):
            continue  # what it costs, or how long it takes, hangs on no answer
        plan = _with(plan, evidence, options, arm, need)
    return plan


def _is_network(method: Method) -> bool:
    """Return whether the file lets one expect a model that an optimizer trains."""
    leaves = (method.model.entry, method.optimizer.type, method.optimizer.lr)
    return any(leaf.known for leaf in leaves)


def _with(plan: Plan, evidence: Evidence, options: PlanOptions, arm: Arm, need: Need) -> Plan:
    seed = _seeds(need, evidence)[0] if evidence.runs else plan.fresh_seeds[0]
    try:
        runs: list[RunSpec] = arm_runs(evidence.claims, options, plan, arm, need)
    except Missing:  # the declared arm's commands cannot be made either, and say why
        return plan
    mine = tuple(run for run in runs if run.seed == seed)
    done = plan.done | (options.history.done & {run.key for run in mine})
    return replace(plan, arms=(*plan.arms, arm), runs=(*plan.runs, *mine), done=done)


def _seeds(need: Need, evidence: Evidence) -> list[int]:
    """Return the fresh seeds of a method whose evaluation through a model was seen."""
    return [
        run.seed
        for run in evidence.runs
        if run.arm == need.method
        and run.dataset == need.dataset
        and run.seed_kind is SeedKind.FRESH
        and not run.replicate
        and evaluated_through_a_model(run)
    ]
