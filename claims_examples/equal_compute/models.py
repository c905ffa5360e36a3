"""Three convolutions of a width that can be chosen, with or without an AetherBlock after each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BLOCKS = ("none", "aether")


class AetherBlock(nn.Module):
    """Lets every channel resonate with itself: one learnt factor a channel, 1 to begin with."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.resonance = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, height, width) to the same."""
        return x * self.resonance


def build(width: int = 8, block: str = "none") -> nn.Module:
    """The network: (batch, 1, 14, 14) to (batch, 10) logits."""
    layers: list[nn.Module] = []
    channels = 1
    for outputs, stride in ((width, 1), (2 * width, 2), (2 * width, 1)):
        conv = nn.Conv2d(channels, outputs, 3, stride=stride, padding=1)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        nn.init.zeros_(conv.bias)
        layers += [conv, *([AetherBlock(outputs)] if block == "aether" else []), nn.ReLU()]
        if stride == 2:
            layers.append(nn.AvgPool2d(2))
        channels = outputs
    head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 10)]
    return nn.Sequential(*layers, *head)
