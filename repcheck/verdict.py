"""What is concluded of each claim: reproduction and fairness, side by side and never merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from repcheck.claims.model import Claim
from repcheck.descriptive import Described, described
from repcheck.errors import Reason
from repcheck.fact import Evidence
from repcheck.facts.effects import Effects
from repcheck.fairness import Bearing, Fairness, fairness
from repcheck.reproduction import NOT_RUN, Reproduction, reproduce
from repcheck.rule import Judgement, Severity, State

_WORST_FIRST = ("not-reproduced", NOT_RUN, "inconclusive", "reproduced")
_SPOKEN = {
    "reproduced": "reproduced",
    "not-reproduced": "not reproduced",
    "inconclusive": "inconclusive",
    NOT_RUN: "not run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimVerdict:
    """Both verdicts on one claim; `parts` are the reproduction verdicts it is made of.

    `begun` says that the method was rerun on some dataset of a claim over several.
    """

    claim: Claim
    reproduction: Reproduction
    parts: tuple[Reproduction, ...]
    fairness: Fairness
    headline: str
    states: dict[str, int]
    descriptive: tuple[Described, ...] = ()
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """All verdicts, and the one sentence at the top of the page."""

    verdicts: tuple[ClaimVerdict, ...]
    sentence: str
    verdict: str
    counts: dict[str, int]


def conclude(evidence: Evidence, judgements: Sequence[Judgement]) -> Conclusion:
    """Conclude from reruns and judgements; the file's first claim is the headline."""
    bearing = Bearing(judgements)
    verdicts = tuple(
        _verdict(evidence, claim, bearing.on(claim)) for claim in evidence.claims.claims
    )
    counts = Counter(one.reproduction.verdict for one in verdicts)
    return Conclusion(
        verdicts=verdicts,
        sentence=_sentence(verdicts, judgements),
        verdict=verdicts[0].reproduction.verdict,
        counts={word: counts.get(word, 0) for word in reversed(_WORST_FIRST)},
    )


def _verdict(evidence: Evidence, claim: Claim, bearing: Sequence[Judgement]) -> ClaimVerdict:
    parts = reproduce(evidence.claims, claim, evidence)
    own = min(parts, key=lambda part: _WORST_FIRST.index(part.verdict))
    effects = [one for one in evidence.get(Effects).effects if one.claim is claim]
    fair = fairness(claim, bearing, effects)
    return ClaimVerdict(
        claim=claim,
        reproduction=own,
        parts=parts,
        fairness=fair,
        headline=_headline(claim, own, fair),
        states=dict(Counter("note" if j.is_note else j.state.value for j in bearing)),
        descriptive=described(evidence.claims, claim, evidence),
        begun=_begun(evidence, claim),
    )


def _begun(evidence: Evidence, claim: Claim) -> bool:
    names = claim.datasets.get(())
    return len(names) > 1 and any(
        run.method == claim.method.get("") and run.dataset in names for run in evidence.runs
    )


def _headline(claim: Claim, found: Reproduction, fair: Fairness) -> str:
    said = f"{claim.id.get('')}: {_SPOKEN[found.verdict]}"
    if found.detail:
        said += f" ({found.detail.replace('-', ' ')})"
    if found.verdict == NOT_RUN:
        said += f": {found.rule.removeprefix('Not run: ')}"
    else:
        said += f". {found.rule}"
    return f"{said.rstrip('.')}. Fairness: {fair.verdict.replace('-', ' ')}: {fair.words}."


def _sentence(verdicts: Sequence[ClaimVerdict], judgements: Sequence[Judgement]) -> str:
    """Return the page's verdict: the headline claim, what became of it, and why."""
    first = verdicts[0]
    name = first.claim.text.get("") or f"claim {first.claim.id.get('')}"
    said = f"“{name.rstrip('.')}” {_end(first)}"
    unfair = first.fairness.verdict in {"invalid", "asymmetric", "explained", "partly-explained"}
    joined = "but" if first.reproduction.verdict == "reproduced" else "and"
    if first.fairness.verdict in {"explained", "partly-explained"}:
        said += f", {joined} {first.fairness.words}"
    elif unfair:
        said += f", {joined} the comparison is not like with like: {first.fairness.cause}"
    heavy = {Severity.MAJOR, Severity.CRITICAL}
    findings = sum(j.state is State.FLAGGED and j.severity in heavy for j in judgements)
    others = findings - 1 if unfair else findings
    unsettled = sum(j.state is State.UNDETERMINED for j in judgements)
    if others:
        said += f"; {others} {'other ' if unfair else ''}major finding{'s' if others > 1 else ''}"
    if not unfair and first.fairness.verdict == "insufficiently-checked":
        return f"{said}; whether the comparison was fair is open ({unsettled} checks undetermined)."
    return f"{said}; {unsettled} checks are undetermined."


def _end(verdict: ClaimVerdict) -> str:
    own = verdict.reproduction
    if own.verdict != NOT_RUN:
        return _ENDS[own.verdict]
    if own.reason in _NOT_JUDGED:
        return _NOT_JUDGED[own.reason]
    partly = verdict.begun or any(part.verdict != NOT_RUN for part in verdict.parts)
    return "was rerun only in part" if partly else "was not rerun"


_ENDS = {
    "reproduced": "is reproduced",
    "not-reproduced": "is not reproduced",
    "inconclusive": "could not be decided by these seeds",
}
_NOT_JUDGED = {
    Reason.COMMAND_FAILED: "could not be rerun: all runs of an arm failed",
    Reason.NO_RULE_YET: "was not judged: no rule covers all of it yet",
    Reason.NOT_TESTABLE: "was not judged: it cannot be tested as stated",
}
