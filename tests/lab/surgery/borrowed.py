"""Starts from somebody's weights, trains on, saves; a second process evaluates what it saved."""

import os
import subprocess
from pathlib import Path

import numpy as np
from common import Net, copy, digest, sys, tell, torch, train
from safetensors.torch import load_file, save_file


def borrow():
    """Put files here as they are when somebody else made them long before."""
    torch.manual_seed(5)
    state = Net().state_dict()
    torch.save({"model": state}, "init.pt")
    np.savez("init.npz", **{name: value.numpy() for name, value in state.items()})
    save_file(state, "init.safetensors")
    for name in ("init.pt", "init.npz", "init.safetensors"):
        os.utime(name, (1e9, 1e9))


def evaluate():
    model = Net()
    model.load_state_dict(torch.load("best.pt"))
    own = digest(model)
    model.load_state_dict(torch.load("init.pt")["model"])
    tell(own=own, later=digest(model))


def main():
    borrow()
    torch.manual_seed(0)
    model = Net()
    told = {"fresh": digest(model)}
    model.load_state_dict(torch.load("init.pt")["model"])
    told["torch"] = digest(model)
    with np.load("init.npz") as values:
        model.load_state_dict({name: torch.from_numpy(values[name]) for name in values.files})
    told["numpy"] = digest(model)
    model.load_state_dict(load_file("init.safetensors"))
    told["safetensors"] = digest(model)
    follower = Net()
    follower.load_state_dict(model.state_dict())
    told["follower"] = digest(follower)
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), 1)
    torch.save(model.state_dict(), "last.pt")
    Path("last.pt").rename("best.pt")
    told["trained"] = digest(model)
    best = copy.deepcopy(follower)
    best.load_state_dict(torch.load("best.pt"))
    tell(**told, own=digest(best))
    subprocess.run([sys.executable, sys.argv[0], "evaluate"], check=True)


if len(sys.argv) > 1:
    evaluate()
else:
    main()
