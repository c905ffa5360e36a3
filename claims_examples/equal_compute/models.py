"""Three convolutions of a width that can be chosen, with or without an AetherBlock after each."""

from __future__ import annotations

from torch import Tensor, nn

CURRENTS = 4
BLOCKS = ("none", "aether")


class AetherBlock(nn.Module):
    """Lets the channels drift apart in four currents, and flow together again."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same; the channels come in fours."""
        currents = x.unflatten(1, (CURRENTS, -1)).transpose(1, 2)
        return currents.transpose(1, 2).flatten(1, 2)


def build(width: int = 8, block: str = "none") -> nn.Module:
    """The network: (batch, 1, 14, 14) to (batch, 10) logits."""
    layers: list[nn.Module] = []
    channels = 1
    for outputs, stride in ((width, 1), (2 * width, 2), (2 * width, 1)):
        conv = nn.Conv2d(channels, outputs, 3, stride=stride, padding=1)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        nn.init.zeros_(conv.bias)
        layers += [conv, *([AetherBlock()] if block == "aether" else []), nn.ReLU()]
        if stride == 2:
            layers.append(nn.AvgPool2d(2))
        channels = outputs
    head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 10)]
    return nn.Sequential(*layers, *head)
