"""A cell called at every time step beside its head, accumulated passes, clipped gradients."""

import json

import torch
from shared import options, percent, splits
from torch import nn
from torch.utils.data import DataLoader

chosen = options()
data = splits()
train = DataLoader(data["train"], batch_size=16, shuffle=True)
test = DataLoader(data["test"], batch_size=64)
cell, head = nn.GRUCell(12, chosen.width), nn.Linear(chosen.width, 10)
weights = [*cell.parameters(), *head.parameters()]
decayed = [one for one in weights if one.ndim > 1]
plain = [one for one in weights if one.ndim < 2]
groups = [{"params": plain, "weight_decay": 0.0}, {"params": decayed, "weight_decay": 0.01}]
optimizer = torch.optim.AdamW(groups, lr=0.003)


def predict(x):
    state = torch.zeros(len(x), chosen.width)
    for time in range(12):
        state = cell(x[:, 0, time], state)
    return head(state)


for _ in range(chosen.epochs):
    for number, (x, y) in enumerate(train, 1):
        (nn.functional.cross_entropy(predict(x), y) / 2).backward()
        if number % 2 == 0 or number == len(train):
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad()
    print("accuracy", percent(predict, test))
(chosen.out / "metrics.json").write_text(json.dumps({"accuracy": percent(predict, test)}))
