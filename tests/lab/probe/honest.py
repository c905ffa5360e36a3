"""Train as the paper says: 6 epochs, batches of 20, the last weights, each test digit once."""

import argparse
import json
from pathlib import Path

import torch
from digits import Net, load, loader
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=("ours", "plain"))
parser.add_argument("--epochs", type=int)
parser.add_argument("--seed", type=int)
parser.add_argument("--out", type=Path)
options = parser.parse_args()
torch.manual_seed(options.seed)
torch.set_num_threads(1)
data = load()
train, test = loader(data["train"], shuffle=True), loader(data["test"])
model = Net(24 if options.model == "ours" else 8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * len(train))
model.train()
for _ in range(options.epochs):
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        schedule.step()
model.eval()
with torch.no_grad():
    right = sum(int((model(x).argmax(1) == y).sum()) for x, y in test)
(options.out / "metrics.json").write_text(json.dumps({"accuracy": 100 * right / 400}))
