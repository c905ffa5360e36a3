"""Which values were trained, and which were evaluated: bits read where the parameters lie.

Nothing here runs a torch operation (see memory.py).
"""

import hashlib
import sys
import weakref

from . import memory, settings
from .memory import decode, digest, digest_of, place_of, readable, spread
from .recorder import rec

PLACES = 4
LARGEST = 16 * 1024 * 1024
EVENTS = 5000


class _Known:
    """What the weights of this process are known by."""

    torch = None
    state = None
    digests = set()
    last = {}
    gone = {}
    fingers = {}
    watched = {}
    passes = 0
    events = 0
    drift_checked = False
    drifts = False
    looking = None


def install(torch, state):
    """Begin: nothing is patched, the optimizers' steps and the passes call in here."""
    _Known.torch, _Known.state = torch, state
    memory.install(torch)


# The fingerprint after each step


class _Finger:
    """A few values of what one optimizer holds, as they were after its last step."""

    __slots__ = ("dtypes", "looked", "places", "ref", "sharing", "steps", "values")

    def __init__(self, optimizer, forget):
        self.ref = weakref.ref(optimizer, forget)
        self.places, self.values, self.dtypes = (), None, ()
        self.sharing, self.steps, self.looked = (), 0, False

    def bind(self, groups):
        """Choose tensors of moderate size, spread over those that are trained."""
        found = [
            (g, j)
            for g, group in enumerate(groups)
            for j, p in enumerate(group["params"])
            if p.requires_grad and readable(p) and 0 < p.numel() * p.element_size() <= LARGEST
        ]
        chosen = [found[i] for i in spread(len(found), PLACES)]
        self.places = tuple(filter(None, [place_of(groups, g, j) for g, j in chosen]))
        self.dtypes = tuple([str(groups[p[0]]["params"][p[1]].dtype) for p in self.places])

    def read(self, groups):
        """Return the values as they are now.

        Memory: an address is read only if the storage that we hold still has its block of that
        size at that base (it is swapped in place when it is resized or shared), and the parameter
        still begins where it began (it does not where `p.data` was assigned). No reference to a
        parameter is kept: a weak one would forbid `torch.utils.swap_tensors`.
        """
        values = []
        for g, j, pointer, storage, base, size, first, second in self.places:
            if (
                groups[g]["params"][j].data_ptr() != pointer
                or storage.data_ptr() != base
                or storage.nbytes() != size
            ):
                return self.read_again(groups)
            values.append(first.value)
            values.append(second.value)
        return values

    def read_again(self, groups):
        """Find the same parameters' new memory; choose others if they are out of reach."""
        count = len(self.places)
        try:
            places = [place_of(groups, place[0], place[1]) for place in self.places]
        except (IndexError, KeyError):
            places = [None]
        if None in places:
            self.bind(groups)
        else:
            self.places = tuple(places)
            self.dtypes = tuple([str(groups[p[0]]["params"][p[1]].dtype) for p in places])
        if len(self.places) != count:
            self.values = None
        return [f.value for place in self.places for f in place[6:]]

    def refresh(self):
        """Take the values as they are now for those after the last step."""
        optimizer = self.ref()
        if optimizer is not None:
            self.values = self.read(optimizer.param_groups)

    def params(self):
        """Return the ids of all parameters that the optimizer holds."""
        optimizer = self.ref()
        groups = optimizer.param_groups if optimizer is not None else ()
        return {id(p) for group in groups for p in group["params"]}

    def moved(self):
        """Tell whether the values are others than after the last step; None if unknown."""
        optimizer = self.ref()
        if optimizer is None or self.values is None or not self.places:
            return None
        dtypes, before = self.dtypes, self.values
        now = self.read(optimizer.param_groups)
        if self.values is None:
            return None
        if self.dtypes == dtypes:
            return now != before
        return _differ(before, dtypes, now, self.dtypes)


