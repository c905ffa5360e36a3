"""The judge: severities, states and broken rules, with rules made for the purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from repcheck.claims.model import Claims, Method
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.judge import judge, level_of
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    Part,
    Rule,
    Severity,
    State,
)
from repcheck.where import Where

OBSERVED = Quantity(name="repeats", value=3.0, level=Level.OBSERVED)
DECLARED = Quantity(name="epochs", value=10, level=Level.DECLARED)
CLAIMS = Claims(methods={"ours": Method(id="ours", place=Where("c.yaml", 3, 1, "methods.ours"))})


def made(check: object, *, part: Part = Part.PROTOCOL, base: Severity = Severity.MAJOR) -> Rule:
    return Rule(
        code="RC103",
        name="repeated-samples",
        family="compute",
        severity=base,
        worst=Severity.MAJOR,
        part=part,
        doc="Title.\n\n## How to fix\nReport\nit.\n",
        subject=Method,
        needs={},
        options={},
        check=check,  # type: ignore[arg-type]
    )


def ask(check: object, **how: object) -> list:
    return judge(Evidence(claims=CLAIMS), [made(check, **how)])  # type: ignore[arg-type]


def flag(kind: Kind, *seen: Quantity, severity: Severity | None = None) -> Answer:
    return Flagged(message="seen", kind=kind, seen=seen, severity=severity)


def test_a_declared_quantity_alone_never_clears_a_protocol_rule() -> None:
    cleared = Cleared(message="1.00 draws", seen=(OBSERVED, DECLARED), limit="1.05")
    [found] = ask(lambda method: cleared)
    assert (found.state, found.reason) == (State.UNDETERMINED, Reason.NOT_OBSERVED)
    assert found.message == "consistent as declared: 1.00 draws"


def test_a_clearance_that_measured_nothing_is_none() -> None:
    [found] = ask(lambda method: Cleared(message="nothing read", seen=(), limit="a file"))
    assert (found.state, found.reason) == (State.UNDETERMINED, Reason.NOT_OBSERVED)
    assert "nothing was measured" in found.message


def test_an_observed_quantity_clears_and_says_what_it_would_have_seen() -> None:
    [found] = ask(lambda method: Cleared(message="1.00", seen=OBSERVED, limit="would see 1.05"))
    assert (found.state, found.level, found.limit) == (
        State.CLEARED,
        Level.OBSERVED,
        "would see 1.05",
    )


def test_exact_arithmetic_on_declared_numbers_may_clear_a_forensic_rule() -> None:
    forensic = replace(DECLARED, level=Level.FORENSIC)
    [found] = ask(
        lambda method: Cleared(message="sums", seen=forensic, limit="half a digit"),
        part=Part.FORENSIC,
    )
    assert found.state is State.CLEARED


@pytest.mark.parametrize(
    ("kind", "base", "level", "settled"),
    [
        (Kind.ASYMMETRY, Severity.MINOR, Level.DECLARED, Severity.MINOR),
        (Kind.MISMATCH, Severity.MINOR, Level.DECLARED, Severity.MAJOR),
        (Kind.MISMATCH, Severity.MAJOR, Level.OBSERVED, Severity.MAJOR),
        (Kind.ASYMMETRY, Severity.MAJOR, Level.STATIC, Severity.MINOR),
    ],
)
def test_severity_rises_for_a_mismatch_up_to_the_rules_worst_and_static_stays_minor(
    kind: Kind, base: Severity, level: Level, settled: Severity
) -> None:
    seen = replace(DECLARED, level=level)
    [found] = ask(lambda method: flag(kind, seen), base=base)
    assert found.severity is settled


def test_a_finding_without_a_place_stands_where_its_subject_stands() -> None:
    [found] = ask(lambda method: flag(Kind.ASYMMETRY, DECLARED))
    assert (found.where.line, found.subject_id, found.fix) == (3, "ours", "Report it.")


def test_a_missing_fact_is_undetermined_with_what_would_decide_it() -> None:
    def check(method: Method) -> Answer:
        raise Missing(Reason.UNDECLARED_KEY, "declare `methods.ours.train.epochs`")

    [found] = ask(check)
    assert (found.state, found.reason) == (State.UNDETERMINED, Reason.UNDECLARED_KEY)
    assert found.would_decide == "declare `methods.ours.train.epochs`"


def test_a_false_precondition_is_not_applicable_and_named() -> None:
    def check(method: Method) -> Answer:
        raise Inapplicable("no prompts: not a language model")

    [found] = ask(check)
    assert (found.state, found.message) == (
        State.NOT_APPLICABLE,
        "no prompts: not a language model",
    )


def test_a_rule_that_breaks_is_an_error_and_never_stops_the_next_one() -> None:
    broken = made(lambda method: 1 / 0)
    sound = made(lambda method: flag(Kind.ASYMMETRY, DECLARED))
    states = [found.state for found in judge(Evidence(claims=CLAIMS), [broken, sound])]
    assert states == [State.ERROR, State.FLAGGED]


def test_a_rule_without_a_subject_is_not_applicable() -> None:
    [found] = judge(Evidence(claims=Claims()), [made(lambda method: 1 / 0)])
    assert (found.state, found.message) == (
        State.NOT_APPLICABLE,
        "the claims file has no method",
    )


def test_the_level_of_a_judgement_is_the_lowest_of_its_quantities() -> None:
    assert level_of([OBSERVED, DECLARED]) is Level.DECLARED
    assert level_of([]) is None


def test_a_fact_that_nobody_has_is_missing_each_time_it_is_asked_for() -> None:
    class Nothing(Fact):
        label = "nothing"
        drawn = 0

        @classmethod
        def draw(cls, evidence: Evidence) -> Nothing:
            cls.drawn += 1
            raise Missing(Reason.NOT_OBSERVED, "a rerun")

    evidence = Evidence(claims=CLAIMS)
    for _ in range(2):
        with pytest.raises(Missing, match="a rerun"):
            evidence.get(Nothing)
    assert Nothing.drawn == 1
