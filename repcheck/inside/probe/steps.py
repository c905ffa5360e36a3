"""Optimizers and their steps; backward passes."""

import math
import sys
import weakref

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from . import averages, closely, forwards, loaders, losses, trained, weights
from .counts import counts
from .groups import about, number, plain
from .patches import patch, unpatch
from .recorder import rec

GROUPS = 50
OPTIMIZERS = 500
NAN = float("nan")


class OptimizerState:
    """What is known of one optimizer: its number, a weak reference, its steps."""

    __slots__ = ("fields", "groups", "i", "ids", "nograd", "ref", "steps")

    def __init__(self, number, ref):
        self.i = number
        self.ref = ref
        self.steps = 0
        self.ids = frozenset()
        self.groups = 0
        self.fields = None
        self.nograd = None


class _Steps:
    torch = None
    state = None
    compiling = bool
    made = 0
    serials = {}
    last_serial = 0


def _optimizers():
    """Return the module torch.optim.optimizer, which torch.optim hides by another name."""
    return sys.modules.get("torch.optim.optimizer")


def forget():
    """Begin to count anew in a forked child."""
    for known in _Steps.state.optimizers.values():
        known.steps = 0


def install(torch, state):
    """Hook into the steps of all optimizers, and into backward."""
    _Steps.torch, _Steps.state = torch, state
    rec.after_fork.append(forget)
    compiler = getattr(torch, "compiler", None)
    _Steps.compiling = staticmethod(getattr(compiler, "is_compiling", bool))
    patch(torch.optim.Optimizer, "__init__", _making)
    register = getattr(_optimizers(), "register_optimizer_step_post_hook", None)
    if register is not None:
        register(after_step)
    patch(torch.autograd, "backward", _backward)
    patch(torch.autograd, "grad", _grad)


def before_compile():
    """Take out what a compiled training step would trace."""
    unpatch(_Steps.torch.autograd, "backward")
    unpatch(_Steps.torch.autograd, "grad")


def _backward(original):
    within = _Steps.state.backward

    def backward(tensors, *args, **kwargs):
        me = get_ident()
        if not rec.on or me in within:
            return original(tensors, *args, **kwargs)
        rec.guarded(_before_backward, tensors)
        within[me] = True
        try:
            rec.guarded(_look_at_terms, tensors, args, kwargs)
            if closely.looking():
                result = closely.backward(original, (tensors, *args), kwargs, 3)
            else:
                result = original(tensors, *args, **kwargs)
        finally:
            within.pop(me, None)
        try:
            inputs = kwargs.get("inputs")
            if inputs is None or _is_held(inputs):
                trained.after_backward()
                closely.after_backward()
            else:
                trained.unfire()
        except Exception as exc:
            rec.error("steps.after_backward", exc)
        return result

    return backward


def _before_backward(tensors):
    if forwards.modes():
        with forwards.unseen():
            forwards.before_backward(tensors)
    else:
        forwards.before_backward(tensors)


def _look_at_terms(tensors, args, kwargs):
    if losses.is_off():
        return
    with forwards.unseen():
        losses.before_backward(tensors, args, kwargs)


def _is_held(inputs):
    """Return whether gradients are asked for of any parameter that an optimizer holds."""
    if isinstance(inputs, dict):
        inputs = list(inputs.values())
    # Anything else may be an iterator, which can be asked but once.
    inputs = inputs if isinstance(inputs, (list, tuple)) else (inputs,)
    return any(id(one) in _Steps.state.held for one in inputs)


def _grad(original):
    within = _Steps.state.backward
    functorch = getattr(_Steps.torch._C, "_functorch", None)
    mapped = getattr(functorch, "peek_interpreter_stack", None) or (lambda: None)

    def grad(outputs, inputs, *args, **kwargs):
        me = get_ident()
        if not rec.on or me in within or mapped() is not None:
            return original(outputs, inputs, *args, **kwargs)
        twice = args[2] if len(args) > 2 else kwargs.get("create_graph")
        if twice:
            losses.stop()
        held = rec.guarded(_before_grad, outputs, inputs, twice)
        within[me] = True
        try:
            if closely.looking():
                result = closely.backward(original, (outputs, inputs, *args), kwargs, 4)
            else:
                result = original(outputs, inputs, *args, **kwargs)
        finally:
            within.pop(me, None)
        # A gradient that is differentiated in turn belongs to a loss that is still to come.
        if held:
            rec.guarded(trained.after_backward)
            rec.guarded(closely.after_backward)
        elif not twice:
            rec.guarded(trained.unfire)
        return result

    return grad


def _before_grad(outputs, inputs, twice):
    held = _is_held(inputs)
    if held or twice:
        forwards.before_backward(outputs)
    return held


