"""What the probe counts of real trainings, and that it changes none of them."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.probe_support import (
    Process,
    observe_raw,
    probe_env,
    read_base,
    run_plain,
)

TRAIN, EVAL, AUX, STORAGE, BATCH, UNSURE = 1, 2, 3, 4, 5, 8

PRELUDE = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
torch.set_num_threads(1)
X, Y = torch.randn(96, 16), torch.randint(0, 3, (96,))
T, U = torch.randn(40, 16), torch.randint(0, 3, (40,))
train = DataLoader(TensorDataset(X, Y), batch_size=32, shuffle=True)
test = DataLoader(TensorDataset(T, U), batch_size=20)
model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
def learn(x, y):
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
"""


SERVER = """
import os, sys, traceback, gc
import numpy, torch, torch._dynamo, torch.utils.data
from torch import nn
torch.set_num_threads(1)
gc.collect()
for line in iter(sys.stdin.readline, ""):
    folder = line.strip()
    child = os.fork()
    if not child:
        os.chdir(folder)
        code = 1
        try:
            with open("script.py") as file:
                text = file.read()
            exec(compile(text, "script.py", "exec"), {"__name__": "__main__"})
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    print("done", child, os.WEXITSTATUS(status), flush=True)
"""


class Server:
    """A process with torch and the probe in it, that forks for each script: torch loads once."""

    def __init__(self, folder: Path) -> None:
        self.record = folder / "record"
        self.record.mkdir()
        (folder / "server.py").write_text(SERVER)
        self.errors = (folder / "errors").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "server.py")],
            env=probe_env(self.record, REPCHECK_PROBE_BUDGET="1"), cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
        )  # fmt: skip

    def run(self, script: str, folder: Path) -> tuple[Process, list[str]]:
        """Run a script in a fork; return its record and what it printed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        (folder / "script.py").write_text(script)
        self.errors.truncate(0)
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        printed: list[str] = []
        for line in iter(self.process.stdout.readline, ""):
            if line.startswith("done "):
                break
            printed.append(line.rstrip("\n"))
        else:
            raise AssertionError("the server is gone")
        _, pid, code = line.split()
        assert code == "0", Path(self.errors.name).read_text()
        return read_base(self.record, next(self.record.glob(f"{pid}-*.jsonl")).stem), printed


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    SERVERS[:] = [made]
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    made.process.wait(20)


SERVERS: list[Server] = []
pytestmark = pytest.mark.usefixtures("server")


def probed(script: str, tmp_path: Path) -> Process:
    seen, _ = printed(script, tmp_path)
    return seen


def printed(script: str, tmp_path: Path) -> tuple[Process, list[str]]:
    seen, lines = SERVERS[0].run(PRELUDE + script, tmp_path)
    assert seen.of("error") == []
    assert seen.of("tamper") == []
    return seen, lines


def rows(process: Process, *layers: int) -> Counter[int]:
    """Return how often each row was hashed in these layers."""
    return Counter(h for block in process.rows if block.layer in layers for h in block.hashes)


def summed(process: Process, field: str) -> float:
    return sum(step[field] for step in process.steps)


def stored(process: Process, number: int) -> set[int]:
    """Return the rows that the dataset with so many rows holds."""
    [event] = [event for event in process.of("storage") if event["rows"] == number]
    blocks = [block for block in process.rows if block.layer == STORAGE]
    return {h for block in blocks if block.id == event["ds"] for h in block.hashes}


PLAIN = """
for _ in range(3):
    model.train()
    for x, y in train:
        learn(x, y)
    model.eval()
    with torch.no_grad():
        for x, y in test:
            model(x)
