"""The plan: one specification per arm, dataset and seed; the order of work and what it costs.

Last of all, the first fresh seed of each arm is run once more: whether a run can be repeated shows
in no other way. Such a run counts in no statistic of seeds.

Nothing is executed here. What cannot be run, and what the budget leaves out, is listed with its
reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from repcheck.arms import Arm, NoArm, Setting, commands, declared_arm, fill_text, takes
from repcheck.claims.commands import FROM_DATASET
from repcheck.claims.model import Claims, Dataset, Method
from repcheck.errors import Missing, Reason
from repcheck.machine.artifact import Tree, fingerprint, scan
from repcheck.needs import Need, NotRun, needs, readers
from repcheck.runs import RunSpec, SeedKind
from repcheck.seeds import DECLARED_CAP, declared, fresh

T = TypeVar("T")
KEY_SCHEMA = 1
SEEDS_PER_ARM = 5
TIME_LIMIT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What earlier runs cost (median seconds by arm and dataset), and the keys with results."""

    costs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    done: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What a person asks of a plan beyond the claims file; None leaves it to the file.

    `look` is how many of `seeds_per_arm` fresh seeds are run before the verdicts are looked at;
    `root` is the artifact's folder (default: `artifact.root` beside the claims file), `exclude`
    are folders below it that are not part of it (the output folder). Without a `probe` no arm
    that changes the running process can be made.
    """

    root: Path | None = None
    exclude: tuple[Path, ...] = ()
    salt: str = ""
    seeds_per_arm: int | None = None
    look: int | None = None
    time_limit_s: float | None = None
    jobs: int = 1
    device: str = "cpu"
    probe: bool = True
    history: History = History()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A run that the budget leaves out."""

    run: str
    arm: str
    dataset: str
    seed: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is to be run, in the order of work.

    `arms` are those beside the declared ones, in the order in which they are worth running;
    `no_arms` those that cannot be made. `most_seeds` is how many fresh seeds an arm may come to
    have. `costs` holds median seconds by arm and dataset, only where they were measured before;
    `done` the keys that already have a result.
    """

    runs: tuple[RunSpec, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    arms: tuple[Arm, ...] = ()
    no_arms: tuple[NoArm, ...] = ()
    notes: tuple[str, ...] = ()
    fresh_seeds: tuple[int, ...] = ()
    most_seeds: int = SEEDS_PER_ARM
    salt: str = ""
    jobs: int = 1
    max_minutes: float | None = None
    tree: Tree | None = None
    costs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    done: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """Return the plan's name: the hash of its runs and what was left out."""
        keys = [run.key for run in self.runs]
        left = [asdict(left) for left in self.left_out]
        text = json.dumps([keys, self.fresh_seeds, self.salt, left, self.notes])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def cost(self, run: RunSpec) -> float | None:
        """Return the seconds that a run is expected to take, or None before the first.

        An arm that never ran costs what its method as declared does.
        """
        own = self.costs.get((run.arm, run.dataset))
        return self.costs.get((run.method, run.dataset)) if own is None else own

    @property
    def estimate_s(self) -> float | None:
        """Return the seconds all of it takes with the plan's jobs, or None if that is unknown."""
        found = [self.cost(run) for run in self.runs if run.key not in self.done]
        known = [cost for cost in found if cost is not None]
        return sum(known) / max(1, self.jobs) if len(known) == len(found) else None

    def lines(self) -> Iterator[dict[str, Any]]:
        """Return the plan as JSON mappings: a head, one a run, one a thing not run."""
        yield {
            "plan": self.id,
            "schema": KEY_SCHEMA,
            "runs": len(self.runs),
            "fresh_seeds": list(self.fresh_seeds),
            "salt": self.salt,
            "artifact": self.tree.digest if self.tree else None,
            "estimate_s": self.estimate_s,
            "most_seeds": self.most_seeds,
            "notes": list(self.notes),
        }
        for arm in self.arms:
            yield {"arm": asdict(arm)}
        for none in self.no_arms:
            yield {"no_arm": asdict(none)}
        for run in self.runs:
            yield {"run": asdict(run), "cost_s": self.cost(run), "done": run.key in self.done}
        for left in self.left_out:
            yield {"left_out": asdict(left)}
        for missing in self.not_run:
            yield {"not_run": asdict(missing)}

    def to_jsonl(self) -> str:
        """Return the plan as JSON lines."""
        return "".join(json.dumps(line) + "\n" for line in self.lines())


