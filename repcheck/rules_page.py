"""Rules and tricks as a person or a program reads them: one explained, or all listed."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

from repcheck import rules
from repcheck.errors import UsageError
from repcheck.places import place
from repcheck.rule import HEADINGS, Rule
from repcheck.tricks import HEADINGS as TRICK_HEADINGS
from repcheck.tricks import TRICKS, Trick

_EXAMPLES = {
    "bad": "flagged",
    "bad_observed": "flagged after a run",
    "good": "not flagged",
    "good_observed": "cleared after a run",
}
_LINE = "-" * 78
_WIDTH = 100


def explained(name: str) -> str:
    """Return a trick's page, a rule's page with its examples, or both where they share the name.

    `name` is a trick's number (`1.3`), a rule's code (`RC103b`), or the name of either; its case,
    and `_` for `-`, do not matter.

    Raises:
        UsageError: if there is neither a trick nor a rule of this name, with the nearest ones.
    """
    known = rules.load()
    wanted = _plain(name)
    tricks = [trick for trick in TRICKS if wanted in {trick.number, f"t{trick.number}", trick.slug}]
    found = [rule for rule in known.values() if wanted in {rule.code.lower(), rule.name}]
    if not tricks and not found:
        raise UsageError(f"no rule or trick {name!r}; {_hint(wanted, known)}")
    pages = [_trick_page(trick, known.values()) for trick in tricks]
    pages += [_page(rule) for rule in found]
    return f"\n{_LINE}\n\n".join(pages)


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _hint(wanted: str, known: Mapping[str, Rule]) -> str:
    names = {one: one for trick in TRICKS for one in (trick.number, trick.slug)}
    names |= {code.lower(): code for code in known} | {r.name: r.name for r in known.values()}
    near = difflib.get_close_matches(wanted, names, n=1)
    said = "`repcheck rules` lists them all, `repcheck rules --tricks` the tricks"
    return f"did you mean {names[near[0]]}?" if near else said


def _trick_page(trick: Trick, known: Iterable[Rule]) -> str:
    parts = [f"# Trick {trick.number} {trick.slug} ({trick.group.lower()})"]
    parts += [_wrapped(f"In the list's words: “{trick.says}”"), _wrapped(trick.asks)]
    parts += [f"## {heading}\n{trick.sections[heading]}" for heading in TRICK_HEADINGS]
    own = _of(trick, known)
    width = max((len(f"{rule.code} {rule.name}") for rule in own), default=0)
    lines = [f"{f'{rule.code} {rule.name}':<{width}}  {rule.title}" for rule in own]
    lines += ["`repcheck explain CODE` shows one of them."] if own else ["None yet."]
    parts.append("## Its rules\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False)


def _of(trick: Trick, known: Iterable[Rule]) -> list[Rule]:
    return [rule for rule in known if rule.trick == trick.number]


def _page(rule: Rule) -> str:
    trick = next((trick for trick in TRICKS if trick.number == rule.trick), None)
    about = f"{rule.family}, trick {trick.number}" if trick else rule.family
    parts = [f"# {rule.code} {rule.name} ({about}; base severity {rule.severity})\n\n{rule.title}."]
    if trick:
        number = trick.number
        parts.append(
            f"One of the rules on trick {number} {trick.slug}: `repcheck explain {number}`."
        )
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
        return _markdown(
            ("code", "rule", "base severity", "what it sees"),
            [(r.code, r.name, r.severity.value, r.title) for r in known],
        )
    width = max(len(rule.name) for rule in known)
    return "".join(
        f"{rule.code:<7} {rule.name:<{width}}  {rule.severity:<8}  {rule.title}\n" for rule in known
    )


def tricks_listed(form: str) -> str:
    """Return the 43 tricks with their questions and rules: a table, JSON, or the README's table."""
    known = list(rules.load().values())
    if form == "json":
        return json.dumps([_trick_data(trick, known) for trick in TRICKS], indent=2) + "\n"
    if form == "markdown":
        return _markdown(
            ("trick", "name", "what is asked", "rules"),
            [
                (t.number, f"[{t.slug}](repcheck/tricks/{t.file})", t.asks, _codes(t, known))
                for t in TRICKS
            ],
        )
    width = max(len(trick.slug) for trick in TRICKS)
    return "".join(f"{t.number:<5} {t.slug:<{width}}  {t.asks}\n" for t in TRICKS)


def _codes(trick: Trick, known: Iterable[Rule]) -> str:
    return ", ".join(rule.code for rule in _of(trick, known))


def _markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    made = [f"| {' | '.join(line)} |" for line in lines]
    made[1] = "|".join(("", *lines[1], ""))
    return "\n".join(made) + "\n"


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


def _trick_data(trick: Trick, known: Iterable[Rule]) -> dict[str, object]:
    sections = {name.lower().replace(" ", "_"): text for name, text in trick.sections.items()}
    return {
        "number": trick.number,
        "name": trick.slug,
        "group": trick.group,
        "says": trick.says,
        "asks": trick.asks,
        "rules": [rule.code for rule in _of(trick, known)],
        **sections,
        "a_person_is_asked": list(trick.questions),
    }