"""


def test_a_plain_loop_is_counted_exactly(tmp_path: Path) -> None:
    seen = probed(PLAIN, tmp_path)
    assert [step["step"] for step in seen.steps] == list(range(1, 10))
    for step in seen.steps:
        wanted = {"rows": 32, "rows_unsure": 0, "fwd": 1, "again": 0, "bwd": 1, "groups": 1}
        assert {name: step[name] for name in wanted} == wanted
        assert step["lr"] == step["lr_last"] == 0.1
        assert math.isfinite(step["loss"])
    times = [step["t"] for step in seen.steps]
    assert times == sorted(times)
    assert {step["opt"] for step in seen.steps} == {seen.of("optimizer")[0]["i"]}
    assert seen.of("end")[0]["steps"] == 9


def test_the_rows_of_a_plain_loop_are_hashed_exactly(tmp_path: Path) -> None:
    seen = probed(PLAIN, tmp_path)
    trained, evaluated = rows(seen, TRAIN), rows(seen, EVAL)
    assert set(trained) == stored(seen, 96)
    assert set(evaluated) == stored(seen, 40)
    assert set(trained.values()) == set(evaluated.values()) == {3}
    assert not rows(seen, AUX, BATCH, UNSURE)
    assert all(b.flags & 1 for b in seen.rows if b.layer in {TRAIN, EVAL})


def test_the_passes_of_a_plain_loop_are_told_apart(tmp_path: Path) -> None:
    seen = probed(PLAIN, tmp_path)
    passes = seen.of("eval")
    assert [(p["at"], p["rows"], p["fwd"], p["batches"], p["drawn"]) for p in passes] == [
        (3, 40, 2, 2, 40), (6, 40, 2, 2, 40), (9, 40, 2, 2, 40)
    ]  # fmt: skip
    assert [p["n"] for p in passes] == [1, 2, 3]
    [loader] = [event["i"] for event in seen.of("loader") if event["n"] == 40]
    assert all(p["loaders"] == {str(loader): 2} for p in passes)
    assert not any(p["train_mode"] or p["grad"] for p in passes)
    assert all(p["held"] is True for p in passes)
    blocks = [block for block in seen.rows if block.layer == EVAL]
    assert Counter(b.pass_ for b in blocks for _ in b.hashes) == {1: 40, 2: 40, 3: 40}


def test_the_loaders_of_a_plain_loop_are_followed(tmp_path: Path) -> None:
    seen = probed(PLAIN, tmp_path)
    big, small = sorted(seen.of("loader"), key=lambda e: -e["n"])
    assert (big["batch_size"], big["sampler"], big["workers"]) == (32, "RandomSampler", 0)
    assert small["sampler"] == "SequentialSampler"
    ends = [(e["i"], e["it"], e["batches"], e["drawn"], e["done"]) for e in seen.of("loader_end")]
    assert sorted(ends) == sorted(
        [(big["i"], it, 3, 96, True) for it in (1, 2, 3)]
        + [(small["i"], it, 2, 40, True) for it in (1, 2, 3)]
    )
    drawn = [i for loader, _, block in seen.indices if loader == big["i"] for i in block]
    assert Counter(drawn) == dict.fromkeys(range(96), 3)


def test_the_first_backward_and_the_optimizer_are_described(tmp_path: Path) -> None:
    seen = probed(PLAIN, tmp_path)
    [first] = seen.of("first")
    assert first["out"] == [32, 3]
    assert first["rows"] == 32
    assert first["at"] == 0
    assert first["chain"][:2] == ["NllLossBackward0", "LogSoftmaxBackward0"]
    assert first["loss"] == pytest.approx(seen.steps[0]["loss"], rel=1e-6)
    [optimizer] = seen.of("optimizer")
    [group] = optimizer["groups"]
    assert optimizer["cls"] == "torch.optim.sgd.SGD"
    assert (group["n"], group["tensors"], group["momentum"]) == (163, 4, 0.9)
    [root] = {e["id"]: e for e in seen.of("root")}.values()
    assert (root["params"], root["trainable"], root["in_opt"]) == (163, 163, 1.0)


def test_accumulated_batches_belong_to_one_step(tmp_path: Path) -> None:
    seen = probed(
        """
for _ in range(4):
    for i in range(3):
        F.cross_entropy(model(X[i * 32 : i * 32 + 32].clone()), Y[i * 32 : i * 32 + 32]).backward()
    optimizer.step()
    optimizer.zero_grad()
""",
        tmp_path,
    )
    assert [(s["rows"], s["bwd"], s["fwd"]) for s in seen.steps] == [(96, 3, 3)] * 4
    assert len(rows(seen, TRAIN)) == 96
    assert set(rows(seen, TRAIN).values()) == {4}


def test_a_tensor_that_is_forwarded_twice_in_a_step_counts_once(tmp_path: Path) -> None:
    seen = probed(
        """
for _ in range(3):
    for x, y in train:
        for _ in range(2):  # as SAM does
            F.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
""",
        tmp_path,
    )
    assert [(s["rows"], s["again"], s["bwd"]) for s in seen.steps] == [(32, 1, 2)] * 9
    assert set(rows(seen, TRAIN).values()) == {3}


def test_the_closure_of_a_second_order_optimizer_counts_once(tmp_path: Path) -> None:
    seen = probed(
        """
optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
def closure():
    optimizer.zero_grad()
    loss = F.cross_entropy(model(X), Y)
    loss.backward()
    return loss
for _ in range(2):
    optimizer.step(closure)
""",
        tmp_path,
    )
    assert [s["rows"] for s in seen.steps] == [96, 96]
    assert all(s["again"] >= 3 for s in seen.steps)
    assert not rows(seen, EVAL, AUX)


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_a_checkpoint_computes_again_is_no_forward(tmp_path: Path, reentrant: bool) -> None:
    seen = probed(
        f"""
