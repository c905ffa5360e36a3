"""Weights that follow the trained ones: copies of modules, and the decay that a fit finds."""

import copy
import weakref

from . import copies, memory, weights
from .patches import patch
from .recorder import rec

WINDOWS = (4, 12, 50, 200, 1000, 3000, 10000, 30000, 100000)
STEPS = frozenset([start + more for start in WINDOWS for more in range(4)])
"""The steps at which `after_step` wants to be called."""
MODULES = 16
COPIES = 64
EVENTS = 300
DIGESTS = 5000


class _Copies:
    """The modules that may be averages, and what was read of all of them."""

    torch = None
    state = None
    known = {}
    serial = 0
    events = 0
    history = []
    digests = {}


def install(torch, state):
    """Begin to see copies and averages of modules."""
    _Copies.torch, _Copies.state = torch, state
    copies.watch(copy)
    copies.told.append(_copied)
    averaged = getattr(getattr(torch.optim, "swa_utils", None), "AveragedModel", None)
    if averaged is not None:
        patch(averaged, "__init__", _averaging, watch=False)


def _copied(source, result):
    if isinstance(result, _Copies.torch.nn.Module):
        candidate(result, source)
        root = _Copies.state.roots.get(id(source))
        if root is not None and rec.step:
            weights.look("copy")
    elif isinstance(result, dict):
        from . import checkpoints

        checkpoints.dict_copied(result)


def _averaging(original):
    def __init__(self, model, *args, **kwargs):
        result = original(self, model, *args, **kwargs)
        if rec.on:
            rec.guarded(candidate, self, model, True)
        return result

    return __init__


def candidate(module, source=None, averaged=False):
    """Take a module for one whose weights may be an average; `source` was copied."""
    if _known(module) is not None:
        return
    params = sum(p.numel() for p in module.parameters())
    if not params:
        return
    for key, old in list(_Copies.known.items()):
        # An AveragedModel is asked itself, or the copy within it is.
        inner = averaged and old["ref"]() is getattr(module, "module", None)
        if inner or old["ref"]() is None:
            del _Copies.known[key]
    _Copies.serial += 1
    made = {"serial": _Copies.serial, "ref": weakref.ref(module), "averaged": averaged}
    made["source"] = None if source is None else weakref.ref(source)
    made["equal"] = averaged and all(
        getattr(module, name, None) is None for name in ("avg_fn", "multi_avg_fn")
    )
    if len(_Copies.known) < COPIES:
        _Copies.known[_Copies.serial] = made
    if source is not None:
        _tell(made, module, params)


def _known(module):
    for made in list(_Copies.known.values()):
        known = made["ref"]()
        if known is not None and (
            known is module or (made["averaged"] and getattr(known, "module", None) is module)
        ):
            return made
    return None


def _tell(made, module, params, **more):
    _Copies.events += 1
    if _Copies.events > EVENTS:
        return
    source = made["source"]() if made["source"] is not None else None
    root = _Copies.state.roots.get(id(source)) if source is not None else None
    rec.event(
        "copy",
        serial=made["serial"],
        cls=type(module).__module__ + "." + type(module).__qualname__,
        src=None if root is None or root.ref() is not source else root.id,
        params=params,
        averaged=made["averaged"],
        equal=made["equal"],
        **more,
    )


def called(root, module):
    """Tell that a module which may be an average is a root from now on."""
    made = _known(module)
    if made is not None:
        _tell(made, made["ref"](), root.params, root=root.id)


def note(module):
    """Keep what a copy holds when its state is asked for: it may be loaded elsewhere."""
    made = _known(module)
    found = memory.digest(module) if made is not None else ""
    if found and len(_Copies.digests) < DIGESTS:
        _Copies.digests[found] = made["serial"]


def whose(module, params, found):
    """Return the serials of the copies whose values are evaluated in another module.

    Either they are the same now, or were when the copy's state was taken; or the trained values
    lie in the copy, as they do while an average is swapped with them.
    """
    serials = [_Copies.digests[found]] if found in _Copies.digests else []
    for made in list(_Copies.known.values()):
        copied = made["ref"]()
        if copied is None or copied is module or made["serial"] in serials:
            continue
        theirs = list(copied.parameters())
        if len(theirs) != len(params) or theirs[0] is params[0]:
            continue
        if memory.digest_of(theirs) == found or weights.lies_in(params, theirs):
            serials.append(made["serial"])
    return serials


