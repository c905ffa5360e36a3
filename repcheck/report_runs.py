"""The report's part on runs: how each ended, what it reported, what a probe saw of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from repcheck.facts.compute import train_flops_of
from repcheck.observation import EvaluatedSet, Evaluation, Observation
from repcheck.runs import Run, Runs

MOST_EVALUATIONS = 50
ALL_EVALUATIONS = 20_000
FEWEST_EVALUATIONS = 3
MOST_OTHERS = 20

Json = dict[str, Any]


def runs(made: Runs) -> list[Json]:
    """Return every run; of very many runs fewer evaluation passes each."""
    most = ALL_EVALUATIONS // max(1, len(made))
    most = max(FEWEST_EVALUATIONS, min(MOST_EVALUATIONS, most))
    return [_run(run, most) for run in made]


def _run(run: Run, most: int) -> Json:
    return {
        "key": run.key,
        "arm": run.arm,
        "arm_kind": run.arm_kind,
        "method": run.method,
        "dataset": run.dataset,
        "seed": run.seed,
        "seed_kind": run.seed_kind.value,
        "replicate": run.replicate,
        "status": run.status.value,
        "reason": run.reason,
        "metrics": dict(run.metrics),
        "wall_s": round(run.wall_s, 3),
        "peak_rss_mb": round(run.peak_rss_mb, 1),
        "budget": _budget(run.observation) if run.observation else {},
        "observed": _observed(run.observation, most) if run.observation else None,
        "directory": run.directory,
        "attempts": run.attempts,
        "command": " && ".join(" ".join(argv) for argv in run.commands),
        "exit_code": run.exit_code,
        "stdout_sha256": run.stdout_sha256,
        "machine": run.machine,
    }


def _budget(seen: Observation) -> Json:
    """Return the counted training; None is "not known", never zero."""
    unseen = seen.unseen_cpu
    found: Json = {"steps": None, "samples": None, "epochs": None}
    training = seen.training
    if training is not None:
        found |= {"steps": training.steps, "samples": training.samples}
        if training.samples is not None and training.unique:
            found["epochs"] = round(training.samples / training.unique, 4)
    return found | {
        "train_flops": train_flops_of(seen),
        "unseen_cpu_share": None if unseen is None else round(unseen, 4),
        "unseen_cpu_s": None if unseen is None else round(unseen * seen.cpu_s, 2),
    }


def _observed(seen: Observation, most: int) -> Json:
    sets = {one.id: one for one in seen.sets}
    kept = _kept(seen.evaluations, most)
    return {
        "seen": seen.seen,
        "gaps": [asdict(gap) for gap in seen.gaps],
        "evaluations": [
            _evaluation(one, None if one.set is None else sets.get(one.set)) for one in kept
        ],
        "more_evaluations": len(seen.evaluations) - len(kept),
        "seeds": [asdict(one) for one in seen.seeds[:MOST_OTHERS]],
        "loads": [asdict(one) for one in seen.loads[:MOST_OTHERS]],
        "network": list(seen.network[:MOST_OTHERS]),
        "hashed_share": round(seen.hashed, 4),
    }


def _kept(passes: tuple[Evaluation, ...], most: int) -> list[Evaluation]:
    """Return at most so many passes in their order, the final ones before all others."""
    ranked = sorted(range(len(passes)), key=lambda at: (not passes[at].final, at))
    return [passes[at] for at in sorted(ranked[:most])]


def _evaluation(one: Evaluation, of: EvaluatedSet | None) -> Json:
    return {
        "at": one.at,
        "set": one.set,
        "examples": of.examples if of else None,
        "rows": one.rows,
        "views": one.views,
        "held": one.held,
        "final": one.final,
    }