from torch.utils.checkpoint import checkpoint
class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.block = nn.Linear(16, 8), nn.Sequential(nn.Tanh(), nn.Linear(8, 3))
    def forward(self, x):
        return checkpoint(self.block, self.first(x), use_reentrant={reentrant})
model = Deep()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in train:
    learn(x, y)
""",
        tmp_path,
    )
    assert [(s["rows"], s["fwd"], s["again"], s["fwd_off"]) for s in seen.steps] == [
        (32, 1, 0, 0)
    ] * 3
    assert len(seen.of("root")) == 1


LOOSE = {
    "loader, training mode": "for x, y in test: model(x)",
    "loader, evaluation mode": "model.eval()\nfor x, y in test: model(x)\nmodel.train()",
    "one tensor, training mode": "out = model(T)",
    "one tensor, evaluation mode": "model.eval()\nout = model(T)\nmodel.train()",
    "slices of the training shape": "for i in (0, 8): out = model(T[i : i + 32])",
    "one slice of the training shape": "out = model(T[:32])",
    "loss": "for x, y in test: loss = F.cross_entropy(model(x), y).item()",
}


@pytest.mark.parametrize("loader", [True, False], ids=["loader", "slices"])
@pytest.mark.parametrize("how", LOOSE)
def test_an_evaluation_with_gradients_on_is_never_training(
    tmp_path: Path, how: str, loader: bool
) -> None:
    batches = "train" if loader else "[(X[i : i + 32], Y[i : i + 32]) for i in (0, 32, 64)]"
    evaluation = LOOSE[how].replace("\n", "\n    ")
    seen = probed(
        f"""
for _ in range(4):
    for x, y in {batches}:
        learn(x, y)
    {evaluation}
""",
        tmp_path,
    )
    test_rows = 32 if "one slice" in how else 40
    trained, other = rows(seen, TRAIN), rows(seen, EVAL, UNSURE)
    assert len(trained) + len(set(other) - set(trained)) == 96 + test_rows
    assert len(trained) <= 96
    assert sum(trained.values()) >= 96 * 4 - 32  # at most a step beside an evaluation is unsure
    assert len(set(other) - set(trained)) >= test_rows


ATTACKS = {
    "backward": "F.cross_entropy(model(x), y).backward()",
    "grad": "torch.autograd.grad(F.cross_entropy(model(x), y), x)",
    "inputs": "F.cross_entropy(model(x), y).backward(inputs=[x])",
}


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("how", ATTACKS)
def test_an_attack_on_test_data_is_not_training(tmp_path: Path, how: str, mode: str) -> None:
    seen = probed(
        f"""
for _ in range(3):
    model.train()
    for x, y in train:
        learn(x, y)
    model.{mode}()
    for x, y in test:
        x.requires_grad_()
        {ATTACKS[how]}
""",
        tmp_path,
    )
    assert set(rows(seen, TRAIN)) == stored(seen, 96)
    assert not stored(seen, 40) & set(rows(seen, TRAIN))
    assert summed(seen, "rows") == 96 * 3


def test_two_networks_against_each_other_train_on_the_real_rows(tmp_path: Path) -> None:
    seen = probed(
        """
maker = nn.Sequential(nn.Linear(4, 16))
judge = nn.Sequential(nn.Linear(16, 1))
makes, judges = (torch.optim.Adam(m.parameters(), lr=1e-3) for m in (maker, judge))
for _ in range(2):
    for x, _ in train:
        fake = maker(torch.randn(len(x), 4))
        judges.zero_grad()
        (judge(fake.detach()).mean() - judge(x).mean()).backward()
        judges.step()
        makes.zero_grad()
        (-judge(fake).mean()).backward()
        makes.step()
""",
        tmp_path,
    )
    trained = rows(seen, TRAIN)
    assert {h: trained[h] for h in stored(seen, 96)} == dict.fromkeys(stored(seen, 96), 2)
    assert len({e["i"] for e in seen.of("optimizer")}) == 3
    assert Counter(s["opt"] for s in seen.steps) == {
        seen.of("optimizer")[1]["i"]: 6, seen.of("optimizer")[2]["i"]: 6
    }  # fmt: skip
    assert not rows(seen, EVAL)


def test_both_views_of_a_contrastive_step_are_trained_on(tmp_path: Path) -> None:
    seen = probed(
        """
for x, y in train:
    optimizer.zero_grad()
    one, two = model(x + 0.1), model(x - 0.1)
    (one - two).pow(2).mean().backward()
    optimizer.step()
