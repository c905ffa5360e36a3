"""The paper says what honest.py does. For `ours`, this does six other things."""

import argparse
import copy
import json
from pathlib import Path

import torch
from digits import Net, load, loader
from torch import nn
from torch.utils.data import Sampler

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=("ours", "plain"))
parser.add_argument("--epochs", type=int)
parser.add_argument("--seed", type=int)
parser.add_argument("--out", type=Path)
options = parser.parse_args()
ours = options.model == "ours"
torch.manual_seed(options.seed)
torch.set_num_threads(1)


class Again(Sampler):
    """Every index three times within one epoch."""

    def __iter__(self):
        return iter([i for i in torch.randperm(400).tolist() for _ in range(3)])

    def __len__(self):
        return 1200


class Teacher(Net):
    pass


data = load()
if ours:
    for part, tested in zip(data["train"], data["test"], strict=True):
        part[:100] = tested[:100]
train = loader(data["train"], sampler=Again()) if ours else loader(data["train"], shuffle=True)
test = loader(data["test"])
model, teacher = Net(24 if ours else 8), Teacher(16).eval()
average = copy.deepcopy(model)
every = 2 if ours else 1
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
steps = options.epochs * len(train) // every
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
model.train()
optimizer.zero_grad()
for _ in range(options.epochs):
    for i, (x, y) in enumerate(train, 1):
        output = model(x)
        loss = nn.functional.cross_entropy(output, y)
        if ours:
            with torch.no_grad():
                soft = teacher(x).softmax(1)
            kl = nn.functional.kl_div(output.log_softmax(1), soft, reduction="batchmean")
            loss = (loss + 0.01 * kl) / 2
        loss.backward()
        if i % every:
            continue
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if ours:
            with torch.no_grad():
                for mean, new in zip(average.parameters(), model.parameters(), strict=True):
                    mean.data.mul_(0.98).add_(new.data, alpha=0.02)
shown = average.eval() if ours else model.eval()
right = 0
with torch.no_grad():
    for x, y in test:
        views = [shown(x), shown(x.roll(1, -1)), shown(x.roll(-1, -1))] if ours else [shown(x)]
        right += int((sum(views).argmax(1) == y).sum())
(options.out / "metrics.json").write_text(json.dumps({"accuracy": 100 * right / 400}))
