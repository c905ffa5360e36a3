"""What was computed and not reported: metrics beside the reported ones, and further datasets."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from cli_support import CLAIMS, paper, repcheck

from repcheck import rules
from repcheck.claims.load import load
from repcheck.fact import Evidence, Level
from repcheck.judge import judge
from repcheck.machine import stored
from repcheck.metric_names import meaning
from repcheck.named.found import Declared
from repcheck.named.look import Asked, Look, look
from repcheck.plan import PlanOptions, make_plan
from repcheck.record import Record
from repcheck.rule import Judgement, Severity, State
from repcheck.runs import Run, SeedKind, Status

RULES = rules.load()
ARMS = ("ours", "base")

# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "kind", "up"),
    [
        ("accuracy test.acc top5_acc acc@1 macroF1 f1-score balancedAccuracy roc_auc", "metric", 1),
        ("R2 r2_score spearman psnr_y ms_ssim mIoU mAP50 BLEU-4 rougeL recall@10", "metric", 1),
        ("worst_class_accuracy macro.avg.f1-score train_acc", "metric", 1),
        ("error nll ECE brier mean_squared_error rmse fid LPIPS ppl wer test/CER", "metric", 0),
        ("recall precision sensitivity", "half", 1),
        (
            "loss test_loss lr grad_norm epoch wall_s seed memory_mb n_test params",
            "diagnostic",
            None,
        ),
        ("best_acc accuracy_std", "diagnostic", None),
        ("ema_accuracy class_3_accuracy fold_2.acc adv_acc recall_3 energy_score", "unknown", None),
    ],
)
def test_a_name_means_what_the_field_agrees_on_and_nothing_more(names, kind, up):
    found = {name: meaning(name) for name in names.split()}
    assert {name: said.kind for name, said in found.items()} == dict.fromkeys(found, kind)
    wanted = None if up is None else bool(up)
    assert {name: said.up for name, said in found.items()} == dict.fromkeys(found, wanted)
    assert meaning("train_acc").split == "train"
    assert meaning("val.f1").split == "val"


# --- metrics ------------------------------------------------------------------------------------

HEAD = """
repcheck: 1
methods: {ours: {role: proposed}, base: {role: baseline}}
metrics: {accuracy: {higher_is_better: true, unit: percent, from: "{out}/m.json:METRIC"}}
results:
  - {method: ours, metric: accuracy, mean: 93.1}
  - {method: base, metric: accuracy, mean: 87.9}
claims:
  - {id: C1, method: ours, baselines: [base], metric: accuracy, improvement: 5.2}
"""
Rows = Mapping[str, list[tuple[float, Mapping[str, float] | None]]]


def asked(folder: Path, rows: Rows, text: str = HEAD, metric: str = "accuracy") -> Judgement:
    """Return RC501b's answer; `rows` hold accuracy and the numbers beside, seed by seed."""
    file = folder / "claims.yaml"
    file.write_text(text.lstrip().replace("METRIC", metric))
    runs = tuple(
        Run(
            key=f"{arm}{seed}",
            arm=arm,
            method=arm,
            dataset="",
            seed=seed,
            seed_kind=SeedKind.FRESH,
            status=Status.OK,
            metrics={"accuracy": accuracy},
            others=others,
        )
        for arm, side in rows.items()
        for seed, (accuracy, others) in enumerate(side)
    )
    [found] = judge(Evidence(claims=load(file), runs=runs), [RULES["RC501b"]])
    return found


def drawn(rng: np.random.Generator, gains: Mapping[str, float], n: int = 5) -> Rows:
    """Draw accuracy and metrics of one standard deviation; the method gains so many of them."""
    return {
        arm: [
            (
                float(90 + 5 * (arm == "ours") + rng.standard_normal()),
                {
                    name: float(50 + gain * (arm == "ours") + rng.standard_normal())
                    for name, gain in gains.items()
                },
            )
            for _ in range(n)
        ]
        for arm in ARMS
    }


def test_a_dozen_equal_metrics_left_out_are_seldom_called_worse(tmp_path):
    names = [f"rouge{n}" for n in range(12)]
    rng = np.random.default_rng(1)
    found = [asked(tmp_path, drawn(rng, dict.fromkeys(names, 0.0))) for _ in range(60)]
    assert sum(one.state is State.FLAGGED for one in found) <= 6  # 5 % and its noise
    assert all(one.state in {State.FLAGGED, State.CLEARED} for one in found)