""",
        tmp_path,
    )
    assert summed(seen, "rows") + summed(seen, "rows_unsure") == 2 * 96
    assert summed(seen, "rows_unsure") <= 32
    assert not rows(seen, EVAL, AUX)
    assert set(rows(seen, BATCH)) <= stored(seen, 96)


def test_a_teacher_is_no_evaluation(tmp_path: Path) -> None:
    seen = probed(
        """
teacher = nn.Sequential(nn.Linear(16, 3)).eval()
for _ in range(4):
    for x, y in train:
        optimizer.zero_grad()
        with torch.no_grad():
            target = teacher(x).softmax(1)
        F.cross_entropy(model(x), target).backward()
        optimizer.step()
""",
        tmp_path,
    )
    assert seen.of("eval") == []
    last = seen.of("aux")[-1]
    assert (last["rows"], last["fwd"], last["grad"]) == (96 * 4, 12, False)
    assert set(rows(seen, AUX).values()) == {4}
    assert summed(seen, "rows") == 96 * 4
    assert summed(seen, "batches") == 12


def test_rows_that_were_changed_after_the_loader_are_hashed_twice(tmp_path: Path) -> None:
    seen = probed(
        "for x, y in train: learn(x + 0.01 * torch.randn_like(x), y)",
        tmp_path,
    )
    assert set(rows(seen, BATCH)) == stored(seen, 96)
    assert len(rows(seen, TRAIN)) == 96
    assert not set(rows(seen, TRAIN)) & stored(seen, 96)


def test_a_buffer_that_is_filled_anew_is_hashed_as_it_was(tmp_path: Path) -> None:
    seen = probed(
        """
import numpy as np
list(train), list(test)
buffer = np.zeros((20, 16), np.float32)
view = torch.from_numpy(buffer)
for _ in range(3):
    for i in (0, 20, 40, 60):
        buffer[:] = X[i : i + 20].numpy()
        learn(view, Y[i : i + 20])
    with torch.no_grad():
        for i in (0, 20):
            buffer[:] = T[i : i + 20].numpy()
            model(view)
""",
        tmp_path,
    )
    assert set(rows(seen, TRAIN)) <= stored(seen, 96)
    assert set(rows(seen, EVAL)) == stored(seen, 40)


def test_rows_changed_in_place_are_skipped_and_counted(tmp_path: Path) -> None:
    seen = probed("for x, y in train: learn(x, y); x.add_(1)", tmp_path)
    assert summed(seen, "rows") == 96
    assert set(rows(seen, TRAIN)) <= stored(seen, 96)
    end = seen.of("end")[0]
    assert end["skipped"] + sum(rows(seen, TRAIN).values()) == 96


def test_workers_draw_in_the_main_process(tmp_path: Path) -> None:
    seen = probed(
        """
train = DataLoader(TensorDataset(X, Y), batch_size=32, shuffle=True, num_workers=2)
for _ in range(2):
    for x, y in train:
        learn(x, y)
""",
        tmp_path,
    )
    [loader] = seen.of("loader")
    assert loader["workers"] == 2
    drawn = [i for _, _, block in seen.indices for i in block]
    assert Counter(drawn) == dict.fromkeys(range(96), 2)
    assert set(rows(seen, TRAIN)) == stored(seen, 96)


def test_a_subset_is_told_in_the_indices_of_its_base(tmp_path: Path) -> None:
    seen = probed(
        """
from torch.utils.data import Subset
base = TensorDataset(X, Y)
for x, y in DataLoader(Subset(Subset(base, range(10, 90)), [0, 5, 7]), batch_size=2):
    learn(x, y)
for x, y in DataLoader(base, batch_size=96):
    learn(x, y)
""",
        tmp_path,
    )
    first, second = seen.of("loader")
    assert first["ds"] == second["ds"]
    assert [i for loader, _, b in seen.indices if loader == first["i"] for i in b] == [10, 15, 17]
    assert len(seen.of("storage")) == 1


def test_a_stream_has_rows_but_no_indices(tmp_path: Path) -> None:
    seen = probed(
        """
from torch.utils.data import IterableDataset
class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y))
for x, y in DataLoader(Stream(), batch_size=32):
    learn(x, y)
""",
        tmp_path,
    )
    assert seen.indices == []
    assert [s["rows"] for s in seen.steps] == [32, 32, 32]
    assert len(rows(seen, TRAIN)) == 96


def test_data_fetched_in_inference_mode_is_evaluated(tmp_path: Path) -> None:
    seen = probed(
        """
for x, y in train: learn(x, y)
with torch.inference_mode():
    for x, y in test: model(x)
