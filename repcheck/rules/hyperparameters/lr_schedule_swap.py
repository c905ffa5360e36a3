"""The method's learning rate is annealed to the end of training, the baseline's is not.

## What it catches
A cosine or linear decay for the proposed method beside a constant rate for the baseline, or
beside a decay that is planned for a longer training than the baseline gets: the end of a decay
gives a jump. And curves compared at a step where only the method has finished its decay.

## When it is legitimate
Both use one schedule, or each uses the best of the same search (`tuning.space` of both names
`lr_schedule`, with equal trials), or the schedule is what the paper offers (`attributed_to:
[lr_schedule]`). A short warm-up of one side is no difference. Schedule-free optimizers have
nothing to compare.

## How it is decided
Where a rerun of both was seen, its learning rates are drawn as lr / peak over the training;
otherwise each stated schedule is (`type`, `horizon`, `warmup_steps`, `final_lr`, `milestones`). The
mean distance of the two is aligned up to 0.05, minor up to 0.15, major above, if the method ends no
higher than the baseline; a method that is annealed less is a note. The strongest form, always
major, is a method that ends below 0.05 of its peak beside a baseline that ends above 0.50. Types
that differ and cannot be drawn are minor; two plateau rules stated alike are one rule, whatever
they did. For a claim with `at_step`, a method whose schedule is complete there beside a baseline's
below 0.80 is major; as seen, a method below 0.05 of its peak there beside a baseline above 0.50.
Two sides that differ are a mismatch.

## How to fix
Give both the same schedule, stretched to the training each gets, or search it for both.

## Source
Trick 2.1 of the hzwer list: switch between cosine and constant learning rates to obtain the
wanted result; decaying earlier makes training look efficient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from repcheck.claims.comparison import Comparison
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.recipe import (
    UNANNEALED,
    Schedule,
    equal,
    horizon,
    schedule,
    searched,
    tuned_alike,
)
from repcheck.facts.schedule import Trace, Traces
from repcheck.facts.work import Seen, Work
from repcheck.finding import conservative, contribution, graded, mismatches
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Severity, rule
from repcheck.where import Where

FIELDS = ("type", "horizon", "warmup_steps", "final_lr", "milestones", "gamma", "step_per")
KEYS = ("lr_schedule", *(f"lr_schedule.{field}" for field in FIELDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """The thresholds in force: two mean distances, and a share of a schedule."""

    minor: float
    major: float
    unfinished: float


@rule("RC201", Severity.MAJOR, factors=("lr_schedule",))
def check(
    comparison: Comparison,
    work: Work,
    traces: Traces,
    *,
    minor: float = 0.05,
    major: float = 0.15,
    unfinished: float = 0.80,
) -> Answer:
    if found := mismatches(comparison, keys=KEYS[1:]):
        return found
    bands = Bands(minor=minor, major=major, unfinished=unfinished)
    try:
        both = traces.both(comparison)
    except Missing:
        return _as_stated(comparison, work, bands)
    return _as_seen(comparison, both, bands)


def _as_seen(comparison: Comparison, both: tuple[Trace, Trace], bands: Bands) -> Answer:
    ours, theirs = both
    if any("schedulefree" in trace.optimizer.cls.lower() for trace in both):
        return NotApplicable(message="a schedule-free optimizer has no schedule to compare")
    distance = ours.schedule.distance(theirs.schedule) or 0.0
    seen = tuple(trace.quantity("lr_end / lr_max", round(trace.last, 6)) for trace in both)
    words = (
        f"`{ours.method}` {ours.said()} and `{theirs.method}` {theirs.said()}; "
        f"mean distance {distance:.2f}"
    )
    exempt = contribution(comparison, "lr_schedule") or _searched(comparison)
    if early := list(_seen_at_step(comparison, both, seen)):
        return exempt or early
    if distance <= bands.minor or _same_plateau(comparison):
        return Cleared(message=words, seen=seen, limit=f"a mean distance of {bands.minor}")
    at = _where(comparison)
    if ours.end > theirs.end + bands.minor:
        return conservative(words, seen, at)
    if exempt:
        return exempt
    annealed = ours.last < 0.05 and theirs.last > 0.5
    weight = Severity.MAJOR if annealed else graded(distance, bands.minor, bands.major)
    return Flagged(message=words, kind=Kind.ASYMMETRY, severity=weight, seen=seen, at=at)


def _where(comparison: Comparison) -> Where:
    """Return where the method's schedule stands; nowhere if it is not written."""
    stated = comparison.method.lr_schedule
    return comparison.place if stated.undeclared else stated.type.place


def _same_plateau(comparison: Comparison) -> bool:
    mine, other = comparison.method.lr_schedule, comparison.baseline.lr_schedule
    if not all("plateau" in stated.type.get("").lower() for stated in (mine, other)):
        return False
    pairs = [(getattr(mine, field), getattr(other, field)) for field in FIELDS[1:]]
    return all(equal(a, b) for a, b in pairs if not (a.undeclared and b.undeclared))


def _seen_at_step(
    comparison: Comparison, both: tuple[Trace, Trace], seen: tuple[Quantity, ...]
) -> Iterator[Flagged]:
    for claim in comparison.claims:
        for unit, step in claim.at_step.get({}).items():
            pairs = zip((comparison.method, comparison.baseline), both, strict=True)
            totals = [
                method.train.epochs.get(0.0) if unit == "epochs" else trace.steps
                for method, trace in pairs
            ]
            if not all(totals):
                continue
            mine, other = (t.at(step / n) for t, n in zip(both, totals, strict=True))
            if mine < 0.05 and other > 0.5:
                yield Flagged(
                    message=f"at {step:g} {unit} `{both[0].method}` is at {mine:.2f} of its peak "
                    f"rate and `{both[1].method}` at {other:.2f}",
                    kind=Kind.ASYMMETRY,
                    seen=seen,
                    at=claim.at_step.place,
                )


