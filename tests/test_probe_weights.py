"""Which weights a real script trained, averaged, loaded, saved and evaluated, as a probe saw it."""

from __future__ import annotations

import hashlib
import pickletools
from pathlib import Path
from typing import Any

import pytest

from repcheck.analysis import observe
from repcheck.facts.evaluation_seen import averaged, checkpoint
from repcheck.observation import Evaluation, Observation
from tests.probe_support import Raw, observe_raw, run_plain

COMMON = """
import copy, hashlib, os, sys
import torch
from torch import nn
torch.set_num_threads(1)
torch.manual_seed(0)
X, Y = torch.randn(64, 6), torch.randint(0, 3, (64,))

def net(norm=False):
    middle = [nn.BatchNorm1d(8)] if norm else []
    return nn.Sequential(nn.Linear(6, 8), *middle, nn.Tanh(), nn.Linear(8, 3))

def loss_of(model, i):
    at = slice(i * 16 % 64, i * 16 % 64 + 16)
    return nn.functional.cross_entropy(model(X[at]), Y[at])

def train(model, steps=12, after=None, optimizer=None):
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for i in range(steps):
        model.train()
        optimizer.zero_grad()
        loss_of(model, i).backward()
        optimizer.step()
        if after:
            after(i)
    return optimizer

def evaluate(model, rows=64):
    model.eval()
    with torch.no_grad():
        for i in range(0, rows, 8):
            model(X[i:i + 8].to(next(model.parameters()).dtype))

def show(*models):
    made = hashlib.sha256()
    for model in models:
        for value in model.state_dict().values():
            made.update(value.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    print(made.hexdigest())

def follow(average, model, decay=0.9):
    with torch.no_grad():
        for a, b in zip(average.parameters(), model.parameters()):
            a.mul_(decay).add_(b, alpha=1 - decay)
"""


def seen(text: str, folder: Path, **more: Any) -> tuple[Raw, Observation]:
    """Run a script with the probe, which changes nothing that it prints, and analyse."""
    (folder / "with").mkdir()
    (folder / "without").mkdir()
    raw = observe_raw(COMMON + text, folder / "with", **more)
    assert raw.rc == 0, raw.err
    plain = run_plain(COMMON + text, folder / "without", **more)
    assert raw.out == plain.out
    assert raw.out.strip()
    found = observe(raw.folder)
    assert found.probe_errors == ()
    return raw, found


def told(one: Evaluation) -> tuple[bool | None, bool | None, int | None]:
    return one.swapped, one.known, one.made_at


def decays(found: Observation) -> list[tuple[float | None, bool]]:
    return [
        (None if one.decay is None else round(one.decay, 6), one.evaluated)
        for one in found.averages
    ]


def test_a_hand_made_average_is_fitted_and_its_evaluation_is_told(tmp_path: Path) -> None:
    text = """
    m = net(True); e = copy.deepcopy(m)
    train(m, after=lambda i: follow(e, m))
    evaluate(e)
    show(m, e)
    """.replace("\n    ", "\n")
    _, found = seen(text, tmp_path)
    assert decays(found) == [(0.9, True)]
    assert (averaged(found, swa=False), averaged(found, swa=True)) == (
        pytest.approx(0.9, abs=1e-6),
        0.0,
    )
    assert [told(one) for one in found.evaluations] == [(None, False, None)]
    assert len(found.final_weights) == 16


def test_an_average_that_is_only_watched_is_not_what_was_evaluated(tmp_path: Path) -> None:
    text = """
    m = net(); e = copy.deepcopy(m)
    def watch(i):
        follow(e, m)
        if i == 6:
            evaluate(e, 32)
    optimizer = train(m, after=watch)
    evaluate(m)
    show(m, e)
    """.replace("\n    ", "\n")
    _, found = seen(text, tmp_path)
    assert decays(found) == [(0.9, False)]
    assert averaged(found, swa=False) == 0.0
    assert checkpoint(found) == "last"
    assert found.evaluations[-1].weights == found.final_weights


