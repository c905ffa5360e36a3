"""No honest paper accused, nothing unchecked passed: files as authors write them, not as hoped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import test_sensitivity as sweep_of
from observed_support import runs_of

from repcheck import rules
from repcheck.claims.load import load, parse
from repcheck.claims.model import Claims
from repcheck.fact import Evidence
from repcheck.judge import judge
from repcheck.metric_names import meaning
from repcheck.reproduction import Reproduction, reproduce
from repcheck.rule import Judgement, Severity, State
from repcheck.runs import Run, Runs, SeedKind, Status
from repcheck.stats.criteria import DEFAULT

RULES = rules.load()
PERCENT = (93.0, 92.6, 93.3, 92.9, 93.1)
BASE = (88.1, 87.6, 88.4, 87.9, 88.0)
FRACTION = tuple(one / 100 for one in PERCENT)
BASE_FRACTION = tuple(one / 100 for one in BASE)


def runs(dataset: str = "", others: Mapping[str, Any] | None = None, **arms: Any) -> Runs:
    """Return one run with a fresh seed for each value; None is a seed that crashed."""
    return tuple(
        Run(
            key=f"{arm} {dataset} {seed}",
            arm=arm,
            method=arm,
            dataset=dataset,
            seed=seed,
            seed_kind=SeedKind.FRESH,
            status=Status.NONZERO if value is None else Status.OK,
            reason="exit 1" if value is None else "",
            metrics={} if value is None else {"acc": value},
            others=others,
        )
        for arm, values in arms.items()
        for seed, value in enumerate(values)
    )


# --- units --------------------------------------------------------------------------------------


def claims(claim: str, unit: str = "percent", rows: Sequence[str] = (), up: str = "true") -> Claims:
    said = f"unit: {unit}, " if unit else ""
    listed = "".join(f"\n  - {{metric: acc, {row}}}" for row in rows)
    return parse(f"""
repcheck: 1
datasets: {{a: {{}}, b: {{}}}}
methods:
  ours: {{role: proposed, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}}}
  base: {{role: baseline, train: {{command: "python t.py --seed {{seed}} --out {{out}}"}}}}
  copied: {{role: baseline}}
metrics: {{acc: {{higher_is_better: {up}, {said}from: "{{out}}/m.json:acc"}}}}
{f"results:{listed}" if rows else ""}
claims:
  - {{id: C1, text: "It is better.", method: ours, metric: acc, {claim}}}
