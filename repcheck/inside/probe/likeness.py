"""How far what a module gave is from what a known function gives for the same inputs.

All differences are relative to the largest output of the inputs of one scale; what was fitted to a
known function (a scale and an offset) is fitted by least squares to all scales alike.
"""

SAME = 1e-5
NEAR = 1e-2
CLOSE = 3e-2
"""What is further away than that at one scale is not looked at at the others."""
LEAST, FEW = 32, 4
"""Values to which a scale and an offset are fitted: of all inputs, and of those of one scale."""


def nearest(entries, inputs, given, in_training, spare):
    """Return `(name, diff, fitted, training)` of the entry that is the nearest, or None.

    `inputs`, `given` are lists (one item a scale) of inputs and outputs in double precision,
    `in_training` the outputs in training mode; `spare()` says whether there is time left. An entry
    that is the same without a fit comes before one that is fitted.
    """
    best = None
    for plain in (True, False):
        for name, function, fits in entries:
            if not spare():
                return None
            for fit in fits:
                if (not fit) is not plain:
                    continue
                diff = _tried(function, inputs, given, fit)
                if diff is not None and (best is None or diff < best[1]):
                    best = (name, diff, function, fit)
            if best is not None and best[1] <= SAME:
                return _answer(best, inputs, in_training)
    return None if best is None else _answer(best, inputs, in_training)


def _answer(best, inputs, in_training):
    name, diff, function, fit = best
    training = False
    if diff <= NEAR:
        known = _known(function, inputs, True)
        other = _difference(known, inputs, in_training, fit) if known else None
        training = other is not None and other <= max(SAME, diff)
    return name, diff, bool(fit), training


def _tried(function, inputs, given, fit):
    """Return the largest relative difference over all scales, or over one if that is large."""
    middle = len(inputs) // 2
    part, values = inputs[middle : middle + 1], given[middle : middle + 1]
    first = _known(function, part)
    if first is None or first[0].shape != values[0].shape:
        return None
    # One number fits one number: a loss has to be seen at several inputs.
    diff = 0.0 if fit == "scale" else _difference(first, part, values, fit)
    if diff is None or diff > CLOSE:
        return diff
    known = _known(function, inputs)
    return _difference(known, inputs, given, fit) if known else None


def _known(function, inputs, training=False):
    try:
        known = [function(x, training) for x in inputs]
    except Exception:
        return None
    return known if all(bool(k.isfinite().all()) for k in known) else None


def _difference(known, inputs, given, fit):
    """Return the largest relative difference over all scales; None where nothing can be fitted."""
    sizes = [_size(x, y) for x, y in zip(inputs, given)]  # noqa: B905
    if any(k.shape != y.shape for k, y in zip(known, given)):  # noqa: B905
        return None
    if fit == "scale":
        known = _scaled(known, given, sizes)
    elif fit:
        known = _fitted(known, given, sizes, fit)
    if known is None:
        return None
    diffs = [float((k - y).abs().max()) / size for k, y, size in zip(known, given, sizes)]  # noqa: B905
    return max(diffs) if all(diff == diff for diff in diffs) else None


def _size(x, y):
    first = x[0] if isinstance(x, tuple) else x
    return max(float(y.abs().max()), 1e-6 * float(first.abs().max()), 1e-30)


def _scaled(known, given, sizes):
    """Return the known values times the one number that fits best."""
    above = sum(float((k * y).sum()) / size**2 for k, y, size in zip(known, given, sizes))  # noqa: B905
    below = sum(float((k * k).sum()) / size**2 for k, size in zip(known, sizes))  # noqa: B905
    return [k * (above / below) for k in known] if below > 0 else None


def _fitted(known, given, sizes, fit):
    """Return the known values with the scales and offsets that fit best; None for too few."""
    rank = known[0].dim()
    kept = {"all": (), "channel": (1,), "last": (rank - 1,), "inner": tuple(range(1, rank))}[fit]
    if any(dim >= rank for dim in kept) or (fit == "last" and rank < 3):
        return None
    dims = [dim for dim in range(rank) if dim not in kept]
    count = len(known)
    for dim in dims:
        count *= known[0].shape[dim]
    if count < (LEAST if len(known) > 1 else FEW) or not dims:
        return None
    w = [1.0 / size**2 for size in sizes]

    def total(values):
        return sum(one * v.sum(dims, keepdim=True) for one, v in zip(w, values))  # noqa: B905

    ones = [k * 0 + 1 for k in known]
    n, sk, sy = total(ones), total(known), total(given)
    skk = total([k * k for k in known])
    sky = total([k * y for k, y in zip(known, given)])  # noqa: B905
    spread = skk - sk * sk / n
    slope = (sky - sk * sy / n) / spread.clamp_min(1e-30)
    offset = (sy - slope * sk) / n
    return [slope * k + offset for k in known]