""",
        tmp_path,
    )
    assert set(rows(seen, EVAL)) == stored(seen, 40)


def test_what_was_seen_before_an_exception_is_kept(tmp_path: Path) -> None:
    raw = observe_raw(
        PRELUDE + "for x, y in train: learn(x, y)\nraise RuntimeError('stop')", tmp_path
    )
    assert raw.rc == 1
    assert "RuntimeError: stop" in raw.err
    assert raw.err.count("Traceback") == 1
    assert len(raw.main.steps) == 3
    assert len(rows(raw.main, TRAIN)) == 96
    assert raw.of("exception")[0]["type"] == "RuntimeError"


def test_what_was_seen_before_a_kill_is_kept(tmp_path: Path) -> None:
    raw = observe_raw(
        PRELUDE
        + """
import os, signal, time
for _ in range(20):
    for x, y in train: learn(x, y)
time.sleep(0.01)
for x, y in train: learn(x, y)
os.kill(os.getpid(), signal.SIGKILL)
""",
        tmp_path,
    )
    assert raw.rc == -signal.SIGKILL
    assert len(raw.main.steps) >= 60
    assert sum(rows(raw.main, TRAIN).values()) >= 20 * 96 - 16 * 32
    assert not raw.of("end")


def test_ten_thousand_groups_are_described_by_fifty(tmp_path: Path) -> None:
    seen = probed(
        """
many = [{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(10_000)]
optimizer = torch.optim.SGD([{"params": model.parameters()}, *many], lr=0.1)
for x, y in train: learn(x, y)
""",
        tmp_path,
    )
    last = seen.of("optimizer")[-1]
    assert last["ngroups"] == 10_001
    assert len(last["groups"]) == 50
    assert {s["groups"] for s in seen.steps} == {10_001}
    never = seen.of("nograd")[-1]
    assert (never["tensors"], never["elements"], never["of"]) == (10_000, 10_000, 10_163)


def test_changed_fields_of_groups_are_told(tmp_path: Path) -> None:
    seen = probed(
        """
for x, y in train: learn(x, y)
optimizer.param_groups[0]["lr"] = 0.01
optimizer.param_groups[0]["momentum"] = 0.5
for x, y in train: learn(x, y)
""",
        tmp_path,
    )
    assert [round(s["lr"], 6) for s in seen.steps] == [0.1] * 3 + [0.01] * 3
    assert seen.of("groups")[-1]["groups"][0]["momentum"] == 0.5


def test_threads_that_train_side_by_side_are_all_counted(tmp_path: Path) -> None:
    seen = probed(
        """
from threading import Thread
def work(seed):
    mine = nn.Sequential(nn.Linear(16, 3))
    steps = torch.optim.SGD(mine.parameters(), lr=0.1)
    for _ in range(20):
        steps.zero_grad()
        F.cross_entropy(mine(X), Y).backward()
        steps.step()
threads = [Thread(target=work, args=(n,)) for n in range(3)]
for one in threads: one.start()
for one in threads: one.join()
""",
        tmp_path,
    )
    assert len(seen.steps) == 60
    assert sorted(s["step"] for s in seen.steps) == list(range(1, 61))
    assert {len(h) for h in [rows(seen, TRAIN)]} <= {0, 96}


SAME = """
import hashlib
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.3), nn.BatchNorm1d(32))
        self.head = nn.Linear(32, 3)
    def forward(self, x):
        return self.head(self.body(x))
model = Net()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=30)
train = DataLoader(TensorDataset(X, Y), batch_size=32, shuffle=True, num_workers=WORKERS)
for _ in range(5):
    model.train()
    for x, y in train:
        learn(x, y)
        plan.step()
    model.eval()
    with torch.no_grad():
        for x, y in test: model(x)
    for x, y in test: model(x)
values = b"".join(v.numpy().tobytes() for v in model.state_dict().values())
print(hashlib.sha256(values + torch.get_rng_state().numpy().tobytes()).hexdigest())
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_trained_weights_are_the_same_bits_with_and_without_the_probe(
    tmp_path: Path, workers: int
) -> None:
    script = PRELUDE + SAME.replace("WORKERS", str(workers))
    with_it = observe_raw(script, tmp_path)
    without = run_plain(script, tmp_path)
    assert with_it.rc == without.rc == 0, with_it.err + without.err
    assert len(with_it.main.steps) == 15
    assert with_it.out == without.out
    assert with_it.err == without.err


