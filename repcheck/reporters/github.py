"""Annotations for GitHub Actions: workflow commands on the lines of the claims file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repcheck.reporter import Report, Reporter
from repcheck.reporters.parts import findings, text, words

_KINDS = {"critical": "error", "major": "error", "minor": "warning", "error": "warning"}
_SAID = {"not-reproduced": "error", "inconclusive": "notice"}


def render(report: Report) -> str:
    """Return one workflow command for each finding and each claim that did not come out."""
    lines = [
        _command(
            _KINDS.get(findings.weight(one), "notice"),
            report,
            one["where"],
            f"{one['rule']} {one['name']}",
            one["message"],
        )
        for one in findings.findings(report)
    ]
    for claim in report["claims"]:
        verdict = claim["reproduction"]["verdict"]
        if verdict in _SAID:
            title = f"{claim['id']} {words.verdict(verdict).word}"
            said = findings.outcome(claim)
            lines.append(_command(_SAID[verdict], report, claim["where"], title, said))
    return "\n".join(lines) + "\n" if lines else ""


def _command(kind: str, report: Report, where: Mapping[str, Any], title: str, message: str) -> str:
    known = bool(where.get("line"))
    found = {"file": where["file"] if known else report["claims_file"]["path"]}
    if known:
        found |= {"line": where["line"], "col": where["column"]}
    found["title"] = title
    said = ",".join(f"{key}={_property(str(value))}" for key, value in found.items())
    return f"::{kind} {said}::{_data(message)}"


def _data(value: str) -> str:
    """Escape a message so that none of it can start a workflow command of its own."""
    return text.line(value).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


REPORTER = Reporter(name="github", about="annotations in GitHub Actions", file="", render=render)
