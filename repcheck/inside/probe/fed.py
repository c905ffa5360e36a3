"""What is fed to a module, in numbers: statistics of some batches, and a sheet of some rows.

Only what lies in this process's memory is looked at, and only as long as little time is spent: the
first batches, then ever fewer. Words and other whole numbers have a shape and no statistics.
"""

import sys
import time

from . import memory
from .recorder import rec

try:
    from _struct import Struct
except ImportError:
    from struct import Struct

TRAIN, EVAL = 1, 2
HEADER = Struct("<BBHIIIIHHHH")
"""layer, bytes a value, zero, step, root, pass, n, channels, height, width, zero; then values."""
ROWS = 2000
WIDTH = 4096
ROOM = 6 << 20
"""Bytes of one sheet; all of them together are bounded by the recorder."""
SHEETS = 4
KEPT = 8
FIRST = 4
TOLD = 16
AT_ONCE = 1 << 18
MOST = 1 << 21
CHANNELS = 16
SIDE = 5
GRACE = {TRAIN: 0.02, EVAL: 0.05}
SHARE = 0.5
"""Of the time that hashing may take, so much may be spent here beside it."""
LARGE, SMALL = 6e4, 1e-2
"""Rows that go beyond are kept in 4 bytes a value and not in 2."""

clock = getattr(time, "thread_time", time.perf_counter)


class _Fed:
    spent = 0.0
    begun = False
    training = {}
    passes = {}
    current = None
    sheets = [0, 0]
    copies = 0
    told = 0


class Tally:
    """What was seen of one module's input: in training, or in one evaluation pass."""

    __slots__ = (
        "at", "axis", "batches", "bytes", "dtype", "high", "known", "layer", "looked", "low",
        "n", "pass_", "root", "rows", "shape", "sheet", "square", "total", "undefined", "zeros",
    )  # fmt: skip

    def __init__(self, layer, root, pass_, step):
        self.layer, self.root, self.pass_, self.at = layer, root, pass_, step
        self.batches = self.looked = self.rows = self.n = self.zeros = self.undefined = 0
        self.bytes = 0
        self.total = self.square = self.low = self.high = None
        self.shape, self.dtype, self.axis = (), "", 0
        self.known = set()
        self.sheet = 0


def take(x, layer, root, pass_, step):
    """Look at a batch that is about to be hashed, if it is one of those that are looked at."""
    if layer == TRAIN:
        one = _Fed.training.get(root)
        if one is None:
            one = _Fed.training[root] = _new(layer, root, 0, step)
        one.batches += 1
        if one.sheet < 0 and one.batches & (one.batches - 1):
            return
    elif layer != EVAL or _seen_enough(root, pass_):
        return
    if not _allowed(layer):
        return
    begin = clock()
    try:
        _look(memory.array(x), str(x.dtype), (layer, root, pass_, step))
    except Exception as exc:
        rec.error("fed.take", exc)
    _Fed.spent += clock() - begin


def _seen_enough(root, pass_):
    """Count a batch of a pass; return whether it is none of those that are looked at."""
    one = _Fed.current
    if one is None or one.pass_ != pass_ or one.root != root:
        return False
    one.batches += 1
    return one.sheet < 0 and one.batches > FIRST and one.batches & (one.batches - 1) > 0


def copy_of(x, evaluated):
    """Return some rows of a batch whose memory may change, for `take_copy`; None: not wanted."""
    _Fed.copies += 1
    if _Fed.copies > 64 and _Fed.copies & (_Fed.copies - 1) and not evaluated:
        return None
    if not _allowed(EVAL if evaluated else TRAIN):
        return None
    begin = clock()
    array = memory.array(x)
    made = array[:: _stride(array)].copy(), str(x.dtype)
    _Fed.spent += clock() - begin
    return made


