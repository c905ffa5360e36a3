"""Every rule against its fixtures, which are found and never listed.

A fixture is a claims file under `tests/rules/<family>/<rule>/`:

* `bad*.yaml` gives exactly the findings that stand as comments on the lines they are about:
  `epochs: 30  # RC102: 3.00` (the text is a part of the message; several may stand on a line);
* `good*.yaml` is clean (nothing at minor or above) under every rule, and answered by its own; a
  comment there expects a note;
* `unjudged*.yaml` is undetermined: never flagged, never cleared.

Beside each there may be what a probe saw of the runs, in `bad.observed.yaml` (`observed_support`
tells its form). A good fixture with one is cleared by its own rule, or the rule does not apply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from observed_support import evidence_beside, observed_beside

from repcheck import rules
from repcheck.errors import Reason
from repcheck.fact import Level
from repcheck.judge import judge
from repcheck.rule import HEADINGS, Judgement, Rule, Severity, State
from repcheck.rules_page import explained

ROOT = Path(__file__).parent / "rules"
FAMILIES = {
    "1": "compute",
    "2": "hyperparameters",
    "3": "modifications",
    "4": "design",
    "5": "evaluation",
    "6": "ultimate",
    "7": "data",
    "8": "recipe",
    "9": "statistics",
}
RULES = rules.load()
BY_FOLDER = {(rule.family, rule.name.replace("-", "_")): rule for rule in RULES.values()}
EXPECTED = re.compile(r"# (RC\d{3}[a-z]?): ([^#\n]*)")


def fixtures(kind: str) -> list[Path]:
    found = ROOT.glob(f"*/*/{kind}*.yaml")
    return sorted(path for path in found if not path.name.endswith(".observed.yaml"))


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rule_of(path: Path) -> Rule:
    return BY_FOLDER[path.parent.parent.name, path.parent.name]


@cache
def judged(path: Path) -> tuple[Judgement, ...]:
    evidence = evidence_beside(path)
    return tuple(judge(evidence, RULES.values()))


def broken(judgements: Sequence[Judgement]) -> list[str]:
    return [f"{j.rule}: {j.would_decide}" for j in judgements if j.state is State.ERROR]


def weighs(judgement: Judgement) -> bool:
    """Whether a finding is at minor or above."""
    found = judgement.state is State.FLAGGED and judgement.severity is not None
    return found and judgement.severity.rank >= Severity.MINOR.rank


def spoken(judgements: Sequence[Judgement]) -> list[str]:
    return [f"{j.where.line}: {j.rule} [{j.severity}] {j.message}" for j in judgements]


def expected_of(path: Path) -> list[tuple[int, str, str]]:
    """Return (line, code, part of the message) of every comment of a bad fixture."""
    return [
        (number, code, part.strip())
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for code, part in EXPECTED.findall(line)
    ]


@pytest.mark.parametrize("path", fixtures("bad"), ids=short)
def test_a_bad_fixture_gives_exactly_the_findings_written_beside_its_lines(path: Path) -> None:
    code = rule_of(path).code
    expected = expected_of(path)
    assert any(of == code for _, of, _ in expected), f"no comment `# {code}: ...` in {path}"
    judgements = judged(path)
    assert not broken(judgements)
    named = {(line, of) for line, of, _ in expected}
    found = [
        j
        for j in judgements
        if j.state is State.FLAGGED
        and (weighs(j) or j.rule == code or (j.where.line, j.rule) in named)
    ]
    left = list(found)
    missed = []
    for line, of, part in expected:
        hits = (j for j in left if (j.where.line, j.rule) == (line, of) and part in j.message)
        hit = next(hits, None)
        if hit is None:
            missed.append(f"{line}: {of}: {part}")
        else:
            left.remove(hit)
    assert not missed, f"not found: {missed}; found: {spoken(found)}"
    assert not left, f"found but not expected: {spoken(left)}"


@pytest.mark.parametrize("path", fixtures("good"), ids=short)
def test_a_good_fixture_is_clean_under_every_rule(path: Path) -> None:
    judgements = judged(path)
    assert not broken(judgements)
    assert not spoken([j for j in judgements if weighs(j)])
    notes = [j for j in judgements if j.state is State.FLAGGED]
    for line, code, part in expected_of(path):
        fitting = [j for j in notes if (j.where.line, j.rule) == (line, code) and part in j.message]
        assert fitting, f"{line}: {code}: {part} is not among {spoken(notes)}"


@pytest.mark.parametrize("path", fixtures("good"), ids=short)
def test_a_good_fixture_says_enough_for_its_own_rule_to_answer(path: Path) -> None:
    own = [j for j in judged(path) if j.rule == rule_of(path).code]
    answers = [j for j in own if j.reason is not Reason.UNDECLARED_KEY]
    assert answers, [f"{j.state}: {j.message}" for j in own]


PROBED = [path for path in fixtures("good") if observed_beside(path).exists()]


@pytest.mark.parametrize("path", PROBED, ids=short)
def test_a_good_fixture_that_a_probe_saw_is_cleared_by_its_own_rule(path: Path) -> None:
    own = [j for j in judged(path) if j.rule == rule_of(path).code]
    cleared = [j for j in own if j.state is State.CLEARED]
    exempt = own and all(j.state is State.NOT_APPLICABLE for j in own)
    assert cleared or exempt, [f"{j.state}: {j.message}" for j in own]
    assert all(j.limit and j.level is not Level.DECLARED for j in cleared)


def test_explain_shows_what_the_probe_saw_below_the_claims() -> None:
    page = explained("RC102b")
    assert "## Example: flagged, what the probe saw\n    ours:\n" in page
    assert "## Example: not flagged, what the probe saw" in page
    assert "## Example: cleared after a run, what the probe saw" in explained("RC102")


def test_every_observation_stands_beside_a_claims_file() -> None:
    for path in ROOT.glob("*/*/*.observed.yaml"):
        claims = path.with_name(path.name.replace(".observed.yaml", ".yaml"))
        assert claims.exists(), f"no {claims.name} beside {path}"


@pytest.mark.parametrize("path", fixtures("unjudged"), ids=short)
def test_an_unjudged_fixture_is_undetermined_and_says_what_would_decide(path: Path) -> None:
    judgements = judged(path)
    assert not broken(judgements)
    own = [j for j in judgements if j.rule == rule_of(path).code]
    open_ones = [j for j in own if j.state is State.UNDETERMINED]
    assert open_ones, [f"{j.state}: {j.message}" for j in own]
    assert all(j.would_decide for j in open_ones)
    assert not [j for j in own if j.state in {State.FLAGGED, State.CLEARED}]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_every_rule_explains_itself_under_all_headings(rule: Rule) -> None:
    assert rule.title, "the first line of the docstring names the failing state"
    assert [h for h in HEADINGS if not rule.section(h)] == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_every_rule_has_bad_good_and_unjudged_fixtures(rule: Rule) -> None:
    folder = ROOT / rule.family / rule.name.replace("-", "_")
    assert (folder / "bad.yaml").exists(), "the example that `explain` shows as flagged"
    assert (folder / "good.yaml").exists(), "the example that `explain` shows as not flagged"
    assert list(folder.glob("unjudged*.yaml")), folder


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_every_code_belongs_to_its_family(rule: Rule) -> None:
    assert re.fullmatch(r"RC\d{3}[a-z]?", rule.code)
    assert FAMILIES[rule.code[2]] == rule.family


def test_every_fixture_folder_belongs_to_a_rule() -> None:
    folders = {(p.parent.parent.name, p.parent.name) for p in ROOT.glob("*/*/*.yaml")}
    assert folders <= set(BY_FOLDER)
