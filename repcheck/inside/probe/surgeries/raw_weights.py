"""`raw-weights` {}: what an average is evaluated for is done by the trained weights themselves.

For each call of an evaluation the values of an average are exchanged for the ones that were
trained, and put back. An average is an `AveragedModel`, a copy whose values were never those of a
step, or such values within the trained model itself. Checkpoints that were trained are left alone.
"""

import weakref

from .. import averages, memory
from ..recorder import rec
from ..surgery import optimizers
from . import _models

DIGESTS = 200000
ROOTS = 8


def install(torch, surgery):
    """Put the change in place.

    Raises:
        ValueError: if anything is given with it, or this torch has no hooks after steps.
    """
    if surgery.args:
        raise ValueError("it takes no arguments")
    register = getattr(optimizers(), "register_optimizer_step_post_hook", None)
    if register is None:
        raise ValueError("this torch has no hooks after optimizer steps")
    change = _Change(torch, surgery)
    _models.watch_calls(torch)
    register(change.after_step)
    _models.before_root.append(change.before_root)
    _models.after_root.append(change.put_back)


class _Change:
    def __init__(self, torch, surgery):
        self.torch, self.surgery = torch, surgery
        self.kept = {}
        self.trained = set()
        self.now = {}
        self.drifts = False
        self.exchanged = []
        self.met = set()

    def after_step(self, optimizer, _args, _kwargs):
        """Keep the values that a step left."""
        if not _models._Models.compiling():
            self.surgery.guarded(self._keep, optimizer)

    def _keep(self, optimizer):
        key = id(optimizer)
        known = self.kept.get(key)
        if known is None or known[0]() is not optimizer:
            gone = weakref.ref(optimizer, lambda _ref: self.kept.pop(key, None))
            known = self.kept[key] = (gone, {})
        with self.torch.no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    mine = known[1].get(id(p))
                    if mine is None or mine.shape != p.shape:
                        mine = known[1][id(p)] = self.torch.empty_like(p.detach())
                    mine.copy_(p.detach())
        for module in self._roots():
            self._learn(module)

    def _roots(self):
        state, held = averages._Copies.state, _models._held()
        modules = [root.ref() for root in list(state.roots.values())]
        mine = [m for m in modules if m is not None and _models._holds(m, held)]
        return mine[:ROOTS]

    def _learn(self, module):
        found = memory.digest(module)
        self.now[id(module)] = found
        if len(self.trained) < DIGESTS:
            self.trained.add(found)

    def before_root(self, module, args, _kwargs):
        self.surgery.guarded(self._look, module, args)

    def _look(self, module, args):
        grad = self.torch.is_grad_enabled()
        if grad and module.training:
            if not rec.step:
                self._learn(module)
            elif id(module) in self.now and self.now[id(module)] != memory.digest(module):
                self.drifts = True  # the artifact itself changes what a step left: no average
            return
        if not self.trained or not _models.evaluates(module, args):
            return
        pairs = self._within(module) if _models._holds(module, _models._held()) else []
        for copied, source in self._copies(module):
            pairs += self._beside(copied, source)
        if pairs:
            self._exchange(pairs)
            self.surgery.applied(places=int(id(module) not in self.met))
            self.met.add(id(module))

    def _within(self, module):
        """Return the parameters of the trained model, and what they were, if averaged now."""
        found = memory.digest(module)
        if not found or found in self.trained or self.drifts or id(module) not in self.now:
            return []
        kept = {}
        for _, values in list(self.kept.values()):
            kept.update(values)
        return [(p, kept[id(p)]) for p in module.parameters() if id(p) in kept]

    def _copies(self, module):
        """Yield the copies that are called now, and what each was copied from."""
        inner = {id(one) for one in module.modules()}
        for made in list(averages._Copies.known.values()):
            copied = made["ref"]()
            if copied is None or id(copied) not in inner:
                continue
            found = memory.digest(copied)
            if not made["averaged"] and (not found or found in self.trained):
                continue
            source = made["source"]() if made["source"] is not None else None
            source = source or self._alike(copied)
            if source is None:
                self.surgery.fail("the trained weights of an average are gone")
            else:
                yield copied, source

    def _alike(self, copied):
        shapes = _models.form(copied)[1]
        return next((one for one in self._roots() if _models.form(one)[1] == shapes), None)

    def _beside(self, copied, source):
        """Return the tensors of a copy and those of its source, buffers with them if none moves."""
        held = _models._held()
        pairs = list(zip(copied.parameters(), source.parameters()))  # noqa: B905
        if not any(id(raw) in held for _, raw in pairs) and not any(
            id(raw) in values for _, raw in pairs for _, values in self.kept.values()
        ):
            return []
        if not copied.training:
            own = getattr(copied, "module", copied)
            theirs = dict(source.named_buffers())
            pairs += [(b, theirs[name]) for name, b in own.named_buffers() if name in theirs]
        return [(one, raw) for one, raw in pairs if one is not raw and one.shape == raw.shape]

    def _exchange(self, pairs):
        for one, raw in pairs:
            self.exchanged.append((one, one.data))
            one.data = raw.data

    def put_back(self):
        """Put the values back that were evaluated before."""
        while self.exchanged:
            one, data = self.exchanged.pop()
            one.data = data