def test_averages_put_in_place_and_back_by_hand_are_never_plain(tmp_path: Path) -> None:
    text = """
    m = net(); e = copy.deepcopy(m)
    def swap():
        for a, b in zip(e.parameters(), m.parameters()):
            a.data, b.data = b.data, a.data
    optimizer = train(m, after=lambda i: follow(e, m))
    evaluate(m, 16)
    swap()
    evaluate(m, 32)
    swap()
    evaluate(m, 48)
    with torch.no_grad():
        for a, b in zip(e.parameters(), m.parameters()):
            b.copy_(a)
    evaluate(m)
    show(m, e)
    """.replace("\n    ", "\n")
    _, found = seen(text, tmp_path)
    assert [(one.rows, *told(one)) for one in found.evaluations] == [
        (16, False, True, 12),
        (32, True, False, None),
        (48, False, True, 12),
        (64, True, False, None),
    ]
    assert decays(found) == [(0.9, True)]
    assert found.final_weights == found.evaluations[0].weights


def test_an_average_in_a_dict_is_not_plain_and_a_plain_state_is_no_average(tmp_path: Path) -> None:
    text = """
    m = net(); shadow = {k: v.clone() for k, v in m.state_dict().items()}
    best = {}
    def after(i):
        for k, v in m.state_dict().items():
            shadow[k].mul_(0.9).add_(v, alpha=0.1)
        if i == 7:
            evaluate(m, 8)
            best.update((k, v.clone()) for k, v in m.state_dict().items())
    optimizer = train(m, after=after)
    kept = {k: v.clone() for k, v in m.state_dict().items()}
    m.load_state_dict(shadow)
    evaluate(m, 16)
    m.load_state_dict(kept)
    evaluate(m, 32)
    m.load_state_dict(best)
    evaluate(m)
    show(m)
    """.replace("\n    ", "\n")
    _, found = seen(text, tmp_path)
    assert [(one.rows, *told(one)) for one in found.evaluations] == [
        (8, False, True, 8),
        (16, True, False, None),
        (32, False, True, 12),
        (64, False, True, 8),
    ]
    assert found.averages == ()
    assert averaged(found, swa=False) is None
    assert found.final_weights == found.evaluations[2].weights


def test_the_best_state_reloaded_is_an_earlier_checkpoint_and_no_average(tmp_path: Path) -> None:
    text = """
    m = net(True)
    best = {}
    def keep(i):
        if i == 7:
            torch.save({"model": m.state_dict(), "epoch": 1}, "best.pt")
    def run():
        train(m, after=keep)
    run()
    n = net(True)
    n.load_state_dict(torch.load("best.pt")["model"])
    evaluate(n)
    show(m, n)
    """.replace("\n    ", "\n")
    _, found = seen(text, tmp_path)
    assert [told(one)[1:] for one in found.evaluations] == [(True, 8)]
    assert (averaged(found, swa=False), checkpoint(found)) == (0.0, "earlier")
    assert [(one.own, one.resumes, one.changed) for one in found.loads] == [(True, True, 1.0)]


def test_a_function_that_drops_its_optimizer_leaves_the_last_weights(tmp_path: Path) -> None:
    text = """
    def run():
        m = net(True)
        train(m)
        return m
    m = run()
    evaluate(m)
    torch.save(m, "whole.pt")
    n = torch.load("whole.pt", weights_only=False)
    evaluate(n, 32)
    show(m, n)
    """.replace("\n    ", "\n")
    _, found = seen(text, tmp_path)
    assert [told(one)[1:] for one in found.evaluations] == [(True, 12), (True, 12)]
    assert (averaged(found, swa=False), checkpoint(found)) == (0.0, "last")
    assert [model.trained for model in found.models] == [True, False]


AVERAGED = """
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
m = net()
e = AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.95))
s = AveragedModel(m)
def update(i):
    e.update_parameters(m)
    if i >= 3:
        s.update_parameters(m)
train(m, 20, after=update)
evaluate(WHICH)
show(m, e, s)
"""


