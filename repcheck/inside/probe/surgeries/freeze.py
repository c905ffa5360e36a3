"""`freeze` {parameter, value: 0, when: always}: parameters that are set to a value and stay there.

`parameter` is a dotted path within the model, the end of one, or one with `*` in it. With `when:
evaluation` they are trained as ever and have the value in each call of an evaluation alone.
"""

import math
import weakref

from ..surgery import optimizers
from . import _models


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if no number is to be kept, or it is not said when.
    """
    pattern, value, when = surgery.take("parameter", value=0, when="always")
    if when not in ("always", "evaluation"):
        raise ValueError("`when` has to be always or evaluation")
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("`value` has to be a number")
    change = _Change(torch, surgery, str(pattern), float(value))
    _models.watch_calls(torch)
    if when == "evaluation":
        _models.before_root.append(change.before_evaluation)
        _models.after_root.append(change.put_back)
        return
    _models.before_optimizer.append(change.before_optimizer)
    _models.before_root.append(change.before_root)
    register = getattr(optimizers(), "register_optimizer_step_post_hook", None)
    if register is not None:
        register(change.after_step)


class _Change:
    def __init__(self, torch, surgery, pattern, value):
        self.torch, self.surgery, self.pattern, self.value = torch, surgery, pattern, value
        self.met = _models.Met()
        self.frozen = []
        self.exchanged = []

    def before_optimizer(self, root, given):
        self.surgery.guarded(self._freeze, root, given)

    def before_root(self, module, _args, _kwargs):
        if not self.met.before(module) and _models.trained(module):
            self.surgery.guarded(self._freeze, module)
        self.surgery.guarded(self._keep)

    def before_evaluation(self, module, args, _kwargs):
        """Give the parameters their value for one call, if it is one of an evaluation."""
        self.surgery.guarded(self._exchange, module, args)

    def _exchange(self, module, args):
        if not _models.evaluates(module, args):
            return
        found = [p for name, p in module.named_parameters() if matches(name, self.pattern)]
        for p in found:
            self.exchanged.append((p, p.data))
            p.data = self.torch.full_like(p.data, self.value)
        if found:
            self.surgery.applied(places=len(found) if not self.met.before(module) else 0)

    def put_back(self):
        """Put the trained values back."""
        while self.exchanged:
            p, data = self.exchanged.pop()
            p.data = data

    def after_step(self, _optimizer, _args, _kwargs):
        """Put the value back, should a step or the artifact itself have moved it."""
        if not _models._Models.compiling():
            self.surgery.guarded(self._keep)

    def _freeze(self, root, given=None):
        for path, part in list(_models.parts(root, given)):
            for name, p in part._parameters.items():
                whole = "%s.%s" % (path, name) if path else name
                if p is None or any(owner._parameters.get(key) is p for owner, key in self._live()):
                    continue
                if matches(whole, self.pattern):
                    self.frozen.append((weakref.ref(part), name))
                    p.requires_grad_(False)
                    p.grad = None
                    p.data.fill_(self.value)
                    self.surgery.applied(places=1)

    def _live(self):
        return [(ref(), name) for ref, name in self.frozen if ref() is not None]

    def _keep(self):
        for owner, name in self._live():
            p = owner._parameters.get(name)
            if p is not None and p.device.type != "meta" and not bool((p.data == self.value).all()):
                p.data.fill_(self.value)
                self.surgery.applied()


def matches(path, pattern):
    """Tell whether a dotted path, or the end of one, is as a pattern with `*` in it says."""
    if "*" not in pattern:
        return ("." + path).endswith("." + pattern)
    first, *middle, last = pattern.split("*")
    if not path.startswith(first) or not path[len(first) :].endswith(last):
        return False
    at, end = len(first), len(path) - len(last)
    for piece in middle:
        at = path.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True
