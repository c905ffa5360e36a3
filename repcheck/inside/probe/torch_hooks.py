"""What an artifact's torch is watched by, and the state that all of it shares."""

import weakref

from . import looks
from .recorder import rec


class Root:
    """A module that was called from outside any module; `ref` is weak."""

    __slots__ = (
        "anchor", "can_train", "close", "cls", "form", "forwards_off", "forwards_train", "gap",
        "id", "in_opt", "key", "modal", "params", "ref", "rows", "sign",
    )  # fmt: skip

    def __init__(self, number, module):
        params = list(module.parameters())
        self.id = number
        self.ref = weakref.ref(module)
        self.cls = name_of(type(module))
        self.params = sum(p.numel() for p in params)
        self.anchor = self.key = None
        self.can_train = any(p.requires_grad for p in params)
        self.gap = -1
        self.forwards_train = self.forwards_off = 0
        self.in_opt = None
        self.form = None
        self.sign = None
        self.rows = 0
        self.modal = {}
        self.close = looks.Seen() if self.params else None

    def look(self, module):
        """Return whether a parameter can get a gradient; keep a place that tells when it changes.

        The place is a weak reference to the parameter's owner and a name: one to the parameter
        itself would forbid `torch.utils.swap_tensors`.
        """
        self.anchor, self.can_train = None, False
        for owner in module.modules():
            for name, p in owner._parameters.items():
                if p is not None and (p.requires_grad or self.anchor is None):
                    self.anchor = (weakref.ref(owner), name)
                    self.can_train = p.requires_grad
                    if p.requires_grad:
                        return True
        return False


class State:
    """The roots, the optimizers and the open evaluation pass of this process."""

    def __init__(self, torch):
        self.torch = torch
        self.roots = {}
        self.held = set()
        self.optimizers = {}
        self.passes = None
        self.pending = []
        self.compiled = False
        self.backward = {}
        self.thread = None
        self.made_roots = 0

    def root_of(self, module):
        """Return what is known of a module that is called from outside, at first made."""
        root = self.roots.get(id(module))
        if root is None or root.ref() is not module:
            root = self._new(module)
        return root

    def _new(self, module):
        if len(self.roots) > 2000:
            for key in [key for key, root in self.roots.items() if root.ref() is None]:
                del self.roots[key]
        root = self.roots[id(module)] = Root(self.made_roots, module)
        self.made_roots += 1
        if root.id < 2000 and root.params:
            self.tell_root(root, module)
        return root

    def tell_root(self, root, module):
        """Write the event `root`, once more when the optimizer's share has changed."""
        params = list(module.parameters())
        mine = sum(p.numel() for p in params if id(p) in self.held)
        share = round(mine / root.params, 6) if root.params else 0.0
        if root.in_opt == share:
            return
        root.in_opt = share
        rec.event(
            "root",
            id=root.id,
            cls=root.cls,
            params=root.params,
            trainable=sum(p.numel() for p in params if p.requires_grad),
            buffers=sum(b.numel() for b in module.buffers()),
            modules=sum(1 for _ in module.modules()),
            in_opt=share,
            device=str(params[0].device) if params else "",
            dtype=str(params[0].dtype) if params else "",
        )


def name_of(cls):
    """Return a class's full name."""
    return "%s.%s" % (cls.__module__, cls.__qualname__)


def install(torch):
    """Put every watch in place, each guarded by itself: one that fails costs no other."""
    from . import (
        averages,
        checkpoints,
        closely,
        compiled,
        content,
        equals,
        forwards,
        loaders,
        losses,
        settings,
        steps,
        weights,
    )

    state = State(torch)
    determined = getattr(torch, "are_deterministic_algorithms_enabled", bool)
    rec.event(
        "torch",
        version=str(torch.__version__),
        threads=torch.get_num_threads(),
        cuda=bool(getattr(torch.version, "cuda", None)),
        deterministic=bool(determined()),
    )
    own = (weights, averages, checkpoints, settings, loaders)
    for watch in (*own, closely, steps, forwards, compiled, equals, losses):
        try:
            watch.install(torch, state)
        except Exception as exc:
            rec.error("%s.install" % watch.__name__.rpartition(".")[2], exc)
    # What is open is closed from the inside out; what was hashed is written last.
    rec.at_end += [steps.at_end, forwards.at_end, loaders.at_end, weights.at_end, content.flush]
    rec.at_end.append(equals.at_end)
