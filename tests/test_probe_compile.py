"""What torch.compile makes of a script is the same with the probe in it and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probe_support import observe_raw, run_plain

SCRIPT = """
import sys
import torch
import torch.nn.functional as F
from torch import nn
from torch._dynamo.utils import counters
torch.set_num_threads(1)
mode = {mode!r}
for dynamic in (None, True):
    torch._dynamo.reset()
    counters.clear()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x, y = torch.randn(16, 32), torch.randint(0, 10, (16,))
    def learn(f):
        optimizer.zero_grad()
        loss = F.cross_entropy(f(x), y)
        loss.backward()
        optimizer.step()
        return loss
    for _ in range(2): learn(model)
    options = dict(backend="eager", dynamic=dynamic)
    if mode == "mod":
        f = torch.compile(model, fullgraph=True, **options)
    elif mode == "inplace":
        model.compile(fullgraph=True, **options)
        f = model
    elif mode == "func":
        f = torch.compile(lambda x: model(x), fullgraph=True, **options)
    else:
        f = torch.compile(lambda: learn(model), **options)
    try:
        for i in range(8):
            model.train()
            loss = f() if mode == "step" else learn(f)
            if mode != "step" and i % 4 == 3:
                model.eval()
                with torch.no_grad(): f(x)
        print(mode, "%.9f" % loss.item())
    except Exception as error:
        print(type(error).__name__)
    print(dict(counters["frames"]), len(counters["graph_break"]), dict(counters["recompiles"]))
    print(counters["stats"].get("unique_graphs"))
"""


@pytest.mark.parametrize("mode", ["mod", "inplace", "func", "step"])
def test_graphs_breaks_recompiles_and_losses_are_the_same(tmp_path: Path, mode: str) -> None:
    script = SCRIPT.format(mode=mode)
    seen, plain = observe_raw(script, tmp_path), run_plain(script, tmp_path)
    assert seen.rc == plain.rc == 0, seen.err + plain.err
    assert seen.out == plain.out
    assert seen.out.count("Error") == plain.out.count("Error") == (2 if mode == "inplace" else 0)
    assert seen.of("error") == []
    assert seen.of("compile")[0]["how"] == {"mod": "module", "inplace": "inplace"}.get(
        mode, "function"
    )
    compiled_steps = {"mod": 8, "func": 8}.get(mode, 0)
    assert len(seen.main.steps) == 2 * (2 + compiled_steps)
    if mode == "mod":
        # The two eager steps of the second round are of a module that is no longer watched.
        assert [step["rows"] for step in seen.main.steps] == [16] * 10 + [0] * 2 + [16] * 8
