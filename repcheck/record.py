"""What one attempt at a run left behind: the record that is kept for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from repcheck.reader import MOST_OTHERS
from repcheck.runs import Run, RunSpec, Status

if TYPE_CHECKING:
    from repcheck.observation import Observation

RECORD_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of an attempt, as it was really started; seconds of wall time."""

    argv: tuple[str, ...]
    exit_code: int | None
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One attempt at one run.

    `status` and `reason` speak of the whole; `metrics` were read with the texts in `readers`, so
    that a mended reader can be applied to the stored files without a new run. `others` are the
    numbers beside them in the same files, by their paths; None: nobody looked. `peak_rss_mb` is the
    largest single process, in MiB. `environment` is all the run could see. `probe` says that one
    was put in, `lost` what of its record is not there and why, by the words of `Gap.what`.
    """

    schema: int = RECORD_SCHEMA
    key: str
    attempt: int
    status: Status
    reason: str = ""
    exit_code: int | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_mb: float = 0.0
    started: str = ""
    finished: str = ""
    machine: str = ""
    isolation: str = ""
    python: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    readers: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, float] | None = None
    notes: tuple[str, ...] = ()
    stdout_sha256: str = ""
    stderr_sha256: str = ""
    steps: tuple[Step, ...] = ()
    probe: bool = False
    lost: Mapping[str, str] = field(default_factory=dict)


def _capped(others: Mapping[str, float] | None) -> Mapping[str, float] | None:
    """Return no more than a reader keeps: a store that came from elsewhere may hold any number."""
    return None if others is None else dict(islice(others.items(), MOST_OTHERS))


def run_of(
    spec: RunSpec,
    record: Record,
    *,
    attempts: int,
    directory: str,
    observation: Observation | None,
) -> Run:
    """Return what the rest of repcheck sees of a finished run."""
    return Run(
        key=spec.key,
        arm=spec.arm,
        arm_kind=spec.arm_kind,
        method=spec.method,
        dataset=spec.dataset,
        seed=spec.seed,
        seed_kind=spec.seed_kind,
        replicate=spec.replicate,
        status=record.status,
        reason=record.reason,
        metrics=record.metrics,
        others=_capped(record.others),
        notes=record.notes,
        commands=spec.commands,
        exit_code=record.exit_code,
        wall_s=record.wall_s,
        cpu_s=record.cpu_s,
        peak_rss_mb=record.peak_rss_mb,
        attempts=attempts,
        started=record.started,
        directory=directory,
        stdout_sha256=record.stdout_sha256,
        machine=record.machine,
        isolation=record.isolation,
        python=record.python,
        observation=observation,
    )