""")


def verdicts(said: Claims, its: Runs) -> list[Reproduction]:
    return list(reproduce(said, said.claims[0], Evidence(claims=said, runs=its)))


GAIN = "dataset: a, baselines: [base], improvement"
SAME = "dataset: a, type: equivalence, baselines: [base], margin"
OURS_93 = "method: ours, dataset: a, mean: 93.0, std: 0.3, n: 5"
COPIED = "method: copied, dataset: a, mean: 0.88, std: 0.003, n: 5"


@pytest.mark.parametrize(
    ("said", "ours", "base"),
    [
        (claims(f"{GAIN}: 0.5"), FRACTION, BASE_FRACTION),
        (claims(f"{GAIN}: 4.9", unit=""), FRACTION, BASE_FRACTION),
        (claims(f"{GAIN}: 0.05", unit="fraction"), PERCENT, BASE),
        (claims("dataset: a, value: 93.0", "", [OURS_93]), FRACTION, ()),
        (claims("dataset: a, value: 0.93", ""), PERCENT, ()),
        (claims("dataset: a, at_least: 90", ""), FRACTION, ()),
        (claims("dataset: a, at_least: 0.9", ""), BASE, ()),
        (claims("dataset: a, at_most: 5", "", up="false"), (0.07, 0.071, 0.069), ()),
        # One seed without an error.
        (claims("dataset: a, value: 99.5"), (1.0, 0.995, 0.99), ()),
        # The script of one side alone prints fractions.
        (claims(f"{GAIN}: 4.9", rows=[OURS_93]), FRACTION, BASE),
        (claims(f"{GAIN}: 4.9", rows=[OURS_93]), PERCENT, BASE_FRACTION),
        (claims("dataset: a, baselines: [copied], improvement: 0.05", "", [COPIED]), PERCENT, ()),
        (claims(f"{SAME}: 1.0"), FRACTION, FRACTION),
        (claims(f"{SAME}: 1.0", ""), (0.93, 0.93), (0.88, 0.88)),
    ],
)  # fmt: skip
def test_numbers_in_another_unit_than_the_papers_are_judged_neither_way(said, ours, base):
    found = verdicts(said, runs("a", ours=ours, base=base))
    assert {one.verdict for one in found} == {"not-run"}
    assert all("read_as" in one.rule for one in found)


def test_one_dataset_in_another_unit_leaves_the_mean_over_all_unjudged():
    its = runs("a", ours=PERCENT, base=BASE) + runs("b", ours=FRACTION, base=BASE_FRACTION)
    for claim in ("baselines: [base], improvement: 4.9", "value: 93.0"):
        (found,) = verdicts(claims(f"datasets: [a, b], {claim}"), its)
        assert found.verdict == "not-run", found.rule


def test_small_errors_and_smaller_reruns_are_in_one_unit():
    said = claims("dataset: a, value: 1.2", up="false")
    (found,) = verdicts(said, runs("a", ours=(0.95, 0.97, 1.0, 0.93, 0.96)))
    assert found.verdict == "reproduced"
    (found,) = verdicts(claims(f"{GAIN}: 0.9"), runs("a", ours=PERCENT, base=BASE))
    assert found.verdict == "reproduced"
    (found,) = verdicts(claims(f"{GAIN}: 0.05", ""), runs("a", ours=FRACTION, base=BASE_FRACTION))
    assert found.verdict == "reproduced"


def test_a_test_of_the_seeds_that_did_not_crash_is_not_shown_beside_no_verdict():
    its = runs("a", ours=(*PERCENT, *[None] * 5), base=BASE)
    for claim in (f"{GAIN}: 4.9", f"{SAME}: 9.0"):
        (found,) = verdicts(claims(claim), its)
        assert (found.verdict, found.permutation) == ("inconclusive", None)
    (whole,) = verdicts(claims(f"{GAIN}: 4.9"), runs("a", ours=PERCENT, base=BASE))
    assert whole.permutation is not None


def test_a_relative_gain_over_datasets_is_the_mean_of_relative_gains():
    """Else the dataset with the largest numbers carries it alone."""
    said = claims("datasets: [a, b], baselines: [base], improvement: 10%", "", up="false")
    large = runs("a", ours=(90, 91, 89, 90.5, 89.5), base=(100, 101, 99, 100.5, 99.5))
    better, worse = (0.9, 0.91, 0.89, 0.905, 0.895), (1.2, 1.21, 1.19, 1.205, 1.195)
    for small, verdict in ((better, "reproduced"), (worse, "not-reproduced")):
        its = large + runs("b", ours=small, base=(1.0, 1.01, 0.99, 1.005, 0.995))
        (found,) = verdicts(said, its)
        assert (found.verdict, found.claimed) == (verdict, 10.0)
        assert any("in percent of the baseline's value on each" in one for one in found.caveats)
    assert found.observed == pytest.approx(-5.0)
    none = large + runs("b", ours=better, base=(0.0, 0.0, 0.0))
    assert verdicts(said, none)[0].verdict == "not-run"


def test_a_value_that_is_one_datasets_row_is_not_read_as_the_average_of_all():
    rows = [f"method: ours, dataset: {name}, mean: {mean}, std: 0.3, n: 5"
            for name, mean in (("a", 93.0), ("b", 88.0))]  # fmt: skip
    its = runs("a", ours=PERCENT) + runs("b", ours=BASE)
    (found,) = verdicts(claims("datasets: [a, b], value: 93.0", rows=rows), its)
    assert found.verdict == "not-run", found.rule
    (found,) = verdicts(claims("datasets: [a, b], value: 90.5", rows=rows), its)
    assert found.verdict == "reproduced"


# --- RC501b: what stands beside the reported metrics ---------------------------------------------


def beside(name: str, at: str = "acc", *, ours: float = 85.0, base: float = 89.0) -> Judgement:
    said = parse(f"""
