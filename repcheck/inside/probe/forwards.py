"""Calls of modules from outside any module, and which of them something was trained through.

A forward counts as trained through only if a gradient flowed through its output: a hook on the
output tells. Where the pattern is that of the step before (one forward of the same root, in the
same mode, from the same loader, of no more rows), a backward is proof enough. What cannot be
decided is `unsure`, and proves nothing.
"""

import weakref

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from . import content, loaders, weights
from .passes import Passes
from .patches import patch
from .recorder import rec
from .settings import autocast_since_step


class Fired:
    """A hook on an output: it returns nothing, so the gradient stays as it is."""

    __slots__ = ("fired",)
    __torch_unserializable__ = True

    def __init__(self):
        self.fired = False

    def __call__(self, _gradient):
        self.fired = True


class Candidate:
    """A forward that may be trained through; `x` is its input, or None if it was hashed."""

    __slots__ = (
        "again", "delivery", "flags", "hook", "module", "root", "rows", "sign", "x",
    )  # fmt: skip


class Counts:
    """What happened since the last step."""

    __slots__ = ("again", "bwd", "flags", "fwd", "fwd_off", "loss", "rows", "rows_off", "unsure")

    def __init__(self):
        self.clear()

    def clear(self):
        """Begin another step."""
        self.rows = self.unsure = self.rows_off = 0
        self.fwd = self.again = self.bwd = self.fwd_off = self.flags = 0
        self.loss = None


counts = Counts()


class _Forwards:
    state = None
    passes = None
    torch = None
    busy = set()
    seen = []
    batch_told = -1
    first_out = ()
    wrap = None
    number = 0


def forget():
    """Drop what belongs to the process that forked."""
    counts.clear()
    _Forwards.busy.clear()
    del _Forwards.seen[:]
    del _Forwards.state.pending[:]
    _Forwards.state.in_backward = 0


def install(torch, state):
    """Replace the call of a module by one that knows whether it is the outermost."""
    _Forwards.torch, _Forwards.state = torch, state
    _Forwards.passes = Passes(state)
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
    busy = _Forwards.busy

    def make(original):
        def __call__(self, *args, **kwargs):
            me = get_ident()
            if me in busy or not rec.on or state.in_backward:
                return original(self, *args, **kwargs)
            if tracing() is not None or mapped() is not None:
                return original(self, *args, **kwargs)
            if state.compiled and compiling():
                return original(self, *args, **kwargs)
            busy.add(me)
            try:
                x = None
                try:
                    x = _input(args, kwargs)
                    root = state.roots.get(id(self))
                    if (root is None or root.ref() is not self) and not is_lazy(self):
                        root = state.root_of(self)
                        if root.params:
                            weights.before_first_forward(root)
                except Exception as exc:
                    rec.error("forwards.enter", exc)
                result = original(self, *args, **kwargs)
                try:
                    _leave(self, x, result)
                except Exception as exc:
                    rec.error("forwards.leave", exc)
                return result
            finally:
                busy.discard(me)

        return __call__

    return make


def is_lazy(module):
    """Return whether a parameter waits for the first forward to get its shape."""
    kind = getattr(_Forwards.torch.nn.parameter, "UninitializedTensorMixin", ())
    return any(isinstance(p, kind) for p in module.parameters())


def _input(args, kwargs):
    Tensor = _Forwards.torch.Tensor
    if args and isinstance(args[0], Tensor):
        return args[0]
    if "input_ids" in kwargs:
        return kwargs["input_ids"]
    for value in (*args, *kwargs.values()):
        found = _tensor(value)
        if found is not None:
            return found
    return None


def _tensor(value, deep=2):
    Tensor = _Forwards.torch.Tensor
    if isinstance(value, Tensor):
        return value
    if deep and isinstance(value, dict):
        value = tuple(value.values())
    if deep and isinstance(value, (list, tuple)):
        for part in value[:8]:
            found = _tensor(part, deep - 1)
            if found is not None:
                return found
    return None


def _trainable_output(value, deep=3):
    """Return the first tensor of an output that a gradient can flow through."""
    Tensor = _Forwards.torch.Tensor
    if isinstance(value, Tensor):
        return value if value.requires_grad else None
    if deep and isinstance(value, dict):
        value = tuple(value.values())
    elif deep and hasattr(value, "__dataclass_fields__"):
        value = tuple(vars(value).values())
    if deep and isinstance(value, (list, tuple)):
        for part in value[:8]:
            found = _trainable_output(part, deep - 1)
            if found is not None:
                return found
    return None


def _leave(module, x, result):
    state = _Forwards.state
    root = state.roots.get(id(module)) or state.root_of(module)
    if not root.params:  # a loss called as a module, say: nothing in it learns or is evaluated
        return
    delivery = loaders.delivery_of(x)
    rows = x.shape[0] if x is not None and x.dim() else 0
    _Forwards.number += 1
    output = None
    if root.can_train or _Forwards.number & 63 == 0:
        output = result if type(result) is _Forwards.torch.Tensor else _trainable_output(result)
        if output is not None and not output.requires_grad:
            output = None
    flags = 1 if x is not None and x is delivery.tensor else 0
    if output is None:
        counts.fwd_off += 1
        counts.rows_off += rows
        known = x if x is not None and content.hashable(x) else None
        grad = _Forwards.torch.is_grad_enabled()
        _Forwards.passes.take(root, module, known, rows, delivery, flags, grad)
        return
    if rec.step == 0 and not _Forwards.first_out:
        _Forwards.first_out = _widest(result)
    _candidate(module, root, x, rows, output, delivery, flags)


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


