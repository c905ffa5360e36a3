"""What was not seen is never shown as nothing, whatever an artifact does to the probe."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from observed_support import observed_beside, runs_beside
from probe_support import observe_raw
from record_builder import TRAIN, Process, batches, content

from repcheck import rules
from repcheck.analysis import observe
from repcheck.claims.load import load
from repcheck.claims.model import Claims
from repcheck.fact import Evidence, Level
from repcheck.facts.agreement import Agreement
from repcheck.judge import judge
from repcheck.observation import Gap, Observation
from repcheck.rule import Judgement, State
from repcheck.runs import Run, SeedKind, Status

ROOT = Path(__file__).parent / "rules"
RULES = rules.load()
SEEN = [path for path in sorted(ROOT.glob("*/*/good*.yaml")) if observed_beside(path).exists()]


def gaps(found: Observation, what: str) -> list[str]:
    return [gap.why for gap in found.gaps if gap.what == what]


# --- facts and rules ask the gaps ---------------------------------------------------------------


@cache
def read(path: Path) -> Claims:
    return load(path)


@cache
def runs_of(path: Path) -> tuple[Run, ...]:
    return tuple(runs_beside(path))


def with_gap(path: Path, what: str) -> tuple[Run, ...]:
    """Return a fixture's runs with a gap in all of them."""
    why = Gap(what=what, why="something was out of sight")
    return tuple(
        replace(run, observation=replace(run.observation, gaps=(*run.observation.gaps, why)))
        if run.observation is not None
        else run
        for run in runs_of(path)
    )


def cleared(path: Path, runs: tuple[Run, ...]) -> list[Judgement]:
    """Return what is cleared by something that a probe saw."""
    found = judge(Evidence(claims=read(path), runs=runs), RULES.values())
    return [
        one
        for one in found
        if one.state is State.CLEARED
        # That a run reached its metric is known, whatever else was not seen.
        and not (one.rule == "RC602" and "reached" in one.message)
        and any(quantity.level is Level.OBSERVED for quantity in one.quantities)
    ]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_fixtures_do_clear_something_where_all_was_seen() -> None:
    assert sum(bool(cleared(path, runs_of(path))) for path in SEEN) > 20


@pytest.mark.parametrize("what", ["process", "tampering"])
@pytest.mark.parametrize("path", SEEN, ids=short)
def test_nothing_is_cleared_by_runs_of_which_not_all_was_seen(path: Path, what: str) -> None:
    runs = with_gap(path, what)
    assert [one.message for one in cleared(path, runs)] == []
    claims = read(path)
    agreement = Evidence(claims=claims, runs=runs).get(Agreement)
    lines = [line for method in claims.methods.values() for line in agreement.of(method)]
    assert [line.key for line in lines if line.state == "same"] == []


def test_one_run_out_of_several_that_was_not_seen_whole_keeps_a_method_from_being_cleared() -> None:
    path = next(path for path in SEEN if cleared(path, runs_of(path)))
    runs = runs_of(path)
    again = tuple(replace(run, key=f"{place:064x}", seed=place) for place, run in enumerate(runs))
    doubled = (*runs, *again)
    assert cleared(path, doubled)
    gap = Gap(what="process", why="something was out of sight")
    last = tuple(
        replace(run, observation=replace(run.observation, gaps=(gap,)))
        for run in again
        if run.observation is not None
    )
    assert cleared(path, (*runs, *last)) == []


OF_TRAINING = {
    *("RC101", "RC101b", "RC102", "RC103", "RC103b", "RC201", "RC201b", "RC202", "RC202b"),
    *("RC204", "RC204b", "RC406", "RC406b", "RC407", "RC509", "RC815", "RC820", "RC828"),
}


