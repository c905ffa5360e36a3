"""The operations of one forward of each trained module, as op_trace.py sees them."""

from . import equals, op_trace
from .recorder import rec

PART = 200
"""Operations of one event: a line of the record must not grow without end."""
_traced = set()


def tracer(torch, root, module):
    """Return what sees a module's operations, None if they were seen already."""
    if root.id in _traced:
        return None
    _traced.add(root.id)
    one = op_trace.new(torch, module)
    one.met = _met
    return one


def _met(*call):
    rec.guarded(equals.met, *call)


def entered(one):
    """Enter a tracer, if there is one and it can be."""
    if one is None:
        return None
    try:
        one.__enter__()
    except Exception as exc:
        rec.error("network.entered", exc)
        return None
    return one


def left(one):
    """Leave a tracer that was entered."""
    rec.guarded(one.__exit__, None, None, None)


def tell(one, root, module, shape):
    """Write what a tracer saw, a part of the operations at a time."""
    found = one.result()
    ops = found["ops"]
    params = list(module.parameters())
    parts = [ops[begin : begin + PART] for begin in range(0, len(ops), PART)] or [[]]
    for number, part in enumerate(parts):
        rec.event(
            "network",
            root=root.id,
            part=number,
            parts=len(parts),
            params=sum(p.numel() for p in params),
            trainable=sum(p.numel() for p in params if p.requires_grad),
            shape=list(shape)[:16],
            cut=bool(found["cut"]),
            digest=found["digest"],
            ops=part,
        )
