"""The 43 tricks: a page each, the one source of what `explain`, the README and the report say."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from repcheck import rules
from repcheck.claims.load import parse
from repcheck.errors import UsageError
from repcheck.fact import Level
from repcheck.report_tricks import standing, tricks
from repcheck.rule import Judgement, Part, Severity, State
from repcheck.rules_page import explained
from repcheck.tricks import GROUPS, HEADINGS, TRICKS, Trick, read
from tests.readme_tables import README, renewed

FOLDER = Path(__file__).parent.parent / "repcheck" / "tricks"
KNOWN = rules.load()
CODE = re.compile(r"RC\d{3}[a-z]?")
BY_NUMBER = {trick.number: trick for trick in TRICKS}
each = pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.number)


def text(trick: Trick) -> str:
    return (FOLDER / trick.file).read_text(encoding="utf-8")


def test_each_of_the_43_has_a_page_and_no_page_is_of_none() -> None:
    assert Counter(trick.number[0] for trick in TRICKS) == dict(
        zip("123456", (9, 5, 6, 8, 12, 3), strict=True)
    )
    for chapter in GROUPS:
        places = [int(t.number[2:]) for t in TRICKS if t.number[0] == chapter]
        assert places == list(range(1, len(places) + 1))
    assert {path.name for path in FOLDER.glob("*.md")} == {trick.file for trick in TRICKS}
    assert len({trick.slug for trick in TRICKS}) == len({trick.asks for trick in TRICKS}) == 43


@each
def test_a_page_is_whole_short_and_asks_questions(trick: Trick) -> None:
    assert tuple(trick.sections) == HEADINGS
    lines = text(trick).splitlines()
    assert 25 <= len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert trick.asks.endswith("?")
    assert trick.questions
    assert all(question.endswith("?") for question in trick.questions)
    decided = trick.sections["How it is decided"].splitlines()
    rungs = [line.split(":")[0] for line in decided if line.startswith("- ")]
    assert any(rung.startswith("- Not decided") for rung in rungs), rungs
    assert len(rungs) >= 3


@each
def test_a_page_names_the_rules_of_its_trick_and_none_that_is_not_there(trick: Trick) -> None:
    own = {rule.code for rule in KNOWN.values() if rule.trick == trick.number}
    assert own, f"{trick.number} {trick.slug} has no rule"
    named = set(CODE.findall(text(trick)))
    assert named <= set(KNOWN), named - set(KNOWN)
    assert own <= named, own - named


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("## How to fix\n", "## How to mend it\n", "expected these headings"),
        ("## False positives\n", "## Rare ones\n\n## False positives\n", "expected these headings"),
        ("> Same number", "Same number", "expected `# 1.3 name`"),
        ("# 1.3 repeated-samples", "# 1.4 repeated-samples", "should be 1_4_repeated_samples.md"),
    ],
)
def test_a_page_that_is_not_built_as_it_should_be_is_refused(
    was: str, becomes: str, why: str, tmp_path: Path
) -> None:
    page = tmp_path / BY_NUMBER["1.3"].file
    page.write_text(text(BY_NUMBER["1.3"]).replace(was, becomes, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(why)):
        read(page)


def test_a_heading_without_a_text_is_refused(tmp_path: Path) -> None:
    page = tmp_path / BY_NUMBER["1.3"].file
    empty = re.sub(r"(## How to fix\n).+?\n\n", r"\1\n", text(BY_NUMBER["1.3"]), flags=re.DOTALL)
    page.write_text(empty, encoding="utf-8")
    with pytest.raises(ValueError, match="none of them empty"):
        read(page)


@each
def test_explain_takes_the_number_and_the_name_of_a_trick(trick: Trick) -> None:
    page = explained(trick.number)
    assert page.startswith(f"# Trick {trick.number} {trick.slug}")
    assert explained(f"T{trick.number}") == page
    assert explained(trick.slug.upper().replace("-", "_")).startswith(page)
    for heading in HEADINGS:
        assert f"## {heading}\n{trick.sections[heading]}\n" in page
    for rule in KNOWN.values():
        assert (rule.trick == trick.number) == (f"\n{rule.code} {rule.name} " in page)


def test_a_name_that_a_trick_shares_with_a_rule_shows_the_trick_and_then_the_rule() -> None:
    trick, _, rule = explained("repeated-samples").partition(f"\n{'-' * 78}\n\n")
    assert trick == explained("1.3")
    assert rule == explained("RC103")
    assert "One of the rules on trick 1.3 repeated-samples: `repcheck explain 1.3`." in rule
    assert explained("rc103B").startswith("# RC103b repeats-unlike-declared")
    for of_none in ("RC901", "RC300"):
        assert "trick" not in explained(of_none).split("##")[0]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("1.33", "1.3"),
        ("rc103z", "RC103"),
        ("Repeated_Sampels", "repeated-samples"),
        ("sabotage-protocol", "sabotaged-protocol"),
    ],
)
def test_a_near_miss_is_told_the_nearest(word: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"no rule or trick '{word}'; did you mean {near}"):
        explained(word)


def test_explaining_a_trick_imports_nothing_heavy() -> None:
    code = (
        "import sys; from repcheck.rules_page import explained, tricks_listed; explained('1.3');"
        "tricks_listed('markdown');"
        "heavy = ('torch', 'pandas', 'numpy', 'scipy', 'jinja2', 'rich');"
        "print([name for name in heavy if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_readme_tables_are_those_that_pages_and_rules_make() -> None:
    readme = README.read_text(encoding="utf-8")
    assert renewed(readme) == readme, "renew them: python -m tests.readme_tables"
    for trick in TRICKS:
        assert f"| {trick.number} | [{trick.slug}](repcheck/tricks/{trick.file}) | " in readme


# --- how a trick stands -------------------------------------------------------------------------


def said(
    state: State, part: Part = Part.PROTOCOL, rule: str = "RC102", **more: object
) -> Judgement:
    made = Judgement(
        rule=rule,
        name="hidden-epochs",
        trick="1.2",
        subject_kind="comparison",
        subject_id="ours-vs-base",
        state=state,
        part=part,
        message="said",
        severity=Severity.MAJOR if state is State.FLAGGED else None,
        level=Level.OBSERVED,
        claims=("C1",),
    )
    return replace(made, **more)  # type: ignore[arg-type]


CLAIMS = parse(
    """