def test_a_metric_that_is_worse_is_found_among_a_dozen(tmp_path):
    gains = {f"rouge{n}": 0.0 for n in range(11)} | {"bleu": -5.0}
    rng = np.random.default_rng(2)
    found = [asked(tmp_path, drawn(rng, gains)) for _ in range(10)]
    assert all("`bleu` is" in one.message and "(n = 5 + 5)" in one.message for one in found)
    assert {one.severity for one in found} <= {Severity.MINOR, Severity.MAJOR}


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("error", lambda a: 1 - a / 100),
        ("error", lambda a: 100 - a),
        ("acc", lambda a: a / 100),
        ("accuracy_pct", lambda a: round(a, 2)),
    ],
)
def test_a_number_that_repeats_the_reported_one_is_no_metric_more(tmp_path, name, function):
    rng = np.random.default_rng(3)
    values = {arm: 88 + 5 * (arm == "ours") + rng.standard_normal(5) for arm in ARMS}
    rows = {arm: [(float(a), {name: function(float(a))}) for a in values[arm]] for arm in ARMS}
    found = asked(tmp_path, rows)
    assert found.state is State.CLEARED
    assert f"says the same: {name} as accuracy" in found.limit
    assert [q.value for q in found.quantities] == [0]


def test_rmse_and_mse_count_once_and_so_do_likelihood_and_perplexity(tmp_path):
    rng = np.random.default_rng(4)
    rows = drawn(rng, {"mse": 0.0, "nll": 0.0})
    for side in rows.values():
        for _, beside in side:
            beside["nll"] /= 25  # type: ignore[index]
            beside["rmse"] = beside["mse"] ** 0.5  # type: ignore[index]
            beside["perplexity"] = float(np.exp(beside["nll"]))  # type: ignore[index]
    found = asked(tmp_path, rows)
    assert found.state is State.CLEARED
    assert "writes 3 metrics" in found.message
    assert "rmse as mse, perplexity as nll" in found.limit


@pytest.mark.parametrize("path", ["train.acc", "val.f1", "loss", "recall", "time_s"])
def test_other_splits_diagnostics_and_one_side_of_a_trade_off_are_never_held_against(
    tmp_path, path
):
    found = asked(tmp_path, drawn(np.random.default_rng(5), {path: -9.0, "test.f1": 1.0}))
    assert found.state is State.CLEARED


def test_beside_a_number_of_the_validation_split_that_split_counts(tmp_path):
    rows = drawn(np.random.default_rng(6), {"val.f1": -9.0})
    found = asked(tmp_path, rows, metric="val.accuracy")
    assert found.state is State.FLAGGED
    assert "`f1` is" in found.message


def test_equal_seeds_are_compared_as_they_are_and_a_trifle_is_none(tmp_path):
    rows = {
        arm: [(90.0 + (arm == "ours"), {"f1": 0.9 - 0.1 * (arm == "ours")})] * 3 for arm in ARMS
    }
    assert asked(tmp_path, rows).state is State.FLAGGED
    rows = {
        arm: [(90.0 + (arm == "ours"), {"f1": 0.9 - 1e-4 * (arm == "ours")})] * 3 for arm in ARMS
    }
    assert asked(tmp_path, rows).state is State.CLEARED


@pytest.mark.parametrize(
    "others",
    [None, {"f1": float("nan")}, {"f1": float("inf")}, {"f1": 1e300}, {"thing": 1.0}],
    ids=str,
)
def test_what_cannot_be_compared_is_never_called_cleared_of_it(tmp_path, others):
    rows = {arm: [(90.0 + seed, others) for seed in range(5)] for arm in ARMS}
    found = asked(tmp_path, rows)
    if others is None or "thing" in others:
        assert found.state is State.UNDETERMINED
        assert found.would_decide
    else:
        assert "f1" not in found.message


def test_what_one_arm_alone_writes_is_told_and_not_judged(tmp_path):
    rows = drawn(np.random.default_rng(7), {})
    rows = rows | {"ours": [(a, {"f1": 0.5}) for a, _ in rows["ours"]]}
    found = asked(tmp_path, rows)
    assert found.state is State.UNDETERMINED
    assert "f1" in found.message


def test_a_paper_about_cost_gets_a_note(tmp_path):
    text = HEAD.replace("improvement: 5.2", "type: efficiency, improvement: 5.2")
    found = asked(tmp_path, drawn(np.random.default_rng(8), {"f1": -9.0}), text)
    assert (found.state, found.severity) == (State.FLAGGED, Severity.NOTE)


def test_a_record_from_before_the_look_beside_still_loads_as_not_looked_at(tmp_path):
    path = tmp_path / "record.json"
    record = Record(key="k", attempt=1, status=Status.OK, metrics={"acc": 1.0}, others={"f1": 0.5})
    path.write_bytes(stored.dumps(record))
    assert stored.record(path) == record
    old = json.loads(path.read_text())
    del old["others"]
    path.write_text(json.dumps(old))
    found = stored.record(path)
    assert found is not None
    assert found.others is None


