"""Entries and networks that cannot be profiled, each for another reason."""

import os
import signal
import time

import torch
from torch import nn


def raises():
    raise ValueError("no weights\nwithout a licence")


def hangs():
    while True:
        time.sleep(0.01)


def gpu():
    return nn.Linear(4, 4).to("cuda:97")


def no_model():
    return {"width": 8}


class Fatal(nn.Linear):
    """Its forward pass is fine, its training ends the process."""

    def forward(self, x):
        if self.training:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)


def fatal():
    return Fatal(4, 4)


class Silent(nn.Linear):
    def forward(self, x):
        super().forward(x)
        return "done"


def silent():
    return Silent(4, 4)


class Branching(nn.Module):
    """As deep as its input is large."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 4)

    def forward(self, x):
        x = self.line(x)
        return self.line(x) if x.abs().max() > 5 else x


def greedy():
    return torch.ones(2**29), nn.Linear(4, 4)
