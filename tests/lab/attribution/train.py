"""Train the network once, as the options say, and write what it scores to OUT/metrics.json."""

import argparse
import json
from pathlib import Path

import torch
from data import SETS, load
from models import ACTS, HEADS, NORMS, POOLS, build
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train(model, images, labels, *, epochs, lr, seed):
    """SGD with momentum on batches of 32, its learning rate falling along a cosine."""
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        TensorDataset(images, labels), batch_size=32, shuffle=True, drop_last=True, generator=order
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    model.train()
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracy(model, images, labels):
    """Percent of the images whose digit is named."""
    model.eval()
    loader = DataLoader(TensorDataset(images, labels), batch_size=250)
    right = sum(int((model(x).argmax(1) == y).sum()) for x, y in loader)
    return 100 * right / len(labels)


def arguments():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=SETS, default="digits")
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--norm", choices=NORMS, default="none")
    parser.add_argument("--pool", choices=POOLS, default="avg")
    parser.add_argument("--head", choices=HEADS, default="four")
    parser.add_argument("--act", choices=ACTS, default="relu")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--leak", type=int, default=0, help="test images to train on")
    parser.add_argument("--split", choices=("val", "test"), default="test", help="what is scored")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main():
    """One training, one evaluation, one file."""
    options = arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data = load(options.data)
    images, labels = data["train"]
    if options.leak:
        images, labels = (
            torch.cat((mine, theirs[: options.leak]))
            for mine, theirs in zip((images, labels), data["test"], strict=True)
        )
    torch.manual_seed(options.seed)
    model = build(options.width, options.norm, options.pool, options.head, options.act)
    train(model, images, labels, epochs=options.epochs, lr=options.lr, seed=options.seed)
    score = {f"{options.split}_accuracy": accuracy(model, *data[options.split])}
    (options.out / "metrics.json").write_text(json.dumps(score))


if __name__ == "__main__":
    main()
