"""`identity` {module} or {what: se}: parts of what is trained put out what they are given.

`module` is a dotted path within the model, the end of one, or the name of a class; `se` is what
squeezes and excites, found by what it is made of and what it does. A part is looked at in its
first call: it stays what it is unless it puts out the shape that it is given.
"""

import weakref

from . import _models


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if it is said neither or twice which modules.
    """
    module, what = surgery.take(module=None, what=None)
    if (module is None) == (what is None) or what not in (None, "se"):
        raise ValueError("give `module` (a path or a class), or `what: se`")
    change = _Change(torch, surgery, module)
    _models.watch_calls(torch)
    _models.before_root.append(change.before_root)


class _Change:
    def __init__(self, torch, surgery, name):
        self.torch, self.surgery, self.name = torch, surgery, name
        self.met = _models.Met()

    def before_root(self, module, _args, _kwargs):
        if not self.met.before(module) and _models.trained(module):
            self.surgery.guarded(self._mark, module)

    def _mark(self, root):
        inner = set()
        for path, part in list(_models.parts(root)):
            if part is not root and id(part) not in inner and self._is_meant(path, part):
                inner.update(id(one) for one in part.modules())
                _models.instead[id(part)] = (weakref.ref(part), self._first_call)

    def _is_meant(self, path, part):
        if type(part) is self.torch.nn.Identity:
            return False
        if self.name is None:
            return self._squeezes(part)
        return type(part).__name__ == self.name or ("." + path).endswith("." + self.name)

    def _squeezes(self, part):
        """Tell whether a module holds two maps from as many channels to fewer and back."""
        nn = self.torch.nn
        learnt = [one for one in part.modules() if one._parameters]
        maps = [one for one in learnt if isinstance(one, (nn.Linear, nn.Conv1d, nn.Conv2d))]
        if len(maps) != 2:
            return False
        (inside, narrow), (back, outside) = [tuple(m.weight.shape[1::-1]) for m in maps]
        return inside == outside > narrow == back

    def _first_call(self, call, module, args, kwargs):
        """Look whether the module may be left out, in a call of it that counts as never made."""
        del _models.instead[id(module)]
        if self.surgery.guarded(self._fits, call, module, args, kwargs):
            module.__class__ = self.torch.nn.Identity
            self.surgery.applied(places=1)
        return call(module, *args, **kwargs)

    def _fits(self, call, module, args, kwargs):
        x = args[0] if len(args) == 1 and not kwargs else None
        name = type(module).__qualname__
        if not isinstance(x, self.torch.Tensor):
            self.surgery.fail("%s takes more than one tensor" % name)
            return False
        buffers = [(b, b.detach().clone()) for b in module.buffers()]
        with self.torch.random.fork_rng(), self.torch.no_grad():
            given = x.detach().clone()
            made = call(module, given)
            for buffer, before in buffers:
                buffer.data.copy_(before)
        if not isinstance(made, self.torch.Tensor) or made.shape != x.shape:
            self.surgery.fail("%s does not put out the shape that it is given" % name)
            return False
        return self.name is not None or self._gates(x.detach(), made)

    def _gates(self, x, made):
        """Tell whether what came out is what went in, times a number for each channel."""
        x, made = x.flatten(2).double(), made.flatten(2).double()
        gate = (x * made).sum(-1) / (x * x).sum(-1).clamp_min(1e-30)
        rest = (made - gate.unsqueeze(-1) * x).norm()
        return bool(rest <= 1e-4 * made.norm()) and bool((gate >= -1e-6).all())
