"""Content hashes of rows, many batches at a time, as far as the governor lets them be made.

Work right after a kernel is dear, since caches are cold: so small batches wait until there are
sixteen. A tensor that was changed meanwhile is told by its version and counts as skipped.
"""

import sys

from . import fed, memory
from .recorder import rec
from .rowhash import hash_rows, is_sampled

TRAIN, EVAL, AUX, STORAGE, BATCH, UNSURE = 1, 2, 3, 4, 5, 8
AT_ONCE = 16
HELD = 1 << 20
"""Elements that may wait; more would keep the artifact's memory alive."""
TOGETHER = 1 << 17
"""Elements up to which a copy of several batches is cheaper than hashing each by itself."""
GRACE = 0.02
ALWAYS = 100000
"""Evaluated rows that are hashed whatever it takes: leaks are judged by them."""


class _Queue:
    torch = None
    waiting = []
    elements = 0
    evaluated = 0
    modes = None


def install(torch):
    """Learn what an ordinary tensor is."""
    _Queue.torch = torch
    _Queue.modes = getattr(torch._C, "_len_torch_dispatch_stack", None)
    rec.after_fork.append(clear)


def clear():
    """Forget what waits: it is another process's."""
    del _Queue.waiting[:]
    _Queue.elements = 0


def tensor_class():
    """Return torch.Tensor."""
    return _Queue.torch.Tensor


def plain(x):
    """Return whether a tensor is no subclass and lies in memory in steps of one size."""
    kind, torch = type(x), _Queue.torch
    return (kind is torch.Tensor or kind is torch.nn.Parameter) and x.layout is torch.strided


def hashable(x):
    """Return whether a tensor has rows that can be read without waiting for a device."""
    return (
        plain(x)
        and x.device.type == "cpu"
        and x.dim() > 0
        and not x.is_complex()
        and not x.is_quantized
        and not x.is_neg()
        and "numpy" in sys.modules
    )


def watched():
    """Return whether a mode of the artifact's would see every operation."""
    return _Queue.modes is not None and _Queue.modes() > 0


def allowed(rows, always=False):
    """Return whether the budget of time lets so many rows be hashed; count those it does not."""
    if always or rec.spent <= rec.budget * rec.now() + GRACE:
        return True
    rec.skipped += rows
    return False


def put(x, layer, flags, root, pass_, step):
    """Take a batch to be hashed; it is hashed with the next ones."""
    rows = x.shape[0]
    if not rows:
        return
    fed.take(x, layer, root, pass_, step)
    always = False
    if layer == EVAL or (layer == BATCH and pass_):
        _Queue.evaluated += rows
        always = _Queue.evaluated <= ALWAYS
    if not allowed(rows, always):
        flush()  # or what waits would wait for long
        return
    try:
        version = x._version
    except RuntimeError:  # made under inference_mode: it has no version
        version = None
    _Queue.waiting.append((x, version, layer, flags, root, pass_, step))
    _Queue.elements += x.numel()
    full = len(_Queue.waiting) >= AT_ONCE or _Queue.elements > HELD
    if full or version is None or not lasting(x):
        flush()


def lasting(x):
    """Return whether a tensor's memory is torch's own: numpy may fill its own anew unnoticed."""
    storage = getattr(x, "untyped_storage", None) or x.storage
    return storage().resizable()


def digests_of(x, evaluated=False):
    """Return (hashes, rows, flags, some rows) at once, or None: too dear, or out of reach."""
    rows = x.shape[0]
    _Queue.evaluated += rows if evaluated else 0
    if not allowed(rows, evaluated and _Queue.evaluated <= ALWAYS):
        return None
    begin = rec.now()
    data = hash_rows(rows_of(x))
    rec.spent += rec.now() - begin
    sampled = 2 if is_sampled(x.numel() // rows) else 0
    return data, rows, sampled, fed.copy_of(x, evaluated)


def put_digests(made, layer, flags, root, pass_, step):
    """Write hashes that were made before."""
    data, rows, sampled, copied = made
    fed.take_copy(copied, layer, root, pass_, step)
    rec.hashed += rows
    rec.put_rows(layer, flags | sampled, root, pass_, rows, data, step)


def flush():
    """Hash and write what waits, batches of one form together."""
    waiting = _Queue.waiting
    if not waiting:
        return
    begin = rec.now()
    now = waiting[:]
    clear()
    forms = {}
    for one in now:
        x, version = one[0], one[1]
        if version is not None and x._version != version:
            rec.skipped += x.shape[0]
            continue
        forms.setdefault((x.dtype, x.numel() // x.shape[0]), []).append(one)
    blocks = []
    for (_, width), alike in forms.items():
        try:
            blocks += _blocks(alike, 2 if is_sampled(width) else 0)
        except Exception as exc:
            rec.error("rows.flush", exc)
    if blocks:
        rec.put_blocks(blocks)
    rec.spent += rec.now() - begin


def _blocks(alike, sampled):
    """Return a block for each of these batches, hashed as one array where that is cheaper."""
    np = sys.modules["numpy"]
    arrays = [rows_of(one[0]) for one in alike]
    together = len(arrays) > 1 and sum(array.size for array in arrays) <= TOGETHER
    hashed = hash_rows(np.concatenate(arrays) if together else arrays[0])
    found, at = [], 0
    for array, (_, _, layer, flags, root, pass_, step) in zip(arrays, alike):  # noqa: B905
        rows = len(array)
        if not together and found:
            hashed, at = hash_rows(array), 0
        data = hashed[8 * at : 8 * (at + rows)]
        at += rows
        rec.hashed += rows
        found.append((layer, flags | sampled, root, pass_, rows, data, step))
    return found


def rows_of(x):
    """Return a tensor's rows as an array of two dimensions."""
    return memory.array(x).reshape(x.shape[0], -1)
