"""Which modules the artifact trains, their optimizers, and calls from outside any module."""

import gc
import sys
import weakref

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from .. import averages, forwards, loaders
from ..recorder import rec
from ..surgery import put
from ._fields import listed, tensors_of

FRAMES = 60
DECIDED = 50000
before_optimizer = []
"""Functions of a module that is trained from now on, or is a copy of one, and what the optimizer
is given (None for a copy); no module within another."""
before_root = []
"""Functions of (module, args, kwargs), which return what to call it with, or None."""
after_root = []
"""Functions without arguments, called after each, whatever its forward raised."""
instead = {}
"""{id(module): (weak reference, function(call, module, args, kwargs))} for modules in others."""


class _Models:
    torch = None
    compiling = tracing = bool
    stacks = {}
    decided = {}
    forms = set()
    optimizers = 0
    modes = False
    fed = set()
    steps = {}
    fronts = set()
    made = []


def watch_optimizers(torch):
    """Begin to see the optimizers that are built; may be called again."""
    if _Models.torch is None:
        _Models.torch = torch
        put(torch.optim.Optimizer, "__init__", _making)


def watch_calls(torch):
    """Begin to see calls of modules, and optimizers; may be called again."""
    watch_optimizers(torch)
    if _Models.compiling is bool:
        compiler = getattr(torch, "compiler", None)
        _Models.compiling = staticmethod(getattr(compiler, "is_compiling", None) or (lambda: False))
        tracing = getattr(torch._C, "_get_tracing_state", None)
        _Models.tracing = staticmethod(tracing or (lambda: None))
        put(torch.nn.Module, "__call__", _calling)
        forwards.afterwards.append(put_back)


# Optimizers


def _making(original):
    def __init__(self, params, *args, **kwargs):
        given = listed(params)
        above, every = _above(given)
        _Models.optimizers += 1
        _Models.forms |= {form(one) for one in above}
        mine = {id(one) for one in above}
        for root in _outermost(every):
            if id(root) in mine or (_has_any(root) and _is_twin(root)):
                for function in before_optimizer:
                    function(root, given if id(root) in mine else None)
        _Models.forms |= {form(one) for one in above}
        _Models.decided.clear()
        return original(self, given, *args, **kwargs)

    return __init__


def _above(given):
    """Return the modules that hold anything of what an optimizer is given, and all there are."""
    ids = {id(p) for p in tensors_of(given)}
    every = [one for one in gc.get_objects() if issubclass(type(one), _Models.torch.nn.Module)]
    every = {id(one): one for one in every if "_modules" in vars(one)}
    parents, waiting = {}, []
    for key, one in every.items():
        for child in one._modules.values():
            parents.setdefault(id(child), []).append(key)
        if any(id(p) in ids for p in one._parameters.values()):
            waiting.append(key)
    above = {}
    while waiting:
        key = waiting.pop()
        if key not in above:
            above[key] = every[key]
            waiting += parents.get(key, ())
    return list(above.values()), list(every.values())


def _outermost(modules):
    inner = {id(child) for one in modules for child in one._modules.values()}
    return [one for one in modules if id(one) not in inner]


def form(module):
    """Return what a copy of a module has in common with it."""
    return type(module), tuple([tuple(p.shape) for p in module.parameters()])


def parts(root, given=None):
    """Yield (path, part) of a root, going only into what is trained of it.

    `given` is what an optimizer is given that is about to be built.
    """
    held = _held() | ({id(p) for p in tensors_of(given)} if given is not None else set())
    twin = not _holds(root, held)
    waiting, seen = [("", root)], set()
    while waiting:
        path, one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        if _has_any(one) and not (_is_twin(one) if twin else _holds(one, held)):
            continue
        yield path, one
        inner = [(name, child) for name, child in one._modules.items() if child is not None]
        waiting += [("%s.%s" % (path, name) if path else name, child) for name, child in inner]


def _is_twin(module):
    if not _Models.optimizers:
        return any(p.requires_grad for p in module.parameters())
    while form(module) not in _Models.forms:
        # What wraps one module and adds no parameters is taken for that one: AveragedModel.
        inner = [one for one in module._modules.values() if one is not None and _has_any(one)]
        if len(inner) != 1 or module._parameters:
            return False
        module = inner[0]
    return True


class Met:
    """Modules that were met before, each once."""

    def __init__(self):
        self.known = {}

    def before(self, module):
        """Return whether this one was met before, since the last optimizer was built."""
        known = self.known.get(id(module))
        met = (known[0]() if known else None, known[1] if known else 0)
        self.known[id(module)] = (weakref.ref(module), _Models.optimizers)
        return met[0] is module and met[1] == _Models.optimizers


# Calls


