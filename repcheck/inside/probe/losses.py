"""What each operand of a loss that is a sum gives the gradient, sampled over the whole training.

Before a backward pass of a scalar that was added up, the gradient of each operand is taken by
itself, with the graph kept, of the parameters that an optimizer holds; nothing is accumulated, so
the pass that follows gives what it would have given. No generator is touched by a backward pass.
Left alone are graphs in which more than that would happen: hooks on tensors, functions with a
backward of the artifact's own, saved tensors that are packed (checkpoints), several processes, and
whatever is compiled. Looks are thinned so that they stand evenly over the training, and stop where
they would take more than a share of its time.
"""

import math
import sys
import time

from .patches import patch, unpatch
from .recorder import rec

FORMS = 8
"""Forms of sums that are told apart: a generator's loss and a critic's, say."""
MOST_TERMS = 16
SAMPLES = 48
NODES = 20000
ELEMENTS = 50000000
SHARE = 0.02
SPARE = 0.1
"""Seconds that may be taken whatever the share."""
THROUGH = (
    "MulBackward0", "DivBackward0", "NegBackward0", "SqueezeBackward0", "ViewBackward0",
    "ReshapeAliasBackward0", "ToCopyBackward0", "CloneBackward0",
)  # fmt: skip
SUMS = ("AddBackward0", "SubBackward0")
LISTS = ("StackBackward0", "CatBackward0")


class Form:
    """One form of sum: how often it was taken, and what was seen of it."""

    def __init__(self, number, names, constants):
        self.id, self.names, self.constants = number, names, constants
        self.calls, self.every, self.samples = 0, 2, []


class _Losses:
    torch = state = edge = None
    forms = {}
    off = True
    spent = 0.0


def install(torch, state):
    """Watch for what would make a second look at a graph more than a look."""
    graph = getattr(torch.autograd, "graph", None)
    _Losses.torch, _Losses.state = torch, state
    _Losses.edge = getattr(graph, "GradientEdge", None)
    if _Losses.edge is None:
        return
    patch(torch.Tensor, "register_hook", _hooking, watch=False)
    patch(torch.Tensor, "retain_grad", _stopping, watch=False)
    patch(graph.saved_tensors_hooks, "__enter__", _stopping, watch=False)
    _Losses.off = False
    rec.after_fork.append(_Losses.forms.clear)
    rec.at_end.append(at_end)


def before_compile():
    """Look at nothing any more, and take out what a compiled step would trace."""
    torch = _Losses.torch
    if _Losses.edge is None:
        return
    _Losses.off = True
    unpatch(torch.Tensor, "register_hook")
    unpatch(torch.Tensor, "retain_grad")
    unpatch(torch.autograd.graph.saved_tensors_hooks, "__enter__")


def _hooking(original):
    own = __name__.rpartition(".")[0]

    def register_hook(self, hook):
        if not type(hook).__module__.startswith(own):
            _Losses.off = True
        return original(self, hook)

    return register_hook


def _stopping(original):
    def stop(*args, **kwargs):
        _Losses.off = True
        return original(*args, **kwargs)

    return stop


def stop():
    """Look no more: a look at a graph changes the order in which second gradients add up."""
    _Losses.off = True


def is_off():
    """Return whether there is nothing to be done before a backward."""
    return _Losses.off


def before_backward(tensors, args, kwargs):
    """Take a look at what a backward is called with, if it is its turn."""
    if _Losses.state.compiled or args[:1] not in ((), (None,)):
        return
    loss = tensors[0] if isinstance(tensors, (list, tuple)) and len(tensors) == 1 else tensors
    given = kwargs.get("grad_tensors") is not None or kwargs.get("inputs") is not None
    twice = args[2] if len(args) > 2 else kwargs.get("create_graph")
    if given or twice or type(loss) is not _Losses.torch.Tensor or loss.numel() != 1:
        return
    edges, constants = _operands(loss.grad_fn)
    if not edges or len(edges) + constants < 2 or len(edges) > MOST_TERMS:
        return
    form = _form(tuple(_name(node) for node, _, _ in edges), constants)
    if form is None:
        return
    form.calls += 1
    if form.calls % form.every:
        return
    if not _spare():
        if len(form.samples) >= SAMPLES // 2:
            _thin(form)
        return
    begun = time.perf_counter()
    _look(form, loss, edges)
    took = time.perf_counter() - begun
    _Losses.spent += took
    rec.spent += took


def _spare():
    return _Losses.spent <= max(SPARE, SHARE * rec.now())


def _form(names, constants):
    key = (names, constants)
    form = _Losses.forms.get(key)
    if form is None and len(_Losses.forms) < FORMS:
        form = _Losses.forms[key] = Form(len(_Losses.forms), names, constants)
    return form


