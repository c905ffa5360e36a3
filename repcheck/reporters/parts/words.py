"""The words for verdicts and states, the same in every format, with a glyph and a shape.

A word nobody knows is shown as it stands and never looks like a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from repcheck.reporters.parts.text import short

MOST_OF_A_CAUSE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A state as a person reads it; `css` names its colour and its shape on the page."""

    word: str
    glyph: str
    css: str
    colour: str = ""


VERDICTS: Mapping[str, Word] = {
    "reproduced": Word(word="reproduced", glyph="✓", css="ok", colour="blue"),
    "not-reproduced": Word(word="not reproduced", glyph="✗", css="bad", colour="yellow"),
    "inconclusive": Word(word="inconclusive", glyph="?", css="un", colour=""),
    "not-run": Word(word="not run", glyph="–", css="na", colour=""),
}
STATES: Mapping[str, Word] = {
    "flagged": Word(word="flagged", glyph="✗", css="bad", colour="yellow"),
    "error": Word(word="error", glyph="!", css="bad", colour="red"),
    "note": Word(word="noted", glyph="·", css="un"),
    "undetermined": Word(word="undetermined", glyph="?", css="un"),
    "cleared": Word(word="cleared", glyph="✓", css="ok", colour="blue"),
    "not-applicable": Word(word="not applicable", glyph="–", css="na"),
}
FAIRNESS: Mapping[str, Word] = {
    "invalid": Word(word="invalid", glyph="✗", css="bad", colour="yellow"),
    "explained": Word(word="explained by something else", glyph="✗", css="bad", colour="yellow"),
    "partly-explained": Word(
        word="partly explained by something else", glyph="✗", css="bad", colour="yellow"
    ),
    "asymmetric": Word(word="asymmetric, effect unknown", glyph="✗", css="bad", colour="yellow"),
    "fair-as-far-as-checked": Word(
        word="fair as far as checked", glyph="✓", css="ok", colour="blue"
    ),
    "insufficiently-checked": Word(word="insufficiently checked", glyph="?", css="un"),
}
REASONS: Mapping[str, str] = {
    "undeclared-key": "undeclared key",
    "no-rule-yet": "no rule yet",
    "needs-human": "needs a human",
    "not-observed": "not observed",
}
APPLIED: Mapping[str, str] = {
    "placeholder": "a placeholder of the command",
    "cli": "a flag",
    "config": "a configuration key, in a copy",
    "env": "an environment variable",
    "constant": "a constant of the source, in a copy",
    "probe": "surgery in the running process",
}
BEARS: Mapping[str, Word] = {
    "conclusion": Word(word="changes a conclusion", glyph="✗", css="bad"),
    "disclosure": Word(word="must be disclosed", glyph="✗", css="bad"),
    "note": Word(word="context only", glyph="·", css="un"),
    "error": Word(word="broke", glyph="!", css="bad"),
}
BEARS_WHY = (
    "A finding changes a conclusion if it is critical; if an arm shows that a claimed gain is gone "
    "or reduced without the factor (the finding on the factor counts with it); if complete runs "
    "show that a part which the paper credits adds nothing, or that the gain needs a number which "
    "only the code states; or if it is a major finding on the choice of seeds and the claim does "
    "not come out with fresh ones. All others have to be disclosed: that they change a conclusion "
    "was neither shown nor excluded."
)
STANDINGS: Mapping[str, str] = {
    "explains the gain": "seen, and an arm shows that the gain is gone or reduced without it",
    "present, harmless": "seen, and the gain survives without it",
    "present, effect unknown": "seen, and no valid arm says what it does to the gain",
    "absent": "every check of it that applies was cleared by what was observed",
}
SEVERITIES = ("critical", "major", "minor", "note")
_FAILED_FIRST = ("not-reproduced", "inconclusive", "not-run", "reproduced")


def verdict(name: str) -> Word:
    """Return the word for a claim's reproduction verdict."""
    return VERDICTS.get(name) or _unknown(name)


def state_of(judgement: Mapping[str, object]) -> str:
    """Return a judgement's state as it is shown: a flag that is only a note is a note."""
    state, severity = judgement["state"], judgement.get("severity")
    return "note" if (state, severity) == ("flagged", "note") else str(state)


def bears_of(judgement: Mapping[str, Any]) -> str:
    """Return what a finding does to the conclusion: a key of `BEARS`."""
    state, bears = state_of(judgement), judgement.get("bears")
    if state in BEARS:
        return state
    return str(bears) if bears in BEARS else "disclosure"


def bears_rank(judgement: Mapping[str, Any]) -> int:
    """Return 0 for a finding that changes a conclusion, and more for the others."""
    return [*BEARS].index(bears_of(judgement))


def state(name: str) -> Word:
    """Return the word for a rule's answer."""
    return STATES.get(name) or _unknown(name)


def fairness(found: Mapping[str, Any]) -> Word:
    """Return the word for a claim's fairness verdict, with what explains the gain."""
    known = FAIRNESS.get(found["verdict"]) or _unknown(found["verdict"])
    cause = short(str(found.get("cause") or "").replace("`", ""), MOST_OF_A_CAUSE)
    if cause and found["verdict"] in {"explained", "partly-explained"}:
        return replace(known, word=known.word.replace("something else", cause))
    return known


def tone(verdict_css: str, fairness_css: str) -> str:
    """Return the colour for both verdicts together: good only where both are."""
    both = {verdict_css, fairness_css}
    if "bad" in both:
        return "bad"
    return "ok" if both == {"ok"} else "un"


def applied(how: str) -> str:
    """Return how an arm's change is applied: `cli` -> a flag."""
    return APPLIED.get(how) or plain(how) or "nothing"


def plain(name: str | None) -> str:
    """Return a name of the closed lists in words: `no-rule-yet` -> no rule yet."""
    return REASONS.get(name or "", (name or "").replace("-", " ").replace("_", " "))


def severity_rank(name: str | None) -> int:
    """Return 0 for critical to 3 for a note, 4 for none."""
    return SEVERITIES.index(name) if name in SEVERITIES else len(SEVERITIES)


def verdict_rank(name: str) -> int:
    """Return the place of a verdict in a table that shows what failed first."""
    return _FAILED_FIRST.index(name) if name in _FAILED_FIRST else 0


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by state or verdict in the order in which they are always named."""
    known = [name for name in (*VERDICTS, *STATES) if name in counts]
    return {name: counts[name] for name in [*known, *sorted(set(counts) - set(known))]}


def _unknown(name: str) -> Word:
    return Word(word=plain(name) or "unknown", glyph="?", css="un")
