"""Networks and operations whose cost is known from a formula of their own, and who counts them how.

    python tests/flop_models.py ours|torch|fvcore|time|time-torch [--full] [NAME ...]

Prints one JSON object: by case {forward, backward, recompute, elementwise, counted, matrix, ...}.
Every count is made in a process of its own. Formulas here know the layers of a network and nothing
of what torch calls for them: a layer of M multiply-accumulates costs 2 M FLOPs forward, and 2 M
more backward for each of its gradients (its weight's, and its input's where something below
learns). Sizes are small, those of the papers with --full.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
Made = tuple[nn.Module, tuple[Any, ...]]


class Cost:
    """FLOPs of a network, layer by layer."""

    def __init__(self) -> None:
        self.forward = self.backward = self.recompute = 0.0

    def layer(self, macs: float, gradients: int = 2, times: int = 1) -> None:
        """Add a layer of so many multiply-accumulates and gradients."""
        self.forward += 2 * macs * times
        self.backward += 2 * macs * gradients * times

    def attention(self, pairs: float, width: int, *, fused: bool) -> None:
        """Add softmax(Q K') V of so many pairs of positions; a fused one scores them twice."""
        self.layer(2 * pairs * width)
        self.recompute += 2 * pairs * width if fused else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network or operation and what it costs, in FLOPs; None: there is no backward.

    `spread` is how its inputs or the place it runs in differ: "" a plain forward with gradients,
    "no_grad" or "inference".
    """

    name: str
    make: Callable[[], Made]
    forward: float
    backward: float | None = None
    recompute: float = 0.0
    elementwise: float | None = None
    mode: str = ""


class Does(nn.Module):
    """A module that does what a function does."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def mlp(batch: int = 8) -> Case:
    sizes, cost = (784, 512, 512, 10), Cost()
    layers: list[nn.Module] = []
    for at, (a, b) in enumerate(pairwise(sizes)):
        layers += [nn.Linear(a, b), nn.ReLU()]
        cost.layer(batch * a * b, 2 if at else 1)
    relu = batch * (512 + 512 + 10)
    return _case("MLP", lambda: (nn.Sequential(*layers), (torch.randn(batch, 784),)), cost, relu)


def _case(
    name: str, make: Callable[[], Made], cost: Cost, elementwise: float | None = None
) -> Case:
    return Case(
        name=name, make=make, forward=cost.forward, backward=cost.backward,
        recompute=cost.recompute, elementwise=elementwise,
    )  # fmt: skip


# Convolutional networks


class Residual(nn.Module):
    def __init__(self, branch: nn.Module, short: nn.Module | None) -> None:
        super().__init__()
        self.branch, self.short = branch, short

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + (x if self.short is None else self.short(x)))


