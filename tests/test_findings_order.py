"""Findings in the order of what they do: those that change a conclusion before all others."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from repcheck import rules
from repcheck.claims.load import parse
from repcheck.fact import Evidence, Level
from repcheck.fairness import Fairness
from repcheck.report_findings import Bears
from repcheck.reporter import named
from repcheck.reporters.parts import findings, words
from repcheck.reproduction import Reproduction
from repcheck.rule import Judgement, Part, Severity, State
from repcheck.verdict import ClaimVerdict, conclude
from tests.sample_report import judgement, sample
from tests.test_report_html import Page, page

KNOWN = rules.load()
CLAIMS = parse(
    """
repcheck: 1
methods:
  ours: {role: proposed}
  base: {role: baseline}
metrics: {accuracy: {higher_is_better: true}}
claims:
  - {id: C1, text: "It is better.", method: ours, baselines: [base], metric: accuracy}
  - {id: C2, text: "It is new.", method: ours, metric: accuracy}
""",
    "c.yaml",
)


def verdicts(fairness: str, reproduction: str = "not-run") -> tuple[ClaimVerdict, ...]:
    """Verdicts of which the first has these words."""
    first, second = conclude(Evidence(claims=CLAIMS), ()).verdicts
    again: Reproduction = replace(first.reproduction, verdict=reproduction)
    return replace(first, fairness=Fairness(verdict=fairness), reproduction=again), second


def flagged(rule: str, part: Part = Part.PROTOCOL, **more: object) -> Judgement:
    made = Judgement(
        rule=rule,
        name=KNOWN[rule].name,
        trick=KNOWN[rule].trick,
        subject_kind="comparison",
        subject_id="ours-vs-base",
        state=State.FLAGGED,
        part=part,
        message="seen",
        severity=Severity.MAJOR,
        level=Level.RERUN if part is Part.EFFECT else Level.OBSERVED,
        claims=("C1",),
    )
    return replace(made, **more)  # type: ignore[arg-type]


LONGER, GONE = flagged("RC102"), flagged("RC102", Part.EFFECT)
BATCH = flagged("RC101")


def bears(one: Judgement, *others: Judgement, by: tuple[ClaimVerdict, ...]) -> str | None:
    return Bears((one, *others), KNOWN, by).of(one)


def test_an_arm_that_changes_the_verdict_bears_on_the_conclusion_and_so_does_its_factor() -> None:
    for word in ("explained", "partly-explained"):
        assert bears(GONE, LONGER, by=verdicts(word)) == "conclusion"
        assert bears(LONGER, GONE, by=verdicts(word)) == "conclusion"
        assert bears(BATCH, LONGER, GONE, by=verdicts(word)) == "disclosure"
        other = replace(LONGER, subject_id="ours-vs-other")
        assert bears(other, GONE, by=verdicts(word)) == "disclosure"


def test_an_arm_that_changes_no_verdict_has_to_be_disclosed() -> None:
    assert bears(GONE, LONGER, by=verdicts("insufficiently-checked")) == "disclosure"
    of_c2 = replace(GONE, claims=("C2",))
    assert bears(of_c2, by=verdicts("explained")) == "disclosure"


def test_an_asymmetry_whose_effect_nobody_measured_has_to_be_disclosed() -> None:
    assert bears(LONGER, by=verdicts("asymmetric")) == "disclosure"


def test_what_is_critical_bears_on_the_conclusion_whatever_the_claim() -> None:
    leak = flagged("RC509", severity=Severity.CRITICAL, claims=(), subject_kind="dataset")
    assert bears(leak, by=verdicts("insufficiently-checked")) == "conclusion"


def test_a_credited_part_that_adds_nothing_bears_on_the_conclusion() -> None:
    plain = verdicts("insufficiently-checked")
    credited = flagged("RC401", Part.EFFECT)
    assert bears(credited, by=plain) == "conclusion"
    assert bears(replace(credited, severity=Severity.MINOR), by=plain) == "disclosure"
    assert bears(flagged("RC203b", Part.EFFECT), by=plain) == "conclusion"
    told = flagged("RC405", Part.EFFECT, level=Level.DECLARED)
    assert bears(told, by=plain) == "disclosure"
    # Another arm explains the claim: a part that adds nothing is not what explains it.
    minor = replace(credited, severity=Severity.MINOR)
    assert bears(minor, GONE, by=verdicts("explained")) == "disclosure"


def test_chosen_seeds_bear_on_the_conclusion_where_the_claim_does_not_come_out_again() -> None:
    chosen = flagged("RC205", subject_kind="method", subject_id="ours", claims=())
    fair = "insufficiently-checked"
    assert bears(chosen, by=verdicts(fair, "not-reproduced")) == "conclusion"
    assert bears(chosen, by=verdicts(fair, "reproduced")) == "disclosure"
    lesser = replace(chosen, severity=Severity.MINOR)
    assert bears(lesser, by=verdicts(fair, "not-reproduced")) == "disclosure"
    assert bears(LONGER, by=verdicts(fair, "not-reproduced")) == "disclosure"


@pytest.mark.parametrize("state", [State.CLEARED, State.UNDETERMINED, State.ERROR])
def test_what_is_no_finding_bears_on_nothing(state: State) -> None:
    other = replace(LONGER, state=state, severity=None)
    assert bears(other, GONE, by=verdicts("explained")) is None
    note = replace(LONGER, severity=Severity.NOTE)
    assert bears(note, GONE, by=verdicts("explained")) is None


def mixed() -> dict[str, object]:
    """A report whose second finding of the file changes a conclusion, and whose first does not."""
    report = sample()
    by_rule = {one["rule"]: one for one in report["judgements"]}
    by_rule["RC102"]["bears"], by_rule["RC901"]["bears"] = "disclosure", "conclusion"
    return report


@pytest.mark.parametrize("name", ["terminal", "concise", "markdown", "github"])
def test_every_text_names_what_changes_a_conclusion_first(name: str) -> None:
    said = named(name).render(mixed()).split("### Flagged")[-1]
    places = [said.index(code) for code in ("RC901", "RC102 ", "RC205", "RC406")]
    assert places == sorted(places)
    if name in {"terminal", "markdown"}:
        heads = [said.index(words.BEARS[one].word.capitalize()) for one in words.BEARS]
        assert [max(h for h in heads if h < place) for place in places] == heads


def test_the_page_has_a_heading_for_each_and_says_the_rule_in_words() -> None:
    shown: Page = page(mixed())
    part = shown.html.split('<h3 id="flagged">')[1].split('<h3 id="undetermined">')[0]
    heads = (">Changes a conclusion<", 'id="RC901"', ">Must be disclosed<", 'id="RC102"')
    order = [part.index(at) for at in heads]
    assert order == sorted(order)
    assert words.BEARS_WHY in shown.text
    report = sample()
    for one in report["judgements"]:
        one["bears"] = None
        one["severity"] = "note" if one["state"] == "flagged" else one["severity"]
    assert "That is not a pass" in page(report).text


def test_a_report_of_an_earlier_version_shows_its_findings_as_to_be_disclosed() -> None:
    old = judgement("RC102", "hidden-epochs", "flagged", severity="major")
    del old["bears"]
    assert words.bears_of(old) == "disclosure"
    assert words.bears_of({**old, "bears": "nobody-knows"}) == "disclosure"
    report = sample()
    report["judgements"] = [old]
    assert [name for name, _ in findings.grouped(report)] == ["disclosure"]


def test_each_cell_of_the_grid_leads_to_its_page_and_its_state_to_what_was_found() -> None:
    shown = page()
    grid = shown.html.split('<div class="chapters">')[1].split("</div>")[0]
    cell = re.search(r'<li class="bad"[^>]*>(<a href="#trick-1\.2">.*?)</li>', grid)
    assert cell
    assert '<a class="st" href="#RC102">' in cell[1]
    assert "explains the gain" in cell[1]
    told = shown.html.split('id="trick-1.2"')[1].split("</details>")[0]
    for part in ("Is hidden-epochs excluded?", "What it is, in <code>a sentence</code>.",
                 "<ol><li>Is it what the paper offers?</li><li>Was it tuned?</li></ol>",
                 '<a href="#RC102">RC102</a>', "repcheck explain 1.2"):  # fmt: skip
        assert part in told
    folded = [tags for _, attrs, tags in shown.tags if str(attrs.get("id")).startswith("trick-")]
    assert len(folded) == 43
    assert all(tags.count("details") == 2 for tags in folded)
