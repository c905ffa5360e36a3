"""What trainings cost, counted while they run: equal to formulas, and nothing runs otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from repcheck.analysis import observe
from repcheck.observation import FlopsSeen, Observation
from tests.probe_support import observe_raw, run_plain

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint
torch.set_num_threads(1)
torch.manual_seed(0)
X, Y = torch.randn(64, 16), torch.randint(0, 4, (64,))
def net():
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
def total(*models):
    values = [p.double().abs().sum().item() for model in models for p in model.parameters()]
    print(*map(repr, values))
def train(model, optimizer=None, steps=4):
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(X[:32]), Y[:32]).backward()
        optimizer.step()
"""
FIRST, SECOND = 2 * 16 * 32, 2 * 32 * 4
"""FLOPs of the two layers of `net`, a row."""


def watched(script: str, tmp_path: Path) -> Observation:
    raw = observe_raw(HEAD + script, tmp_path)
    assert raw.rc == 0, raw.err
    assert raw.of("error") == []
    return observe(raw.folder)


def only(seen: Observation, **wanted: object) -> FlopsSeen:
    [found] = [one for one in seen.flops if all(getattr(one, k) == v for k, v in wanted.items())]
    return found


def test_a_plain_loop_with_evaluations_costs_what_its_layers_say(tmp_path: Path) -> None:
    seen = watched(
        """
model = net()
optimizer = torch.optim.Adam(model.parameters())
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
for epoch in range(3):
    model.train()
    for i in (0, 24):
        optimizer.zero_grad()
        F.cross_entropy(model(X[i:i + 24]), Y[i:i + 24]).backward()
        optimizer.step()
    schedule.step()
    model.eval()
    with torch.no_grad():
        model(X[48:])
""",
        tmp_path,
    )
    train, evaluated = only(seen, phase="train"), only(seen, phase="eval")
    assert (train.rows, train.shape, evaluated.rows) == (24, (16,), 16)
    assert train.forward == 24 * (FIRST + SECOND)
    assert train.backward == 24 * (FIRST + 2 * SECOND)  # the first layer's input gets no gradient
    assert (train.recompute, train.optimizer, train.coverage) == (0, 0, 1)
    assert evaluated.forward == 16 * (FIRST + SECOND)
    assert (evaluated.backward, evaluated.elementwise) == (0, 16 * 32)
    assert train.elementwise > 7 * (16 * 32 + 32 + 32 * 4 + 4)  # Adam's own operations
    assert {one.uncounted == {} for one in seen.flops} == {True}
    assert seen.models[train.root].cls == train.cls


def test_accumulated_and_checkpointed_calls_are_told_by_themselves(tmp_path: Path) -> None:
    seen = watched(
        """
model = net()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(2):
    optimizer.zero_grad()
    for i in range(0, 32, 8):
        F.cross_entropy(model(X[i:i + 8]), Y[i:i + 8]).backward()
    optimizer.step()
class Kept(nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.reentrant, self.first = reentrant, nn.Linear(16, 16)
        self.kept = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
    def forward(self, x):
        return checkpoint(self.kept, self.first(x), use_reentrant=self.reentrant)
for reentrant in (False, True):
    train(Kept(reentrant))
""",
        tmp_path,
    )
    accumulated, early, whole = sorted(seen.flops, key=lambda one: one.root)
    assert accumulated.rows == 8
    assert accumulated.forward == 8 * (FIRST + SECOND)
    assert accumulated.backward == 8 * (FIRST + 2 * SECOND)
    for one in (early, whole):
        assert one.forward == 32 * 2 * (16 * 16 + 2 * 16 * 32)
        assert one.backward == 32 * 2 * (16 * 16 + 4 * 16 * 32)
    # One stops when it has what it needs, which the last layer's output is not.
    assert (early.recompute, whole.recompute) == (32 * FIRST, 32 * 2 * FIRST)