repcheck: 1
methods: {{ours: {{role: proposed}}, base: {{role: baseline}}}}
metrics: {{acc: {{higher_is_better: true, unit: percent, from: "{{out}}/m.json:{at}"}}}}
results:
  - {{method: ours, metric: acc, mean: 93.0}}
  - {{method: base, metric: acc, mean: 88.0}}
claims:
  - {{id: C1, method: ours, baselines: [base], metric: acc, improvement: 5.0}}
""")
    spread = (0.0, 0.2, -0.2, 0.1, -0.1)
    its = tuple(
        run
        for arm, score, other in (("ours", PERCENT, ours), ("base", BASE, base))
        for value, by in zip(score, spread, strict=True)
        for run in runs(others={name: other + by}, **{arm: (value,)})
    )
    numbered = tuple(
        Run(**{**_fields(run), "seed": at, "key": f"{run.key}{at}"}) for at, run in enumerate(its)
    )
    (found,) = judge(Evidence(claims=said, runs=numbered), [RULES["RC501b"]])
    return found


def _fields(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__dataclass_fields__}


@pytest.mark.parametrize(
    ("name", "at"),
    [
        # The reported metric at another checkpoint, on other data, or under its second name.
        ("final_acc", "acc"), ("last_test_accuracy", "test_accuracy"), ("accuracy", "test.acc"),
        ("metrics.accuracy", "acc"), ("top1", "accuracy"),
        # `eval` is the validation set for whoever writes `test` beside it.
        ("eval_accuracy", "test_accuracy"), ("eval_f1", "test_accuracy"),
    ],
)  # fmt: skip
def test_the_reported_metric_on_other_data_or_at_another_checkpoint_is_asked_about(name, at):
    assert beside(name, at).state is State.UNDETERMINED


@pytest.mark.parametrize(
    "name",
    ["token_accuracy", "sample_f1", "depth_rmse", "count_mae", "low_light_accuracy", "time_mae",
     "rank_auc", "classes.3.recall"],
)  # fmt: skip
def test_a_metric_of_something_is_no_diagnostic_and_clears_nothing(name):
    assert beside(name).state is State.UNDETERMINED
    assert meaning(name).kind == "unknown"


def test_bounds_spreads_and_other_metrics_stay_what_they_were():
    for name in ("acc_std", "acc_ci_low", "best_acc", "acc_best_epoch", "mse_loss", "train_acc"):
        assert beside(name).state is State.CLEARED, name
    for name in ("balanced_accuracy", "macro_f1", "test_f1"):
        assert beside(name).state is State.FLAGGED, name


# --- RC502b: what the artifact names --------------------------------------------------------------

TRAIN = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--dataset", choices=["digits"])
"""
PLAIN = "python train.py --dataset digits --seed {seed} --out {out}"


def named(folder: Path, files: Mapping[str, Any], command: str = PLAIN) -> Judgement:
    for path, content in {"train.py": TRAIN, **files}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    (folder / "claims.yaml").write_text(f"""
repcheck: 1
artifact: {{root: .}}
datasets: {{digits: {{}}}}
methods:
  ours: {{role: proposed, train: {{command: "{command}"}}}}
  base: {{role: baseline, train: {{command: "{command}"}}}}
metrics: {{acc: {{higher_is_better: true}}}}
claims:
  - {{id: C1, method: ours, baselines: [base], metric: acc, dataset: digits, improvement: 1}}
""")
    (found,) = judge(Evidence(claims=load(folder / "claims.yaml")), [RULES["RC502b"]])
    return found


ROWS = "dataset,accuracy\ndigits,0.9\n"


