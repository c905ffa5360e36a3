"""`lr` {value | factor}: another initial learning rate of every group, and for all schedulers.

Schedulers that bring their own peak (one cycle, cyclic) have it multiplied likewise.
"""

from ..surgery import put
from . import _fields

PEAKS = {"OneCycleLR": ("max_lr",), "CyclicLR": ("base_lr", "max_lr")}


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if neither a value nor a factor is given, or both.
    """
    value, factor = surgery.take(value=None, factor=None)
    if (value is None) == (factor is None):
        raise ValueError("give `value` or `factor`")
    if _fields.number(value if factor is None else factor) < 0:
        raise ValueError("a learning rate is not negative")
    change = _Change(surgery, value, factor)
    _fields.watch(torch)
    _fields.watch_steps()
    _fields.building.append(change.build)
    _fields.before_step.append(change.before_step)
    for name, peaks in PEAKS.items():
        scheduler = getattr(torch.optim.lr_scheduler, name, None)
        if scheduler is not None:
            put(scheduler, "__init__", change.maker(peaks))


class _Change:
    def __init__(self, surgery, value, factor):
        self.surgery, self.value, self.factor = surgery, value, factor
        self.before = {}
        self.looked = set()

    def build(self, optimizer, params, defaults):
        """Change the learning rates that an optimizer is built with."""
        groups = [one for one in (defaults, *_fields.groups_of(params)) if "lr" in one]
        if not groups:
            self.surgery.fail("%s has no learning rate" % type(optimizer).__qualname__)
            return
        self.before[id(optimizer)] = [float(one["lr"]) for one in groups]
        for one in groups:
            _fields.set_lr(one, self._new(one["lr"]))
        self.surgery.applied(places=1)

    def _new(self, lr):
        return self.value if self.factor is None else float(lr) * self.factor

    def maker(self, peaks):
        def make(original):
            def __init__(scheduler, optimizer, *args, **kwargs):
                given = dict(zip(peaks, args))  # noqa: B905
                more = args[len(given) :]
                given.update({k: kwargs.pop(k) for k in peaks if k in kwargs})
                top = self.surgery.guarded(self._scaled, optimizer, given)
                return original(scheduler, optimizer, *(top or given).values(), *more, **kwargs)

            return __init__

        return make

    def _scaled(self, _optimizer, given):
        """Return the peaks, the highest of them as asked for."""
        highest = list(given.values())[-1]
        highest = max(highest) if isinstance(highest, (list, tuple)) else highest
        factor = self.value / highest if self.factor is None else self.factor
        return {
            k: [one * factor for one in v] if isinstance(v, (list, tuple)) else v * factor
            for k, v in given.items()
        }

    def before_step(self, optimizer):
        """Tell, at its first step, if a loop sets the learning rate itself, over ours."""
        if id(optimizer) not in self.looked:
            self.looked.add(id(optimizer))
            before = self.before.get(id(optimizer), ())
            now = [float(group["lr"]) for group in optimizer.param_groups if "lr" in group]
            if self._new(before[0] if before else 0.0) not in now and set(now) & set(before):
                self.surgery.fail("the learning rate is set by hand before the first step")
