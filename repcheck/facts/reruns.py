"""The metric values that the reruns reported, seed by seed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact
from repcheck.runs import Run, SeedKind, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedScores:
    """One arm on one dataset: a value per finished seed, and the runs that failed.

    Runs that the machine lost or a person interrupted are in `unfinished`: they say nothing about
    the artifact, so they are neither values nor failures.
    """

    seeds: tuple[int, ...]
    values: tuple[float, ...]
    failed: tuple[Run, ...]
    unfinished: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reruns(Fact):
    """Every metric value that a rerun reported at its end; a repeated seed counts once."""

    label: ClassVar[str] = "scores of the reruns"
    runs: tuple[Run, ...]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs as they are; nothing rerun is a fact that nobody has."""
        if not evidence.runs:
            raise Missing(Reason.NOT_OBSERVED, "rerun it with `repcheck check`")
        return cls(runs=tuple(run for run in evidence.runs if not run.replicate))

    def arm(self, arm: str, dataset: str, metric: str, kind: SeedKind) -> SeedScores:
        """Return the scores of an arm by its id; that of a declared arm is its method's.

        Raises:
            Missing: if nothing of the kind was rerun.
        """
        runs = [
            run
            for run in self.runs
            if run.arm == arm and run.seed_kind == kind and dataset in {"", run.dataset}
        ]
        if not runs:
            raise Missing(Reason.NOT_OBSERVED, f"rerun `{arm}` with {kind} seeds")
        return _sort_out(runs, metric)


def _sort_out(runs: Iterable[Run], metric: str) -> SeedScores:
    finished, failed, unfinished = [], [], 0
    for run in runs:
        if run.status is Status.OK and metric in run.metrics:
            finished.append(run)
        elif run.status.infrastructure:
            unfinished += 1
        else:
            failed.append(run)
    return SeedScores(
        seeds=tuple(run.seed for run in finished),
        values=tuple(run.metrics[metric] for run in finished),
        failed=tuple(failed),
        unfinished=unfinished,
    )