@pytest.mark.parametrize(
    "files",
    [
        {"results/all.csv": f"{ROWS}{name},0.8\n"}
        for name in ("Avg.", "overall", "macro", "total", "std", "median", "worst", "fold1")
    ]
    + [
        {"data/info.csv": "dataset,n_samples,n_classes\ndigits,1797,10\nmnist,70000,10\n"},
        {"splits/list.csv": "dataset,part\ndigits,1\nwine,2\n"},
        {"logs/log.csv": "epoch,data,loss\n1,digits,0.3\n1,unlabeled,0.4\n"},
    ],
)  # fmt: skip
def test_a_row_that_is_no_dataset_or_no_result_is_nobodys_omission(tmp_path, files):
    assert named(tmp_path, files).state is State.CLEARED


WINE = TRAIN.replace('"digits"', '"digits", "wine"')


@pytest.mark.parametrize(
    "files",
    [
        {"results/all.csv": "task,accuracy\ndigits,0.9\nno_bn,0.8\n"},
        {"results/all.csv": "method,dataset,accuracy\nOurs (L),digits,0.9\nOurs (L),wine,0.8\n"},
        {"results/all.json": {"digits": {"acc": 0.9}, "wine": {"acc": 0.8}}},
        {"results/all.json": [{"dataset": "digits", "acc": 1}, {"dataset": "wine", "acc": 0.8}]},
        {"results/all.jsonl": '{"dataset": "digits"}\n{"dataset": "wine"}\n'},
        {
            "train.py": WINE,
            "results/ours_digits.json": {"acc": 1},
            "results/base_digits.json": {"acc": 1},
            "results/base_wine.json": {"acc": 1},
        },
    ],
)
def test_results_of_which_nobody_says_whose_they_are_are_asked_about(tmp_path, files):
    found = named(tmp_path, files)
    assert found.state is State.UNDETERMINED, found.message
    assert "wine" in found.message or "no_bn" in found.message


def test_a_row_of_the_proposed_method_is_still_found(tmp_path):
    rows = "method,dataset,accuracy\nours,digits,0.9\nours,wine,0.8\nbase,iris,0.9\n"
    found = named(tmp_path, {"results/all.csv": rows})
    assert (found.state, found.severity) == (State.FLAGGED, Severity.MINOR)
    assert "`wine`" in found.message
    assert "iris" not in found.message


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"train.py": 'print "old"\n', "run.sh": "python train.py --dataset digits\n"}, PLAIN),
        ({"train.py": TRAIN + "#" * 600_000, "run.sh": "python train.py --dataset digits"}, PLAIN),
        ({"configs/ours.yaml": "dataset: digits\n"}, "./fit -c configs/ours.yaml {seed} {out}"),
    ],
)
def test_code_that_was_not_read_clears_nothing(tmp_path, files, command):
    found = named(tmp_path, files, command)
    assert found.state is State.UNDETERMINED
    assert "could not be read" in found.message


# --- RC807b: tuning trials ------------------------------------------------------------------------

HIGH = [90 + 0.05 * at for at in range(40)]
LOW = [85 + 0.05 * at for at in range(20)]


def tuned(
    folder: Path, ours: tuple[str, Sequence[float]], base: tuple[str, Sequence[float]], **more: str
) -> Judgement:
    for file, (name, values) in (("a", ours), ("b", base)):
        (folder / f"{file}.csv").write_text("\n".join([name, *map(str, values)]) + "\n")
    rows = more.get("rows", "")
    (folder / "claims.yaml").write_text(f"""
repcheck: 1
methods:
  ours: {{role: proposed, tuning: {{scores_from: "a.csv:{ours[0]}"}}}}
  base: {{role: baseline, tuning: {{scores_from: "b.csv:{base[0]}"}}}}
metrics: {{m: {{higher_is_better: {more.get("up", "true")}{more.get("unit", "")}}}}}
{rows}
claims:
  - {{id: C1, method: ours, baselines: [base], metric: m, improvement: 1.0}}
""")
    (found,) = judge(Evidence(claims=load(folder / "claims.yaml")), [RULES["RC807b"]])
    return found


