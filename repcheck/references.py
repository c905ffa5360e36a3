"""What trivial methods score in a scenario: one more run, of references that repcheck brings.

Majority, three nearest neighbours and logistic regression are fitted to the dataset's training
split, as `datasets.D.loader` or its files give it, in the artifact's own interpreter and in a copy
of its folder. Made for datasets of a stated scenario (`protocol: new` or `known_shift`), after the
declared runs; it counts in no statistic of the methods.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from repcheck.arms import Arm
from repcheck.claims.metrics import is_count
from repcheck.claims.model import Claims, Dataset
from repcheck.facts.references import KIND, METRICS, is_scenario
from repcheck.needs import Need, needs
from repcheck.plan import Plan, run_key
from repcheck.runs import RunSpec, SeedKind

PROGRAM = Path(__file__).parent / "inside" / "references"
TIME_LIMIT_S = 600.0
LOADED = (".npz", ".csv", ".csv.gz")


def referenced(plan: Plan, claims: Claims) -> Plan:
    """Return the plan with the references of each scenario that it does not have yet."""
    known = {(arm.id, arm.dataset) for arm in plan.arms}
    known |= {(left.arm, left.dataset) for left in plan.left_out}
    for need in needs(claims)[0]:
        data = claims.datasets.get(need.dataset)
        metric = next((one for one in need.metrics if is_count(claims.metrics[one])), None)
        job = job_of(data) if data is not None else ""
        if data is None or metric is None or not job or not is_scenario(data):
            continue
        arm = references(need)
        if (arm.id, arm.dataset) in known or not plan.fresh_seeds:
            continue
        known.add((arm.id, arm.dataset))
        run = _run(plan, claims, arm, (metric, job))
        plan = replace(plan, arms=(*plan.arms, arm), runs=(*plan.runs, run))
    return plan


def references(need: Need) -> Arm:
    """Return the references of a dataset as an arm beside one of the methods on it."""
    return Arm(
        id=f"trivial references on {need.dataset}",
        kind=KIND,
        method=need.method,
        factors=("trivial",),
        change="control",
        dataset=need.dataset,
        decides=f"what majority, nearest neighbours and a linear model score on `{need.dataset}`",
    )


def job_of(data: Dataset) -> str:
    """Return what the program is asked to load, "" where the file names no data for it."""
    if data.loader.known:
        return json.dumps({"loader": data.loader.value, "config": data.config.get("")})
    paths = {name: getattr(data, name).path.get("") for name in ("train", "test")}
    if all(str(path).endswith(LOADED) for path in paths.values()):
        return json.dumps({name: str(path) for name, path in paths.items()})
    return ""


def _run(plan: Plan, claims: Claims, arm: Arm, asked: tuple[str, str]) -> RunSpec:
    metric, job = asked
    percent = claims.metrics[metric].unit.get("") in {"percent", "%"}
    spec = RunSpec(
        key="",
        arm=arm.id,
        arm_kind=arm.kind,
        method=arm.method,
        dataset=arm.dataset,
        seed=plan.fresh_seeds[0],
        seed_kind=SeedKind.FRESH,
        commands=(("python", str(PROGRAM), job, "{out}"),),
        cwds=(".",),
        env=dict(claims.artifact.env.vars.get({})),
        readers={metric: "{out}/" + METRICS},
        scales={metric: 100.0} if percent else {},
        artifact=plan.tree.digest if plan.tree else "",
        time_limit_s=TIME_LIMIT_S,
    )
    return replace(spec, key=run_key(spec, {}))
