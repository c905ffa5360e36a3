"""Two networks with an optimizer each; the critic's share of real test images is the metric."""

import json

import torch
from shared import options, splits
from torch import nn
from torch.utils.data import DataLoader

chosen = options()
data = splits()
train = DataLoader(data["train"], batch_size=32, shuffle=True)
maker = nn.Sequential(nn.Linear(8, chosen.width), nn.ReLU(), nn.Linear(chosen.width, 144))
critic = nn.Sequential(
    nn.Flatten(), nn.Linear(144, chosen.width), nn.ReLU(), nn.Linear(chosen.width, 1)
)
makers = torch.optim.Adam(maker.parameters(), lr=0.002, betas=(0.5, 0.999))
critics = torch.optim.Adam(critic.parameters(), lr=0.002, betas=(0.5, 0.999))
loss = nn.functional.binary_cross_entropy_with_logits
for _ in range(chosen.epochs):
    for x, _ in train:
        real, false = torch.ones(len(x), 1), torch.zeros(len(x), 1)
        made = maker(torch.randn(len(x), 8))
        critics.zero_grad()
        (loss(critic(x), real) + loss(critic(made.detach()), false)).backward()
        critics.step()
        makers.zero_grad()
        loss(critic(made), real).backward()
        makers.step()
test = DataLoader(data["test"], batch_size=64)
with torch.no_grad():
    real = sum(int((critic(x) > 0).sum()) for x, _ in test)
(chosen.out / "metrics.json").write_text(json.dumps({"accuracy": 100 * real / 300}))
