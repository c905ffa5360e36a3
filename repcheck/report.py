"""report.json: everything that was found, as plain data; the pages are made from it alone.

The contract for every consumer, versioned by `SCHEMA`. Nothing a person sees in the HTML page is
missing here. Arms are described in report_arms.py, verdicts in report_verdicts.py, `splits`,
`sweeps` and `tuned` in report_splits.py, `coverage.tricks` in report_tricks.py, and what a finding
does to the conclusion (`judgements[].bears`) in report_findings.py. What a probe saw stands in five
places::

    methods[].observed  [{key, declared, observed, state, ratio, level, source, why}]
                        state is same, differs, unit, unseen or undeclared
    methods[].budget    {steps, samples, epochs}: each {name, value, unit, level, source, declared}
                        or {value: null, reason}
    methods[].traces    {lr: [{run, seed, dataset, step, samples, value, first, peak, last,
                        low_share}], loss: [{..., first, last, not_finite}]} or {}
    runs[].budget       {steps, samples, epochs, unseen_cpu_share, unseen_cpu_s}; null is "not
                        known"; or {}
    runs[].observed     {seen, gaps, evaluations, more_evaluations, seeds, loads, network,
                        hashed_share}; null if no probe was there
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from repcheck import __version__
from repcheck.claims.costs import undeclared
from repcheck.claims.model import Claims, Result
from repcheck.fact import Evidence
from repcheck.facts.effects import Effect
from repcheck.fairness import Fairness, name_of
from repcheck.plan import Plan
from repcheck.report_arms import arms
from repcheck.report_budget import budget
from repcheck.report_findings import Bears
from repcheck.report_methods import methods, quantity
from repcheck.report_runs import runs
from repcheck.report_splits import splits, sweeps, tuned
from repcheck.report_tricks import tricks
from repcheck.report_verdicts import described, reproduction
from repcheck.rule import Judgement, Rule, State
from repcheck.runs import Runs, SeedKind
from repcheck.verdict import ClaimVerdict, Conclusion

SCHEMA = 1
MOST_RESULTS = 200
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How and where the check was made: everything a report says beside its findings."""

    claims_path: str
    command: str
    environment: Mapping[str, str] = field(default_factory=dict)
    isolation: Mapping[str, str] = field(default_factory=dict)
    thresholds: Sequence[Mapping[str, Any]] = ()
    answers: Sequence[Mapping[str, Any]] = ()
    artifact: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The product of every stage, ready to be written down."""

    claims: Claims
    plan: Plan
    runs: Runs
    rules: Mapping[str, Rule]
    judgements: Sequence[Judgement]
    conclusion: Conclusion
    effects: Sequence[Effect] = ()


def build(found: Found, made: Circumstances) -> Json:
    """Return the report as plain JSON data."""
    claims, conclusion = found.claims, found.conclusion
    judgements = _gathered(found.judgements)
    bears = Bears(judgements, found.rules, conclusion.verdicts)
    known = Evidence(
        claims=claims, runs=found.runs, arms=found.plan.arms, no_arms=found.plan.no_arms
    )
    return {
        "repcheck": {"version": __version__, "schema": SCHEMA},
        "paper": _paper(claims),
        "claims_file": {
            "path": made.claims_path,
            "sha256": claims.sha256,
            "declared_by": claims.declared_by.get("undeclared"),  # type: ignore[arg-type]
        },
        "command": made.command,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "environment": dict(made.environment),
        "isolation": dict(made.isolation),
        "artifact": dict(made.artifact),
        "thresholds": list(made.thresholds),
        "answers": list(made.answers),
        "seed_salt": found.plan.salt,
        "headline": {
            "sentence": conclusion.sentence,
            "verdict": conclusion.verdict,
            "flagged": sum(_weighty(j) for j in judgements),
            "counts": conclusion.counts,
        },
        "claims": [_claim(claims, verdict) for verdict in conclusion.verdicts],
        "judgements": [_judgement(j) | {"bears": bears.of(j)} for j in judgements],
        "rules": {code: _rule(found.rules[code]) for code in sorted({j.rule for j in judgements})},
        "arms": arms(found.plan, found.effects),
        "splits": splits(known),
        "sweeps": sweeps(known),
        "tuned": tuned(known),
        "runs": runs(found.runs),
        "budget": budget(Evidence(claims=claims, runs=found.runs)),
        "methods": methods(Evidence(claims=claims, runs=found.runs)),
        "results": [_result(row) for row in claims.results[:MOST_RESULTS]],
        "coverage": _coverage(found),
        "plan": _plan(found.plan, found.runs),
        "waived": [],
    }


def _weighty(judgement: Judgement) -> bool:
    return judgement.state is State.FLAGGED and not judgement.is_note


def _paper(claims: Claims) -> Json:
    paper = claims.paper
    said = {"title": paper.title, "venue": paper.venue, "version": paper.version, "url": paper.url}
    return {key: leaf.get("") for key, leaf in said.items()} | {
        "authors": list(paper.authors.get(()))
    }


def _gathered(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Keep one judgement for each precondition that made a rule not applicable."""
    kept: list[Judgement] = []
    seen: set[tuple[str, str]] = set()
    for judgement in judgements:
        key = (judgement.rule, judgement.message)
        if judgement.state is State.NOT_APPLICABLE:
            if key in seen:
                continue
            seen.add(key)
        kept.append(judgement)
    return kept


