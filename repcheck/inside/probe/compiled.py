"""At the first torch.compile, whatever could change a graph is taken out (RECORD.md: compile).

Compiled modules are then seen by the classes of their outermost calls, backward is not seen.
"""

from . import forwards, settings, steps
from .patches import patch, unpatch
from .recorder import rec


class _Compiled:
    torch = None
    state = None


def install(torch, state):
    """Watch torch.compile and Module.compile."""
    _Compiled.torch, _Compiled.state = torch, state
    if hasattr(torch, "compile"):
        patch(torch, "compile", _compiling)
    if "compile" in vars(torch.nn.Module):
        patch(torch.nn.Module, "compile", _in_place)


def _compiling(original):
    def compile(model=None, *args, **kwargs):
        if rec.on:
            rec.guarded(_told, model, "")
        return original(model, *args, **kwargs)

    return compile


def _in_place(original):
    def compile(self, *args, **kwargs):
        if rec.on:
            rec.guarded(_told, self, "inplace")
        return original(self, *args, **kwargs)

    return compile


def _told(model, how):
    module = isinstance(model, _Compiled.torch.nn.Module)
    how = how or ("module" if module else "function")
    what = type(model).__qualname__ if module else getattr(model, "__qualname__", "")
    rec.event("compile", what=what, how=how)
    if not _Compiled.state.compiled:
        _step_back()
    if how == "inplace":
        forwards.wrap_class(type(model))


def _step_back():
    torch, state = _Compiled.torch, _Compiled.state
    state.compiled = True
    unpatch(torch.nn.Module, "__call__")
    steps.before_compile()
    settings.before_compile()
    for root in list(state.roots.values()):
        module = root.ref()
        if module is not None:
            forwards.wrap_class(type(module))
    from torch._dynamo.eval_frame import OptimizedModule

    forwards.wrap_class(OptimizedModule)
    patch(torch.nn.Module, "train", _training, watch=False)


def _training(original):
    inside = []

    def train(self, mode=True):
        if not inside and type(self) is not _Compiled.torch.nn.Module:
            rec.guarded(forwards.wrap_class, type(self))
        inside.append(True)
        try:
            return original(self, mode)
        finally:
            inside.pop()

    return train
