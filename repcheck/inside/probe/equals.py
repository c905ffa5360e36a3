"""Asks small modules of the artifact's own, when all is over, what they compute.

A class that is not a library's is noted where a traced forward calls it; after everything else one
of its modules gets inputs of ours at several scales, with and without training mode, and what it
gives is held against a catalogue (catalogue.py) that torch itself computes. Nothing of a training
or of its files can change by it any more; still modules with hooks are left alone, the state of the
module and of all generators is put back, and while it runs no file can be opened for writing, no
program started and nothing sent by it.
"""

import os
import sys
import time

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from . import catalogue, likeness
from .recorder import rec

MOST = 24
"""Modules that are kept to be asked."""
WEIGHTS = 1 << 16
ELEMENTS = 1 << 13
ROWS = 64
SECONDS = 1.0
"""Of this thread's own time, for each module; a module that is slow itself gets no more of it."""
SECONDS_IN_ALL = 3.0
SCALES = (0.01, 0.3, 1.0, 3.0, 10.0, 100.0)
OF_LOSSES = (0.1, 0.3, 1.0, 3.0)
WAYS = ("positive", "negative", "shifted")
AT = (1.0, 10.0)
"""Scales at which inputs of one sign are tried too."""
HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip
PACKAGES = ("/site-packages/", "/dist-packages/")


class Kept:
    """One module to be asked, and the shapes and kinds of what it was called with."""

    __slots__ = ("cls", "inputs", "module", "output", "params", "path", "why")

    def __init__(self, module, path):
        cls = type(module)
        self.module, self.path, self.why = module, path, ""
        self.cls = "%s.%s" % (cls.__module__, cls.__qualname__)
        self.params = sum(p.numel() for p in module.parameters())
        self.inputs, self.output = (), ()


class _Equals:
    torch = None
    kept = {}
    theirs = {}
    alone = set()
    busy = set()
    asked = False
    silent = None


def install(torch, _state):
    """Remember torch, and who is within a call that is looked at; nothing is patched."""
    from . import forwards

    _Equals.torch, _Equals.busy = torch, forwards.busy()
    rec.after_fork.append(forget)


def forget():
    """Keep nothing of the process that forked."""
    _Equals.kept.clear()


def met(module, path, args, kwargs, result):
    """Note a module that was called within a traced forward, or a loss; each kind once."""
    if _Equals.torch is None or len(_Equals.kept) >= MOST or not _own(type(module)):
        return
    key = (type(module), _form(module))
    if key not in _Equals.kept:
        kept = _Equals.kept[key] = Kept(module, path)
        _take(kept, args, kwargs, result)


def outside(module, args, kwargs, result):
    """Note a module without weights that was called by itself: a loss, say; one of each class."""
    if type(module) not in _Equals.alone:
        _Equals.alone.add(type(module))
        met(module, "", args, kwargs, result)


def _own(cls):
    known = _Equals.theirs.get(cls)
    if known is None:
        home = sys.modules.get(cls.__module__)
        file = getattr(home, "__file__", None) or ""
        library = cls.__module__.partition(".")[0] == "torch"
        known = _Equals.theirs[cls] = library or any(part in file for part in PACKAGES)
    return not known


def _form(module):
    """Return what tells modules of one class apart: the plain values that they keep."""
    plain = (bool, int, float, str)
    held = [(k, v) for k, v in vars(module).items() if isinstance(v, plain) and k != "training"]
    return str(sorted(held))[:500]


def _take(kept, args, kwargs, result):
    torch, module = _Equals.torch, kept.module
    tensors = [one for one in args if isinstance(one, torch.Tensor)]
    if any(p.numel() > WEIGHTS for p in module.parameters()) or _mixes(module, tensors):
        kept.why = "weights"
    elif not isinstance(result, torch.Tensor) or not tensors or len(tensors) > 3:
        kept.why = "form"
    elif kwargs or len(tensors) != len(args):
        kept.why = "arguments"
    elif any(t.dtype not in (torch.float32, torch.float64, torch.int64) for t in tensors):
        kept.why = "precision"
    else:
        kept.inputs = tuple((tuple(t.shape), t.dtype, t.device) for t in tensors)
        kept.output = tuple(result.shape)
        return
    kept.module = None


