"""Tensors in whatever a model returns, and the memory they stand in."""

MOST = 1000


def flat(value, depth=6):
    """Return the tensors in nested tuples, lists, mappings and plain objects."""
    if hasattr(value, "untyped_storage") or hasattr(value, "data_ptr"):
        return [value]
    if depth <= 0:
        return []
    if hasattr(value, "values") and callable(value.values) and hasattr(value, "keys"):
        inner = list(value.values())
    elif isinstance(value, (list, tuple, set)):
        inner = list(value)
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        inner = list(vars(value).values())
    else:
        return []
    return [tensor for item in inner[:MOST] for tensor in flat(item, depth - 1)]


def total(outputs):
    """Return the sum of all outputs that a gradient can flow from, or None."""
    with_gradient = [tensor for tensor in flat(outputs) if tensor.requires_grad]
    sums = [(tensor.abs() if tensor.is_complex() else tensor).sum() for tensor in with_gradient]
    if not sums:
        return None
    whole = sums[0].float()
    for one in sums[1:]:
        whole = whole + one.float().to(whole.device)
    return whole


def storage(tensor):
    """Return (where, bytes) of a tensor's memory, or None where it has none of its own."""
    try:
        kept = tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage()
        size = kept.nbytes() if hasattr(kept, "nbytes") else len(kept) * tensor.element_size()
        return (str(tensor.device), kept.data_ptr()), size
    except Exception:
        return None


def parameters(model):
    """Return how many numbers a model holds.

    `stored` counts each piece of memory once: weights that are tied by their data count once in
    it and twice in `total`.
    """
    weights = list(model.parameters())
    places = {}
    for weight in weights:
        kept = storage(weight)
        if kept is None:
            continue
        key, size = kept
        known, room = places.get(key, (0, size // max(1, weight.element_size())))
        places[key] = (min(room, known + weight.numel()), room)
    return {
        "total": sum(weight.numel() for weight in weights),
        "trainable": sum(weight.numel() for weight in weights if weight.requires_grad),
        "buffers": sum(buffer.numel() for buffer in model.buffers()),
        "stored": sum(count for count, _ in places.values()),
    }


class Saved:
    """What autograd keeps for the backward pass; every tensor is held, so no place is reused."""

    def __init__(self, torch, model):
        self.torch = torch
        self.held = []
        self.weights = {kept[0] for kept in map(storage, model.parameters()) if kept}

    def __enter__(self):
        self.hooks = self.torch.autograd.graph.saved_tensors_hooks(self._pack, lambda kept: kept)
        self.hooks.__enter__()
        return self

    def __exit__(self, *given):
        return self.hooks.__exit__(*given)

    def _pack(self, tensor):
        self.held.append(tensor)
        return tensor

    def bytes(self):
        """Return the bytes of all different pieces of memory that are not parameters'."""
        places = dict(kept for kept in map(storage, self.held) if kept)
        return sum(size for place, size in places.items() if place not in self.weights)