def _making(original):
    def __init__(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        if rec.on:
            with forwards.unseen():
                rec.guarded(_known, self)
            if not hasattr(_optimizers(), "register_optimizer_step_post_hook"):
                rec.guarded(_wrap_step, type(self))
        return result

    return __init__


def _wrap_step(cls):
    """Where a torch has no hooks after steps: wrap the class's own step."""
    if "__repcheck__" in getattr(cls.step, "__dict__", {}):
        return

    def make(original):
        def step(self, *args, **kwargs):
            result = original(self, *args, **kwargs)
            after_step(self, args, kwargs)
            return result

        return step

    patch(cls, "step", make)


def _known(optimizer):
    known = _Steps.state.optimizers.get(id(optimizer))
    if known is not None and known.ref() is optimizer:
        return known
    key = id(optimizer)

    def died(_ref):
        if _Steps is not None and _Steps.state.optimizers.get(key) is known:
            del _Steps.state.optimizers[key]
            _hold()

    known = OptimizerState(_Steps.made, weakref.ref(optimizer, died))
    _Steps.made += 1
    _Steps.state.optimizers[key] = known
    _take_groups(optimizer, known)
    if known.i < OPTIMIZERS:
        _tell(optimizer, known)
    return known


def _take_groups(optimizer, known):
    groups = optimizer.param_groups
    known.groups = len(groups)
    known.ids = frozenset([id(p) for group in groups for p in group["params"]])
    _hold()


def _hold():
    held = set()
    for known in list(_Steps.state.optimizers.values()):
        held |= known.ids
    _Steps.state.held.clear()
    _Steps.state.held |= held
    for root in list(_Steps.state.roots.values()):
        root.key = None


def _serial_of(p):
    shape = tuple(p.shape)
    known = _Steps.serials.get(id(p))
    if known is None or known[1] != shape:
        known = _Steps.serials[id(p)] = (_Steps.last_serial, shape)
        _Steps.last_serial += 1
    return known[0]


def _ranges(groups):
    serials = sorted({_serial_of(p) for group in groups for p in group["params"]})
    ranges = []
    for serial in serials:
        if ranges and ranges[-1][1] == serial - 1:
            ranges[-1][1] = serial
        else:
            ranges.append([serial, serial])
    return ranges[:1000]


def _tell(optimizer, known):
    names = [cls.__name__ for cls in type(optimizer).__mro__]
    below = names[: names.index("Optimizer")] if "Optimizer" in names else names
    groups = optimizer.param_groups
    rec.event(
        "optimizer",
        i=known.i,
        cls="%s.%s" % (type(optimizer).__module__, type(optimizer).__qualname__),
        mro=below[:10],
        defaults={k: plain(v) for k, v in list(optimizer.defaults.items())[:40]},
        ngroups=len(groups),
        groups=[about(group) for group in groups[:GROUPS]],
        params=_ranges(groups),
    )
    known.fields = _fields(optimizer)


def _fields(optimizer):
    """Return every scalar field but the learning rate of the first groups, for comparison."""
    return [
        {k: plain(v) for k, v in group.items() if k not in ("params", "lr", "param_names")}
        for group in optimizer.param_groups[:GROUPS]
    ]


def look_at_groups():
    """Write the groups of the optimizers whose fields have changed."""
    for known in list(_Steps.state.optimizers.values()):
        optimizer = known.ref()
        if optimizer is None or not known.steps:
            continue
        fields = _fields(optimizer)
        if fields != known.fields:
            known.fields = fields
            found = [about(group) for group in optimizer.param_groups[:GROUPS]]
            rec.event("groups", i=known.i, groups=found)


def after_step(optimizer, _args, _kwargs):
    """Write one step; called after every optimizer's."""
    # While a step is compiled this is a constant, and nothing of the probe gets into the graph.
    if _Steps.compiling() or not rec.on:
        return
    closely.pause(on=True)
    try:
        if forwards.modes():
            with forwards.unseen():
                _after_step(optimizer)
        else:
            _after_step(optimizer)
        closely.after_step()
    except Exception as exc:
        rec.error("steps.after_step", exc)
    finally:
        closely.pause(on=False)


def _after_step(optimizer):
    known = _Steps.state.optimizers.get(id(optimizer))
    if known is None or known.ref() is not optimizer:
        known = _known(optimizer)
    groups = optimizer.param_groups
    if len(groups) != known.groups:
        _take_groups(optimizer, known)
        _tell(optimizer, known)
    forwards.at_step()
    rec.step += 1
    known.steps += 1
    first = _lr(groups[0])
    final = first if len(groups) == 1 else _lr(groups[-1])
    wait, batches = loaders.take_wait()
    loss = counts.loss
    if loss is None:
        loss = NAN
    elif not math.isfinite(loss):
        counts.flags |= 2
    rec.put_step(
        rec.now(), first, final, wait, loss, rec.step, counts.rows, counts.unsure,
        counts.rows_off, known.i, len(groups), counts.fwd, counts.again, counts.bwd,
        counts.fwd_off, batches, counts.flags,
    )  # fmt: skip
    counts.clear()
    try:
        weights.after_step(optimizer, known)
    except Exception as exc:
        rec.error("weights.after_step", exc)
    steps = known.steps
    if steps & (steps - 1) == 0:
        _rarely(optimizer, known, steps)
    if rec.step in averages.STEPS:
        rec.guarded(averages.after_step, rec.step)


def _lr(group):
    lr = group.get("lr", NAN)
    return lr if type(lr) is float else number(lr)


def _rarely(optimizer, known, steps):
    if steps == 1:
        rec.guarded(look_at_groups)
    rec.guarded(_without_gradient, optimizer, known)


def _without_gradient(optimizer, known):
    params = [p for group in optimizer.param_groups for p in group["params"]]
    if known.nograd is None:
        never = [p for p in params if p.grad is None]
    elif not known.nograd:
        return
    else:
        never = [p for p in params if p.grad is None and id(p) in known.nograd]
    known.nograd = {id(p) for p in never}
    rec.event(
        "nograd",
        opt=known.i,
        tensors=len(never),
        elements=sum(p.numel() for p in never),
        of=sum(p.numel() for p in params),
    )


def at_end():
    """Look at everything once more."""
    forwards.new_iterator()
    rec.guarded(look_at_groups)