@pytest.mark.parametrize("path", SEEN, ids=short)
def test_nothing_of_the_training_is_cleared_where_the_training_was_not_seen(path: Path) -> None:
    told = {one.rule for one in cleared(path, with_gap(path, "training"))}
    assert told & OF_TRAINING <= ({"RC509"} if "transductive" in path.name else set())
    unseen = tuple(
        replace(run, observation=replace(run.observation, training=None, averages=()))
        if run.observation is not None
        else run
        for run in runs_of(path)
    )
    told = {one.rule for one in cleared(path, unseen) if "RC509" not in one.rule}
    fitted = any(run.observation and run.observation.fits for run in unseen)
    assert fitted or told & OF_TRAINING == set()


# --- records with holes, and forged ones --------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Process:
    process = Process(tmp_path)
    process.start(pid=100, time=1000.0)
    process.optimizer()
    process.root()
    return process


def play(process: Process, epochs: int = 2) -> None:
    rows = content(0, 64)
    process.loader(0, ds=0)
    process.store(0, rows)
    for it in range(1, epochs + 1):
        process.train_epoch(0, it, batches(range(64), 32), rows)


def test_a_whole_record_has_no_gap(run: Process) -> None:
    play(run)
    run.end()
    assert observe(run.folder).gaps == ()


def test_steps_that_are_told_of_and_not_there_are_tampering(run: Process) -> None:
    play(run)
    run.end()
    steps = run.path("steps")
    steps.write_bytes(steps.read_bytes()[:128])
    found = observe(run.folder)
    assert gaps(found, "tampering")
    assert "speaks of 4 steps, and 2 are in its record" in gaps(found, "training")[0]


def test_steps_with_a_hole_are_tampering(run: Process) -> None:
    play(run)
    run.end()
    steps = run.path("steps")
    data = steps.read_bytes()
    steps.write_bytes(data[:64] + data[128:])
    assert gaps(observe(run.folder), "tampering")