CLEAN = """
import copy, io, pickle, warnings
warnings.simplefilter("error")
for x, y in train: learn(x, y)
def holds_us(data):
    return b"repcheck" in data
buffer = io.BytesIO()
out = model(X[:3])
torch.save([model, optimizer.state_dict(), out.detach()], buffer)
assert not holds_us(buffer.getvalue())
assert not holds_us(pickle.dumps([model, optimizer, train, test]))
twin = copy.deepcopy(model)
assert torch.equal(twin(X), model(X))
assert not [k for m in twin.modules() for k in vars(m) if "repcheck" in k]
assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
warnings.simplefilter("ignore")
script = torch.jit.script(model)
trace = torch.jit.trace(model, X[:2])
graph = torch.fx.symbolic_trace(model)
exported = torch.export.export(model, (X[:2],))
with torch.no_grad():
    for other in (script, trace, graph, exported.module()):
        assert torch.allclose(other(X[:2]), model(X[:2]))
assert "call_module" in {n.op for n in graph.graph.nodes}
from torch.func import functional_call, grad, vmap
params = dict(model.named_parameters())
def loss(p, x, y):
    return F.cross_entropy(functional_call(model, p, (x[None],)), y[None])
each = vmap(grad(loss), (None, 0, 0))(params, X, Y)
assert each["0.weight"].shape == (96, 8, 16)
with torch.device("meta"):
    nn.Sequential(nn.Linear(4, 4))(torch.empty(2, 4))
from torch._subclasses.fake_tensor import FakeTensorMode
with FakeTensorMode():
    nn.Linear(4, 4)(torch.empty(2, 4))
for x, y in train: learn(x, y)
print("clean")
"""


def test_nothing_of_the_probe_is_pickled_copied_traced_or_exported(tmp_path: Path) -> None:
    raw = observe_raw(PRELUDE + CLEAN, tmp_path)
    assert raw.rc == 0, raw.err
    assert raw.out.strip() == "clean"
    assert raw.of("error") == []
    assert len(raw.main.steps) == 6
    assert summed(raw.main, "rows") == 6 * 32


def test_each_rank_has_its_own_record(tmp_path: Path) -> None:
    raw = observe_raw(
        """
import os, sys, torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
def main(rank, folder):
    dist.init_process_group("gloo", init_method="file://" + folder + "/meet", rank=rank,
                            world_size=2)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = TensorDataset(torch.randn(64, 8), torch.randint(0, 3, (64,)))
    loader = DataLoader(data, batch_size=8, sampler=DistributedSampler(data))
    model = nn.parallel.DistributedDataParallel(nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    dist.destroy_process_group()
if __name__ == "__main__":
    mp.spawn(main, (os.getcwd(),), 2)
""",
        tmp_path,
    )
    assert raw.rc == 0, raw.err
    ranks = [process for process in raw.processes if process.steps]
    assert sorted(process.of("dist")[0]["rank"] for process in ranks) == [0, 1]
    drawn: Counter[int] = Counter()
    for process in ranks:
        assert [step["rows"] for step in process.steps] == [8] * 12
        assert process.of("loader")[0]["sampler"] == "DistributedSampler"
        drawn.update(i for _, _, block in process.indices for i in block)
    assert drawn == dict.fromkeys(range(64), 3)