@pytest.mark.parametrize(
    ("which", "ema", "swa"),
    [("e", pytest.approx(0.95, abs=1e-6), 0.0), ("s.module", 0.0, 1.0)],
)
def test_torchs_averaged_models_are_told_apart(
    tmp_path: Path, which: str, ema: Any, swa: float
) -> None:
    _, found = seen(AVERAGED.replace("WHICH", which), tmp_path)
    assert [(one.how, one.evaluated) for one in found.averages] == [
        ("fitted", which == "e"),
        ("AveragedModel", which != "e"),
    ]
    assert (averaged(found, swa=False), averaged(found, swa=True)) == (ema, swa)


def test_a_mean_over_all_steps_made_by_hand_is_of_no_known_kind(tmp_path: Path) -> None:
    text = """
    m = net(); e = copy.deepcopy(m)
    train(m, 20, after=lambda i: follow(e, m, (i + 1) / (i + 2)))
    evaluate(e)
    show(m, e)
    """.replace("\n    ", "\n")
    _, found = seen(text, tmp_path)
    assert decays(found) == [(None, True)]
    assert averaged(found, swa=False) is None
    assert averaged(found, swa=True) is None


def test_another_precision_is_no_average(tmp_path: Path) -> None:
    text = """
    m = net()
    h = copy.deepcopy(m).half()
    def cast(i):
        with torch.no_grad():
            for a, b in zip(h.parameters(), m.parameters()):
                a.copy_(b)
    optimizer = train(m, 20, after=cast)
    evaluate(h)
    evaluate(m.half(), 32)
    show(m, h)
    """.replace("\n    ", "\n")
    _, found = seen(text, tmp_path)
    assert found.averages == ()
    assert [one.swapped for one in found.evaluations] == [False, False]
    assert averaged(found, swa=True) in {None, 0.0}


def test_a_teacher_and_a_resumed_state_from_files_are_loads(tmp_path: Path) -> None:
    text = """
    t, m = net(), net()
    optimizer = torch.optim.Adam(m.parameters())
    torch.save(net().state_dict(), "teacher.pt")
    train(m, 3, optimizer=optimizer)
    torch.save({"model": m.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}, "c.pt")
    if os.fork() == 0:
        t.load_state_dict(torch.load("teacher.pt"))
        state = torch.load("c.pt")
        m.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for p in m[0].parameters():
            p.requires_grad_(False)
        def ask(i):
            with torch.no_grad():
                t(X[:16])
        train(m, 5, ask, optimizer)
        show(m, t)
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    """.replace("\n    ", "\n")
    raw, found = seen(text, tmp_path)
    assert len(raw.processes) == 2
    child = raw.processes[1]
    assert [event["what"] for event in child.of("load")] == ["teacher.pt", "c.pt"]
    into = [(event.get("optimizer", False), event["tensors"]) for event in child.of("load_state")]
    assert into == [(False, 4), (False, 4), (True, 4)]
    assert [(one.what, one.resumes) for one in found.loads] == [
        ("teacher.pt", False),
        ("c.pt", True),
    ]
    assert sum(len(process.steps) for process in raw.processes) == 8


ROUGH = """
from torch.nn.utils import clip_grad_norm_
m = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
meta = nn.Linear(3, 3, device="meta")
optimizer = torch.optim.SGD(m.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", enabled=False)
class Inner(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.m = m
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.m(x).float()
wrapped = Inner(m)
for i in range(40):
    optimizer.zero_grad()
    scaler.scale(loss_of(wrapped, i)).backward()
    clip_grad_norm_(m.parameters(), 0.5)
    scaler.step(optimizer)
    scaler.update()
    for p in m.parameters():
        p.data = p.data.clone()
    if i == 20:
        torch.utils.swap_tensors(m[0].bias, nn.Parameter(m[0].bias.detach().clone()))
        junk = [torch.randn(1000) for _ in range(50)]
evaluate(wrapped)
show(m)
m.to(torch.float64)
meta.to_empty(device="cpu")
many = nn.ParameterList([nn.Parameter(torch.full((2,), float(i))) for i in range(5000)])
again = torch.optim.SGD(many.parameters(), lr=0.1)
class Sum(nn.Module):
    def __init__(self, many):
        super().__init__()
        self.many = many
    def forward(self, x):
        return torch.stack(tuple(self.many)).sum(0) * x.sum()
model = Sum(many)
for i in range(6):
    again.zero_grad()
    model(X[:4]).sum().backward()
    again.step()
    with torch.no_grad():
        model(X[:4])
show(model)
"""


