"""A bandit with a state: four actions, of which the state says which one is best."""

import argparse
import json
from pathlib import Path

import torch
from torch import nn


def main():
    """Learn a policy by REINFORCE, then let it decide a thousand times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--see", choices=("state", "nothing"), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    best = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(options.seed)
    policy = nn.Linear(3, 4)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.05)
    seen = 1.0 if options.see == "state" else 0.0
    for _ in range(300):
        state = torch.randn(64, 3)
        choice = torch.distributions.Categorical(logits=policy(seen * state))
        action = choice.sample()
        reward = ((state @ best).argmax(1) == action).float()
        loss = -(choice.log_prob(action) * (reward - reward.mean())).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        state = torch.randn(1000, 3)
        action = torch.distributions.Categorical(logits=policy(seen * state)).sample()
        score = 100 * ((state @ best).argmax(1) == action).float().mean().item()
    (options.out / "metrics.json").write_text(json.dumps({"reward": score}))


if __name__ == "__main__":
    main()
