"""What the terms of a loss give the gradient, seen in real trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
from probe_support import Raw, observe_raw, run_plain

from repcheck.analysis import observe

SCRIPT = """
    import hashlib, sys, torch
    from torch import nn
    import torch.nn.functional as F
    from torch.utils.checkpoint import checkpoint

    def main(kind, steps):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))
        extra = nn.Linear(10, 1)
        held = [*net.parameters(), *extra.parameters()]
        optimizer = torch.optim.SGD(held, lr=0.05, momentum=0.9)
        x, y = torch.randn(256, 16), torch.randint(0, 10, (256,))
        seen = []
        for at in range(steps):
            rows = torch.randint(0, 256, (32,))
            if kind == "checkpoint":
                out = checkpoint(net, x[rows], use_reentrant=False)
            else:
                out = net(x[rows])
            if kind == "hook":
                out.register_hook(lambda g: seen.append(1))
            twin = (out.softmax(1) - out.softmax(1).detach()).pow(2).mean()
            few = 1e-4 * extra(out.detach()).pow(2).mean()
            loss = F.cross_entropy(out, y[rows]) + 0.1 * twin + few
            loss = loss + 1e-6 * F.mse_loss(out, torch.zeros_like(out)) + out.detach().mean()
            if kind == "penalty":
                slope = torch.autograd.grad(out.sum(), net[0].weight, create_graph=True)[0]
                loss = loss + slope.pow(2).mean()
            if at % 2 == 0:
                loss = loss / 2  # a factor of everything changes no share
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        values = b"".join(p.detach().numpy().tobytes() for p in held)
        print(len(seen), hashlib.sha256(values).hexdigest(), torch.rand(1).item())

    for kind, steps in KINDS:
        main(kind, steps)
"""


def script(*kinds: tuple[str, int]) -> str:
    return SCRIPT.replace("KINDS", repr(kinds))


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    return observe_raw(script(("plain", 120)), tmp_path_factory.mktemp("terms"))


def test_each_operand_of_a_sum_has_its_share_of_the_gradient(raw: Raw) -> None:
    [loss] = observe(raw.folder).losses
    main, twin, _, tiny = loss.terms
    assert [term.op for term in loss.terms] == [
        "NllLossBackward0", "MeanBackward0", "MeanBackward0", "MseLossBackward0",
    ]  # fmt: skip
    assert loss.constants == 1
    assert loss.calls == 120
    assert loss.n >= 10
    assert main.share > 0.99
    assert twin.share == 0.0
    assert twin.small == 1.0
    assert 0 < tiny.share < 1e-4
    assert tiny.small == 1.0


def test_a_term_that_alone_moves_some_parameters_is_not_small_there(raw: Raw) -> None:
    few = observe(raw.folder).losses[0].terms[2]
    assert few.share < 0.01
    assert few.top == pytest.approx(1.0)
    assert few.small == 0.0


def test_the_looks_are_spread_over_the_whole_training(raw: Raw) -> None:
    [event] = raw.of("terms")[-1:]
    steps = [sample[0] for sample in event["samples"]]
    assert steps == sorted(set(steps))
    assert steps[-1] > 2 * len(steps), "not the first ones alone, however slow the machine is"
    assert all(step % event["every"] == 0 for step in steps)


def test_nothing_of_the_training_is_changed_by_the_looks(raw: Raw, tmp_path: Path) -> None:
    assert raw.rc == 0
    assert not raw.of("error")
    assert raw.out == run_plain(script(("plain", 120)), tmp_path).out


def test_graphs_that_a_second_pass_would_run_twice_are_left_alone(tmp_path: Path) -> None:
    kinds = (("hook", 12), ("plain", 12))
    seen = observe_raw(script(*kinds), tmp_path)
    assert not seen.of("terms")
    assert seen.out.startswith("12 ")
    again = tmp_path / "penalty"
    again.mkdir()
    assert not observe_raw(script(("penalty", 12), ("plain", 12)), again).of("terms")
    other = tmp_path / "checkpoint"
    other.mkdir()
    assert not observe_raw(script(("checkpoint", 12)), other).of("terms")
