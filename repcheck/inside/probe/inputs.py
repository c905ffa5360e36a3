"""What goes into a forward: data, or something made of data that was counted already."""

import weakref
from collections import deque

from . import content

DATA, DERIVED, DOUBTFUL = 0, 1, 2

made = deque(maxlen=4)
"""Weak references to what roots put out lately: who is fed with it is fed no data."""
learnt = []
"""A weak reference to what was last trained on."""


class Candidate:
    """A forward that may be trained through.

    `x` is its input where that can be hashed, `data` its hashes where they had to be made at once;
    `first` is the first candidate that had the same input in this step, if it is another.
    """

    __slots__ = (
        "at", "data", "delivery", "early", "fired", "first", "flags", "hook", "kind", "learnt",
        "ref", "root", "rows", "seq", "sign", "version", "where", "x",
    )  # fmt: skip


def take(one, x, others, earlier):
    """Judge an input by where it lies and where it came from; `earlier` are the step's others."""
    base = owner(x)
    one.ref, one.learnt = weakref.ref(base), is_learnt(base)
    one.where = x.data_ptr() if content.plain(x) else id(x)
    if x.requires_grad:
        one.kind = DOUBTFUL if x.grad_fn is None else DERIVED
    try:
        one.version = x._version
    except RuntimeError:  # made under inference_mode
        pass
    if one.rows and content.hashable(x):
        one.x = x
    if made and _is_output(one.where):
        one.kind = DERIVED
    elif earlier:
        _compare(one, x, others, earlier)


def owner(x):
    """Return what a tensor is a view of: a view is a new tensor each time it is made."""
    base = x._base
    return x if base is None else base


def is_learnt(base):
    """Return whether this is what was last trained on, or what that was a view of."""
    return bool(learnt) and learnt[0] is not None and learnt[0]() is base


def _compare(one, x, others, earlier):
    """Find whether the input came before in this step, or is a part of one, or made of outputs."""
    recurrent = any(_is_derived(value, content.tensor_class()) for value in others)
    for other in earlier:
        if other.ref is None or other.ref() is None:
            continue
        if other.where == one.where and other.version == one.version and other.rows == one.rows:
            one.first = other.first or other
            return
        if one.kind != DATA:
            continue
        if other.root is one.root:
            again = other.x is not None and not other.fired and one.x is not None
            one.kind = DERIVED if recurrent else _slice_of(other.x, x) if again else DATA


def _is_output(where):
    """Return whether memory is that of what a root put out lately and what still lives."""
    for ref in made:
        out = ref()
        if out is not None and content.plain(out) and out.data_ptr() == where:
            return True
    return False


def _is_derived(value, Tensor):
    if isinstance(value, (tuple, list)):
        return any(_is_derived(part, Tensor) for part in value[:4])
    return isinstance(value, Tensor) and value.requires_grad and value.grad_fn is not None


def _slice_of(known, x):
    """Judge a second input of the same root before a backward, such as the next point in time.

    Parts of the same rows are no further rows. Neighbours in memory may be either.
    """
    if known.shape != x.shape or known.stride() != x.stride():
        return DATA
    storage = getattr(x, "untyped_storage", None) or x.storage
    others = getattr(known, "untyped_storage", None) or known.storage
    if storage().data_ptr() != others().data_ptr():
        return DATA
    apart = abs(x.storage_offset() - known.storage_offset())
    return DERIVED if 0 < apart < x.stride(0) and len(x) > 1 else DOUBTFUL