def _conv(i: int, o: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    pad = kernel // 2
    return [nn.Conv2d(i, o, kernel, stride, pad, bias=False), nn.BatchNorm2d(o), nn.ReLU()]


def _block(i: int, width: int, stride: int, *, deep: bool) -> Residual:
    out = width * (4 if deep else 1)
    if deep:
        layers = _conv(i, width, 1) + _conv(width, width, 3, stride) + _conv(width, out, 1)[:-1]
    else:
        layers = _conv(i, width, 3, stride) + _conv(width, out, 3)[:-1]
    short = nn.Sequential(*_conv(i, out, 1, stride)[:-1]) if stride > 1 or i != out else None
    return Residual(nn.Sequential(*layers), short)


def resnet(depths: tuple[int, ...], size: int, *, deep: bool, batch: int = 1) -> Case:
    """ResNet-18 or ResNet-50 (He et al. 2016, stride in the 3x3 convolution)."""

    def make() -> Made:
        blocks, i = [], 64
        for stage, depth in enumerate(depths):
            width = 64 * 2**stage
            for n in range(depth):
                blocks.append(_block(i, width, 2 if stage and not n else 1, deep=deep))
                i = width * (4 if deep else 1)
        stem = [*_conv(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, 1000)]
        return nn.Sequential(*stem, *blocks, *head), (torch.randn(batch, 3, size, size),)

    cost, side, i = Cost(), size // 2, 64
    cost.layer(batch * side * side * 64 * 3 * 49, 1)
    side //= 2
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        for n in range(depth):
            before = side
            side //= 2 if stage and not n else 1
            here, out = batch * side * side, width * (4 if deep else 1)
            if deep:
                cost.layer(batch * before * before * i * width)
                cost.layer(here * (9 * width * width + width * out))
            else:
                cost.layer(here * 9 * (i * width + width * width))
            if i != out or side != before:
                cost.layer(here * i * out)
            i = out
    cost.layer(batch * i * 1000)
    return _case("ResNet-50" if deep else "ResNet-18", make, cost)


class Channels(nn.Module):
    """A layer norm over the channels of an image."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Next(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.down(F.gelu(self.up(y))).permute(0, 3, 1, 2)


STAGES = ((96, 3), (192, 3), (384, 9), (768, 3))


def convnext(size: int) -> Case:
    """ConvNeXt-tiny (Liu et al. 2022)."""

    def make() -> Made:
        layers: list[nn.Module] = [nn.Conv2d(3, 96, 4, 4), Channels(96)]
        for stage, (width, depth) in enumerate(STAGES):
            if stage:
                layers += [Channels(width // 2), nn.Conv2d(width // 2, width, 2, 2)]
            layers += [Next(width) for _ in range(depth)]
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(768), nn.Linear(768, 1000)]
        return nn.Sequential(*layers), (torch.randn(1, 3, size, size),)

    cost, side = Cost(), size // 4
    cost.layer(side**2 * 96 * 48, 1)
    for stage, (width, depth) in enumerate(STAGES):
        if stage:
            side //= 2
            cost.layer(side**2 * 4 * (width // 2) * width)
        cost.layer(side**2 * (49 * width + 8 * width**2), times=depth)
    cost.layer(768 * 1000)
    return _case("ConvNeXt-tiny", make, cost)


# Transformers


class Attention(nn.Module):
    """Multi-head attention over (batch x length x width)."""

    def __init__(self, width: int, heads: int, *, fused: bool) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        split = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = split.unbind(0)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = (q @ k.transpose(-2, -1) * (d // self.heads) ** -0.5).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, n, d))


class Block(nn.Module):
    """A transformer block; in windows of an image with `window`, every other one shifted."""

    def __init__(
        self, width: int, heads: int, *, fused: bool = True, window: int = 0, shift: int = 0
    ) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.attention = Attention(width, heads, fused=fused)
        self.one, self.two = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        x = x + (self.windows(y) if self.window else self.attention(y))
        return x + self.down(F.gelu(self.up(self.two(x))))

    def windows(self, x: Tensor) -> Tensor:
        b, h, w, d = x.shape
        s = self.window
        x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        x = x.view(b, h // s, s, w // s, s, d).transpose(2, 3).reshape(-1, s * s, d)
        x = self.attention(x).view(b, h // s, w // s, s, s, d).transpose(2, 3)
        return torch.roll(x.reshape(b, h, w, d), (self.shift, self.shift), (1, 2))


def _block_cost(cost: Cost, rows: int, length: int, width: int, *, fused: bool) -> None:
    cost.layer(12 * rows * width * width)
    cost.attention(rows * length, width, fused=fused)


class Vit(nn.Module):
    def __init__(self, length: int, width: int, depth: int, *, fused: bool) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.zeros(1, length, width))
        self.blocks = nn.Sequential(*[Block(width, 6, fused=fused) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        return self.head(self.norm(self.blocks(x))[:, 0])


def vit(size: int, depth: int, *, fused: bool) -> Case:
    """ViT-small/16 (Dosovitskiy et al. 2021)."""
    patches, width, cost = (size // 16) ** 2, 384, Cost()
    cost.layer(patches * 768 * width, 1)
    for _ in range(depth):
        _block_cost(cost, patches + 1, patches + 1, width, fused=fused)
    cost.layer(width * 1000)
    name = "ViT-small/16, " + ("fused attention" if fused else "attention by hand")

    def make() -> Made:
        return Vit(patches + 1, width, depth, fused=fused), (torch.randn(1, 3, size, size),)

    return _case(name, make, cost)


class Merge(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.out = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        parts = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        return self.out(self.norm(torch.cat(parts, -1)))


def swin(size: int, depths: tuple[int, ...]) -> Case:
    """Swin-tiny (Liu et al. 2021) without its position bias and masks, which cost no product."""

    def make() -> Made:
        layers: list[nn.Module] = [nn.Conv2d(3, 96, 4, 4), Does(lambda x: x.permute(0, 2, 3, 1))]
        for stage, depth in enumerate(depths):
            width = 96 * 2**stage
            layers += [Merge(width // 2)] if stage else []
            layers += [
                Block(width, 3 * 2**stage, fused=False, window=7, shift=3 * (n % 2))
                for n in range(depth)
            ]
        layers += [nn.LayerNorm(width), Does(lambda x: x.mean((1, 2))), nn.Linear(width, 1000)]
        return nn.Sequential(*layers), (torch.randn(1, 3, size, size),)

    cost, side = Cost(), size // 4
    cost.layer(side**2 * 96 * 48, 1)
    for stage, depth in enumerate(depths):
        width = 96 * 2**stage
        if stage:
            side //= 2
            cost.layer(side**2 * 4 * (width // 2) * width)
        for _ in range(depth):
            _block_cost(cost, side**2, 49, width, fused=False)
    cost.layer(width * 1000)
    return _case("Swin-tiny", make, cost)


def _blocks() -> list[Case]:
    """The attention of torch's own modules, b = 2, N = 128, D = 256, 8 heads."""
    rows, n, d = 256, 128, 256

    def x() -> tuple[Tensor]:
        return (torch.randn(2, n, d),)

    block, attention, layer, by_einsum = Cost(), Cost(), Cost(), Cost()
    _block_cost(block, rows, n, d, fused=True)
    attention.layer(rows * 3 * d * d, 1)
    attention.layer(rows * d * d)
    attention.attention(rows * n, d, fused=True)
    layer.layer(12 * rows * d * d)
    layer.attention(rows * n, d, fused=True)
    by_einsum.attention(rows * n, d, fused=False)
    encoder = {"d_model": d, "nhead": 8, "dim_feedforward": 4 * d, "dropout": 0.0}

    def heads() -> nn.Module:
        inner = nn.MultiheadAttention(d, 8, batch_first=True)
        made = Does(lambda y: inner(y, y, y, need_weights=False)[0])
        made.inner = inner
        return made

    def einsum(y: Tensor) -> Tensor:
        q = y.view(2, n, 8, d // 8)
        a = torch.einsum("bqhd,bkhd->bhqk", q, q).softmax(-1)
        return torch.einsum("bhqk,bkhd->bqhd", a, q)

    def encoder_layer() -> nn.Module:
        return nn.TransformerEncoderLayer(**encoder, batch_first=True)

    return [
        _case("SDPA block", lambda: (Block(d, 8), x()), block),
        _case("nn.MultiheadAttention train", lambda: (heads(), x()), attention),
        Case(name="nn.MultiheadAttention eval", make=lambda: (heads().eval(), x()),
             forward=attention.forward, mode="no_grad"),
        Case(name="TransformerEncoderLayer eval", make=lambda: (encoder_layer().eval(), x()),
             forward=layer.forward, mode="no_grad"),
        _case("einsum attention", lambda: (Does(einsum), (x()[0].requires_grad_(),)), by_einsum),
        Case(name="SDPA block in inference mode", make=lambda: (Block(d, 8), x()),
             forward=block.forward, mode="inference"),
    ]  # fmt: skip


# Single layers


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return gradients[0] @ w.t(), x.t() @ gradients[0]


def with_weight(function: Callable[[Tensor, Tensor], Tensor], *shape: int) -> nn.Module:
    made = Does(lambda x: function(x, made.weight))
    made.weight = nn.Parameter(torch.randn(*shape))
    return made


def many_sines(x: Tensor) -> Tensor:
    for _ in range(50):
        x = torch.sin(x) * torch.exp(-x * x) + x
    return x


def _layers() -> list[Case]:
    def one(
        name: str, make: Callable[[], Made], macs: float, gradients: float, **more: Any
    ) -> Case:
        return Case(name=name, make=make, forward=2 * macs, backward=2 * macs * gradients, **more)

    r, lstm, hidden = torch.randn, 4 * 256 * (128 + 256), 3 * 256
    twice = nn.Linear(256, 256)
    gru = 200 * hidden * 128 + (2 * 200 - 4) * hidden * 256
    block = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64))
    elements = 64 * 4096
    return [
        one("LSTM", lambda: (_only(nn.LSTM(128, 256)), (r(50, 4, 128),)), 200 * lstm, 2),
        Case(name="GRU", make=lambda: (_only(nn.GRU(128, 256)), (r(50, 4, 128),)),
             forward=2 * 200 * hidden * (128 + 256), backward=2 * gru),
        one("LSTMCell", lambda: (_only(nn.LSTMCell(128, 256)), (r(4, 128),)), 4 * lstm, 1),
        one("x @ x.T", lambda: (Does(lambda x: x @ x.transpose(1, 2)),
                                (r(2, 128, 256).requires_grad_(),)), 2 * 128 * 128 * 256, 2),
        one("F.linear with a parameter", lambda: (with_weight(F.linear, 256, 256), (r(32, 256),)),
            32 * 256 * 256, 1),
        one("autograd.Function", lambda: (with_weight(Product.apply, 256, 256), (r(32, 256),)),
            32 * 256 * 256, 2),
        one("ConvTranspose2d", lambda: (nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False),
                                        (r(1, 32, 16, 16),)), 32 * 16 * 16 * 16 * 16, 1),
        one("depthwise convolution", lambda: (
            nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), (r(1, 64, 32, 32),)),
            64 * 9 * 32 * 32, 1),
        one("grouped convolution", lambda: (nn.Conv2d(64, 32, 3, groups=4), (r(2, 64, 10, 10),)),
            2 * 32 * 64 * 16 // 4 * 9 * 4, 1),
        one("conv1d", lambda: (nn.Conv1d(16, 8, 3), (r(2, 16, 34),)), 2 * 32 * 16 * 8 * 3, 1),
        one("conv3d", lambda: (nn.Conv3d(4, 8, 3, stride=2), (r(1, 4, 9, 9, 9),)),
            64 * 4 * 8 * 27, 1),
        one("shared Linear used twice", lambda: (nn.Sequential(twice, twice), (r(32, 256),)),
            2 * 32 * 256 * 256, 1.5),
        one("embedding", lambda: (nn.Embedding(100, 256), (torch.randint(0, 100, (4, 128)),)), 0, 0,
            elementwise=0),
        one("elementwise only", lambda: (Does(many_sines), (r(64, 4096).requires_grad_(),)), 0, 0,
            elementwise=300 * elements),
        Case(name="checkpoint", make=lambda: (_kept(block), (r(32, 64).requires_grad_(),)),
             forward=4 * 32 * 64 * 64, backward=8 * 32 * 64 * 64, recompute=4 * 32 * 64 * 64),
    ]  # fmt: skip