def take_copy(made, layer, root, pass_, step):
    """Look at rows that were copied before."""
    if made is None or layer not in GRACE:
        return
    begin = clock()
    if layer == TRAIN:
        _tally(layer, root, 0, step).batches += 1
    try:
        _look(made[0], made[1], (layer, root, pass_, step))
    except Exception as exc:
        rec.error("fed.take_copy", exc)
    _Fed.spent += clock() - begin


def forget():
    """Drop what belongs to the process that forked."""
    _Fed.spent, _Fed.training, _Fed.passes, _Fed.sheets, _Fed.copies = 0.0, {}, {}, [0, 0], 0
    _Fed.current, _Fed.told = None, 0


def at_end():
    """Write what was seen of training and of the latest passes; the time counts as the probe's."""
    for one in list(_Fed.training.values()) + list(_Fed.passes.values()):
        _tell(one)
    rec.spent += _Fed.spent


def _allowed(layer):
    return _Fed.spent <= SHARE * rec.budget * rec.now() + GRACE[layer]


def _new(layer, root, pass_, step):
    if not _Fed.begun:
        _Fed.begun = True
        rec.after_fork.append(forget)
        rec.at_end.append(at_end)
    return Tally(layer, root, pass_, step)


def _tally(layer, root, pass_, step):
    """Return the tally that a batch belongs to, a new one if it is the first."""
    if layer == TRAIN:
        one = _Fed.training.get(root)
        if one is None:
            one = _Fed.training[root] = _new(layer, root, 0, step)
        return one
    for one in _Fed.passes.values():
        if one.pass_ == pass_ and one.root == root:
            return one
    return _new(layer, root, pass_, step)


