"""Forwards that a gradient can flow through, and which of them something was trained through.

Such a forward is a candidate. A backward confirms it if it reaches it: where a lone model is
trained step by step, the distance between the loss and the output in the order in which nodes were
made is the same as ever; else a hook on the output fires, or the graph is searched. A candidate
whose graph is gone was an evaluation. What was confirmed, and lost its gradient before the step,
is unsure.
"""

import weakref
from collections import OrderedDict

from . import content, inputs, loaders, memory
from .counts import counts
from .inputs import DATA, DERIVED, DOUBTFUL, Candidate
from .recorder import rec

PENDING = 4096
HASHED_LATER = 64
SEARCHED = 5000


class Fired:
    """A hook on an output: it returns nothing, so the gradient stays as it is."""

    __slots__ = ("__weakref__", "one")
    __torch_unserializable__ = True

    def __init__(self, one):
        self.one = one

    def __call__(self, _gradient):
        self.one.fired = True


class _Trained:
    state = None
    passes = None
    pending = []
    done = []
    lost = []
    alone = None
    several = False
    claimed = {}
    told = 0


def install(state, passes):
    """Share the state of the forwards."""
    _Trained.state, _Trained.passes = state, passes
    state.pending = _Trained.pending


def forget():
    """Drop what belongs to the process that forked."""
    counts.clear()
    for kept in (_Trained.pending, _Trained.done, _Trained.lost):
        del kept[:]


def another_thread(second):
    """Take the first thread for the only one, until there is another."""
    _Trained.several = _Trained.several or second
    if second:
        _Trained.alone = None


def made_without_gradient(output):
    """Remember what a forward without a gradient put out: what is fed with it is fed no data."""
    inputs.made.append(weakref.ref(output))


def passed(root, rows):
    """Count a forward that a gradient passes through on its way to something that is trained."""
    counts.fwd_off += 1
    counts.rows_off += rows
    _Trained.passes.beside(root, rows, 1, True)


# A forward


def add(root, module, x, rows, output, others):
    """Take a forward; `others` are the further arguments, `output` has a gradient's function."""
    pending, state = _Trained.pending, _Trained.state
    one = Candidate()
    one.root, one.rows, one.fired, one.hook = root, rows, False, None
    one.delivery = delivery = loaders.delivery_of(x)
    one.at, one.first, one.kind, one.data, one.early = rec.step, None, DATA, None, None
    one.flags = 1 if x is not None and x is delivery.tensor else 0
    one.x = one.ref = one.version = one.where = None
    one.learnt = False
    one.sign = (module.training, delivery.loader, x.dim() if x is not None else -1)
    one.seq = None
    if x is not None:
        earlier = (*_Trained.lost, *_Trained.done, *pending)
        inputs.take(one, x, others, earlier)
        if one.x is not None and (x.numel() > content.HELD or not content.lasting(x)):
            _hash_now(one)
    usual = _Trained.alone is root and root.sign == one.sign and rows <= root.rows and not pending
    if not state.compiled:
        number = getattr(output.grad_fn, "_sequence_nr", None) if usual else None
        if number is not None:
            one.seq = number()
        elif output.device.type != "meta":
            _hook(one, output)
            if root.sign and root.sign[0] and not module.training and state.passes is None:
                one.early = _Trained.passes.open(root, True)
    pending.append(one)
    if len(pending) > HASHED_LATER:
        _shrink(pending)


def _hook(one, output):
    fired = Fired(one)
    one.hook = weakref.ref(fired)
    inputs.made.append(weakref.ref(output))
    register = getattr(output.grad_fn, "_register_hook_dict", None)
    if output._backward_hooks is None and register is not None:
        # What Tensor.register_hook does, at a third of its price.
        output._backward_hooks = OrderedDict(((-1, fired),))
        register(output)
    else:
        output.register_hook(fired)


def _hash_now(one, evaluated=False):
    """Make the hashes at once, of memory that may be filled with something else."""
    if one.x is not None:
        one.data = content.digests_of(one.x, evaluated)
        one.x = None


