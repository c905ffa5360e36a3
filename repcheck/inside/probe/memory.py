"""Values read where they lie, without a torch operation.

No generator, mode, profiler, version counter or gradient can notice. What lies on another device
is never read.
"""

import ctypes
import hashlib
import struct
import sys

VALUES = 16
TENSORS = 16

_UNSIGNED = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}
_DECODE = {"float32": "I>f", "float64": "Q>d", "float16": "H>e"}
_torch = {"plain": None, "strided": None}


def install(torch):
    """Learn what an ordinary tensor is."""
    _torch["plain"] = getattr(torch.Tensor, "__torch_dispatch__", None)
    _torch["strided"] = torch.strided


def spread(length, most):
    """Return up to `most` places from 0 to length - 1, evenly spread, both ends among them."""
    if length <= most:
        return list(range(length))
    return [i * (length - 1) // (most - 1) for i in range(most)]


def _storage(tensor):
    whole = getattr(tensor, "untyped_storage", None)
    return whole() if whole is not None else tensor.storage().untyped()


def readable(tensor):
    """Tell whether the values of a tensor lie in this process's memory as they seem to."""
    return (
        tensor.device.type == "cpu"
        and tensor.layout is _torch["strided"]
        and getattr(type(tensor), "__torch_dispatch__", None) is _torch["plain"]
    )


def watched():
    """Return whether a mode of the artifact's would see every question asked of a tensor."""
    count = getattr(sys.modules["torch"]._C, "_len_torch_function_stack", None)
    return count is not None and count() > 0


def array(tensor):
    """Return a numpy array over a tensor's memory, to be used while the tensor is held.

    `Tensor.numpy` would forbid the artifact to resize the tensor from then on.

    Raises:
        TypeError: if numpy has no such numbers.
    """
    np, name = sys.modules["numpy"], str(tensor.dtype).replace("torch.", "")
    half = name == "bfloat16"
    kind, storage = np.dtype("uint16" if half else name), _storage(tensor)
    item = tensor.element_size()
    if not tensor.numel():
        return np.empty(tuple(tensor.shape), kind)
    memory = (ctypes.c_ubyte * storage.nbytes()).from_address(storage.data_ptr())
    strides = [step * item for step in tensor.stride()]
    begin = tensor.storage_offset() * item
    made = np.ndarray(tuple(tensor.shape), kind, memory, begin, strides)
    return (made.astype(np.uint32) << np.uint32(16)).view(np.float32) if half else made


def _offsets(tensor, places):
    """Return how many elements behind the first each place (in logical order) lies."""
    if tensor.is_contiguous():
        return places
    shape, stride, found = tuple(tensor.shape), tensor.stride(), []
    for place in places:
        offset = 0
        for size, step in zip(reversed(shape), reversed(stride)):  # noqa: B905
            place, index = divmod(place, size)
            offset += index * step
        found.append(offset)
    return found


def bits(tensor, most=VALUES):
    """Return the bits of up to `most` spread values as integers, or None if they are out of reach.

    Memory: the storage is held while it is read and its size bounds every address, so a tensor
    whose storage was resized away (as sharded training does) is out of reach and not a crash.
    """
    if not readable(tensor):
        return None
    count, item = tensor.numel(), tensor.element_size()
    unsigned = _UNSIGNED.get(item)
    if not count:
        return ()
    storage = _storage(tensor)
    size, base = storage.nbytes(), storage.data_ptr()
    offsets = _offsets(tensor, spread(count, most))
    first = tensor.storage_offset() * item
    if unsigned is None or not base or first + (max(offsets) + 1) * item > size:
        return None
    at = unsigned.from_address
    return tuple([at(base + first + offset * item).value for offset in offsets])


def numbers(tensor, most=VALUES):
    """Return up to `most` spread values as floats, or None if they are out of reach."""
    raw = bits(tensor, most)
    return None if raw is None else decode(raw, str(tensor.dtype))


def decode(raw, dtype):
    """Return bits as floats; of integers, as they are."""
    name = dtype.replace("torch.", "")
    if name == "bfloat16":
        raw, name = tuple([value << 16 for value in raw]), "float32"
    code = _DECODE.get(name)
    if code is None:
        return raw
    n, (unsigned, signed) = len(raw), code.split(">")
    packed = struct.pack("=%d%s" % (n, unsigned), *raw)
    return struct.unpack("=%d%s" % (n, signed), packed)


def digest_of(params):
    """Return 16 hex digits that name the values of parameters in this order; "" if unknown."""
    made = hashlib.blake2b(digest_size=8)
    if not params:
        return ""
    for place in spread(len(params), TENSORS):
        raw = bits(params[place])
        if raw is None:
            return ""
        made.update(struct.pack("=Q%dQ" % len(raw), params[place].numel(), *raw))
    return made.hexdigest()


def digest(module):
    """Return the digest of a module's parameters; names, prefixes and buffers do not matter."""
    return digest_of(list(module.parameters()))


def place_of(groups, g, j, turn=0):
    """Return where two values of a held parameter lie, with what shows whether they still do.

    Each `turn` names two other values.
    """
    p = groups[g]["params"][j]
    if not readable(p):
        return None
    count, item = p.numel(), p.element_size()
    unsigned, storage = _UNSIGNED.get(item), _storage(p)
    chosen = [(count // 2 + 7 * turn) % count, (count // 3 + 11 * turn) % count] if count else []
    offsets = _offsets(p, chosen) if count else []
    size, base, first = storage.nbytes(), storage.data_ptr(), p.storage_offset() * item
    if not offsets or unsigned is None or not base or first + (max(offsets) + 1) * item > size:
        return None
    at = [unsigned.from_address(base + first + offset * item) for offset in offsets]
    return (g, j, p.data_ptr(), storage, base, size, at[0], at[1])