def make_plan(claims: Claims, options: PlanOptions = PlanOptions()) -> Plan:
    """Return what has to be run to check the claims.

    Raises:
        RepcheckError: if the artifact's tree cannot be read or copied.
    """
    wanted, not_run = needs(claims)
    most = seeds_per_arm(claims, options)
    drawn = fresh(claims, options.look or most, salt=options.salt)
    tree = _tree(claims, options) if wanted else None
    maker = _Maker(claims, options, tree)
    notes: list[str] = _tree_notes(tree)
    columns: list[list[RunSpec]] = []
    again: list[RunSpec] = []
    refused: list[NotRun] = []
    for need in wanted:
        try:
            columns.append(maker.column(need, drawn, notes))
            again += maker.again(need, drawn)
        except Missing as missing:
            refused += [
                NotRun(claim=claim, method=need.method, dataset=need.dataset,
                       reason=missing.reason, would_decide=missing.would_decide)
                for claim in need.claims
            ]  # fmt: skip
    runs = (*_interleave(columns), *again)
    plan = Plan(
        runs=runs,
        not_run=(*not_run, *refused),
        notes=tuple(dict.fromkeys(notes)),
        fresh_seeds=drawn if runs else (),
        most_seeds=most,
        salt=options.salt,
        jobs=options.jobs,
        max_minutes=claims.budget.max_minutes.content,
        tree=tree,
        costs=options.history.costs,
        done=options.history.done & {run.key for run in runs},
    )
    return within_budget(plan, claims)


def seeds_per_arm(claims: Claims, options: PlanOptions) -> int:
    """Return how many fresh seeds an arm may take at the most."""
    return options.seeds_per_arm or claims.budget.seeds_per_arm.get(SEEDS_PER_ARM)


def arm_runs(
    claims: Claims, options: PlanOptions, plan: Plan, arm: Arm, need: Need
) -> list[RunSpec]:
    """Return the runs of an arm beside the declared ones: the plan's fresh seeds, once each.

    Raises:
        Missing: if a placeholder has no value, or the command cannot be split.
    """
    maker = _Maker(claims, options, plan.tree, arm)
    seeds = plan.fresh_seeds
    if not takes(claims, claims.methods[arm.method], "seed"):
        seeds = seeds[:1]
    return [maker.spec(need, seed, SeedKind.FRESH) for seed in seeds]


def artifact_root(claims: Claims) -> Path:
    """Return the artifact's folder: `artifact.root`, relative to the claims file."""
    return Path(claims.place.file).parent / claims.artifact.root.get(".")


def _tree(claims: Claims, options: PlanOptions) -> Tree:
    return scan(options.root or artifact_root(claims), exclude=options.exclude)


def _tree_notes(tree: Tree | None) -> list[str]:
    if tree is None:
        return []
    return [
        f"the link `{path}` leads out of the artifact and is not copied; name the data by an"
        " absolute path in `datasets`"
        for path in tree.outside
    ]


