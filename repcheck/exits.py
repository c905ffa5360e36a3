"""Exit codes: what a script can tell from how repcheck ended.

====  =====================================================================================
0     nothing flagged at or above `--fail-on` (default: major), and no claim not reproduced
1     flagged, or a claim was not reproduced
2     the command line cannot be used, or nothing was run because nobody agreed
3     something is undetermined, under `--strict`
4     the claims file is invalid
5     a rerun failed; everything else is still reported
70    repcheck itself broke
130   interrupted; finished runs are kept
====  =====================================================================================

Where several hold, the first of 130, 70, 2, 4, 1, 5, 3 wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repcheck.rule import Severity

OK, FLAGGED, USAGE, UNDETERMINED, INVALID, RUN_FAILED, BROKEN, INTERRUPTED = (
    0, 1, 2, 3, 4, 5, 70, 130,
)  # fmt: skip


def code_of(report: Mapping[str, Any], *, fail_on: str, strict: bool) -> int:
    """Return the exit code that a report deserves."""
    judgements = report["judgements"]
    states = {judgement["state"] for judgement in judgements}
    verdicts = {claim["reproduction"]["verdict"] for claim in report["claims"]}
    if "error" in states:
        return BROKEN
    if any(_weighs(judgement, fail_on) for judgement in judgements) or "not-reproduced" in verdicts:
        return FLAGGED
    if any(run["status"] != "ok" for run in report["runs"]):
        return RUN_FAILED
    open_verdicts = verdicts & {"inconclusive", "not-run"}
    return UNDETERMINED if strict and ("undetermined" in states or open_verdicts) else OK


def _weighs(judgement: Mapping[str, Any], fail_on: str) -> bool:
    severity = judgement["severity"]
    return (
        judgement["state"] == "flagged"
        and fail_on != "never"
        and Severity(severity).rank >= Severity(fail_on).rank
    )
