"""What the groups of an optimizer hold, in plain values."""

import math

NAN = float("nan")


def plain(value):
    """Return a value as it can be written; None for what is not finite or no number."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)) and len(value) <= 4:
        return [plain(one) for one in value]
    return number(value)


def number(value):
    """Return a number as a float; nan for one on a device, which would have to wait for it."""
    if isinstance(value, float):
        return value
    if getattr(getattr(value, "device", None), "type", "cpu") != "cpu":
        return NAN
    try:
        return float(value)
    except (TypeError, ValueError):
        return NAN


def about(group):
    """Return how many elements and tensors a group has, and its other fields that are plain."""
    found = {
        "n": sum(p.numel() for p in group["params"]),
        "tensors": len(group["params"]),
    }
    for name, value in list(group.items())[:40]:
        if name in ("params", "param_names"):
            continue
        known = plain(value)
        if known is not None and known == known:
            found[str(name)[:40]] = known
    return found
