"""Whether an arm is one: its runs ended well, changed its factor and nothing else, on target."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from repcheck.arms import Arm
from repcheck.errors import Missing, Reason
from repcheck.facts.arm_diff import (
    Change,
    agreed,
    allowed_keys,
    paired,
    repeatable,
    same_end,
    unseen,
)
from repcheck.facts.axes import axis_of
from repcheck.runs import Run, Status

ON_TARGET = 0.02
COARSE = 0.10
"""Half the smallest step of a command counts as on target, but never more than this."""
ON_FLOPS = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What an aligned arm was to reach on its axis and what it reached, by the arm's own runs."""

    axis: str
    wanted: float
    reached: float

    @property
    def ratio(self) -> float:
        """Return reached over wanted."""
        return self.reached / self.wanted


def validity(
    arm: Arm, mine: Sequence[Run], parent: Sequence[Run]
) -> tuple[tuple[Change, ...], Reach | None]:
    """Return what an arm changed, and what it reached if it was aligned.

    Raises:
        Missing: if it is not valid, or not yet known to be; with what is wrong.
    """
    finished(arm, mine)
    pairs = paired(mine, parent)
    if not pairs:
        raise Missing(Reason.NOT_OBSERVED, f"runs of `{arm.method}` with the seeds of `{arm.id}`")
    if why := unseen(pairs):
        raise Missing(
            Reason.NOT_OBSERVED,
            f"runs of `{arm.id}` and `{arm.method}` that were seen whole ({why})",
        )
    changes = agreed(pairs, allowed_keys(arm))
    if other := [change for change in changes if not change.allowed]:
        told = "; ".join(map(str, other[:3]))
        raise Missing(
            Reason.INVALID_ARM, f"an arm that changes {named(arm)} and nothing else ({told})"
        )
    applied(arm, mine)
    if not changes and not arm.surgery:
        _moved(arm, pairs, parent)
    return changes, _on_target(arm, mine)


def named(arm: Arm) -> str:
    """Return what an arm changes, in words."""
    return " and ".join(f"`{factor}`" for factor in arm.factors[:3]) or "the factor"


def finished(arm: Arm, mine: Sequence[Run]) -> None:
    """Raise `Missing` where an arm was not run, a run of it failed, or its loss did not fall."""
    if not mine:
        raise Missing(Reason.NOT_OBSERVED, f"run the arm `{arm.id}`")
    for run in mine:
        if run.status is not Status.OK:
            raise Missing(Reason.COMMAND_FAILED, f"mend the arm `{arm.id}`: {run.reason}")
        training = run.observation.training if run.observation else None
        if training is None:
            continue
        trend = training.loss_trend
        if training.loss_not_finite or (trend is not None and not trend < 1):
            raise Missing(Reason.INVALID_ARM, f"an arm `{arm.id}` whose training loss decreases")


def applied(arm: Arm, mine: Sequence[Run]) -> None:
    """Raise `Missing` where a surgery never applied: what did not change proves nothing."""
    wanted = Counter(str(one.get("kind")) for one in arm.surgery)
    for run in mine:
        done = run.observation.surgery if run.observation else ()
        if len(done) > len(arm.surgery):  # a record may be forged
            raise Missing(
                Reason.INVALID_ARM,
                f"an arm whose record tells of what was asked for: {len(arm.surgery)} changes of"
                f" the running process were, and {len(done)} are told of",
            )
        if idle := wanted - Counter(one.kind for one in done if one.times):
            raise Missing(
                Reason.INVALID_ARM, f"an arm whose change applies: `{min(idle)}` applied 0 times"
            )
        errors = run.observation.probe_errors if run.observation else ()
        if wanted and (mixed := [one for one in errors if one.startswith("surgery")]):
            raise Missing(Reason.INVALID_ARM, f"an arm that is changed whole: {mixed[0][:160]}")


def _moved(arm: Arm, pairs: Sequence[tuple[Run, Run]], parent: Sequence[Run]) -> None:
    """Raise unless a repeatable training ended elsewhere: the change was there, if unseen."""
    if same_end(pairs):
        raise Missing(Reason.INVALID_ARM, f"an override that changes something: {arm.changes}")
    if not repeatable(parent):
        raise Missing(
            Reason.INVALID_ARM,
            f"an arm whose change the probe sees: nothing of {named(arm)} was seen to change, and"
            f" runs of `{arm.method}` differ from repeat to repeat by themselves",
        )


def _on_target(arm: Arm, mine: Sequence[Run]) -> Reach | None:
    target = arm.target
    if target is None:
        return None
    reached = [value for run in mine if (value := axis_of(run, target.axis)) is not None]
    if not reached:
        raise Missing(Reason.NOT_OBSERVED, f"runs of `{arm.id}` whose {target.axis} are seen")
    slack = ON_FLOPS if target.axis == "flops a sample" else ON_TARGET
    most = max(slack, min(COARSE, 0.5 * target.unit / target.value))
    worst = max(reached, key=lambda value: abs(value / target.value - 1))
    found = Reach(axis=target.axis, wanted=target.value, reached=worst)
    if not math.isfinite(found.ratio) or abs(found.ratio - 1) > most:
        raise Missing(
            Reason.INVALID_ARM,
            f"an arm on target: {target.axis} reached ×{found.ratio:.3f} of what was wanted"
            f" (within {most:.1%} is)",
        )
    return found
