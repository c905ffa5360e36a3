"""Not the whole test set was evaluated.

## What it catches
A loop that stops after some batches, a test loader that drops the last batch, samples that are
silently skipped: the number is of a part of the test set, perhaps an easy one.

## When it is legitimate
A subset that the paper states: then its size is the stated one.

## How it is decided
The different examples of the test set that a rerun evaluated beside `datasets.<name>.test.size` (or
`metrics.<name>.n_test`). Up to 2 % fewer is aligned, up to 10 % fewer minor, below that major. More
examples than stated are counted as what they are only by index; by content they may be views of the
same ones.

## How to fix
Evaluate every test example, or state the subset and how it was drawn.

## Source
Karpathy's recipe for training neural networks: evaluate on the entire test set.
"""

from __future__ import annotations

from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.facts.leak import Tested, Tests
from repcheck.finding import times
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    Outcome,
    Severity,
    Undetermined,
    rule,
)


@rule("RC813", Severity.MINOR)
def check(method: Method, tests: Tests, *, slack: float = 0.02, minor: float = 0.10) -> Answer:
    return [_counted(method, tested, slack, minor) for tested in tests.of(method)]


def _counted(method: Method, tested: Tested, slack: float, minor: float) -> Outcome:
    stated, size = tested.size, tested.examples
    if stated is None:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{tested.dataset.test.size.path}`")
    if size is None or (tested.set.share < 1 and size < stated):
        raise Missing(
            Reason.NOT_OBSERVED,
            f"which of the {stated:,} test examples `{method.id}` evaluates could not be seen",
        )
    seen = tested.quantity("test examples evaluated", size)
    words = f"`{method.id}` evaluates {size:,} of {stated:,} stated test examples"
    if size > (1 + slack) * stated:
        return _more(tested, words, size, stated)
    missing = 1 - size / stated
    if missing <= slack:
        return Cleared(message=words, seen=seen, limit=f"{slack:.0%} of the examples")
    if not tested.sure:
        return Undetermined(
            message=f"{words} if that is the set behind the reported number: {tested.because}",
            reason=Reason.CONFLICTING_EVIDENCE,
            would_decide="which of the evaluated sets gives the reported number",
            seen=seen,
        )
    return Flagged(
        message=f"{words} ({times(size / stated)}; {tested.because})",
        kind=Kind.MISMATCH,
        severity=Severity.MAJOR if missing > minor else Severity.MINOR,
        seen=seen,
        at=method.place,
    )


def _more(tested: Tested, words: str, size: int, stated: int) -> Outcome:
    seen = tested.quantity("test examples evaluated", size)
    if tested.set.by != "indices":
        return Undetermined(
            message=f"{words}: views of the same examples, or more examples",
            reason=Reason.NOT_OBSERVED,
            would_decide="a test set whose examples the probe can count by index",
            seen=seen,
        )
    return Flagged(
        message=f"{words} ({times(size / stated)})",
        kind=Kind.MISMATCH,
        severity=Severity.MINOR,
        seen=seen,
        at=tested.dataset.test.size.place,
    )
