"""Which values were trained, and which were evaluated: bits read where the parameters lie.

Nothing here runs a torch operation (see memory.py).
"""

import hashlib
import sys
import weakref

from . import memory, settings
from .fingers import Finger, Watch
from .memory import digest, digest_of, place_of, spread
from .recorder import rec

EVENTS = 5000
DIGESTS = 20000
CHANGES = 200
USUAL = 50
"""So many steps in a row with a pass are no evaluations: a teacher or a target is asked."""


class _Known:
    """What the weights of this process are known by."""

    torch = None
    state = None
    digests = {}
    last = {}
    fresh = {}
    gone = {}
    ended = set()
    fingers = {}
    watched = {}
    passes = changes = 0
    pass_step = run = 0
    events = 0
    drift_checked = False
    drifts = False
    looking = None


def install(torch, state):
    """Begin: nothing is patched, the optimizers' steps and the passes call in here."""
    _Known.torch, _Known.state = torch, state
    memory.install(torch)


def after_step(optimizer, _optimizer_state=None):
    """Keep the fingerprint of what has just been stepped."""
    finger = _Known.fingers.get(id(optimizer))
    if finger is None:
        finger = _first_step(optimizer)
    before, finger.values = finger.values, finger.read(optimizer.param_groups)
    finger.steps += 1
    finger.last, finger.loaded = rec.step, False
    if not finger.alive and before is not None:
        finger.wait_for_life(before, optimizer.param_groups)
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
            rec.guarded(_keep_last, dead)

    finger = _Known.fingers[key] = Finger(optimizer, forget)
    finger.bind(optimizer.param_groups)
    mine = finger.params()
    for other in list(_Known.fingers.values()):
        if other is not finger and not mine.isdisjoint(other.params()):
            other.sharing += (finger,)
            finger.sharing += (other,)
    for root, module in _trained():
        _Known.gone.pop(root.id, None)
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
            if finger.ref() is optimizer and not finger.looked and not memory.watched():
                finger.looked = True
                moved = finger.moved() if passes == _Known.passes else None
                _Known.drift_checked = _Known.drift_checked or moved is not None
                _Known.drifts = _Known.drifts or bool(moved)
        except Exception as exc:
            rec.error("weights.look_before_step", exc)

    _Known.looking = (register(look_before_step), finger)


def before_compile():
    """Take the hook before steps out: a compiled step would trace it."""
    if _Known.looking is not None:
        _Known.looking[0].remove()
        _Known.looking = None


# Roots, digests and events


def _trained():
    """Yield the roots that live and have a parameter that an optimizer holds, with their module."""
    held = _Known.state.held
    for root in list(_Known.state.roots.values()):
        module = root.ref()
        if module is not None and any(id(p) in held for p in module.parameters()):
            yield root, module


def _note(found, at):
    if found and (found in _Known.digests or len(_Known.digests) < DIGESTS):
        _Known.digests[found] = at


def _emit(why, root, found, at):
    """Write the values that an optimizer held after step `at`; those at the end always."""
    _note(found, at)
    if not found or (why != "end" and _Known.last.get(root.id) == (at, found)):
        return
    _Known.last[root.id] = (at, found)
    if why == "end":
        _Known.ended.add(root.id)
    _Known.events += 1
    if _Known.events <= EVENTS or why == "end":
        rec.event("weights", at=at, why=why, root=root.id, digest=found)


def _fingers_of(ids):
    fingers = list(_Known.fingers.values())
    return [f for f in fingers if f.steps and not ids.isdisjoint(f.params())]


def _is_fresh(ids):
    """Tell whether these parameters are as their last step left them; None if not known."""
    mine = _fingers_of(ids)
    if not mine:
        return None
    moved = [finger.moved() for finger in mine]
    if True in moved or any(finger.loaded for finger in mine):
        return False
    return None if None in moved else True


def look(why):
    """Write what the trained roots hold, unless something else was put into them."""
    for root, module in list(_trained())[:8]:
        ids = {id(p) for p in module.parameters()}
        if _is_fresh(ids):
            _emit(why, root, _keep_fresh(root, ids, digest(module)), rec.step)


def _keep_fresh(root, ids, found):
    _Known.fresh[root.id] = (rec.step, found, _fingers_of(ids))
    return found


def before_load(module):
    """Write what is trained before something is loaded over it."""
    held = _Known.state.held
    if rec.step and any(id(p) in held for p in module.parameters()):
        look("load")


def before_first_forward(root):
    """Write what a root holds before anything was trained, or before its optimizer stepped."""
    module = root.ref()
    if module is None:
        return
    mine = {id(p) for p in module.parameters()}
    if not mine:
        return
    stepped = [finger for finger in list(_Known.fingers.values()) if finger.steps]
    held = _Known.state.held
    if rec.step == 0 or (
        any(p in held for p in mine) and all(mine.isdisjoint(f.params()) for f in stepped)
    ):
        _emit("first", root, digest(module), 0)
    from . import averages, checkpoints

    averages.called(root, module)
    checkpoints.by_hand(root, module)


def _swapped(params):
    """Tell whether these parameters' optimizers hold other values than after their last step."""
    mine = _fingers_of(params) or [f for f in list(_Known.fingers.values()) if f.steps]
    moved = [finger.moved() for finger in mine]
    if True in moved:
        sure = _Known.drift_checked and not _Known.drifts
        return True if sure else None
    return False if False in moved else None