repcheck: 1
methods: {ours: {role: proposed}, base: {role: baseline}}
metrics: {accuracy: {higher_is_better: true}}
claims:
  - {id: C1, text: "It is better.", method: ours, baselines: [base], metric: accuracy}
  - {id: C2, text: "It is better still.", method: ours, baselines: [base], metric: accuracy}
  - {id: C3, text: "It has 93.", method: ours, metric: accuracy, value: 93.0}
""",
    "c.yaml",
).claims
SEEN, CLEAR = said(State.FLAGGED), said(State.CLEARED)
OPEN = said(State.UNDETERMINED)
GONE, SURVIVES = said(State.FLAGGED, Part.EFFECT), said(State.CLEARED, Part.EFFECT)
UNDECIDED = said(State.UNDETERMINED, Part.EFFECT)
NOTE = said(State.FLAGGED, severity=Severity.NOTE)
OF_C2 = said(State.FLAGGED, claims=("C1", "C2"))
OF_METHOD = said(State.FLAGGED, rule="RC102b", subject_kind="method", subject_id="ours", claims=())
BOTH = said(State.CLEARED, Part.EFFECT, claims=("C2",))


@pytest.mark.parametrize(
    ("judgements", "stands"),
    [
        ((SEEN, GONE), "explains the gain"),
        ((SEEN, GONE, SURVIVES, OPEN), "explains the gain"),
        ((SEEN, SURVIVES), "present, harmless"),
        ((OF_METHOD, SURVIVES, BOTH), "present, harmless"),
        ((OF_METHOD, SURVIVES), "present, effect unknown"),
        ((OF_C2, SURVIVES), "present, effect unknown"),
        ((SEEN, SURVIVES, UNDECIDED), "present, effect unknown"),
        ((SEEN, UNDECIDED), "present, effect unknown"),
        ((SEEN,), "present, effect unknown"),
        ((OF_METHOD,), "present, effect unknown"),
        ((CLEAR,), "absent"),
        ((CLEAR, NOTE, said(State.NOT_APPLICABLE)), "absent"),
        ((CLEAR, OPEN), None),
        ((CLEAR, said(State.ERROR)), None),
        ((CLEAR, UNDECIDED), None),
        ((CLEAR, said(State.UNDETERMINED, Part.HUMAN)), None),
        ((said(State.CLEARED, level=Level.STATIC),), None),
        ((said(State.CLEARED, Part.FORENSIC),), None),
        ((SURVIVES,), None),
        ((OPEN,), None),
        ((NOTE,), None),
        ((), None),
    ],
)
def test_a_trick_stands_by_its_protocol_and_its_effect_together(
    judgements: tuple[Judgement, ...], stands: str | None
) -> None:
    assert standing(judgements, KNOWN, CLAIMS) == stands


def test_what_a_part_is_worth_explains_no_gain() -> None:
    inert = said(State.FLAGGED, Part.EFFECT, rule="RC401", trick="4.1")
    assert standing([inert], KNOWN, CLAIMS) is None
    needed = said(State.FLAGGED, Part.EFFECT, rule="RC203b", trick="2.3")
    assert standing([needed], KNOWN, CLAIMS) == "explains the gain"


def test_the_report_holds_every_page_and_how_each_trick_stands() -> None:
    found = tricks([SEEN, GONE, said(State.CLEARED, rule="RC102b")], KNOWN, CLAIMS)
    assert [one["trick"] for one in found] == [trick.number for trick in TRICKS]
    for one in found:
        trick = BY_NUMBER[one["trick"]]
        assert (one["says"], one["asks"]) == (trick.says, trick.asks)
        assert one["page"]["what"] == trick.sections["What it is"]
        assert one["page"]["questions"] == list(trick.questions)
    hidden = next(one for one in found if one["trick"] == "1.2")
    assert (hidden["state"], hidden["standing"], hidden["by"]) == (
        "flagged", "explains the gain", "RC102",
    )  # fmt: skip
    assert {one["standing"] for one in found} == {"explains the gain", None}