def _calling(original):
    def __call__(self, *args, **kwargs):
        if _Models.compiling() or _Models.tracing() is not None:
            return original(self, *args, **kwargs)
        stack = _Models.stacks.setdefault(get_ident(), [])
        if stack:
            other = instead.get(id(self)) if instead else None
            stack.append(self)
            try:
                if other is not None and other[0]() is self:
                    return other[1](original, self, args, kwargs)
                return original(self, *args, **kwargs)
            finally:
                stack.pop()
        for function in before_root:
            args, kwargs = function(self, args, kwargs) or (args, kwargs)
        _note(self, args)
        stack.append(self)
        try:
            result = original(self, *args, **kwargs)
            if isinstance(result, _Models.torch.Tensor):
                _Models.made[:] = [*_Models.made[-7:], weakref.ref(result)]
            return result
        finally:
            stack.pop()
            # The probe still looks at what was called.
            if after_root and get_ident() not in forwards.busy():
                put_back()

    return __call__


def put_back():
    """Undo what was done for one outermost call."""
    for function in after_root:
        function()


def _note(module, args):
    """Remember which loaders a training was fed from, and when a module was called last."""
    if _Models.torch.is_grad_enabled():
        if module.training and _Models.optimizers and trained(module):
            _Models.modes = True
            if getattr(_first(args), "grad_fn", None) is None:
                _Models.fronts.add(form(module))
            delivery = _delivery(args)
            if delivery is not None:
                _Models.fed.add(delivery.loader)
    elif len(_Models.steps) < DECIDED:
        _Models.steps[id(module)] = rec.step


def _delivery(args):
    """Return the batch that a loader delivered last, if that may be what is fed now."""
    waiting = loaders.waiting
    one = waiting[-1] if waiting else loaders._Known.current
    if not one.lives() or one.source.told:
        return None
    x = args[0] if args else None
    rows = x.shape[0] if isinstance(x, _Models.torch.Tensor) and x.dim() else one.rows
    return one if one.rows == rows or one.tensor is x else None


def _held():
    state = averages._Copies.state
    return state.held if state is not None else set()


def _holds(module, held):
    return any(id(p) in held for p in module.parameters())


def trained(module, root=None):
    """Tell whether a module, called within a root, is trained here, or is a copy of such a one.

    Before there is any optimizer, whatever can learn counts: it may have been trained elsewhere.
    """
    if not _Models.optimizers:
        return any(p.requires_grad for p in module.parameters())
    known = _Models.decided.get(id(module))
    if known is not None and known[0]() is module:
        return known[1]
    root, held = root or module, _held()
    found = _holds(module, held) or (
        not (root is not module and _holds(root, held)) and _is_twin(root) and _is_twin(module)
    )
    if len(_Models.decided) > DECIDED:
        _Models.decided.clear()
    _Models.decided[id(module)] = (weakref.ref(module), found)
    return found


def evaluates(module, args):
    """Tell whether an outermost call of a module is one of an evaluation of what is trained."""
    if not trained(module):
        return False
    if _Models.torch.is_grad_enabled():
        return not module.training and (_Models.modes or not _Models.optimizers)
    return not _teaches(module, args)


def is_front(module, args):
    """Tell whether a module is fed data, rather than what another one put out."""
    if not _Models.fronts:
        return not any(ref() is _first(args) for ref in _Models.made)
    return form(module) in _Models.fronts or any(
        form(one)[1] == form(module)[1] and form(one) in _Models.fronts
        for one in module._modules.values()
        if one is not None
    )


def _first(args):
    return next((one for one in args if isinstance(one, _Models.torch.Tensor)), None)


def _teaches(module, args):
    """Tell whether a call without gradients is a part of a training step: a teacher's."""
    delivery = _delivery(args)
    if delivery is not None:
        return delivery.loader in _Models.fed
    return _Models.steps.get(id(module)) == rec.step - 1


def quiet():
    """Tell whether every model that is trained is in evaluation mode, or nothing is trained."""
    state, held = averages._Copies.state, _held()
    roots = [root.ref() for root in list(state.roots.values())] if state is not None else []
    return not any(one is not None and one.training and _holds(one, held) for one in roots)


def within():
    """Tell whether what runs now is a part of a module that is trained."""
    stack = _Models.stacks.get(get_ident()) or _callers()
    if not stack:
        return True
    nearest = next((one for one in reversed(stack) if _has_any(one)), stack[-1])
    return trained(nearest, stack[0])


def _has_any(module):
    return next(module.parameters(), None) is not None


def _callers():
    """Return the modules whose methods are running, outermost first, as in a recomputation."""
    frame, found = sys._getframe(2), []
    for _ in range(FRAMES):
        if frame is None:
            break
        one = frame.f_locals.get("self")
        if issubclass(type(one), _Models.torch.nn.Module) and "_modules" in vars(one):
            found.insert(0, one)
        frame = frame.f_back
    return found