def _mixes(module, tensors):
    """Return whether a module has weights that are more than one for each place of its input."""
    most = max((t[0].numel() for t in tensors if t.dim() and len(t)), default=0)
    sizes = [p.numel() for p in module.parameters()]
    sides = {size for t in tensors for size in t.shape[1:]} | {1, most}
    return len(sizes) > 4 or any(size not in sides for size in sizes)


# At the end


def at_end():
    """Ask every module that was kept, within a time; write what each one is."""
    kept, torch = list(_Equals.kept.values()), _Equals.torch
    if not kept or _Equals.asked:
        return
    _Equals.asked = True
    begun = _spent()
    for one in kept:
        if one.module is not None and _together(torch):
            one.why = "distributed"
        elif one.module is not None and _spent() > begun + SECONDS_IN_ALL:
            one.why = "time"
        found = None
        if not one.why:
            try:
                found = _asked(torch, one, _spent() + SECONDS)
            except Exception as exc:
                one.why = "raised %s" % type(exc).__name__
        _tell(one, found)
    _Equals.kept.clear()


def _spent():
    return getattr(time, "thread_time", time.process_time)()


def _together(torch):
    spread = getattr(torch, "distributed", None)
    return bool(spread and spread.is_available() and spread.is_initialized())


def _tell(one, found):
    name, diff, fitted, training, n, of, scales = found or ("", None, False, False, 0, 0, ())
    rec.event(
        "same",
        cls=one.cls,
        at=one.path,
        params=one.params,
        known=name,
        diff=diff,
        n=n,
        of=of,
        scales=sorted(set(scales)),
        fitted=fitted,
        training=training,
        why=one.why or ("" if found else "values"),
    )


def _asked(torch, one, until):
    """Return what a module is: name, difference, fitted, training, inputs, entries and scales."""
    module = one.module
    if any(getattr(m, name, None) for m in module.modules() for name in HOOKS):
        one.why = "hooks"
        return None
    shape = one.inputs[0][0]
    if not shape or not shape[0] or (not one.output and len(one.inputs) == 1):
        one.why = "form"
        return None
    with _Kept_as_it_is(torch, module), torch.no_grad():
        inputs, scales = _inputs(torch, one)
        module.eval()
        given = _outputs(torch, module, inputs, one)
        if given is None:
            return None
        good = [bool(y.isfinite().all()) for y in given]
        again = _outputs(torch, module, inputs[:1], one)
        if sum(good) < 5 or not torch.equal(again[0], given[0]):
            one.why = "values" if sum(good) < 5 else "chance"
            return None
        inputs, given = _only(inputs, good), _only(given, good)
        module.train()
        in_training = _outputs(torch, module, inputs, one)
    return _compared(torch, one, inputs, given, in_training, until) + (_only(scales, good),)


def _only(items, good):
    return [item for item, fine in zip(items, good) if fine]  # noqa: B905


def _compared(torch, one, inputs, given, in_training, until):
    module, shape = one.module, one.inputs[0][0]

    def spare():
        return _spent() < until

    double = [tuple(_double(x) for x in xs) for xs in inputs]
    rows = sum(len(xs[0]) for xs in inputs)
    entries, batch = [], []
    if len(one.inputs) == 1:
        double = [xs[0] for xs in double]
        wider = [d for d, (a, b) in enumerate(zip(shape, one.output)) if a == 2 * b]  # noqa: B905
        if one.output == shape:
            entries = catalogue.unary(torch, module, shape)
            batch = catalogue.batch_norms(module, shape)
        elif len(one.output) == len(shape) and len(wider) == 1:
            entries = catalogue.halves(torch, wider[0])
    elif len(one.inputs) == 3 and one.output == one.inputs[2][0]:
        entries = catalogue.attentions(torch)
    elif len(one.inputs) == 2 and not one.output:
        entries = catalogue.losses(torch, module, one.inputs[1][1] == torch.int64)
    of = len({name for name, _, _ in entries + batch})
    # In evaluation mode a batch norm is but a scale and an offset, so training mode comes first.
    found = likeness.nearest(batch, double, in_training, given, spare) if batch else None
    if found is None or not found[3] or found[1] > likeness.SAME:
        found = likeness.nearest(entries, double, given, in_training, spare)
    if found is None:
        one.why = "form" if not entries else "time"
        found = ("", None, False, False)
    return found + (rows, of)


