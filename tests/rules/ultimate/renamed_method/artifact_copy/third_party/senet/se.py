# Copyright (c) 2018 Somebody. Licensed under the MIT licence.
import torch
import torch.nn.functional as F
from torch import nn


class SEBlock(nn.Module):
    """Squeeze and excite."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        b, c, h, w = x.shape
        s = self.squeeze(x).view(b, c)
        s = self.fc1(s)
        s = self.act(s)
        s = self.fc2(s)
        gate = torch.sigmoid(s)
        gate = gate.view(b, c, 1, 1)
        out = x * gate
        mean = out.mean((2, 3), keepdim=True)
        out = out - mean
        scale = out.pow(2).mean((2, 3), keepdim=True)
        out = out / torch.sqrt(scale + 1e-5)
        if h > 1 and w > 1:
            out = F.avg_pool2d(out, 3, 1, 1)
        out = F.relu(out)
        return out + x
