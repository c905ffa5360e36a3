# Adapted from SENet, copyright (c) 2018 Somebody, MIT licence.
import torch
import torch.nn.functional as F
from torch import nn


class PolyFocus(nn.Module):
    """Our new focus."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.gather_ = nn.AdaptiveAvgPool2d(1)
        self.alpha_proj = torch.nn.Linear(channels, hidden)
        self.beta_proj = torch.nn.Linear(hidden, channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        b, c, h, w = x.shape
        s = self.gather_(x).view(b, c)
        s = self.alpha_proj(s)
        s = self.act(s)
        s = self.beta_proj(s)
        focus = torch.sigmoid(s)
        focus = focus.view(b, c, 1, 1)
        mixed = x * focus
        mean = mixed.mean((2, 3), keepdim=True)
        mixed = mixed - mean
        scale = mixed.pow(2).mean((2, 3), keepdim=True)
        mixed = mixed / torch.sqrt(scale + 1e-5)
        if h > 1 and w > 1:
            mixed = F.avg_pool2d(mixed, 3, 1, 1)
        mixed = F.relu(mixed)
        return mixed + x
