"""What the probe saw of each method, over all its runs as declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median_low
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.runs import Run, Status

if TYPE_CHECKING:
    from repcheck.observation import Observation, Training

MOST = 1e18
"""More than anything that was ever counted."""
DOUBTS = ("process", "tampering")
"""Gaps after which nothing of a run may be called absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One method's finished runs that a probe saw, in the plan's order; never empty."""

    method: str
    runs: tuple[Run, ...]

    def observations(self) -> Iterator[tuple[Run, Observation]]:
        """Yield each run with what was seen of it."""
        for run in self.runs:
            if run.observation is not None:
                yield run, run.observation

    def doubt(self) -> str:
        """Return why not all of its runs were seen whole; "" if they were.

        Part of a run then went on where no probe was, or with a probe out of place: what was seen
        is there, and what was not seen need not be nothing.
        """
        for _, seen in self.observations():
            if (gap := seen.gap(*DOUBTS)) is not None:
                return gap.why
        return ""

    def trainings(self) -> list[tuple[Run, Training]]:
        """Return the runs whose training was seen whole.

        Raises:
            Missing: if there is none, with the gap that explains it.
        """
        found, why = [], ""
        for run, seen in self.observations():
            gap = seen.gap("training", *DOUBTS)
            if gap is not None:
                why = why or gap.why
            elif seen.training is not None and not possible(seen.training):
                why = why or "its record holds impossible numbers"
            elif seen.training is not None:
                found.append((run, seen.training))
        if not found:
            raise Missing(
                Reason.NOT_OBSERVED,
                f"the training of `{self.method}` was not seen: {why or 'no optimizer step was'}",
            )
        return found

    def typical(
        self, get: Callable[[Training], float | None], what: str
    ) -> tuple[float, Run, tuple[float, ...]]:
        """Return the middle value over the runs, the run it is of, and all values.

        Raises:
            Missing: if no run's training was seen, or none tells this.
        """
        values = [(get(training), run) for run, training in self.trainings()]
        known = [(value, run) for value, run in values if value is not None]
        if not known:
            raise Missing(Reason.NOT_OBSERVED, f"{what} of `{self.method}` could not be seen")
        middle = median_low(value for value, _ in known)
        run = next(run for value, run in known if value == middle)
        return middle, run, tuple(value for value, _ in known)

    def quantity(self, name: str, value: float | int | str, unit: str, run: Run) -> Quantity:
        """Return a value as evidence that points to its run and record."""
        return Quantity(
            name=f"{self.method}.{name}",
            value=value,
            unit=unit,
            level=Level.OBSERVED,
            source=source_of(run),
        )


def possible(training: Training) -> bool:
    """Return whether a training's numbers can be true: a record may be forged."""
    optimizer = training.optimizer
    counts = (
        *(training.samples, training.drawn, training.unique),
        *(training.unsure, training.most_draws, optimizer.distinct_lrs),
    )
    rates = (optimizer.peak_lr, optimizer.first_lr, optimizer.last_lr, *optimizer.lr.value)
    sizes = (training.batch, training.accumulation)
    return (
        training.steps >= 1
        and training.world >= 1
        and all(count is None or 0 <= count < MOST for count in counts)
        and all(size is None or 0 < size < MOST for size in sizes)
        and all(0 <= rate < MOST for rate in rates)
        and 0 <= training.repeated_batches <= 1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts(Fact):
    """Why what was seen of a method's runs may not be all, by the source of each of its runs."""

    label: ClassVar[str] = "what the probe did not see"
    by_source: Mapping[str, str]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Look through the runs that ended well; one that was not seen whole stands for all."""
        whys: dict[str, str] = {}
        for run in evidence.runs:
            seen = run.observation
            gap = seen.gap(*DOUBTS) if seen is not None and run.status is Status.OK else None
            if gap is not None and run.arm_kind == "declared":
                whys.setdefault(run.method, gap.why)
        mine = [run for run in evidence.runs if run.method in whys]
        return cls(by_source={source_of(run): whys[run.method] for run in mine})

    def of(self, sources: Iterable[str]) -> str:
        """Return why what these sources show may not be all; "" where it is."""
        found = (self.by_source.get(source.removesuffix(COUNTED), "") for source in sources)
        return next(filter(None, found), "")


COUNTED = ", counted"
"""What stands behind a source whose number was summed up over a run."""


def source_of(run: Run) -> str:
    """Return where a run's record is: the run's key, and the folder beside its logs."""
    return f"run {run.key[:12]}, probe/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Fact):
    """Every run that the probe saw, by method."""

    label: ClassVar[str] = "what the probe saw"
    runs: tuple[Run, ...]

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs; `of` says what is missing, so that a rule may do without them."""
        return cls(runs=evidence.runs)

    def of(self, method: Method, dataset: str = "") -> Sight:
        """Return what was seen of a method's declared arm (an empty dataset matches any).

        Raises:
            Missing: if none of its runs was seen, with the reason.
        """
        mine = [
            run
            for run in self.runs
            if run.arm_kind == "declared"
            and run.method == method.id
            and (not dataset or run.dataset in {"", dataset})
        ]
        if not mine and self.runs and not (method.train.command.known or method.eval.command.known):
            raise Missing(Reason.NO_COMMAND, f"declare `{method.train.command.path}`")
        ended = [run for run in mine if run.status is Status.OK]
        seen = [run for run in ended if run.observation is not None and run.observation.seen]
        if not seen:
            why = (
                "a claim on it: only what claims ask for is rerun" if self.runs and not mine else ""
            )
            raise Missing(Reason.NOT_OBSERVED, why or _why(method.id, mine, ended))
        return Sight(method=method.id, runs=tuple(seen))


def _why(method: str, mine: list[Run], ended: list[Run]) -> str:
    if not mine:
        return f"rerun `{method}` with `repcheck check`"
    if not ended:
        return f"no run of `{method}` ended well: {mine[0].reason or mine[0].status}"
    for run in ended:
        gap = run.observation.gap() if run.observation else None
        if gap is not None:
            return f"the probe did not see the runs of `{method}`: {gap.why}"
    return f"the runs of `{method}` were made without a probe: `repcheck check --rerun all`"
