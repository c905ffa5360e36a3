"""Calls of modules from outside any module: what went in, and whether a gradient can come out.

What comes of them is found in trained.py (something was trained through) and passes.py (nothing).
"""

import sys

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from . import closely, content, equals, loaders, trained, weights
from .counts import counts
from .passes import Passes
from .patches import patch
from .recorder import rec
from .settings import autocast_since_step

afterwards = []
"""Functions that are called when all is known of a call from outside any module."""
LOOKED = 63
"""A mask: every 64th forward it is looked whether a frozen module can learn again."""


class _Forwards:
    state = None
    passes = None
    torch = None
    busy = set()
    first_out = ()
    wrap = None
    number = 0


def forget():
    """Drop what belongs to the process that forked."""
    trained.forget()
    _Forwards.busy.clear()
    _Forwards.state.backward.clear()


def install(torch, state):
    """Replace the call of a module by one that knows whether it is the outermost."""
    _Forwards.torch, _Forwards.state = torch, state
    _Forwards.passes = Passes(state)
    trained.install(state, _Forwards.passes)
    rec.after_fork.append(forget)
    loaders.on_new_iterator.append(new_iterator)
    _Forwards.wrap = _maker(torch, state)
    patch(torch.nn.Module, "__call__", _Forwards.wrap)


def wrap_class(cls):
    """See the calls of one class alone: a compiled module's, which must not be traced."""
    if "__repcheck__" not in getattr(cls.__call__, "__dict__", {}):
        patch(cls, "__call__", _Forwards.wrap, watch=False)


def _maker(torch, state):
    tracing = getattr(torch._C, "_get_tracing_state", None) or (lambda: None)
    functorch = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)
    mapped = functorch or (lambda: None)
    compiler = getattr(torch, "compiler", None)
    compiling = getattr(compiler, "is_compiling", None) or (lambda: False)
    busy, backward = _Forwards.busy, state.backward

    def make(original):
        def __call__(self, *args, **kwargs):
            me = get_ident()
            if me in busy or not rec.on or (backward and _recomputes(me)):
                return original(self, *args, **kwargs)
            if tracing() is not None or mapped() is not None:
                return original(self, *args, **kwargs)
            if state.compiled and compiling():
                return original(self, *args, **kwargs)
            busy.add(me)
            try:
                root = state.roots.get(id(self))
                if root is None or root.ref() is not self:
                    root = rec.guarded(_meet, self)
                if root is not None and root.close is not None:
                    look = _wanted(root, self, args, kwargs)
                    if look is not None:
                        return _looked_at(look, original, self, args, kwargs)
                result = original(self, *args, **kwargs)
                _left(self, args, kwargs, result, me)
                return result
            finally:
                busy.discard(me)
                for function in afterwards:
                    function()

        return __call__

    return make


def busy():
    """Return the threads that are within a call that the probe looks at."""
    return _Forwards.busy


def _looked_at(look, original, module, args, kwargs):
    result = closely.run(look, original, module, args, kwargs)
    _left(module, args, kwargs, result, get_ident())
    with unseen():
        rec.guarded(_after_look, look, module, args, kwargs)
    return result


def _after_look(look, module, args, kwargs):
    x = _input(args, kwargs)
    closely.after_forward(look, module, 0 if x is None else _rows(x))


def _left(module, args, kwargs, result, me):
    try:
        _leave(module, args, kwargs, result, me)
    except Exception as exc:
        rec.error("forwards.leave", exc)


def _recomputes(me):
    """Return whether a call is a part of a backward: of this thread's, or in the engine's own."""
    known = getattr(sys.modules.get("threading"), "_active", None)
    return me in _Forwards.state.backward or known is None or me not in known


def _meet(module):
    if not modes():
        return _know(module)
    with unseen():
        return _know(module)


def _know(module):
    kind = getattr(_Forwards.torch.nn.parameter, "UninitializedTensorMixin", ())
    if any(isinstance(p, kind) for p in module.parameters()):
        return None  # its parameters wait for the first forward to get their shapes
    root = _Forwards.state.root_of(module)
    if root.params:
        weights.before_first_forward(root)
    return root


def _leave(module, args, kwargs, result, me):
    state = _Forwards.state
    root = state.roots.get(id(module))
    if root is None or root.ref() is not module:
        root = state.root_of(module)
    if not root.params:  # a loss called as a module, say: nothing in it learns or is evaluated
        equals.outside(module, args, kwargs, result)
        return
    if me != state.thread:
        trained.another_thread(state.thread is not None)
        state.thread = me
    x = args[0] if args else None
    if type(x) is _Forwards.torch.Tensor and not modes():
        _see(root, module, x, args[1:], result)
        return
    # Modes and subclasses of the artifact's would see every question that is asked of a tensor.
    with unseen():
        _see(root, module, _input(args, kwargs), args[1:], result)


def modes():
    """Return how many modes see every function that is called with a tensor."""
    count = getattr(_Forwards.torch._C, "_len_torch_function_stack", None)
    return count() if count is not None else 0


def unseen():
    """Return a context in which neither modes nor subclasses of tensors are called."""
    return _Forwards.torch._C.DisableTorchFunction()