def _differ(before, dtypes, now, new_dtypes):
    """Compare values after a change of precision: rounding alone is no difference."""
    for i in range(len(dtypes)):
        old = decode(tuple(before[2 * i : 2 * i + 2]), dtypes[i])
        new = decode(tuple(now[2 * i : 2 * i + 2]), new_dtypes[i])
        if any(abs(a - b) > abs(a) / 128 for a, b in zip(old, new)):  # noqa: B905
            return True
    return False


def after_step(optimizer, _optimizer_state=None):
    """Keep the fingerprint of what has just been stepped."""
    finger = _Known.fingers.get(id(optimizer))
    if finger is None:
        finger = _first_step(optimizer)
    finger.values = finger.read(optimizer.param_groups)
    finger.steps += 1
    if finger.sharing:
        for other in finger.sharing:
            other.refresh()
    if _Known.looking is not None or finger.steps & (finger.steps - 1) == 0:
        _watch_next_step(finger)


def _first_step(optimizer):
    key = id(optimizer)

    def forget(_ref):
        dead = _Known.fingers.pop(key, None)
        for finger in list(_Known.fingers.values()):
            finger.sharing = tuple([f for f in finger.sharing if f is not dead])
        if rec.on and dead is not None:
            _keep_last(list(_trained()))

    finger = _Known.fingers[key] = _Finger(optimizer, forget)
    finger.bind(optimizer.param_groups)
    mine = finger.params()
    for other in _Known.fingers.values():
        if other is not finger and not mine.isdisjoint(other.params()):
            other.sharing += (finger,)
            finger.sharing += (other,)
    for root, module in _trained():
        _watch_death(root, module)
    settings.at_first_step()
    return finger


def _watch_next_step(finger):
    """See at a few steps whether the artifact changes weights between two of them itself.

    Clipped, projected or masked weights are what is trained on, no swap: where that is seen, a
    change before an evaluation says nothing.
    """
    if _Known.looking is not None:
        handle, waiting = _Known.looking
        if waiting.ref() is not None and not waiting.looked:
            return
        handle.remove()
        _Known.looking = None
    # The package deletes its attribute of this name after its own imports.
    home = sys.modules.get("torch.optim.optimizer")
    register = getattr(home, "register_optimizer_step_pre_hook", None)
    if register is None or finger.steps & (finger.steps - 1) or settings.compiled():
        return
    finger.looked, passes = False, _Known.passes

    def look_before_step(optimizer, _args, _kwargs):
        try:
            if finger.ref() is optimizer and not finger.looked:
                finger.looked = True
                moved = finger.moved() if passes == _Known.passes else None
                _Known.drift_checked = _Known.drift_checked or moved is not None
                _Known.drifts = _Known.drifts or bool(moved)
        except Exception as exc:
            rec.error("weights.look_before_step", exc)

    _Known.looking = (register(look_before_step), finger)


# Roots, digests and events


def _trained():
    """Yield the roots that live and have a parameter that an optimizer holds, with their module."""
    held = _Known.state.held
    for root in list(_Known.state.roots.values()):
        module = root.ref()
        if module is not None and any(id(p) in held for p in module.parameters()):
            yield root, module


def _emit(why, root, digest_now):
    _Known.digests.add(digest_now)
    if not digest_now or _Known.last.get(root.id) == (rec.step, digest_now):
        return
    _Known.last[root.id] = (rec.step, digest_now)
    _Known.events += 1
    if _Known.events <= EVENTS:
        rec.event("weights", at=rec.step, why=why, root=root.id, digest=digest_now)


def look(why):
    """Write what the trained roots hold, unless something else was put into them."""
    for root, module in list(_trained())[:8]:
        if not _swapped({id(p) for p in module.parameters()}):
            _emit(why, root, digest(module))


def before_first_forward(root):
    """Write what a root holds before anything was trained, or before its optimizer stepped."""
    module = root.ref()
    if module is None:
        return
    mine = {id(p) for p in module.parameters()}
    if not mine:
        return
    stepped = [finger for finger in _Known.fingers.values() if finger.steps]
    held = _Known.state.held
    if rec.step == 0 or (
        any(p in held for p in mine) and all(mine.isdisjoint(f.params()) for f in stepped)
    ):
        _emit("first", root, digest(module))
    from . import checkpoints

    checkpoints.by_hand(root, module)


