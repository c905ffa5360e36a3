"""What the rules on a method's own parts say alike: what it loses where a part is taken from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from repcheck.arms import NoArm
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.worth import Worth
from repcheck.rule import Cleared, Flagged, Kind, Outcome, Severity, Undetermined
from repcheck.units import decimals_for
from repcheck.where import Where


def standing(arm: Sequence[Worth]) -> Worth:
    """Return the worth that stands for an arm: the best that any claim's metric shows of it.

    A part that serves one of the metrics is no decoration, and one that is open in any is open.
    """
    for verdict in ("contributes", "inconclusive", None):
        if (found := next((one for one in arm if one.verdict == verdict), None)) is not None:
            return found
    return arm[0]


def is_trained_without(worth: Worth) -> bool:
    """Return whether a part was taken before the training: else what was learnt leans on it."""
    return worth.arm.change != "eval-only"


def said_of(worth: Worth, part: str, *, severity: Severity, at: Where, fix: str) -> Outcome:
    """Return what an arm says of a part as a rule's answer.

    `severity` is that of a part that the paper does not credit; a credited one is major.
    """
    if worth.verdict is None:
        return _nothing_yet(worth, part)
    if not is_trained_without(worth):
        return Undetermined(
            message=f"{words(worth, part)}; but what was trained with it may lean on it",
            reason=Reason.INVALID_ARM,
            would_decide=f"an arm of kind remove: `{worth.arm.method}` trained without {part}",
            seen=quantities(worth),
        )
    if worth.verdict == "contributes":
        return Cleared(
            message=words(worth, part),
            seen=quantities(worth),
            limit=f"would have called it decorative within ±{worth.margin:.3g}",
        )
    if worth.verdict == "inconclusive":
        n = worth.seeds_needed
        needed = f"{n} seeds per arm" if n else "more seeds than can be planned for"
        return Undetermined(
            message=f"what {part} is worth is not decided: {words(worth, part)}",
            reason=Reason.UNDERPOWERED,
            would_decide=needed,
            seen=quantities(worth),
        )
    if worth.conceded:
        return Cleared(
            message=f"{words(worth, part)}; the paper's own ablation says so ({worth.told:+.2f})",
            seen=quantities(worth),
            limit="a part that is worth next to nothing and of which the paper does not say so",
        )
    return Flagged(
        message=words(worth, part),
        kind=Kind.UNSUPPORTED,
        severity=Severity.MAJOR if worth.headline else severity,
        seen=quantities(worth),
        at=at if at.line else worth.claim.place,
        fix=fix,
    )


def _nothing_yet(worth: Worth, part: str) -> Undetermined:
    hint = ""
    if "an override that changes something" in worth.why:
        hint = f"; or {part} never reaches the weights: the same seed ends at the very same ones"
    return Undetermined(
        message=f"the arm `{worth.arm.id}` decides nothing yet of {part}: {worth.why}{hint}",
        reason=worth.reason or Reason.NOT_OBSERVED,
        would_decide=worth.why,
    )


def not_run(refused: Iterable[NoArm]) -> list[Undetermined]:
    """Return that arms which the claims file asks for were not run, and why."""
    return [
        Undetermined(
            message=f"the arm `{one.id}` was not run: {one.would_decide}",
            reason=one.reason,
            would_decide=one.would_decide,
        )
        for one in refused
    ]


def words(worth: Worth, part: str) -> str:
    """Return what a part is worth in one sentence.

    ``without `lcyc` `ours` scores 92.9 ± 0.4, with it 93.0 ± 0.5: it is worth +0.10 [-0.50, +0.70]
    (95 %, n = 5 + 5) of the claimed +5.00``
    """
    whole, _, without = worth.effect.means
    found, attribution = worth.interval, worth.effect.attribution
    assert found is not None
    assert whole is not None
    assert without is not None
    assert attribution is not None
    digits = decimals_for(attribution.claimed)
    scores = [
        f"{abs(one.mean):.4g}" + (f" ± {one.sd:.2g}" if one.sd is not None else "")
        for one in (without, whole)
    ]
    how = "switched off at evaluation alone" if not is_trained_without(worth) else "without"
    how = f"with {part} {how}," if how != "without" else f"without {part}"
    said = (
        f"{how} `{worth.arm.method}` scores {scores[0]}, with it {scores[1]}"
        f" {worth.claim.metric.get('')}: it is worth {found.estimate:+.{digits}f}"
        f" [{found.low:+.{digits}f}, {found.high:+.{digits}f}] (95 %, {worth.n})"
        f" of the claimed {attribution.claimed:+.{digits}f}"
    )
    if worth.verdict == "decorative":
        return f"{said}, next to nothing (90 % within ±{worth.margin:.3g}){_rest(worth)}"
    return said


def _rest(worth: Worth) -> str:
    """Return what is left of the gain without the part, where that is established."""
    if worth.left is None or worth.left[1] != "survives":
        return ""
    gain, baseline = worth.left[0], worth.effect.comparison.baseline.id
    digits = decimals_for(gain)
    return f"; the gain over `{baseline}` is still {gain:+.{digits}f}: something else makes it"


def quantities(worth: Worth) -> tuple[Quantity, ...]:
    """Return what a verdict on a part rests on: its worth and the ends of both intervals."""
    assert worth.interval is not None
    assert worth.interval90 is not None
    values = {
        "worth": worth.interval.estimate,
        "worth, 95 % from": worth.interval.low,
        "worth, 95 % to": worth.interval.high,
        "worth, 90 % from": worth.interval90.low,
        "worth, 90 % to": worth.interval90.high,
    }
    return tuple(
        Quantity(
            name=f"{worth.arm.id}.{name}",
            value=round(value, 6),
            unit=worth.claim.metric.get(""),
            level=Level.RERUN,
            source=", ".join(worth.effect.sources[:3]),
        )
        for name, value in values.items()
    )
