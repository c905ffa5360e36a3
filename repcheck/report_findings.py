"""What a finding does to the conclusion: it changes one, or it only has to be disclosed.

`judgements[].bears` is "conclusion" or "disclosure" for a finding, and null for everything else,
notes included. A finding bears on the conclusion if

* it is critical;
* an arm shows that the gain of a claim is gone or reduced without the factor, and the claim's
  fairness verdict says so (explained, partly explained); the finding that the factor is unequal
  counts with it;
* complete runs show that a part which the paper credits adds nothing, or that the gain needs a
  number which only the code states (the major findings of rules that judge effects themselves);
* it is a major finding on the choice of seeds, and its claim does not come out with fresh ones.

Everything else has to be disclosed: that it changes a conclusion was neither shown nor excluded.
The two severities are those of statcheck (errors, and errors that change a decision).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from repcheck.fact import Level
from repcheck.fairness import Bearing
from repcheck.rule import Judgement, Part, Rule, Severity, State
from repcheck.verdict import ClaimVerdict

CONCLUSION, DISCLOSURE = "conclusion", "disclosure"
_CHANGED = frozenset({"explained", "partly-explained"})
_MAJOR = frozenset({Severity.MAJOR, Severity.CRITICAL})
_SEEDS = "2.5"


def asks_worth(rule: Rule | None) -> bool:
    """Return whether a rule asks what a part is worth, and not where a gain comes from.

    Its finding says that the part adds nothing, where an arm's answer says that the gain is gone.
    """
    return rule is not None and rule.part is Part.EFFECT and bool(rule.factors)


class Bears:
    """Says of each finding what it does to the conclusion."""

    def __init__(
        self,
        judgements: Sequence[Judgement],
        rules: Mapping[str, Rule],
        verdicts: Iterable[ClaimVerdict],
    ) -> None:
        self._rules = rules
        bearing, verdicts = Bearing(judgements), tuple(verdicts)
        self._changed = {
            one.claim.id.get("-") for one in verdicts if one.fairness.verdict in _CHANGED
        }
        self._contradicted = {
            id(judgement)
            for one in verdicts
            if one.reproduction.verdict == "not-reproduced"
            for judgement in bearing.on(one.claim)
            if judgement.trick == _SEEDS and judgement.severity in _MAJOR
        }
        self._explained = {(one.rule, one.subject_id) for one in judgements if self._explains(one)}

    def of(self, judgement: Judgement) -> str | None:
        """Return `conclusion`, `disclosure`, or None for what is no finding."""
        if judgement.state is not State.FLAGGED or judgement.is_note:
            return None
        flips = (
            judgement.severity is Severity.CRITICAL
            or self._explains(judgement)
            or (judgement.rule, judgement.subject_id) in self._explained
            or self._by_itself(judgement)
            or id(judgement) in self._contradicted
        )
        return CONCLUSION if flips else DISCLOSURE

    def _explains(self, judgement: Judgement) -> bool:
        """Return whether it is an arm's answer that changed the verdict on one of its claims."""
        return (
            judgement.state is State.FLAGGED
            and judgement.part is Part.EFFECT
            and not asks_worth(self._rules.get(judgement.rule))
            and not self._changed.isdisjoint(judgement.claims)
        )

    def _by_itself(self, judgement: Judgement) -> bool:
        """Return whether it is a major finding of complete runs by a rule that judges effects."""
        rule = self._rules.get(judgement.rule)
        return (
            rule is not None
            and rule.part is Part.EFFECT
            and judgement.level is Level.RERUN
            and judgement.severity in _MAJOR
        )
