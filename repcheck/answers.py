"""What persons answered to the questions that no machine can decide: given on the command line.

An answer can resolve what needs a human, and lower the severity of a finding with a reason; what
was measured stays in the report, word for word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from repcheck import rules
from repcheck.claims.problems import ClaimsError, nearest
from repcheck.claims.source import Items, Node, Scalar, Tree, decode, read_bytes, read_tree
from repcheck.errors import Reason, UsageError
from repcheck.fact import Level, Quantity
from repcheck.rule import Judgement, Kind, Rule, Severity, State
from repcheck.where import Where

EXAMPLE = (
    "answers: [{rule: RC402, about: ours, answer: no, text: why, by: who, date: 2026-01-31,"
    " decides: cleared}]"
)
SIGNED = ("rule", "answer", "text", "by", "date")
KEYS = (*SIGNED, "about", "decides", "severity")
SAID = ("yes", "no", "unclear")
DECIDES = ("cleared", "flagged")
MOST = 10_000
_EXACT = frozenset({Level.OBSERVED, Level.FORENSIC, Level.RERUN_SCALED, Level.RERUN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One signed answer about one rule; `about` is a subject of it, "" for all of them.

    `decides` resolves what needs a human; `severity` is what a finding weighs then.
    """

    rule: str
    answer: str
    text: str
    by: str
    date: str
    about: str = ""
    decides: str = ""
    severity: Severity | None = None
    place: Where

    @property
    def signature(self) -> str:
        """Return who said it, and when."""
        return f"{self.by}, {self.date}"

    def concerns(self, judgement: Judgement) -> bool:
        """Return whether it is about this rule and this subject."""
        return judgement.rule == self.rule and self.about in {"", judgement.subject_id}


def load_answers(path: Path | None) -> tuple[Answer, ...]:
    """Read `answers: [{rule, about, answer, text, by, date, decides, severity}]`.

    Raises:
        UsageError: for a key or a rule that does not exist, or an answer that nobody signed.
    """
    if path is None:
        return ()
    try:
        tree = read_tree(decode(read_bytes(path, str(path)), str(path)), str(path))
    except ClaimsError as unreadable:
        problems = [f"{one.place}: {one.what}" for one in unreadable.problems]
        raise UsageError("\n".join([*problems, f"--answers: expected {EXAMPLE}"])) from None
    listed = tree.entries.get("answers")
    if not isinstance(listed, Items) or tree.entries.keys() != {"answers"}:
        raise UsageError(f"{path}:1:1: expected one list named `answers`: {EXAMPLE}")
    if len(listed.items) > MOST:
        raise UsageError(f"{path}:1:1: {len(listed.items):,} answers, more than {MOST:,}")
    known = rules.load()
    return tuple(_answer(str(path), one, known) for one in listed.items)


def _answer(file: str, node: Node, known: Mapping[str, Rule]) -> Answer:
    if not isinstance(node, Tree):
        raise UsageError(f"{file}:{node.line}:{node.column}: expected {EXAMPLE}")
    place = Where(file, node.line, node.column, "answers")
    given: dict[str, str] = {}
    for name, value in node.entries.items():
        at = Where(file, *node.marks[name], name)
        if name not in KEYS:
            hint = nearest(name, KEYS) or f"there are {', '.join(KEYS)}"
            raise UsageError(f"{at}: no such key; {hint}")
        if not isinstance(value, Scalar) or not value.text.strip():
            raise UsageError(f"{at}: expected a text")
        given[name] = " ".join(value.text.split())
    if missing := [key for key in SIGNED if key not in given]:
        raise UsageError(f"{place}: an answer has to say its {' and '.join(missing)}")
    code = next((one for one in known if one.upper() == given["rule"].upper()), "")
    if not code:
        hint = nearest(given["rule"].upper(), known) or "`repcheck rules` lists them"
        raise UsageError(f"{place}: {given['rule']}: no such rule; {hint}")
    _among(place, "answer", given["answer"], SAID)
    _among(place, "decides", given.get("decides"), DECIDES)
    _among(place, "severity", given.get("severity"), tuple(Severity))
    if given["answer"] == "unclear" and "decides" in given:
        raise UsageError(f"{place}: what is `unclear` decides nothing; remove `decides`")
    severity = Severity(given["severity"]) if "severity" in given else None
    said = {key: value for key, value in given.items() if key not in {"rule", "severity"}}
    return Answer(rule=code, severity=severity, place=place, **said)


