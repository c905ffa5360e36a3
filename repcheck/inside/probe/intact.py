"""Whether what the probe put into the artifact's Python is still there, and so is its record."""

import sys

from . import imports, patches
from .recorder import rec

NAME = __name__.partition(".")[0]


def gone():
    """Return the names of what is no longer in place."""
    found = patches.broken()
    if not imports.in_place():
        found.append("sys.meta_path")
    if NAME not in sys.modules:
        found.append("the probe in sys.modules")
    if not _after_steps():
        found.append("the hook after optimizer steps")
    if rec.switched_off():
        found.append("the recorder, which was switched off")
    return found + ["the record's own file .%s" % suffix for suffix in rec.lost()]


def _after_steps():
    # The package deletes its attribute of this name after its own imports.
    home = sys.modules.get("torch.optim.optimizer")
    hooks = getattr(home, "_global_optimizer_post_hooks", None)
    if hooks is None or not patches.holds(home.Optimizer, "__init__"):
        return True
    return any((getattr(one, "__module__", "") or "").startswith(NAME) for one in hooks.values())
