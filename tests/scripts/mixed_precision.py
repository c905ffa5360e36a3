"""bf16 autocast, two loader workers, a checkpoint half-way that training goes on from."""

import sys

import torch
from data import points
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

first, last = int(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
loader = DataLoader(TensorDataset(*points(96, seed=1)), batch_size=32, num_workers=2)
net = nn.Linear(16, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
if first:
    kept = torch.load("checkpoint.pt")
    net.load_state_dict(kept["model"])
    optimizer.load_state_dict(kept["optimizer"])
if __name__ == "__main__":
    for _epoch in range(first, last):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.cross_entropy(net(x).float(), y)
            loss.backward()
            optimizer.step()
    state = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": last}
    torch.save(state, "checkpoint.pt")
