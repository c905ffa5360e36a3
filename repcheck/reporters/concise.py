"""One line a finding, one line a claim."""

from __future__ import annotations

from repcheck.reporter import Report, Reporter
from repcheck.reporters.parts import findings, text, words


def render(report: Report) -> str:
    """Return the report as lines that grep and editors understand."""
    lines = [
        f"{text.line(findings.file_of(one, report))}: {text.line(one['rule'])} "
        f"[{text.line(findings.weight(one))}] {text.line(one['message'])}"
        for one in findings.findings(report)
    ]
    for claim in report["claims"]:
        place = text.place(claim["where"]) or report["claims_file"]["path"]
        verdict = words.verdict(claim["reproduction"]["verdict"]).word
        fairness = words.fairness(claim["fairness"]).word
        lines.append(
            f"{text.line(place)}: {text.line(claim['id'])} {verdict}: "
            f"{text.line(findings.outcome(claim))}; {fairness}"
        )
    return "\n".join(lines) + "\n"


REPORTER = Reporter(name="concise", about="one line a finding and a claim", file="", render=render)
