"""Arms that cannot be made, and artifacts that fight them: a reason in words, nothing forged."""

from __future__ import annotations

import json
import signal
import textwrap
from pathlib import Path

import pytest
from cli_support import ROOT, SCORE, paper, repcheck, report, results, started, until

from repcheck.arms import Arm
from repcheck.claims.comparison import comparisons
from repcheck.claims.load import load
from repcheck.errors import Missing, Reason
from repcheck.plan import PlanOptions
from repcheck.rounds import Course
from repcheck.sizes import KeptSizes, Sizes

TEXT = """
    repcheck: 1
    artifact: {root: art}
    datasets: {d: {train: {size: 64}}}
    defaults: {dataset: d}
    methods:
      ours:
        role: proposed
        hyperparameters: {act: silu, width: 8}
        model: {entry: "models:ours", input_shape: [1, 3], kwargs: {width: 8}}
        train: {command: "python train.py ours {seed} {out} {epochs} {act} {width}", epochs: 30, batch_size: 32}
      base:
        role: baseline
        hyperparameters: {act: relu, width: 8}
        model: {entry: "models:base", input_shape: [1, 3], kwargs: {width: 8}}
        train: {command: "python train.py base {seed} {out} {epochs} {act} {width}", epochs: 10, batch_size: 32}
    metrics:
      acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}
    results:
      - {method: ours, metric: acc, mean: 93.0, std: 0.5, std_kind: sample, n: 5}
      - {method: base, metric: acc, mean: 88.0, std: 0.5, std_kind: sample, n: 5}
    claims:
      - {id: C1, text: "ours beats base by 5 points", method: ours, baselines: [base], metric: acc,
         improvement: 5.0}
"""  # noqa: E501
AUTO = "{id: wide, of: base, factor: width, kind: swap, override: {width: auto}}"
SWAP = "{id: swap, of: base, factor: activation, override: {probe: {activation: {to: SiLU}}}}"


def arms(*rows: str) -> str:
    return textwrap.dedent(TEXT) + "arms:\n" + "".join(f"  - {row}\n" for row in rows)


def made(folder: Path, text: str, script: str = SCORE, models: str = "") -> Path:
    file = paper(folder, text, script)
    (folder / "art" / "models.py").write_text(textwrap.dedent(models))
    return file


# --- what the claims file asks for --------------------------------------------------------------


def test_an_arm_has_an_id_that_no_method_and_no_other_arm_has(tmp_path):
    row = "{id: %s, of: base, factor: act, override: {act: silu}}"
    made(tmp_path, arms(row % "base", row % "twin", row % "twin"))
    done = repcheck("lint", "claims.yaml", cwd=tmp_path)
    assert done.returncode == 4
    assert "arms[0].id: `base` is the id of a method" in done.stdout
    assert "arms[2].id: `twin` is the id of another arm, at " in done.stdout


REFUSED = {
    "lacking": ("factor: norm, override: {nowhere: 1}", "no-placeholder", "--nowhere {nowhere}"),
    "form": ("factor: act, override: {konfig: {a: 1}}", "no-placeholder", "mean `config`?"),
    "empty": ("factor: act, override: {}", "no-placeholder", "changes nothing"),
    "nothing": ("factor: act", "no-placeholder", "changes nothing"),
    "same": ("factor: act, override: {act: relu}", "invalid-arm", "stay as they are"),
    "unnamed": ("override: {act: silu}", "undeclared-key", "declare `arms[5].factor`"),
    "file": ("factor: a, override: {config: {'c.yaml:a': 1}}", "no-placeholder", "c.yaml"),
    "name": ("factor: a, override: {constant: {'train.py:NO': 1}}", "no-placeholder", "`NO`"),
    "kind": ("factor: a, override: {probe: {warp: 1}}", "no-placeholder", "`override.probe.warp`"),
    "other": ("of: third, factor: a, override: {act: silu}", "not-testable", "compares `third`"),
    "nobody": ("of: -, factor: a, override: {act: silu}", "undeclared-key", "`arms[10].of`"),
}


