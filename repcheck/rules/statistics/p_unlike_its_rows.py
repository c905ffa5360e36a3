"""A p-value is not that of any test of its two rows.

## What it catches
A significance in the text that means, spreads and numbers of seeds in the table do not have: a
test over other numbers, a standard error taken for a deviation, a typing error that turns the
conclusion.

## When it is legitimate
Paired, rank and permutation tests look at the single seeds and can give smaller values: they are
not judged from a summary, nor is a test that nobody names. A larger p than the recomputed one may
be corrected for several tests, and is at most noted, where the claim rests on it: an equivalence.

## How it is decided
Welch's and Student's t test, one- and two-sided, with sample and population deviations, over every
value that the printed digits allow under any rounding. `p: "< .05"` is a bound, `p: .03` one
number, rounded either way. A p below all of them is flagged: minor, and major where the conclusion
at 5 % turns.

## How to fix
Recompute the test, name it, and list the seeds.

## Source
Nuijten et al. 2016 (statcheck) for the rule and for the weight of a decision error
"""

from __future__ import annotations

from repcheck.claims.comparison import dataset_of
from repcheck.claims.model import Claim, Result
from repcheck.errors import Missing, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.table import Table, printed, written
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Part,
    Severity,
    Undetermined,
    rule,
)
from repcheck.stats.forensics_tests import Arm, p_fit

_FROM_SUMMARY = frozenset({"", "t", "t-test", "ttest", "welch", "student", "unpaired", "z"})


@rule("RC914", Severity.MINOR, part=Part.FORENSIC)
def check(claim: Claim, table: Table) -> Answer:
    stated = claim.significance
    if not stated.p.known:
        return NotApplicable(message="no p-value is stated")
    words = set(stated.test.get("").lower().replace("'s", "").split()) - {"test", "t-test", "t"}
    if not words <= _FROM_SUMMARY:
        return Undetermined(
            message=f"not testable: the {stated.test} test needs the single seeds",
            reason=Reason.NOT_TESTABLE,
            would_decide="`per_seed` of both rows, or the p-value of a t test",
        )
    method = table.claims.methods.get(claim.method.value)
    metric = claim.metric.get(next(iter(table.claims.metrics), ""))
    if method is None or not claim.baselines.value:
        return NotApplicable(message="no two methods are compared")
    dataset = dataset_of(table.claims, claim, method)
    ours = _arm(table.row(method.id, dataset, metric))
    return [
        _judge(claim, name, ours, _arm(table.row(name, dataset, metric)))
        for name in claim.baselines.value
    ]


def _arm(row: Result) -> Arm:
    if written(row, "std_kind") and row.std_kind.value in {"sem", "ci95"}:
        raise Missing(Reason.UNDECLARED_KEY, f"state the deviation in `{row.std.path}`")
    arm = Arm(mean=printed(row.mean), spread=printed(row.std), n=row.n.value)
    if arm.n < 2:
        raise Missing(Reason.NOT_TESTABLE, "two seeds of each method")
    return arm


def _judge(claim: Claim, baseline: str, ours: Arm, theirs: Arm) -> Outcome:
    leaf = claim.significance.p
    text = leaf.text or repr(leaf.value)
    above = text.lstrip("pP ")[:1] in {">", "\N{GREATER-THAN OR EQUAL TO}"}
    # A stated 0.001 often means "below 0.001", and a larger p may be corrected for several tests.
    exact = above or claim.type.get("") == "equivalence"  # type: ignore[arg-type]
    found = p_fit(ours, theirs, text if exact or not _number(text) else f"<= {text}")
    low, high = min(v.p[0] for v in found.variants), max(v.p[1] for v in found.variants)
    seen = Quantity(
        name="smallest p of a t test",
        value=float(f"{low:.3g}"),
        level=Level.FORENSIC,
        source=str(leaf.place),
    )
    shown = text.strip() if text.strip()[:1] in "pP" else f"p {text.strip()}"
    words = f"{shown} against {baseline}; t tests of the two rows give {low:.2g} to {high:.2g}"
    if found.fits:
        return Cleared(message=words, seen=seen, limit=f"a p below {low:.2g}")
    if claim.significance.test.undeclared:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `{claim.significance.test.path}`")
    turned = "; the conclusion at 5 % turns" if found.decision_error else ""
    severity = Severity.MAJOR if found.decision_error else Severity.MINOR
    if exact and low < leaf.value:
        severity, turned = Severity.NOTE, turned + "; corrected for several tests?"
    return Flagged(
        message=words + turned, kind=Kind.MISMATCH, severity=severity, seen=seen, at=leaf.place
    )


def _number(text: str) -> bool:
    return text.lstrip()[:1].isdigit() or text.lstrip()[:1] == "."
