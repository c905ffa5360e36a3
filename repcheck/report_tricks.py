"""`coverage.tricks` of report.json: every one of the 43, with what was found of it.

Beside its state, the counts by state and its rules, each has::

    asks      the question that is put to a paper
    standing  "explains the gain"        seen, and the gain is gone or reduced without it
              "present, harmless"        seen, and the gain survives without it
              "present, effect unknown"  seen, and no valid arm says what it does to the gain
              "absent"                   every rule of it that applies ran and was cleared by what
                                         was observed, nothing of it being open; what a person
                                         cleared (level human) was judged, and not observed
              null                       none of these: open, not applicable, or no matter of arms
    by        the rule whose answer gives the state and the message, or null
    effect    the same of a trick that was seen, in older words
    page      {what, legitimate, decided, bad, good, fix, false_positives, questions}: its page
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from repcheck.claims.model import Claim
from repcheck.errors import Reason
from repcheck.fact import Level
from repcheck.fairness import Bearing
from repcheck.report_findings import asks_worth
from repcheck.rule import Judgement, Part, Rule, State
from repcheck.tricks import TRICKS, Trick

EXPLAINS, HARMLESS = "explains the gain", "present, harmless"
UNKNOWN, ABSENT = "present, effect unknown", "absent"
_WORST_FIRST = (
    State.FLAGGED,
    State.ERROR,
    State.UNDETERMINED,
    State.CLEARED,
    State.NOT_APPLICABLE,
)
_OPEN = frozenset({State.UNDETERMINED, State.ERROR})
_OLDER = {HARMLESS: "the gain survives", UNKNOWN: "effect unknown", ABSENT: None}

Json = dict[str, Any]


def tricks(
    judgements: Sequence[Judgement], rules: Mapping[str, Rule], claims: Sequence[Claim]
) -> list[Json]:
    """Return all tricks of the list with what the judgements say of each."""
    by_trick: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        by_trick[judgement.trick].append(judgement)
    return [
        _trick(trick, by_trick[trick.number], standing(by_trick[trick.number], rules, claims))
        for trick in TRICKS
    ]


def _trick(trick: Trick, judgements: Sequence[Judgement], stands: str | None) -> Json:
    states = Counter(j.state for j in judgements if not j.is_note)
    state = next((state for state in _WORST_FIRST if states[state]), State.UNDETERMINED)
    speaking = next((j for j in judgements if j.state is state and not j.is_note), None)
    severities = [j.severity for j in judgements if j.severity]
    return {
        "trick": trick.number,
        "slug": trick.slug,
        "says": trick.says,
        "asks": trick.asks,
        "group": trick.group,
        "state": state.value,
        "states": {one.value: count for one, count in states.items()},
        "severity": max(severities, key=lambda s: s.rank).value if severities else None,
        "standing": stands,
        "effect": _OLDER.get(stands, stands) if stands else None,
        "reason": _reason_of(speaking, judgements),
        "would_decide": _would_decide(speaking, judgements),
        "message": speaking.message if speaking else "",
        "by": speaking.rule if speaking else None,
        "rules": sorted({judgement.rule for judgement in judgements}),
        "page": _page(trick),
    }


def standing(
    judgements: Sequence[Judgement], rules: Mapping[str, Rule], claims: Sequence[Claim]
) -> str | None:
    """Return how a trick stands by its protocol and effect parts together; None if it is open.

    A finding on the protocol is harmless only where an arm cleared the gain of every claim over a
    baseline that it bears on, and no arm of the trick is open.
    """
    heard = [one for one in judgements if not one.is_note and not asks_worth(rules.get(one.rule))]
    arms = [one for one in heard if one.part is Part.EFFECT]
    facts = [one for one in heard if one.part is Part.PROTOCOL]
    seen = [one for one in facts if one.state is State.FLAGGED]
    if any(one.state is State.FLAGGED for one in arms):
        return EXPLAINS
    if seen:
        return HARMLESS if _survives(seen, arms, rules, claims) else UNKNOWN
    states = {one.state for one in judgements if not one.is_note}
    cleared = [one for one in facts if one.state is State.CLEARED]
    if states & (_OPEN | {State.FLAGGED}) or not cleared:
        return None
    observed = all(
        one.level and one.level is not Level.HUMAN and one.level.rank >= Level.OBSERVED.rank
        for one in cleared
    )
    return ABSENT if observed else None


def _survives(
    seen: Sequence[Judgement],
    arms: Sequence[Judgement],
    rules: Mapping[str, Rule],
    claims: Sequence[Claim],
) -> bool:
    if any(one.state in _OPEN for one in arms):
        return False
    for finding in seen:
        answering = [one for one in arms if _answers(one, finding, rules)]
        survived = {c for one in answering if one.state is State.CLEARED for c in one.claims}
        bearing = Bearing([finding])
        at_stake = {c.id.get("-") for c in claims if c.baselines.get(()) and bearing.on(c)}
        if not survived or not survived >= at_stake:
            return False
    return True


def _answers(arm: Judgement, finding: Judgement, rules: Mapping[str, Rule]) -> bool:
    """Return whether an arm is of what was found: of the same rule, or of the one with factors.

    A rule that names factors of its own is answered by their arms alone; what a rule found by
    itself on effects (a sweep of one number) says nothing of what another one found.
    """
    if arm.rule == finding.rule:
        return True
    own, other = rules.get(finding.rule), rules.get(arm.rule)
    return bool(other and other.factors) and not (own and own.factors)


def _page(trick: Trick) -> Json:
    return {
        "what": trick.sections["What it is"],
        "legitimate": trick.sections["When it is legitimate"],
        "decided": trick.sections["How it is decided"],
        "bad": trick.sections["Example bad"],
        "good": trick.sections["Example good"],
        "fix": trick.sections["How to fix"],
        "false_positives": trick.sections["False positives"],
        "questions": list(trick.questions),
    }


def _reason_of(speaking: Judgement | None, judgements: Sequence[Judgement]) -> str | None:
    if not judgements:
        return Reason.NO_RULE_YET.value
    if speaking is None:
        return Reason.NOT_OBSERVED.value
    return speaking.reason.value if speaking.reason else None


def _would_decide(speaking: Judgement | None, judgements: Sequence[Judgement]) -> str:
    if speaking is not None:
        return speaking.would_decide
    return "a rerun that observes it" if judgements else "a rule that is not written yet"
