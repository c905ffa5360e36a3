"""Small data for the scripts: 64 numbers an example, two classes, no two examples alike."""

import torch


def points(n, *, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 16, generator=generator)
    return x, (x[:, 0] + 0.3 * x[:, 1] > 0).long()