def _kept(block: nn.Module) -> nn.Module:
    made = Does(lambda x: checkpoint(block, x, use_reentrant=True))
    made.block = block
    return made


def _only(recurrent: nn.Module) -> nn.Module:
    made = Does(lambda x: recurrent(x)[0])
    made.recurrent = recurrent
    return made


# Operations that counters commonly miss, one by one


def _sparse(x: Tensor, y: Tensor) -> Tensor:
    return torch.sparse.mm(x, y)


def _small() -> list[Case]:
    a, s = torch.randn(64, 64), torch.randn(4, 64, 64)
    v, n, square = torch.randn(64), 64, torch.randn(64, 64) + 16 * torch.eye(64)
    tall, spd = torch.randn(40, 20), square @ square.T

    def op(name: str, function: Callable[..., Any], inputs: tuple[Any, ...], flops: float,
           **more: Any) -> Case:  # fmt: skip
        return Case(name=name, make=lambda: (Does(function), inputs), forward=flops, **more)

    def learnt(x: Tensor) -> Tensor:
        return x.clone().requires_grad_()

    few = (torch.rand(64, 64) > 0.9).float()
    held = int(few.sum())
    coordinates = n * n * 64
    i8 = torch.ones(32, 64, dtype=torch.int8)
    c = torch.complex(a, a)
    m, k = 40, 20
    return [
        op("mv", torch.mv, (a, learnt(v)), 2 * n * n, backward=2 * n * n),
        op("dot", torch.dot, (v, v), 2 * n),
        op("vdot, complex", torch.vdot, (c[0], c[1]), 8 * n),
        op("complex matrix product", torch.mm, (c, c), 8 * n**3),
        op("addmv", torch.addmv, (v, a, v), 2 * n * n),
        op("outer", torch.outer, (v, v), 0, elementwise=n * n),
        op("addr", torch.addr, (a, v, v), 2 * n * n),
        op("addbmm", torch.addbmm, (a, s, learnt(s)), 8 * n**3, backward=8 * n**3),
        op("baddbmm", torch.baddbmm, (s, s, learnt(s)), 8 * n**3, backward=8 * n**3),
        op("cdist", torch.cdist, (learnt(a[:9]), a[:8]), 3 * 72 * 64, backward=3 * 72 * 64),
        op("cdist by products", torch.cdist, (a, a), 2 * coordinates),
        op("cdist, p = 1", lambda x, y: torch.cdist(x, y, p=1.0), (a, a), 3 * coordinates),
        op("pdist", F.pdist, (a,), 3 * (n * (n - 1) // 2) * 64),
        op("solve", torch.linalg.solve, (square, learnt(a)), 2 / 3 * n**3 + 2 * n**3,
           backward=2 * n**3),
        op("inverse", torch.linalg.inv, (learnt(square),), 2 * n**3, backward=4 * n**3),
        op("det", torch.linalg.det, (square,), 2 / 3 * n**3),
        op("slogdet", lambda x: torch.linalg.slogdet(x)[1], (square,), 2 / 3 * n**3),
        op("svd", lambda x: torch.linalg.svd(x, full_matrices=False)[1], (tall,),
           6 * m * k * k + 20 * k**3),
        op("qr", lambda x: torch.linalg.qr(x)[0], (tall,), 4 * m * k * k - 4 / 3 * k**3),
        op("qr without Q", lambda x: torch.linalg.qr(x, mode="r")[1], (tall,),
           2 * m * k * k - 2 / 3 * k**3),
        op("cholesky", torch.linalg.cholesky, (spd,), n**3 / 3),
        op("cholesky_solve", torch.cholesky_solve, (a, torch.linalg.cholesky(spd)), 2 * n**3),
        op("solve_triangular", lambda x, y: torch.linalg.solve_triangular(x, y, upper=True),
           (square.triu(), a[:, :5]), n * n * 5),
        op("eigh", lambda x: torch.linalg.eigh(x)[0], (spd,), 9 * n**3),
        op("eig", lambda x: torch.linalg.eig(x)[0], (square,), 25 * n**3),
        op("lstsq", lambda x, y: torch.linalg.lstsq(x, y)[0], (tall, tall[:, :3]),
           2 * m * k * k - 2 / 3 * k**3 + 3 * (4 * m * k - 2 * k * k + k * k)),
        op("matrix_exp", torch.linalg.matrix_exp, (a / 100,), 10 * n**3),
        op("fft2", lambda x: torch.fft.fft2(x).real, (learnt(c),), 5 * n * n * math.log2(n * n),
           backward=5 * n * n * math.log2(n * n)),
        op("rfft2", lambda x: torch.fft.rfft2(x).abs(), (learnt(a),),
           2.5 * n * n * math.log2(n * n), backward=5 * n * n * math.log2(n * n)),
        op("irfft", torch.fft.irfft, (c[:, :33],), 2.5 * n * n * math.log2(n)),
        op("sparse matrix product", _sparse, (few.to_sparse(), a), 2 * held * n),
        op("int8 matrix product", torch._int_mm, (i8, i8.T.contiguous()), 2 * 32 * 32 * 64),
        op("bilinear", F.bilinear, (a, a[:, :32], torch.randn(8, 64, 32)),
           2 * 64 * 8 * (64 * 32 + 32)),
        op("embedding_bag", F.embedding_bag, (torch.randint(0, 64, (32, 8)), a), 0,
           elementwise=32 * 8 * 64),
        op("grid_sample", lambda x, g: F.grid_sample(x, g, align_corners=False),
           (s[None], torch.rand(1, 64, 64, 2)), 0, elementwise=8 * s.numel()),
        op("bicubic interpolation",
           lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), (s[None],), 0,
           elementwise=32 * 4 * s.numel()),
        op("SDPA with a mask", lambda q, x: F.scaled_dot_product_attention(q, q, q, attn_mask=x),
           (s[None], torch.zeros(64, 64)), 4 * 4 * n**3),
        op("SDPA, causal", lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True),
           (s[None],), 4 * 4 * n**3),
        op("SDPA with dropout", lambda q: F.scaled_dot_product_attention(q, q, q, dropout_p=0.1),
           (s[None],), 4 * 4 * n**3),
        op("SDPA of fewer key heads",
           lambda q, x: F.scaled_dot_product_attention(q, x, x, enable_gqa=True),
           (s[None], s[None, :2]), 4 * 4 * n**3),
        op("LSTM in inference mode", nn.LSTM(64, 32), (s,), 2 * 256 * 128 * 96, mode="inference"),
    ]  # fmt: skip