def test_memory_that_moves_under_the_probe_is_no_danger(tmp_path: Path) -> None:
    raw, found = seen(ROUGH, tmp_path, python_args=("-X", "dev"))
    assert (raw.err.count("Fatal"), raw.err.count("Traceback")) == (0, 0)
    assert [(one["how"], one["max"]) for one in raw.of("clip")] == [("norm", 0.5)]
    assert [one["enabled"] for one in raw.of("scaler")] == [False]
    assert [(one["dtype"], one["device"]) for one in raw.of("autocast")] == [("bfloat16", "cpu")]
    assert len(raw.of("settings")) == 1
    assert found.averages == ()
    assert all(one.made_at is None or one.made_at <= one.at for one in found.evaluations)
    assert raw.of("end")[0]["self_s"] < 5


PICKLES = """
import pickle
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
m = net(True); e = AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.9))
s = copy.deepcopy(m)
optimizer = train(m, after=lambda i: (e.update_parameters(m), follow(s, m)))
evaluate(s)
torch.save(m, "model.pt"); torch.save(optimizer, "optimizer.pt")
torch.save(m.state_dict(), "state.pt"); torch.save(e.state_dict(), "average.pt")
for name, thing in (("model", m), ("optimizer", optimizer), ("average", s)):
    with open(name + ".pickle", "wb") as file:
        pickle.dump(thing, file)
show(m, e, s)
"""


def test_what_is_saved_is_the_same_and_does_not_name_the_probe(tmp_path: Path) -> None:
    _, found = seen(PICKLES, tmp_path)
    assert found.saves == 4
    names = sorted(path.name for path in (tmp_path / "with").glob("*.p*") if path.suffix != ".py")
    assert len(names) == 7
    for name in names:
        ours = (tmp_path / "with" / name).read_bytes()
        theirs = (tmp_path / "without" / name).read_bytes()
        assert b"repcheck" not in ours
        if name.endswith(".pickle"):
            assert _shape(ours) == _shape(theirs)
        else:
            assert hashlib.sha256(ours).digest() == hashlib.sha256(theirs).digest()


def _shape(data: bytes) -> list[str]:
    """Return a pickle's operations: storages within carry keys that are addresses."""
    return [op.name for op, _, _ in pickletools.genops(data)]


FILES = """
import numpy as np
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel
source, m = net(), net()
save_file(source.state_dict(), "net.safetensors")
np.savez("net.npz", **{k: v.numpy() for k, v in source.state_dict().items()})
m.load_state_dict(load_file("net.safetensors"))
train(m, 3)
hand = net()
with np.load("net.npz") as arrays, torch.no_grad():
    for k, p in hand.named_parameters():
        p.copy_(torch.from_numpy(arrays[k]))
train(hand, 2)
config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                    intermediate_size=8, max_position_embeddings=8)
BertModel(config).save_pretrained("bert")
bert = BertModel.from_pretrained("bert")
bert(input_ids=torch.ones(2, 4, dtype=torch.long))
show(m, hand, bert)
"""


def test_weights_from_other_formats_are_loads(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    raw, found = seen(FILES, tmp_path, env={"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"})
    hows = {one.how for one in found.loads}
    assert {"safetensors", "from_pretrained"} <= hows
    by_hand = [event for event in raw.of("load_state") if event.get("by_hand")]
    assert [round(event["changed"], 3) for event in by_hand if event["missing"] < 4] != []
    [first] = [one for one in found.loads if one.what == "net.safetensors"]
    assert (first.changed, first.own, first.trained) == (1.0, True, True)