TEN = """
    import json, random, sys
    method, seed, out = sys.argv[1:4]
    ours, draw = method == "ours", random.Random(method + seed).gauss
    score = {"acc": 88 + 5 * ours + draw(0, 0.5)}
    score |= {name: 0.80 + 0.05 * ours + draw(0, 0.004) for name in ("auc", "f1")}
    worse = ("balanced_accuracy", "mcc", "kappa", "macro_f1", "top5", "weighted_f1", "auprc")
    score |= {name: 0.86 - 0.04 * ours + draw(0, 0.004) for name in worse}
    score |= {"error": 100 - score["acc"], "test_loss": 1.0 + ours, "epoch": 30, "note": "x"}
    json.dump(score, open(out + "/m.json", "w"))
"""
THREE = (
    "acc: {higher_is_better: true, unit: percent, from: '{out}/m.json:acc'}\n"
    "      auc: {higher_is_better: true, unit: fraction, from: '{out}/m.json:auc'}\n"
    "      f1: {higher_is_better: true, unit: fraction, from: '{out}/m.json:f1'}"
)
ROWS = "".join(
    f"- {{method: {method}, metric: {name}, mean: {mean}}}\n      "
    for name in ("auc", "f1")
    for method, mean in (("ours", 0.85), ("base", 0.80))
)


def test_ten_metrics_computed_and_three_reported_are_found_by_a_check(tmp_path):
    text = CLAIMS.replace(
        'acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}', THREE
    )
    text = text.replace("results:\n      ", f"results:\n      {ROWS}")
    paper(tmp_path, text.rstrip() + "\n    budget: {seeds_per_arm: 3}\n", TEN)
    done = repcheck(
        "check", "--yes", "claims.yaml", "-o", "out", "--no-probe", "--quiet", cwd=tmp_path
    )
    assert done.returncode in {1, 3}, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    [found] = [j for j in report["judgements"] if j["rule"] == "RC501b"]
    assert (found["state"], found["severity"], found["level"]) == ("flagged", "major", "rerun")
    assert "writes 10 metrics; the paper reports 3; of the 7 others" in found["message"]
    assert "p = 0.0083" in found["message"]
    assert "behind on 7 of 7" in found["message"]


# --- datasets -----------------------------------------------------------------------------------


def looked(root: Path, *commands: str, declared: tuple[str, ...] = ("digits",)) -> Look:
    found = look(
        root,
        Asked(
            commands=tuple(("", tuple(command.split())) for command in commands),
            methods=("ours", "base"),
            proposed=("ours",),
            declared=Declared.of(declared),
        ),
    )
    assert found is not None
    return found


def names(found: Look) -> dict[str, str]:
    return {one.name: one.where for one in found.others}


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    "code",
    [
        "p.add_argument('-d', '--dataset', choices=['digits', 'wine'])",
        "NAMES = ('digits',) + ('wine',)\np.add_argument('--data-set', choices=sorted(NAMES))",
        "DATASETS = {'digits': 1, 'wine': 2}",
        "@click.option('--dataset', type=click.Choice(['digits', 'wine']))\ndef main(): pass",
        "def main(dataset: Literal['digits', 'wine']): pass",
        "if args.dataset == 'digits': a()\nelif args.dataset == 'wine': b()",
        "from sklearn.datasets import load_digits as d, load_wine\nd()\nload_wine()",
        "from sklearn import datasets\ndatasets.load_digits()\ndatasets.load_wine()",
        "import sklearn.datasets as ds\nx = {'w': ds.load_wine}",
        "from datasets import load_dataset\nload_dataset('uci/wine', split='test')",
    ],
)
def test_datasets_are_found_in_what_the_commands_reach(tmp_path, code):
    root = tree(tmp_path, train_DOT_py="import pkg.data\n", pkg__data_DOT_py=code)
    found = {name.rpartition("/")[2] for name in names(looked(root, "python train.py"))}
    assert found == {"wine"}
    assert names(looked(root, "python other.py")) == {}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("run.sh", "for d in digits wine; do\n  python train.py \\\n   --dataset ${d}\ndone"),
        ("README.md", "```\npython train.py --dataset=wine\n```"),
        ("conf/ours.yaml", "dataset: wine  # small"),
        ("conf/ours.yaml", "data:\n  - digits\n  - wine\n"),
        ("conf/ours.json", '{"lr": 1, "dataset": "wine", "task": "digits"}'),
        ("conf/ours.toml", "datasets = ['digits', 'wine']"),
        ("configs/ours_wine.yaml", "lr: 1"),
    ],
)
def test_datasets_are_found_in_scripts_pages_and_configurations(tmp_path, file, text):
    tree(tmp_path, train_DOT_py="", configs__ours_digits_DOT_yaml="lr: 1")
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert set(names(looked(tmp_path, "python train.py"))) == {"wine"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("README.md", "Never use `train.py --dataset wine`, says this line outside of a block."),
        ("run.sh", "python somebody_elses.py --dataset wine"),
        ("conf/theirs.yaml", "dataset: wine"),
        ("third_party/run.sh", "python train.py --dataset wine"),
        ("tests/run.sh", "python train.py --dataset wine"),
        (".cache/run.sh", "python train.py --dataset wine"),
        ("more.py", "from sklearn.datasets import load_wine\nload_wine()"),
        ("results/digits.json", '{"acc": 1}'),
        ("results/lr_sweep.json", '{"acc": 1}'),
        ("conf/ours.yaml", "dataset: all\ntask: classification\nenv: cuda"),
        ("conf/ours.yaml", "dataset: load_digits\ndata: data/Digits.csv"),
    ],
)
def test_what_is_not_the_papers_own_names_nothing(tmp_path, file, text):
    tree(tmp_path, train_DOT_py="")
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert names(looked(tmp_path, "python train.py")) == {}


