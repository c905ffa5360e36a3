"""Where trained weights came from, and who taught them, as observed in the reruns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Self

from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence, Fact, Quantity
from repcheck.facts.first_loss import guess
from repcheck.facts.observed import DOUBTS, Observed, Sight
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import Observation, Teacher, Training, WeightLoad

NOTICED = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a method's training started from, in the run that borrowed the most.

    `borrowed` are loads of other people's weights into what was trained; `unclear` are loads of
    which it is not known what they changed or into what; `resumed` continue an earlier training.
    """

    method: str
    run: Run
    sight: Sight
    borrowed: tuple[WeightLoad, ...]
    unclear: tuple[WeightLoad, ...]
    resumed: tuple[WeightLoad, ...]
    training: Training | None

    @property
    def share(self) -> float:
        """Return the largest share of a module's elements that a borrowed load changed."""
        return max((load.changed or 0.0 for load in self.borrowed), default=0.0)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the files or names that were borrowed from, each once."""
        return named(self.borrowed)

    def head_start(self, low: float = 0.7) -> str:
        """Return in words that the first loss is far below that of a guess, or nothing."""
        training = self.training
        expected = guess(training) if training else None
        first = training.first_loss if training else None
        if expected is None or first is None or first >= low * expected.value:
            return ""
        return f"its first loss is {first:.3g} and that of a guess {expected.value:.2f}"

    def quantity(self) -> Quantity:
        """Return the borrowed share as evidence that points to its run."""
        return self.sight.quantity("elements loaded", round(self.share, 4), "share", self.run)

    def said(self) -> str:
        """Return what was borrowed, in words: `init.pt (97 % of the elements)`."""
        return f"{', '.join(self.names)} ({self.share:.0%} of the elements of a module)"


def named(loads: Iterable[WeightLoad]) -> tuple[str, ...]:
    """Return the names of what was loaded, without folders, each once."""
    return tuple(dict.fromkeys(PurePosixPath(load.what).name or load.how for load in loads))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tutor:
    """The teachers of a method in one run; `share` is teacher rows over training samples."""

    method: str
    run: Run
    sight: Sight
    teachers: tuple[Teacher, ...]
    copies: tuple[Teacher, ...]
    share: float | None

    def quantity(self) -> Quantity:
        """Return the teachers' forwards as evidence that points to their run."""
        count = sum(teacher.forwards for teacher in self.teachers)
        return self.sight.quantity("teacher forwards", count, "forwards", self.run)

    def said(self) -> str:
        """Return the teachers in words: `Teacher (67,000 parameters) on 98 % of the samples`."""
        names = ", ".join(f"{t.cls} ({t.params:,} parameters)" for t in self.teachers)
        on = "" if self.share is None else f" on {min(self.share, 1.0):.0%} of the samples"
        return f"{names}{on}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins(Fact):
    """The starts and teachers of every method that a probe saw."""

    label: ClassVar[str] = "weights loaded and teachers"
    observed: Observed

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the runs that were seen."""
        return cls(observed=evidence.get(Observed))

    def of(self, method: Method, dataset: str = "") -> Origin:
        """Return what a method's training started from.

        Raises:
            Missing: if no run of it was seen whole.
        """
        sight = self.observed.of(method, dataset)
        made = [
            _origin(sight, run, seen)
            for run, seen in sight.observations()
            if seen.gap("training", "weights", *DOUBTS) is None and (seen.training or seen.fits)
        ]
        if not made:
            raise Missing(Reason.NOT_OBSERVED, _gap(sight, "training", "weights", *DOUBTS))
        return max(made, key=lambda origin: (origin.share, len(origin.unclear)))

    def tutor(self, method: Method, dataset: str = "") -> Tutor:
        """Return who taught a method, in the run with the most forwards of teachers.

        Raises:
            Missing: if no training of it was seen whole.
        """
        sight = self.observed.of(method, dataset)
        whole = {run.key for run, _ in sight.trainings()}
        made = [_tutor(sight, run, seen) for run, seen in sight.observations() if run.key in whole]
        return max(made, key=lambda tutor: sum(t.forwards for t in tutor.teachers))


def _gap(sight: Sight, *what: str) -> str:
    gaps = (seen.gap(*what) for _, seen in sight.observations())
    why = next((gap.why for gap in gaps if gap), "no training was")
    return f"the weights of `{sight.method}` were not seen: {why}"


def _origin(sight: Sight, run: Run, seen: Observation) -> Origin:
    early = [load for load in seen.loads if load.at == 0 and not load.own]
    fresh = [load for load in early if not load.resumes and load.trained is not False]
    return Origin(
        method=sight.method,
        run=run,
        sight=sight,
        borrowed=tuple(one for one in fresh if _is_borrowed(one, seen)),
        unclear=tuple(one for one in fresh if one.changed is None or _may_teach(one, seen)),
        resumed=tuple(load for load in early if load.resumes),
        training=seen.training,
    )


def _is_borrowed(load: WeightLoad, seen: Observation) -> bool:
    return (load.changed or 0.0) > NOTICED and not _may_teach(load, seen)


def _may_teach(load: WeightLoad, seen: Observation) -> bool:
    """Return whether a load may have been a teacher's, or another network's that is not trained."""
    frozen = any(not teacher.in_optimizer for teacher in seen.teachers)
    beside = any(not model.trained and model.params for model in seen.models)
    noticed = load.changed is None or load.changed > NOTICED
    return noticed and load.trained is None and (frozen or beside)


def _tutor(sight: Sight, run: Run, seen: Observation) -> Tutor:
    frozen = [teacher for teacher in seen.teachers if not teacher.in_optimizer]
    copies = tuple(teacher for teacher in frozen if _is_copy(teacher, seen))
    teachers = tuple(teacher for teacher in frozen if teacher not in copies)
    samples = seen.training.samples if seen.training else None
    rows = max((teacher.rows for teacher in teachers), default=0)
    return Tutor(
        method=sight.method,
        run=run,
        sight=sight,
        teachers=teachers,
        copies=copies,
        share=rows / samples if samples and rows else None,
    )


def _is_copy(teacher: Teacher, seen: Observation) -> bool:
    """Return whether a network is a copy of the trained one: a target or momentum network."""
    if not teacher.same_class_as_trained:
        return False
    averaged = any(average.cls == teacher.cls for average in seen.averages)
    sizes = {model.params for model in seen.models if model.trained and model.cls == teacher.cls}
    return averaged or teacher.params in sizes
