"""Looks at some calls more closely: what they cost, and once for each trained module what it does.

The second call of each module from outside, mode and input shape runs within a counter of FLOPs;
a call that is trained through also what follows up to the optimizer's step. Modes are entered and
left around one call each, never between two. In a step that is looked at every forward is, so that
the cost of a backward can be shared out among the forwards it went through, by their own costs.

Where a mode is active torch finds vectors beside eigenvalues and singular values that were asked
for alone, which may change the last bit of such values in that one call; nothing else is computed
otherwise. Nothing is looked at any more once anything is compiled, nor within modes of the
artifact's own, in scripted modules, or where replicas run in threads of their own.
"""

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from . import flop_counter, looks, network
from .looks import DONE, Look, Step
from .patches import dress
from .recorder import rec

SHAPES = 64
"""Shapes of one module's inputs that are kept apart; one that has more is looked at no more."""
TOGETHER = 16
"""Forwards of one step that are looked at."""


class _Closely:
    torch = state = counter = None
    grad_enabled = bool
    step = None
    active = stepping = off = False
    reached = {}


def install(torch, state):
    """Make the counter; without one nothing is looked at."""
    _Closely.torch, _Closely.state = torch, state
    _Closely.grad_enabled = staticmethod(torch.is_grad_enabled)
    _Closely.off = True
    _Closely.counter = flop_counter.new(torch)
    with _Closely.counter:
        pass
    _Closely.off = False
    rec.after_fork.append(forget)
    rec.at_end.append(at_end)


def forget():
    """Drop what belongs to the process that forked."""
    _let_go()
    _Closely.step, _Closely.active, _Closely.stepping = None, False, False


def before_compile():
    """Look at nothing any more, and take out what a compiled step would trace."""
    _Closely.off, _Closely.step = True, None
    _let_go()


# Forwards


def _last_candidate():
    pending = _Closely.state.pending
    return pending[-1] if pending else None


def wanted(root, module, shape):
    """Return a look at this call, or None; what every call of an outermost module pays for."""
    key = (module.training, _Closely.grad_enabled(), shape)
    seen = root.close
    times = seen.get(key, 0)
    if times == DONE and _Closely.step is None:
        return None
    if times == 0:
        if len(seen) >= SHAPES or _Closely.off:
            root.close = None
            return None
        seen[key] = 1
        if _Closely.step is None:
            return None
    return _considered(root, module, key, times)


def _considered(root, module, key, times):
    if _Closely.off or _Closely.active or not _can_be_counted(module):
        return None
    step = _Closely.step
    if not (key[1] and root.can_train):
        return Look(root, key, _last_candidate()) if times > 0 else None
    if step is None:
        # Forwards that were not looked at would take part in the same backward.
        if times <= 0 or _Closely.state.pending:
            return None
        step = _Closely.step = Step(get_ident())
    if step.thread != get_ident() or len(step.looks) >= TOGETHER:
        step.unseen = True
        return None
    look = Look(root, key, _last_candidate())
    if root.forwards_train:
        look.tracer = network.tracer(_Closely.torch, root, module)
    return look


def _can_be_counted(module):
    torch = _Closely.torch
    if getattr(torch._C, "_len_torch_dispatch_stack", int)():
        return False
    if _Closely.state.thread not in (None, get_ident()):
        return False
    if isinstance(module, getattr(torch.jit, "ScriptModule", ())):
        return False
    return not (
        isinstance(module, torch.nn.DataParallel) and len(getattr(module, "device_ids", ())) > 1
    )


def run(look, original, module, args, kwargs):
    """Return what a call returns, counted and perhaps traced."""
    counter = _Closely.counter
    counter.phase, counter.twice = "forward", False
    counter.take()
    look.tracer = network.entered(look.tracer)
    _Closely.active, failed = True, True
    try:
        with counter:
            result = original(module, *args, **kwargs)
        failed = False
        return result
    finally:
        _Closely.active = False
        if look.tracer is not None:
            network.left(look.tracer)
        if failed:
            _Closely.step = None


def after_forward(look, module, rows):
    """Take what a call cost; called when it is known whether it may be trained through."""
    look.took = _took()
    look.rows = rows
    last = _last_candidate()
    look.candidate = last if last is not look.before else None
    look.before = None
    if look.tracer is not None:
        network.tell(look.tracer, look.root, module, look.key[2])
        look.tracer = None
    step = _Closely.step
    if look.candidate is not None and step is not None:
        step.looks.append(look)
        return
    if step is not None and not step.looks:
        _Closely.step = None
    looks.tell([look], "other")


