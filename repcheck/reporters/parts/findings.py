"""Findings and claims in the order in which every text format lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repcheck.reporters.parts import text, words
from repcheck.reporters.parts.forest import numbers

Json = Mapping[str, Any]


def findings(report: Json) -> list[Json]:
    """Return what was flagged or broke: what changes a conclusion first, then by place in the file.

    The second are the findings that have to be disclosed, then notes, then rules that broke.
    """
    heard = [one for one in report["judgements"] if one["state"] in {"flagged", "error"}]
    return sorted(
        heard,
        key=lambda one: (
            words.bears_rank(one),
            not one["where"].get("line"),
            one["where"].get("file") or "",
            one["where"].get("line") or 0,
            words.severity_rank(one["severity"]),
            one["rule"],
        ),
    )


def grouped(report: Json) -> list[tuple[str, list[Json]]]:
    """Return the same findings under what they do to the conclusion (a key of `words.BEARS`)."""
    groups: dict[str, list[Json]] = {}
    for one in findings(report):
        groups.setdefault(words.bears_of(one), []).append(one)
    return list(groups.items())


def weight(finding: Json) -> str:
    """Return a finding's severity, or that the check itself broke."""
    return finding["severity"] or "error"


def file_of(finding: Json, report: Json) -> str:
    """Return the place to print before a finding; the claims file where it has none of its own."""
    return text.place(finding["where"]) or str(report["claims_file"]["path"])


def outcome(claim: Json) -> str:
    """Return a claim's numbers on one line: `claimed 26 points, observed +21.4 [+19.2, +23.6]`."""
    found = claim["reproduction"]
    said = numbers(found, str(claim.get("unit") or ""))
    claimed = f"claimed {said.claimed}" if said.claimed else "no number claimed"
    if not said.observed:
        unseen = found.get("reason") not in {"no-rule-yet", "not-testable"}
        return f"{claimed}, {'nothing observed' if unseen else 'not judged'} ({said.why_not})"
    level = f" ({text.percent(found['level'])})" if found.get("level") else ""
    seen = " ".join(part for part in (said.observed, said.interval) if part)
    return f"{claimed}, observed {seen}{level}, n = {seeds(found)}"


def seeds(found: Json) -> str:
    """Return how many seeds a verdict rests on: `5 + 5`, or `5 + 5 on each of 2 datasets`."""
    counted, many = found.get("n") or {}, len(found.get("datasets") or ())
    both = [counted.get("method") or 0]
    both += [counted["baseline"]] if counted.get("baseline") is not None else []
    said = " + ".join(str(one) for one in both)
    return f"{said} on each of {many} datasets" if many > 1 else said


def claim_counts(report: Json) -> str:
    """Return `4 claims: 1 reproduced, 1 not reproduced, ...`, without the empty ones."""
    counts = words.in_order(report["headline"]["counts"])
    said = [f"{n} {words.verdict(name).word}" for name, n in counts.items() if n]
    return f"{text.count(len(report['claims']), 'claim')}: {', '.join(said) or 'none judged'}"


def check_counts(report: Json) -> str:
    """Return `9 checks: 3 flagged, ...`: a rule asked about one subject is one check."""
    counts = words.in_order(report["coverage"]["rules"])
    said = [f"{n} {words.state(name).word}" for name, n in counts.items() if n]
    return f"{text.count(sum(counts.values()), 'check')}: {', '.join(said) or 'none made'}"


def run_counts(report: Json) -> str:
    """Return `21 runs: 20 ended well, 1 failed`, and how many planned ones are missing."""
    ok = sum(run["status"] == "ok" for run in report["runs"])
    total = len(report["runs"])
    missing = report["plan"]["planned"] - total
    left_out = len(report["plan"]["left_out"])
    said = f"{text.count(total, 'run')}: {ok} ended well, {total - ok} failed"
    said = said if total else "nothing was run"
    said += f"; {missing} planned but not made" if missing > 0 else ""
    return f"{said}; {left_out} left out by the budget" if left_out else said


def answers_of(report: Json) -> list[str]:
    """Return what persons answered, each with who, when and what it did."""
    return [
        f"{one['rule']} {one['about']}".strip() + f": {one['answer']},"
        f" {one['text']} ({one['by']}, {one['date']}; {one['effect']})"
        for one in report["answers"]
    ]