def _shrink(pending):
    """Keep no more than hashes of many forwards, as of the steps of an episode."""
    _hash_now(pending[-HASHED_LATER])
    if len(pending) > PENDING:
        for one in pending[: PENDING // 2]:
            one.kind = DOUBTFUL
            _Trained.done.append(one)
        del pending[: PENDING // 2]


# A backward


def before_backward(tensors):
    """Find the forwards without a hook that this backward reaches; called just before it."""
    pending = _Trained.pending
    if _Trained.done and _gradient_dropped():
        _Trained.lost += _Trained.done
        del _Trained.done[:]
    for one in pending:
        if one.hook is None and one.seq is not None and not one.fired:
            _search(one, tensors)


def _search(one, tensors):
    losses = tensors if isinstance(tensors, (list, tuple)) else (tensors,)
    nodes = [getattr(loss, "grad_fn", None) for loss in losses]
    nodes = [node for node in nodes if node is not None]
    if len(nodes) == 1:
        gap = nodes[0]._sequence_nr() - one.seq
        if gap == one.root.gap and len(_Trained.pending) == 1:
            one.fired = True
            return
        one.root.gap = gap
    one.fired = _reaches(nodes, one.seq)
    if not one.fired:
        one.root.gap = -1


def _reaches(nodes, number):
    """Return whether the graph below some nodes holds the one of this number; None if too large."""
    seen, stack = set(), list(nodes)
    while stack:
        node = stack.pop()
        mine = node._sequence_nr()
        if mine == number:
            return True
        if mine > number and node not in seen:
            seen.add(node)
            if len(seen) > SEARCHED:
                return None
            stack += [below for below, _ in node.next_functions if below is not None]
    return False


def _gradient_dropped():
    """Return whether the gradients of what was confirmed in this step are gone, by zero_grad."""
    for one in _Trained.done:
        key = held_key(one.root)
        for known in list(_Trained.state.optimizers.values()):
            optimizer = known.ref() if key in known.ids else None
            if optimizer is not None:
                return not any(_has_gradient(p) for p in _some(optimizer.param_groups))
    return False


def _some(groups):
    params = groups[-1]["params"] if len(groups) > 1 else []
    params = [*params[-4:], *groups[0]["params"][:4], *groups[0]["params"][-4:]]
    return reversed(params)


def _has_gradient(p):
    gradient = p.grad
    if gradient is None:
        return False
    bits = memory.bits(gradient)
    return bits is None or any(bits)


def held_key(root):
    """Return the id of a parameter of a root that an optimizer holds; 0 if there is none."""
    if root.key is None:
        module, held = root.ref(), _Trained.state.held
        params = module.parameters() if module is not None else ()
        root.key = next((id(p) for p in params if id(p) in held), 0)
    return root.key


def after_backward():
    """Settle which of the pending forwards were trained through."""
    counts.bwd += 1
    pending = _Trained.pending
    if len(pending) == 1 and pending[0].fired:
        _confirm(pending.pop())
        return
    fired = [one for one in pending if one.fired]
    if not _Trained.state.compiled:
        settle()
    pending[:] = [one for one in pending if not one.fired]
    for one in fired:
        _confirm(one)


def unfire():
    """Take back what fired for gradients that no parameter gets."""
    for one in _Trained.pending:
        one.fired = False


def _confirm(one):
    root, delivery = one.root, one.delivery
    one.early = None
    if held_key(root) or not _Trained.state.held:
        _Trained.passes.close(rows=one.rows, delivery=delivery, resumed=True)
        root.forwards_train += 1
        root.sign = one.sign
        inputs.learnt[:] = [one.ref]
        root.rows = max(root.rows, one.rows)
        _Trained.passes.trained = max(_Trained.passes.trained, delivery.serial)
        if not _Trained.several and _Trained.alone is not root:
            _Trained.several = _Trained.alone is not None
            _Trained.alone = None if _Trained.several else root
    _Trained.done.append(one)


def settle(searched=True, everything=False):
    """Take the forwards whose graph is gone for an evaluation's, and those of two steps ago."""
    pending, passes, off = _Trained.pending, _Trained.passes, []
    for one in pending:
        gone = searched if one.hook is None else one.hook() is None
        if not one.fired and (gone or everything or rec.step > one.at + 1):
            off.append(one)
    if not off:
        return
    pending[:] = [one for one in pending if one not in off]
    for one in off:
        if one.fired is None:
            one.kind = DOUBTFUL
            _Trained.done.append(one)
        elif one.root.ref() is not None:
            counts.fwd_off += 1
            counts.rows_off += one.rows
            if one.at != rec.step:
                passes.aside(one)
            passes.take(one, True)
    passes.back()


def off(root, x, rows, grad):
    """Take a forward that nothing can be trained through."""
    one = Candidate()
    one.root, one.rows, one.at, one.early, one.data = root, rows, rec.step, None, None
    one.delivery = delivery = loaders.delivery_of(x)
    one.flags = 1 if x is not None and x is delivery.tensor else 0
    one.x = x if rows and x is not None and content.hashable(x) else None
    one.learnt = x is not None and inputs.is_learnt(inputs.owner(x))
    if one.x is not None and not content.lasting(x):
        _hash_now(one, True)
    counts.fwd_off += 1
    counts.rows_off += rows
    _Trained.passes.take(one, grad)


# A step


def at_step():
    """Settle everything and count the rows of the step that is written now."""
    done, lost = _Trained.done, _Trained.lost
    if _Trained.pending:
        if _Trained.state.compiled:
            _settle_compiled(_Trained.pending)
        else:
            settle()
    if len(done) == 1 and not lost and done[0].kind == DATA and done[0].root is _Trained.alone:
        one = done.pop()
        counts.fwd, counts.rows = 1, one.rows
        _hash(one, content.TRAIN)
        return
    if done or lost:
        _count(done, lost)
        del done[:], lost[:]


def _count(done, lost):
    """Count the rows of several forwards: those of the root that was fed the most data."""
    counts.fwd += len(done) + len(lost)
    new = {}
    for one in done:
        new.setdefault(id(one.first or one), one)
    for one in lost:
        if new.setdefault(id(one.first or one), one) is one:
            one.kind = DOUBTFUL
    counts.again += len(done) + len(lost) - len(new)
    new = list(new.values())
    held = [one for one in new if held_key(one.root)] or new
    rows = {}
    for one in held:
        of_root = rows.setdefault(one.root.id, [0, 0, 0])
        of_root[one.kind] += one.rows
    # The first of equals: of an encoder and what follows it, or of two towers.
    best = max(rows, key=lambda key: (rows[key][DATA], rows[key][DOUBTFUL], rows[key][DERIVED]))
    kind = DATA if rows[best][DATA] else DERIVED if not rows[best][DOUBTFUL] else DOUBTFUL
    for one in held:
        if one.kind == DOUBTFUL and (one.root.id == best or one in lost):
            counts.unsure += one.rows
            _hash(one, content.UNSURE)
        elif one.kind == kind and one.root.id == best:
            counts.rows += one.rows
            _hash(one, content.TRAIN)


def _settle_compiled(pending):
    """Where backward is not watched: forwards as many as usual before a step were trained."""
    root, number = pending[-1].root, len(pending)
    times = root.modal[number] = root.modal.get(number, 0) + 1
    usual = max(root.modal, key=root.modal.get) == number and (number == 1 or times > 1)
    for one in pending:
        if not usual or not one.sign[0]:
            one.kind = DOUBTFUL
        _confirm(one)
    del pending[:]


def _hash(one, layer):
    step = rec.step + 1
    if one.x is not None:
        content.put(one.x, layer, one.flags, one.root.id, 0, step)
    elif one.data is not None:
        content.put_digests(one.data, layer, one.flags, one.root.id, 0, step)
    delivery = one.delivery
    if layer == content.TRAIN and not one.flags & 1 and delivery.serial > _Trained.told:
        _Trained.told = delivery.serial
        _claim(delivery, step)


def _claim(delivery, step):
    """Hash what a loader gave out for training, where the root was fed another tensor.

    A batch is known to be of a training by the order of things alone, so the first of a loader is
    told of only with its second: one that was fetched to be looked at never has a second.
    """
    tensor = delivery.tensor
    if delivery.off or tensor is None or not delivery.lives() or not content.hashable(tensor):
        return
    key = delivery.loader
    if key not in _Trained.claimed:
        _Trained.claimed[key] = (content.digests_of(tensor), step)
        return
    if _Trained.claimed[key] is not None:
        data, first = _Trained.claimed[key]
        _Trained.claimed[key] = None
        if data is not None:
            content.put_digests(data, content.BATCH, 0, key, 0, first)
    content.put(tensor, content.BATCH, 0, key, 0, step)
