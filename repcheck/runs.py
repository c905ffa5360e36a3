"""What is to be run, and what happened: one specification and one record a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from repcheck.edits import Edit

if TYPE_CHECKING:
    from repcheck.observation import Observation


class Status(StrEnum):
    """How a run ended. A failed run is a result too: kept, counted, never retried in silence."""

    OK = "ok"
    NONZERO = "nonzero"
    TIMEOUT = "timeout"
    OOM = "oom"
    DISK = "disk"
    NO_METRIC = "no_metric"
    NOT_STARTED = "not_started"
    SANDBOX_ERROR = "sandbox_error"
    INTERRUPTED = "interrupted"
    LOST = "lost"

    @property
    def infrastructure(self) -> bool:
        """Whether the machine failed rather than the artifact: such a run is run again."""
        return self in {Status.INTERRUPTED, Status.LOST, Status.SANDBOX_ERROR}


class SeedKind(StrEnum):
    """Who chose the seed."""

    DECLARED = "declared"
    FRESH = "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run to be made: one arm on one dataset with one seed.

    `replicate` is 0 for the first run of a seed; a repeat of it shows whether it can be repeated,
    and is never one value more.
    `commands` are argument lists run one after the other in the same output folder, with `{out}`
    left literal; `readers` map each metric to its `from:` text. `edits` change the run's own copy
    of the artifact before it starts, `surgery` the running process; both are empty for an arm as
    declared. `prompt_call` is the function whose prompts a probe writes down. `key` is the hash of
    all that determines the result.
    """

    key: str
    arm: str
    arm_kind: str = "declared"
    method: str
    dataset: str
    seed: int
    seed_kind: SeedKind
    replicate: int = 0
    commands: tuple[tuple[str, ...], ...]
    cwds: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    readers: Mapping[str, str] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    surgery: tuple[Mapping[str, Any], ...] = ()
    prompt_call: str = ""
    artifact: str = ""
    time_limit_s: float = 3600.0

    @property
    def title(self) -> str:
        """Return the run as a person names it: `cnn on mnist1d, seed 42 (declared)`."""
        on = f" on {self.dataset}" if self.dataset else ""
        again = ", again" if self.replicate else ""
        return f"{self.arm}{on}, seed {self.seed} ({self.seed_kind}{again})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished run, as its stored record says.

    `metrics` are in each metric's own unit; `others` are the numbers beside them in the same files
    as they stand there, by their paths (None: no such file was looked at); `reason` says in words
    why a status is not `ok`; `attempts` counts every start of this run, this one included; `notes`
    are remarks on how the metrics were read. `observation` is what a probe saw of it, if one was
    in it.
    """

    key: str
    arm: str
    arm_kind: str = "declared"
    method: str
    dataset: str
    seed: int
    seed_kind: SeedKind
    replicate: int = 0
    status: Status
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, float] | None = None
    notes: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    exit_code: int | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_mb: float = 0.0
    attempts: int = 1
    started: str = ""
    directory: str = ""
    stdout_sha256: str = ""
    machine: str = ""
    isolation: str = ""
    python: str = ""
    origin: str = "rerun"
    observation: Observation | None = None


Runs = tuple[Run, ...]
