"""How wide a gain is in the hyperparameters, and what it is worth at equally many trials."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cli_support import paper, repcheck
from observed_support import runs_of

from repcheck import rules
from repcheck.arms import Arm, NoArm
from repcheck.claims.comparison import comparisons
from repcheck.claims.load import load, parse
from repcheck.counterfactuals import wanted
from repcheck.errors import Missing, Reason
from repcheck.fact import Evidence
from repcheck.facts.effects import Effects
from repcheck.facts.sensitivity import Sensitivity, Sweep
from repcheck.facts.trials import Trials, Tuned
from repcheck.judge import judge
from repcheck.report_splits import sweeps
from repcheck.report_splits import tuned as tuned_of
from repcheck.reporter import named
from repcheck.rule import Judgement, Severity, State
from repcheck.runs import Run
from repcheck.sweep import points
from tests.sample_report import sample

TEXT = """
repcheck: 1
artifact: {root: .}
datasets: {d: {train: {size: 400}, test: {size: 1000}, labels: {classes: 10}}}
defaults:
  dataset: d
  optimizer: {type: SGD, lr: 0.1, weight_decay: 0.001}
  train: {epochs: 10, batch_size: 32}
  tuning: {sweep: [lr, batch_size, weight_decay]}
methods:
  ours: {role: proposed, components: [block], train: {command: "python t.py ours --lr {lr} --batch {batch_size} --seed {seed} --out {out}"}}
  base: {role: baseline, train: {command: "python t.py base --lr {lr} --batch {batch_size} --seed {seed} --out {out}"}}
overrides: {weight_decay: "--wd {value}"}
metrics: {acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}}
results:
  - {method: ours, metric: acc, mean: 93.0, std: 0.5, std_kind: sample, n: 5}
  - {method: base, metric: acc, mean: 88.0, std: 0.5, std_kind: sample, n: 5}
claims:
  - {id: C1, type: improvement, method: ours, baselines: [base], metric: acc, improvement: 5.0}