def _candidate(module, root, x, rows, output, delivery, flags):
    state = _Forwards.state
    one = Candidate()
    one.root, one.rows, one.flags = root, rows, flags
    one.delivery = delivery
    one.again = False
    one.module = None
    if x is not None and rows:
        for seen in _Forwards.seen:
            if seen() is x:
                one.again = True
                break
        else:
            _Forwards.seen.append(weakref.ref(x))
    one.x = None
    if rows and not one.again:
        # What made this form of tensor hashable does not change but for where it lies.
        if x.dtype is root.form and x.is_cpu and type(x) is _Forwards.torch.Tensor:
            one.x = x
        elif content.hashable(x):
            one.x, root.form = x, x.dtype
    one.sign = (module.training, delivery.loader, x.dim() if x is not None else -1)
    usual = root.sign == one.sign and rows <= root.rows and not state.pending
    one.hook = None
    if not usual and not state.compiled and output.device.type != "meta":
        one.hook = Fired()
        output.register_hook(one.hook)
    state.pending.append(one)
    if len(state.pending) > 64:
        _off(state.pending[:32])
        del state.pending[:32]


def before_backward(tensors):
    """Sample the loss and tell of the first backward; called with what backward was given."""
    loss = tensors
    if isinstance(loss, (list, tuple)):
        loss = loss[0] if loss else None
    step = rec.step
    if loss is None or (step >= 200 and step & 7 != 7) or not loss.is_cpu or loss.numel() != 1:
        return
    counts.loss = value = loss.item()
    if step == 0:
        if not _Forwards.state.pending or _Forwards.state.compiled:
            return
        if _Forwards.first_out is not None:
            shape, _Forwards.first_out = _Forwards.first_out, None
            chain, node = [], loss.grad_fn
            while node is not None and len(chain) < 4:
                chain.append(node.name())
                node = node.next_functions[0][0] if node.next_functions else None
            rows = _Forwards.state.pending[-1].rows
            rec.event("first", loss=value, chain=chain, out=list(shape), rows=rows, at=step)


def after_backward():
    """Settle which of the pending forwards were trained through."""
    state = _Forwards.state
    counts.bwd += 1
    pending = state.pending
    if len(pending) == 1 and pending[0].hook is None:
        _confirm(pending[0])
        del pending[:]
        return
    left = []
    for one in pending:
        if one.hook is None:
            _unsure(one)
        elif one.hook.fired:
            _confirm(one)
        else:
            left.append(one)
    pending[:] = left


def _confirm(one):
    root = one.root
    if _Forwards.state.passes is not None:
        _Forwards.passes.close(rows=one.rows, resumed=True)
    root.forwards_train += 1
    root.sign = one.sign
    root.rows = max(root.rows, one.rows)
    counts.fwd += 1
    if one.again:
        counts.again += 1
        return
    counts.rows += one.rows
    _hash(one, content.TRAIN)


def _unsure(one):
    counts.fwd += 1
    if not one.again:
        counts.unsure += one.rows
        _hash(one, content.UNSURE)


def _hash(one, layer):
    step = rec.step + 1
    if one.x is not None:
        content.put(one.x, layer, one.flags, one.root.id, 0, step)
    known = one.delivery
    if known.serial > _Forwards.passes.trained:
        _Forwards.passes.trained = known.serial
    if not one.flags & 1 and known.serial != _Forwards.batch_told:
        _Forwards.batch_told, tensor = known.serial, known.tensor
        if tensor is not None and content.hashable(tensor):
            content.put(tensor, content.BATCH, 0, known.loader, 0, step)


def _off(candidates):
    """Take forwards that could have been trained through, and were not, for an evaluation's."""
    for one in candidates:
        counts.fwd_off += 1
        counts.rows_off += one.rows
        module = one.root.ref()
        if module is not None:
            known = one.x
            _Forwards.passes.take(
                one.root, module, known, one.rows, loaders.NOTHING, one.flags, True
            )


def at_end():
    """Close the last pass."""
    _Forwards.passes.end()


def new_iterator():
    """Close the pass that is open: another iterator of a loader begins."""
    state = _Forwards.state
    if state.pending:
        _off(state.pending)
        del state.pending[:]
    _Forwards.passes.close()


def at_step():
    """Settle everything before a step is written."""
    state = _Forwards.state
    pending = state.pending
    if pending:
        if state.compiled:
            _settle_compiled(pending)
        else:
            _off(pending)
        del pending[:]
    if state.passes is not None:
        _Forwards.passes.close(rows=counts.rows + counts.unsure)
    if autocast_since_step[0]:
        autocast_since_step[0] = False
        counts.flags |= 1
    del _Forwards.seen[:]


def _settle_compiled(pending):
    """Where backward is not watched: forwards as many as usual before a step were trained."""
    root = pending[-1].root
    number = len(pending)
    root.modal[number] = root.modal.get(number, 0) + 1
    usual = max(root.modal, key=root.modal.get) == number
    for one in pending:
        if usual and one.sign[0]:
            _confirm(one)
        else:
            _unsure(one)
