"""What a trained network scores, and what it says of each test image."""

import csv
import json

import torch
from torch.utils.data import DataLoader, TensorDataset


@torch.no_grad()
def logits_of(model, images, labels):
    """The outputs of the network for a split, in its order."""
    model.eval()
    loader = DataLoader(TensorDataset(images, labels), batch_size=250)
    return torch.cat([model(x) for x, _ in loader])


def accuracy(logits, labels):
    """Percent of the images whose digit is named."""
    return 100 * int((logits.argmax(1) == labels).sum()) / len(labels)


def report(out, logits, labels):
    """Write OUT/metrics.json and OUT/preds.csv."""
    metrics = {"test_accuracy": accuracy(logits, labels)}
    (out / "metrics.json").write_text(json.dumps(metrics))
    with (out / "preds.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["index", "label", "pred"])
        for i, (label, row) in enumerate(zip(labels.tolist(), logits, strict=True)):
            table.writerow([i, label, int(row.argmax())])
