"""The four networks of the MNIST-1D table: (batch, 40) float32 to (batch, 10) logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

POINTS = 40
CLASSES = 10


class Logistic(nn.Module):
    """One linear layer: 410 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(POINTS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40) to (batch, 10)."""
        return self.linear(x)


class Mlp(nn.Module):
    """Two hidden layers of 100, the second added to the first: 15,210 parameters."""

    def __init__(self, width: int = 100) -> None:
        super().__init__()
        self.first = nn.Linear(POINTS, width)
        self.second = nn.Linear(width, width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40) to (batch, 10)."""
        hidden = self.first(x).relu()
        hidden = hidden + self.second(hidden).relu()
        return self.head(hidden)


class Cnn(nn.Module):
    """Three strided convolutions (19, 10, 5 points) and a linear head: 5,210 parameters."""

    def __init__(self, channels: int = 25) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, channels, kernel_size=5, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv1d(channels, channels, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv1d(channels, channels, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.head = nn.Linear(5 * channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40) to (batch, 10)."""
        return self.head(self.features(x.unsqueeze(1)))


class Gru(nn.Module):
    """A bidirectional GRU read out at every point: 5,134 parameters."""

    def __init__(self, hidden: int = 6) -> None:
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden * POINTS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40) to (batch, 10)."""
        states, _ = self.gru(x.unsqueeze(2))
        return self.head(states.flatten(1))


MODELS: dict[str, type[nn.Module]] = {"logistic": Logistic, "mlp": Mlp, "cnn": Cnn, "gru": Gru}
PARAMETERS = {"logistic": 410, "mlp": 15_210, "cnn": 5_210, "gru": 5_134}  # as published


def count(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def build(name: str) -> nn.Module:
    """The network called `name`, freshly initialised; ValueError if it has another size."""
    model = MODELS[name]()
    if count(model) != PARAMETERS[name]:
        raise ValueError(f"{name} has {count(model)} parameters, not {PARAMETERS[name]}")
    return model


if __name__ == "__main__":
    for name in MODELS:
        shape = tuple(build(name)(torch.zeros(2, POINTS)).shape)
        print(f"{name}: {PARAMETERS[name]} parameters, output {shape}")
