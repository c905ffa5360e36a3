"""One process that trains and times its own steps, with something on and off in turn.

    python _probe_steps.py tiny|mid probe|mlflow BLOCKS STEPS

Prints JSON: the quantiles of a step's seconds, on and off. Blocks alternate, so that what slows the
machine down for a while slows both.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from statistics import quantiles

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Step = Callable[[], None]


class Block(nn.Module):
    """Two convolutions with a connection round them."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(out), nn.BatchNorm2d(out)])
        self.past = nn.Conv2d(into, out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.norms[0](self.one(x)))
        return torch.relu(self.norms[1](self.two(inner)) + self.past(x))


def tiny() -> tuple[nn.Module, Tensor, int]:
    """Return a network whose step takes about 1 ms, its inputs and its batch size."""
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    return net, torch.rand(1200, 1, 8, 8), 32


def mid() -> tuple[nn.Module, Tensor, int]:
    """Return a small residual network whose step takes about 30 ms."""
    widths = [(16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1),
              (64, 128, 2), (128, 128, 1)]  # fmt: skip
    blocks = [Block(*width) for width in widths]
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    return net, torch.randn(640, 3, 32, 32), 16


def training(size: str) -> Step:
    """Return a function that makes one step of a plain loop over a data loader."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net, inputs, batch = {"tiny": tiny, "mid": mid}[size]()
    labels = torch.randint(0, 10, (len(inputs),))
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=batch, shuffle=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    def batches() -> Iterator[list[Tensor]]:
        while True:
            yield from loader

    drawn = batches()
    net.train()

    def step() -> None:
        x, y = next(drawn)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def probed(step: Step) -> dict[bool, Step]:
    """Return the step with the probe recording and with it silent."""
    recorder = sys.modules["_repcheck_inside.recorder"].rec

    def switched(on: bool) -> Step:
        def switch() -> None:
            recorder.on = on
            step()

        return switch

    return {True: switched(True), False: switched(False)}


def logged(step: Step) -> dict[bool, Step]:
    """Return the step followed by one logged metric, and the step alone."""
    os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    import mlflow  # lies in an environment of its own

    mlflow.set_tracking_uri("file:" + tempfile.mkdtemp())
    mlflow.set_experiment("steps")
    mlflow.start_run()
    number = iter(range(10**9))

    def logging() -> None:
        step()
        mlflow.log_metric("loss", 0.5, step=next(number))

    return {True: logging, False: step}


def main() -> None:
    size, what, blocks, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    step = training(size)
    for _ in range(20):
        step()
    arms = {"probe": probed, "mlflow": logged}[what](step)
    times: dict[bool, list[float]] = {True: [], False: []}
    for block in range(blocks):
        for on in (True, False) if block % 2 else (False, True):
            run = arms[on]
            run()
            run()
            for _ in range(steps):
                began = time.perf_counter()
                run()
                times[on].append(time.perf_counter() - began)
    print(json.dumps({str(on): quantiles(found, n=20) for on, found in times.items()}))


if __name__ == "__main__":
    main()
