"""The seed does not decide the run: it is ignored, or the same seed gives other results.

## What it catches
Several seeds that give identical runs, counted as several: the spread of them is nothing. A seed
that does not fix what it is said to fix.

## When it is legitimate
A training without randomness, reported as one run. Small differences of parallel arithmetic, which
are reported here as run-to-run spread.

## How it is decided
Two or more runs of other seeds that equal each other in every metric, in the first and the last
weights, the order of samples and the losses, as far as these were seen: a major mismatch if the
paper counts several runs (`n`, `per_seed` or `seeds.train`), else minor; a note if the generators
were given the run's own seed, for then the training is merely without chance. Two runs of one seed:
equal in all of this, or in every digit that is printed, is repeatable; first weights, order or test
set that differ although `seeds.fixes` names them are a minor mismatch; other first weights are
minor; anything else is a note with the spread. Runs of other seeds only decide nothing about
repeating one.

## How to fix
Seed every generator from the one seed that is reported, and count runs that differ in it.

## Source
Karpathy's recipe for training neural networks: fix the random seed; and fake repetitions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.fact import Quantity
from repcheck.facts.observed import Observed, Sight
from repcheck.facts.spread import count
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
from repcheck.units import decimals

Group = Sequence[Run]
# What a run left behind, by the word of `seeds.fixes` that would pin it.
TRACES = ("init", "order", "split", "losses", "final weights")


@rule("RC812", Severity.MINOR)
def check(method: Method, observed: Observed, table: Table) -> Answer:
    sight = observed.of(method)
    by_seed: dict[tuple[str, int], list[Run]] = defaultdict(list)
    for run in sight.runs:
        by_seed[run.dataset, run.seed].append(run)
    found: list[Outcome] = []
    for dataset in sorted({dataset for dataset, _ in by_seed}):
        others = [runs[0] for (name, _), runs in by_seed.items() if name == dataset]
        if len(others) > 1 and _identical(others):
            found.append(_ignored(method, sight, others, table))
    if found:
        return found
    again = [runs for runs in by_seed.values() if len(runs) > 1 and _comparable(runs)]
    if again:
        return [_repeated(method, sight, runs, table) for runs in again]
    if not any(seen.training for _, seen in sight.observations()):
        return _without_steps(method, sight)
    return _never_repeated(method, sight)


def _without_steps(method: Method, sight: Sight) -> NotApplicable:
    """Return that nothing is left to chance, where estimators were fitted and nothing is amiss.

    Raises:
        Missing: if it is not known that no optimizer took a step.
    """
    fitted = all(seen.fits and not seen.gap("training") for _, seen in sight.observations())
    if sight.doubt() or not fitted:
        raise Missing(Reason.NOT_OBSERVED, f"an optimizer step of `{method.id}`: none was seen")
    return NotApplicable(
        message=f"`{method.id}` fits estimators, and takes no optimizer step that could be seen"
    )


def _traces(run: Run) -> dict[str, str]:
    """Return what is known of a run's course, each as a digest."""
    seen = run.observation
    if seen is None:
        return {}
    training = seen.training
    final = {one.set for one in seen.evaluations if one.final}
    known = {
        "init": seen.initial_weights,
        "order": training.order_digest if training else "",
        "split": " ".join(sorted(one.digest for one in seen.sets if one.id in final)),
        "losses": training.loss_digest if training else "",
        "final weights": seen.final_weights,
    }
    return {name: digest for name, digest in known.items() if digest.strip()}


def _comparable(runs: Group) -> bool:
    """Return whether anything is known of all of the runs."""
    return bool(set.intersection(*({*run.metrics, *_traces(run)} for run in runs)))


def _unlike(runs: Iterable[Run]) -> list[str]:
    """Return which traces differ between runs, of those known in all of them."""
    traces = [_traces(run) for run in runs]
    return [
        name
        for name in TRACES
        if all(name in one for one in traces) and len({one[name] for one in traces}) > 1
    ]


def _identical(runs: Group) -> bool:
    """Return whether runs are one and the same, as far as enough of them is known to say so."""
    known = set.intersection(*(set(_traces(run)) for run in runs))
    if not {"losses", "init"} <= known or _unlike(runs):
        return False
    return bool(runs[0].metrics) and all(a.metrics == b.metrics for a, b in pairwise(runs))


def _seeded(runs: Group) -> bool:
    """Return whether the runs' own seeds came to a generator, as they are or turned into others."""
    seen = [run.observation for run in runs if run.observation]
    given = [{(seed.lib, seed.value) for seed in one.seeds} for one in seen]
    as_they_are = len(given) == len(runs) and all(
        str(run.seed) in {value for _, value in values}
        for run, values in zip(runs, given, strict=True)
    )
    return as_they_are or len({frozenset(values) for values in given}) == len(runs) > 1


