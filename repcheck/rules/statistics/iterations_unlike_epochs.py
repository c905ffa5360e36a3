"""One training is given in iterations and in epochs, and the two differ.

## What it catches
A method that declares both its iterations (or samples) and its epochs, where one is not the other:
360 iterations in the text, ten epochs in the table.

## When it is legitimate
Rounded numbers, the last partial batch of each epoch, and early stopping, under which epochs are an
upper limit (nothing is judged then). A factor that is not stated may be what is missing.

## How it is decided
Iterations x batch x devices x accumulation against epochs x training set x repeats; or iterations
against epochs x steps per epoch where those are declared. One step an epoch or 2 % is nothing, up
to 10 % minor, more is major; where another way of counting the batch explains it, a note.

## How to fix
State the length in one unit, and derive the other from it.

## Source
hzwer 1.2
"""

from __future__ import annotations

from dataclasses import dataclass

from repcheck.budget import figure, train_size
from repcheck.claims.model import Claims, Method, Train
from repcheck.claims.stated import Stated
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Part, Severity, rule

_ONE_UNIT = NotApplicable(message="the length is given in one unit only")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Length:
    epochs: float
    said: str
    made_of: str
    step: float  # one optimizer step, in epochs


@rule("RC904", Severity.MINOR, part=Part.FORENSIC)
def check(method: Method, table: Table, *, slack: float = 0.02, much: float = 0.10) -> Answer:
    train = method.train
    if train.absent:
        return NotApplicable(message="nothing is trained")
    if not train.epochs.known or not (train.iterations.known or train.samples.known):
        return _one_unit(train)
    if train.early_stopping.known:
        return NotApplicable(message="training stops early: its epochs are an upper limit")
    other, epochs = _other(table.claims, method), train.epochs.value
    seen = Quantity(
        name="epochs in the declared steps",
        value=round(other.epochs, 6),
        level=Level.FORENSIC,
        source=str(train.epochs.place),
    )
    if _same(other.epochs, epochs, other.step, slack):
        return Cleared(
            message=f"{other.said} are {figure(epochs)} epochs",
            seen=seen,
            limit="would have seen one step an epoch and 2 % more",
        )
    ratio = other.epochs / epochs if epochs else float("inf")
    _ask_for_what_is_silent(train, other, epochs, slack)
    because = _other_count(train, other, epochs, slack)
    severity = Severity.MAJOR if abs(ratio - 1) > much else Severity.MINOR
    return Flagged(
        message=f"{other.said} are {figure(other.epochs)} epochs ({other.made_of}), "
        f"{figure(epochs)} are declared (x{ratio:.2f})"
        + (f"; it fits if {because}" if because else ""),
        kind=Kind.MISMATCH,
        severity=Severity.NOTE if because else severity,
        seen=seen,
        at=train.epochs.place,
    )


def _one_unit(train: Train) -> NotApplicable:
    lengths = (train.epochs, train.iterations, train.samples, train.tokens, train.env_steps)
    if all(leaf.undeclared for leaf in lengths):
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{train.epochs.path}`")
    return _ONE_UNIT


def _other(claims: Claims, method: Method) -> _Length:
    """Return the length in epochs that the iterations (or samples) make."""
    train = method.train
    repeats = train.repeats.get(1)
    if train.iterations.known and train.steps_per_epoch.known:
        steps = train.steps_per_epoch.value
        return _Length(
            epochs=train.iterations.value / steps,
            said=f"{figure(train.iterations.value)} iterations",
            made_of=f"{figure(steps)} steps an epoch",
            step=1 / steps,
        )
    size = train_size(claims, method).value * repeats
    if not size:
        raise Inapplicable("the training set is empty")
    if not train.iterations.known:
        samples = train.samples.value
        made_of = f"{figure(size)} samples an epoch"
        said = f"{figure(samples)} samples"
        return _Length(epochs=samples / size, said=said, made_of=made_of, step=0)
    per_step = train.batch_size.value * train.devices.get(1) * train.grad_accum.get(1)
    return _Length(
        epochs=train.iterations.value * per_step / size,
        said=f"{figure(train.iterations.value)} iterations",
        made_of=f"{figure(per_step)} samples a step, {figure(size)} an epoch",
        step=per_step / size,
    )


def _ask_for_what_is_silent(train: Train, other: _Length, epochs: float, slack: float) -> None:
    """Raise `Missing` where an undeclared whole factor would make both sides equal."""
    if not epochs or not other.epochs:
        return
    silent: tuple[Stated[int] | Stated[float], ...]
    if other.epochs >= epochs:
        whole, silent = round(other.epochs / epochs), (train.repeats,)
        open_ = _same(other.epochs, epochs * whole, other.step, slack)
    else:
        whole, silent = round(epochs / other.epochs), (train.devices, train.grad_accum)
        open_ = _same(other.epochs * whole, epochs, other.step * whole, slack)
    leaf = next((leaf for leaf in silent if leaf.undeclared), None)
    if whole >= 2 and open_ and leaf is not None:
        words = f"declare `{leaf.path}` (a factor of {whole} is open)"
        raise Missing(Reason.UNDECLARED_KEY, words)


def _other_count(train: Train, other: _Length, epochs: float, slack: float) -> str:
    """Return the other way of counting the batch that makes both lengths equal, or nothing."""
    if not train.iterations.known or train.steps_per_epoch.known:
        return ""
    devices, passes = train.devices.get(1), train.grad_accum.get(1)
    for words, factor in (
        ("the batch size is that of all devices", devices),
        ("steps are counted before accumulation", passes),
        ("the batch size is that of all devices and passes", devices * passes),
    ):
        if factor > 1 and _same(other.epochs / factor, epochs, other.step / factor, slack):
            return words
    return ""


def _same(made: float, epochs: float, step: float, slack: float) -> bool:
    return abs(made - epochs) <= max(slack * epochs, (epochs + 1) * step)
