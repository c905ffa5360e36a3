"""The steps of an epoch do not add up to the training set.

## What it catches
Steps per epoch x batch x devices x accumulation that is not the size of the training set times the
declared repeats: an epoch that is longer than it says, or a batch or a set of another size.

## When it is legitimate
The last, partial batch makes one step of difference. Some count steps before accumulation, or the
batch over all devices; a factor that is not stated (`devices`, `grad_accum`, `repeats`) may be what
is missing, and then nothing is said but which key would decide it.

## How it is decided
From the declared numbers alone. One step or 2 % is nothing, up to 10 % minor, more is major; where
another way of counting explains it, a note that says which.

## How to fix
Correct the number that is wrong, or declare `repeats` if an epoch uses each sample several times.

## Source
hzwer 1.3
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.budget import figure, train_size
from repcheck.claims.model import Claims, Method, Train
from repcheck.claims.stated import Stated
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Part, Severity, rule


@rule("RC903", Severity.MINOR, part=Part.FORENSIC)
def check(method: Method, table: Table, *, slack: float = 0.02, much: float = 0.10) -> Answer:
    train = method.train
    if train.absent:
        return NotApplicable(message="nothing is trained")
    steps, batch = train.steps_per_epoch.value, train.batch_size.value
    wanted = _size(table.claims, method) * train.repeats.get(1)
    per_step = batch * train.devices.get(1) * train.grad_accum.get(1)
    drawn = steps * per_step
    seen = Quantity(
        name="samples in one epoch of steps",
        value=drawn,
        level=Level.FORENSIC,
        source=str(train.steps_per_epoch.place),
    )
    if _same(drawn, wanted, per_step, slack):
        words = f"{figure(steps)} steps of {figure(per_step)} are one epoch"
        return Cleared(message=words, seen=seen, limit="would have seen one step and 2 % more")
    _ask_for_what_is_silent(train, drawn, wanted, per_step, slack)
    because = next(
        (
            words
            for words, other in _other_counts(train)
            if _same(steps * other, wanted, other, slack)
        ),
        "",
    )
    far = abs(drawn / wanted - 1)
    severity = Severity.NOTE if because else Severity.MAJOR if far > much else Severity.MINOR
    return Flagged(
        message=f"{figure(steps)} steps of {figure(per_step)} are {figure(drawn)} samples, an "
        f"epoch is {figure(wanted)} (x{drawn / wanted:.2f})"
        + (f"; it fits if {because}" if because else ""),
        kind=Kind.MISMATCH,
        severity=severity,
        seen=seen,
        at=train.steps_per_epoch.place,
    )


def _size(claims: Claims, method: Method) -> float:
    return train_size(claims, method).value


def _same(drawn: float, wanted: float, step: float, slack: float) -> bool:
    return abs(drawn - wanted) <= max(step, slack * wanted)


def _other_counts(train: Train) -> Iterator[tuple[str, float]]:
    batch, devices, passes = train.batch_size.value, train.devices.get(1), train.grad_accum.get(1)
    yield "steps are counted before accumulation", batch * devices
    yield "the batch size is that of all devices", batch * passes
    yield "the batch size is that of all devices and passes", batch
    if train.views.known:
        yield "each view is a sample of the batch", batch * devices * passes / train.views.value


def _ask_for_what_is_silent(
    train: Train, drawn: float, wanted: float, per_step: float, slack: float
) -> None:
    """Raise `Missing` where an undeclared whole factor would make both sides equal."""
    silent: tuple[Stated[int] | Stated[float], ...]
    if drawn >= wanted:
        whole, silent = round(drawn / wanted), (train.repeats,)
        open_ = _same(drawn, wanted * whole, per_step, slack)
    else:
        whole, silent = round(wanted / drawn), (train.devices, train.grad_accum)
        open_ = _same(drawn * whole, wanted, per_step * whole, slack)
    leaf = next((leaf for leaf in silent if leaf.undeclared), None)
    if whole >= 2 and open_ and leaf is not None:
        words = f"declare `{leaf.path}` (a factor of {whole} is open)"
        raise Missing(Reason.UNDECLARED_KEY, words)
