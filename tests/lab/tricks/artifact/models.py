"""Two small networks that differ in one thing: how they pool."""

from torch import nn


def build(pool="avg", width=8):
    """Three convolutions and a linear layer: (batch, 1, side, side) to (batch, 10) logits."""
    act = nn.ReLU
    model = nn.Sequential(
        nn.Conv2d(1, width, 3, 1, 1),
        act(),
        nn.Conv2d(width, 2 * width, 3, 2, 1),
        act(),
        pooling(pool, 2 * width),
        nn.Conv2d(2 * width, 2 * width, 3, 1, 1),
        act(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * width, 10),
    )
    return initialised(model)


def pooling(kind, width):
    """Halve height and width: by the mean, or by a convolution that is learnt."""
    return nn.AvgPool2d(2) if kind == "avg" else nn.Conv2d(width, width, 2, 2)


def initialised(model):
    """He's initialisation of every convolution."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return model
