"""In the paper's own scenario an obvious remedy does what the method does.

## What it catches
A trivial scenario that nobody considered, with an enormous improvement in it: the baseline was
simply never told, and one line of augmentation or preprocessing, or nearest neighbours, do as well.

## When it is legitimate
A new problem with the obvious remedies among its baselines; a scenario that people meet and in
which they would not help. A new benchmark with strong, honest baselines.

## How it is decided
For datasets of a stated scenario (`protocol: new`, or `known_shift`). Trivial references are the
methods of `role: trivial`, and those that `check` fits itself to the dataset's training split
(`datasets.D.loader`, or `train.path` and `test.path` as npz or csv): the most frequent class, three
nearest neighbours, a linear model. Where the best goes `share` of the method's way above chance
(`labels.classes`, else what the most frequent class scores) or more, that is a finding: major where
it also has half of the gain over the baseline or more, else minor. Arms that give the baseline the
remedy (`factor: trivial`, `preprocessing` or `augmentation`, `kind: add`) are judged as every arm
is: major where the gain is gone or reduced. A gain above `times` that of the same pair on a
standard dataset is said beside. Otherwise the scores are laid out, and a person has to say who
meets the scenario.

## How to fix
Make the trivial remedy a baseline of the scenario's table.

## Source
Trick 5.5 of the hzwer list: find a trivial scenario nobody considered and make enormous
improvements there.
"""

from __future__ import annotations

from repcheck.claims.comparison import Comparison, dataset_named
from repcheck.claims.model import Dataset
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.references import References, Scenario, is_scenario
from repcheck.rule import (
    Answer,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
    rule,
)


@rule("RC505", Severity.MAJOR, factors=("trivial", "preprocessing", "augmentation"))
def check(
    comparison: Comparison, references: References, *, share: float = 0.9, times: float = 5.0
) -> Answer:
    data = dataset_named(references.claims, comparison.dataset)
    if not is_scenario(data):
        if data.protocol.undeclared and comparison.dataset:
            raise Missing(Reason.UNDECLARED_KEY, f"declare `{data.protocol.path}`")
        return NotApplicable(message=f"`{data.id}` is no scenario of its own (`{data.protocol}`)")
    found = references.on(comparison)
    if not found:
        return _no_reference(comparison, references, data)
    return [_answer(comparison, references, one, share, times) for one in found]


def _answer(
    comparison: Comparison, references: References, one: Scenario, share: float, times: float
) -> Outcome:
    unit = one.claim.metric.get("")
    data = dataset_named(references.claims, comparison.dataset)
    seen: tuple[Quantity, ...] = tuple(
        score.quantity(unit)
        for score in (one.method, one.baseline, *one.references)
        if score is not None
    )
    beside = ""
    if one.baseline is not None:
        beside = f"; `{comparison.baseline.id}` scores {one.baseline.words}"
    words = (
        f"in the scenario `{comparison.dataset}` the best trivial reference, {one.best.name},"
        f" scores {one.best.words}: {one.reach:.0%} of the way from chance ({one.chance:.4g}) to"
        f" `{comparison.method.id}`, {one.method.words}{beside}"
        f"{_standard(comparison, references, one, times)}"
    )
    if one.reach >= share and not one.told:
        return Undetermined(
            message=f"{words}; what chance scores is not known",
            reason=Reason.UNDECLARED_KEY,
            would_decide=f"declare `{data.labels.classes.path}`",
            seen=seen,
        )
    if one.reach >= share:
        return Flagged(
            message=words,
            kind=Kind.UNSUPPORTED,
            severity=Severity.MAJOR if one.explains else Severity.MINOR,
            seen=seen,
            at=one.claim.place,
        )
    return Undetermined(
        message=f"{words}: no trivial reference does it; who meets this scenario?",
        reason=Reason.NEEDS_HUMAN,
        would_decide=f"somebody who knows whether `{comparison.dataset}` is met in practice, and"
        " whether those who meet it would not apply a simpler remedy",
        seen=seen,
    )


def _standard(comparison: Comparison, references: References, one: Scenario, times: float) -> str:
    """Return what the gain is on a standard dataset, where the scenario's is so much larger."""
    there = references.elsewhere(comparison, one.claim)
    if there is None or one.baseline is None:
        return ""
    name, gain = there
    here = one.method.value - one.baseline.value
    if here <= times * max(gain, 0.0) or here <= 0:
        return ""
    return f"; the gain is {here:+.3g} here and {gain:+.3g} on `{name}`"


def _no_reference(comparison: Comparison, references: References, data: Dataset) -> Undetermined:
    if why := references.failed(data.id):
        return Undetermined(
            message=f"the trivial references on `{data.id}` could not be fitted: {why}",
            reason=Reason.COMMAND_FAILED,
            would_decide=f"mend `{data.loader.path}`: a function that returns"
            " {train: (inputs, labels), test: (inputs, labels)}",
        )
    if (unit := references.unit_missing(comparison)) is not None:
        raise unit
    return Undetermined(
        message=f"no trivial reference is known in the scenario `{data.id}`",
        reason=Reason.UNDECLARED_KEY,
        would_decide=f'declare `{data.loader.path}: "module:function"` (or `train.path` and'
        " `test.path` as npz or csv) so that `check` fits nearest neighbours and a linear model, or"
        f" rows of a method with `role: trivial`; and `arms: [{{of: {comparison.baseline.id},"
        " factor: trivial, kind: add, override: {...}}]`",
    )
