"""Train a small denoiser of coloured digits; write its PSNR and its images."""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

TRAIN, TEST, NOISE = 400, 200, 0.1
LUMA = torch.tensor([65.481, 128.553, 24.966]) / 255


def coloured(rows):
    """Digits as images (n, 3, 8, 8) from 0 to 1, each in a colour of its own."""
    gray = torch.tensor(load_digits().images[rows] / 16, dtype=torch.float32)
    tint = torch.rand(len(gray), 3, generator=torch.Generator().manual_seed(len(gray)))
    return gray[:, None] * (0.3 + 0.7 * tint[:, :, None, None])


def build(model):
    """Two or three convolutions that estimate the noise."""
    layers = [nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU()]
    if model == "ours":
        layers += [nn.Conv2d(16, 16, 3, 1, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(16, 3, 3, 1, 1))


def psnr_rgb(clean, found):
    """Mean over the images of the PSNR on all three channels."""
    return mean_psnr((found - clean).pow(2).mean((1, 2, 3)))


def psnr_y(clean, found):
    """Mean over the images of the PSNR on luma in studio range."""
    luma = torch.einsum("c,nchw->nhw", LUMA, found - clean)
    return mean_psnr(luma.pow(2).mean((1, 2)))


def mean_psnr(errors):
    """Decibels of mean squared errors on a range of one."""
    return float(-10 * errors.log10().mean())


def main():
    """One training, one evaluation."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=("ours", "base"), required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    model = build(options.model)
    images = coloured(slice(0, TRAIN))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(options.steps):
        clean = images[torch.randperm(TRAIN)[:50]]
        noise = NOISE * torch.randn(clean.shape)
        loss = (model(clean + noise) - noise).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    clean = coloured(slice(TRAIN, TRAIN + TEST))
    noisy = clean + NOISE * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = (noisy - model(noisy)).clamp(0, 1)
    psnr = psnr_y(clean, found)
    assert math.isfinite(psnr)
    (options.out / "metrics.json").write_text(json.dumps({"psnr": psnr}))
    np.savez_compressed(
        options.out / "preds.npz", index=np.arange(TEST), label=clean.numpy(), pred=found.numpy()
    )


if __name__ == "__main__":
    main()
