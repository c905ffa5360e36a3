"""What a run spent on an axis on which trainings are made equal: samples, steps, training FLOPs."""

from __future__ import annotations

from collections.abc import Sequence

from repcheck.errors import Missing
from repcheck.facts.bill import train_bill
from repcheck.runs import Run

LONGER = 1.05


def longer(
    mine: Sequence[Run], ours: Sequence[Run], axes: Sequence[str] = ("samples", "steps")
) -> bool:
    """Return whether runs trained on more than others, on the first axis that was seen of both."""
    for axis in axes:
        lengths = [
            max((value for run in runs if (value := axis_of(run, axis)) is not None), default=None)
            for runs in (mine, ours)
        ]
        if lengths[0] and lengths[1]:
            return lengths[0] > LONGER * lengths[1]
    return False


def axis_of(run: Run, axis: str) -> float | None:
    """Return what a run spent on an axis: samples, steps, train_flops; None if it was not seen.

    FLOPs of which only a lower bound is known are none.
    """
    seen = run.observation
    training = seen.training if seen is not None else None
    if seen is None or training is None:
        return None
    if axis in {"samples", "steps"}:
        value = training.samples if axis == "samples" else training.steps
        return None if value is None else float(value)
    try:
        bill = train_bill(seen, training)
    except Missing:
        return None
    if bill.at_least:
        return None
    useful = bill.whole - bill.recompute  # what saves memory computes again and learns nothing
    return useful if axis == "flops a sample" else useful * bill.samples