def on_pass_open(pass_):
    """Fill what the evaluated values are: held by an optimizer, swapped, and their digest."""
    _Known.passes += 1
    _Known.run = _Known.run + 1 if rec.step == _Known.pass_step + 1 else 0
    _Known.pass_step = rec.step
    if not _usual():
        settings.on_pass_open()
    pass_.held, pass_.swapped, pass_.weights = None, None, ""
    pass_.of, pass_.copies, pass_.watches = None, [], []
    roots = pass_.roots
    for entry in list(roots.values() if hasattr(roots, "values") else roots):
        if hasattr(entry, "ref"):
            on_pass_root(pass_, entry)


def _usual():
    return _Known.run >= USUAL


def on_pass_root(pass_, root):
    """Take a root into what an open pass knows of its weights."""
    module = root.ref()
    params = list(module.parameters()) if module is not None else []
    if not params:
        return
    ids = {id(p) for p in params}
    held = all(p in _Known.state.held for p in ids)
    swapped = _swapped(ids)
    # A network that is asked at every step is a teacher or a target: its values are left alone.
    found = "" if _usual() and not held else digest_of(params)
    if found and _Known.changes < CHANGES:
        pass_.watches.append(Watch(module, params))
    of = _held_after(ids, root, found)
    if (of is None and found and swapped is not False) or not held:
        _find_copies(pass_, module, params, found)
    first = pass_.held is None
    pass_.held = held if first else pass_.held and held
    pass_.swapped = swapped if first else pass_.swapped or swapped
    pass_.weights = found if first else _both(pass_.weights, found)
    pass_.of = of if first else None if None in (of, pass_.of) else min(of, pass_.of)


def changed(pass_):
    """Tell whether other values were put into what an open pass evaluates."""
    for watch in pass_.watches:
        if watch.changed():
            _Known.changes += 1
            return True
    return False


def _held_after(ids, root, found):
    """Return after which step an optimizer held these values; None if that is not known."""
    if found and not ids.isdisjoint(_Known.state.held) and _is_fresh(ids):
        _note(_keep_fresh(root, ids, found), rec.step)
        return rec.step
    return _Known.digests.get(found)


def _find_copies(pass_, module, params, found):
    from . import averages

    if found and found not in _Known.digests:
        pass_.copies.extend(averages.whose(module, params, found))


def lies_in(params, other):
    """Tell whether what was trained as `params` lies in `other` meanwhile, value by value."""
    where = {id(p): i for i, p in enumerate(params)}
    compared = 0
    for finger in list(_Known.fingers.values()):
        optimizer = finger.ref()
        if optimizer is None or finger.values is None or finger.moved() is not True:
            continue
        groups = optimizer.param_groups
        for n, place in enumerate(finger.places):
            i = where.get(id(groups[place[0]]["params"][place[1]]))
            if i is None or i >= len(other):
                continue
            here = place_of([{"params": [other[i]]}], 0, 0, finger.turn)
            if here is None or [here[6].value, here[7].value] != finger.values[2 * n : 2 * n + 2]:
                return False
            compared += 1
    return compared > 0


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
    if pass_.held is False and rec.step == pass_.at and not _usual():
        look("eval")
        if pass_.of is None:
            pass_.of = _Known.digests.get(pass_.weights)


def after_load(module):
    """Take loaded values for trained ones if the optimizer held them once, or nothing stepped."""
    if digest(module) in _Known.digests or not rec.step:
        mine = {id(p) for p in module.parameters()}
        for finger in list(_Known.fingers.values()):
            if not mine.isdisjoint(finger.params()):
                finger.refresh()
                finger.loaded = True


# The end


def _watch_death(root, module):
    """Keep the digest of what a root held when it was dropped: most models die before the end."""
    if root.id in _Known.watched:
        return
    params = list(module.parameters())
    chosen = spread(len(params), memory.TENSORS)
    where = {}
    for finger in list(_Known.fingers.values()):
        optimizer = finger.ref()
        for g, group in enumerate(optimizer.param_groups if optimizer is not None else ()):
            for j, p in enumerate(group["params"]):
                where[id(p)] = (finger, g, j)
    places = [where.get(id(params[i])) for i in chosen]

    def died(_ref):
        try:
            fingers = {id(place[0]): place[0] for place in places if place is not None}
            if not rec.on or None in places or any(f.loaded for f in fingers.values()):
                return
            if all(finger.moved() is False for finger in fingers.values()):
                groups = [(f.ref(), g, j) for f, g, j in places]
                _keep(root, digest_of([o.param_groups[g]["params"][j] for o, g, j in groups]))
        except Exception as exc:
            rec.error("weights.died", exc)

    _Known.watched[root.id] = (weakref.ref(module, died), root)


def _keep(root, found):
    _note(found, rec.step)
    _Known.gone[root.id] = (rec.step, found)


def _keep_last(dead):
    """Keep what a dead optimizer's roots hold, if its values lie where they lay, unchanged.

    A function that trains returns its model and drops its optimizer before anything is evaluated.
    """
    wanted = dead.untouched()
    for root, module in list(_trained()):
        if wanted and wanted <= {p.data_ptr() for p in module.parameters()}:
            found = digest(module)
            _keep(root, found)
            _emit("drop", root, found, dead.last)


def at_end():
    """Write what the last steps left in the trained roots, whatever was put there afterwards."""
    look("end")
    for key, (_, root) in list(_Known.watched.items()):
        at, found, fingers = _Known.fresh.get(key) or (0, "", ())
        if not found or any(finger.last > at for finger in fingers):
            at, found = _Known.gone.get(key) or (0, "")
        if found and key not in _Known.ended:
            _emit("end", root, found, at)