def _as_stated(comparison: Comparison, work: Work, bands: Bands) -> Answer:
    minor, major, unfinished = bands.minor, bands.major, bands.unfinished
    both = work.both(comparison)
    ours = schedule(comparison.method, both[0])
    theirs = schedule(comparison.baseline, both[1])
    if "schedule-free" in {ours.type, theirs.type}:
        return NotApplicable(message="a schedule-free optimizer has no schedule to compare")
    seen = _quantities(comparison, ours, theirs)
    distance = _distance(comparison, ours, theirs)
    if distance is None and ours.type == theirs.type:
        _demand_horizon(comparison, both)
    words = _words(comparison, ours, theirs)
    exempt = contribution(comparison, "lr_schedule") or _searched(comparison)
    if early := list(_at_step(comparison, both, unfinished, seen)):
        return exempt or early
    at = _place(comparison, ours, theirs)
    if distance is not None and distance <= minor:
        return Cleared(message=words, seen=seen, limit=f"a mean distance of {minor}")
    if _less_annealed(ours, theirs, minor):
        return conservative(words, seen, at)
    if exempt:
        return exempt
    return Flagged(
        message=words if distance is None else f"{words}; mean distance {distance:.2f}",
        kind=Kind.ASYMMETRY,
        severity=Severity.MINOR if distance is None else graded(distance, minor, major),
        seen=seen,
        at=at,
    )


def _demand_horizon(comparison: Comparison, both: tuple[Seen, Seen]) -> None:
    for method, seen in zip((comparison.method, comparison.baseline), both, strict=True):
        if horizon(method.lr_schedule, seen) is None:
            seen.amount("length")
            raise Missing(
                Reason.UNDECLARED_KEY,
                f"state `{method.lr_schedule.horizon.path}` in the unit of the training length",
            )


def _less_annealed(ours: Schedule, theirs: Schedule, band: float) -> bool:
    if ours.end is not None and theirs.end is not None:
        return ours.end > theirs.end + band
    return ours.type in UNANNEALED and theirs.type not in UNANNEALED


def _quantities(
    comparison: Comparison, ours: Schedule, theirs: Schedule
) -> tuple[Quantity, Quantity]:
    def one(name: str, stated: Schedule, place: Where) -> Quantity:
        end = "" if stated.end is None else f", ends at {stated.end:.2f} of its peak"
        return Quantity(name=f"{name}.lr_schedule", value=f"{stated.type}{end}", source=str(place))

    return (
        one(comparison.method.id, ours, comparison.method.lr_schedule.place),
        one(comparison.baseline.id, theirs, comparison.baseline.lr_schedule.place),
    )


def _distance(comparison: Comparison, ours: Schedule, theirs: Schedule) -> float | None:
    distance = ours.distance(theirs)
    if distance is None and ours.type == theirs.type:
        mine, other = comparison.method.lr_schedule, comparison.baseline.lr_schedule
        pairs = ((getattr(mine, field), getattr(other, field)) for field in FIELDS)
        stated = [(a, b) for a, b in pairs if not (a.undeclared or b.undeclared)]
        return 0.0 if all(equal(a, b) for a, b in stated) else None
    return distance


def _words(comparison: Comparison, ours: Schedule, theirs: Schedule) -> str:
    def one(name: str, stated: Schedule) -> str:
        if stated.end is None:
            return f"`{name}` has the schedule {stated.type}"
        return f"`{name}` ends at {stated.end:.2f} of its peak rate ({stated.type})"

    return f"{one(comparison.method.id, ours)} and {one(comparison.baseline.id, theirs)}"


def _place(comparison: Comparison, ours: Schedule, theirs: Schedule) -> Where:
    mine, other = comparison.method.lr_schedule, comparison.baseline.lr_schedule
    if ours.type == theirs.type and other.horizon.known and other.horizon.content != "train":
        return other.horizon.place
    return mine.type.place


def _searched(comparison: Comparison) -> NotApplicable | None:
    both = all(searched(m, "lr_schedule") for m in (comparison.method, comparison.baseline))
    if both and tuned_alike(comparison):
        return NotApplicable(message="each has the best schedule of an equal search, as declared")
    return None


def _at_step(
    comparison: Comparison, both: tuple[Seen, Seen], unfinished: float, seen: tuple[Quantity, ...]
) -> Iterator[Flagged]:
    methods = (comparison.method, comparison.baseline)
    for claim in comparison.claims:
        for unit, step in claim.at_step.get({}).items():
            mine, other = (
                _completed(horizon(m.lr_schedule, s), s, unit, step)
                for m, s in zip(methods, both, strict=True)
            )
            if any(m.lr_schedule.type.get("constant").lower() in UNANNEALED for m in methods):
                continue
            if mine is None or other is None or mine < 0.95 or other >= unfinished:
                continue
            yield Flagged(
                message=f"at {step:g} {unit} `{methods[0].id}` has completed {mine:.0%} of its "
                f"schedule and `{methods[1].id}` {other:.0%}",
                kind=Kind.ASYMMETRY,
                seen=seen,
                at=claim.at_step.place,
            )


def _completed(long: float | None, work: Seen, unit: str, step: float) -> float | None:
    try:
        total = work.value("epochs" if unit == "epochs" else "steps")
    except (Missing, Inapplicable):
        return None
    return min(1.0, step / (long * total)) if long and total else None
