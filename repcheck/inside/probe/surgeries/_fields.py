"""Numbers that an optimizer is built with and steps with."""

import sys

from ..surgery import optimizers, put

building = []
"""Functions of (optimizer, groups or tensors, defaults), called while an optimizer is built."""
before_step = []
"""Functions of an optimizer that is about to step."""
_watched = []


def watch(torch):
    """Begin to see optimizers while they are built; may be called again."""
    if not _watched:
        _watched.append(torch)
        put(torch.optim.Optimizer, "__init__", _making)


def watch_steps():
    """Begin to see steps; may be called again.

    Raises:
        ValueError: if this torch has no hooks before steps.
    """
    register = getattr(optimizers(), "register_optimizer_step_pre_hook", None)
    if register is None:
        raise ValueError("this torch has no hooks before optimizer steps")
    if len(_watched) == 1:
        _watched.append(register(_stepping))


def _making(original):
    def __init__(self, params, defaults, *args, **kwargs):
        params, defaults = listed(params), dict(defaults)
        for function in building:
            if function(self, params, defaults):
                return None
        return original(self, params, defaults, *args, **kwargs)

    return __init__


def _stepping(optimizer, _args, _kwargs):
    for function in before_step:
        function(optimizer)


def listed(params):
    """Return what an optimizer is given, with lists in place of what can be read but once."""
    torch = sys.modules["torch"]
    if isinstance(params, (torch.Tensor, dict)):
        return params
    given = list(params)
    for one in given:
        if isinstance(one, dict) and hasattr(one.get("params"), "__next__"):
            one["params"] = list(one["params"])
    return given


def tensors_of(given):
    """Return the tensors within what an optimizer is given: tensors, (name, tensor), or groups."""
    tensor, found = sys.modules["torch"].Tensor, []
    for one in given if isinstance(given, list) else []:
        inner = one.get("params", ()) if isinstance(one, dict) else [one]
        for value in [inner] if isinstance(inner, tensor) else inner:
            value = value[1] if isinstance(value, tuple) and len(value) == 2 else value
            found += [value] if isinstance(value, tensor) else []
    return found


def groups_of(params):
    """Return the groups among what an optimizer is given."""
    return [one for one in params if isinstance(one, dict)] if isinstance(params, list) else []


def set_lr(group, value):
    """Set a learning rate, which may be a tensor."""
    if hasattr(group["lr"], "fill_"):
        group["lr"].fill_(value)
    else:
        group["lr"] = value


def number(value):
    """Return a finite number.

    Raises:
        ValueError: if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value - value != 0:
        raise ValueError("%r is no number" % (value,))
    return value
