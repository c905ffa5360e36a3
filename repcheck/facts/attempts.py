"""How far the runs of each method got, and whose the reason is where none got anywhere."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.controls import NUMERIC
from repcheck.facts.source_code import SourceCode
from repcheck.runs import Run, Runs, Status

Whose = Literal["artifact", "environment", "hardware", "data", "unknown"]
_OWN = re.compile(
    r"NotImplementedError|can't open file '[^']*\.py'|No such file or directory: '[^']*\.(?:py|sh)'"
)
_MODULE = re.compile(
    r"(?:ModuleNotFoundError: No module named|cannot import name .* from) '([\w.]+)'"
)
_RELATIVE = re.compile(r"attempted relative import|No module named '__main__\.")
_FILE = re.compile(r"No such file or directory: '([^']*)'")
_WEIGHTS = re.compile(
    r"\.(?:ckpt|safetensors|onnx|ya?ml|toml)$"
    r"|(?:weight|model|checkpoint|ckpt|config|init|best|last|epoch)[^/]*"
    r"\.(?:pt|pth|bin|h5|npz|pkl|joblib|json)$|\.pth?$",
    re.IGNORECASE,
)
_DATA = re.compile(r"(?:^|/)(?:data|datasets?|\.cache|\.keras)/", re.IGNORECASE)
"""What lies there is data, or was to be downloaded, whatever its form."""
_HARDWARE = re.compile(
    r"CUDA|NVIDIA|cudnn|\bGPU\b|\bMPS\b|\bXLA\b|\bTPU\b|nccl|out of memory", re.I
)
_NETWORK = re.compile(
    r"URLError|ConnectionError|Connection (?:refused|reset)|Max retries|Temporary failure|HTTPError"
    r"|SSLError|getaddrinfo|Name or service|LocalEntryNotFound|offline|Network is unreachable",
    re.IGNORECASE,
)
_REASONS: dict[Whose, Reason] = {
    "environment": Reason.ENVIRONMENT,
    "hardware": Reason.NOT_TRANSFERABLE,
    "data": Reason.NOT_TRANSFERABLE,
    "unknown": Reason.COMMAND_FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The runs of one method as declared: how many got to a step or a metric, and why not.

    `whose` is what the reason lies in: what the artifact holds, the environment, the hardware, the
    data, or nobody knows; `why` the most frequent last words.
    """

    method: str
    runs: int
    reached: int
    why: str = ""
    whose: Whose = "unknown"
    source: str = ""

    @property
    def reason(self) -> Reason:
        """Return why nothing can be said, where the artifact is not what failed."""
        return _REASONS.get(self.whose, Reason.COMMAND_FAILED)

    def quantity(self) -> Quantity:
        """Return the runs that got somewhere as evidence."""
        return Quantity(name=f"runs of {self.method} that reached a step or a metric",
                        value=self.reached, unit=f"of {self.runs} runs", level=Level.OBSERVED,
                        source=self.source)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts(Fact):
    """The attempts of every method that was run; runs that the machine lost are none.

    `own` are the names of the artifact's modules and of their folders, `top` those at its root: a
    module of its own that lies deeper may bear the name of a package that is not installed.
    """

    label: ClassVar[str] = "how far the runs got"
    runs: Runs
    own: frozenset[str]
    top: frozenset[str]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the declared runs as they are."""
        runs = tuple(run for run in evidence.runs
                     if run.arm_kind == "declared" and not run.status.infrastructure)  # fmt: skip
        paths = _sources(evidence) if runs else ()
        parts = [[one.removesuffix(".py") for one in path.split("/")] for path in paths]
        return cls(
            runs=runs,
            own=frozenset(name for path in parts for name in path),
            top=frozenset(path[0] for path in parts),
        )

    def of(self, method: str) -> Attempt | None:
        """Return how far a method got, None where it was not run."""
        mine = [run for run in self.runs if run.method == method]
        if not mine:
            return None
        reached = [run for run in mine if _reached(run)]
        if reached:
            return Attempt(method=method, runs=len(mine), reached=len(reached),
                           source=f"run {reached[0].key[:12]}")  # fmt: skip
        whose = Counter(self._whose(run) for run in mine).most_common(1)[0][0]
        first = next(run for run in mine if self._whose(run) == whose)
        several = len({self._whose(run) for run in mine}) > 1
        return Attempt(method=method, runs=len(mine), reached=0,
                       why=first.reason or first.status.value,
                       whose="unknown" if several else whose,
                       source=f"run {first.key[:12]}")  # fmt: skip

    def _whose(self, run: Run) -> Whose:
        why = run.reason
        if run.status in {Status.OOM, Status.TIMEOUT, Status.DISK} or _HARDWARE.search(why):
            return "hardware"
        if _NETWORK.search(why):
            return "data"
        if module := _MODULE.search(why):
            name = module[1]
            mine = name.partition(".")[0] in self.own and (
                "." in name or name in self.top or "cannot import name" in why
            )
            return "artifact" if mine and name.partition(".")[0] not in NUMERIC else "environment"
        if _OWN.search(why) or _RELATIVE.search(why):
            return "artifact"
        if file := _FILE.search(why):
            own = _WEIGHTS.search(file[1]) and not _DATA.search(file[1])
            return "artifact" if own else "data"
        return "environment" if run.status is Status.NOT_STARTED else "unknown"


def _sources(evidence: Evidence) -> tuple[str, ...]:
    """Return the paths of the artifact's own modules."""
    try:
        paths = evidence.get(SourceCode).tree.paths
    except Missing:
        return ()
    return tuple(path for path in paths if path.endswith(".py"))


def _reached(run: Run) -> bool:
    seen = run.observation
    stepped = seen is not None and (seen.training is not None or bool(seen.fits))
    return run.status is Status.OK or bool(run.metrics) or stepped
