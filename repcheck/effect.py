"""The effect part of a rule: what the arms showed of its factor, beside the protocol's facts.

A rule names its factors; whatever arm changed one of them answers for it here, in one way for all:
`unsupported` where the gain is gone or reduced without the factor, cleared where it survives, and
otherwise undetermined with what would decide.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence

from repcheck.claims.comparison import Comparison
from repcheck.errors import Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.effects import Effect, Effects
from repcheck.rule import (
    Cleared,
    Flagged,
    Kind,
    Outcome,
    Rule,
    Severity,
    Undetermined,
)
from repcheck.units import decimals_for

WHOLE = "RC300"
"""Answers for arms that change several factors at once, and for factors that no rule names."""
Answered = tuple[Rule, str, Outcome]
_AXES = {"train_flops": "training FLOPs", "flops a sample": "FLOPs a sample"}
_CAUSES = {
    "samples": "longer training",
    "steps": "longer training",
    "train_flops": "more training compute",
    "flops a sample": "more compute",
}


def answers(
    rules: Sequence[Rule],
    comparison: Comparison,
    effects: Effects,
    flagged: Container[tuple[str, str]],
) -> Iterator[Answered]:
    """Yield which rule says what of which claim (by its id), from every arm of a comparison.

    `flagged` are the rules, with their subjects, whose protocol part found something: an arm that
    several rules could answer by speaks for those.
    """
    for effect in effects.on(comparison):
        if effect.speaks or effect.asks:
            speaking = _speaking(rules, effect.arm.factors, comparison.id, flagged)
            if effect.covers:
                speaking += [one for one in rules if one.code == WHOLE and one not in speaking]
            for rule in speaking:
                said = _unnamed(effect) if effect.asks else outcome(rule, effect)
                yield rule, effect.claim.id.get("-"), said
    for lacking in effects.lacking(comparison):
        if lacking.method == comparison.method.id and any(map(comparison.owns, lacking.factors)):
            continue  # what a part is worth is for the rules on it to say
        words = f"the arm `{lacking.id}` was not run: {lacking.would_decide}"
        answer = Undetermined(
            message=words, reason=lacking.reason, would_decide=lacking.would_decide
        )
        for rule in _speaking(rules, lacking.factors, comparison.id, flagged):
            for claim in comparison.claims:
                yield rule, claim.id.get("-"), answer


def _unnamed(effect: Effect) -> Undetermined:
    path = effect.comparison.method.place.join("components")
    return Undetermined(
        message=f"{sentence(effect)}; whether that is what the paper offers is not stated",
        reason=Reason.UNDECLARED_KEY,
        would_decide=f"declare `{path}`, or `attributed_to` in the claim",
        seen=quantities(effect),
    )


def _speaking(
    rules: Sequence[Rule],
    factors: tuple[str, ...],
    subject: str,
    flagged: Container[tuple[str, str]],
) -> list[Rule]:
    """Return the rules that an arm answers for: those that flagged it, else the closest one."""
    near = [(found, rule) for rule in rules if (found := _match(rule, factors)) is not None]
    if chosen := [rule for _, rule in near if (rule.code, subject) in flagged]:
        return chosen
    if near:
        return [min(near, key=lambda one: (one[0], one[1].code))[1]]
    return [rule for rule in rules if rule.code == WHOLE]


def _match(rule: Rule, factors: tuple[str, ...]) -> tuple[int, int] | None:
    """Return how near a rule is to the one factor of an arm; the smaller the nearer."""
    if len(factors) != 1:
        return None
    found = [
        (-len(own), place)
        for place, own in enumerate(rule.factors)
        if factors[0] == own or factors[0].startswith(f"{own}.")
    ]
    return min(found, default=None)


def outcome(rule: Rule, effect: Effect) -> Outcome:
    """Return what one arm says of one claim, as a rule's answer."""
    found = effect.attribution
    if found is None:
        reason = effect.reason or Reason.NOT_OBSERVED
        return Undetermined(
            message=f"the arm `{effect.arm.id}` decides nothing yet: {effect.why}",
            reason=reason,
            would_decide=effect.why,
        )
    words = sentence(effect)
    if found.verdict == "survives":
        said = "its size too" if found.cleared_size else "the direction; part may be the factor's"
        return Cleared(
            message=f"{words} (cleared: {said})",
            seen=quantities(effect),
            limit=f"would have seen a gain of {found.margin:.3g} or less remain",
        )
    if found.verdict == "inconclusive":
        needed = found.seeds_needed
        more = f"{needed} seeds per arm" if needed else "more seeds than can be planned for"
        return Undetermined(
            message=words, reason=Reason.UNDERPOWERED, would_decide=more, seen=quantities(effect)
        )
    return Flagged(
        message=words,
        kind=Kind.UNSUPPORTED,
        severity=_severity(rule, effect),
        seen=quantities(effect),
        at=effect.claim.place,
        fix=f"Give the baseline {cause(effect)} too, or credit it with the gain; report the arm"
        " as a row of the ablation.",
    )


