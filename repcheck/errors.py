"""What can go wrong, by whom it concerns.

::

    Exception
    |-- RepcheckError          something the user can mend: shown as written, no traceback
    |   |-- ClaimsError        the claims file, with every problem and its place (exit 4)
    |   `-- UsageError         the command line or the folder it names (exit 2)
    |-- Missing                a fact nobody has: the judge makes it `undetermined`
    `-- Inapplicable           the question has no object here: `not-applicable`
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why something is undetermined. The list is closed: a report never invents another."""

    UNDECLARED_KEY = "undeclared-key"
    NO_COMMAND = "no-command"
    COMMAND_FAILED = "command-failed"
    ENVIRONMENT = "environment"
    NO_PLACEHOLDER = "no-placeholder"
    INVALID_ARM = "invalid-arm"
    UNDERPOWERED = "underpowered"
    BUDGET_EXHAUSTED = "budget-exhausted"
    NOT_TRANSFERABLE = "not-transferable"
    NEEDS_HUMAN = "needs-human"
    CONFLICTING_EVIDENCE = "conflicting-evidence"
    NO_RULE_YET = "no-rule-yet"
    NOT_OBSERVED = "not-observed"
    NOT_TESTABLE = "not-testable"


class RepcheckError(Exception):
    """Something the user can mend; the message says what, where and how."""

    exit_code = 2


class UsageError(RepcheckError):
    """A command line or a folder that cannot be used."""


class Missing(Exception):
    """A fact that cannot be had, and the exact thing that would supply it."""

    def __init__(self, reason: Reason, would_decide: str) -> None:
        super().__init__(f"{reason.value}: {would_decide}")
        self.reason = reason
        self.would_decide = would_decide


class Inapplicable(Exception):
    """A question without an object; the message names the precondition that is false."""
