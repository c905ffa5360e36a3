"""Data loaders: which indices they draw, which batch is under way, how long it was waited for."""

import sys
import weakref
from array import array
from collections import deque

from . import content
from .patches import patch
from .recorder import rec
from .rowhash import hash_rows, is_sampled
from .torch_hooks import name_of

BLOCK = 4096
STORED_ROWS = 200000
STORED_BYTES = 256 << 20
LOADERS = 2000
NAMES = ("tensors", "data", "x", "X", "images", "inputs", "features", "samples")


class Delivery:
    """A batch that a loader delivered; `ref` is its first tensor, weakly."""

    __slots__ = ("loader", "ref", "rows", "serial")

    def __init__(self, serial=0, loader=-1, rows=0, ref=None):
        self.serial = serial
        self.loader = loader
        self.rows = rows
        self.ref = ref

    @property
    def tensor(self):
        """Return the first tensor of the batch, if it still lives."""
        return self.ref() if self.ref is not None else None


NOTHING = Delivery()
waiting = deque(maxlen=64)
"""What was delivered and not forwarded yet: frameworks fetch a batch or two ahead."""


def delivery_of(x):
    """Return the delivery that a forward of `x` is of: by identity, else by order."""
    queue = waiting
    if queue:
        first = queue[0]
        if first.ref is not None and first.ref() is x:
            queue.popleft()
            _Known.ahead, _Known.current = len(queue), first
            return first
        for ahead, one in enumerate(queue):
            if one.ref is not None and one.ref() is x:
                for _ in range(ahead + 1):
                    queue.popleft()
                _Known.ahead = len(queue)
                _Known.current = one
                return one
        current = _Known.current
        if len(queue) > _Known.ahead and (current.ref is None or current.ref() is not x):
            _Known.current = queue.popleft()
    return _Known.current


on_new_iterator = []
"""Functions that are called when an iterator begins."""


class _Known:
    state = None
    torch = None
    loaders = {}
    stored = {}
    bases = {}
    made = serials = 0
    wait = 0.0
    batches = 0
    delivered = 0
    ahead = 0
    current = NOTHING
    open = []


class _Iterating:
    """What is known of one iterator."""

    __slots__ = (
        "base", "batches", "begin", "drawn", "indices", "loader", "number", "queue", "ref", "told",
    )  # fmt: skip

    def __init__(self, loader, number, base):
        self.loader = loader
        self.number = number
        self.base = base
        self.batches = self.drawn = 0
        self.queue = []
        self.indices = array("q")
        self.ref = None
        self.begin = rec.step
        self.told = False


def take_wait():
    """Return (seconds waited, batches delivered) since the last time."""
    wait, batches = _Known.wait, _Known.batches
    _Known.wait, _Known.batches = 0.0, 0
    return wait, batches


def forget():
    """Drop what belongs to the process that forked."""
    _Known.wait, _Known.batches = 0.0, 0
    waiting.clear()
    _Known.current = NOTHING


def install(torch, state):
    """Patch the iterators of torch's data loader."""
    _Known.torch, _Known.state = torch, state
    content.install(torch)
    rec.after_fork.append(forget)
    from torch.utils.data import dataloader

    base = dataloader._BaseDataLoaderIter
    patch(base, "__init__", _beginning)
    patch(base, "_next_index", _drawing)
    patch(base, "__next__", _delivering)


def _beginning(original):
    def __init__(self, loader, *args, **kwargs):
        if rec.on:
            rec.guarded(_begin, self, loader)
        return original(self, loader, *args, **kwargs)

    return __init__


def _drawing(original):
    def _next_index(self, *args, **kwargs):
        index = original(self, *args, **kwargs)
        known = self.__dict__.get("_repcheck")
        if known is not None:
            known.queue.append(index)
        return index

    return _next_index


def _delivering(original):
    now = rec.now

    def __next__(self):
        if not rec.on:
            return original(self)
        begin = now()
        try:
            batch = original(self)
        except StopIteration:
            rec.guarded(_ended, self.__dict__.get("_repcheck"), True)
            raise
        _Known.wait += now() - begin
        try:
            _delivered(self, batch)
        except Exception as exc:
            rec.error("loaders.delivered", exc)
        return batch

    return __next__


def _first_tensor(batch, deep=3):
    if isinstance(batch, _Known.torch.Tensor):
        return batch
    if deep and isinstance(batch, dict):
        if "input_ids" in batch:
            return _first_tensor(batch["input_ids"], 0)
        batch = tuple(batch.values())
    if deep and isinstance(batch, (list, tuple)):
        for part in batch[:8]:
            found = _first_tensor(part, deep - 1)
            if found is not None:
                return found
    return None


def _delivered(self, batch):
    known = self.__dict__.get("_repcheck")
    if known is None:
        return
    known.batches += 1
    _Known.batches += 1
    x = batch[0] if type(batch) in (list, tuple) and batch else batch
    tensor = x if type(x) is _Known.torch.Tensor else _first_tensor(batch)
    rows = 0
    if known.queue:
        index = known.queue.pop(0)
        if type(index) is list and index:
            rows = len(index)
            if type(index[0]) is int:
                known.indices.extend(index)
            else:
                known.indices.extend([int(one) for one in index if hasattr(one, "__index__")])
        elif type(index) is int:
            rows = 1
            known.indices.append(index)
        if len(known.indices) >= BLOCK:
            _flush(known)
    if not rows and tensor is not None and tensor.dim():
        rows = tensor.shape[0]
    _Known.delivered += 1
    ref = weakref.ref(tensor) if tensor is not None else None
    waiting.append(Delivery(_Known.delivered, known.loader, rows, ref))