def test_a_teacher_is_told_from_an_evaluation_and_a_transformer_costs_its_formula(
    tmp_path: Path,
) -> None:
    seen = watched(
        """
class Student(nn.TransformerEncoderLayer):
    pass
teacher = nn.Linear(32, 32)
student = Student(32, 4, 64, dropout=0.0, batch_first=True)
x = torch.randn(48, 10, 32)
optimizer = torch.optim.SGD(student.parameters(), 0.01)
loader = torch.utils.data.DataLoader(x, batch_size=8)
for _ in range(2):
    student.train()
    for batch in loader:
        with torch.no_grad():
            target = teacher(batch)
        optimizer.zero_grad()
        F.mse_loss(student(batch), target).backward()
        optimizer.step()
    student.eval()
    with torch.no_grad():
        for batch in loader:
            student(batch)
""",
        tmp_path,
    )
    rows, width, feed, length = 80, 32, 64, 10
    layers = 2 * rows * (4 * width * width + 2 * width * feed)
    attention = 4 * rows * length * width
    train, taught = only(seen, phase="train"), only(seen, phase="teacher")
    evaluated = only(seen, phase="eval")
    assert (train.rows, train.shape) == (8, (10, 32))
    assert train.forward == layers + attention
    assert train.backward == 2 * (layers + attention) - 2 * rows * 3 * width * width
    assert train.recompute == attention / 2
    assert evaluated.forward == layers + attention
    assert taught.forward == 2 * rows * width * width
    assert seen.models[taught.root].cls.endswith("Linear")


def test_two_networks_two_losses_and_an_optimizer_with_products_are_shared_out(
    tmp_path: Path,
) -> None:
    seen = watched(
        """
class Orthogonal(torch.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})
    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            if p.ndim == 2:
                g = p.grad / p.grad.norm()
                p.sub_(0.1 * (g @ g.T @ g))
model = net()
train(model, Orthogonal(model.parameters()))
encoder, head = net(), nn.Linear(4, 4)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], 0.1)
for _ in range(4):
    optimizer.zero_grad()
    hidden = encoder(X)
    hidden.pow(2).mean().backward(retain_graph=True)
    F.cross_entropy(head(hidden), Y).backward()
    optimizer.step()
""",
        tmp_path,
    )
    orthogonal, encoder, head = sorted(seen.flops, key=lambda one: one.root)
    assert orthogonal.optimizer == 4 * 32 * 32 * 16 + 4 * 4 * 4 * 32
    once = 64 * (FIRST + 2 * SECOND)
    assert encoder.forward == 64 * (FIRST + SECOND)
    assert head.forward == 64 * 2 * 16
    # Together what was run: through the encoder twice and through the head once.
    assert encoder.backward + head.backward == pytest.approx(2 * once + 2 * head.forward)


def test_the_operations_of_a_trained_network_are_told_once(tmp_path: Path) -> None:
    seen = watched(
        """
class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 8, 3, stride=2), nn.Linear(8, 4)
    def forward(self, x):
        return self.head(F.relu(self.conv(x)).mean((2, 3)))
model = Small()
train_x = X.view(64, 1, 4, 4)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(5):
    optimizer.zero_grad()
    F.cross_entropy(model(train_x), Y).backward()
    optimizer.step()
""",
        tmp_path,
    )
    [network] = seen.networks
    assert network.root == only(seen, phase="train").root
    assert (network.params, network.shape, network.cut) == (8 * 9 + 8 + 36, (1, 4, 4), False)
    assert [op.op for op in network.ops] == ["conv2d", "relu", "mean", "linear"]
    assert sum(op.params for op in network.ops) == network.params
    assert [op.module for op in network.ops] == ["conv", "", "", "head"]