"""  # noqa: E501
NAMES = [f"{name} ×{times}" for name in ("lr", "batch_size", "weight_decay") for times in (0.5, 2)]
SPREAD = (0.0, -0.6, 0.6, -0.2, 0.2)
LR = {"lr ×0.5": 0.05, "lr ×2": 0.2}
BATCH = {"batch_size ×0.5": 16, "batch_size ×2": 64}
DECAY = {"weight_decay ×0.5": 0.0005, "weight_decay ×2": 0.002}


def seen(at: str, **more: Any) -> dict[str, Any]:
    """Return a training as a probe sees it in a setting; the declared one is ""."""
    batch = BATCH.get(at, 32)
    steps = 4000 // batch
    return {
        "steps": steps, "samples": 4000, "unique": 400, "unique_by": "indices",
        "batch": float(batch), "loss_trend": 0.2,
        "optimizer": {"cls": "SGD", "steps": steps, "peak_lr": LR.get(at, 0.1),
                      "distinct_lrs": 1, "fields": {"weight_decay": DECAY.get(at, 0.001)}},
    } | more  # fmt: skip


def runs(method: str, at: str, mean: float, n: int = 5, **more: Any) -> list[Run]:
    arm = f"{method} with {at}" if at else method
    entries = [
        {"training": seen(at, **more), "final_weights": f"{arm}{seed}", "seed": seed,
         "dataset": "d", "metrics": {"acc": mean + SPREAD[seed]},
         "models": [{"id": 1, "cls": "Net", "params": 1000, "trainable": 1000, "trained": True}],
         **({"of": method} if at else {})}
        for seed in range(n)
    ]  # fmt: skip
    return list(runs_of({arm: entries}))


DECLARED = [*runs("ours", "", 93.0), *runs("base", "", 88.0)]


def evidence(its: Sequence[Run], text: str = TEXT) -> Evidence:
    claims = parse(text)
    ran = {run.arm for run in its}
    found = wanted(Evidence(claims=claims, runs=tuple(DECLARED)), comparisons(claims)[0])
    return Evidence(
        claims=claims,
        runs=(*DECLARED, *its),
        arms=tuple(arm for arm in found.arms["sweep"] if arm.id in ran),
        no_arms=found.refused,
    )


def table(ours: Mapping[str, float], theirs: Mapping[str, float] = {}) -> list[Run]:
    """Return the runs of all settings: what is not said is as good as declared."""
    return [
        run
        for at in NAMES
        for method, means, usual in (("ours", ours, 93.0), ("base", theirs, 88.0))
        for run in runs(method, at, means.get(at, usual))
    ]


def sweep(its: Sequence[Run], text: str = TEXT) -> Sweep:
    made = evidence(its, text)
    comparison = comparisons(made.claims)[0]
    return made.get(Sensitivity).of(comparison, comparison.claims[0])


def verdict(its: Sequence[Run], text: str = TEXT) -> Judgement:
    (found,) = [one for one in judge(evidence(its, text), [rules.load()["RC807"]])
                if one.rule == "RC807"]  # fmt: skip
    return found


# --- which arms ---------------------------------------------------------------------------------


def test_a_sweep_halves_and_doubles_one_hyperparameter_at_a_time_on_both_sides():
    claims = parse(TEXT)
    made = wanted(Evidence(claims=claims), comparisons(claims)[0]).arms["sweep"]
    told = {arm.id: dict(arm.set) for arm in made}
    assert len(told) == 12
    assert told["ours with lr ×0.5"] == {"lr": "0.05"}
    assert told["base with batch_size ×2"] == {"batch_size": "64"}
    assert told["base with weight_decay ×2"] == {"weight_decay": "0.002"}
    assert {arm.change for arm in made} == {"sweep"}


def test_without_the_key_nothing_is_swept():
    text = TEXT.replace("  tuning: {sweep: [lr, batch_size, weight_decay]}\n", "")
    claims = parse(text)
    assert wanted(Evidence(claims=claims), comparisons(claims)[0]).arms["sweep"] == ()
    said = verdict([], text)
    assert said.state is State.UNDETERMINED
    assert said.reason is Reason.UNDECLARED_KEY
    assert "`sweep: [lr, batch_size, weight_decay]` under `methods.ours.tuning`" in (
        said.would_decide
    )


@pytest.mark.parametrize(
    ("sweep_of", "kind"),
    [("{lr: {cli: --rate}}", "flags"), ('{lr: {config: "c.yaml:optim.lr"}}', "edits")],
)
def test_a_value_is_set_by_a_flag_or_a_configuration_key_too(sweep_of: str, kind: str):
    text = TEXT.replace("[lr, batch_size, weight_decay]", sweep_of)
    claims = parse(text)
    first = points(claims, comparisons(claims)[0])[0].ours
    assert isinstance(first, Arm)
    if kind == "flags":
        assert first.flags == ("--rate", "0.05")
    else:
        assert [(edit.file, edit.key, edit.value) for edit in first.edits] == [
            ("c.yaml", "optim.lr", 0.05)
        ]


@pytest.mark.parametrize(
    ("old", "new", "reason", "word"),
    [
        ("weight_decay: 0.001", "weight_decay: 0", Reason.NOT_TESTABLE, "that is not 0"),
        (", weight_decay: 0.001", "", Reason.UNDECLARED_KEY, "optimizer.weight_decay"),
        ('overrides: {weight_decay: "--wd {value}"}', "", Reason.NO_PLACEHOLDER, "overrides"),
        ("batch_size: 32", "batch_size: 1", Reason.NOT_TESTABLE, "it has no half"),
    ],
)
def test_what_cannot_be_swept_says_what_to_write(old: str, new: str, reason: Reason, word: str):
    claims = parse(TEXT.replace(old, new))
    refused = [one.ours for one in points(claims, comparisons(claims)[0])
               if isinstance(one.ours, NoArm)]  # fmt: skip
    assert refused
    assert {one.reason for one in refused} == {reason}
    assert word in refused[0].would_decide


def test_what_the_paper_offers_is_not_swept():
    text = TEXT.replace("improvement: 5.0", "improvement: 5.0, attributed_to: [lr]")
    claims = parse(text)
    made = wanted(Evidence(claims=claims), comparisons(claims)[0]).arms["sweep"]
    assert {name for arm in made for name in arm.set} == {"batch_size", "weight_decay"}
    assert sweep(table({}), text).count("apart") == 2


def test_an_arm_of_a_sweep_explains_no_gain():
    its = table({}, {"lr ×2": 93.0})
    assert evidence(its).get(Effects).effects == ()


# --- what it shows ------------------------------------------------------------------------------


def test_a_method_that_keeps_its_gain_everywhere_is_cleared_with_its_width():
    said = verdict(table({}))
    assert said.state is State.CLEARED
    assert "in 6 of 6 neighbouring settings" in said.message
    assert "robustness width" in [one.name for one in said.quantities]


def test_a_gain_at_one_setting_alone_is_minor():
    its = table(dict.fromkeys(NAMES, 88.2) | {"weight_decay ×2": 92.5})
    found = sweep(its)
    assert [one.standing for one in found.settings] == ["lost"] * 5 + ["kept"]
    assert found.settings[0].gain is not None
    assert found.settings[0].gain.estimate == pytest.approx(0.2)
    said = verdict(its)
    assert (said.state, said.severity) == (State.FLAGGED, Severity.MINOR)
    assert "keeps half of its gain over `base` (+5, n = 5 and 5) in 1 of 6" in said.message


def test_settings_in_which_the_baseline_does_not_train_either_are_not_counted():
    narrow = {"lr ×0.5": 12.0, "lr ×2": 11.0, "batch_size ×0.5": 10.0, "batch_size ×2": 13.0}
    found = sweep(table(narrow, narrow))
    assert found.counted == 2
    assert found.width == 1.0
    assert "is half of the way" in found.settings[-1].why
    assert verdict(table(narrow, narrow)).state is State.CLEARED


def test_two_narrow_windows_are_no_finding_even_where_nothing_is_left():
    all_gone = dict.fromkeys(NAMES, 11.0)
    said = verdict(table(all_gone, all_gone))
    assert said.state is State.UNDETERMINED
    assert said.reason is Reason.NOT_TESTABLE


def test_without_the_number_of_classes_half_of_the_score_is_not_enough():
    text = TEXT.replace(", labels: {classes: 10}", "")
    coin = dict.fromkeys(NAMES, 50.0)
    assert sweep(table(coin, coin), text).counted == 0
    assert sweep(table(coin, coin)).counted == 6  # with ten classes 50 % is half of the way


def test_a_baseline_that_gives_one_answer_is_not_trained():
    its = table({})
    flat = [
        run if run.arm != "base with lr ×2"
        else Run(**{f: getattr(run, f) for f in run.__slots__} | {"metrics": {"acc": 80.0}})
        for run in its
    ]  # fmt: skip
    found = sweep(flat)
    assert found.count("apart") == 1
    assert "all seeds end at 80" in found.settings[-1].why


def test_a_method_that_diverges_where_the_baseline_trains_has_lost_its_gain():
    its = [run for run in table({}) if run.arm != "ours with lr ×2"]
    found = sweep([*its, *runs("ours", "lr ×2", 9.0, loss_trend=3.0)])
    lost = [one for one in found.settings if one.standing == "lost"]
    assert [one.point.label for one in lost] == ["lr ×2"]
    assert "diverged in 5 of 5 runs" in lost[0].why


def test_a_setting_that_changed_something_else_is_not_counted():
    its = [run for run in table({}) if run.arm != "ours with lr ×2"]
    found = sweep([*its, *runs("ours", "lr ×2", 80.0, steps=60, samples=1920)])
    assert found.count("apart") == 1
    assert "changes `optimizer.lr` and nothing else" in found.settings[-1].why


def test_an_override_that_changes_nothing_is_not_counted():
    its = [run for run in table({}) if run.arm != "ours with lr ×2"]
    same = seen("")["optimizer"]
    found = sweep([*its, *runs("ours", "lr ×2", 93.0, optimizer=same)])
    assert found.count("apart") == 1
    assert "changes something" in found.settings[-1].why


def test_few_seeds_leave_a_setting_open_and_accuse_nobody():
    wide = [run for run in table({}) if not run.arm.startswith("ours with")]
    its = [run for at in NAMES for run in _wide(runs("ours", at, 90.0, 3))]
    found = sweep([*wide, *its])
    assert found.count("open") == 6
    said = verdict([*wide, *its])
    assert (said.state, said.reason) == (State.UNDETERMINED, Reason.UNDERPOWERED)


def _wide(its: Sequence[Run]) -> list[Run]:
    return [
        Run(**{f: getattr(run, f) for f in run.__slots__}
            | {"metrics": {"acc": 90.0 + 12 * (run.seed - 1)}})
        for run in its
    ]  # fmt: skip


def test_two_settings_alone_accuse_nobody():
    text = TEXT.replace("[lr, batch_size, weight_decay]", "[lr]")
    said = verdict(table(dict.fromkeys(NAMES, 88.2)), text)
    assert said.state is State.UNDETERMINED
    assert "4 settings are needed" in said.message
    assert verdict(table({}), text).state is State.CLEARED


def test_what_the_method_alone_has_is_changed_on_the_method_alone():
    text = TEXT.replace("    train: {command", "    train: {command").replace(
        "components: [block],", "components: [block], hyperparameters: {depth: 4},"
        " tuning: {sweep: [depth]},"
    ).replace("t.py ours", "t.py ours --depth {depth}").replace(
        "  tuning: {sweep: [lr, batch_size, weight_decay]}\n", ""
    )  # fmt: skip
    claims = parse(text)
    made = points(claims, comparisons(claims)[0])
    assert [one.label for one in made] == ["depth ×0.5", "depth ×2"]
    assert [one.ours.set for one in made] == [{"depth": "2"}, {"depth": "8"}]
    assert all(one.theirs is None for one in made)


def test_a_coarse_grid_over_many_dimensions_is_a_note():
    space = "{lr: [0.1, 0.2], wd: [0, 1, 2], drop: [0.1, 0.2], width: [8, 16, 32]}"
    text = TEXT.replace("tuning: {sweep", f"tuning: {{method: grid, space: {space}, sweep")
    notes = [one for one in judge(evidence(table({}), text), [rules.load()["RC807"]])
             if one.state is State.FLAGGED]  # fmt: skip
    assert [one.severity for one in notes] == [Severity.NOTE] * 2
    assert "2 × 3 × 2 × 3 = 36 points over 4 dimensions" in notes[0].message


def test_the_page_shows_every_setting_with_its_interval_and_the_width():
    narrow = {"lr ×0.5": 12.0}
    its = evidence(table(narrow | {"batch_size ×2": 88.1}, narrow))
    said = _section({"sweeps": sweeps(its)})
    assert "robustness width 80 %: kept in 4 of 5 neighbouring settings, 1 not counted" in said
    assert "batch_size ×2 +0.1" in said
    assert said.index("batch_size ×2") < said.index("lr ×2") < said.index("lr ×0.5")
    assert "✗ lost" in said
    assert "is half of the way" in said


def _section(more: dict[str, Any]) -> str:
    html = named("html").render(sample() | more)
    found = html.split('aria-labelledby="split"')[1].split("</section>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found))


# --- equally many trials ------------------------------------------------------------------------

MANY = [80 + 12 * (i / 199) ** 3 for i in range(200)]
FEW = [80 + 12 * ((i + 0.5) / 20) ** 3 for i in range(20)]


def tuned(ours: Sequence[float], theirs: Sequence[float], text: str = TEXT) -> Tuned:
    claims = parse(_with_scores(ours, theirs, text))
    comparison = comparisons(claims)[0]
    return Evidence(claims=claims).get(Trials).both(comparison, comparison.claims[0])


def _with_scores(ours: Sequence[float], theirs: Sequence[float], text: str = TEXT) -> str:
    for role, scores in (("proposed", ours), ("baseline", theirs)):
        listed = ", ".join(f"{one:.6g}" for one in scores)
        text = text.replace(f"role: {role},", f"role: {role}, tuning: {{scores: [{listed}]}},")
    return text


def answer(ours: Sequence[float], theirs: Sequence[float]) -> Judgement:
    claims = parse(_with_scores(ours, theirs))
    (said,) = judge(Evidence(claims=claims), [rules.load()["RC807b"]])
    return said


def test_what_more_trials_gave_is_said_in_numbers():
    found = tuned(MANY, FEW)
    assert found.equal.k == 20
    assert found.equal.at_own == pytest.approx(92 - FEW[-1], abs=1e-3)
    assert found.at_equal < found.equal.at_own
    words = found.in_words()
    assert words.startswith("with 20 trials each, the expected best of `ours` is 9")
    assert "at equal trials" in words
    assert "with 200 and 20" in words


def test_equal_trials_stand_in_the_page_as_one_sentence():
    claims = parse(_with_scores(MANY, FEW))
    (told,) = tuned_of(Evidence(claims=claims))
    assert told["trials"] == {"method": 200, "baseline": 20}
    assert told["interval"] is not None
    said = _section({"tuned": [told]})
    assert "At equally many tuning trials" in said
    assert "95 % interval with 4 trials each [" in said


def test_scores_in_another_unit_are_not_compared():
    claims = parse(_with_scores([one / 100 for one in MANY], FEW))
    (said,) = judge(Evidence(claims=claims), [rules.load()["RC807b"]])
    assert (said.state, said.reason) == (State.UNDETERMINED, Reason.NOT_TESTABLE)
    assert "the scores of `ours` in percent" in said.message


def test_a_baseline_that_is_ahead_at_equal_trials_beyond_the_bands_is_a_finding():
    ours = [60 + 0.02 * i for i in range(500)]
    theirs = [90 + 0.01 * i for i in range(300)]
    said = answer(ours, theirs)
    assert (said.state, said.severity) == (State.FLAGGED, Severity.MINOR)


def test_a_method_ahead_beyond_the_bands_is_cleared_and_overlap_is_not_testable():
    ours = [90 + 0.01 * i for i in range(500)]
    assert answer(ours, [60 + 0.02 * i for i in range(300)]).state is State.CLEARED
    said = answer(MANY, [one + 0.5 for one in FEW])
    assert (said.state, said.reason) == (State.UNDETERMINED, Reason.NOT_TESTABLE)


def test_scores_of_a_column_are_those_of_the_artifact_and_of_all_trials(tmp_path: Path):
    (tmp_path / "sweep.csv").write_text("lr,val\n0.1,88.5\n0.2,90.0\n0.3,87.25\n")
    (tmp_path / "log.jsonl").write_text('{"val": 85.0}\n{"val": 86.0}\n\n{"val": 84.0}\n')
    text = TEXT.replace(
        "role: proposed,", 'role: proposed, tuning: {scores_from: "sweep.csv:val"},'
    )
    text = text.replace(
        "role: baseline,", 'role: baseline, tuning: {scores_from: "log.jsonl:val"},'
    )
    (tmp_path / "claims.yaml").write_text(text)
    claims = load(tmp_path / "claims.yaml")
    comparison = comparisons(claims)[0]
    found = Evidence(claims=claims).get(Trials).both(comparison, comparison.claims[0])
    assert found.ours.values == (88.5, 90.0, 87.25)
    assert found.theirs.values == (85.0, 86.0, 84.0)
    assert found.low is None


@pytest.mark.parametrize(
    ("place", "reason"),
    [("../out.csv:v", Reason.UNDECLARED_KEY), ("link.csv:v", Reason.UNDECLARED_KEY),
     ("gone.csv:v", Reason.UNDECLARED_KEY), ("sweep.csv:w", Reason.UNDECLARED_KEY),
     ("blank.csv:v", Reason.NOT_TESTABLE), ("sweep.csv:val_loss", Reason.NOT_TESTABLE)],
)  # fmt: skip
def test_scores_that_cannot_be_had_say_why(tmp_path: Path, place: str, reason: Reason):
    root = tmp_path / "art"
    root.mkdir()
    (tmp_path / "out.csv").write_text("v\n1\n2\n3\n")
    (root / "sweep.csv").write_text("v,val_loss\n1,1\n2,1\n3,1\n")
    (root / "blank.csv").write_text("v,x\n1,1\n,2\n3,3\n")
    (root / "link.csv").symlink_to(tmp_path / "out.csv")
    text = TEXT.replace("role: proposed,", f'role: proposed, tuning: {{scores_from: "{place}"}},')
    (root / "claims.yaml").write_text(text)
    claims = load(root / "claims.yaml")
    (claim,) = claims.claims
    with pytest.raises(Missing) as missing:
        Evidence(claims=claims).get(Trials).of(claims.methods["ours"], claim)
    assert missing.value.reason is reason


def test_scores_of_some_trials_only_are_not_compared():
    text = _with_scores(FEW, FEW).replace("tuning: {scores", "tuning: {trials: 50, scores")
    (said,) = judge(Evidence(claims=parse(text)), [rules.load()["RC807b"]])
    assert (said.state, said.reason) == (State.UNDETERMINED, Reason.CONFLICTING_EVIDENCE)


# --- one real sweep -----------------------------------------------------------------------------

NEEDLE = """
    import json, math, random, sys
    args = dict(zip(sys.argv[2::2], sys.argv[3::2]))
    draw = random.Random(args["--seed"] + sys.argv[1])
    width = {"ours": 0.05, "base": 5.0}[sys.argv[1]]
    off = math.log(float(args["--lr"]) / 0.1) ** 2 + math.log(float(args["--wd"]) / 0.01) ** 2
    score = 88 + {"ours": 5, "base": 0}[sys.argv[1]] * math.exp(-off / width) - 0.3 * off
    json.dump({"acc": score + draw.gauss(0, 0.3)}, open(args["--out"] + "/m.json", "w"))
