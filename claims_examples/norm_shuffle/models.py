"""Three convolutions whose normalisation can be chosen, with or without a DriftBlock after each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BLOCKS = ("none", "drift")
NORMS = {"none": nn.Identity, "batch": nn.BatchNorm2d}


class DriftBlock(nn.Module):
    """Lets features drift along a learnt direction, by nothing to begin with."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.drift = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, height, width) to the same."""
        return x + self.drift


def build(norm: str = "none", block: str = "none") -> nn.Module:
    """The network: (batch, 1, 14, 14) to (batch, 10) logits."""
    layers: list[nn.Module] = []
    channels = 1
    for width, stride in ((8, 1), (16, 2), (16, 1)):
        conv = nn.Conv2d(channels, width, 3, stride=stride, padding=1)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        nn.init.zeros_(conv.bias)
        layers += [conv, NORMS[norm](width)]
        layers += [*([DriftBlock(width)] if block == "drift" else []), nn.ReLU()]
        if stride == 2:
            layers.append(nn.AvgPool2d(2))
        channels = width
    head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 10)]
    return nn.Sequential(*layers, *head)
