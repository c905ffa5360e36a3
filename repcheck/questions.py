"""`repcheck questions`: what only a person can answer, numbered, with the material beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repcheck import rules
from repcheck.claims.load import load
from repcheck.errors import Reason, UsageError
from repcheck.fact import Evidence
from repcheck.judge import judge
from repcheck.machine.stored import content
from repcheck.rule import RULES, State
from repcheck.tricks import TRICKS, Trick
from repcheck.visible import line, visible

MOST_MATERIAL = 12
MOST_BYTES = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a rule said of one subject, as far as a question needs it."""

    rule: str
    trick: str
    about: str
    state: str
    reason: str
    message: str
    would_decide: str
    material: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Return whether only a person can decide it."""
        return self.state == State.UNDETERMINED and self.reason == Reason.NEEDS_HUMAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One numbered question: about a subject where a rule needs a person, else about the paper."""

    number: int
    judged: Judged | None
    trick: Trick | None

    @property
    def data(self) -> dict[str, Any]:
        """Return the question as plain data."""
        one, trick = self.judged, self.trick
        return {
            "number": self.number,
            "rule": one.rule if one else None,
            "trick": trick.number if trick else "",
            "name": trick.slug if trick else RULES[one.rule].name if one else "",
            "about": one.about if one else "",
            "needs_human": one is not None,
            "seen": one.message if one else "",
            "would_decide": one.would_decide if one else "",
            "material": list(one.material) if one else [],
            "questions": list(trick.questions) if trick else [],
        }


def asked(path: Path) -> list[Asked]:
    """Return the questions to a report's folder, or to a claims file before anything was run.

    Raises:
        UsageError: if a folder holds no report.
    """
    judged = _of_report(path) if path.is_dir() else _of_claims(path)
    known = {trick.number: trick for trick in TRICKS}
    needed = [one for one in judged if one.asks]
    applicable = {one.trick for one in judged if one.state != State.NOT_APPLICABLE}
    open_ = [
        trick
        for trick in TRICKS
        if trick.number in applicable - {one.trick for one in needed} and trick.questions
    ]
    pairs: list[tuple[Judged | None, Trick | None]]
    pairs = [(one, known.get(one.trick)) for one in needed]
    pairs += [(None, trick) for trick in open_]
    return [
        Asked(number=number, judged=one, trick=trick)
        for number, (one, trick) in enumerate(pairs, start=1)
    ]


def _of_claims(path: Path) -> list[Judged]:
    judgements = judge(Evidence(claims=load(path)), rules.load().values())
    return [
        Judged(
            rule=one.rule,
            trick=one.trick,
            about=one.subject_id,
            state=one.state,
            reason=one.reason or "",
            message=one.message,
            would_decide=one.would_decide,
            material=_material((q.name, q.value, q.unit, q.source) for q in one.quantities),
        )
        for one in judgements
    ]


def _of_report(folder: Path) -> list[Judged]:
    file = folder / "report.json"
    read = content(file, cap=MOST_BYTES)
    if read is None:
        why = "is no file" if not file.is_file() else f"is larger than {MOST_BYTES:,} bytes"
        why = "is a link" if file.is_symlink() else why
        hint = "give the folder of a check (repcheck-out/NAME), or a claims file"
        raise UsageError(f"{file}: {why}; {hint}")
    try:
        report = json.loads(read)
        rules.load()
        return [_judged(one) for one in report["judgements"] if one["rule"] in RULES]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        hint = "make it again with `repcheck report DIR`"
        raise UsageError(f"{file}: is no report of this version ({error}); {hint}") from None


def _judged(one: dict[str, Any]) -> Judged:
    return Judged(
        rule=one["rule"],
        trick=RULES[one["rule"]].trick,
        about=_text(one["subject"]["id"]),
        state=_text(one["state"]),
        reason=_text(one["reason"] or ""),
        message=_text(one["message"]),
        would_decide=_text(one["would_decide"] or ""),
        material=_material(
            (q["name"], q["value"], q["unit"], q["source"]) for q in one["quantities"]
        ),
    )


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{str(given)[:40]!r} is no text")
    return visible(given)


def _material(quantities: Iterable[tuple[str, object, str, str]]) -> tuple[str, ...]:
    shown = [
        f"{name}: {value}{f' {unit}' if unit else ''}{f' ({source})' if source else ''}"
        for name, value, unit, source in quantities
    ]
    if len(shown) > MOST_MATERIAL:
        shown = [*shown[:MOST_MATERIAL], f"and {len(shown) - MOST_MATERIAL} more"]
    return tuple(shown)


def written(questions: Sequence[Asked], form: str, path: Path) -> str:
    """Return the questions as a checklist to read, as a file to answer in, or as JSON."""
    if form == "json":
        return json.dumps([one.data for one in questions], indent=2) + "\n"
    if form == "yaml":
        return _to_answer(questions)
    needed = [one for one in questions if one.judged is not None]
    rest = [one for one in questions if one.judged is None]
    parts = [f"{len(questions)} questions for a person; {len(needed)} of them decide a check."]
    parts += [_read(one) for one in needed]
    if rest:
        parts.append("Worth asking of every such paper (they decide no check by themselves):")
        parts += [_read(one) for one in rest]
    if needed:
        parts.append(
            f"To answer: repcheck questions --format yaml {line(str(path))} > answers.yaml, fill it"
            f" in, then repcheck report DIR --answers answers.yaml"
        )
    return "\n\n".join(parts) + "\n"


def _read(one: Asked) -> str:
    trick, judged = one.trick, one.judged
    name = f"{trick.number} {trick.slug}" if trick else RULES[judged.rule].name if judged else ""
    head = f"{one.number:>3}  {name}"
    lines = [head if judged is None else f"{head}  ({judged.rule}, about {line(judged.about)})"]
    if judged is not None:
        lines.append(f"     seen: {line(judged.message)}")
        lines += [f"       - {line(text)}" for text in judged.material]
        if judged.would_decide:
            lines.append(f"     would decide: {line(judged.would_decide)}")
    lines += [f"     ? {text}" for text in (trick.questions if trick else ())]
    return "\n".join(lines)


def _to_answer(questions: Sequence[Asked]) -> str:
    """Return a file with one answer to fill in for each check that a person decides."""
    lines = [
        "# Answers of one person; give them with --answers FILE. `answer`: yes, no or unclear;",
        "# `decides`: cleared or flagged (then `severity`: note, minor or major). For a finding,",
        "# `severity` alone lowers it by one level, with the reason in `text`. Remove the rest.",
        "answers:",
    ]
    for one in questions:
        if one.judged is None:
            continue
        lines.append(f"  # {one.number}. {line(one.judged.message)}")
        lines += [f"  #    {text}" for text in (one.trick.questions if one.trick else ())]
        about = json.dumps(one.judged.about, ensure_ascii=False)
        lines.append(
            f"  - {{rule: {one.judged.rule}, about: {about}, answer: unclear, text: ..., by: ...,"
            " date: ...}"
        )
    return "\n".join(lines if len(lines) > 4 else [*lines[:3], "answers: []"]) + "\n"
