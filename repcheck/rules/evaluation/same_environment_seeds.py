"""An agent is tested in the very environments that it was trained in.

## What it catches
Procedural environments are what their seed makes of them: seeds of the test that stand among those
of the training make the test set a part of the training set.

## When it is legitimate
Environments that are the same whatever the seed is, and a paper that claims nothing beyond the
training environments and says so. Seeds of a validation that is run while the agent learns are no
training, as long as the test has its own.

## How it is decided
By the seeds that environments (objects with `reset` and `step`) were reset with: those of lines
that were reached only before the last optimizer step and made at least half of the resets up to
there are the training's, those of lines reached after it the test's. Else by `train_seeds` and
`test_seeds` as declared. One seed in both, in any run, is major, minor where the baseline has it so
too or was not seen.
Environments that are built outside Python, and agents that are trained without torch, are not seen.

## How to fix
Draw the seeds of the test from a range of their own, and state both ranges.

## Source
Trick 5.9 of the hzwer list: overfit the test set in disguise; leak the random seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from repcheck.claims.comparison import Comparison, dataset_named
from repcheck.claims.model import Environment, Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.observed import Observed, Sight
from repcheck.facts.table import Table
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
from repcheck.runs import Run
from repcheck.visible import line

if TYPE_CHECKING:
    from repcheck.agent_seen import ResetsSeen

Ranges = tuple[tuple[int, int], ...]
MAIN = 0.5
"""Share of the resets up to the last step that the training's own lines make at least."""


@rule("RC509b", Severity.MAJOR, factors=("environment",))
def check(comparison: Comparison, table: Table, observed: Observed) -> Answer:
    stated = dataset_named(table.claims, comparison.dataset).environment
    found: list[Outcome] = _declared(stated)
    runs = _seen(observed, comparison.method, comparison.dataset)
    if runs:
        theirs = _seen(observed, comparison.baseline, comparison.dataset)
        every = [_observed(comparison, one, theirs) for one in runs]
        found.append(min(every, key=_rank))
    if found:
        return found
    if stated.train_seeds.known and stated.test_seeds.known:
        return Cleared(
            message="the declared seeds of training and test have none in common",
            seen=Quantity(
                name="seeds of the test",
                value=len(stated.test_seeds.value),
                source=str(stated.test_seeds.place),
            ),
            limit="the authors' words",
        )
    if stated.declared or comparison.method.rl.known:
        raise Missing(
            Reason.UNDECLARED_KEY,
            f"declare `{stated.train_seeds.path}` and `{stated.test_seeds.path}`",
        )
    return NotApplicable(message="no environment is declared, and none was reset with a seed")


def _declared(stated: Environment) -> list[Outcome]:
    train, test = {*stated.train_seeds.get(())}, {*stated.test_seeds.get(())}
    both = train & test
    if not both:
        return []
    flagged = Flagged(
        message=f"{len(both)} of the {len(test)} declared test seeds stand among the {len(train)}"
        f" of the training ({', '.join(map(str, sorted(both)[:3]))})",
        kind=Kind.UNSUPPORTED,
        seen=Quantity(
            name="test seeds of the training", value=len(both), source=str(stated.test_seeds.place)
        ),
        at=stated.test_seeds.place,
    )
    return [flagged]


def _rank(outcome: Outcome) -> int:
    """Return what weighs more: one run with seeds in common, then one of which nothing is known."""
    return 0 if isinstance(outcome, Flagged) else 1 if isinstance(outcome, Undetermined) else 2


def _seen(observed: Observed, method: Method, dataset: str) -> list[tuple[Sight, Run, Resets]]:
    """Return the resets of each of a method's runs in which there were any."""
    try:
        sight = observed.of(method, dataset)
    except Missing:
        return []
    return [(sight, run, seen.resets) for run, seen in sight.observations() if seen.resets]


Resets = tuple["ResetsSeen", ...]


def _observed(
    comparison: Comparison,
    ours: tuple[Sight, Run, Resets],
    theirs: list[tuple[Sight, Run, Resets]],
) -> Outcome:
    sight, run, resets = ours
    name = comparison.method.id
    train, test = _training(resets), _test(resets)
    if not train or not test or any(one.cut for one in resets):
        return Undetermined(
            message=f"which seeds trained `{name}` and which tested it cannot be told apart",
            reason=Reason.NOT_OBSERVED,
            would_decide="environments that are reset from one line for the training and from"
            " another for the test, after the last optimizer step",
        )
    both, count = _common(train, test), _size(test)
    seen = (
        sight.quantity("seeds of the training", _size(train), "", run),
        sight.quantity("seeds of the test", count, "", run),
        sight.quantity("seeds of both", both, "", run),
    )
    if not both:
        return Cleared(
            message=f"`{name}` was trained with {_size(train)} seeds of its environment and tested"
            f" with {count}, none of them in both",
            seen=seen,
            limit="one seed in common, among those that `reset` is given in Python",
        )
    others = [_common(_training(one[2]), _test(one[2])) for one in theirs]
    other = f"{max(others)} for" if others else "those of"
    tail = "" if others else " were not seen"
    where = line(next(one.site for one in resets if one.after).rpartition("/")[2])
    return Flagged(
        message=f"{both} of the {count} seeds that the environment of `{name}` is tested with"
        f" ({where}) are among the {_size(train)} that it was trained with;"
        f" {other} `{comparison.baseline.id}`{tail}",
        kind=Kind.UNSUPPORTED,
        severity=Severity.MINOR if max(others, default=both) >= both else Severity.MAJOR,
        seen=seen,
    )


def _training(resets: Resets) -> Ranges:
    before = [one for one in resets if one.during]
    mine = [one for one in before if not one.after]
    if sum(one.count for one in mine) < MAIN * sum(one.count for one in before):
        return ()
    most = max((one.count for one in mine), default=0)
    return _merged(seeds for one in mine if one.count >= MAIN * most for seeds in one.seeds)


def _test(resets: Resets) -> Ranges:
    return _merged(seeds for one in resets if one.after for seeds in one.seeds)


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return tuple(found)


def _size(ranges: Ranges) -> int:
    return sum(high - low + 1 for low, high in ranges)


def _common(a: Ranges, b: Ranges) -> int:
    pairs = ((max(x[0], y[0]), min(x[1], y[1])) for x in a for y in b)
    return sum(max(0, high - low + 1) for low, high in pairs)
