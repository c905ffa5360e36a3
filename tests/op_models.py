"""Small networks, traced: run by tests/op_support.py, which takes what is printed as JSON."""

from __future__ import annotations

import json
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent.parent / "repcheck" / "inside"))

import torch
import torch.nn as nn
import torch.nn.functional as F
from probe import op_trace

IMAGE = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
WORDS = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(2))


class Call(nn.Module):
    """A function as a module, written out in the model itself."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class SELayer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.down, self.up = nn.Linear(width, 4), nn.Linear(4, width)

    def forward(self, x):
        gate = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return x * torch.sigmoid(self.up(F.relu(self.down(gate))))[:, :, None, None]


class GeM(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, x):
        return F.avg_pool2d(x.clamp(min=1e-6).pow(self.p), x.shape[-2:]).pow(1.0 / self.p)


class Block(nn.Module):
    def __init__(self, width, out, stride=1, norm=nn.BatchNorm2d):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(width, out, 3, stride, 1, bias=False), norm(out)
        self.c2, self.b2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), norm(out)
        self.down = nn.Identity()
        if width != out or stride != 1:
            self.down = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), norm(out))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        h = self.b2(self.c2(self.relu(self.b1(self.c1(x)))))
        h += self.down(x)
        return self.relu(h)


class FrozenBatchNorm2d(nn.Module):
    def __init__(self, width):
        super().__init__()
        for name in "wbmv":
            self.register_buffer(name, torch.ones(width))

    def forward(self, x):
        scale = self.w * (self.v + 1e-5).rsqrt()
        return x * scale[:, None, None] + (self.b - self.m * scale)[:, None, None]


class Residual(nn.Module):
    def __init__(
        self, counts=(1, 1, 1), norm=nn.BatchNorm2d, pool=None, width=8, edge=False, gate=0
    ):
        super().__init__()
        self.stem, blocks, last = nn.Conv2d(3, width, 3, 1, 1), [], width
        for stage, count in enumerate(counts):
            for number in range(count):
                stride = 2 if stage and not number else 1
                blocks.append(Block(last, width * 2**stage, stride, norm))
                last = width * 2**stage
        self.body, self.fc = nn.Sequential(*blocks), nn.Linear(last, 10)
        self.pool, self.edge = pool or nn.AdaptiveAvgPool2d(1), edge
        self.gate = gate
        if gate:
            self.small, self.large = nn.Linear(32, gate), nn.Linear(gate, 32)

    def forward(self, x):
        h = self.stem(x)
        self._kept = h
        h = self.body(h)
        if self.edge:
            h = h + F.adaptive_avg_pool2d(self._kept, h.shape[-1]).repeat(1, 4, 1, 1)
        if self.gate:
            g = (lambda t: torch.sigmoid(self.large(F.relu(self.small(t.mean((2, 3)))))))(h)
            h = h * g[..., None, None].expand_as(h)
        return self.fc(self.pool(h).flatten(1))


class Small(nn.Module):
    """conv, norm, act, pool, twice, and a linear layer."""

    def __init__(self, act=F.relu, norm=None, pool="avg", width=8, gate=None, edge=False, drop=0.0):
        super().__init__()
        self.act, self.edge = act, edge
        self.c1, self.c2 = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.n1, self.n2 = (norm(width) if norm else nn.Identity() for _ in range(2))
        self.p1, self.p2 = (
            nn.AvgPool2d(2) if pool == "avg" else nn.Conv2d(width, width, 2, 2) for _ in range(2)
        )
        self.gate, self.drop = gate(width) if gate else nn.Identity(), nn.Dropout(drop)
        self.fc = nn.Linear(width * 16 * (2 if edge else 1), 10)

    def forward(self, x):
        first = self.p1(self.act(self.n1(self.c1(x))))
        h = self.p2(self.gate(self.act(self.n2(self.c2(first)))))
        if self.edge:
            h = torch.cat([h, F.avg_pool2d(first, 2)], 1)
        return self.fc(self.drop(h.flatten(1)))


class UNet(nn.Module):
    def __init__(self, up="interpolate", edge=True, before=False):
        super().__init__()
        self.e1, self.e2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.before = nn.Conv2d(16, 16, 3, padding=1) if before else None
        self.up = {
            "interpolate": lambda: nn.Upsample(scale_factor=2),
            "transposed": lambda: nn.ConvTranspose2d(16, 16, 2, 2),
            "shuffle": lambda: nn.Sequential(nn.Conv2d(16, 64, 3, padding=1), nn.PixelShuffle(2)),
        }[up]()
        self.d, self.o = nn.Conv2d(24 if edge else 16, 8, 3, padding=1), nn.Conv2d(8, 1, 1)
        self.edge = edge

    def forward(self, x):
        a = F.relu(self.e1(x))
        b = F.relu(self.e2(F.max_pool2d(a, 2)))
        u = self.up(b if self.before is None else self.before(b))
        u = torch.cat([u, a], 1) if self.edge else u
        return torch.sigmoid(self.o(F.relu(self.d(u))))


class Attends(nn.Module):
    def __init__(self, glu=False):
        super().__init__()
        self.q, self.n, self.f = nn.Linear(16, 48), nn.LayerNorm(16), nn.Linear(16, 64)
        self.g, self.glu = nn.Linear(32 if glu else 64, 16), glu

    def forward(self, x):
        q, k, v = self.q(self.n(x)).chunk(3, -1)
        x = x + F.dropout((q @ k.transpose(1, 2) / 4).softmax(-1), 0.1, self.training) @ v
        h = self.f(x)
        if self.glu:
            a, b = h.chunk(2, -1)
            return x + self.g(a * torch.sigmoid(b))
        return x + self.g(F.gelu(h))


class Cell(nn.Module):
    def __init__(self, squash=torch.tanh):
        super().__init__()
        self.w, self.fc, self.squash = nn.Linear(32, 64), nn.Linear(16, 3), squash

    def forward(self, x):
        h = c = x.new_zeros(x.shape[0], 16)
        for k in range(3):
            i, f, o, g = self.w(torch.cat([x[:, k], h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * self.squash(g)
            h = torch.sigmoid(o) * self.squash(c)
        return self.fc(h)


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone() * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


class Everything(nn.Module):
    """One of each thing that is hard to see."""

    def __init__(self):
        super().__init__()
        spectral, weight = (
            nn.utils.parametrizations.spectral_norm,
            nn.utils.parametrizations.weight_norm,
        )
        self.c, self.bn, self.se = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), SELayer(4)
        self.script = torch.jit.script(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()))
        self.w, self.s = weight(nn.Linear(4, 4)), spectral(nn.Linear(4, 4))
        self.old = nn.utils.spectral_norm(nn.Linear(4, 4))
        self.lstm, self.mha = nn.LSTM(4, 4), nn.MultiheadAttention(4, 2, batch_first=True)
        self.pos, self.emb = nn.Parameter(torch.zeros(1, 16, 4)), nn.Embedding(16, 4)
        self.drop = nn.Dropout(0.3)

    def forward(self, x):
        h = F.relu(self.bn(self.c(x)), inplace=True)
        h = self.se(h) + h
        h = Double.apply(self.script(F.max_pool2d(h * torch.sigmoid(h), 2)))
        h = torch.cat([h, h.new_zeros(h.shape)], 1)[:, :4]
        t = self.drop(h).flatten(2).transpose(1, 2) + self.pos + self.emb(torch.arange(16))
        t += 1
        t, _ = self.lstm(self.mha(t, t, t)[0])
        t = self.old(self.s(self.w(t)))
        return (t * torch.bernoulli(torch.full((len(t), 1, 1), 0.9))).mean(1)


def mlp(act, *head):
    return nn.Sequential(nn.Linear(16, 8), act(), nn.Linear(8, 8), act(), nn.Linear(8, 3), *head)


def encoder(**more):
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, **more)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.r, self.fc = kind(16, 16, batch_first=True), nn.Linear(16, 3)

    def forward(self, x):
        return self.fc(self.r(x)[0][:, -1])


def standardized(x):
    mean = x.mean((0, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(x.var((0, 2, 3), keepdim=True) + 1e-5)


def rms(x):
    return x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6)


NORMED = nn.utils.parametrizations.weight_norm
ROOT2 = 2**0.5
WRITTEN = {
    "silu": lambda x: x * torch.sigmoid(x),
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / ROOT2)),
    "gelu tanh": lambda x: 0.5 * x * (1 + torch.tanh(0.79788456 * (x + 0.044715 * x**3))),
    "gelu quick": lambda x: x * torch.sigmoid(1.702 * x),
    "softplus": lambda x: torch.log(1 + torch.exp(x)),
    "mish": lambda x: x * torch.tanh(F.softplus(x)),
    "hardswish": lambda x: x * F.relu6(x + 3) / 6,
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.1 * x),
    "leaky_relu max": lambda x: torch.maximum(x, 0.2 * x),
    "relu": lambda x: torch.clamp(x, min=0),
    "relu mask": lambda x: x * (x > 0).float(),
}
MODELS = {
    "small": (Small, IMAGE),
    "small silu": (lambda: Small(F.silu), IMAGE),
    "small wide": (lambda: Small(width=16), IMAGE),
    "small convolutions": (lambda: Small(pool="conv"), IMAGE),
    "small gate": (lambda: Small(gate=SELayer), IMAGE),
    "small edge": (lambda: Small(edge=True), IMAGE),
    "small dropout": (lambda: Small(drop=0.3), IMAGE),
    "small batch norm": (lambda: Small(norm=nn.BatchNorm2d), IMAGE),
    "small own statistics": (
        lambda: Small(norm=lambda n: nn.BatchNorm2d(n, track_running_stats=False)), IMAGE),
    "small standardized": (lambda: Small(norm=lambda _: Call(standardized)), IMAGE),
    "small rms": (lambda: Small(norm=lambda _: Call(rms)), IMAGE),
    "residual": (Residual, IMAGE),
    "residual wide": (lambda: Residual(width=16), IMAGE),
    "residual deep": (lambda: Residual((1, 2, 2)), IMAGE),
    "residual groups": (lambda: Residual(norm=lambda n: nn.GroupNorm(2, n)), IMAGE),
    "residual synchronised": (lambda: Residual(norm=nn.SyncBatchNorm), IMAGE),
    "residual frozen": (lambda: Residual(norm=FrozenBatchNorm2d), IMAGE),
    "residual gem": (lambda: Residual(pool=GeM()), IMAGE),
    "residual edge": (lambda: Residual(edge=True), IMAGE),
    "residual gate": (lambda: Residual(gate=4), IMAGE),
    "unet": (UNet, IMAGE),
    "unet transposed": (lambda: UNet("transposed"), IMAGE),
    "unet shuffle": (lambda: UNet("shuffle"), IMAGE),
    "unet before": (lambda: UNet(before=True), IMAGE),
    "unet apart": (lambda: UNet(edge=False), IMAGE),
    "encoder": (encoder, WORDS),
    "encoder gelu": (lambda: encoder(activation="gelu"), WORDS),
    "encoder norm first": (lambda: encoder(norm_first=True), WORDS),
    "attends": (Attends, WORDS),
    "attends glu": (lambda: Attends(glu=True), WORDS),
    "attends twice": (lambda: nn.Sequential(Attends(), Attends()), WORDS),
    "attends once": (lambda: nn.Sequential(Attends()), WORDS),
    "cell": (Cell, WORDS),
    "cell relu": (lambda: Cell(torch.relu), WORDS),
    "lstm": (lambda: Recurrent(nn.LSTM), WORDS),
    "gru": (lambda: Recurrent(nn.GRU), WORDS),
    "mlp": (lambda: mlp(nn.ReLU), WORDS),
    "mlp prelu": (lambda: mlp(nn.PReLU), WORDS),
    "mlp sigmoid head": (lambda: mlp(nn.ReLU, nn.Sigmoid()), WORDS),
    "mlp weight norm": (
        lambda: nn.Sequential(NORMED(nn.Linear(16, 8)), *list(mlp(nn.ReLU))[1:]), WORDS),
    "everything": (Everything, IMAGE),
    **{f"written {name}": (lambda f=f: Small(f), IMAGE) for name, f in WRITTEN.items()},
}  # fmt: skip


def traced(build, given):
    torch.manual_seed(0)
    model = build()
    tracer = op_trace.new(torch, model)
    with tracer:
        model(given)
    return {
        **tracer.result(),
        "root": 0,
        "cls": type(model).__name__,
        "params": sum(p.numel() for p in model.parameters()),
        "trainable": 0,
    }


def step(with_tracer):
    """Return the loss, the gradients and the generator's state after one step of everything."""
    torch.manual_seed(0)
    model = Everything()
    torch.manual_seed(1)
    if with_tracer:
        with op_trace.new(torch, model):
            out = model(IMAGE)
    else:
        out = model(IMAGE)
    out.square().sum().backward()
    return [out, torch.get_rng_state(), *(p.grad for p in model.parameters()), *model.buffers()]