PCT = ", unit: percent"
TABLE = "results: [{method: ours, metric: m, mean: 92.0}, {method: base, metric: m, mean: 86.0}]"


@pytest.mark.parametrize(
    ("ours", "base", "more"),
    [
        # The score is better when higher, the claimed error when lower.
        (("val_acc", HIGH), ("val_acc", LOW), {"up": "false"}),
        (("train_acc", LOW * 2), ("train_acc", HIGH), {"unit": PCT}),
        (("val_acc", LOW * 2), ("test_acc", HIGH), {"unit": PCT}),
        (("v", [one / 100 for one in HIGH]), ("v", LOW), {}),
        (("v", HIGH), ("v", [one / 100 for one in LOW]), {}),
        # An objective that is minimised, under a name that says nothing.
        (("value", [one / 9 for one in LOW * 2]), ("value", HIGH), {"unit": PCT, "rows": TABLE}),
    ],
)
def test_trials_scored_in_something_else_than_the_metric_decide_nothing(tmp_path, ours, base, more):
    assert tuned(tmp_path, ours, base, **more).state is State.UNDETERMINED


def test_trials_of_the_metric_still_decide(tmp_path):
    more = {"unit": PCT, "rows": TABLE}
    assert tuned(tmp_path, ("val_acc", HIGH), ("val_acc", LOW), **more).state is State.CLEARED
    assert tuned(tmp_path, ("v", LOW * 2), ("v", HIGH), **more).state is State.FLAGGED


# --- RC205: chosen seeds --------------------------------------------------------------------------

FRESH = (88.1, 87.0, 89.2, 88.6, 87.6)
DECLARED = (87.6, 88.1, 88.6)


def seeds(
    ours: str, base: str, its: Mapping[str, Any], gain: str = "3.0", *,
    unit: str = ", unit: percent", named: str = "[0, 1, 2]",
) -> list[Judgement]:  # fmt: skip
    said = parse(f"""
repcheck: 1
metrics: {{acc: {{higher_is_better: true{unit}}}}}
results:
  - {{method: ours, metric: acc, {ours}}}
  - {{method: base, metric: acc, {base}}}
methods:
  ours: {{role: proposed, seeds: {{train: {named}}}}}
  base: {{role: baseline, seeds: {{train: {named}}}}}
claims: [{{id: C1, method: ours, baselines: [base], metric: acc, improvement: {gain}}}]
""")
    evidence = Evidence(claims=said, runs=runs_of(dict(its)))
    return [one for one in judge(evidence, [RULES["RC205"]]) if one.rule == "RC205"]


def arm(fresh: Sequence[float], declared: Sequence[float], crashed: int = 0) -> list[Any]:
    made = [{"seed": 1000 + n, "metrics": {"acc": one}} for n, one in enumerate(fresh)]
    made += [{"seed": 2000 + n, "status": "nonzero", "metrics": {}} for n in range(crashed)]
    kind = {"seed_kind": "declared"}
    return made + [{"seed": n, "metrics": {"acc": one}} | kind for n, one in enumerate(declared)]


OURS_ROW, BASE_ROW = "mean: 88.1, std: 0.5, n: 3", "mean: 85.3, std: 0.2, n: 3"
BASE_ARM = arm((85.2, 84.9, 85.9, 85.4, 85.0), (85.1, 85.3, 85.5))


def test_seeds_are_not_cleared_by_the_fresh_ones_that_did_not_crash():
    def states(crashed: int) -> set[State]:
        its = {"ours": arm(FRESH, DECLARED, crashed), "base": BASE_ARM}
        return {one.state for one in seeds(OURS_ROW, BASE_ROW, its)}

    assert states(0) == {State.CLEARED}
    assert states(1) == {State.CLEARED}  # 1 of 6 is below 20 %
    assert states(2) == {State.UNDETERMINED}
    assert DEFAULT.crash_share == 0.2


