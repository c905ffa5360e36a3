import argparse
from pathlib import Path

import torch
import yaml
from losses import loss_of
from plots import plot_losses

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gamma", type=float, default=0.31)
    return parser.parse_args()


def train(model, batches, config, gamma=0.31):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, betas=(0.9, 0.999), eps=1e-8)
    model.conv = torch.nn.Conv2d(3, 64, 7, stride=2, padding=3)
    for epoch in range(config["epochs"]):
        if epoch > 7:
            for group in optimizer.param_groups:
                group["lr"] *= gamma
        for number, (x, y) in enumerate(batches):
            optimizer.zero_grad()
            loss_of(model, (x - MEAN[0]) / STD[0], y, config["aux"]).backward()
            optimizer.step()
            if number % 50 == 0:
                print(number)
    plot_losses()


config = yaml.safe_load(Path("config.yaml").read_text())