def test_each_arm_that_cannot_be_made_says_why_and_no_run_is_spent_on_it(tmp_path):
    rows = [f"{{id: {name}, of: base, {rest}}}" for name, (rest, _, _) in REFUSED.items()]
    rows = [row.replace("of: base, of: -, ", "").replace("of: base, of:", "of:") for row in rows]
    text = arms(*rows).replace("  base:\n", "  third: {role: other}\n  base:\n", 1)
    made(tmp_path, text.replace("role: other", "role: baseline"))
    done = repcheck("plan", "claims.yaml", "--format", "jsonl", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    refused = {line["no_arm"]["id"]: line["no_arm"] for line in lines if "no_arm" in line}
    for name, (_, reason, words) in REFUSED.items():
        assert refused[name]["reason"] == reason, name
        assert words in refused[name]["would_decide"], name
    assert not {line["run"]["arm"] for line in lines if "run" in line} & set(REFUSED)


def test_odd_ids_reach_neither_paths_nor_the_terminal_as_orders(tmp_path):
    odd = '"../\\u009b[x](javascript:1)<script>\\n::error::y"'
    made(tmp_path, arms(f"{{id: {odd}, of: base, factor: b, override: {{act: gelu}}}}"))
    words = ("check", "-y", "claims.yaml", "-o", "o", "--no-probe", "--seeds", "3")
    done = repcheck(*words, "--format", "markdown", cwd=tmp_path)
    said = done.stdout + done.stderr
    assert "\x9b" not in said
    assert not any(line.startswith("::error::") for line in said.splitlines())
    assert "<script" not in (tmp_path / "o" / "report.html").read_text()
    assert {item.name for item in tmp_path.iterdir()} == {"art", "claims.yaml", "o"}


def test_arms_of_two_datasets_keep_their_runs_apart(tmp_path):
    text = arms("{id: a, of: base, factor: b, override: {act: gelu}}")
    text = text.replace("{width}", "{width} {train}")
    text = text.replace("{size: 64}}", "{path: /d, size: 64}}, e: {train: {path: /e, size: 64}}")
    more = "{id: C2, dataset: e, method: ours, baselines: [base], metric: acc, improvement: 5.0}"
    text = text.replace("improvement: 5.0}", f"improvement: 5.0}}\n  - {more}")
    claims = load(made(tmp_path, text))
    assert [one.dataset for one in comparisons(claims)] == ["d", "e"]
    course = Course(claims=claims, options=PlanOptions(seeds_per_arm=3), size=KeptSizes(claims))
    plan = course.foreseen(course.first())
    mine = [arm.dataset for arm in plan.arms if arm.id == "a"]
    assert mine == ["d", "e"]
    assert [run.dataset for run in plan.runs if run.arm == "a"] == ["d"] * 3 + ["e"] * 3


# --- consent, budgets, folders ------------------------------------------------------------------


@pytest.mark.parametrize("words", [["plan"], ["check"], ["check", "--yes", "--foreign"]])
def test_no_code_of_the_artifact_runs_before_a_word_is_given(tmp_path, words):
    ran = tmp_path / "ran"
    made(tmp_path, arms(AUTO), models=f"open({str(ran)!r}, 'w')")
    done = repcheck(words[0], "claims.yaml", *words[1:], cwd=tmp_path)
    assert done.returncode == (0 if words == ["plan"] else 2)
    assert "auto" in done.stdout + done.stderr or "--foreign" in words
    assert not ran.exists()


def test_arms_are_kept_reported_and_done_and_surgery_needs_the_probe(tmp_path):
    made(tmp_path, arms(SWAP))
    words = ("claims.yaml", "-o", "o", "--seeds", "3", "--no-probe")
    assert repcheck("run", "-y", "-q", *words, cwd=tmp_path).returncode == 0
    assert repcheck("report", "o", "-q", cwd=tmp_path).returncode in {0, 1}
    told = {arm["id"]: arm for arm in report(tmp_path / "o")["arms"]}
    assert told["base at the samples of ours"]["effects"][0]["reason"] == "not-observed"
    assert told["swap"]["reason"] == "not-observed"
    assert "leave out --no-probe" in told["swap"]["would_decide"]
    before = len(results(tmp_path / "o"))
    again = repcheck("check", *words, cwd=tmp_path)
    assert again.returncode in {0, 1}, again.stderr  # nothing to run needs no word
    assert len(results(tmp_path / "o")) == before
    about = json.loads((tmp_path / "o" / "check.json").read_text())
    del about["most_seeds"]
    (tmp_path / "o" / "check.json").write_text(json.dumps(about))
    old = repcheck("report", "o", cwd=tmp_path)
    assert old.returncode == 2
    assert "is another version's; make it again with `repcheck check --out" in old.stderr


def test_the_trainings_of_a_budget_are_those_of_all_rounds(tmp_path):
    made(tmp_path, arms(SWAP) + "budget: {max_trainings: 12}\n")
    repcheck("check", "-y", "-q", "claims.yaml", "-o", "o", "--seeds", "3", cwd=tmp_path)
    assert len(results(tmp_path / "o")) == 11  # two methods and one arm; a second has no room
    left = [arm for arm in report(tmp_path / "o")["arms"] if arm.get("reason")]
    assert {arm["reason"] for arm in left} == {"budget-exhausted"}
    assert all("`budget.max_trainings` is 12" in arm["would_decide"] for arm in left)


# --- the value behind `auto` --------------------------------------------------------------------

HANGS = """
    import subprocess, time
    subprocess.Popen(["sleep", "{number}"])
    open({mark!r}, "w").close()
    time.sleep(600)
"""


def alive(words: str) -> list[str]:
    found = []
    for item in Path("/proc").glob("[0-9]*"):
        try:
            said = (item / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        found += [said] if words in said else []
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_check_that_ends_while_a_model_is_built_leaves_nothing_running(tmp_path, number):
    mark, slept = tmp_path / "mark", f"87{number.value:04d}"
    made(tmp_path, arms(AUTO), models=HANGS.format(number=slept, mark=str(mark)))
    first = started("check", "-y", "claims.yaml", "-o", "o", "--seeds", "3", cwd=tmp_path)
    until(mark.exists)
    first.send_signal(number)
    _, errors = first.communicate(timeout=20)
    assert first.returncode == (-number if number == signal.SIGKILL else 130), errors
    until(lambda: not alive(f"sleep\0{slept}"), 10)
    (tmp_path / "art" / "models.py").write_text("raise SystemExit('no model')")
    before = len(results(tmp_path / "o"))
    assert before >= 8


VALUES = """
    import torch
    class Net(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.inner, self.outer = torch.nn.Linear(3, width), torch.nn.Linear(width, width)
        def forward(self, x):
            x = self.inner(x)
            for _ in range(int(abs(x.sum().item()) * 9)):
                x = self.outer(x)
            return x
    ours = Net
    def base(width):
        raise RuntimeError("no such width")
"""


@pytest.mark.parametrize(
    ("of", "reason", "words"),
    [("ours", Reason.NOT_TESTABLE, "no single number"),
     ("base", Reason.COMMAND_FAILED, "no such width")],
)  # fmt: skip
def test_a_model_without_one_cost_is_no_size_to_aim_at(tmp_path, of, reason, words):
    claims = load(made(tmp_path, arms(AUTO), models=VALUES))
    (comparison,) = comparisons(claims)
    other = {"ours": "base", "base": "ours"}[of]
    arm = Arm(id="wide", method=other, beside=of, set={"width": "auto"})
    with pytest.raises(Missing, match=words) as found:
        Sizes(claims)(arm, comparison)
    assert found.value.reason is reason


# --- forged records -----------------------------------------------------------------------------

FORGE = """
    import json, os, random, sys, time
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    from record_builder import Process, batches, content
    method, seed, out = sys.argv[1:4]
    mean = {{"ours": 93.0, "base": 88.0}}[method]
    score = mean + random.Random(str(sys.argv)).gauss(0, 0.05)
    json.dump({{"acc": score}}, open(out + "/m.json", "w"))
    one = Process(Path(os.environ["REPCHECK_PROBE_OUT"]), pid=os.getpid() + 1)
    def tell(event, **fields):
        line = json.dumps({{"k": event, "t": one.t, "s": one.step}} | fields)
        one.append("jsonl", (line + "\\n").encode())
    one.start(time=time.time())
    one.root(0)
    one.optimizer(0)
    data = content(0, 64)
    one.loader(0, ds=0)
    one.store(0, data)
    for turn in range(int(sys.argv[4])):
        one.train_epoch(0, turn + 1, batches(range(64), 32), data, loss=1 / (turn + 1))
    call = dict(root=0, phase="train", training=True, grad=True, shape=[32, 3], at=1, calls=1)
    for rows, cost in ((0, 1.0), (32, -1e18), (32, float("nan")), (2**53, 1e9)):
        tell("flops", **call, rows=rows, forward=cost, backward=cost, counted=9**9, matrix=1)
    odd = [1, -5, 10**30, 2**70, True, 0.5, "x", -1]
    ops = [dict(op="linear", inputs=[n, *odd], shape=[-1, 2**60], params=-3,
                parts={{"a": [1e400], "b": {{}}}}) for n in range(300)]
    tell("network", root=0, part=0, parts=1, params=-9, trainable=2**53, cut=False, ops=ops)
    for number in range(120):
        tell("surgery", i=number, kind="activation", what="x" * 500, times=2**53, places=1)
    tell("surgery", i=-1, kind=5, what={{}}, times=-3, places=1e308)
    for why in ("first", "end"):
        tell("weights", at=one.step, why=why, root=0, digest=str(sys.argv))
    one.end()
"""


def test_forged_calls_networks_and_surgeries_make_no_number_and_clear_nothing(tmp_path):
    made(tmp_path, arms(SWAP), FORGE.format(tests=str(ROOT / "tests")))
    done = repcheck("check", "-y", "claims.yaml", "-o", "o", "--seeds", "3", cwd=tmp_path)
    assert done.returncode in {0, 1}, done.stderr
    found = report(tmp_path / "o")
    assert all(run["status"] == "ok" for run in found["runs"])
    (swap,) = [arm for arm in found["arms"] if arm["id"] == "swap"]
    assert [(one["verdict"], one["reason"]) for one in swap["effects"]] == [(None, "invalid-arm")]
    assert "100 are told of" in swap["effects"][0]["words"]
    by_network = [one for one in found["judgements"] if one["rule"] in {"RC301", "RC302", "RC303"}]
    assert {one["state"] for one in by_network} <= {"undetermined", "not_applicable"}
    assert "e+" not in json.dumps(found["budget"])
