"""A convolutional network whose cost can be worked out by hand, and variants of it."""

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """Input 1x8x8: conv 3x3 to `width` at 8x8, stride 2 to 4x4, then 10 classes."""

    def __init__(self, width: int = 4, classes: int = 10) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(2 * width)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = F.relu(self.norm(self.second(x)))
        return self.head(x.mean((2, 3)))


def better(width=4):
    print("an artifact prints what it likes", {"forward": 1})
    return Net(width)


class Functional(nn.Module):
    """The same convolutions without a module of their own, and a product of activations."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 1, 3, 3))

    def forward(self, x):
        x = F.max_pool2d(F.conv2d(x, self.weight, padding=1), 2).flatten(2)
        return x @ x.transpose(1, 2)


class Several(nn.Module):
    """Two inputs, one of them integers, and outputs in a dict of tuples."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.line = nn.Linear(4, 3)

    def forward(self, x, words):
        return {"logits": (self.line(x), self.line(self.table(words))), "loss": None}


def pair(width=4):
    return Net(width), "a name"


def classifier():
    """Batch normalisation after the head: one sample cannot train."""
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))


class Words(nn.Module):
    """A table of words, added up: parameters and no matrix operation."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 8)

    def forward(self, words):
        return self.table(words).sum(1)


def sharing():
    """Two layers whose weights are one piece of memory, by their data and not by their name."""
    one, other = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
    other.weight.data = one.weight.data
    other.weight.requires_grad_(False)
    return nn.Sequential(one, other)


def attention():
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    return nn.Sequential(layer)


def muon(parameters, lr):
    """An optimizer with a matrix product in its step."""
    return Orthogonal(parameters, {"lr": lr})


class Orthogonal(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.ndim == 2:
                    weight -= group["lr"] * (weight.grad @ weight.grad.T @ weight.grad)