def _claim(claims: Claims, verdict: ClaimVerdict) -> Json:
    claim = verdict.claim
    metric = claims.metrics.get(claim.metric.get(""))
    return {
        "id": claim.id.get(""),
        "text": claim.text.get(""),
        "type": claim.kind,
        "method": claim.method.get(""),
        "baselines": list(claim.baselines.get(())),
        "dataset": claim.dataset.get(""),
        "datasets": list(claim.datasets.get(())),
        "metric": claim.metric.get(""),
        "unit": metric.unit.get("") if metric else "",
        "higher_is_better": metric.higher_is_better.get(True) if metric else None,
        "where": claim.place.to_json(),
        "paper_where": claim.where.get(""),
        "reproduction": reproduction(verdict.reproduction),
        "parts": [reproduction(part) for part in verdict.parts],
        "descriptive": [described(one) for one in verdict.descriptive],
        "fairness": _fairness(verdict.fairness),
        "headline": verdict.headline,
        "rules": verdict.states,
    }


def _fairness(found: Fairness) -> Json:
    return {
        "verdict": found.verdict,
        "by": list(found.by),
        "explained_at_least": found.explained_at_least,
        "cause": found.cause,
        "words": found.words,
        "required_undetermined": [
            {"rule": code, "name": name_of(code)} for code in found.required_open
        ],
    }


def _judgement(judgement: Judgement) -> Json:
    return {
        "rule": judgement.rule,
        "name": judgement.name,
        "trick": judgement.trick,
        "subject": {"kind": judgement.subject_kind, "id": judgement.subject_id},
        "state": judgement.state.value,
        "part": judgement.part.value,
        "kind": judgement.kind.value if judgement.kind else None,
        "severity": judgement.severity.value if judgement.severity else None,
        "level": judgement.level.value if judgement.level else None,
        "message": judgement.message,
        "quantities": [quantity(one) for one in judgement.quantities],
        "where": judgement.where.to_json(),
        "reason": judgement.reason.value if judgement.reason else None,
        "would_decide": judgement.would_decide,
        "fix": judgement.fix,
        "limit": judgement.limit,
        "claims": list(judgement.claims),
    }


def _rule(rule: Rule) -> Json:
    return {
        "name": rule.name,
        "title": rule.title,
        "trick": rule.trick,
        "family": rule.family,
        "severity": rule.severity.value,
        "catches": rule.section("What it catches"),
        "legitimate": rule.section("When it is legitimate"),
        "decided": rule.section("How it is decided"),
        "fix": rule.section("How to fix"),
        "source": rule.section("Source"),
    }


def _result(row: Result) -> Json:
    printed = row.centre.text
    if row.std.known:
        printed += f" ± {row.std}"
    if row.n.known:
        printed += f" (n = {row.n})"
    return {
        "method": row.method.get(""),
        "dataset": row.dataset.get(""),
        "metric": row.metric.get(""),
        "printed": printed,
        "where": row.place.to_json(),
    }


def _coverage(found: Found) -> Json:
    return {
        "rules": _counts(found.judgements),
        "tricks": tricks(found.judgements, found.rules, found.claims.claims),
        "undeclared": undeclared(found.claims).to_json(),
    }


def _counts(judgements: Sequence[Judgement]) -> Json:
    """Return how many judgements are in each state; a flag that is only a note counts apart."""
    notes = sum(j.is_note for j in judgements)
    counts = {state.value: sum(j.state is state for j in judgements) for state in State}
    return counts | {"flagged": counts["flagged"] - notes, "note": notes}


def _plan(plan: Plan, runs: Runs) -> Json:
    return {
        "planned": len(plan.runs),
        "done": len(runs),
        "left_out": [
            {"title": left.run, "reason": left.reason.value, "detail": left.detail}
            for left in plan.left_out
        ],
        "not_run": [
            {"claim": gap.claim, "reason": gap.reason.value, "would_decide": gap.would_decide}
            for gap in plan.not_run
        ],
        "notes": list(plan.notes),
        "seeds": {
            kind.value: sorted({run.seed for run in plan.runs if run.seed_kind is kind})
            for kind in SeedKind
        },
        "wall_s": round(sum(run.wall_s for run in runs), 1),
    }
