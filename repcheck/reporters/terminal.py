"""Findings with their line of the claims file, then one line a claim, then the counts."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from repcheck.reporter import Report, Reporter
from repcheck.reporters.parts import arms, budget, checks, findings, text, words
from repcheck.reporters.parts.excerpt import Source
from repcheck.reporters.parts.forest import failed_first, wording
from repcheck.reporters.parts.sight import sight

MOST_CLAIMS = 200
WIDTH = 80
_HELP = 240
_COLOURS = {"critical": "red", "major": "yellow", "error": "red"}
Style = Callable[..., str]


def render(report: Report) -> str:
    """Return the report as plain text, the same on every terminal."""
    return _text(report, _plain)


def coloured(report: Report) -> str:
    """Return the report with colours."""
    return _text(report, click.style)


def _plain(said: str, **_: object) -> str:
    return said


def _text(report: Report, style: Style) -> str:
    source = Source(report["claims_file"])
    lines: list[str] = []
    for bears, found in findings.grouped(report):
        lines += [style(f"{words.BEARS[bears].word}:".capitalize(), bold=True), ""]
        told = (tuple(_finding(report, one, source, style)) for one in found)
        for one in dict.fromkeys(told):  # what is seen of two comparisons is told once
            lines += [*one, ""]
    panels = {panel.claim["id"]: panel for panel in arms.panels(report)}
    for claim in failed_first(report["claims"])[:MOST_CLAIMS]:
        lines += _claim(claim, style)
        lines += _arms(panels[claim["id"]], style) if claim["id"] in panels else []
    left = len(report["claims"]) - MOST_CLAIMS
    lines += [f"and {text.count(left, 'more claim')} in report.json"] if left > 0 else []
    lines += _budgets(report, style)
    return "\n".join([*lines, "", *_summary(report, style)]) + "\n"


def _finding(report: Report, one: Mapping[str, Any], source: Source, style: Style) -> list[str]:
    weight = findings.weight(one)
    place = text.line(findings.file_of(one, report))
    code = style(text.line(one["rule"]), bold=True)
    mark = style(f"[{text.line(weight)}]", fg=_COLOURS.get(weight))
    lines = [f"{place}: {code} {mark} {text.line(one['message'])}"]
    lines += source.excerpt(one["where"])
    if one["fix"]:
        lines.append(f"  help: {text.short(one['fix'], _HELP)}")
    return lines


def _claim(claim: Mapping[str, Any], style: Style) -> list[str]:
    found, fair = claim["reproduction"], claim["fairness"]
    word, fairness = words.verdict(found["verdict"]), words.fairness(fair)
    verdict = style(f"{word.glyph} {word.word}", fg=word.colour or None, bold=True)
    detail = f" ({text.line(words.plain(found['detail']))})" if found.get("detail") else ""
    return [
        f"{style(text.line(claim['id']), bold=True)} {verdict}{detail}: "
        f"{text.short(wording(claim), 100)}",
        f"  {text.line(findings.outcome(claim))}",
        *([f"  {text.line(found['rule'])}"] if found["verdict"] == "not-run" else []),
        *_parts(claim),
        f"  fairness: {style(fairness.word, fg=fairness.colour or None)}; "
        f"{text.line(fair['words'])}",
    ]


def _arms(panel: arms.Panel, style: Style) -> list[str]:
    """Return what remains of a claimed gain in each arm, and how much that explains."""
    lines = [f"  what remains of {panel.of} in each arm (95 % interval):"]
    for row in panel.rows:
        word = row.verdict
        left = f"{row.remaining} {row.interval}, " if row.remaining else ""
        settled = f", {row.settles}" if row.settles else ""
        told = f"{text.short(row.arm['id'], 160)}: {left}{word.word}{settled}"
        first, *rest = _wrapped(text.line(told), "    ")
        lines += [f"  {style(word.glyph, fg=word.colour or None)} {first}", *rest]
    more = panel.more
    return lines + ([f"  and {text.count(more, 'more arm')} in report.json"] if more else [])


def _wrapped(told: str, indent: str) -> Iterator[str]:
    """Yield a text in lines of at most 80 columns, the first without its indentation."""
    wrapped = textwrap.wrap(told, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
    yield wrapped[0].removeprefix(indent)
    yield from wrapped[1:]


def _budgets(report: Report, style: Style) -> list[str]:
    """Return what each method takes, beside the baselines that it is compared with."""
    lines = []
    found = budget.budgets(report)
    for group in found.groups:
        lines += ["", f"{style('budget', bold=True)} of {text.line(group.title)}"]
        for name, told in budget.brief(group):
            first, *rest = _wrapped(f"{text.short(name, 60)}: {text.line(', '.join(told))}", "  ")
            lines += [f"  {first}", *rest]
    left = found.more
    return lines + ([f"and {text.count(left, 'more comparison')} in report.json"] if left else [])


def _parts(claim: Mapping[str, Any]) -> list[str]:
    """Return the other numbers of a claim, each with its own verdict."""
    others = [part for part in claim.get("parts") or () if part != claim["reproduction"]]
    said = []
    for part in others:
        word = words.verdict(part["verdict"])
        against = text.line(f"against {part['baseline']}") if part.get("baseline") else "the value"
        outcome = findings.outcome({**claim, "reproduction": part})
        said.append(f"  {word.glyph} {word.word} ({against}): {text.line(outcome)}")
    return said


def _summary(report: Report, style: Style) -> list[str]:
    lines = [
        style(text.line(report["headline"]["sentence"]), bold=True),
        f"{findings.claim_counts(report)}.",
        f"{findings.check_counts(report)}.",
        f"{text.line(checks.told(report['coverage']['tricks']))}.",
        f"{findings.run_counts(report)}{sight(report['runs']).words}.",
    ]
    if report["thresholds"]:
        changed = [f"{t['rule']} {t['option']} = {t['value']}" for t in report["thresholds"]]
        lines.append(f"Judged with changed thresholds: {text.line(', '.join(changed))}.")
    if said := findings.answers_of(report):
        lines.append(f"Judged with answers of persons: {text.line('; '.join(said))}.")
    return lines


REPORTER = Reporter(
    name="terminal",
    about="findings with their lines, claims, counts",
    file="",
    render=render,
    coloured=coloured,
)