def _flush(known):
    count = len(known.indices)
    if not count:
        return
    indices = known.indices
    for chosen in known.base:
        try:
            indices = array("q", [int(chosen[i]) for i in indices])
        except Exception as exc:
            rec.error("loaders.subset", exc)
            break
    rec.put_indices(known.loader, known.number, count, indices.tobytes())
    known.drawn += count
    known.indices = array("q")


def _ended(known, done):
    if known is None or known.told:
        return
    known.told = True
    if known in _Known.open:
        _Known.open.remove(known)
    _flush(known)
    event = {"batches": known.batches, "drawn": known.drawn, "done": done, "begin": known.begin}
    rec.event("loader_end", i=known.loader, it=known.number, **event)


def at_end():
    """Write what iterators that never came to their end have drawn."""
    for known in list(_Known.open):
        _ended(known, False)


def _unwrapped(dataset):
    """Return the base dataset and the chain of index lists that lead down to it."""
    chain = []
    for _ in range(10):
        inner = getattr(dataset, "dataset", None)
        indices = getattr(dataset, "indices", None)
        if inner is None or indices is None or not hasattr(indices, "__getitem__"):
            break
        chain.append(indices)
        dataset = inner
    return dataset, tuple(chain)


def _begin(self, loader):
    for function in on_new_iterator:
        function()
    # A framework that knows the length drops an iterator before it says that it is at its end.
    for other in list(_Known.open):
        if other.ref() is None:
            _ended(other, False)
    base, chain = _unwrapped(loader.dataset)
    known = _Known.loaders.get(id(loader))
    if known is None or known[1]() is not loader:
        known = [_Known.made, weakref.ref(loader), 0]
        _Known.loaders[id(loader)] = known
        _Known.made += 1
        if known[0] < LOADERS:
            _tell(known[0], loader, base)
    known[2] += 1
    self.__dict__["_repcheck"] = made = _Iterating(known[0], known[2], chain)
    made.ref = weakref.ref(self)
    _Known.open.append(made)


def _length(dataset):
    try:
        return len(dataset)
    except Exception:
        return None


def _tell(number, loader, base):
    batches = loader.batch_sampler
    inner = getattr(batches, "sampler", None) or loader.sampler
    serial = _serial(base)
    rec.event(
        "loader",
        i=number,
        dataset=name_of(type(base)),
        ds=serial,
        n=_length(loader.dataset),
        batch_size=loader.batch_size or getattr(batches, "batch_size", None),
        workers=loader.num_workers,
        sampler=type(inner).__qualname__,
        batch_sampler="" if batches is None else type(batches).__qualname__,
        drop_last=bool(getattr(batches, "drop_last", loader.drop_last)),
        collate=getattr(loader.collate_fn, "__qualname__", ""),
    )
    if serial not in _Known.stored:
        _Known.stored[serial] = True
        rec.guarded(_store, serial, base)


def _serial(base):
    known = _Known.bases.get(id(base))
    if known is None or known[1]() is not base:
        try:
            ref = weakref.ref(base)
        except TypeError:  # a list, say: told apart by its place alone
            held = base

            def ref(held=held):
                return held

        known = _Known.bases[id(base)] = (_Known.serials, ref)
        _Known.serials += 1
    return known[0]


def _stored(base):
    """Return the dataset's own storage of inputs as an array, or None."""
    np, torch = sys.modules.get("numpy"), _Known.torch
    for name in NAMES:
        held = getattr(base, "__dict__", {}).get(name)
        if isinstance(held, (list, tuple)) and held and isinstance(held[0], torch.Tensor):
            held = held[0]
        if isinstance(held, torch.Tensor) and content.hashable(held):
            held = held.detach()
            held = held.float() if held.dtype is torch.bfloat16 else held
            return held.numpy()
        if np is not None and isinstance(held, np.ndarray) and held.dtype.kind in "fiub":
            return held if held.ndim else None
    return None


def _store(serial, base):
    if "numpy" not in sys.modules:
        return
    held = _stored(base)
    if held is None or not len(held) or _length(base) not in (None, len(held)):
        return
    begin = rec.now()
    width = held[0].size
    rows = min(len(held), STORED_ROWS, max(1, STORED_BYTES // max(1, held[0].nbytes)))
    data = hash_rows(held[:rows].reshape(rows, -1))
    values = array("Q", data)
    plain = [value for value in values if value]
    event = {"rows": len(held), "hashed": rows, "d": width, "dup": len(plain) - len(set(plain))}
    rec.event("storage", ds=serial, cls=name_of(type(base)), **event)
    flags = 2 if is_sampled(width) else 0
    for start in range(0, rows, BLOCK):
        part = values[start : start + BLOCK]
        rec.put_rows(content.STORAGE, flags, serial, 0, len(part), part.tobytes())
    rec.hashed += rows
    rec.spent += rec.now() - begin