def _ignored(method: Method, sight: Sight, runs: Group, table: Table) -> Flagged:
    seeds = ", ".join(str(run.seed) for run in runs)
    used = _seeded(runs)
    why = (
        "the training is without chance"
        if used
        else "no generator is given the seed, which is never used"
    )
    several = _counted(method, table)
    weight = Severity.MAJOR if several > 1 else Severity.MINOR
    claimed = f"; {several} runs are counted" if several > 1 else ""
    return Flagged(
        message=f"{len(runs)} seeds ({seeds}) of `{method.id}` give identical runs: {why}{claimed}",
        kind=Kind.MISMATCH if several > 1 and not used else Kind.UNSUPPORTED,
        severity=Severity.NOTE if used else weight,
        seen=tuple(_losses(sight, run) for run in runs),
        at=method.seeds.place if method.seeds.declared else method.place,
    )


def _losses(sight: Sight, run: Run) -> Quantity:
    return sight.quantity(f"losses of seed {run.seed}", _traces(run).get("losses", ""), "", run)


def _counted(method: Method, table: Table) -> int:
    """Return how many runs the paper counts for a method, one if it says nothing."""
    rows = [count(row) or 1 for row in table.claims.results if row.method.get("") == method.id]
    return max([*rows, len(method.seeds.train.get(())), 1])


def _never_repeated(method: Method, sight: Sight) -> Undetermined:
    run = sight.runs[0]
    words = "" if _seeded(sight.runs) else "; no generator was seen to be given the run's own seed"
    without = len(sight.runs) > 1 and run.commands and len({r.commands for r in sight.runs}) == 1
    return Undetermined(
        message=f"no two runs of `{method.id}` have one seed{words}",
        reason=Reason.NOT_OBSERVED,
        would_decide=f"a command of `{method.id}` that takes its {{seed}}"
        if without
        else f"a second run of `{method.id}` with seed {run.seed}",
        seen=sight.quantity("seeds run", len(sight.runs), "", run),
    )


def _repeated(method: Method, sight: Sight, runs: Group, table: Table) -> Outcome:
    unlike, seed = _unlike(runs), runs[0].seed
    spread = _spread(runs)
    seen = tuple(
        sight.quantity(name, value, "", run) for run in runs for name, value in run.metrics.items()
    ) or tuple(_losses(sight, run) for run in runs)
    words = f"{len(runs)} runs of `{method.id}` with seed {seed}"
    if not unlike and not spread:
        known = [name for name in TRACES if all(name in _traces(run) for run in runs)]
        shared = set.intersection(*(set(run.metrics) for run in runs))
        equal = ", ".join(["metrics", *known] if shared else known)
        return Cleared(message=f"{words} are equal in {equal}", seen=seen, limit="any bit of these")
    differing = [*unlike, *(f"{name} by {size:.4g}" for name, size in spread.items())]
    broken = [name for name in unlike if name in method.seeds.fixes.get(())]
    message = f"{words} differ in {', '.join(differing)}"
    if broken:
        return Flagged(
            message=f"{message}; the seed is stated to fix {', '.join(broken)}",
            kind=Kind.MISMATCH,
            severity=Severity.MINOR,
            seen=seen,
            at=method.seeds.fixes.place,
        )
    if runs[0].metrics and "init" not in unlike and _within_print(method, spread, table):
        return Cleared(
            message=f"{message}, and print the same",
            seen=seen,
            limit="half a unit of the last printed digit",
        )
    return Flagged(
        message=message,
        kind=Kind.UNSUPPORTED,
        severity=Severity.MINOR if "init" in unlike else Severity.NOTE,
        seen=seen,
        at=method.place,
    )


def _spread(runs: Group) -> dict[str, float]:
    """Return how far the values of each metric lie apart, of those that differ."""
    names = set.intersection(*(set(run.metrics) for run in runs))
    apart = {
        name: max(run.metrics[name] for run in runs) - min(run.metrics[name] for run in runs)
        for name in sorted(names)
    }
    return {name: size for name, size in apart.items() if size > 0}


def _within_print(method: Method, spread: dict[str, float], table: Table) -> bool:
    """Return whether each metric differs by no more than half of its last printed digit."""
    if not spread:
        return True
    rows = [row for row in table.claims.results if row.method.get("") == method.id]
    return all(
        any(
            row.metric.get("") == name and row.centre.known and size <= _half_digit(row.centre.text)
            for row in rows
        )
        for name, size in spread.items()
    )


def _half_digit(text: str) -> float:
    """Return half a unit of the last digit of a number as printed: 0.05 for `93.4`."""
    return 0.5 * float(f"1e-{decimals(text)}")
