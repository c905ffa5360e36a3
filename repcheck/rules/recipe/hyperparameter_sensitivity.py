"""The gain is there at one setting of the hyperparameters, and at none beside it.

## What it catches
A method that beats its baseline only at the learning rate, the weight decay and the batch size that
were found for it; a grid so coarse in many dimensions that it hardly searched.

## When it is legitimate
Both sides have a narrow window: a setting in which the baseline does not train either says nothing
of the method. Many good methods need their own learning rate: what is asked is half and twice the
value, on both sides at once.

## How it is decided
By reruns that the claims file asks for (`tuning: {sweep: [lr, batch_size]}`), because they are
dear: each named hyperparameter at half and at twice its declared value, one at a time, on both
sides by the same factor, with the fresh seeds; they come last of all runs, and only where the
declared runs establish a gain. The gain in a setting is lost if surely less than half of the
declared one is left (95 % interval), kept if it is surely above zero and its mean at least half;
else it is open. A setting counts if both arms are valid and the baseline trains in it: its runs
ended, its loss fell where that was seen, not all its seeds have one score, and its mean keeps half
of the way from chance (`labels.classes`; unstated, 50 % for a share above one half) to its score as
declared. The share of the counted settings in which the gain is kept is its robustness width. Below
25 % of at least 4 counted settings, even if every open one were kept, is minor; 25 % or more, even
if every open one were lost, and every one in which the method was not seen, in at least 2 is
cleared. The declared setting is not counted. A grid
search over 4 dimensions or more with at most 3 values in each is a note.

## How to fix
Report the sweep of both sides beside the table, and search at random rather than on a coarse grid.

## Source
Bergstra and Bengio 2012, Random search for hyper-parameter optimization: of n trials a random
search tries n values of each dimension, a grid the n-th root of that in each of few that matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Method
from repcheck.errors import Reason
from repcheck.fact import Quantity
from repcheck.facts.sensitivity import Sensitivity, Sweep
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
    rule,
)
from repcheck.swept import told, undecided

FEWEST_CLEARED = 2


@rule("RC807", Severity.MINOR, worst=Severity.MINOR)
def check(
    comparison: Comparison,
    sensitivity: Sensitivity,
    *,
    share: float = 0.25,
    fewest: int = 4,
    dimensions: int = 4,
    values: int = 3,
) -> Answer:
    sides = comparison.method, comparison.baseline
    notes = [note for one in sides if (note := _coarse(one, dimensions, values)) is not None]
    if not sensitivity.asked(comparison):
        return [*notes, _not_asked(comparison, sensitivity)]
    return [*notes, *_swept(comparison, sensitivity, share, fewest)]


def _coarse(method: Method, dimensions: int, most: int) -> Flagged | None:
    """Return the note on a grid over many dimensions with few values in each."""
    tuning = method.tuning
    if not tuning.method.known or "grid" not in tuning.method.value.lower():
        return None
    listed = _values(tuning.space.get({}))
    if len(listed) < dimensions or max(listed.values()) > most:
        return None
    sizes = " × ".join(map(str, listed.values()))
    return Flagged(
        message=f"`{method.id}` was searched on a grid of {sizes} = {math.prod(listed.values())}"
        f" points over {len(listed)} dimensions: at most {max(listed.values())} values of each"
        " were tried, where a random search of as many trials tries another one each time",
        kind=Kind.UNSUPPORTED,
        severity=Severity.NOTE,
        seen=Quantity(
            name=f"{method.id}.dimensions of the grid", value=len(listed),
            source=str(tuning.space.place),
        ),
        at=tuning.space.place,
    )  # fmt: skip


def _values(space: Mapping[str, object]) -> dict[str, int]:
    """Return how many values a grid has in each dimension that it varies."""
    return {
        str(name): len(listed)
        for name, listed in space.items()
        if isinstance(listed, list | tuple) and len(listed) > 1
    }


def _not_asked(comparison: Comparison, sensitivity: Sensitivity) -> Undetermined:
    names = sensitivity.settable(comparison)
    ours, theirs = (one.place.join("tuning") for one in (comparison.method, comparison.baseline))
    commands = [one.train.command for one in (comparison.method, comparison.baseline)]
    silent = next((one for one in commands if not one.known), None)
    if silent is not None:
        words, reason = f"declare `{silent.path}`", Reason.NO_COMMAND
    elif len(names) < FEWEST_CLEARED:
        lacking = next(name for name in ("lr", "batch_size") if name not in names)
        words = (
            f'`overrides: {{{lacking}: "--{lacking} {{value}}"}}` (as both commands take it) and'
            f" `tuning: {{sweep: [lr, batch_size]}}` under `{ours}` and `{theirs}`"
        )
        reason = Reason.NO_PLACEHOLDER
    else:
        listed = ", ".join(names)
        words = f"`sweep: [{listed}]` under `{ours}` and under `{theirs}`"
        reason = Reason.UNDECLARED_KEY
    return Undetermined(
        message="how wide the gain is in the hyperparameters was not asked: no sweep is declared",
        reason=reason,
        would_decide=words,
    )


def _swept(
    comparison: Comparison, sensitivity: Sensitivity, share: float, fewest: int
) -> Iterator[Outcome]:
    metrics = sensitivity.each(comparison)
    for found in metrics:
        if isinstance(found, Sweep):
            yield _judged(comparison, found, share, fewest)
        else:
            yield undecided(found)
    if not metrics:
        yield NotApplicable(message="no claim of this comparison names a metric")


def _judged(comparison: Comparison, found: Sweep, share: float, fewest: int) -> Outcome:
    counted, kept, still = found.counted, found.count("kept"), found.count("open")
    words = _words(comparison, found)
    if counted >= fewest and (kept + still) / counted < share:
        return Flagged(
            message=words,
            kind=Kind.UNSUPPORTED,
            seen=found.quantities(),
            at=found.claim.place,
        )
    if counted >= FEWEST_CLEARED and kept / (counted + _unseen(found)) >= share:
        return Cleared(
            message=words,
            seen=found.quantities(),
            limit=f"less than {share:.0%} of the settings, half and twice the value alone;"
            f" {counted} settings",
        )
    if counted < fewest:
        apart = [one for one in found.settings if one.standing == "apart"]
        named = "; ".join(f"{one.point.label}: {one.why}" for one in apart)
        return Undetermined(
            message=f"{words}; {fewest} settings are needed",
            reason=_reason(found) if named else Reason.UNDERPOWERED,
            would_decide=f"one more hyperparameter in `{comparison.method.tuning.sweep.path}`"
            + (f"; not counted: {named}" if named else ""),
            seen=found.quantities(),
        )
    return Undetermined(
        message=words,
        reason=Reason.UNDERPOWERED,
        would_decide="more seeds per arm (`budget: {seeds_per_arm: ...}`)",
        seen=found.quantities(),
    )


def _unseen(found: Sweep) -> int:
    """Return in how many settings nobody knows the gain although the baseline may train."""
    apart = [one for one in found.settings if one.standing == "apart"]
    return sum(one.reason is not Reason.NOT_TESTABLE for one in apart)


def _reason(found: Sweep) -> Reason:
    """Return why the first of the settings that are not counted is none."""
    return next((one.reason for one in found.settings if one.reason), Reason.NOT_OBSERVED)


def _words(comparison: Comparison, found: Sweep) -> str:
    listed = "; ".join(told(one) for one in found.settings if one.standing != "apart")
    still, apart = found.count("open"), found.count("apart")
    more = f", {still} open" if still else ""
    more += f", {apart} not counted" if apart else ""
    return (
        f"`{comparison.method.id}` keeps half of its gain over `{comparison.baseline.id}`"
        f" ({found.declared.estimate:+.3g}, n = {found.n_method} and {found.n_baseline}) in"
        f" {found.count('kept')} of {found.counted} neighbouring settings{more}"
        + (f": {listed}" if listed else "")
    )
