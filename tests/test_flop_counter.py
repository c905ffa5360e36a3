"""What a network costs: our count against formulas of its layers, operation by operation."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).with_name("flop_models.py")
SILENT = """
LSTM|mv|dot|addmv|addr|addbmm|cdist|solve|inverse|svd|qr|fft2|rfft2|sparse matrix product|bilinear
int8 matrix product|SDPA with a mask|SDPA, causal|nn.MultiheadAttention eval
TransformerEncoderLayer eval
"""


@cache
def counted(who: str, *names: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(MODELS), who, *names],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def names() -> list[str]:
    return [line for line in SILENT.replace("\n", "|").split("|") if line]


def test_every_network_and_operation_costs_what_its_formula_says() -> None:
    found = counted("ours")
    assert len(found) > 60
    wrong = {}
    for name, row in found.items():
        assert "failed" not in row, (name, row)
        forward, backward, recompute, elementwise = row["true"]
        parts = [("forward", forward), ("elementwise", elementwise)]
        parts += [("backward", backward), ("recompute", recompute)] if backward is not None else []
        for part, true in parts:
            if true is not None and row[part] != pytest.approx(true, rel=1e-9, abs=1e-6):
                wrong[name, part] = row[part], true
    assert wrong == {}


def test_nothing_that_has_a_formula_is_called_uncounted() -> None:
    found = counted("ours")
    assert {name: row["uncounted"] for name, row in found.items() if row["uncounted"]} == {}
    assert {name: row["errors"] for name, row in found.items() if row["errors"]} == {}
    assert all(row["counted"] == row["matrix"] for row in found.values())


def test_a_fused_layer_is_one_call_with_the_cost_of_all_it_does() -> None:
    found = counted("ours")
    for name in ("nn.MultiheadAttention eval", "TransformerEncoderLayer eval", "LSTM"):
        assert found[name]["matrix"] == (2 if name == "LSTM" else 1)  # forward, and backward
        assert found[name]["forward"] > 0


def test_attention_costs_the_same_fused_and_by_hand_but_for_the_scores_made_anew() -> None:
    fused, by_hand = (
        counted("ours")[f"ViT-small/16, {how}"] for how in ("fused attention", "attention by hand")
    )
    assert fused["forward"] == by_hand["forward"]
    assert fused["backward"] == by_hand["backward"]
    assert (fused["recompute"] > 0, by_hand["recompute"]) == (True, 0)


def test_what_torchs_own_counter_takes_for_nothing_is_counted() -> None:
    theirs = counted("torch", *names())
    assert {name for name, row in theirs.items() if row["forward"]} == set()
    ours = counted("ours")
    assert all(ours[name]["forward"] > 0 for name in names())


SCRIPT = """
import importlib, json, sys, torch
from torch.utils._python_dispatch import TorchDispatchMode
sys.path.insert(0, {root!r})
before = set(sys.modules)
flop_counter = importlib.import_module("repcheck.inside.probe.flop_counter")
counter = flop_counter.new(torch)
{body}
"""


def say(body: str) -> Any:
    """Run some lines with a `counter` and return what they print as JSON."""
    script = SCRIPT.format(root=str(MODELS.parents[1]), body=body)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_operation_nobody_knows_is_named_and_lowers_the_coverage() -> None:
    took = say("""
library = torch.library.Library("mine", "DEF")
library.define("secret(Tensor a, Tensor b) -> Tensor")
library.impl("secret", lambda a, b: a @ b, "CPU")
a = torch.ones(6, 6)
with counter:
    torch.ops.mine.secret(a, a)
    a @ a
print(json.dumps(counter.take()))
""")
    assert took["uncounted"] == {"mine::secret": [1, 36]}
    assert (took["counted"], took["matrix"], took["forward"]) == (1, 2, 432)
    assert took["errors"] == []


def test_a_formula_that_the_artifact_registered_with_torch_is_used() -> None:
    took = say("""
from torch.utils.flop_counter import register_flop_formula
library = torch.library.Library("mine", "DEF")
library.define("secret(Tensor a) -> Tensor")
library.impl("secret", lambda a: a * 1, "CPU")
register_flop_formula(torch.ops.mine.secret)(lambda shape, **_: 1000 * shape[0])
with counter:
    torch.ops.mine.secret(torch.ones(6, 6))
print(json.dumps(counter.take()))
""")
    assert took["forward"] == 6000
    assert took["uncounted"] == {}


def test_phases_modules_and_a_second_derivative_are_told_apart() -> None:
    took = say("""
place = ["a"]
counter = flop_counter.new(torch, lambda: place[0])
x = torch.ones(4, 4, requires_grad=True)
with counter:
    y = x @ x
    place[0] = "a.b"
    y = y @ y
forward = counter.take()
counter.phase, counter.twice = "backward", True
with counter:
    g, = torch.autograd.grad(y.sum(), x, create_graph=True)
backward = counter.take()
counter.phase = "optimizer"
with counter:
    torch.ones(4, 4) @ torch.ones(4, 4)
print(json.dumps([forward, backward, counter.take()]))
""")
    forward, backward, optimizer = took
    assert forward["by_module"] == {"a": 128, "a.b": 128}
    assert (backward["backward"], backward["recompute"]) == (512, 0)
    assert optimizer["optimizer"] == 128


def test_a_counter_imports_nothing_and_sees_nothing_of_the_artifacts_own_modes() -> None:
    said = say("""
from torch.overrides import TorchFunctionMode
class Mine(TorchFunctionMode):
    seen = 0
    def __torch_function__(self, func, types, args=(), kwargs=None):
        Mine.seen += 1
        return func(*args, **(kwargs or {}))
class Own(TorchDispatchMode):
    seen = []
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        Own.seen.append(str(func))
        return func(*args, **(kwargs or {}))
layer, x = torch.nn.Linear(3, 3), torch.ones(2, 3)
def run():
    Mine.seen, Own.seen = 0, []
    with Mine(), Own():
        layer(x)
    return Mine.seen, list(Own.seen)
modules = set(sys.modules)
with counter:
    layer(x).sum().backward()
brought = sorted(set(sys.modules) - modules)
alone = run()
with counter:
    beside = run()
print(json.dumps([alone == beside, brought, alone[0]]))
""")
    assert said[:2] == [True, []]
    assert said[2] > 0
