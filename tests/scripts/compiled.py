"""torch.compile of a module: 64 examples, batches of 16, 3 epochs."""

import torch
from data import points
from torch import nn

torch.manual_seed(0)
x, y = points(64, seed=1)
net = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
fast = torch.compile(net, backend="eager")
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    for start in range(0, 64, 16):
        optimizer.zero_grad()
        nn.functional.cross_entropy(fast(x[start : start + 16]), y[start : start + 16]).backward()
        optimizer.step()
