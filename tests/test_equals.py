"""What modules of an artifact's own turn out to be, asked in a real training after its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from probe_support import Raw, observe_raw, run_plain

from repcheck.analysis import observe
from repcheck.observation import EqualSeen

SCRIPT = """
    import hashlib, torch
    from torch import nn
    import torch.nn.functional as F

    class HarmonicRectifiedFlow(nn.Module):  # SiLU, written out
        def forward(self, x):
            return x / (1 + torch.exp(-x))

    class Renormaliser(nn.Module):  # LayerNorm, by the mean of squares
        def __init__(self, width):
            super().__init__()
            self.gain = nn.Parameter(torch.zeros(width))
            self.shift = nn.Parameter(torch.zeros(width))
        def forward(self, x):
            mean = x.mean(-1, keepdim=True)
            spread = ((x * x).mean(-1, keepdim=True) - mean * mean).clamp_min(0)
            return (1 + self.gain) * (x - mean) * torch.rsqrt(spread + 1e-6) + self.shift

    class Whitening(nn.Module):  # BatchNorm, with its running averages
        def __init__(self, width):
            super().__init__()
            self.register_buffer("mean", torch.zeros(width))
            self.register_buffer("square", torch.ones(width))
        def forward(self, x):
            mean, square = self.mean, self.square
            if self.training:
                mean, square = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
                self.mean.lerp_(mean.detach(), 0.1)
                self.square.lerp_(square.detach(), 0.1)
            return (x - mean[:, None, None]) / torch.sqrt(square[:, None, None] + 1e-5)

    class Ghost(nn.Module):  # new in training mode, nothing in evaluation mode
        def forward(self, x):
            return x + 0.1 * x.roll(1, 0) if self.training else x

    class Wave(nn.Module):  # in no catalogue
        def forward(self, x):
            return x * torch.sigmoid(x) + 0.3 * torch.sin(x)

    class Capped(nn.Module):  # ReLU, as far as this training ever goes
        def forward(self, x):
            print("capped", len(x)) if not self.training else None
            return x.clamp(0, 20)

    class Logger(nn.Module):  # leaves something behind where it is evaluated
        def forward(self, x):
            if not self.training:
                open("left-behind.txt", "a").write("called")
            return x.relu()

    class Watched(nn.Module):
        def forward(self, x):
            return x.relu()

    class HardExamples(nn.Module):  # focal loss
        def forward(self, scores, labels):
            chance = scores.softmax(1).gather(1, labels[:, None])[:, 0]
            return (-(1 - chance) ** 2 * chance.log()).mean()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1), Whitening(8), HarmonicRectifiedFlow(), Ghost(),
                Wave(), Capped(), Logger(), Watched(), nn.Flatten(), Renormaliser(512),
                nn.Linear(512, 10),
            )
            self.body[7].register_forward_hook(lambda *_: None)
        def forward(self, x):
            return self.body(x)

    def main():
        torch.manual_seed(0)
        net, loss = Net(), HardExamples()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
        x, y = torch.randn(64, 1, 8, 8), torch.randint(0, 10, (64,))
        for at in range(6):
            rows = torch.arange(16) + 8 * at
            optimizer.zero_grad()
            loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
        held = b"".join(value.numpy().tobytes() for value in net.state_dict().values())
        print(hashlib.sha256(held).hexdigest())

    main()
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Raw:
    return observe_raw(SCRIPT, tmp_path_factory.mktemp("equals"))


@pytest.fixture(scope="module")
def found(raw: Raw) -> dict[str, EqualSeen]:
    return {one.cls.rpartition(".")[2]: one for one in observe(raw.folder).equals}


@pytest.mark.parametrize(
    ("cls", "known", "fitted"),
    [
        ("HarmonicRectifiedFlow", "SiLU", False),
        ("Renormaliser", "LayerNorm", True),
        ("Whitening", "BatchNorm", True),
        ("HardExamples", "focal loss (gamma 2)", False),
    ],
)
def test_a_known_function_is_recognised_however_it_is_written(
    found: dict[str, EqualSeen], cls: str, known: str, fitted: bool
) -> None:
    one = found[cls]
    assert (one.known, one.training) == (known, True)
    assert one.diff is not None
    assert one.diff <= 1e-5
    assert one.n >= 64
    if cls != "Whitening":  # without weights of its own a scale may or may not be fitted
        assert one.fitted is fitted


@pytest.mark.parametrize("cls", ["Wave", "Capped"])
def test_a_function_that_is_known_in_a_part_of_its_range_alone_is_none_of_them(
    found: dict[str, EqualSeen], cls: str
) -> None:
    one = found[cls]
    assert one.diff is not None
    assert one.diff > 1e-2
    assert len(one.scales) == 6


def test_what_is_known_in_evaluation_mode_alone_is_told_apart(found: dict[str, EqualSeen]) -> None:
    assert found["Ghost"].known == "the identity"
    assert not found["Ghost"].training


def test_what_would_do_more_than_compute_is_left_alone(
    raw: Raw, found: dict[str, EqualSeen]
) -> None:
    assert found["Watched"].why == "hooks"
    assert found["Logger"].why == "raised PermissionError"
    assert not (raw.folder.parent / "left-behind.txt").exists()


def test_nothing_of_the_artifact_is_changed_by_the_questions(raw: Raw, tmp_path: Path) -> None:
    assert raw.rc == 0
    assert not raw.of("error")
    assert raw.out == run_plain(SCRIPT, tmp_path).out
