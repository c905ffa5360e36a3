"""How large the maps are on the way: the size after each convolution, pool or resampling."""

import re

_RESIZING = re.compile(r"conv|pool|interpolate|upsample|shuffle|unfold|fold|patch|resample", re.I)
_GLOBAL = re.compile(r"pool|mean", re.I)
MOST = 200


def stages(shape, ops):
    """Return the maps where their size changes: [{"path", "op", "size", "stride"}].

    `shape` is the input's with its batch; `ops` are (path, name, shape without batch). `stride`
    is the input's size over the map's, the geometric mean over the spatial axes.
    """
    found = []
    size = None
    for path, name, inner in ops:
        if not _RESIZING.search(name) or not 2 <= len(inner) <= 4:
            continue
        here = list(inner[1:])
        if len(here) > len(shape) - 1 or here == size:
            continue
        size = here
        found.append({"path": path, "op": name, "size": here, "stride": _stride(shape, here)})
        if len(found) >= MOST:
            break
    return found


def _stride(shape, size):
    ratio = 1.0
    for before, after in zip(shape[-len(size) :], size):  # noqa: B905
        ratio *= float(before) / after if after else 1.0
    return round(ratio ** (1.0 / len(size)), 3)


def last(found):
    """Return the stride of the last map that is no mere average over everything, or None."""
    maps = [
        one for one in found if not (_GLOBAL.search(one["op"]) and all(n == 1 for n in one["size"]))
    ]
    return maps[-1]["stride"] if maps else None
