"""At the first torch.compile, whatever could change a graph is taken out (RECORD.md: compile).

Compiled modules are then seen by the classes of their outermost calls. Backward is not seen, nor
are modules that are called by compiled functions, nor steps within them.
"""

import importlib

from . import closely, forwards, losses, settings, steps, weights
from .patches import patch, unpatch
from .recorder import rec


class _Compiled:
    torch = None
    state = None
    functions = False
    wrapped = []


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
    if how == "function":
        _Compiled.functions = True
        _unwrap(_Compiled.wrapped)
        return
    # A class whose calls are seen must not be called within what is compiled.
    within = {type(one) for one in model.modules() if one is not model}
    _unwrap([cls for cls in _Compiled.wrapped if cls in within])
    if how == "inplace" and not _Compiled.functions and type(model) not in within:
        forwards.wrap_class(type(model))
        _Compiled.wrapped.append(type(model))


def _unwrap(classes):
    for cls in list(classes):
        unpatch(cls, "__call__")
        _Compiled.wrapped.remove(cls)


def _step_back():
    torch, state = _Compiled.torch, _Compiled.state
    state.compiled = True
    unpatch(torch.nn.Module, "__call__")
    steps.before_compile()
    settings.before_compile()
    weights.before_compile()
    closely.before_compile()
    losses.before_compile()
    frame = importlib.import_module("torch._dynamo.eval_frame")
    forwards.wrap_class(frame.OptimizedModule)
