"""Data loaders: which indices they draw, which batch is under way, how long it was waited for."""

import importlib
import weakref
from array import array
from collections import deque

from . import content, storage
from .patches import patch
from .recorder import rec
from .torch_hooks import name_of

BLOCK = 4096
LOADERS = 2000


class Delivery:
    """A batch that a loader delivered; `ref` is its first tensor, weakly.

    `kept` is that tensor for a while, since a loop may put another in its place (`x = x.cuda()`).
    `off` says that an evaluation's forward took it, `used` that any forward did.
    """

    __slots__ = ("kept", "loader", "off", "ref", "rows", "serial", "source", "used")

    def __init__(self, serial=0, source=None, rows=0, ref=None):
        self.serial = serial
        self.source = source
        self.loader = source.loader if source is not None else -1
        self.rows = rows
        self.ref = ref
        self.kept = None
        self.off = self.used = False

    @property
    def tensor(self):
        """Return the first tensor of the batch, if it still lives."""
        return self.ref() if self.ref is not None else None

    def lives(self):
        """Return whether the iterator that delivered it still lives."""
        return self.source is not None and self.source.ref() is not None


NOTHING = Delivery()
KEPT = 1 << 23
"""Elements of the largest batch that is kept until the next one or the next step."""
recent = deque()
"""The deliveries whose tensors are kept: no more than two."""
waiting = deque(maxlen=64)
"""What was delivered and not forwarded yet: frameworks fetch a batch or two ahead."""


def delivery_of(x):
    """Return the delivery that a forward of `x` is of: by identity, else by order."""
    queue, current = waiting, _Known.current
    if not queue:
        if current.ref is not None and current.ref() is x:
            return current
        return _stale(current)
    for ahead, one in enumerate(queue):
        if one.ref is not None and one.ref() is x:
            source = one.source
            kept = [other for other in list(queue)[:ahead] if other.source is not source]
            for _ in range(ahead + 1):
                queue.popleft()
            queue.extendleft(reversed(kept))
            _Known.ahead = len(queue)
            return _begun(one)
    if current.ref is not None and current.ref() is x:
        return current
    if len(queue) > _Known.ahead:
        return _begun(_next(queue))
    return _stale(current)


def _begun(delivery):
    delivery.used = True
    _Known.current = delivery
    return delivery


def _next(queue):
    """Return the oldest batch of the iterator that delivered last, and forget those before it."""
    source = queue[-1].source
    while queue[0].source is not source:
        queue.popleft()
    _Known.ahead = 0
    return queue.popleft()


def _stale(current):
    """Return the current batch, or nothing if the loop over its loader is over."""
    source = current.source
    if source is not None and (source.told or source.ref() is None):
        _Known.current = current = NOTHING
    return current


def rows_of_objects():
    """Return the rows of a batch without a tensor that has just been delivered."""
    delivery = delivery_of(None)
    return delivery.rows if delivery.ref is None else 0


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
    iterating = {}


class _Iterating:
    """What is known of one iterator."""

    __slots__ = (
        "base", "batches", "begin", "drawn", "indices", "loader", "number", "queue", "ref", "told",
    )  # fmt: skip

    def __init__(self, iterator, loader, number, base):
        self.ref = weakref.ref(iterator, _dropped)
        self.loader = loader
        self.number = number
        self.base = base
        self.batches = self.drawn = 0
        self.queue = []
        self.indices = array("q")
        self.begin = rec.step
        self.told = False


def let_go(used=True):
    """Keep the tensors no longer of batches that were `used`, or of all but the last one."""
    while recent and (recent[0].used if used else len(recent) > 1):
        recent.popleft().kept = None


def take_wait():
    """Return (seconds waited, batches delivered) since the last time."""
    wait, batches = _Known.wait, _Known.batches
    _Known.wait, _Known.batches = 0.0, 0
    return wait, batches


def forget():
    """Drop what belongs to the process that forked."""
    _Known.wait, _Known.batches = 0.0, 0
    waiting.clear()
    recent.clear()
    _Known.iterating.clear()
    _Known.current = NOTHING


def install(torch, state):
    """Patch the iterators of torch's data loader."""
    _Known.torch, _Known.state = torch, state
    content.install(torch)
    rec.after_fork.append(forget)
    dataloader = importlib.import_module("torch.utils.data.dataloader")

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
        known = _Known.iterating.get(id(self))
        if known is not None and known.ref() is self:
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
            rec.guarded(_ended, _Known.iterating.get(id(self)), True)
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
    known = _Known.iterating.get(id(self))
    if known is None or known.ref() is not self:
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
    delivery = Delivery(_Known.delivered, known, rows, ref)
    waiting.append(delivery)
    let_go(used=False)
    if tensor is not None and tensor.numel() <= KEPT:
        delivery.kept = tensor
        recent.append(delivery)


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
    _flush(known)
    event = {"batches": known.batches, "drawn": known.drawn, "done": done, "begin": known.begin}
    rec.event("loader_end", i=known.loader, it=known.number, **event)


def _dropped(ref):
    """Write what an iterator drew that was left, or dropped by a framework that knows its length.

    An iterator stands under its id: nothing is kept in the artifact's own objects.
    """
    if _Known is None:  # the interpreter is at its end
        return
    for key, known in list(_Known.iterating.items()):
        if known.ref is ref:
            del _Known.iterating[key]
            if rec.on:
                rec.guarded(_ended, known, False)


def at_end():
    """Write what iterators that never came to their end have drawn."""
    for known in list(_Known.iterating.values()):
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
    base, chain = _unwrapped(loader.dataset)
    known = _Known.loaders.get(id(loader))
    if known is None or known[1]() is not loader:
        known = [_Known.made, weakref.ref(loader), 0]
        _Known.loaders[id(loader)] = known
        _Known.made += 1
        if known[0] < LOADERS:
            _tell(known[0], loader, base)
    known[2] += 1
    _Known.iterating[id(self)] = _Iterating(self, known[0], known[2], chain)


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
        rec.guarded(storage.write, serial, base, _length(base))


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