def _wanted(root, module, args, kwargs):
    """Return a look at this call, or None; told apart by the shape of what a call is fed with."""
    try:
        x = args[0] if args else None
        if type(x) is _Forwards.torch.Tensor and not modes():
            return closely.wanted(root, module, x.shape)
        with unseen():
            x = _input(args, kwargs)
            return closely.wanted(root, module, tuple(x.shape) if _is_tensor(x) else ())
    except Exception as exc:
        root.close = None
        if not getattr(x, "is_nested", False):  # that has no shape to be known by
            rec.error("closely.wanted", exc)
        return None


def _input(args, kwargs):
    if args and isinstance(args[0], _Forwards.torch.Tensor):
        return args[0]
    if "input_ids" in kwargs:
        return kwargs["input_ids"]
    return _first(list(args) + list(kwargs.values()), _is_tensor)


def _is_tensor(value):
    return isinstance(value, _Forwards.torch.Tensor)


def _can_learn(value):
    return isinstance(value, _Forwards.torch.Tensor) and value.grad_fn is not None


def _first(value, wanted, deep=4):
    """Return the first tensor within that is wanted, looking into containers."""
    if wanted(value):
        return value
    if isinstance(value, dict):
        value = tuple(value.values())
    elif hasattr(value, "__dataclass_fields__"):
        value = tuple(vars(value).values())
    if deep and isinstance(value, (list, tuple)):
        for part in value[:8]:
            found = _first(part, wanted, deep - 1)
            if found is not None:
                return found
    return None


def _see(root, module, x, others, result):
    if x is not None and (x.device.type == "meta" or hasattr(x, "fake_mode")):
        return
    rows = _rows(x)
    output = None
    _Forwards.number += 1
    if learns(root, module):
        output = result if _can_learn(result) else _first(result, _can_learn)
    elif x is not None and x.grad_fn is not None:
        trained.passed(root, rows)
        return
    if output is None:
        grad = _Forwards.torch.is_grad_enabled()
        trained.off(root, x, rows, grad)
        if isinstance(result, _Forwards.torch.Tensor):
            trained.made_without_gradient(result)
        return
    if rec.step == 0 and not _Forwards.first_out:
        _Forwards.first_out = _widest(result)
    trained.add(root, module, x, rows, output, others)


def _rows(x):
    """Return the rows of an input; of one that holds no tensor, those its loader gave out."""
    if x is None:
        return loaders.rows_of_objects()
    return x.shape[0] if x.dim() else 0


def learns(root, module):
    """Return whether any parameter can get a gradient: one is asked, all if it has changed."""
    anchor = root.anchor
    if anchor is not None and _Forwards.number & LOOKED:
        owner = anchor[0]()
        held = owner._parameters if owner is not None else ()
        # A scripted module's parameters are no dict.
        p = held[anchor[1]] if anchor[1] in held else None  # noqa: SIM401
        if p is not None and p.requires_grad == root.can_train:
            return root.can_train
    return root.look(module)


def _widest(result):
    shapes, stack = [], [result]
    while stack and len(shapes) < 16:
        value = stack.pop()
        if isinstance(value, _Forwards.torch.Tensor):
            shapes.append(tuple(value.shape))
        elif isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, (list, tuple)):
            stack.extend(value[:16])
    shapes.sort(key=len)
    return next((shape for shape in shapes if len(shape) > 1), shapes[0] if shapes else ())


def before_backward(tensors):
    """Sample the loss and tell of the first backward; called with what backward was given."""
    state = _Forwards.state
    if state.pending:
        trained.before_backward(tensors)
    step = rec.step
    if step >= 200 and step & 7 != 7:
        return
    loss = tensors
    if isinstance(loss, (list, tuple)):
        loss = loss[0] if loss else None
    if type(loss) is not _Forwards.torch.Tensor or loss.numel() != 1:
        return
    if loss.device.type == "cpu" and not content.watched():
        value = loss.item()
        if type(value) is float:
            counts.loss = value
            if step == 0 and state.pending and _Forwards.first_out is not None:
                _tell_first(loss, value, step)


def _tell_first(loss, value, step):
    shape, _Forwards.first_out = _Forwards.first_out, None
    chain, node = [], loss.grad_fn
    while node is not None and len(chain) < 4:
        chain.append(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    rows = _Forwards.state.pending[-1].rows
    rec.event("first", loss=value, chain=chain, out=list(shape), rows=rows, at=step)


def new_iterator():
    """Close the pass that is open: another iterator of a loader begins."""
    if _Forwards.state.pending:
        trained.settle(searched=False)
    _Forwards.passes.close()


def at_end():
    """Close the last pass."""
    trained.settle(everything=True)
    _Forwards.passes.end()


def at_step():
    """Settle everything before a step is written."""
    trained.at_step()
    if loaders.recent:
        loaders.let_go()
    passes = _Forwards.passes
    if _Forwards.state.passes is not None or passes.waiting is not None:
        passes.close(rows=counts.rows + counts.unsure)
    if autocast_since_step[0]:
        autocast_since_step[0] = False
        counts.flags |= 1
