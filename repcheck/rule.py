"""What a rule is: one question put to one subject, answered from facts.

The signature is the registration. The first parameter is the subject (`Claims`, `Method`,
`Dataset`, `Result`, `Claim` or `Comparison`), the next ones the facts the rule needs, by type, and
keyword-only parameters are its options (its thresholds)::

    @rule("RC103", Severity.MAJOR)
    def check(comparison: Comparison, work: Work, *, slack: float = 0.05) -> Outcome: ...

The rule's name and family are its file's and folder's; its documentation is the module docstring.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar, get_type_hints

from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claim, Claims, Dataset, Method, Result
from repcheck.errors import Reason
from repcheck.fact import Fact, Level, Quantity
from repcheck.where import NOWHERE, Where

HEADINGS = (
    "What it catches",
    "When it is legitimate",
    "How it is decided",
    "How to fix",
    "Source",
)


class Severity(StrEnum):
    """How much a finding weighs, lightest first."""

    NOTE = "note"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return the weight: 0 for a note, 3 for critical."""
        return list(Severity).index(self)

    def raised(self, by: int = 1) -> Severity:
        """Return the severity so many levels up (or down), within the scale."""
        return list(Severity)[max(0, min(3, self.rank + by))]


class Kind(StrEnum):
    """What a finding says. None of them says anything about intent."""

    MISMATCH = "mismatch"
    ASYMMETRY = "asymmetry"
    UNSUPPORTED = "unsupported"
    OMISSION = "omission"


class Part(StrEnum):
    """What a rule proves, and so what may clear it."""

    PROTOCOL = "protocol"
    EFFECT = "effect"
    FORENSIC = "forensic"
    HUMAN = "human"


class State(StrEnum):
    """A rule's answer for one subject. Not flagged is never printed as passed."""

    FLAGGED = "flagged"
    CLEARED = "cleared"
    UNDETERMINED = "undetermined"
    NOT_APPLICABLE = "not-applicable"
    ERROR = "error"


Seen = Quantity | tuple[Quantity, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """The check ran and excluded the trick: what was measured, and what it would have seen."""

    message: str
    seen: Seen
    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """The evidence meets the rule's threshold.

    `severity` replaces the rule's base where a rule grades its findings; `disclosed` says that the
    claims file gives a place in the paper where the authors say so themselves.
    """

    message: str
    kind: Kind
    seen: Seen
    at: Where = NOWHERE
    severity: Severity | None = None
    disclosed: bool = False
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undetermined:
    """The question applies but cannot be answered; `would_decide` is the exact thing that would."""

    message: str
    reason: Reason
    would_decide: str
    seen: Seen = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplicable:
    """The precondition is false; `message` names it."""

    message: str


Outcome = Cleared | Flagged | Undetermined | NotApplicable
Answer = Outcome | Sequence[Outcome]
Check = Callable[..., Answer]
C = TypeVar("C", bound=Check)


def _claims(claims: Claims) -> Sequence[Claims]:
    return (claims,)


SUBJECTS: Mapping[type, tuple[str, Callable[[Claims], Sequence[Any]]]] = {
    Claims: ("paper", _claims),
    Method: ("method", lambda claims: tuple(claims.methods.values())),
    Dataset: ("dataset", lambda claims: tuple(claims.datasets.values())),
    Result: ("result", lambda claims: claims.results),
    Claim: ("claim", lambda claims: claims.claims),
    Comparison: ("comparison", comparisons),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A check with all that is known of it."""

    code: str
    name: str
    family: str
    severity: Severity
    worst: Severity
    part: Part
    doc: str
    subject: type
    needs: Mapping[str, type[Fact]]
    options: Mapping[str, Any]
    check: Check
    factors: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return the first line of the documentation."""
        return self.doc.split("\n", 1)[0].rstrip(".")

    @property
    def trick(self) -> str:
        """Return the trick's number on the list of 43 (RC512 is 5.12), or nothing."""
        chapter, number = self.code[2], self.code[3:5]
        return f"{chapter}.{int(number)}" if chapter in "123456" else ""

    def section(self, heading: str) -> str:
        """Return the text under one `## heading` of the documentation."""
        _, _, rest = self.doc.partition(f"## {heading}\n")
        return rest.split("\n## ", 1)[0].strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A rule's answer for one subject, as report.json carries it."""

    rule: str
    name: str
    trick: str
    subject_kind: str
    subject_id: str
    state: State
    part: Part
    message: str
    kind: Kind | None = None
    severity: Severity | None = None
    level: Level | None = None
    quantities: tuple[Quantity, ...] = ()
    where: Where = NOWHERE
    reason: Reason | None = None
    would_decide: str = ""
    fix: str = ""
    limit: str = ""
    disclosed: bool = False
    claims: tuple[str, ...] = field(default=())

    @property
    def is_note(self) -> bool:
        """Whether it is context only: it neither shows a trick nor excludes it."""
        return self.state is State.FLAGGED and self.severity is Severity.NOTE


RULES: dict[str, Rule] = {}


def rule(
    code: str,
    severity: Severity,
    *,
    part: Part = Part.PROTOCOL,
    worst: Severity = Severity.MAJOR,
    factors: tuple[str, ...] = (),
) -> Callable[[C], C]:
    """Register a check under a code; its signature says what it needs.

    `severity` is the base, `worst` the cap that a mismatch with an explicit statement can reach.
    `factors` are the key paths whose arms answer for the rule's effect (of a Comparison alone).
    """

    def register(check: C) -> C:
        cap = max(severity, worst, key=lambda s: s.rank)
        made = replace(_describe(code, check, severity, cap, part), factors=factors)
        if code in RULES and RULES[code].check.__module__ != check.__module__:
            raise ValueError(f"{code}: both {RULES[code].name} and {made.name}")
        RULES[code] = made
        return check

    return register


def _describe(code: str, check: Check, severity: Severity, worst: Severity, part: Part) -> Rule:
    module = sys.modules[check.__module__]
    family, name = module.__name__.split(".")[-2:]
    hints = get_type_hints(check)
    subject, *rest = inspect.signature(check).parameters.values()
    if hints[subject.name] not in SUBJECTS:
        raise TypeError(f"{code}: no rule can be asked about {subject}")
    needs = {p.name: hints[p.name] for p in rest if p.kind is not p.KEYWORD_ONLY}
    for need, kind in needs.items():
        if not (isinstance(kind, type) and issubclass(kind, Fact)):
            raise TypeError(f"{code}: {need}: {kind} is no kind of fact")
    return Rule(
        code=code,
        name=name.replace("_", "-"),
        family=family,
        severity=severity,
        worst=worst,
        part=part,
        doc=inspect.cleandoc(module.__doc__ or ""),
        subject=hints[subject.name],
        needs=needs,
        options={p.name: p.default for p in rest if p.kind is p.KEYWORD_ONLY},
        check=check,
    )