def _stride(array):
    """Return every how many rows one is looked at: whole batches of small rows."""
    rows = len(array)
    width = max(1, array.size // max(1, rows))
    most = AT_ONCE // width
    if rows > 512:
        most = max(most, min(ROWS, MOST // width))
    return -(-rows // max(1, most))


def _look(array, dtype, place):
    layer, root, pass_, step = place
    one = _tally(layer, root, pass_, step)
    rows = array[:: _stride(array)]
    one.shape, one.dtype = array.shape[1:], dtype.replace("torch.", "")
    one.looked += 1
    new = one.looked == 1 if layer == TRAIN else one.looked == 1 and _enter(one, rows)
    if rows.dtype.kind == "f" or rows.dtype.name == "uint8":
        _add(one, rows)
        if one.sheet >= 0:
            _put(one, rows)
    else:
        one.sheet = -1
    if new if layer == EVAL else not one.looked & (one.looked - 1):
        _tell(one)


def _enter(one, rows):
    """Take the place of the last pass that began with the same row; return if there was none."""
    _Fed.current, one.batches = one, max(1, one.batches)
    key = (one.root, one.shape, hash(rows[:1].tobytes()))
    before = _Fed.passes.pop(key, None)
    if before is not None:
        one.sheet = -1
    elif len(_Fed.passes) >= KEPT:
        del _Fed.passes[next(iter(_Fed.passes))]
    _Fed.passes[key] = one
    _Fed.told += before is None
    return before is None and _Fed.told <= TOLD


def _add(one, rows):
    np = sys.modules["numpy"]
    floats = rows.astype(np.float64)
    if not np.isfinite(floats.sum()):
        good = np.isfinite(floats)
        one.undefined += int(floats.size - good.sum())
        floats = np.where(good, floats, 0.0)
    one.axis = _axis(floats.shape)
    rest = tuple(i for i in range(floats.ndim) if i != one.axis % floats.ndim) if one.axis else None
    total, square = floats.sum(axis=rest), (floats * floats).sum(axis=rest)
    if one.total is None or one.total.shape != total.shape:
        one.total, one.square, one.n, one.zeros, one.rows = 0.0 * total, 0.0 * total, 0, 0, 0
        one.low, one.high = np.inf, -np.inf
    one.total, one.square = one.total + total, one.square + square
    one.n += floats.size
    one.rows += len(rows)
    one.low, one.high = min(one.low, floats.min()), max(one.high, floats.max())
    one.zeros += int(floats.size - np.count_nonzero(floats))


def _axis(shape):
    """Return where channels or features stand if there are few of them, else 0: all are one."""
    if len(shape) == 2:
        return -1 if shape[1] <= CHANNELS else 0
    few, last = (shape[1], shape[-1]) if len(shape) > 2 else (0, 0)
    if few == last or min(few, last) > CHANNELS:
        return 0
    return 1 if few < last else -1


def _put(one, rows):
    """Write rows that were not there yet to the sheet, as long as there is room."""
    np = sys.modules["numpy"]
    if not one.sheet:
        kind = one.layer - 1
        if _Fed.sheets[kind] >= SHEETS // 2 * (1 + kind):
            one.sheet = -1
            return
        _Fed.sheets[kind] += 1
    made = _formed(np, rows, one.axis)
    floats = np.nan_to_num(made.astype(np.float32))
    size = np.abs(floats).max() if floats.size else 0.0
    dtype = "<f4" if size > LARGE or 0 < size < SMALL else "<f2"
    values = floats.reshape(len(floats), -1).astype(dtype)
    chosen = []
    for i in range(min(len(values), ROWS - one.sheet)):
        name = hash(values[i].tobytes())
        if name not in one.known:
            one.known.add(name)
            chosen.append(i)
    room = max(0, (ROOM - one.bytes) // max(1, values[0].nbytes))
    data = values[chosen[:room]]
    one.sheet += len(data)
    one.bytes += data.nbytes
    if len(data):
        form = floats.shape[1:] if floats.ndim == 4 else (1, 1, values.shape[1])
        head = HEADER.pack(
            one.layer, data.itemsize, 0, one.at & 0xFFFFFFFF, one.root, one.pass_, len(data),
            *form, 0,
        )  # fmt: skip
        if not rec.put_fed(head + data.tobytes()):
            one.sheet = -1
    if one.sheet >= ROWS or len(data) < len(chosen) or (len(data) == 0 and one.looked > 1):
        one.sheet, one.known = -1, set()


def _formed(np, rows, axis):
    """Return rows of at most 4,096 values: images as channels, height, width, made smaller."""
    if rows.ndim == 4:
        images = np.moveaxis(rows, -1, 1) if axis == -1 else rows
    elif rows.ndim == 3 and rows.shape[1] == rows.shape[2] >= SIDE:
        images = rows[:, None]
    else:
        flat = rows.reshape(len(rows), -1)
        width = flat.shape[1]
        return flat if width <= WIDTH else flat[:, np.arange(WIDTH) * width // WIDTH]
    n, channels, height, width = images.shape
    by = 1
    while channels * (height // by) * (width // by) > WIDTH and by < min(height, width):
        by += 1
    if channels * (height // by) * (width // by) > WIDTH:
        flat = images.reshape(n, -1)
        return flat[:, np.arange(WIDTH) * flat.shape[1] // WIDTH]
    if by == 1:
        return images
    high, wide = height // by, width // by
    parts = images[:, :, : high * by, : wide * by].astype(np.float32)
    return parts.reshape(n, channels, high, by, wide, by).mean(axis=(3, 5))


def _tell(one):
    fields = {
        "phase": "train" if one.layer == TRAIN else "eval", "root": one.root, "pass": one.pass_,
        "at": one.at, "shape": list(one.shape[:8]), "dtype": one.dtype, "batches": one.looked,
        "rows": one.rows,
    }  # fmt: skip
    if one.n:
        np = sys.modules["numpy"]
        count = one.n / max(1, np.size(one.total))
        mean = np.atleast_1d(one.total / count)
        sd = np.sqrt(np.maximum(np.atleast_1d(one.square / count) - mean * mean, 0.0))
        fields.update(
            axis=one.axis, mean=[float(v) for v in mean], sd=[float(v) for v in sd],
            low=float(one.low), high=float(one.high), zeros=one.zeros / one.n,
            undefined=one.undefined / one.n,
        )  # fmt: skip
    rec.event("input", **fields)
