"""One small network whose normalisation, pooling, head, activation and width can be chosen."""

from torch import nn

NORMS = {
    "none": lambda width: [],
    "batch": lambda width: [nn.BatchNorm2d(width)],
    "group": lambda width: [nn.GroupNorm(4, width)],
}
POOLS = {"avg": lambda width: nn.AvgPool2d(2), "conv": lambda width: nn.Conv2d(width, width, 2, 2)}
HEADS = {
    "four": lambda width: (nn.AdaptiveAvgPool2d(2), 4),
    "mean": lambda width: (nn.AdaptiveAvgPool2d(1), 1),
    "learned": lambda width: (nn.Conv2d(width, width, 3, groups=width), 1),  # from 3 x 3 places
}
ACTS = {"relu": nn.ReLU, "silu": nn.SiLU, "leaky": lambda: nn.LeakyReLU(0.1)}


def build(width=8, norm="none", pool="avg", head="four", act="relu"):
    """Three convolutions and a linear layer: (batch, 1, side, side) to (batch, 10) logits."""
    layers = []
    inputs = 1
    for outputs, stride in ((width, 1), (2 * width, 2), (2 * width, 1)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), *NORMS[norm](outputs), ACTS[act]()]
        if stride == 2:
            layers.append(POOLS[pool](outputs))
        inputs = outputs
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    gathered, places = HEADS[head](inputs)
    return nn.Sequential(*layers, gathered, nn.Flatten(), nn.Linear(places * inputs, 10))
