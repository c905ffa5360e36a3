"""The training loss does not fall, is not finite, or does not reach some parameters.

## What it catches
A network that does not learn, or a part of it that cannot: broken training of a baseline makes
every gain over it worthless.

## When it is legitimate
Losses that need not fall (adversarial, contrastive, reinforcement learning) are not judged; nor are
pretrained networks, which start low; nor frozen parts. Steps that mixed precision skips are none.

## How it is decided
The training loss of a rerun, the median of the last tenth of its steps over that of the first: 0.90
or more is a note, and from 0.97 minor for cross-entropy that begins near a guess: a small model may
gain little on hard data, and noise may keep up squared and absolute errors. More than 1 % of the
sampled steps without a finite loss are minor, fewer a note. More than 1 % of the elements that the
optimizer holds and that are not frozen, without a gradient in any step, are minor.

## How to fix
Repair the training, and take out parameters that nothing trains.

## Source
Karpathy's recipe for training neural networks: the training loss has to go down.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from statistics import median
from typing import TYPE_CHECKING

from repcheck.claims.model import Method
from repcheck.errors import Missing, Reason
from repcheck.facts.first_loss import guess
from repcheck.facts.observed import Observed, Sight
from repcheck.rule import Answer, Cleared, Flagged, Kind, Severity, Undetermined, rule
from repcheck.runs import Run

if TYPE_CHECKING:
    from repcheck.observation import Observation, Training

NEAR = 0.7
ENTROPIES = ("NllLoss", "BinaryCrossEntropy")
FALLS = (*ENTROPIES, "MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss")


@rule("RC820", Severity.MINOR)
def check(
    method: Method,
    observed: Observed,
    *,
    fallen: float = 0.90,
    stuck: float = 0.97,
    slack: float = 0.01,
) -> Answer:
    sight = observed.of(method)
    whole = [(run, t) for run, t in sight.trainings() if _seen(run).gap("loss") is None]
    if not whole:
        raise Missing(Reason.NOT_OBSERVED, f"the loss of `{method.id}` could not be seen")
    broken = [*_not_finite(method, sight, whole, slack), *_dead(method, sight, whole, slack)]
    trends = [t.loss_trend for _, t in whole if t.loss_trend is not None and isfinite(t.loss_trend)]
    if not trends:
        return broken or _unknown(method, "was not sampled often enough")
    trend = median(trends)
    run = min(whole, key=lambda pair: abs((pair[1].loss_trend or 9e9) - trend))[0]
    seen = sight.quantity("last loss over first", round(trend, 4), "", run)
    words = f"the training loss of `{method.id}` ends at {trend:.2f} of where it began"
    if trend < fallen and any(one.severity is not Severity.NOTE for one in broken):
        return broken
    if trend < fallen:
        limit = f"{fallen:g} of the first loss; {slack:.0%} of steps or parameters"
        return [*broken, Cleared(message=words, seen=seen, limit=limit)]
    if not _has_to_fall(method, whole):
        return broken or _unknown(method, f"ends at {trend:.2f} of where it began: it may have to")
    sure = all(training.first_loss_chain[0].startswith(ENTROPIES) for _, training in whole)
    flat = Flagged(
        message=words,
        kind=Kind.UNSUPPORTED,
        severity=Severity.MINOR if sure and trend >= stuck else Severity.NOTE,
        seen=seen,
        at=method.place,
    )
    return [flat, *broken]


def _seen(run: Run) -> Observation:
    from repcheck.observation import Observation  # what only lints has no use for its classes

    return run.observation or Observation()


def _has_to_fall(method: Method, whole: list[tuple[Run, Training]]) -> bool:
    """Return whether the loss is of a kind that falls, from a start where there is a way down."""
    if method.pretrained.declared or method.train.resumed_from.known or not method.rl.undeclared:
        return False
    if any(load.at == 0 and not load.own for run, _ in whole for load in _seen(run).loads):
        return False
    return all(
        training.first_loss_chain
        and training.first_loss_chain[0].startswith(FALLS)
        and _starts_high(training)
        and not training.others
        for _, training in whole
    )


def _starts_high(training: Training) -> bool:
    first, expected = training.first_loss or 0.0, guess(training)
    return first > (NEAR * expected.value if expected else 0.0)


def _unknown(method: Method, why: str) -> Undetermined:
    return Undetermined(
        message=f"the training loss of `{method.id}` {why}",
        reason=Reason.NOT_OBSERVED,
        would_decide=f"a person who knows how the loss of `{method.id}` has to move",
    )


def _not_finite(
    method: Method, sight: Sight, whole: list[tuple[Run, Training]], slack: float
) -> Iterator[Flagged]:
    run, training = max(whole, key=lambda pair: pair[1].loss_not_finite)
    count, steps = training.loss_not_finite, training.steps
    if not count:
        return
    yield Flagged(
        message=f"{count} of {steps} training steps of `{method.id}` have a loss that is not "
        "finite",
        kind=Kind.UNSUPPORTED,
        severity=Severity.MINOR if count > slack * steps else Severity.NOTE,
        seen=sight.quantity("steps without a finite loss", count, "steps", run),
        at=method.place,
    )


def _dead(
    method: Method, sight: Sight, whole: list[tuple[Run, Training]], slack: float
) -> Iterator[Flagged]:
    run, training = min(whole, key=lambda pair: pair[1].never_got_gradient)
    share = training.never_got_gradient - _frozen(_seen(run))
    if share <= slack:
        return
    yield Flagged(
        message=f"{share:.0%} of the parameters of `{method.id}` never receive a gradient",
        kind=Kind.UNSUPPORTED,
        severity=Severity.MINOR,
        seen=sight.quantity("parameters without a gradient", round(share, 4), "share", run),
        at=method.place,
    )


def _frozen(seen: Observation) -> float:
    """Return the share of the trained models' parameters that were frozen on purpose."""
    trained = [model for model in seen.models if model.trained]
    params = sum(model.params for model in trained)
    return 1 - sum(model.trainable for model in trained) / params if params else 0.0