def _double(x):
    x = x.cpu()
    return x.double() if x.is_floating_point() else x


def _outputs(torch, module, inputs, one):
    """Return what a module gives for each of the inputs, in double precision; None if no tensor."""
    found = []
    for xs in inputs:
        y = module(*(x.clone() for x in xs))
        if not isinstance(y, torch.Tensor) or not y.is_floating_point():
            one.why = "form"
            return None
        found.append(_double(y.detach()))
    return found


def _inputs(torch, one):
    """Return random inputs at every scale, and the scale of each."""
    random = torch.Generator().manual_seed(20240229)
    ways = [(scale, "mixed") for scale in SCALES] + [(scale, way) for scale in AT for way in WAYS]
    if not one.output:
        ways = [(scale, "mixed") for scale in OF_LOSSES] * (ROWS // len(OF_LOSSES))
    rows = max(1, -(-ROWS // len(ways)))
    classes = one.inputs[0][0][1] if len(one.inputs[0][0]) > 1 else 2
    found = []
    for scale, way in ways:
        xs = [_random(torch, random, part, scale, way, rows, classes) for part in one.inputs]
        found.append(xs)
    return found, [scale for scale, _ in ways]


def _random(torch, random, part, scale, way, rows, classes):
    shape, dtype, device = part
    inner = 1
    for size in shape[1:]:
        inner *= size
    first = max(1, min(shape[0], max(rows, ELEMENTS // max(1, inner))))
    shape = (first,) + shape[1:]
    if not dtype.is_floating_point:
        return torch.randint(0, classes, shape, generator=random).to(device)
    x = torch.randn(shape, generator=random, dtype=torch.float32)
    if way == "positive":
        x = x.abs()
    elif way == "negative":
        x = -x.abs()
    elif way == "shifted":
        x = x + 2
    return (x * scale).to(device=device, dtype=dtype)


class _Kept_as_it_is:
    """Puts modes, values and the generators back as they were, and lets nothing out."""

    def __init__(self, torch, module):
        self.torch, self.module = torch, module

    def __enter__(self):
        torch = self.torch
        self.modes = [(m, m.training) for m in self.module.modules()]
        held = list(self.module.parameters()) + list(self.module.buffers())
        self.values = [(t, t.detach().clone()) for t in held]
        self.state = torch.get_rng_state()
        self.random = _python_state()
        self.out = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = _Sink()
        self.busy = _Equals.busy if get_ident() not in _Equals.busy else set()
        self.busy.add(get_ident())
        _silence()
        _Equals.silent = get_ident()

    def __exit__(self, *_):
        _Equals.silent = None
        self.busy.discard(get_ident())
        sys.stdout, sys.stderr = self.out
        for m, mode in self.modes:
            m.training = mode
        with self.torch.no_grad():
            for tensor, value in self.values:
                if not self.torch.equal(tensor.detach(), value):
                    tensor.detach().copy_(value)
        self.torch.set_rng_state(self.state)
        for put, state in self.random:
            put(state)


def _python_state():
    found = []
    for name in ("random", "numpy.random"):
        module = sys.modules.get(name)
        get = getattr(module, "getstate", None) or getattr(module, "get_state", None)
        put = getattr(module, "setstate", None) or getattr(module, "set_state", None)
        if get is not None and put is not None:
            found.append((put, get()))
    return found


class _Sink:
    encoding = "utf-8"

    def write(self, text):
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False


_listens = []
_OUT = ("os.system", "os.exec", "os.fork", "os.remove", "os.rename", "os.mkdir", "shutil.rmtree")


def _silence():
    """Have whatever would leave this process fail while a module is asked."""
    if _listens or not hasattr(sys, "addaudithook"):
        return
    _listens.append(True)
    ident, writing = get_ident, os.O_WRONLY | os.O_RDWR | os.O_CREAT
    state, out = _Equals, _OUT

    def hook(event, args):
        if state is None or not state.silent or state.silent != ident():
            return
        if event in out or event.startswith(("socket.", "subprocess.", "os.posix_spawn")):
            raise PermissionError(event)
        if event == "open" and isinstance(args[2], int) and args[2] & writing:
            raise PermissionError(event)

    sys.addaudithook(hook)