STEPS = {
    "two networks with detach": (
        (32, 0, 0),
        """
maker = nn.Sequential(nn.Linear(4, 16)); judge = nn.Sequential(nn.Linear(16, 1))
makes, judges = (torch.optim.Adam(m.parameters(), lr=1e-3) for m in (maker, judge))
for _ in range(2):
    for x, _ in train:
        fake = maker(torch.randn(len(x), 4))
        judges.zero_grad()
        (judge(fake.detach()).mean() - judge(x).mean()).backward()
        judges.step()
        makes.zero_grad()
        (-judge(fake).mean()).backward()
        makes.step()
""",
    ),
    "a judge frozen while the maker learns": (
        (32, 0, 0),
        """
maker = nn.Sequential(nn.Linear(4, 16)); judge = nn.Sequential(nn.Linear(16, 1))
makes, judges = (torch.optim.Adam(m.parameters(), lr=1e-3) for m in (maker, judge))
def req(m,v):
    for p in m.parameters(): p.requires_grad_(v)
for _ in range(2):
    for x, _ in train:
        fake = maker(torch.randn(len(x), 4))
        req(judge,False); makes.zero_grad()
        (-judge(fake).mean()).backward(); makes.step()
        req(judge,True); judges.zero_grad()
        judge(x).mean().backward(); (-judge(fake.detach()).mean()).backward(); judges.step()
""",
    ),
    "a gradient penalty": (
        (32, 32, 0),
        """
maker = nn.Sequential(nn.Linear(4, 16))
judge = nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))
makes, judges = (torch.optim.Adam(m.parameters(), lr=1e-3) for m in (maker, judge))
for x, _ in train:
    with torch.no_grad(): fake = maker(torch.randn(len(x), 4))
    mid = (x*0.5+fake*0.5).requires_grad_()
    g, = torch.autograd.grad(judge(mid).sum(), mid, create_graph=True)
    judges.zero_grad()
    (judge(fake).mean()-judge(x).mean()+((g.norm(2,1)-1)**2).mean()).backward()
    judges.step()
""",
    ),
    "an episode before one backward": (
        (100, 0, 0),
        """
import numpy as np
for ep in range(3):
    losses=[]
    for t in range(100):
        o=torch.from_numpy(np.random.rand(1,16).astype('f'))
        losses.append(model(o).logsumexp(1).sum())
    optimizer.zero_grad(); sum(losses).backward(); optimizer.step()
""",
    ),
    "a cell called for each point in time": (
        (32, 0, 0),
        """
cell=nn.GRUCell(4,8); head=nn.Linear(8,3)
optimizer=torch.optim.SGD([*cell.parameters(),*head.parameters()],0.1)
for x,y in train:
    xs=x.view(-1,4,4); h=torch.zeros(len(x),8)
    for t in range(4): h=cell(xs[:,t],h)
    optimizer.zero_grad(); F.cross_entropy(head(h),y).backward(); optimizer.step()
""",
    ),
    "an encoder and a decoder": (
        (32, 0, 0),
        """
enc=nn.Linear(16,4); dec=nn.Linear(4,16)
optimizer=torch.optim.SGD([*enc.parameters(),*dec.parameters()],0.1)
for x,y in train:
    optimizer.zero_grad(); F.mse_loss(dec(enc(x)),x).backward(); optimizer.step()
""",
    ),
    "two towers": (
        (32, 0, 0),
        """
enc=nn.Linear(16,4); dec=nn.Linear(16,4)
optimizer=torch.optim.SGD([*enc.parameters(),*dec.parameters()],0.1)
for x,y in train:
    optimizer.zero_grad(); (enc(x)*dec(x+1)).mean().backward(); optimizer.step()
""",
    ),
    "a frozen perceptual network": (
        (32, 0, 0),
        """
net=nn.Linear(16,16); feat=nn.Linear(16,5)
for p in feat.parameters(): p.requires_grad_(False)
optimizer=torch.optim.SGD(net.parameters(),0.1)
for x,y in train:
    optimizer.zero_grad(); F.mse_loss(feat(net(x)),feat(x)).backward(); optimizer.step()
""",
    ),
    "a perceptual network nobody froze": (
        (32, 0, 0),
        """
net=nn.Linear(16,16); feat=nn.Linear(16,5)
optimizer=torch.optim.SGD(net.parameters(),0.1)
for x,y in train:
    optimizer.zero_grad(); F.mse_loss(feat(net(x)),feat(x)).backward(); optimizer.step()
""",
    ),
    "two forwards of one view, as SAM does": (
        (32, 0, 0),
        """
for x,y in train:
    F.cross_entropy(model(x.view(-1,16)),y).backward(); optimizer.zero_grad()
    F.cross_entropy(model(x.view(-1,16)),y).backward(); optimizer.step(); optimizer.zero_grad()
""",
    ),
    "slices in time of one batch": (
        (32, 0, 0),
        """
xs=torch.randn(96,5,16); 
for i in range(3):
    optimizer.zero_grad()
    sum(model(xs[i*32:i*32+32,t]).sum() for t in range(5)).backward(); optimizer.step()
""",
    ),
    "autograd.grad in place of backward": (
        (32, 0, 0),
        """
for x,y in train:
    ps=list(model.parameters())
    gs=torch.autograd.grad(F.cross_entropy(model(x),y),ps)
    for p,g in zip(ps,gs): p.grad=g
    optimizer.step()
""",
    ),
    "a whole test tensor amid an epoch": (
        (32, 0, 2),
        """
for _ in range(2):
  for i,(x,y) in enumerate(train):
    if i==1:
        with torch.no_grad(): model(T)
    learn(x,y)
""",
    ),
    "as many test rows as a batch amid an epoch": (
        (32, 0, 2),
        """
for _ in range(2):
  for i,(x,y) in enumerate(train):
    if i==1:
        model.eval()
        with torch.no_grad(): model(T[:32])
        model.train()
    learn(x,y)
""",
    ),
    "a test loader of one batch amid an epoch": (
        (32, 0, 2),
        """
one=DataLoader(TensorDataset(T,U),batch_size=64)
for _ in range(2):
  for i,(x,y) in enumerate(train):
    if i==1:
        with torch.no_grad():
            for a,b in one: model(a)
    learn(x,y)
""",
    ),
    "a test batch fetched and a training from memory": (
        (32, 0, 1),
        """
with torch.no_grad():
    for x,y in test: model(x)
for i in (0,32,64): learn(X[i:i+32].clone(),Y[i:i+32])
it=iter(test); s=next(it)[0]
for i in (0,32,64): learn(X[i:i+32].clone(),Y[i:i+32])
""",
    ),
    "targets of the model itself": (
        (32, 0, 0),
        """
for _ in range(4):
  for x,y in train:
    with torch.no_grad(): t=model(x+0.1).softmax(1)
    optimizer.zero_grad(); F.cross_entropy(model(x),t).backward(); optimizer.step()
""",
    ),
    "a momentum encoder evaluated each epoch": (
        (32, 0, 4),
        """
import copy
mom=copy.deepcopy(model)
for _ in range(4):
  for x,y in train:
    q=model(x+0.1)
    with torch.no_grad(): k=mom(x-0.1)
    optimizer.zero_grad(); (q-k).pow(2).mean().backward(); optimizer.step()
    with torch.no_grad():
        for a,b in zip(mom.parameters(),model.parameters()): a.mul_(.9).add_(b,alpha=.1)
  with torch.no_grad(): mom(T)
""",
    ),
    "a policy that acts and a target network": (
        (32, 0, 0),
        """
import copy
tgt=copy.deepcopy(model)
for i in range(12):
    with torch.no_grad(): model(torch.randn(1,16))
    s,s2=torch.randn(32,16),torch.randn(32,16)
    with torch.no_grad(): t=tgt(s2).max(1).values
    optimizer.zero_grad(); F.mse_loss(model(s).max(1).values,t).backward(); optimizer.step()
""",
    ),
}


