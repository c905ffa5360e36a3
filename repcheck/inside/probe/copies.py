"""Deep copies, told to whoever wants to know; light, so that it can be in place from the start.

Most scripts import `deepcopy` by name before they import torch.
"""

from .patches import patch
from .recorder import rec

told = []
"""Functions of the source and its copy."""


def watch(module):
    """Patch `copy.deepcopy`."""
    patch(module, "deepcopy", _copying, watch=False)


def _copying(original):
    def deepcopy(x, memo=None, *more, **named):
        result = original(x, memo, *more, **named)
        # Within a copy of something larger there is a memo: only whole copies count.
        if memo is None and told and rec.on:
            for function in told:
                rec.guarded(function, x, result)
        return result

    return deepcopy