def test_rows_that_are_told_of_and_not_there_are_a_gap(run: Process) -> None:
    play(run)
    run.end()
    rows = run.path("rows")
    rows.write_bytes(rows.read_bytes()[: rows.stat().st_size // 2])
    found = observe(run.folder)
    assert gaps(found, "rows")
    assert gaps(found, "tampering")


def test_a_first_process_without_an_end_is_a_gap_though_it_never_stepped(run: Process) -> None:
    assert "stops before its end" in gaps(observe(run.folder), "process")[0]


def test_a_helper_that_was_killed_is_none(run: Process) -> None:
    play(run)
    run.end()
    Process(run.folder, pid=101).start(pid=101, ppid=100)
    assert observe(run.folder).gaps == ()


def test_a_record_that_is_older_than_its_run_is_tampering(run: Process) -> None:
    play(run)
    run.end()
    assert observe(run.folder, since=1001.0).gaps == ()
    assert gaps(observe(run.folder, since=5000.0), "tampering")


def test_records_of_more_cpu_time_than_was_taken_are_tampering(run: Process) -> None:
    play(run)
    run.end(cpu=20.0)
    assert gaps(observe(run.folder, cpu_s=10.0), "tampering")
    assert observe(run.folder, cpu_s=20.0).gaps == ()


def test_a_tenth_of_the_cpu_time_out_of_sight_is_a_gap(run: Process) -> None:
    play(run)
    run.end(cpu=80.0)
    assert gaps(observe(run.folder, cpu_s=100.0), "process")


def test_a_recorder_that_gave_up_is_a_gap(run: Process) -> None:
    play(run)
    run.event("error", where="recording stopped", err="No space left on device")
    run.end()
    assert "No space left" in gaps(observe(run.folder), "process")[0]


def test_a_probe_that_did_not_come_to_torch_has_seen_no_training(run: Process) -> None:
    run.event("error", where="_torch", err="ModuleNotFoundError: gone")
    run.end()
    assert gaps(observe(run.folder), "training")


def test_backward_passes_without_a_step_are_no_absence_of_training(run: Process) -> None:
    run.event("first", loss=2.3, chain=["NllLossBackward0"], out=[32, 10], rows=32, at=0)
    run.end()
    found = observe(run.folder)
    assert found.training is None
    assert "no optimizer step that could be seen" in gaps(found, "training")[0]


def test_backward_passes_that_no_step_followed_are_not_counted_as_samples(run: Process) -> None:
    rows = content(0, 64)
    run.loader(0, ds=0)
    run.store(0, rows)
    run.add_step(rows=32 * 41, bwd=41, fwd=41)
    run.train_epoch(0, 1, batches(range(64), 32), rows)
    run.train_epoch(0, 2, batches(range(64), 32), rows)
    run.end()
    found = observe(run.folder)
    assert "40 backward passes" in gaps(found, "samples")[0]
    assert found.training is not None
    assert found.training.samples is None


def test_backward_passes_of_forwards_nobody_saw_leave_the_rows_open(run: Process) -> None:
    rows = content(0, 64)
    run.loader(0, ds=0)
    run.store(0, rows)
    for it in (1, 2):
        run.train_epoch(0, it, batches(range(64), 32), rows, bwd=2)
    run.end()
    assert gaps(observe(run.folder), "rows")


def test_training_after_the_last_step_is_a_gap_where_the_values_are_unknown(run: Process) -> None:
    play(run)
    rows = content(100, 64)
    for batch in batches(rows, 32):
        run.rows(TRAIN, batch, step=run.step + 1)
    run.loader(1, ds=1)
    run.event("weights", at=4, why="end", root=0, digest="trained")
    known = {"held": False, "swapped": None}
    run.evaluate(1, 1, 1, batches(range(64), 32), rows, weights="another", **known)
    run.end()
    found = observe(run.folder)
    assert gaps(found, "weights")
    assert "64 rows were trained through" in gaps(found, "training")[0]


def test_what_is_left_of_an_accumulation_is_no_gap(run: Process) -> None:
    play(run)
    run.rows(TRAIN, content(0, 32), step=run.step + 1)
    run.end()
    assert observe(run.folder).gaps == ()


# --- real processes: the record itself ----------------------------------------------------------

AT_THE_RECORD = (
    "import os\nfrom pathlib import Path\nhere = Path(os.environ['REPCHECK_PROBE_OUT'])\n"
)


@pytest.mark.parametrize(
    "script",
    [
        "[file.unlink() for file in here.iterdir()]",
        "[os.truncate(file, 40) for file in here.iterdir()]",
        "[file.rename(file.with_suffix('.old')) for file in here.iterdir()]",
        "import sys\nsys.modules['_repcheck_inside.recorder'].rec.on = False",
        "import sys\n[sys.modules.pop(name) for name in [*sys.modules] if '_repcheck' in name]",
        "import sys\nsys.meta_path[:] = [one for one in sys.meta_path if isinstance(one, type)]",
    ],
)
def test_what_an_artifact_does_to_the_probe_is_told_of(tmp_path: Path, script: str) -> None:
    done = observe_raw(AT_THE_RECORD + script + "\nprint('whole')\n", tmp_path)
    assert (done.rc, done.out, done.err) == (0, "whole\n", "")
    found = observe(done.folder)
    assert found.seen
    assert gaps(found, "tampering")


@pytest.mark.parametrize(
    "script",
    [
        "os.symlink('/dev/zero', here / '1-00000001.jsonl')",
        "os.mkfifo(here / '2-00000002.jsonl')\nos.mkfifo(here / '3-00000003.steps')",
        "(here / '4-00000004.rows').mkdir()",
        "(here / '5-00000005.rows').write_bytes(b'x' * 1000)",
        "os.closerange(3, 256)",
        "os.chdir('/')",
        "del os.environ['REPCHECK_PROBE_OUT'], os.environ['PYTHONPATH']",
    ],
)
def test_odd_things_in_the_folder_and_the_process_change_nothing(
    tmp_path: Path, script: str
) -> None:
    done = observe_raw(AT_THE_RECORD + script + "\nprint('whole')\n", tmp_path)
    assert (done.rc, done.out, done.err) == (0, "whole\n", "")
    found = observe(done.folder)
    assert found.seen
    assert gaps(found, "everything") == []
    assert [one.ended for one in found.processes if one.argv] == [True]


@pytest.mark.parametrize(
    "command",
    [
        "[sys.executable, '-I', '-c', '1']",
        "[sys.executable, '-S', '-c', '1']",
        "['env', '-i', sys.executable, '-c', '1']",
        "['sh', '-c', 'unset PYTHONPATH; exec ' + sys.executable + ' -E -c 1']",
    ],
)
@pytest.mark.parametrize("how", ["subprocess.run({})", "os.execvp({}[0], {})"])
def test_a_python_without_the_probe_is_told_of(tmp_path: Path, how: str, command: str) -> None:
    script = "import os, subprocess, sys\n" + how.format(command, command)
    done = observe_raw(script, tmp_path)
    assert done.rc == 0
    assert gaps(observe(done.folder), "process")


def test_an_end_without_python_is_not_taken_for_an_end(tmp_path: Path) -> None:
    done = observe_raw("import ctypes\nctypes.CDLL(None)._exit(0)\n", tmp_path)
    assert done.rc == 0
    assert gaps(observe(done.folder), "process")


# --- real processes: trainings that go round the probe ------------------------------------------

TRAININGS = """
import os, sys
from pathlib import Path
import torch
import torch._dynamo  # once, not in every child
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
torch.manual_seed(0)
X, Y = torch.randn(80, 8), torch.randint(3, (80,))
train, test = TensorDataset(X[:40], Y[:40]), TensorDataset(X[40:], Y[40:])
Module, backward = nn.Module, torch.autograd.backward
loss = nn.functional.cross_entropy


def fit(model, data=train, epochs=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(epochs):
        for x, y in DataLoader(data, batch_size=10, shuffle=True):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()


def by_hand(model, data=test, epochs=3):
    for _ in range(epochs):
        for x, y in DataLoader(data, batch_size=10, shuffle=True):
            model.zero_grad()
            loss(model(x), y).backward()
            with torch.no_grad():
                for p in model.parameters():
                    p.data -= 0.1 * p.grad


def without_autograd_in_sight(model, epochs=3):
    params = {k: v.detach() for k, v in model.named_parameters()}
    gradient = torch.func.grad(
        lambda p, x, y: loss(torch.func.functional_call(model, p, (x,)), y)
    )
    for _ in range(epochs):
        params = {k: v - 0.1 * g for (k, v), g in zip(
            params.items(), gradient(params, X[40:], Y[40:]).values())}
    with torch.no_grad():
        for k, p in model.named_parameters():
            p.copy_(params[k])


def evaluate(model):
    model.eval()
    with torch.no_grad():
        for x, _ in DataLoader(test, batch_size=10):
            model(x)


def honest(model):
    fit(model)

def call_put_back(model):
    Module.__call__ = Module.__call__.__wrapped__
    fit(model)

def backward_put_back(model):
    torch.autograd.backward = torch.autograd.backward.__wrapped__
    fit(model)

def hooks_cleared(model):
    sys.modules["torch.optim.optimizer"]._global_optimizer_post_hooks.clear()
    fit(model)

def switched_off(model):
    sys.modules["_repcheck_inside.recorder"].rec.on = False
    fit(model)

def no_optimizer(model):
    by_hand(model)

def by_hand_before(model):
    by_hand(model)
    fit(model)

def by_hand_after(model):
    fit(model)
    by_hand(model)

def functional_after(model):
    fit(model)
    without_autograd_in_sight(model)

def shipped(model):
    fit(model)
    weights = [p.detach().numpy().copy() for p in model.parameters()]
    with torch.no_grad():
        for p, w in zip(model.parameters(), weights):
            p.copy_(torch.from_numpy(w * 1.5))

def steps_cut(model):
    fit(model)
    sys.modules["_repcheck_inside.recorder"].rec.flush()
    for file in Path(os.environ["REPCHECK_PROBE_OUT"]).glob(f"{os.getpid()}-*.steps"):
        os.truncate(file, 128)


for case in sys.argv[1:]:
    pid = os.fork()
    if pid == 0:
        Path(case).write_text(str(os.getpid()))
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        globals()[case](model)
        evaluate(model)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, case
"""
CASES = (
    *("honest", "call_put_back", "backward_put_back", "hooks_cleared", "switched_off"),
    *("no_optimizer", "by_hand_before", "by_hand_after", "functional_after", "shipped"),
    "steps_cut",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Observation]:
    """Return what was seen of each of the trainings, all forked from one process."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("trainings")
    done = observe_raw(TRAININGS, folder, argv=CASES)
    assert done.rc == 0, done.err
    found = {}
    for case in CASES:
        pid, alone = (folder / case).read_text(), folder / f"{case}-alone"
        alone.mkdir()
        for file in done.folder.glob(f"{pid}-*"):
            shutil.copy(file, alone)
        found[case] = observe(alone)
    return found


def test_an_honest_training_among_them_has_no_gap(trained: dict[str, Observation]) -> None:
    found = trained["honest"]
    assert found.gaps == ()
    assert found.training is not None
    assert (found.training.steps, found.training.samples) == (12, 120)
    assert [one.trained for one in found.sets] == [0]


@pytest.mark.parametrize(
    ("case", "what"),
    [
        ("call_put_back", "tampering"),
        ("backward_put_back", "tampering"),
        ("hooks_cleared", "tampering"),
        ("hooks_cleared", "training"),
        ("switched_off", "tampering"),
        ("no_optimizer", "training"),
        ("by_hand_before", "samples"),
        ("by_hand_after", "training"),
        ("functional_after", "training"),
        ("shipped", "weights"),
        ("steps_cut", "tampering"),
        ("steps_cut", "training"),
    ],
)
def test_a_training_that_goes_round_the_probe_leaves_a_gap(
    trained: dict[str, Observation], case: str, what: str
) -> None:
    assert gaps(trained[case], what), trained[case].gaps


CLAIMS = {
    "repcheck": 1,
    "metrics": {"acc": {"higher_is_better": True}},
    "results": [{"method": "ours", "dataset": "toy", "metric": "acc", "mean": 50.0, "n": 1}],
    "claims": [{"id": "C1", "method": "ours", "dataset": "toy", "metric": "acc"}],
    "datasets": {"toy": {"train": {"size": 40}, "test": {"size": 40}}},
    "methods": {
        "ours": {
            "role": "proposed",
            "dataset": "toy",
            "pretrained": "none",
            "ema": False,
            "optimizer": {"type": "SGD", "lr": 0.1},
            "lr_schedule": {"type": "constant"},
            "model_selection": {"checkpoint": "last"},
            "train": {"epochs": 3, "batch_size": 10, "grad_accum": 1, "devices": 1},
        }
    },
}


@pytest.mark.parametrize("case", [case for case in CASES if case != "honest"])
def test_neither_length_nor_leak_is_cleared_then(
    trained: dict[str, Observation], tmp_path: Path, case: str
) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(json.dumps(CLAIMS))
    whole, evaded = (
        {one.rule for one in cleared(path, one_run(trained[name]))} for name in ("honest", case)
    )
    assert {"RC102b", "RC509"} <= whole
    assert {"RC102b", "RC509"} & evaded == set()


def one_run(seen: Observation) -> tuple[Run, ...]:
    one = {"key": "a" * 64, "arm": "ours", "method": "ours", "dataset": "toy", "seed": 1}
    return (Run(**one, seed_kind=SeedKind.FRESH, status=Status.OK, observation=seen),)
