"""`schedule` {type, steps, warmup: 0, final: 0, lr}: our own learning rates at every step.

`type` is constant, cosine or linear, from the learning rate that an optimizer is built with (or
that its scheduler peaks at, or `lr`) down to `final` of it over `steps` steps; the first `warmup`
of them rise. Whatever schedulers or loops set is overruled.
"""

import math
import weakref

from ..surgery import put
from . import _fields

SHAPES = {
    "constant": lambda _share: 1.0,
    "linear": lambda share: 1.0 - share,
    "cosine": lambda share: 0.5 * (1.0 + math.cos(math.pi * share)),
}


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if there is no such shape, or its length is missing.
    """
    shape, steps, warmup, final, lr = surgery.take("type", steps=None, warmup=0, final=0, lr=None)
    if shape not in SHAPES:
        raise ValueError("`type` has to be one of %s" % ", ".join(SHAPES))
    if steps is None and shape != "constant":
        raise ValueError("`steps` is missing: how many steps the run takes")
    numbers = [_fields.number(one) for one in (1 if steps is None else steps, warmup, final)]
    if numbers[0] <= 0 or (lr is not None and _fields.number(lr) <= 0):
        raise ValueError("`steps` and `lr` have to be positive")
    change = _Change(surgery, SHAPES[shape], numbers, lr)
    _fields.watch(torch)
    _fields.watch_steps()
    _fields.building.append(change.build)
    _fields.before_step.append(change.before_step)
    for name in ("OneCycleLR", "CyclicLR"):
        scheduler = getattr(torch.optim.lr_scheduler, name, None)
        if scheduler is not None:
            put(scheduler, "__init__", change.peaking)


class _Change:
    def __init__(self, surgery, shape, numbers, lr):
        self.surgery, self.shape, self.lr = surgery, shape, lr
        self.steps, self.warmup, self.final = numbers
        self.known = {}

    def build(self, optimizer, params, defaults):
        """Remember the learning rates that an optimizer is built with."""
        own = [group.get("lr", defaults.get("lr")) for group in _fields.groups_of(params)]
        own = own or [defaults.get("lr")]
        if None in own:
            self.surgery.fail("%s has no learning rate" % type(optimizer).__qualname__)
            return
        key = id(optimizer)
        gone = weakref.ref(optimizer, lambda _ref: self.known.pop(key, None))
        self.known[key] = [gone, 0, [float(lr) for lr in own]]

    def peaking(self, original):
        def __init__(scheduler, optimizer, *args, **kwargs):
            result = original(scheduler, optimizer, *args, **kwargs)
            self.surgery.guarded(self._peak, optimizer)
            return result

        return __init__

    def _peak(self, optimizer):
        known = self.known.get(id(optimizer))
        if known is not None:
            known[2] = [float(group.get("max_lr", group["lr"])) for group in optimizer.param_groups]

    def before_step(self, optimizer):
        """Set the learning rates of the step that is about to be taken."""
        known = self.known.get(id(optimizer))
        if known is not None:
            self.surgery.guarded(self._set, optimizer, known)

    def _set(self, optimizer, known):
        at, known[1] = known[1], known[1] + 1
        share = min(1.0, max(0.0, at - self.warmup) / max(1.0, self.steps - self.warmup))
        scale = self.final + (1.0 - self.final) * self.shape(share)
        if at < self.warmup:
            scale = (at + 1.0) / self.warmup
        for i, group in enumerate(optimizer.param_groups):
            own = known[2][min(i, len(known[2]) - 1)]
            _fields.set_lr(group, (own if self.lr is None else self.lr) * scale)
        self.surgery.applied(places=int(not at))
