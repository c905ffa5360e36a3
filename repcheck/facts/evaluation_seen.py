"""What a run's last evaluations show: averaged weights, views, members, which checkpoint.

Each question is answered with nothing where the record does not tell: rows that are alike are no
views, two networks of a generator are no ensemble, and a frozen network is no average.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from repcheck.claims.model import Dataset
from repcheck.facts.observed import MOST

if TYPE_CHECKING:
    from repcheck.observation import Average, EvaluatedSet, Evaluation, Observation

SEVERAL = 1.5
"""Rows an example from which on one speaks of views or members."""
_NEAR = 0.03
_FITTED = 0.99


def finals(seen: Observation) -> list[Evaluation]:
    """Return the last pass over each set, sanity checks left out."""
    passes = [one for one in seen.evaluations if not one.sanity and _possible(one)]
    last = [one for one in passes if one.final]
    return last or passes[-1:]


def _possible(one: Evaluation) -> bool:
    """Return whether a pass's numbers can be true: a record may be forged."""
    views = one.views
    return one.models >= 1 and 0 <= one.rows < MOST and (views is None or 0 < views < MOST)


def set_of(seen: Observation, one: Evaluation) -> EvaluatedSet | None:
    """Return the samples of a pass."""
    return next((found for found in seen.sets if found.id == one.set), None)


def _plain(one: Evaluation) -> bool:
    """Return whether the evaluated values are ones that the optimizer held."""
    return one.known is True or (one.held is True and one.swapped is False)


def averaged(seen: Observation, *, swa: bool) -> float | None:
    """Return the decay of averaged weights that were evaluated (1 if unknown); 0: raw weights.

    None where the evaluated weights are neither known as averaged nor as the trained ones, or
    where both were evaluated on the same examples at last.
    """
    used = [one for one in seen.averages if one.evaluated and _fits(one)]
    if seen.training is None and not used:
        return None
    last = finals(seen)
    if any(_is_swa(one) is None for one in used):
        return None
    if any(_plain(one) and _beside(one, last) for one in seen.evaluations) and used:
        return None
    mine = [one for one in used if _is_swa(one) is swa]
    if mine:
        return mine[0].decay or 1.0
    if not last or (not seen.averages and not all(map(_plain, last))):
        return None
    return 0.0 if used or all(map(_plain, last)) else None


def _untrained(seen: Observation) -> bool:
    """Return whether the values evaluated last are those of before a training nobody saw."""
    return seen.training is None and any(one.made_at == 0 for one in finals(seen))


def _fits(one: Average) -> bool:
    good = one.r2 is None or one.r2 >= _FITTED
    return good and (one.decay is None or 0 < one.decay < 1)


def _beside(one: Evaluation, last: list[Evaluation]) -> bool:
    """Tell whether a pass was over the same set after the same step as one of the last ones."""
    return any(one.set == final.set and one.at == final.at for final in last)


def _is_swa(one: Average) -> bool | None:
    """Tell an equal average over steps from a moving one; None where that cannot be told."""
    if one.how == "AveragedModel" or "swa" in one.cls.rpartition(".")[2].lower():
        return True
    return None if one.decay is None else False


def members(seen: Observation) -> int | None:
    """Return how many models of one kind met each example; None where that cannot be told.

    Models that met them in passes of their own may be members, or runs that are reported apart.
    """
    last = finals(seen)
    found = [one for one in (_members(seen, one) for one in last) if one is not None]
    most = max(found) if found else None
    return None if most == 1 and any(one.other_models for one in last) else most


def _members(seen: Observation, one: Evaluation) -> int | None:
    if one.models <= 1:
        return 1
    if one.views is None:
        return None
    if one.views < SEVERAL:
        return 1
    alike = max(Counter((m.cls, m.params) for m in seen.models).values(), default=0)
    return one.models if alike >= one.models else None


def views(seen: Observation, dataset: Dataset) -> float | None:
    """Return how often one model met each example; None where that cannot be told.

    A module that is called as often in training, as a cell at every time step is, shows no views;
    whether the scores of several passes over one set are averaged is not seen.
    """
    last = finals(seen)
    found = [one for one in (_views(seen, one, dataset) for one in last) if one is not None]
    most = max(found) if found else None
    if most and most < SEVERAL and any(one.other_views for one in last):
        return None
    usual = (seen.training.forwards if seen.training else None) or 1.0
    return None if most and most >= SEVERAL and usual >= (1 - _NEAR) * most else most


def _views(seen: Observation, one: Evaluation, dataset: Dataset) -> float | None:
    samples = set_of(seen, one)
    size = dataset.test.size
    if one.views is not None:
        each = one.views / max(1, one.models)
        indexed = samples is not None and samples.by == "indices"
        whole = samples is not None and samples.examples is not None and size.known
        if indexed or (whole and samples is not None and _near(samples.examples, size.value)):
            return each
        return each if each < SEVERAL and indexed else _by_size(one, dataset)
    return _by_size(one, dataset)


def _by_size(one: Evaluation, dataset: Dataset) -> float | None:
    """Return rows over the stated test size, if they are a whole multiple and no sum of splits."""
    sizes = [part.size for part in (dataset.test, dataset.val, dataset.train)]
    if not all(size.known for size in sizes):
        return None
    known = [float(size.value) for size in sizes]
    sums = [sum(some) for count in (1, 2, 3) for some in combinations(known, count)]
    rows = one.rows / max(1, one.models)
    if any(_near(rows, total) for total in sums):
        return 1.0 if _near(rows, known[0]) else None
    ratio = rows / known[0]
    return ratio if ratio >= SEVERAL and abs(ratio - round(ratio)) <= _NEAR else None


def _near(value: float | None, other: float) -> bool:
    return value is not None and abs(value - other) <= 0.02 * other


def self_distilled(seen: Observation) -> bool | None:
    """Return whether an untrained copy of the model was asked on the training samples.

    A copy may be a teacher, or a target or momentum network; None where it is known as the latter,
    since it follows the model as a moving average.
    """
    if seen.training is None:
        return None
    rows = seen.training.samples or 0
    copies = [
        one
        for one in seen.teachers
        if one.same_class_as_trained and not one.in_optimizer and one.rows >= 0.5 * rows
    ]
    if not copies:
        return False
    return None if seen.averages else True


def checkpoint(seen: Observation) -> str | None:
    """Return `last` or `earlier`: which of the trained weights were evaluated last."""
    known = [one.made_at >= one.at for one in finals(seen) if one.made_at is not None]
    if not known or _untrained(seen):
        return None
    return "last" if all(known) else "earlier"


def mode(seen: Observation) -> str | None:
    """Return the mode of the last evaluations: `train` or `eval`."""
    last = finals(seen)
    if not last:
        return None
    return "train" if any(one.in_training_mode for one in last) else "eval"


def evaluated(seen: Observation) -> Sequence[EvaluatedSet]:
    """Return the sets of the last evaluations whose examples are known by their indices."""
    found = (set_of(seen, one) for one in finals(seen))
    return [one for one in found if one is not None and one.by == "indices" and one.examples]