def _took():
    took = _Closely.counter.take()
    for error in took["errors"]:
        rec.error("flop_counter", RuntimeError(error))
    return took


# What follows a forward


def looking():
    """Return whether a step is looked at in which a backward may follow."""
    return _Closely.step is not None and not _Closely.active


def backward(original, args, kwargs, at):
    """Return what a backward returns, counted if a forward that is looked at waits for one.

    `at` is where create_graph stands among the arguments.
    """
    step = _Closely.step
    if step.thread != get_ident() or not step.waits():
        return original(*args, **kwargs)
    twice = args[at] if len(args) > at else kwargs.get("create_graph")
    counter = _Closely.counter
    counter.phase, counter.twice = "backward", bool(twice)
    counter.take()
    _Closely.active = True
    try:
        with counter:
            return original(*args, **kwargs)
    finally:
        _Closely.active = False
        rec.guarded(_add_loose, step)


def _add_loose(step):
    took = _took()
    step.loose = took if step.loose is None else looks.add(step.loose, took)


def after_backward():
    """Share what was counted among the forwards that turned out to be trained through."""
    step = _Closely.step
    if step is None or _Closely.active or step.thread != get_ident():
        return
    fired = [look for look in step.open() if look.candidate.fired]
    if fired and step.loose is not None:
        for look in fired:
            look.closed = True
        looks.share(fired, step.loose)
        step.loose = None
        _reach_for_steps()


# The optimizer's step


def _reach_for_steps():
    """Have the next step of each optimizer counted: in its own attribute, and only until then.

    A class's method that was replaced for good would be found by what is compiled later.
    """
    for known in list(_Closely.state.optimizers.values()):
        optimizer = known.ref()
        if optimizer is None or id(optimizer) in _Closely.reached:
            continue
        before = vars(optimizer).get("step")
        method = type(rec.fork)(_stepping(optimizer.step), optimizer)
        vars(optimizer)["step"] = method
        _Closely.reached[id(optimizer)] = (known.ref, method, before)


def _let_go():
    for ref, method, before in list(_Closely.reached.values()):
        optimizer = ref()
        if optimizer is None or vars(optimizer).get("step") is not method:
            continue
        if before is None:
            del vars(optimizer)["step"]
        else:
            vars(optimizer)["step"] = before
    _Closely.reached.clear()


def _stepping(bound):
    def step(_self, *args, **kwargs):
        if _Closely.step is None:
            return bound(*args, **kwargs)
        return _counted_step(bound, args, kwargs)

    function = getattr(bound, "__func__", bound)
    dress(step, function, None, "step")
    return step


def _counted_step(bound, args, kwargs):
    looked = _Closely.step
    # A closure has forwards and backwards of its own.
    closure = args[0] if args else kwargs.get("closure")
    if _Closely.active or closure is not None or looked.thread != get_ident():
        return bound(*args, **kwargs)
    counter = _Closely.counter
    counter.phase, counter.twice = "optimizer", False
    counter.take()
    _Closely.active = _Closely.stepping = True
    try:
        with counter:
            return bound(*args, **kwargs)
    finally:
        _Closely.active = _Closely.stepping = False
        rec.guarded(_finish, looked)


def pause(on):
    """Stop counting, or go on: within a counted step the probe itself has things to do."""
    if _Closely.stepping:
        _Closely.counter.paused = on


def after_step():
    """End the step that is looked at, where the optimizer's own work could not be counted."""
    step = _Closely.step
    if step is not None and not _Closely.active and step.thread == get_ident():
        _Closely.counter.take()
        _finish(step)


def _finish(step, everything=False):
    took = _took()
    _let_go()
    closed, step.steps = step.closed(), step.steps + 1
    if closed:
        looks.share(closed, took)
        if step.loose is not None:
            looks.share(closed, step.loose)
            step.loose = None
    waiting = []
    for look in step.open():
        if look.candidate in _Closely.state.pending and step.steps < 2 and not everything:
            waiting.append(look)
        else:
            looks.tell([look], "other")
    for alike in looks.groups(closed):
        looks.tell(alike, "train")
    step.looks = waiting
    if not waiting:
        _Closely.step = None


def at_end():
    """Tell of the forwards that nothing followed."""
    if _Closely.step is not None:
        _Closely.counter.take()
        _finish(_Closely.step, everything=True)
