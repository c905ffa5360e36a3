"""`repcheck lint`: form, references and arithmetic of a claims file. Nothing is run."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from repcheck import rules
from repcheck.claims.costs import undeclared
from repcheck.claims.load import ClaimsError, load
from repcheck.claims.model import Claims
from repcheck.fact import Evidence
from repcheck.judge import judge
from repcheck.rule import Judgement, Severity, State
from repcheck.visible import line

CLEAN, FOUND, INVALID, BROKEN = 0, 1, 4, 70
MOST_KEYS = 12


def lint_file(file: Path, *, everything: bool) -> int:
    """Check a file, say what was found on standard output, and return the exit code."""
    collecting = gc.isenabled()
    gc.disable()  # what a large file says is a million objects, and each search visits them all
    try:
        return _lint(file, everything=everything)
    finally:
        if collecting:
            gc.enable()


def _lint(file: Path, *, everything: bool) -> int:
    try:
        claims = load(file)
    except ClaimsError as invalid:
        click.echo(str(invalid))
        count = len(invalid.problems)
        click.echo(f"{file}: {count} problem{'s' if count > 1 else ''}; nothing else was checked")
        return INVALID
    judgements = judge(Evidence(claims=claims), rules.load_family("statistics").values())
    findings = [j for j in judgements if j.state in {State.FLAGGED, State.ERROR}]
    if findings:
        click.echo("\n".join(_said(claims, findings)))
    click.echo(_sums(claims, judgements))
    click.echo("\n".join(_silence(claims, everything=everything)))
    if any(finding.state is State.ERROR for finding in findings):
        return BROKEN
    return FOUND if any(f.severity is not Severity.NOTE for f in findings) else CLEAN


def _said(claims: Claims, findings: Sequence[Judgement]) -> list[str]:
    from repcheck.reporters.parts.excerpt import Source

    source = Source({"path": claims.place.file, "sha256": claims.sha256})
    lines = []
    for finding in findings:
        weight = finding.severity.value if finding.severity else "error"
        lines.append(line(f"{finding.where}: {finding.rule} [{weight}] {finding.message}"))
        lines += source.excerpt(finding.where.to_json())
        lines += [f"  help: {line(finding.fix)}"] if finding.fix else []
    return lines


def _sums(claims: Claims, judgements: Sequence[Judgement]) -> str:
    states = Counter(judgement.state for judgement in judgements)
    held, open_ = states[State.CLEARED], states[State.UNDETERMINED]
    sizes = {"claim": claims.claims, "method": claims.methods, "result": claims.results}
    counts = ", ".join(_counted(len(items), name) for name, items in sizes.items())
    return (
        f"{claims.place.file}: {counts}; form and references are in order; arithmetic:"
        f" {held} hold, {states[State.FLAGGED]} flagged, {open_} could not be checked"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _silence(claims: Claims, *, everything: bool) -> list[str]:
    """Return what is undeclared and what that leaves undecided."""
    found = undeclared(claims)
    lines = [
        f"undeclared: {found.missing} of {found.relevant} relevant facts"
        " (no finding; each keeps checks open):"
    ]
    shown = found.keys if everything else found.keys[:MOST_KEYS]
    for key in shown:
        open_ = key.rules.replace(" RC", ", RC")
        lines.append(f"  {line(key.path)}: keeps {open_} open; can a rerun fill it? {key.fill}")
    if len(shown) < len(found.keys):
        lines.append(f"  and {len(found.keys) - len(shown)} more: `repcheck lint --all`")
    return lines