UNBROKEN = """
import copy, pickle
from torch.func import functional_call, grad, vmap
from torch.utils._python_dispatch import TorchDispatchMode
from torch.overrides import TorchFunctionMode
log = []
class Own(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        log.append(str(func))
        return func(*args, **(kwargs or {}))
class Functions(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        log.append(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))
class Within(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net()
    def forward(self, x):
        with Own():
            return self.net(x)
one, two, three, four = net(), Within(), nn.DataParallel(net()), net()
with Own():
    train(one)
train(two)
train(three)
optimizer = torch.optim.SGD(four.parameters(), 0.1)
with Functions():
    train(four, optimizer)
hooked, calls = net(), [0]
hooked[0].register_forward_hook(lambda module, given, out: out * 1.5)
hooked[2].register_full_backward_hook(lambda *a: calls.append(1))
optimizer = torch.optim.Adam(hooked.parameters())
optimizer.register_step_post_hook(lambda *a: calls.append(2))
for _ in range(3):
    train(hooked, optimizer, 1)
    again = pickle.loads(pickle.dumps(copy.deepcopy(optimizer)))
def loss(p, x, y):
    return F.cross_entropy(functional_call(one, p, (x[None],)), y[None])
p = {k: v.detach() for k, v in one.named_parameters()}
for _ in range(3):
    g = vmap(grad(loss), (None, 0, 0))(p, X, Y)
    p = {k: v - 0.1 * g[k].mean(0) for k, v in p.items()}
print(*[repr(v.abs().sum().item()) for v in p.values()])
searched = net()
lbfgs = torch.optim.LBFGS(searched.parameters(), max_iter=3)
def closure():
    lbfgs.zero_grad()
    l = F.cross_entropy(searched(X), Y)
    l.backward()
    return l
for _ in range(2):
    lbfgs.step(closure)
smooth = net()
optimizer = torch.optim.SGD(smooth.parameters(), 0.1)
for _ in range(3):
    x = X.clone().requires_grad_()
    out = smooth(x)
    slope, = torch.autograd.grad(out.sum(), x, create_graph=True)
    optimizer.zero_grad()
    (F.cross_entropy(out, Y) + slope.pow(2).mean()).backward()
    optimizer.step()
scripted = torch.jit.script(net())
train(scripted)
nested = torch.nested.nested_tensor([torch.randn(3, 16), torch.randn(5, 16)])
for _ in range(3):
    print(repr([part.sum().item() for part in one[0](nested).unbind()]))
class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.calls = nn.Linear(16, 4), 0
    def forward(self, x):
        self.calls += 1
        if self.calls == 2:
            raise ValueError("its own")
        return self.layer(x)
fails = Fails()
for _ in range(4):
    try:
        train(fails, steps=1)
    except ValueError as error:
        print(error)
total(one, two, three, four, hooked, searched, smooth, scripted, fails)
print(len(log), sum(calls), "step" in vars(optimizer))
"""


def test_nothing_of_the_artifacts_breaks_or_comes_out_otherwise(tmp_path: Path) -> None:
    seen, plain = observe_raw(HEAD + UNBROKEN, tmp_path), run_plain(HEAD + UNBROKEN, tmp_path)
    assert seen.rc == plain.rc == 0, seen.err + plain.err
    assert seen.out == plain.out
    assert [e for e in seen.of("error") if e["where"].startswith(("closely", "flop"))] == []
    found = observe(seen.folder).flops
    assert {one.phase for one in found} >= {"train"}
    by_penalty = [one for one in found if one.recompute == 0 and one.backward > 3 * one.forward]
    assert len(by_penalty) == 1  # its second derivatives are a backward's, not recomputed forwards


def test_nothing_is_looked_at_once_anything_was_compiled(tmp_path: Path) -> None:
    raw = observe_raw(
        HEAD
        + """
compiled = torch.compile(net(), backend="eager")
train(compiled)
model = net()
train(model)
""",
        tmp_path,
    )
    assert raw.rc == 0, raw.err
    assert raw.of("flops") == raw.of("network") == raw.of("error") == []
