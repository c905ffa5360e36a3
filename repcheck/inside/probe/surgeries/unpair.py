"""`unpair` {seed: 0}: what a trained model is fed at evaluation is of others than its labels.

Each call of an evaluation gets rows that the model met before, in its training where that was in
this process, else in earlier calls and in this one, drawn at random. All tensors of a call that
have as many rows go together. A first call of one row has nothing to be fed instead and is left as
it is. `times` counts the rows that were fed in place of others.
"""

from . import _models

MOST_ROWS = 512
MOST_ELEMENTS = 2**24


def install(torch, surgery):
    """Put the change in place."""
    seed = surgery.take(seed=0)
    change = _Change(torch, surgery, torch.Generator().manual_seed(int(seed)))
    _models.watch_calls(torch)
    _models.before_root.append(change.before_root)


class _Change:
    def __init__(self, torch, surgery, generator):
        self.torch, self.surgery, self.generator = torch, surgery, generator
        self.pools = {}

    def before_root(self, module, args, kwargs):
        return self.surgery.guarded(self._changed, module, args, kwargs)

    def _changed(self, module, args, kwargs):
        trains = self.torch.is_grad_enabled() and module.training
        trains = trains and bool(_models._Models.optimizers) and _models.trained(module)
        if not (trains or _models.evaluates(module, args)) or not _models.is_front(module, args):
            return None
        slots = self._slots(args, kwargs)
        if not slots:
            if not trains:
                raise ValueError("the model is fed no tensor with a row for each example")
            return None
        form = tuple((slot, tuple(x.shape[1:]), x.dtype) for slot, x in slots)
        pool = self.pools.get(form)
        if pool is None:
            pool = self.pools[form] = _Pool()
        if trains:
            pool.learn(slots, True)
            return None
        made = self._drawn(pool, slots)
        pool.learn(slots, False)
        if made is None:
            return None
        self.surgery.applied(int(slots[0][1].shape[0]), 0 if self.surgery.places else 1)
        args = tuple([made.get(i, one) for i, one in enumerate(args)])
        return args, {name: made.get(name, one) for name, one in kwargs.items()}

    def _slots(self, args, kwargs):
        """Return (place, tensor) of every tensor with as many rows as the first one has."""
        is_tensor, rows, found = self.torch.Tensor, None, []
        for place, one in [*enumerate(args), *kwargs.items()]:
            if isinstance(one, is_tensor) and one.dim():
                rows = one.shape[0] if rows is None else rows
                if one.shape[0] == rows:
                    found.append((place, one))
        return found if rows else []

    def _drawn(self, pool, slots):
        """Return {place: tensor} of rows of other examples, None where there are none."""
        torch, rows = self.torch, slots[0][1].shape[0]
        held = pool.rows
        if not held and rows < 2:
            return None
        total = held + (0 if pool.trained else rows)
        if held:
            places = torch.randint(total, (rows,), generator=self.generator)
        else:
            # No example keeps its place.
            places = torch.randperm(rows, generator=self.generator)
            places = places[(torch.argsort(places) + 1) % rows]
        made = {}
        for at, (place, x) in enumerate(slots):
            own = x.detach()
            source = own
            if held:
                kept = pool.kept[at]
                source = kept if total == held else torch.cat([kept, own.to(kept.device)])
            made[place] = source[places.to(source.device)].to(x.device)
        return made


class _Pool:
    """Rows that a model was fed before; those of a training alone, where there was one."""

    def __init__(self):
        self.kept, self.rows, self.trained = [], 0, False

    def learn(self, slots, trained):
        """Keep rows, as far as there is room."""
        if trained and not self.trained:
            self.kept, self.rows, self.trained = [], 0, True
        if self.trained and not trained:
            return
        each = sum(x[0].numel() for _, x in slots) or 1
        room = min(MOST_ROWS, max(1, MOST_ELEMENTS // each)) - self.rows
        if room <= 0:
            return
        torch = _models._Models.torch
        new = [x.detach()[:room].clone() for _, x in slots]
        self.kept = [torch.cat([a, b]) for a, b in zip(self.kept, new)] if self.kept else new  # noqa: B905
        self.rows = int(self.kept[0].shape[0])
