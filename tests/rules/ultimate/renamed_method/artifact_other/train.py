import argparse

import torch
from torch import nn


class Gate(nn.Module):
    """Two branches, one of them gated by the other."""

    def __init__(self, width):
        super().__init__()
        self.left = nn.Conv2d(width, width, 3, padding=1)
        self.right = nn.Conv2d(width, width, 1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        kept = torch.tanh(self.left(x))
        return self.norm(kept * self.right(x)) + x


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.parse_args()
    model = Gate(8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(2, 8, 4, 4)).sum().backward()
        optimizer.step()


main()