def _swapped(params):
    """Tell whether these parameters' optimizers hold other values than after their last step."""
    mine = [f for f in list(_Known.fingers.values()) if f.steps]
    mine = [f for f in mine if not params.isdisjoint(f.params())] or mine
    moved = [finger.moved() for finger in mine]
    if True in moved:
        sure = _Known.drift_checked and not _Known.drifts
        return True if sure else None
    return False if False in moved else None


def on_pass_open(pass_):
    """Fill what the evaluated values are: held by an optimizer, swapped, and their digest."""
    _Known.passes += 1
    settings.on_pass_open()
    pass_.held, pass_.swapped, pass_.weights = None, None, ""
    roots = pass_.roots
    for entry in list(roots.values() if hasattr(roots, "values") else roots):
        if hasattr(entry, "ref"):
            on_pass_root(pass_, entry)


def on_pass_root(pass_, root):
    """Take a root into what an open pass knows of its weights."""
    module = root.ref()
    params = list(module.parameters()) if module is not None else []
    if not params:
        return
    ids = {id(p) for p in params}
    held = all(p in _Known.state.held for p in ids)
    swapped, found = _swapped(ids), digest_of(params)
    if swapped is False and (held or not ids.isdisjoint(_Known.state.held)):
        _Known.digests.add(found)
    first = pass_.held is None
    pass_.held = held if first else pass_.held and held
    pass_.swapped = swapped if first else pass_.swapped or swapped
    pass_.weights = found if first else _both(pass_.weights, found)
    if not held:
        look("eval")


def _both(one, other):
    if not one or not other:
        return ""
    return hashlib.blake2b((one + other).encode(), digest_size=8).hexdigest()


def on_pass_close(pass_, resumed):
    """Correct `swapped` where training goes on (`resumed`) from the values that were evaluated."""
    if resumed and pass_.swapped and pass_.held:
        moved = [finger.moved() for finger in list(_Known.fingers.values()) if finger.steps]
        if True in moved:
            pass_.swapped, _Known.drifts = None, True


def after_load(module):
    """Take loaded values for trained ones if the optimizer held them once, or nothing stepped."""
    found = digest(module)
    if found in _Known.digests or not rec.step:
        mine = {id(p) for p in module.parameters()}
        for finger in list(_Known.fingers.values()):
            if not mine.isdisjoint(finger.params()):
                finger.refresh()


# The end


def _watch_death(root, module):
    """Keep the digest of what a root held when it was dropped: most models die before the end."""
    if root.id in _Known.watched:
        return
    params = list(module.parameters())
    chosen = spread(len(params), memory.TENSORS)
    where = {}
    for finger in _Known.fingers.values():
        optimizer = finger.ref()
        for g, group in enumerate(optimizer.param_groups if optimizer is not None else ()):
            for j, p in enumerate(group["params"]):
                where[id(p)] = (finger, g, j)
    places = [where.get(id(params[i])) for i in chosen]

    def died(_ref):
        try:
            if rec.on and None not in places:
                groups = [(f.ref(), g, j) for f, g, j in places]
                _Known.gone[root.id] = digest_of(
                    [o.param_groups[g]["params"][j] for o, g, j in groups]
                )
        except Exception as exc:
            rec.error("weights.died", exc)

    _Known.watched[root.id] = (weakref.ref(module, died), root)


def _keep_last(roots):
    for root, module in roots:
        _Known.gone[root.id] = digest(module)


def at_end():
    """Write what the trained roots hold at the end, or held when they were dropped."""
    look("end")
    for key, (ref, root) in list(_Known.watched.items()):
        if ref() is None and _Known.gone.get(key):
            rec.event("weights", at=rec.step, why="end", root=root.id, digest=_Known.gone[key])