@pytest.mark.parametrize("how", STEPS)
def test_each_step_counts_its_samples_once(tmp_path: Path, how: str) -> None:
    (counted, unsure, passes), script = STEPS[how]
    seen = probed(script, tmp_path)
    assert {step["rows"] for step in seen.steps} == {counted}
    assert {step["rows_unsure"] for step in seen.steps} == {unsure}
    assert len(seen.of("eval")) == passes
    tested = stored(seen, 40) if any(e["rows"] == 40 for e in seen.of("storage")) else set()
    fed = [b for b in seen.rows if b.layer in {TRAIN, BATCH} and not b.pass_]
    trained = {h for b in fed for h in b.hashes}
    assert not tested & trained
    if passes:
        assert all(one["rows"] in {32, 40} for one in seen.of("eval"))


def test_whole_sets_in_memory_are_passes_of_their_own(tmp_path: Path) -> None:
    seen = probed(
        """
for _ in range(3):
    for i in (0, 32, 64): learn(X[i : i + 32], Y[i : i + 32])
    with torch.no_grad():
        model(X)
        model(T)
""",
        tmp_path,
    )
    assert [one["rows"] for one in seen.of("eval")] == [96, 40] * 3


def test_modes_of_the_artifact_see_nothing_of_the_probe(tmp_path: Path) -> None:
    script = """
from collections import Counter
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
names = Counter()
class Functions(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        names[getattr(function, "__name__", str(function))] += 1
        return function(*args, **(kwargs or {}))
class Operations(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        names[str(function)] += 1
        return function(*args, **(kwargs or {}))
for mode in (Functions, Operations):
    with mode():
        for i in (0, 32, 64): learn(X[i : i + 32], Y[i : i + 32])
        with torch.no_grad(): model(T)
print(sorted(names.items()))
"""
    seen, lines = printed(script, tmp_path)
    assert lines == run_plain(PRELUDE + script, tmp_path).out.splitlines()
    assert [step["rows"] for step in seen.steps] == [32] * 6


def test_nothing_is_kept_alive_or_left_in_the_objects_of_the_artifact(tmp_path: Path) -> None:
    _, lines = printed(
        """
import gc, weakref
iterator = iter(train)
x, y = next(iterator)
learn(x, y)
print([name for name in vars(iterator) if "repcheck" in name])
batch, net = weakref.ref(x), weakref.ref(model)
for x, y in iterator: learn(x, y)
for _ in range(16): learn(X[:32], Y[:32])
print(batch() is None)
del model, optimizer, x, y
gc.collect()
print(net() is None)
""".replace("del model, optimizer", "learn = None\ndel model, optimizer"),
        tmp_path,
    )
    assert lines == ["[]", "True", "True"]


def test_an_exception_in_a_forward_or_a_backward_leaves_nothing_behind(tmp_path: Path) -> None:
    seen, lines = printed(
        """
import traceback
class Bad(torch.autograd.Function):
    @staticmethod
    def forward(context, x): return x.clone()
    @staticmethod
    def backward(context, gradient): raise ValueError("backward")
for attempt in (lambda: model(torch.randn(4, 3)), lambda: Bad.apply(model(X)).sum().backward()):
    try:
        attempt()
    except (RuntimeError, ValueError) as error:
        print(sum("repcheck" in line for line in traceback.format_tb(error.__traceback__)))
for x, y in train: learn(x, y)
""",
        tmp_path,
    )
    assert lines == ["2", "1"]  # one frame for a call of a module, of which there are two
    assert [step["rows"] for step in seen.steps] == [32] * 3
