"""What the honest scripts share: their options, ten noisy patterns in three splits, one count."""

import argparse
from pathlib import Path

import torch

SIZES = {"train": 500, "val": 100, "test": 300}


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--eval", action="store_true")
    found = parser.parse_args()
    torch.manual_seed(found.seed)
    torch.set_num_threads(1)
    return found


def splits():
    """Images (n, 1, 12, 12) and labels of each split; a pattern each class, and noise."""
    source = torch.Generator().manual_seed(7)
    patterns = torch.randn(10, 1, 12, 12, generator=source)
    labels = torch.randint(0, 10, (sum(SIZES.values()),), generator=source)
    images = patterns[labels] + 1.6 * torch.randn(len(labels), 1, 12, 12, generator=source)
    parts = zip(images.split([*SIZES.values()]), labels.split([*SIZES.values()]), strict=True)
    return {
        name: torch.utils.data.TensorDataset(x.clone(), y.clone())
        for name, (x, y) in zip(SIZES, parts, strict=True)
    }


def percent(predict, loader):
    with torch.no_grad():
        right = sum(int((predict(x).argmax(1) == y).sum()) for x, y in loader)
    return 100 * right / len(loader.dataset)
