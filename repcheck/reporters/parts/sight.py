"""What the probe saw of the runs and what it did not; the unseen is never shown as nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from repcheck.reporters.parts import text, words

Json = Mapping[str, Any]
MOST_GAPS = 30
MOST_NAMES = 6
MUCH_CPU = 0.1
STARTS_S = 2.0
_CPU = "more than a tenth of the CPU time had no probe"
_GAPS = {
    "cpu": "part of the work",
    "everything": "the whole run",
    "process": "a whole process",
    "training": "the training",
    "samples": "the training samples",
    "rows": "what entered the model",
    "weights": "the weights",
    "loss": "the training loss",
    "tampering": "whether the probe stayed in place",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """Something that was not seen, in so many runs of these methods."""

    what: str
    why: str
    runs: int
    methods: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How many runs a probe saw, and the gaps over all of them."""

    runs: int
    seen: int
    with_gaps: int
    blind: tuple[Blind, ...]
    more: int

    @property
    def words(self) -> str:
        """Return `; observed: 15 of 21 runs, 5 with gaps`; empty where nothing was run."""
        if not self.runs:
            return ""
        said = f"; observed: {self.seen} of {text.count(self.runs, 'run')}"
        return f"{said}, {self.with_gaps} with gaps" if self.with_gaps else said


def sight(runs: Iterable[Json]) -> Sight:
    """Return what was seen of these runs, the commonest gap first."""
    every = list(runs)
    found: dict[tuple[str, str], list[str]] = {}
    seen = with_gaps = 0
    for run in every:
        gaps = _gaps(run)
        observed = bool((run.get("observed") or {}).get("seen"))
        seen += observed
        with_gaps += observed and bool(gaps)
        for gap in dict.fromkeys([*gaps, *_open(run, gaps)]):
            found.setdefault(gap, []).append(run["method"])
    ranked = sorted(found.items(), key=lambda one: -len(one[1]))
    return Sight(
        runs=len(every),
        seen=seen,
        with_gaps=with_gaps,
        blind=tuple(_blind(*gap, names) for gap, names in ranked[:MOST_GAPS]),
        more=max(0, len(ranked) - MOST_GAPS),
    )


def much_unseen(run: Json) -> float | None:
    """Return the share of CPU time that no probe saw where it is more than a tenth.

    The start and the end of an interpreter take a second that no probe can see.
    """
    budget = run.get("budget") or {}
    share, seconds = budget.get("unseen_cpu_share"), budget.get("unseen_cpu_s")
    much = share is not None and share > MUCH_CPU and (seconds is None or seconds > STARTS_S)
    return share if much else None


def _gaps(run: Json) -> list[tuple[str, str]]:
    observed = run.get("observed")
    if observed is None:
        ended = run["status"] == "ok"
        return [("everything", f"made without a probe{'' if ended else ', or ended too early'}")]
    gaps = [(str(gap["what"]), str(gap["why"])) for gap in observed.get("gaps") or ()]
    if not observed.get("seen") and not gaps:
        gaps = [("everything", "no reason is known")]
    return gaps


def _open(run: Json, gaps: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what the counts leave open beside the gaps that are known."""
    found = []
    known = {what for what, _ in gaps} & {"everything", "process", "training"}
    if not known and (run.get("budget") or {}).get("steps") is None:
        found.append(("training", "no optimizer step was seen"))
    if much_unseen(run) is not None:
        found.append(("cpu", _CPU))
    return found


def _blind(what: str, why: str, names: list[str]) -> Blind:
    methods = list(dict.fromkeys(names))
    more = len(methods) - MOST_NAMES
    said = ", ".join(methods[:MOST_NAMES])
    return Blind(
        what=_GAPS.get(what) or words.plain(what),
        why=why,
        runs=len(names),
        methods=f"{said} and {more} more" if more > 0 else said,
    )
