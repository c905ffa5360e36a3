"""Policies: what the probe sees of their decisions, and decisions that do not see the state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from probe_support import Raw, observe_raw, run_plain

from repcheck.analysis import observe
from repcheck.observation import Observation

AGENT = """
import torch
torch.manual_seed(0)
weights = torch.randn(3, 4)
policy = torch.nn.Linear(3, 4)
optimizer = torch.optim.Adam(policy.parameters(), lr=0.05)
for step in range(120):
    x = torch.randn(32, 3)
    d = torch.distributions.Categorical(logits=policy(x))
    a = d.sample()
    reward = ((x @ weights).argmax(1) == a).float()
    loss = -(d.log_prob(a) * (reward - reward.mean())).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
with torch.no_grad():
    x = torch.randn(500, 3)
    a = torch.distributions.Categorical(logits=policy(x)).sample()
print(((x @ weights).argmax(1) == a).float().mean().item())
"""


def seen_of(raw: Raw) -> Observation:
    assert raw.rc == 0, raw.err
    seen = observe(raw.folder)
    assert not seen.probe_errors
    return seen


def operated(tmp_path: Path, text: str, how: str) -> tuple[float, Observation]:
    surgery = json.dumps([{"kind": "policy", "as": how}])
    raw = observe_raw(text, tmp_path, env={"REPCHECK_SURGERY": surgery})
    return float(raw.out), seen_of(raw)


def test_what_the_state_tells_of_the_action_is_found_and_nothing_is_changed(tmp_path: Path) -> None:
    raw = observe_raw(AGENT, tmp_path)
    (policy,) = seen_of(raw).policies
    assert (policy.via, policy.actions, policy.total, policy.n) == ("Categorical", 4, 4340, 500)
    assert policy.frozen
    assert policy.scored
    assert sum(policy.drawn) == 500
    assert policy.information is not None
    assert policy.information > 0.5
    assert raw.out == run_plain(AGENT, tmp_path).out


SEVERAL = """
import torch
torch.manual_seed(0)
falls = torch.nn.Parameter(torch.zeros(5))
still = torch.tensor([0.0, 1.0, 0.5, -1.0]).requires_grad_()
turns = torch.nn.Parameter(torch.zeros(2))
optimizer = torch.optim.SGD([falls, turns], lr=1.0)
def drawn(logits, n):
    d = torch.distributions.Categorical(logits=logits.expand(n, -1))
    a = d.sample()
    return a, d.log_prob(a)
for step in range(300):
    a, p = drawn(falls, 16)
    reward = (a == 2).float()
    loss = -(p * (reward - reward.mean())).mean()
    _, p = drawn(turns, 1)
    loss = loss - (p * (1.0 if step < 150 else -1.0)).mean()
    drawn(still, 8)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
drawn(falls, 400); drawn(still, 400)
for _ in range(250):
    torch.multinomial(torch.tensor([[0.2, 0.3, 0.5]]), 1)
    torch.multinomial(torch.ones(1000), 32)
import numpy as np
np.random.default_rng(0).choice(7, p=np.full(7, 1 / 7))
torch.zeros(7).argmax()
list(torch.utils.data.WeightedRandomSampler([1.0] * 4, 400))
"""


def test_collapsed_blind_and_changing_policies_are_told_and_greedy_ones_are_not_seen(
    tmp_path: Path,
) -> None:
    found = {one.actions: one for one in seen_of(observe_raw(SEVERAL, tmp_path)).policies}
    assert set(found) == {2, 3, 4, 5}
    assert found[5].frozen
    assert found[5].drawn[2] >= 0.95 * found[5].n
    assert found[4].information == pytest.approx(0, abs=1e-3)
    assert max(found[4].drawn) < 0.9 * found[4].n
    assert found[2].information is None
    assert not found[2].frozen
    assert found[2].marginal - found[2].entropy > 0.01
    multinomial = found[3]
    assert (multinomial.via, multinomial.total, multinomial.scored) == ("multinomial", 250, False)


def test_decisions_that_do_not_see_the_state_lose_what_it_is_worth(tmp_path: Path) -> None:
    score, seen = operated(tmp_path, AGENT, "marginal")
    assert score < 0.45
    (done,) = seen.surgery
    assert (done.kind, done.what, done.times) == ("policy", "as: marginal", 4340)


def test_the_artifacts_own_numbers_are_drawn_as_without_the_change(tmp_path: Path) -> None:
    text = """
    import torch
    torch.manual_seed(3)
    logits = torch.zeros(4)
    for _ in range(3):
        torch.distributions.Categorical(logits=logits).sample((2,))
    torch.multinomial(torch.ones(2), 1)
    print(torch.rand(1).item())
    """
    score, seen = operated(tmp_path, text, "constant:1")
    assert score == float(run_plain(text, tmp_path).out)
    assert seen.surgery[0].times == 7
    assert {one.actions: one.drawn for one in seen.policies} == {4: (0, 6, 0, 0), 2: (0, 1)}


def test_a_change_that_cannot_be_made_applies_never_and_says_why(tmp_path: Path) -> None:
    asked = [{"kind": "policy", "as": how} for how in ("greedy", "constant", "constant:9")]
    text = "import torch\ntorch.distributions.Categorical(logits=torch.zeros(4)).sample()\n"
    raw = observe_raw(text, tmp_path, env={"REPCHECK_SURGERY": json.dumps(asked)})
    assert raw.rc == 0
    assert [one["times"] for one in raw.of("surgery")] == [0, 0, 0]
    assert len(raw.of("error")) == 3


GRID = """
import random, sys
import numpy as np, torch
class Grid:
    def reset(self, seed=None):
        self.rng, self.own = np.random.default_rng(seed), random.Random(seed)
    def step(self, action):
        return 0
class Wrapped:
    def __init__(self):
        self.grid = Grid()
    def reset(self, seed=None):
        return self.grid.reset(seed=seed)
    def step(self, action):
        return self.grid.step(action)
env, w = Wrapped(), torch.nn.Parameter(torch.zeros(1))
optimizer = torch.optim.SGD([w], lr=0.1)
def test():
    for seed in range(1000, 1020):
        env.reset(seed)
for seed in range(100):
    env.reset(seed)
    optimizer.zero_grad(); (w**2).sum().backward(); optimizer.step()
    if seed % 25 == 0:
        test()
test()
"""


def test_the_seeds_of_environments_are_told_by_the_line_that_resets_them(tmp_path: Path) -> None:
    test, train = sorted(seen_of(observe_raw(GRID, tmp_path)).resets, key=lambda one: one.after)[
        ::-1
    ]
    assert (train.cls, train.seeds, train.during, train.after) == ("Grid", ((0, 99),), True, False)
    assert (test.seeds, test.during, test.after) == (((1000, 1019),), True, True)
