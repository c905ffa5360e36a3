"""One 64-bit number for the content of each row of a numpy array."""

import sys

EVERY = 4096
"""Rows of up to so many elements are hashed whole."""
RUNS, RUN = 64, 16
CHUNK = 1 << 16
"""Elements that are worked on at a time, so that they stay in the processor's cache."""

_tables = {}


def is_sampled(width):
    """Return whether of rows so wide only some places are hashed (flag 2 of BASE.rows)."""
    return width > EVERY


def hash_rows(array):
    """Return n little-endian u64 as bytes, one for each row of a 2-D numpy array; 0: constant.

    Equal values have equal hashes whatever the dtype, as far as float32 tells them apart.

    Raises:
        ValueError: if the array has no numbers in two dimensions.
    """
    np = sys.modules["numpy"]
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise ValueError("no two-dimensional array of numbers")
    count, width = array.shape
    if not width:
        return bytes(8 * count)
    places, factors, total = _table(np, width)
    out = np.empty(count, "<u8")
    rows = max(1, CHUNK // len(factors))
    with np.errstate(all="ignore"):
        for begin in range(0, count, rows):
            part = array[begin : begin + rows]
            part = part if places is None else part[:, places]
            mixed = _mixed(np, part)
            hashes = mixed.dot(factors)
            constant = hashes == mixed[:, 0] * total
            hashes[hashes == 0] = 1
            hashes[constant] = 0
            out[begin : begin + rows] = hashes
    return out.tobytes()


def _mixed(np, part):
    # Adding zero copies the values, and makes one of -0.0 and 0.0.
    floats = np.add(part, np.float32(0), dtype=np.float32, casting="unsafe", order="C")
    if part.dtype.kind == "f" and np.isnan(floats.sum()):
        floats[np.isnan(floats)] = np.nan
    bits = floats.view(np.uint32)
    # The floats of small integers end in many zero bits, and so would sums of their multiples.
    bits ^= bits >> np.uint32(16)
    bits *= np.uint32(0x9E3779B1)
    bits ^= bits >> np.uint32(15)
    return bits.astype(np.uint64)


def _table(np, width):
    table = _tables.get(width)
    if table is None:
        places = _places(np, width) if width > EVERY else None
        factors = _random(np, 0x2545F4914F6CDD1D, width if places is None else len(places))
        factors |= np.uint64(1)
        if len(_tables) > 64:
            _tables.clear()
        table = _tables[width] = (places, factors, factors.sum(dtype=np.uint64))
    return table


def _places(np, width):
    shares = (_random(np, width, RUNS) >> np.uint64(11)).astype(np.float64) / 2.0**53
    starts = ((np.arange(RUNS) + shares) * ((width - RUN) / RUNS)).astype(np.int64)
    return (starts[:, None] + np.arange(RUN)).ravel()


def _random(np, seed, count):
    # splitmix64: the same numbers in every process and on every machine.
    with np.errstate(all="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
