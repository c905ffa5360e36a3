"""Blocks with parallel branches, merged into one convolution for deployment."""

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """3x3 and 1x1 side by side; `fuse` makes one 3x3 of them, wrongly if `wrong`."""

    def __init__(self, wrong=False):
        super().__init__()
        self.wrong = wrong
        self.wide = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.narrow = nn.Conv2d(2, 2, 1, bias=False)
        self.merged = None

    def forward(self, x):
        if self.merged is not None:
            return F.relu(self.merged(x))
        return F.relu(self.norm(self.wide(x)) + self.narrow(x))

    def fuse(self):
        scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        self.merged = nn.Conv2d(2, 2, 3, padding=1)
        with torch.no_grad():
            wide = self.wide.weight * scale[:, None, None, None]
            self.merged.weight.copy_(wide + F.pad(self.narrow.weight, (1, 1, 1, 1)))
            shift = 0 if self.wrong else self.norm.running_mean * scale
            self.merged.bias.copy_(self.norm.bias - shift)
        del self.wide, self.norm, self.narrow


def branches(wrong=False):
    return nn.Sequential(Block(wrong), Block(wrong))


def merged(model):
    """Take the training form and return the one for deployment."""
    for block in model:
        block.fuse()
    return model


def slim():
    """Build the form for deployment anew."""
    return nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU())