def cases(*, full: bool = False) -> list[Case]:
    """Return every case, each with a name of its own."""
    size = 224 if full else 64
    found = [
        mlp(),
        resnet((2, 2, 2, 2), size, deep=False),
        resnet((3, 4, 6, 3) if full else (1, 1, 1, 1), size, deep=True),
        vit(size, 12 if full else 2, fused=True),
        vit(size, 12 if full else 2, fused=False),
        swin(224, (2, 2, 6, 2)) if full else swin(112, (2, 2)),
        convnext(size),
    ]
    return [*found, *_blocks(), *_layers(), *_small()]


# Who counts


def _loss(out: Any) -> Tensor:
    return out.abs().sum() if out.is_complex() else out.float().sum()


def _forward(case: Case, module: nn.Module, inputs: tuple[Any, ...]) -> Any:
    if case.mode == "inference":
        with torch.inference_mode():
            return module(*inputs)
    if case.mode == "no_grad":
        with torch.no_grad():
            return module(*inputs)
    return module(*inputs)


def by_us(case: Case) -> dict[str, Any]:
    """Count forward and backward with repcheck's counter."""
    flop_counter = importlib.import_module("repcheck.inside.probe.flop_counter")
    module, inputs = case.make()
    counter = flop_counter.new(torch)
    with counter:
        out = _forward(case, module, inputs)
    found = counter.take()
    if case.backward is not None:
        counter.phase = "backward"
        with counter:
            _loss(out).backward()
        took = counter.take()
        found.update(backward=took["backward"], recompute=took["recompute"])
        for name in ("counted", "matrix"):
            found[name] += took[name]
        found["uncounted"] = {**found["uncounted"], **took["uncounted"]}
        found["errors"] += took["errors"]
    return found


