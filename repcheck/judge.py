"""Put every rule to its subjects; a rule that breaks never stops the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claim, Claims, Dataset, Method, Result
from repcheck.effect import answers
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Level, Quantity
from repcheck.facts.effects import Effects
from repcheck.facts.observed import Doubts
from repcheck.rule import (
    SUBJECTS,
    Answer,
    Cleared,
    Flagged,
    Judgement,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Rule,
    Seen,
    Severity,
    State,
    Undetermined,
)
from repcheck.where import Where

Options = Mapping[str, Mapping[str, Any]]
_NO_OPTIONS: Mapping[str, Any] = {}


def judge(
    evidence: Evidence, rules: Iterable[Rule], options: Options | None = None
) -> list[Judgement]:
    """Ask every rule about each of its subjects; `options` changes thresholds by rule code."""
    chosen, asked = options or {}, list(rules)
    facts = [
        judgement
        for rule in asked
        for judgement in _ask(rule, evidence, chosen.get(rule.code, _NO_OPTIONS))
    ]
    return _weighed([*facts, *_effect_parts(asked, facts, evidence)])


def _effect_parts(
    rules: Sequence[Rule], facts: Sequence[Judgement], evidence: Evidence
) -> Iterator[Judgement]:
    """Yield what the arms showed of the factors of the rules, claim by claim."""
    if not evidence.runs or not (evidence.arms or evidence.no_arms):
        return
    flagged = {(one.rule, one.subject_id) for one in facts if one.state is State.FLAGGED}
    effects = evidence.get(Effects)
    for comparison in comparisons(evidence.claims):
        for rule, claim, outcome in answers(rules, comparison, effects, flagged):
            made = _judgement(replace(rule, part=Part.EFFECT), comparison, outcome)
            yield replace(made, claims=(claim,))


def _weighed(judgements: Sequence[Judgement]) -> list[Judgement]:
    """Lower what the paper says of itself by one level where the claim survives without it."""
    harmless = {
        (one.rule, one.subject_id, claim)
        for one in judgements
        if one.part is Part.EFFECT and one.state is State.CLEARED
        for claim in one.claims
    }
    return [
        replace(one, severity=one.severity.raised(-1))
        if one.severity is not None
        and one.part is Part.PROTOCOL
        and one.disclosed
        and one.claims
        and all((one.rule, one.subject_id, claim) in harmless for claim in one.claims)
        else one
        for one in judgements
    ]


def _ask(rule: Rule, evidence: Evidence, options: Mapping[str, Any]) -> Iterator[Judgement]:
    kind, subjects_of = SUBJECTS[rule.subject]
    subjects = subjects_of(evidence.claims)
    if not subjects:
        nothing = NotApplicable(message=f"the claims file has no {kind}")
        yield _judgement(rule, evidence.claims, nothing, about=(kind, "-"))
    for subject in subjects:
        for outcome in _outcomes(rule, subject, evidence, options):
            if isinstance(outcome, Judgement):
                yield outcome
            else:
                yield _judgement(rule, subject, _seen_whole(outcome, evidence))


def _outcomes(
    rule: Rule,
    subject: Any,  # noqa: ANN401
    evidence: Evidence,
    options: Mapping[str, Any],
) -> Sequence[Outcome | Judgement]:
    try:
        facts = {name: evidence.get(kind) for name, kind in rule.needs.items()}
        answer: Answer = rule.check(subject, **facts, **options)
    except Missing as missing:
        words = f"cannot be judged: {missing.would_decide}"
        return (
            Undetermined(message=words, reason=missing.reason, would_decide=missing.would_decide),
        )
    except Inapplicable as precondition:
        return (NotApplicable(message=str(precondition)),)
    except Exception:  # one broken rule must not cost the report; exit code 70 tells of it
        import traceback

        return (_broken(rule, subject, traceback.format_exc(limit=-3)),)
    return (answer,) if not isinstance(answer, Sequence) else answer


def _quantities(seen: Seen) -> tuple[Quantity, ...]:
    return seen if isinstance(seen, tuple) else (seen,)


def level_of(quantities: Sequence[Quantity]) -> Level | None:
    """Return the lowest level of the quantities used."""
    return min((q.level for q in quantities), key=lambda level: level.rank, default=None)


def settle(rule: Rule, flagged: Flagged, level: Level | None) -> Severity:
    """Return a finding's severity: the base, one up for a mismatch with an explicit statement.

    Static evidence alone stays at `minor`. Disclosure lowers a finding only once an arm has shown
    that the claim survives without the factor (`_weighed`), so it changes nothing here.
    """
    severity = flagged.severity or rule.severity
    if flagged.severity is None and flagged.kind is Kind.MISMATCH:
        severity = min(severity.raised(), rule.worst, key=lambda s: s.rank)
    if level is Level.STATIC:
        severity = min(severity, Severity.MINOR, key=lambda s: s.rank)
    return severity


def _honest(rule: Rule, cleared: Cleared, level: Level | None) -> Cleared | Undetermined:
    """Turn a clearance that rests on the authors' words alone, or on nothing, into what it is."""
    if rule.part is Part.FORENSIC or level not in {Level.DECLARED, None}:
        return cleared
    resting = "as declared" if level else "with what is known, and nothing was measured"
    return Undetermined(
        message=f"consistent {resting}: {cleared.message}",
        reason=Reason.NOT_OBSERVED,
        would_decide="a rerun that observes it",
        seen=cleared.seen,
    )