def test_seeds_better_by_less_than_is_printed_are_no_more_than_a_note():
    near = arm((88.05, 88.051, 88.052, 88.0505, 88.0515), (88.06, 88.07, 88.08))
    found = [one for one in seeds(OURS_ROW, BASE_ROW, {"ours": near, "base": BASE_ARM})
             if "favourable" in one.message and one.state is State.FLAGGED]  # fmt: skip
    assert [one.severity for one in found] == [Severity.NOTE]
    far = arm(FRESH, (91.7, 91.9, 92.1))
    found = seeds("mean: 91.9, std: 0.2, n: 3", BASE_ROW, {"ours": far, "base": BASE_ARM})
    assert Severity.MAJOR in {one.severity for one in found}


def test_one_seed_named_for_three_runs_leaves_a_question_and_breaks_nothing():
    one = arm(FRESH, (88.1,))
    said = {"ours": one, "base": BASE_ARM}
    found = seeds(OURS_ROW, BASE_ROW, said, named="[0]")
    assert {one.state for one in found} == {State.UNDETERMINED}


def test_a_gain_written_as_a_fraction_beside_percents_is_not_within_the_noise():
    for gain, state in (("2.8", State.UNDETERMINED), ("0.028", State.UNDETERMINED)):
        assert {one.state for one in seeds(OURS_ROW, BASE_ROW, {}, gain)} == {state}
    close = "mean: 85.4, std: 0.5, n: 3"
    (found,) = seeds(close, BASE_ROW, {}, "0.1")
    assert (found.state, found.severity) == (State.FLAGGED, Severity.MINOR)


def test_reruns_that_read_fractions_of_percents_say_nothing_of_the_seeds():
    small = {
        "ours": arm([one / 100 for one in FRESH], [one / 100 for one in DECLARED]),
        "base": arm([one / 100 for one in BASE], [0.851, 0.853, 0.855]),
    }
    found = seeds(OURS_ROW, BASE_ROW, small, unit="")
    assert {one.state for one in found} == {State.UNDETERMINED}
    assert not any("fresh seeds give" in one.message for one in found)


# --- RC807: the sweep -----------------------------------------------------------------------------


def swept(its: Sequence[Run]) -> tuple[State, str]:
    (found,) = judge(sweep_of.evidence(its), [RULES["RC807"]])
    return found.state, found.message


def test_settings_in_which_the_method_crashed_or_was_never_run_do_not_widen_its_window():
    lost = sweep_of.NAMES[:1]
    its = sweep_of.table(dict.fromkeys(lost, 88.2))
    seen = [run for run in its if "lr" in run.arm]
    assert swept(its)[0] is State.CLEARED
    # Of 6 settings 1 is kept, 1 lost, and 4 nobody has seen.
    assert swept(seen)[0] is State.UNDETERMINED
    failed = {"status": Status.NONZERO, "metrics": {}}
    crashed = [
        Run(**_fields(run) | failed) if run not in seen and run.method == "ours" else run
        for run in its
    ]
    assert swept(crashed)[0] is State.UNDETERMINED


def test_a_loss_that_grows_as_declared_too_is_no_divergence():
    declared = [
        *sweep_of.runs("ours", "", 93.0, loss_trend=1.5), *sweep_of.runs("base", "", 88.0)
    ]  # fmt: skip
    its = [
        run
        for at in sweep_of.NAMES
        for run in (*sweep_of.runs("ours", at, 93.0, loss_trend=1.5),
                    *sweep_of.runs("base", at, 88.0))
    ]  # fmt: skip
    made = sweep_of.evidence(its)
    usual = Evidence(
        claims=made.claims, runs=(*declared, *its), arms=made.arms, no_arms=made.no_arms
    )
    (found,) = judge(usual, [RULES["RC807"]])
    assert found.state is State.CLEARED, found.message
    assert swept(its)[0] is State.FLAGGED  # as declared it fell: here it diverged