def by_torch(case: Case) -> dict[str, Any]:
    """Count with torch.utils.flop_counter.FlopCounterMode."""
    from torch.utils.flop_counter import FlopCounterMode

    module, inputs = case.make()
    with FlopCounterMode(display=False) as forward:
        out = _forward(case, module, inputs)
    found = {"forward": forward.get_total_flops()}
    if case.backward is not None:
        with FlopCounterMode(display=False) as backward:
            _loss(out).backward()
        found["backward"] = backward.get_total_flops()
    return found


def by_fvcore(case: Case) -> dict[str, Any]:
    """Count with fvcore, whose "flops" are multiply-accumulates; it has no backward."""
    import logging

    from fvcore.nn import FlopCountAnalysis

    logging.disable(logging.WARNING)
    module, inputs = case.make()
    analysis = FlopCountAnalysis(module, inputs)
    analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
    return {"forward": 2 * analysis.total()}


def ratio_of_time(case: Case, times: int, who: str) -> float:
    """Return how many times one forward and backward takes that is counted, the median in turn."""
    from torch.utils.flop_counter import FlopCounterMode

    flop_counter = importlib.import_module("repcheck.inside.probe.flop_counter")
    module, inputs = case.make()
    counter = flop_counter.new(torch) if who == "time" else FlopCounterMode(display=False)

    def step() -> float:
        began = time.perf_counter()
        _loss(module(*inputs)).backward()
        return time.perf_counter() - began

    step()
    ratios = []
    for _ in range(times + 1):
        plain = step()
        with counter:
            counted = step()
        ratios.append(counted / plain)
    return sorted(ratios[1:])[times // 2]


COUNTERS = {"ours": by_us, "torch": by_torch, "fvcore": by_fvcore}


def forked(function: Callable[..., Any], *args: Any) -> Any:
    """Return what a function returns in a process of its own, or {"failed": why}."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            found = function(*args)
        except BaseException as error:
            found = {"failed": f"{type(error).__name__}: {error}"[:200]}
        os.write(write, json.dumps(found).encode()[:60_000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"failed": "died"}


def main(arguments: list[str]) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    full = "--full" in arguments
    [who, *names] = [word for word in arguments if word != "--full"]
    # Else every child takes a second for it.
    if heavy := {"torch": "torch._dynamo", "fvcore": "fvcore.nn"}.get(who):
        importlib.import_module(heavy)
    found = {}
    for case in cases(full=full):
        if names and case.name not in names:
            continue
        if who.startswith("time"):
            counted: Any = forked(ratio_of_time, case, 5, who)
        else:
            counted = forked(COUNTERS[who], case)
            counted["true"] = [case.forward, case.backward, case.recompute, case.elementwise]
        found[case.name] = counted
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