def _seen_whole(outcome: Outcome, evidence: Evidence) -> Outcome:
    """Turn a clearance by runs of which not all was seen into what it is."""
    if not isinstance(outcome, Cleared):
        return outcome
    quantities = _quantities(outcome.seen)
    sources = [q.source for q in quantities if q.level is Level.OBSERVED]
    why = evidence.get(Doubts).of(sources) if sources else ""
    if not why:
        return outcome
    return Undetermined(
        message=f"{outcome.message}, as far as was seen; not all was: {why}",
        reason=Reason.NOT_OBSERVED,
        would_decide=f"a rerun of which everything is seen ({why})",
        seen=outcome.seen,
    )


def _judgement(
    rule: Rule,
    subject: Any,  # noqa: ANN401
    outcome: Outcome,
    about: tuple[str, str] | None = None,
) -> Judgement:
    kind, name = about or (SUBJECTS[rule.subject][0], subject_id(subject))
    common: dict[str, Any] = {
        "rule": rule.code,
        "name": rule.name,
        "trick": rule.trick,
        "part": rule.part,
        "subject_kind": kind,
        "subject_id": name,
        "where": place_of(subject),
        "claims": claim_ids(subject),
    }
    if isinstance(outcome, NotApplicable):
        return Judgement(state=State.NOT_APPLICABLE, message=outcome.message, **common)
    quantities = _quantities(outcome.seen)
    level = level_of(quantities)
    if isinstance(outcome, Cleared):
        outcome = _honest(rule, outcome, level)
    common |= {"quantities": quantities, "level": level, "message": outcome.message}
    if isinstance(outcome, Undetermined):
        return Judgement(
            state=State.UNDETERMINED,
            reason=outcome.reason,
            would_decide=outcome.would_decide,
            **common,
        )
    if isinstance(outcome, Cleared):
        return Judgement(state=State.CLEARED, limit=outcome.limit, **common)
    common["where"] = outcome.at if outcome.at.line else common["where"]
    return Judgement(
        state=State.FLAGGED,
        kind=outcome.kind,
        severity=settle(rule, outcome, level),
        fix=outcome.fix or rule.section("How to fix").replace("\n", " "),
        disclosed=outcome.disclosed,
        **common,
    )


def _broken(rule: Rule, subject: Any, trace: str) -> Judgement:  # noqa: ANN401
    return Judgement(
        rule=rule.code,
        name=rule.name,
        trick=rule.trick,
        part=rule.part,
        subject_kind=SUBJECTS[rule.subject][0],
        subject_id=subject_id(subject),
        state=State.ERROR,
        message=f"the rule itself broke: {trace.strip().splitlines()[-1]}",
        would_decide=trace,
        where=place_of(subject),
    )


def subject_id(subject: Any) -> str:  # noqa: ANN401
    """Return the name under which the report speaks of a subject."""
    match subject:
        case Claims():
            return subject.paper.title.get("paper")
        case Claim():
            return subject.id.get("-")
        case Result():
            keys = (subject.method, subject.dataset, subject.metric)
            return "/".join(leaf.value for leaf in keys if leaf.known)
        case Method() | Dataset() | Comparison():
            return subject.id
    raise TypeError(f"no subject: {type(subject).__name__}")


def place_of(subject: Any) -> Where:  # noqa: ANN401
    """Return where a subject stands."""
    return subject.place  # type: ignore[no-any-return]


def claim_ids(subject: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return the claims that a judgement of this subject bears on."""
    if isinstance(subject, Claim):
        return (subject.id.get("-"),)
    if isinstance(subject, Comparison):
        return tuple(claim.id.get("-") for claim in subject.claims)
    return ()