def _operands(node):
    """Return `(node, output, factor)` of each operand of a sum, and how many are constants.

    What a whole sum is multiplied by is left out: it changes no share.
    """
    node = _below(node)
    if node is not None and node.name() in ("SumBackward0", "MeanBackward0"):
        inner = node.next_functions[0][0] if node.next_functions else None
        node = inner if inner is not None and inner.name() in LISTS else None
        pairs = node.next_functions if node is not None else ()
        return [(below, at, 1.0) for below, at in pairs if below], sum(not b for b, _ in pairs)
    found, constants, stack = [], 0, [(node, 0, 1.0)]
    while stack and len(found) <= MOST_TERMS:
        node, at, factor = stack.pop()
        if node is None:
            constants += 1
        elif node.name() not in SUMS:
            found.append((node, at, factor))
        else:
            alpha = float(getattr(node, "_saved_alpha", 1) or 0)
            pairs = list(node.next_functions)
            stack += [
                (below, place, factor * (alpha if number else 1.0))
                for number, (below, place) in reversed(list(enumerate(pairs)))
            ]
    return found, constants


def _below(node):
    """Return what is below factors of everything."""
    for _ in range(20):
        if node is None or node.name() not in THROUGH:
            break
        live = [below for below, _ in node.next_functions if below is not None]
        if len(live) != 1:
            break
        node = live[0]
    return node


def _name(node):
    return (_below(node) or node).name()


def _look(form, loss, edges):
    torch, params = _Losses.torch, _params()
    if not params or _together() or not _plain(torch, loss.grad_fn):
        return
    if any(node.name().endswith("AccumulateGrad") for node, _, _ in edges):
        return
    if loss.device.type != "cpu" and not _room(torch, loss.device, params):
        return
    norms = [_norms(torch, loss, edge, params) for edge in edges]
    form.samples.append((rec.step + 1, norms))
    if len(form.samples) >= SAMPLES:
        _thin(form)
        if loss.device.type == "cpu":
            _tell(form)


def _thin(form):
    form.samples = form.samples[1::2]
    form.every *= 2


def _params():
    """Return the parameters that optimizers hold; none where a gradient would do more than be."""
    found, elements = {}, 0
    for known in list(_Losses.state.optimizers.values()):
        optimizer = known.ref()
        for group in optimizer.param_groups if optimizer is not None else ():
            for p in group["params"]:
                if p.requires_grad and p.is_leaf and id(p) not in found:
                    found[id(p)] = p
                    elements += p.numel()
                    if p._backward_hooks:
                        _Losses.off = True
    return [] if _Losses.off or elements > ELEMENTS else list(found.values())


def _together():
    spread = sys.modules.get("torch.distributed")
    return bool(spread and spread.is_available() and spread.is_initialized())


def _plain(torch, node):
    """Return whether a graph has nothing in it but torch's own functions."""
    own = getattr(torch.autograd.function, "BackwardCFunction", ())
    seen, stack = set(), [node]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, own) or len(seen) > NODES or "BackwardBackward" in node.name():
            return False
        stack += [below for below, _ in node.next_functions if below is not None]
    return True


def _room(torch, device, params):
    cuda = getattr(torch, "cuda", None)
    free = getattr(cuda, "mem_get_info", None) if device.type == "cuda" else None
    return free is not None and free(device)[0] > 4 * sum(p.numel() * 8 for p in params)


def _norms(torch, loss, edge, params):
    """Return the norm of one operand's gradient for each parameter; a tensor on a device."""
    node, at, factor = edge
    found = torch.autograd.grad(
        [_Losses.edge(node, at)],
        params,
        grad_outputs=[torch.ones_like(loss).reshape(node._input_metadata[at].shape)],
        retain_graph=True,
        allow_unused=True,
    )
    with torch.no_grad():
        zero = torch.zeros((), device=loss.device)
        norms = [zero if g is None else _norm(g, loss.device) for g in found]
        every = torch.stack(norms) * abs(factor)
    # Reading a value of another device would have everything wait for it.
    return every.tolist() if every.device.type == "cpu" else every


def _norm(gradient, device):
    return gradient.detach().float().norm().to(device)


# What is written


def at_end():
    """Write what was seen of every form."""
    for form in list(_Losses.forms.values()):
        rec.guarded(_tell, form)


def _tell(form):
    samples = [_shares(step, norms) for step, norms in form.samples]
    samples = [one for one in samples if one is not None]
    rec.event(
        "terms",
        id=form.id,
        ops=list(form.names),
        constants=form.constants,
        calls=form.calls,
        every=form.every,
        samples=samples,
    )


def _shares(step, norms):
    norms = [one if isinstance(one, list) else one.tolist() for one in norms]
    if not all(math.isfinite(value) for one in norms for value in one):
        return None
    whole = [math.sqrt(sum(value * value for value in one)) for one in norms]
    total = sum(whole)
    if not total > 0:
        return None
    each = [sum(values) for values in zip(*norms)]  # noqa: B905
    pairs = []
    for size, one in zip(whole, norms):  # noqa: B905
        top = max(v / of for v, of in zip(one, each) if of > 0)  # noqa: B905
        pairs.append([round(size / total, 9), round(top, 9)])
    return [step] + pairs
