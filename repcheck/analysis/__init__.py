"""From the record of one run to an observation: read, count, compare."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from repcheck import records
from repcheck.analysis import estimators, outside
from repcheck.analysis.closely import flops_of, networks_of
from repcheck.analysis.evaluations import (
    Timeline,
    evaluations_of,
    groups_of,
    saved_after,
    set_of,
)
from repcheck.analysis.fed import fed_of
from repcheck.analysis.gaps import Outside, gaps_of, gaps_of_values
from repcheck.analysis.leaks import Leaks
from repcheck.analysis.likeness import equals_of, losses_of
from repcheck.analysis.lineage import Lineage
from repcheck.analysis.loaders import rounds_of
from repcheck.analysis.passes import Pass, joined_ranks, passes_of
from repcheck.analysis.policies import policies_of
from repcheck.analysis.processes import Job, Process, jobs_of, processes_of, seen
from repcheck.analysis.prompts import prompts_of
from repcheck.analysis.resets import resets_of
from repcheck.analysis.roots import roots_of
from repcheck.analysis.surgery import surgery_of
from repcheck.analysis.training import Shares, Trained, main_job, share_of, trained_by
from repcheck.analysis.weights import averages_of, digests_of, loads_of, models_of, teachers_of
from repcheck.observation import EvaluatedSet, Evaluation, Observation

MOST_ERRORS = 50


def observe(
    folder: Path,
    *,
    cpu_s: float = 0.0,
    since: float = 0.0,
    files_root: Path | None = None,
    out: Path | None = None,
) -> Observation:
    """Return what the probe saw of one run, from the record folder it wrote.

    `cpu_s` is the CPU time of all the run's processes as counted from outside, in seconds (0:
    unknown); `since` is when the run began, in unix seconds (0: unknown). Opened files below
    `files_root` (the run's copy of the artifact) and `out` (its output folder) are hashed. A record
    may be missing, torn or forged: what makes no sense is left out.
    """
    record = records.read(folder)
    processes = processes_of(record)
    jobs = jobs_of(processes)
    gaps = gaps_of(record, processes, jobs, Outside(cpu_s=cpu_s, since=since))
    rounds = {process.number: rounds_of(process) for process in processes}
    shares = {rank.number: share_of(rank) for job in jobs for rank in job.ranks}
    job = main_job(jobs, shares)
    blind = frozenset(gap.what for gap in gaps)
    trained = trained_by(job, shares, rounds, blind) if job else None
    lineage = Lineage(processes, jobs)
    passes = [
        one
        for process in processes
        if (peers := joined_ranks(process, jobs)) is not None
        for one in passes_of(process, peers, rounds)
    ]
    roots = {"": files_root, outside.OUT: out}
    found = Observation(
        seen=any(process.record.events for process in processes),
        gaps=gaps + (trained.gaps if trained else ()),
        processes=tuple(seen(process) for process in processes),
        cpu_s=cpu_s,
        cpu_seen_s=sum(process.cpu_s for process in processes),
        training=trained.training if trained else None,
        models=models_of(processes, lineage),
        loads=loads_of(processes),
        saves=sum(1 for process in processes for _ in process.record.of("save")),
        seeds=outside.seeds_of(processes),
        files=outside.files_of(processes, {name: at for name, at in roots.items() if at}),
        network=outside.network_of(processes),
        subprocesses=outside.programs_of(processes),
        fits=estimators.fits_of(processes),
        hashed=_hashed(processes),
        flops=flops_of(processes, jobs),
        networks=networks_of(processes, jobs),
        surgery=surgery_of(processes),
        equals=equals_of(processes),
        losses=losses_of(processes),
        libraries=outside.libraries_of(processes),
        prompts=prompts_of(folder, processes),
        policies=policies_of(processes),
        resets=resets_of(processes),
        fed=fed_of(folder, processes, jobs, passes),
        probe_errors=_errors(processes),
    )
    found = _with_weights(found, job, trained, lineage, passes)
    found = _with_evaluations(found, shares, Leaks(lineage, rounds, passes), passes, trained)
    own = _of_trained(found, lineage, passes, job) if job else frozenset()
    return replace(found, gaps=found.gaps + gaps_of_values(found, job, own))


def _with_weights(
    found: Observation,
    job: Job | None,
    trained: Trained | None,
    lineage: Lineage,
    passes: list[Pass],
) -> Observation:
    """Add what belongs to the main training's process: teachers, averages, digests."""
    if job is None or trained is None:
        return found
    roots = roots_of(job.chief)
    mine = [roots[one] for one in lineage.trained(job) if one in roots]
    main = max(mine, key=lambda root: root.params, default=None)
    first, last, _ = digests_of(job.chief, main)
    return replace(
        found,
        teachers=teachers_of(job, lineage, trained.training.steps),
        averages=averages_of(job.chief, passes),
        initial_weights=first,
        final_weights=last,
    )


def _with_evaluations(
    found: Observation,
    shares: Shares,
    leaks: Leaks,
    passes: list[Pass],
    trained: Trained | None,
) -> Observation:
    processes = leaks.lineage.processes
    groups = groups_of(passes)
    sets: list[EvaluatedSet] = [set_of(number, group, leaks) for number, group in enumerate(groups)]
    main = trained.share if trained else None
    timeline = Timeline(shares=shares, main=main, known=_known(processes, shares))
    evaluations: list[Evaluation] = [*evaluations_of(groups, timeline, saved_after(passes))]
    for process in processes:
        predictions = estimators.predictions_of(process)
        more_sets, more = estimators.sets_of(predictions, len(sets), len(evaluations) + 1)
        sets += more_sets
        evaluations += more
    return replace(found, sets=tuple(sets), evaluations=tuple(evaluations))


def _of_trained(
    found: Observation, lineage: Lineage, passes: list[Pass], job: Job
) -> frozenset[int]:
    """Return the evaluations, by `n`, of the very modules that a job trained."""
    trained = lineage.trained(job)
    every = sorted(passes, key=lambda one: (one.process.number, one.number))
    return frozenset(
        seen.n
        for seen, one in zip(found.evaluations, every, strict=False)
        if one.process in job.ranks and any(root.id in trained for root in one.roots)
    )


def _known(processes: tuple[Process, ...], shares: Shares) -> dict[str, int]:
    """Return after how many main steps of its process the values of each digest were held."""
    return {
        digest: shares[process.number].ordinal(step) if process.number in shares else step
        for process in processes
        for digest, step in digests_of(process, None)[2].items()
    }


def _hashed(processes: tuple[Process, ...]) -> float:
    hashed = skipped = 0
    for process in processes:
        last = process.record.last("end", "beat")
        if last is not None:
            hashed += last.count("hashed") or 0
            skipped += last.count("skipped") or 0
    return hashed / (hashed + skipped) if hashed + skipped else 1.0


def _errors(processes: tuple[Process, ...]) -> tuple[str, ...]:
    told = (
        f"{event.text('where')}: {event.text('err')}"[:300]
        for process in processes
        for event in process.record.of("error")
    )
    return tuple(dict.fromkeys(told))[:MOST_ERRORS]