def _severity(rule: Rule, effect: Effect) -> Severity:
    """Return the rule's base, one level up where the gain is gone; never critical."""
    base = rule.severity
    if effect.attribution is not None and effect.attribution.verdict == "gone":
        base = base.raised()
    return min(max(base, Severity.MINOR, key=_rank), Severity.MAJOR, key=_rank)


def _rank(severity: Severity) -> int:
    return severity.rank


def cause(effect: Effect) -> str:
    """Return what an arm's factor is called: longer training, more compute, or its key path."""
    arm = effect.arm
    if arm.target is not None and arm.target.axis == "samples" and effect.by_batch:
        return "more samples a step"
    if arm.target is not None:
        return _CAUSES.get(arm.target.axis, f"`{arm.target.axis}`")
    return " and ".join(f"`{name}`" for name in arm.factors[:4]) or f"the arm `{arm.id}`"


def setting(effect: Effect) -> str:
    """Return under which condition a gain remains: `at equal samples`, `with ... on both sides`."""
    arm = effect.arm
    if arm.target is not None:
        return f"at equal {_AXES.get(arm.target.axis, arm.target.axis)}"
    name = effect.comparison.baseline.id
    if effect.removes:
        return f"without {cause(effect)} in `{arm.method}`"
    several = "every one of " if len(arm.factors) > 1 else ""
    return f"with {several}{cause(effect)} in `{name}` too"


def remains(effect: Effect) -> str:
    """Return the finding in one sentence: the gain that remains, its interval and the share.

    ``at equal samples the gain that remains is +0.40 [-0.80, +1.50] (95 %, n = 5 + 5) of the
    claimed +5.60: gone; at least 71 % of it is explained by longer training``
    """
    found = effect.attribution
    assert found is not None
    if found.interval is None or found.remaining is None:
        return f"{setting(effect)} nothing can be said: {found.rule_in_words.rstrip('.')}"
    digits = decimals_for(found.claimed)
    low, middle, high = (
        _signed(value, digits)
        for value in (found.interval.low, found.remaining, found.interval.high)
    )
    n = f"n = {found.n_upper} + {found.n_lower}"
    said = (
        f"{setting(effect)} the gain that remains is {middle} [{low}, {high}]"
        f" (95 %, {n}) of the {_whole(effect, digits)}: {found.verdict}"
    )
    share = found.explained_at_least or 0.0
    if found.verdict in {"gone", "reduced"} and share > 0:
        least = "all" if share >= 1 else f"at least {_percent(share)}"
        return f"{said}; {least} of it is explained by {cause(effect)}"
    if found.verdict == "survives" and found.explained_at_most is not None:
        most = _percent(found.explained_at_most, up=True)
        return f"{said}; at most {most} of it can be due to {cause(effect)}"
    return said


def _whole(effect: Effect, digits: int) -> str:
    """Return the gain that there is to explain: the claimed one, or the smaller one of reruns."""
    assert effect.attribution is not None
    value = _signed(effect.attribution.claimed, digits)
    return f"{value} that the reruns show" if effect.shown else f"claimed {value}"


def _signed(value: float, digits: int) -> str:
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if rounded else ''}.{digits}f}"


def _percent(share: float, *, up: bool = False) -> str:
    """Return a share in whole percent, rounded to the side that claims less."""
    rounded = math.ceil(100 * share - 1e-9) if up else math.floor(100 * share + 1e-9)
    return f"{min(100, rounded)} %"


def sentence(effect: Effect) -> str:
    """Return the finding with the arm, what it changed and what it scored."""
    arm, middle = effect.arm, effect.means[2] if effect.means else None
    score = ""
    if middle is not None:
        spread = f" ± {middle.sd:.2g}" if middle.sd is not None else ""
        mean, metric = effect.sign * middle.mean, effect.claim.metric.get("")
        score = f" scores {mean:.4g}{spread} {metric}".rstrip()
    how = f" ({arm.changes}; by {arm.how})" if arm.changes else ""
    reach = f", on target ×{effect.reach.ratio:.3f}" if effect.reach else ""
    return f"{remains(effect)}. The arm `{arm.id}`{how}{reach}{score}"


def quantities(effect: Effect) -> tuple[Quantity, ...]:
    """Return what an effect rests on: the remaining gain, the claimed one and the share."""
    found = effect.attribution
    assert found is not None
    source = ", ".join(effect.sources[:3])
    name = effect.arm.id
    made = [
        Quantity(
            name=f"{name}.remaining gain",
            value=found.remaining if found.remaining is not None else 0.0,
            unit=effect.claim.metric.get(""),
            level=Level.RERUN,
            source=source,
        )
    ]
    if found.explained_at_least is not None:
        made.append(
            Quantity(
                name=f"{name}.explained at least",
                value=round(min(1.0, found.explained_at_least), 3),
                unit="share of the claimed gain",
                level=Level.RERUN,
                source=source,
            )
        )
    return tuple(made)