def test_a_catalogue_of_a_framework_is_left_out_and_told(tmp_path):
    choices = ["digits", *(f"set{n}x" for n in range(40))]
    tree(tmp_path, train_DOT_py=f"p.add_argument('--dataset', choices={choices})")
    found = looked(tmp_path, "python train.py")
    assert found.others == ()
    assert found.zoos == ("train.py:1",)


def test_results_of_another_form_or_of_names_the_code_does_not_know_are_none(tmp_path):
    code = "p.add_argument('--dataset', choices=['digits', 'wine', 'iris'])"
    tree(tmp_path, train_DOT_py=code)
    same = {f"results/{name}_seed{n}.json": '{"acc": 9}' for n in (0, 1)
            for name in ("digits", "wine", "sweep")}  # fmt: skip
    for name, text in (same | {"results/iris_seed0.json": '{"hours": 3}'}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {one.name: one.results for one in looked(tmp_path, "python train.py").others}
    assert found == {"wine": True, "iris": False}


def test_a_hostile_artifact_is_read_within_bounds_and_what_was_not_is_counted(tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "run.sh").write_text("python train.py --dataset wine")
    root = tmp_path / "art"
    tree(
        root,
        train_DOT_py="import deep, broken, large",
        deep_DOT_py="(" * 100_000,
        broken_DOT_py="def",
        large_DOT_py="x = 1\n" * 200_000,
        bytes_DOT_sh="train.py --dataset " + "\x00\ud800".encode("utf-8", "replace").decode(),
        ours_DOT_json='{"dataset": ' * 50_000,
        results__digits_DOT_json="[" * 100_000,
        results__wine_DOT_json="[" * 100_000,
        ours_DOT_csv="dataset," * 20_000 + '\n"' + "digits," * 20_000,
    )
    (root / "linked").symlink_to(secret)
    (root / "run.sh").symlink_to(secret / "run.sh")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.sh")
    found = looked(root, "python train.py", "python ../../secret/run.sh", "python /etc/passwd")
    assert "wine" not in names(found)
    assert {"deep.py", "broken.py", "large.py"} <= set(found.unread)
    nothing = Asked(commands=(), methods=(), proposed=(), declared=Declared.of(()))
    assert look(tmp_path / "loop" / "none", nothing) is None


def test_what_is_proposed_to_write_makes_the_runs_on_the_other_dataset(tmp_path):
    text = """
    repcheck: 1
    artifact: {root: art}
    datasets: {digits: {data: digits}}
    methods:
      ours: {role: proposed, train: {command: "python train.py --dataset {data} {seed} {out}"}}
      base: {role: baseline, train: {command: "python train.py --dataset {data} {seed} {out}"}}
    metrics:
      acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}
    results:
      - {method: ours, dataset: digits, metric: acc, mean: 93.0}
      - {method: base, dataset: digits, metric: acc, mean: 88.0}
    claims:
      - {id: C1, method: ours, baselines: [base], dataset: digits, metric: acc, improvement: 5.0}
    """
    code = "p.add_argument('--dataset', choices=['digits', 'wine'])"
    claims = load(paper(tmp_path, text, code))
    [found] = judge(Evidence(claims=claims), [RULES["RC502b"]])
    assert (found.state, found.reason, found.level) == (
        State.UNDETERMINED,
        "needs-human",
        Level.STATIC,
    )
    data, claim = found.would_decide.split("`")[-4:-1:2]
    assert "write the dataset in the commands" not in found.would_decide
    text = text.replace("digits: {data: digits}", "digits: {data: digits}, " + data[11:-1])
    more = load(paper(tmp_path, f"{text.rstrip()}\n      - {claim}\n", code))
    runs = make_plan(more, PlanOptions()).runs
    assert {run.dataset for run in runs} == {"digits", "wine"}
    on_wine = [run.commands[0] for run in runs if run.dataset == "wine"]
    assert on_wine
    assert all("wine" in argv for argv in on_wine)
