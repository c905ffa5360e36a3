"""A comment for a pull request, or a step summary: short, with the rest in the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any

from repcheck.reporter import Report, Reporter
from repcheck.reporters.parts import arms, budget, checks, findings, text, words
from repcheck.reporters.parts.forest import failed_first, numbers, wording
from repcheck.reporters.parts.sight import sight

# GitHub refuses a comment of more than 65,536 characters.
MOST_CHARACTERS = 60_000
MOST_OF_A_TABLE = 8_000
MARKER = "<!-- repcheck report -->"
_CODE = re.compile(r"(`[^`|\n]+`)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~])")
# A mention or a reference in a paper's text must not call a person or link an issue.
_CALLS = re.compile(r"([@#])(?=\w)|(?<=\w)(://|(?<=www)\.)")


def render(report: Report) -> str:
    """Return the report as Markdown of less than 65,000 characters."""
    head = _head(report)
    gain, tail = _arms(report), _budgets(report) + _tail(report)
    room = MOST_CHARACTERS - len(head) - len(gain) - len(tail)
    rows = [_row(claim) for claim in failed_first(report["claims"])]
    found = [
        f"{title}{_finding(report, one)}"
        for bears, group in findings.grouped(report)
        for one, title in zip(group, _titles(bears), strict=False)
    ]
    claims = _fitting(rows, room // 2, "claim", as_row=True)
    flagged = _fitting(found, room - len(claims), "finding", as_row=False).lstrip("\n")
    table = "| claim | claimed | observed | verdict | fairness |\n|---|---|---|---|---|\n"
    title = "### Flagged\n\n" if found else "### Flagged\n\nNothing. That is not a pass.\n"
    return f"{head}{table}{claims}\n{gain}{title}{flagged}\n{tail}"


def escaped(said: object) -> str:
    """Return text on one line that Markdown shows as it stands; `code` stays code."""
    parts = _CODE.split(text.line(said))
    return "".join(part if _CODE.fullmatch(part) else _safe(part) for part in parts)


def _safe(said: str) -> str:
    safe = _SPECIAL.sub(r"\\\1", said)
    return _CALLS.sub(lambda found: f"{found[0]}<!-- -->", safe)


def _fitting(items: Iterable[str], room: int, noun: str, *, as_row: bool) -> str:
    kept: list[str] = []
    left = 0
    for item in items:
        if left or len(item) > room - 80:
            left += 1
            continue
        kept.append(item)
        room -= len(item)
    if left:
        more = f"{text.count(left, f'more {noun}')} in `report.html`"
        kept.append(f"| {more} | | | | |\n" if as_row else f"- {more}\n")
    return "".join(kept)


def _head(report: Report) -> str:
    word = words.verdict(report["headline"]["verdict"])
    title = escaped(text.short(report["paper"]["title"], 200) or "repcheck")
    said = escaped(text.short(report["headline"]["sentence"], 2000))
    changed = [f"{t['rule']} {t['option']} = {t['value']}" for t in report["thresholds"]]
    lines = [MARKER, f"## {title}", f"**{word.glyph} {said}**"]
    lines.append(
        f"{findings.claim_counts(report)}. {findings.check_counts(report)}. "
        f"{findings.run_counts(report)}{sight(report['runs']).words}."
    )
    if changed:
        lines.append(
            f"Judged with changed thresholds: {escaped(text.short(', '.join(changed), 999))}."
        )
    if told := findings.answers_of(report):
        lines.append(
            f"Judged with answers of persons: {escaped(text.short('; '.join(told), 999))}."
        )
    return "\n\n".join(lines) + "\n\n"


def _row(claim: Mapping[str, Any]) -> str:
    found = claim["reproduction"]
    said = numbers(found, str(claim.get("unit") or ""))
    word, fair = words.verdict(found["verdict"]), words.fairness(claim["fairness"])
    observed = f"{said.observed} {said.interval}" if said.observed else said.why_not
    detail = f" ({escaped(words.plain(found['detail']))})" if found.get("detail") else ""
    cells = [
        f"{escaped(claim['id'])} {escaped(text.short(wording(claim), 120))}",
        escaped(said.claimed),
        escaped(observed),
        f"{word.glyph} {word.word}{detail}",
        escaped(fair.word),
    ]
    return f"| {' | '.join(cells)} |\n"


def _titles(bears: str) -> Iterator[str]:
    """Yield what stands before each finding of a group: its title once, then nothing."""
    yield f"\n**{words.BEARS[bears].word.capitalize()}**\n\n"
    yield from repeat("")


def _finding(report: Report, one: Mapping[str, Any]) -> str:
    place = escaped(findings.file_of(one, report))
    claims = ", ".join(escaped(c) for c in one["claims"][:8])
    bears = f" (bears on {claims})" if claims else ""
    fix = f"\n  *How to fix:* {escaped(text.short(one['fix'], 500))}" if one["fix"] else ""
    return (
        f"- **{escaped(one['rule'])} {escaped(one['name'])}** [{escaped(findings.weight(one))}] "
        f"{escaped(text.short(one['message'], 800))}{bears}, {place}{fix}\n"
    )


def _arms(report: Report) -> str:
    """Return the arms as a table: what of the gain remains in each, and how much that explains."""
    rows = [
        f"| {escaped(panel.claim['id'])} | {escaped(text.short(row.arm['id'], 120))} | "
        f"{escaped(f'{row.remaining} {row.interval}'.strip() or 'not decided')} | "
        f"{escaped(row.of or '–')} | {row.verdict.glyph} {row.verdict.word}"
        f"{f', {escaped(row.settles)}' if row.settles else ''} |\n"
        for panel in arms.panels(report)
        for row in panel.rows
    ]
    if not rows:
        return ""
    head = "| claim | arm | gain that remains (95 %) | of | verdict |\n|---|---|---|---|---|\n"
    shown = _fitting(rows, MOST_OF_A_TABLE, "arm", as_row=True)
    return f"### Where the gain comes from\n\n{head}{shown}\n"


def _budgets(report: Report) -> str:
    """Return a line for each method: what it takes, beside the ratio to its baseline."""
    lines = [
        f"- {escaped(text.short(name, 120))}: {escaped(', '.join(told))}\n"
        for group in budget.budgets(report).groups
        for name, told in budget.brief(group)
    ]
    if not lines:
        return ""
    return f"### Budgets\n\n{_fitting(lines, MOST_OF_A_TABLE, 'method', as_row=False)}\n"


def _tail(report: Report) -> str:
    tricks = escaped(checks.told(report["coverage"]["tricks"]))
    return (
        f"<sub>The {tricks}. Undetermined is an open question, never a pass. "
        f"Made by repcheck {escaped(report['repcheck']['version'])} from "
        f"{escaped(text.short(report['claims_file']['path'], 200))} "
        f"(sha256 {escaped(report['claims_file']['sha256'][:12])}) with "
        f"{escaped(text.short(report['command'], 400))}; everything is in report.json.</sub>\n"
    )


REPORTER = Reporter(
    name="markdown",
    about="a pull request comment or a step summary",
    file="report.md",
    render=render,
)
