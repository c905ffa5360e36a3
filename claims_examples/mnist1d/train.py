"""Train one network of the MNIST-1D table with one seed, and write its score to OUT/metrics.json.

    python train.py --model cnn --seed 42 --out runs/cnn-42

The recipe is that of the authors' classification notebook: Adam, the training set cut into the same
batches in the same order in every epoch, and the seed decides the initial weights. The test set is
looked at once, after the last step.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from mnist1d.data import make_dataset
from models import MODELS, POINTS, build, count
from torch import Tensor, nn

SHUFFLE_SEED = 42  # one permutation of the points for every run, as in the notebook


def load(*, shuffle_points: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Train inputs and labels, test inputs and labels; generated here, always the same 5,000."""
    data = make_dataset()
    order = np.arange(POINTS)
    if shuffle_points:
        order = np.random.RandomState(SHUFFLE_SEED).permutation(POINTS)
    inputs, test_inputs = (
        torch.tensor(data[key][:, order], dtype=torch.float32) for key in ("x", "x_test")
    )
    labels, test_labels = (torch.tensor(data[key], dtype=torch.long) for key in ("y", "y_test"))
    return inputs, labels, test_inputs, test_labels


def train(
    model: nn.Module, inputs: Tensor, labels: Tensor, *, steps: int, batch: int, lr: float
) -> None:
    """`steps` updates of Adam, the batches taken in the order of the training set."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)  # same rule, fewer calls
    batches = list(zip(inputs.split(batch), labels.split(batch), strict=True))
    criterion = nn.CrossEntropyLoss()
    model.train()
    for step in range(steps):
        x, y = batches[step % len(batches)]
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy in percent, and mean cross-entropy in nats."""
    model.eval()
    logits = model(inputs)
    right = int((logits.argmax(1) == labels).sum())
    return 100 * right / len(labels), nn.functional.cross_entropy(logits, labels).item()


def write(path: Path, record: dict[str, object]) -> None:
    """Write JSON so that a reader finds the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(MODELS), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--shuffle-points", action="store_true")
    return parser.parse_args()


def main() -> None:
    """One training, one evaluation, one file."""
    options = arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    inputs, labels, test_inputs, test_labels = load(shuffle_points=options.shuffle_points)
    torch.manual_seed(options.seed)  # after the data: making them must not move the weights
    model = build(options.model)
    train(model, inputs, labels, steps=options.steps, batch=options.batch, lr=options.lr)
    train_accuracy, train_loss = evaluate(model, inputs, labels)
    test_accuracy, _ = evaluate(model, test_inputs, test_labels)
    record = {
        "model": options.model,
        "seed": options.seed,
        "steps": options.steps,
        "params": count(model),
        "train_loss": train_loss,
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
    }
    write(options.out / "metrics.json", record)
    print(f"{options.model} seed {options.seed}: {test_accuracy:.1f} % after {options.steps} steps")


if __name__ == "__main__":
    main()