def forget():
    """Drop what was read: the next steps are another process's."""
    del _Copies.history[:]


def after_step(step):
    """Read the candidates and what is trained; fit at the end of each window of four steps."""
    if step not in STEPS:
        return
    history = _Copies.history
    if history and history[-1][0] != step - 1:
        del history[:]
    history.append((step, _read_all()))
    if step - 3 in WINDOWS:
        if len(history) == 4:
            _fit_all(step, history)
        del history[:]


def _live():
    """Yield (key, id of the root or minus the serial, module); what was copied comes along."""
    seen = set()
    for root in list(_Copies.state.roots.values()):
        module = root.ref()
        if module is not None and id(module) not in seen:
            seen.add(id(module))
            yield root.id, module
    for made in list(_Copies.known.values()):
        module = made["ref"]()
        if module is not None and id(module) not in seen:
            seen.add(id(module))
            yield -made["serial"], module
        source = made["source"]() if made["source"] is not None else None
        if module is not None and source is not None and id(source) not in seen:
            seen.add(id(source))
            yield None, source


def _read_all():
    """Return {id(module): (name, cls, held, values by tensor)} as it is now."""
    held, found = _Copies.state.held, {}
    for name, module in _live():
        if len(found) >= MODULES:
            break
        params = list(module.parameters())
        floats = [p for p in params if p.is_floating_point()]
        if not floats or len(floats) < len(params):
            continue
        places = memory.spread(len(params), memory.TENSORS)
        values = [memory.numbers(params[i]) for i in places]
        if None in values:
            continue
        shapes = tuple([tuple(params[i].shape) for i in places])
        flat = [v for part in values for v in part]
        mine = any(id(p) in held for p in params)
        found[id(module)] = (name, type(module), mine, shapes, flat)
    return found


def _fit_all(step, history):
    last = history[-1][1]
    whole = [key for key in last if all(key in at for _, at in history)]
    for key in whole:
        name, cls, held, shapes, _ = last[key]
        if held or name is None:
            continue
        curve = [at[key][4] for _, at in history]
        sources = [k for k in whole if k != key and last[k][2] and last[k][3] == shapes]
        fits = [
            (fit(curve, [at[source][4] for _, at in history], lag), last[source][0])
            for source in sources
            for lag in (0, 1)
        ]
        fits = [one for one in fits if one[0] is not None]
        if fits:
            (decay, r2, steady), source = max(fits, key=lambda one: one[0][1])
            about = {"decay": round(decay, 9), "r2": round(r2, 9), "at": step, "steady": steady}
            name_of = cls.__module__ + "." + cls.__qualname__
            rec.event("avg", root=name, cls=name_of, src=source, **about)


def fit(curve, source, lag):
    """Return (d, r2, steady) of e1 = d e0 + (1 - d) p, or None if nothing moved.

    With a lag of 1, p is of the step before: the average follows after the step that we see.
    Where d changes from step to step (a warm-up, a mean over all steps), the last step that moved
    is fitted alone; `steady` says that one d fits several steps.
    """
    pairs = []
    for i in range(1, len(curve)):
        points = [(p - e0, e1 - e0) for e0, e1, p in zip(curve[i - 1], curve[i], source[i - lag])]  # noqa: B905
        if any(dy for _, dy in points):
            pairs.append(points)
    if not pairs:
        return None
    together = _line([point for points in pairs for point in points])
    if together is None:
        return None
    if together[1] < 0.99999:
        alone = _line(pairs[-1])
        if alone is not None and alone[1] > together[1]:
            return (*alone, False)
    return (*together, together[1] >= 0.99999 and len(pairs) > 1)


def _line(points):
    """Fit dy = (1 - d) dx through the origin."""
    square = sum([dx * dx for dx, _ in points])
    total = sum([dy * dy for _, dy in points])
    if not square > 0 or not total > 0:
        return None
    slope = sum([dx * dy for dx, dy in points]) / square
    rest = sum([(dy - slope * dx) ** 2 for dx, dy in points])
    return 1.0 - slope, 1.0 - rest / total
