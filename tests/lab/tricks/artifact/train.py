"""Train one network, evaluate it, and write what it scores to OUT/metrics.json."""

import argparse
from pathlib import Path

import torch
from data import SIZES, load
from evaluate import logits_of, report
from models import build
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train(model, images, labels, options):
    """SGD with momentum, its learning rate falling along a cosine."""
    order = torch.Generator().manual_seed(options.seed)
    loader = DataLoader(
        TensorDataset(images, labels),
        batch_size=options.batch,
        shuffle=True,
        generator=order,
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=options.momentum)
    steps = options.epochs * len(loader)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    for _ in range(options.epochs):
        for x, y in loader:
            loss = loss_of(model, x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


def loss_of(model, x, y):
    """The training loss of one batch."""
    return nn.functional.cross_entropy(model(x), y)


def arguments():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("ours", "base"), required=True)
    parser.add_argument("--pool", choices=("avg", "conv"))
    parser.add_argument("--data", choices=SIZES, default="digits")
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main():
    """One training, one evaluation, one file."""
    options = arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data = load(options.data)
    torch.manual_seed(options.seed)
    pool = options.pool or ("conv" if options.model == "ours" else "avg")
    model = build(pool, options.width)
    train(model, *data["train"], options)
    images, labels = data["test"]
    report(options.out, logits_of(model, images, labels), labels)


if __name__ == "__main__":
    main()
