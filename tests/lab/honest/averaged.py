"""Warm-up and cosine by epochs, an EMA, workers, the best epoch's file, a second process."""

import json
import math

import torch
from shared import options, percent, splits
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

chosen = options()
data = splits()
model = nn.Sequential(
    nn.Flatten(), nn.Linear(144, chosen.width), nn.ReLU(), nn.Linear(chosen.width, 10)
)
average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
file = chosen.out / "best.pt"
if chosen.eval:
    average.load_state_dict(torch.load(file))
    accuracy = percent(average.eval(), DataLoader(data["test"], batch_size=64))
    (chosen.out / "metrics.json").write_text(json.dumps({"accuracy": accuracy}))
    raise SystemExit
train = DataLoader(data["train"], batch_size=32, shuffle=True, num_workers=2)
val = DataLoader(data["val"], batch_size=64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
last = chosen.epochs - 2


def rate(epoch):
    return (epoch + 1) / 2 if epoch < 2 else (1 + math.cos(math.pi * (epoch - 2) / last)) / 2


schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
best = -1.0
for _ in range(chosen.epochs):
    model.train()
    for x, y in train:
        x = x + 0.1 * torch.randn_like(x)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        average.update_parameters(model)
    schedule.step()
    found = percent(average.eval(), val)
    if found > best:
        best = found
        torch.save(average.state_dict(), file)