"""
NEEDLE_CLAIMS = """
    repcheck: 1
    artifact: {root: art}
    defaults: {optimizer: {lr: 0.1}, hyperparameters: {wd: 0.01}, tuning: {sweep: [lr, wd]}}
    methods:
      ours: {role: proposed, train: {command: "python train.py ours --lr {lr} --wd {wd} --seed {seed} --out {out}"}}
      base: {role: baseline, train: {command: "python train.py base --lr {lr} --wd {wd} --seed {seed} --out {out}"}}
    metrics:
      acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}
    results:
      - {method: ours, metric: acc, mean: 93.0, std: 0.3, std_kind: sample, n: 5}
      - {method: base, metric: acc, mean: 88.0, std: 0.3, std_kind: sample, n: 5}
    claims:
      - {id: C1, method: ours, baselines: [base], metric: acc, improvement: 5.0}
    budget: {seeds_per_arm: 3}
"""  # noqa: E501


def test_a_needle_of_a_method_is_found_by_a_real_sweep(tmp_path: Path):
    file = paper(tmp_path, NEEDLE_CLAIMS, NEEDLE)
    done = repcheck("check", file, "--yes", "-o", tmp_path / "out", cwd=tmp_path)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["headline"], done
    swept = [arm for arm in report["arms"] if arm.get("change") == "sweep"]
    assert len(swept) == 8
    (said,) = [one for one in report["judgements"] if one["rule"] == "RC807"]
    assert (said["state"], said["severity"]) == ("flagged", "minor"), said
    assert "in 0 of 4 neighbouring settings" in said["message"]