@dataclass(frozen=True, slots=True)
class _Maker:
    claims: Claims
    options: PlanOptions
    tree: Tree | None
    arm: Arm | None = None

    def column(self, need: Need, drawn: tuple[int, ...], notes: list[str]) -> list[RunSpec]:
        """Return the runs of one arm on one dataset: fresh and declared seeds in turn."""
        method = self.claims.methods[need.method]
        own = declared(method)
        if len(own) > DECLARED_CAP:
            notes.append(
                f"{need.method}: the first {DECLARED_CAP} of {len(own)} declared seeds are rerun"
            )
        own = own[:DECLARED_CAP]
        if not takes(self.claims, method, "seed"):
            notes.append(
                f"{need.method}: the command has no {{seed}}; its runs are repetitions of one and"
                " the same command"
            )
            own = ()
        kinds = [(seed, SeedKind.FRESH) for seed in drawn], [(s, SeedKind.DECLARED) for s in own]
        order = _in_turn(*kinds)
        return [self.spec(need, seed, kind) for seed, kind in order]

    def again(self, need: Need, drawn: tuple[int, ...]) -> list[RunSpec]:
        """Return the first fresh seed once more; nothing where all seeds are one command."""
        if not takes(self.claims, self.claims.methods[need.method], "seed"):
            return []
        return [self.spec(need, seed, SeedKind.FRESH, replicate=1) for seed in drawn[:1]]

    def spec(self, need: Need, seed: int, kind: SeedKind, *, replicate: int = 0) -> RunSpec:
        """Return one run."""
        claims, arm = self.claims, self.arm or declared_arm(need.method)
        method = claims.methods[need.method]
        dataset = claims.datasets.get(need.dataset, Dataset(id=need.dataset))
        setting = Setting(dataset=dataset, seed=seed, device=self.options.device)
        made = commands(claims, arm, setting)
        texts, scales, optional = readers(claims, need)
        spec = RunSpec(
            key="",
            arm=arm.id,
            arm_kind=arm.kind,
            method=need.method,
            dataset=need.dataset,
            seed=seed,
            seed_kind=kind,
            replicate=replicate,
            commands=made.argvs,
            cwds=made.cwds,
            env={**claims.artifact.env.vars.get({}), **arm.env},
            edits=arm.edits,
            surgery=arm.surgery,
            prompt_call=method.prompt.call.get(dataset.prompt.call.get("")),
            readers={name: fill_text(claims, arm, setting, text) for name, text in texts.items()},
            scales=scales,
            optional=optional,
            artifact=self.tree.digest if self.tree else "",
            time_limit_s=self._limit(method),
        )
        return replace(spec, key=run_key(spec, self._data(dataset)))

    def _limit(self, method: Method) -> float:
        if self.options.time_limit_s is not None:
            return self.options.time_limit_s
        parts = (method.train.time_limit, method.eval.time_limit)
        stated = [part.value for part in parts if part.known]
        return sum(stated) if stated else TIME_LIMIT_S

    def _data(self, dataset: Dataset) -> dict[str, str]:
        """Return what stands for data outside the artifact: declared hash, else its content."""
        found: dict[str, str] = {}
        for name in FROM_DATASET:
            part = getattr(dataset, name)
            if part.path.known and Path(part.path.value).is_absolute():
                found[name] = part.sha256.get("") or fingerprint(Path(part.path.value))
        return found


def run_key(spec: RunSpec, data: Mapping[str, str]) -> str:
    """Return the hash of all that determines a run's result.

    Not in it: paths of this machine, time limits, isolation, and how the metrics are read, which is
    applied to the stored files again if it changes.
    """
    content = {
        "schema": KEY_SCHEMA,
        "artifact": spec.artifact,
        "commands": spec.commands,
        "cwds": spec.cwds,
        "env": dict(spec.env),
        "method": spec.method,
        "dataset": spec.dataset,
        "data": dict(data),
        "seed": spec.seed,
        "arm": [spec.arm, spec.arm_kind],
        "replicate": spec.replicate,
    }
    if spec.edits or spec.surgery:
        content["changed"] = [[asdict(edit) for edit in spec.edits], list(spec.surgery)]
    if spec.prompt_call:
        content["prompt_call"] = spec.prompt_call
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _in_turn(*rows: list[T]) -> list[T]:
    longest = max((len(row) for row in rows), default=0)
    return [row[index] for index in range(longest) for row in rows if index < len(row)]


def _interleave(columns: list[list[RunSpec]]) -> tuple[RunSpec, ...]:
    """Return all arms' runs in turn: whenever work stops, the arms have equally many."""
    return tuple(_in_turn(*columns))


def within_budget(plan: Plan, claims: Claims) -> Plan:
    """Return the plan without the runs, from its end, that the claims file's budget leaves out."""
    trainings = claims.budget.max_trainings.content
    minutes = claims.budget.max_minutes.content
    kept: list[RunSpec] = []
    left: list[LeftOut] = [*plan.left_out]
    spent = 0.0
    for run in plan.runs:
        cost = 0.0 if run.key in plan.done else plan.cost(run) or 0.0
        detail = ""
        if trainings is not None and len(kept) >= trainings:
            detail = f"`budget.max_trainings` is {trainings}"
        elif minutes is not None and spent + cost > 60 * minutes * max(1, plan.jobs):
            detail = f"`budget.max_minutes` is {minutes:g}"
        if detail:
            left.append(_left_out(run, detail))
        else:
            kept.append(run)
            spent += cost
    return replace(plan, runs=tuple(kept), left_out=tuple(left))


def _left_out(run: RunSpec, detail: str) -> LeftOut:
    return LeftOut(
        run=run.title,
        arm=run.arm,
        dataset=run.dataset,
        seed=run.seed,
        reason=Reason.BUDGET_EXHAUSTED,
        detail=detail,
    )