def _among(place: Where, key: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise UsageError(f"{place}: `{key}` is one of {', '.join(allowed)}, and not {value!r}")


def answered(
    judgements: Iterable[Judgement], answers: Sequence[Answer]
) -> tuple[list[Judgement], list[dict[str, Any]]]:
    """Return the judgements as the answers leave them, and what each answer did.

    An answer does one of: `resolved`, `lowered`, `kept` (the finding stays as it is: it was
    measured, or weighs less already), `noted` (it changes nothing), `no question` (nothing asks).
    Where some decide for and some against, the question stays open.
    """
    done = ["no question"] * len(answers)
    made = []
    for judgement in judgements:
        now = judgement
        mine = [(i, one) for i, one in enumerate(answers) if one.concerns(judgement)]
        if _asks(judgement) and len({one.decides for _, one in mine} - {""}) > 1:
            mine = [(i, replace(one, decides="")) for i, one in mine]
        for i, answer in mine:
            now, what = _applied(now, answer)
            done[i] = what if done[i] in {"no question", "noted"} else done[i]
        made.append(now)
    return made, [_told(answer, what) for answer, what in zip(answers, done, strict=True)]


def _asks(judgement: Judgement) -> bool:
    return judgement.state is State.UNDETERMINED and judgement.reason is Reason.NEEDS_HUMAN


def _applied(judgement: Judgement, answer: Answer) -> tuple[Judgement, str]:
    if _asks(judgement):
        return (
            (_resolved(judgement, answer), "resolved") if answer.decides else (judgement, "noted")
        )
    if judgement.state is not State.FLAGGED or answer.severity is None:
        return judgement, "noted"
    return _lowered(judgement, answer, answer.severity)


def _resolved(judgement: Judgement, answer: Answer) -> Judgement:
    known = rules.load()[judgement.rule]
    signed = Quantity(
        name="answer", value=answer.answer, level=Level.HUMAN, source=answer.signature
    )
    said = f"{judgement.message}; {answer.signature}: {answer.answer}, {answer.text}"
    quantities = (*judgement.quantities, signed)
    if answer.decides == "cleared":
        return replace(
            judgement, state=State.CLEARED, message=said, level=Level.HUMAN, reason=None,
            would_decide="", limit="one person's judgement", quantities=quantities,
        )  # fmt: skip
    severity = min(answer.severity or known.severity, Severity.MAJOR, key=_rank)
    return replace(
        judgement, state=State.FLAGGED, message=said, level=Level.HUMAN, reason=None,
        would_decide="", kind=Kind.UNSUPPORTED, severity=severity, quantities=quantities,
    )  # fmt: skip


def _lowered(judgement: Judgement, answer: Answer, to: Severity) -> tuple[Judgement, str]:
    """Lower a finding; one that was measured by one level, and never to a note."""
    now = judgement.severity or to
    if judgement.level in _EXACT:
        to = max(to, now.raised(-1), Severity.MINOR, key=_rank)
    if to.rank >= now.rank:
        return judgement, "kept"
    said = f"{judgement.message}; lowered from {now} by {answer.signature}: {answer.text}"
    return replace(judgement, severity=to, message=said), "lowered"


def _rank(severity: Severity) -> int:
    return severity.rank


def _told(answer: Answer, what: str) -> dict[str, Any]:
    return {
        "rule": answer.rule,
        "about": answer.about,
        "answer": answer.answer,
        "text": answer.text,
        "by": answer.by,
        "date": answer.date,
        "effect": what,
    }
