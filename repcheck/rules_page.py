"""The rules as a person or a program reads them: one explained, or all listed."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

from repcheck import rules
from repcheck.errors import UsageError
from repcheck.places import place
from repcheck.rule import HEADINGS, Rule

_EXAMPLES = {
    "bad": "flagged",
    "bad_observed": "flagged after a run",
    "good": "not flagged",
    "good_observed": "cleared after a run",
}


def explained(code: str) -> str:
    """Return one rule's page with its examples; the code may be the rule's name.

    Raises:
        UsageError: if there is no such rule, with the nearest one.
    """
    known = rules.load()
    by_name = {rule.name: rule for rule in known.values()}
    by_code = {known_code.upper(): rule for known_code, rule in known.items()}
    rule = by_code.get(code.upper()) or by_name.get(code.lower().replace("_", "-"))
    if rule is None:
        near = difflib.get_close_matches(code.upper(), known, n=1)
        near += difflib.get_close_matches(code.lower().replace("_", "-"), by_name, n=1)
        hint = f"did you mean {near[0]}?" if near else "`repcheck rules` lists them all"
        raise UsageError(f"no rule {code!r}; {hint}")
    return _page(rule)


def _page(rule: Rule) -> str:
    trick = f", trick {rule.trick}" if rule.trick else ""
    head = f"{rule.code} {rule.name} ({rule.family}{trick}; base severity {rule.severity})"
    parts = [f"# {head}\n\n{rule.title}."]
    parts += [f"## {heading}\n{rule.section(heading)}" for heading in HEADINGS]
    if rule.options:
        shown = "\n".join(f"- {name} = {value}" for name, value in rule.options.items())
        parts.append(f"## Thresholds\n{shown}")
    parts += [f"## Example: {name}\n{text}" for name, text in _examples(rule)]
    return "\n\n".join(parts).rstrip() + "\n"


def _examples(rule: Rule) -> list[tuple[str, str]]:
    """Return the rule's own fixtures: the example is the test."""
    folder = place("tests/rules") / rule.family / rule.name.replace("-", "_")
    found = []
    for kind, name in _EXAMPLES.items():
        claims, observed = folder / f"{kind}.yaml", folder / f"{kind}.observed.yaml"
        if claims.exists():
            found.append((name, _indented(claims)))
            if observed.exists():
                found.append((f"{name}, what the probe saw", _indented(observed)))
    return found


def _indented(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(f"    {line}".rstrip() for line in lines)


def listed(form: str) -> str:
    """Return all rules as a table, as JSON, or as the README's Markdown table."""
    known = list(rules.load().values())
    if form == "json":
        return json.dumps([_data(rule) for rule in known], indent=2) + "\n"
    if form == "markdown":
        return markdown_table(known)
    width = max(len(rule.name) for rule in known)
    return "".join(
        f"{rule.code:<7} {rule.name:<{width}}  {rule.severity:<8}  {rule.title}\n" for rule in known
    )


def markdown_table(known: list[Rule]) -> str:
    """Return the table that stands in the README."""
    lines = ["| code | rule | base severity | what it sees |", "|---|---|---|---|"]
    lines += [f"| {r.code} | {r.name} | {r.severity} | {r.title} |" for r in known]
    return "\n".join(lines) + "\n"


def _data(rule: Rule) -> dict[str, object]:
    return {
        "code": rule.code,
        "name": rule.name,
        "title": rule.title,
        "family": rule.family,
        "trick": rule.trick,
        "severity": rule.severity.value,
        "part": rule.part.value,
        "options": dict(rule.options),
        **{heading.lower().replace(" ", "_"): rule.section(heading) for heading in HEADINGS},
    }
