"""Two models as functions, by real processes; and what the rule makes of the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from observed_support import runs_beside

from repcheck import rules
from repcheck.claims.load import load
from repcheck.fact import Evidence
from repcheck.judge import judge
from repcheck.likened import likened
from repcheck.rule import Judgement, Severity, State
from repcheck.sameness import Sameness

FIXTURES = Path(__file__).parent / "rules" / "ultimate" / "same_function"
MODELS = """
import torch
from torch import nn


class Known(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, c, 3, padding=1), nn.BatchNorm2d(c)
        self.fc1, self.fc2 = nn.Linear(c, c // 2), nn.Linear(c // 2, c)
        self.mix, self.head = nn.Linear(c, c), nn.Linear(c, 10)

    def forward(self, x):
        h = torch.relu(self.norm(self.stem(x)))
        s = torch.sigmoid(self.fc2(torch.relu(self.fc1(h.mean((2, 3))))))
        return self.head(self.mix((h * s[:, :, None, None]).mean((2, 3))))


class Renamed(nn.Module):  # the same in other words, its weights in another order and turned
    def __init__(self, c=8):
        super().__init__()
        self.out, self.lens = nn.Linear(c, 10), nn.Parameter(torch.randn(c, c))
        self.lens_shift = nn.Parameter(torch.zeros(c))
        self.eye, self.calm = nn.Conv2d(1, c, 3, padding=1), nn.BatchNorm2d(c)
        self.a = nn.Parameter(torch.randn(c, c // 2))
        self.a_shift = nn.Parameter(torch.zeros(c // 2))
        self.b = nn.Conv2d(c // 2, c, 1)

    def focus(self, h):
        seen = torch.einsum("bcij->bc", h) / h[0, 0].numel()
        seen = torch.einsum("bc,cd->bd", seen, self.a) + self.a_shift
        return 1 / (1 + torch.exp(-self.b(seen.clamp(min=0)[:, :, None, None])))

    def view(self, x):
        return self.calm(self.eye(x)).clamp(min=0)

    def forward(self, x):
        h = self.view(x)
        h = torch.einsum("bcij,bcxy->bcij", h, self.focus(h)).mean((-1, -2))
        return self.out(torch.einsum("bc,cd->bd", h, self.lens) + self.lens_shift)


class Stepped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

    @staticmethod
    def backward(ctx, g):
        return -g


class Reversed(Renamed):  # the same outputs, and another gradient
    def view(self, x):
        return super().view(Stepped.apply(x))
"""
CLAIMS = """
repcheck: 1
artifact:
  root: art
  related_code:
    - {path: models.py, entry: "models:Renamed", cited: false}
    - {path: models.py, entry: "models:Reversed", cited: true}
    - {path: models.py, entry: "models", cited: true}
methods:
  ours:
    role: proposed
    components: [{name: focus, kind: module, claimed_novel: NEW}]
    model: {entry: "models:Known", input_shape: [4, 1, 8, 8]}
    train: {command: "python t.py --seed {seed} --out {out}"}
  base: {role: baseline, train: {command: "python t.py --seed {seed} --out {out}"}}
metrics: {acc: {higher_is_better: true, unit: percent, from: "{out}/m.json:acc"}}
claims: [{id: C1, type: improvement, method: ours, baselines: [base], metric: acc, improvement: 5}]
"""


def asked(evidence: Evidence) -> list[Judgement]:
    return judge(evidence, [rules.load()["RC601b"]])


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("paper")
    (home / "art").mkdir()
    (home / "art" / "models.py").write_text(MODELS)
    file = home / "claims.yaml"
    file.write_text(CLAIMS.replace("NEW", "true"))
    return file


@pytest.fixture(scope="module")
def found(paper: Path) -> dict[str, Sameness]:
    made = likened(Evidence(claims=load(paper)), None)
    return {one.theirs.rpartition(":")[2]: one for one in made}


def test_one_function_is_recognised_in_other_words_and_no_other_is(
    found: dict[str, Sameness],
) -> None:
    assert found["Renamed"].same(1e-5) is True
    assert found["Renamed"].n >= 64
    assert found["Renamed"].moved == 12
    assert found["Reversed"].same(1e-5) is False
    assert found["models"].same(1e-5) is None
    assert "expected module:function" in found["models"].why


def test_equal_outputs_with_another_gradient_are_not_one_function(
    found: dict[str, Sameness],
) -> None:
    one = found["Reversed"]
    assert one.diff is not None
    assert one.diff < 1e-10
    assert one.gradient == pytest.approx(2.0)
    assert one.same(1e-5) is False


def test_what_was_kept_of_the_same_artifact_is_not_made_again(paper: Path) -> None:
    kept = [
        Sameness(ours="ours", theirs=name, diff=0.5, gradient=0.5, why="kept")
        for name in ("models:Renamed", "models:Reversed", "models")
    ]
    assert list(likened(Evidence(claims=load(paper)), None, tuple(kept))) == kept


@pytest.mark.parametrize(
    ("cited", "new", "expected"),
    [
        ("false", "true", Severity.MAJOR),
        ("false", "false", Severity.MAJOR),
        ("true", "true", Severity.MINOR),
        ("true", "false", State.CLEARED),
    ],
)
def test_a_fork_that_cites_its_source_is_no_finding_unless_it_is_called_new(
    tmp_path: Path, cited: str, new: str, expected: Severity | State
) -> None:
    file = tmp_path / "claims.yaml"
    file.write_text(CLAIMS.replace("NEW", new).replace("cited: false", f"cited: {cited}"))
    same = Sameness(
        ours="ours", theirs="models:Renamed", n=64, moved=12, diff=3e-16, gradient=4e-16,
        training=5e-16,
    )  # fmt: skip
    claims = load(file)
    every = asked(Evidence(claims=claims, likened=(same,)))
    told = [one for one in every if "Renamed" in one.message]
    assert [one.severity or one.state for one in told] == [expected]


def test_numbers_decide_where_two_networks_do_other_calls() -> None:
    file = FIXTURES / "unjudged_other_calls.yaml"
    claims, runs = load(file), runs_beside(file)
    for diff, state in ((1e-12, State.FLAGGED), (0.3, State.CLEARED)):
        same = Sameness(ours="ours", theirs="base", n=64, diff=diff, gradient=diff, training=diff)
        [one] = asked(Evidence(claims=claims, runs=runs, likened=(same,)))
        assert one.state is state
    only_evaluated = Sameness(ours="ours", theirs="base", n=64, diff=0.0, gradient=0.0)
    [one] = asked(Evidence(claims=claims, runs=runs, likened=(only_evaluated,)))
    assert one.state is State.UNDETERMINED
