"""What findings from observations weigh and say: blatant above subtle, and never an accusation."""

from __future__ import annotations

from pathlib import Path

import pytest
from observed_support import evidence_beside

from repcheck import rules
from repcheck.claims.load import load
from repcheck.fact import Level
from repcheck.fairness import REQUIRED, TO_COME, fairness, name_of
from repcheck.judge import judge
from repcheck.rule import Judgement, Kind, Severity, State

ROOT = Path(__file__).parent / "rules"
RULES = rules.load()


def judged(fixture: str, code: str) -> list[Judgement]:
    path = ROOT / f"{fixture}.yaml"
    evidence = evidence_beside(path)
    return judge(evidence, [RULES[code]])


def finding(fixture: str, code: str) -> Judgement:
    [found] = [j for j in judged(fixture, code) if j.state is State.FLAGGED]
    return found


@pytest.mark.parametrize(
    ("fixture", "code", "severity", "kind"),
    [
        ("hyperparameters/lr_schedule_swap/bad_seen", "RC201", "major", "asymmetry"),
        ("hyperparameters/lr_schedule_swap/bad_seen_unfinished", "RC201", "major", "asymmetry"),
        ("hyperparameters/lr_schedule_swap/bad_seen_linear", "RC201", "minor", "asymmetry"),
        ("hyperparameters/lr_schedule_swap/good_seen_less_annealed", "RC201", "note", "asymmetry"),
        ("hyperparameters/schedule_unlike_declared/bad", "RC201b", "major", "mismatch"),
        ("hyperparameters/schedule_unlike_declared/bad_linear", "RC201b", "minor", "mismatch"),
        ("hyperparameters/lr_bias/bad_seen", "RC202", "major", "asymmetry"),
        ("hyperparameters/lr_bias/bad_seen_stated", "RC202", "minor", "asymmetry"),
        ("hyperparameters/lr_unlike_declared/bad", "RC202b", "major", "mismatch"),
        ("hyperparameters/lr_unlike_declared/bad_little", "RC202b", "minor", "mismatch"),
        ("hyperparameters/optimizer_knobs/bad_seen", "RC204", "major", "asymmetry"),
        ("hyperparameters/optimizer_knobs/bad_seen_types", "RC204", "minor", "asymmetry"),
        ("hyperparameters/optimizer_unlike_declared/bad", "RC204b", "major", "mismatch"),
        ("hyperparameters/optimizer_unlike_declared/bad_little", "RC204b", "minor", "mismatch"),
        ("hyperparameters/seed_picking/bad_fresh", "RC205", "major", "unsupported"),
        ("design/borrowed_pretraining/bad_seen", "RC406", "major", "omission"),
        ("design/borrowed_pretraining/bad_seen_stated", "RC406", "major", "asymmetry"),
        ("design/pretrained_unlike_declared/bad", "RC406b", "major", "mismatch"),
        ("design/fragile_training_recipe/bad", "RC407", "major", "omission"),
        ("design/fragile_training_recipe/bad_none", "RC407", "major", "mismatch"),
        ("design/fragile_training_recipe/bad_stated_and_seen", "RC407", "minor", "asymmetry"),
        ("evaluation/test_set_overfit/bad", "RC509", "critical", "omission"),
        ("evaluation/test_set_overfit/bad_more_than_stated", "RC509", "critical", "mismatch"),
        ("evaluation/test_set_overfit/bad_sample", "RC509", "critical", "omission"),
        ("evaluation/test_set_overfit/bad_selected", "RC509", "major", "omission"),
        ("evaluation/test_set_overfit/bad_selected_though_last", "RC509", "major", "mismatch"),
        ("evaluation/test_set_overfit/bad_baseline", "RC509", "minor", "omission"),
        ("evaluation/test_set_overfit/bad_one", "RC509", "minor", "omission"),
        ("evaluation/test_set_overfit/good_natural_duplicates", "RC509", "note", "omission"),
        ("recipe/part_of_the_test_set/bad", "RC813", "major", "mismatch"),
        ("recipe/part_of_the_test_set/bad_last_batch", "RC813", "minor", "mismatch"),
        ("recipe/unrepeatable_run/bad", "RC812", "major", "mismatch"),
        ("recipe/unrepeatable_run/bad_unseeded", "RC812", "minor", "unsupported"),
        ("recipe/unrepeatable_run/bad_does_not_fix", "RC812", "minor", "mismatch"),
        ("recipe/odd_first_loss/bad", "RC815", "note", "unsupported"),
        ("recipe/training_loss_stuck/bad", "RC820", "minor", "unsupported"),
        ("recipe/training_loss_stuck/good_noisy_target", "RC820", "note", "unsupported"),
        ("recipe/training_loss_stuck/good_small_model", "RC820", "note", "unsupported"),
        ("recipe/lr_decay_trap/bad", "RC828", "major", "asymmetry"),
    ],
)
def test_a_finding_weighs_what_its_page_says(
    fixture: str, code: str, severity: str, kind: str
) -> None:
    found = finding(fixture, code)
    assert (found.severity, found.kind) == (Severity(severity), Kind(kind))


def test_an_observed_finding_points_to_its_run_and_record() -> None:
    found = finding("evaluation/test_set_overfit/bad", "RC509")
    assert found.level is Level.OBSERVED
    assert all("probe/" in quantity.source for quantity in found.quantities)


def test_a_leak_that_was_seen_makes_a_claim_invalid() -> None:
    claim = load(ROOT / "evaluation/test_set_overfit/bad.yaml").claims[0]
    assert fairness(claim, judged("evaluation/test_set_overfit/bad", "RC509")).verdict == "invalid"


@pytest.mark.parametrize(
    ("fixture", "code"),
    [
        ("recipe/unrepeatable_run/unjudged", "RC812"),
        ("evaluation/test_set_overfit/unjudged_sample", "RC509"),
        ("design/borrowed_pretraining/unjudged_seen_teacher", "RC406"),
    ],
)
def test_what_was_not_seen_says_which_run_would_decide(fixture: str, code: str) -> None:
    opened = [j for j in judged(fixture, code) if j.state is State.UNDETERMINED]
    assert opened
    assert all(len(j.would_decide) > 20 for j in opened)


def test_a_required_check_has_a_name_whether_or_not_its_rule_exists() -> None:
    codes = {code for needed in REQUIRED.values() for code in needed}
    assert [code for code in codes if not name_of(code)] == []
    assert name_of("RC812") == "unrepeatable-run"
    assert name_of("RC300") == "other-differences"
    assert not {"RC812", "RC813", "RC828"} & set(TO_COME)