def behaviour():
    """Return what a tracer does to its surroundings."""
    found = {}
    found["same"] = all(torch.equal(a, b) for a, b in zip(step(False), step(True), strict=True))
    before = nn.Module.__call__
    broken = Call(lambda x: x @ x)
    tracer = op_trace.new(torch, broken)
    try:
        with tracer:
            broken(torch.ones(2, 3))
    except RuntimeError as error:
        found["error"] = str(error)
    found["restored"] = nn.Module.__call__ is before
    long = Call(lambda x: [x := x + 1 for _ in range(5000)][-1])
    found["long"] = len(traced(lambda: long, torch.ones(2))["ops"]), traced(
        lambda: long, torch.ones(2))["cut"]  # fmt: skip
    found["held"] = holds_tensors()
    found["paths"] = innermost()
    found["threads"] = [op["op"] for op in elsewhere()]
    nothing = op_trace.new(SimpleNamespace(nn=nn), broken)
    with nothing:
        pass
    found["old torch"] = nothing.result()
    return found


def holds_tensors():
    """Return whether anything between is kept alive by the tracer."""
    seen = []

    def work(x):
        between = x + 1
        seen.append(weakref.ref(between))
        return between.detach().clone() * 2

    model = Call(work)
    tracer = op_trace.new(torch, model)
    with tracer:
        model(torch.ones(3))
    return seen[0]() is not None


def innermost():
    paths = []
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), Call(lambda x: x)))
    tracer = op_trace.new(torch, model)
    for module in (model[0], model[1][0], model[1][1], model):
        module.register_forward_pre_hook(lambda *_: paths.append(tracer.where()))
    with tracer:
        model(torch.ones(1, 2))
    return [*paths, tracer.where()]


def elsewhere():
    def work(x):
        other = threading.Thread(target=lambda: torch.sigmoid(torch.ones(3)))
        other.start()
        other.join()
        return torch.relu(x)

    return traced(lambda: Call(work), torch.ones(2))["ops"]


if __name__ == "__main__":
    networks = {name: traced(*about) for name, about in MODELS.items()}
    print(json.dumps({"networks": networks, "behaviour": behaviour()}))
