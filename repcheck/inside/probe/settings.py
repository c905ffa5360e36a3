"""How the training is set up: precision, clipping, scaling, ranks, determinism. Each told once."""

import functools

from .imports import when_imported
from .patches import patch, unpatch
from .recorder import rec

_torch = None
_told = set()
autocast_since_step = [False]
_traced = []


def install(torch, _state):
    """Patch what is called once a run or once a step; nothing within a forward or a backward."""
    global _torch
    _torch = torch
    utils = torch.nn.utils
    for owner in (utils, getattr(utils, "clip_grad", None)):
        for name, how in (("clip_grad_norm_", "norm"), ("clip_grad_value_", "value")):
            if owner is not None and hasattr(owner, name):
                patch(owner, name, functools.partial(_clipping, how), watch=False)
                _traced.append((owner, name))
    for scaler in _scalers(torch):
        patch(scaler, "__init__", _scaling, watch=False)
    if hasattr(torch, "autocast"):
        # Some frameworks enter it inside the model's own forward: where it is entered tells.
        patch(torch.autocast, "__enter__", _entering, watch=False)
        _traced.append((torch.autocast, "__enter__"))
    when_imported("torch.distributed.distributed_c10d", _distributed)
    when_imported("torch.distributed", _distributed)


def told(*what):
    """Return whether this was told before, and note that it is now."""
    if what in _told or len(_told) > 200:
        return True
    _told.add(what)
    return False


def number(value):
    """Return a number that can be written, from whatever was given for one."""
    if isinstance(value, (int, float)):
        return value
    if getattr(getattr(value, "device", None), "type", "cpu") != "cpu":
        return None
    try:
        return float(value)
    except Exception:
        return None


def _clipping(how, original):
    limit = "max_norm" if how == "norm" else "clip_value"

    def clip(*args, **kwargs):
        if rec.on and (how, True) not in _told:
            rec.guarded(_clipped, how, args[1] if len(args) > 1 else kwargs.get(limit))
        return original(*args, **kwargs)

    return clip


def _clipped(how, most):
    if not told(how, True):
        rec.event("clip", how=how, max=number(most))


def before_compile():
    """Take out what a compiled training step would trace; called at the first torch.compile."""
    _told.add("compiled")
    for owner, name in _traced:
        unpatch(owner, name)


def compiled():
    """Return whether anything was compiled: then no hook of an optimizer may come or go."""
    return "compiled" in _told


def _scalers(torch):
    places = (getattr(torch, "amp", None), getattr(torch.cuda, "amp", None))
    classes = [getattr(place, "GradScaler", None) for place in places]
    # The class of a newer torch is the base of the older name: one of them is enough.
    return [c for c in classes if isinstance(c, type) and "__init__" in vars(c)][:1]


def _scaling(original):
    def __init__(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        if rec.on and not told("scaler", type(self).__qualname__):
            enabled = getattr(self, "_enabled", True)
            rec.event("scaler", cls=type(self).__qualname__, enabled=bool(enabled))
        return result

    return __init__


def _distributed(module):
    if hasattr(module, "init_process_group"):
        patch(module, "init_process_group", _joining, watch=False)


def _joining(original):
    def init_process_group(*args, **kwargs):
        result = original(*args, **kwargs)
        if rec.on:
            rec.guarded(_joined)
        return result

    return init_process_group


def _joined():
    group = _torch.distributed
    about = {"rank": group.get_rank(), "world": group.get_world_size()}
    if not told("dist", *about.values()):
        rec.event("dist", backend=str(group.get_backend()), **about)


def _entering(original):
    def __enter__(self, *args, **kwargs):
        if rec.on and getattr(self, "_enabled", True):
            rec.guarded(_entered, self)
        return original(self, *args, **kwargs)

    return __enter__


def _entered(context):
    autocast_since_step[0] = True
    device = str(getattr(context, "device", ""))
    if not told("autocast", device):
        dtype = str(getattr(context, "fast_dtype", "")).replace("torch.", "")
        rec.event("autocast", dtype=dtype, device=device)


def at_first_step():
    """Tell the switches as they stand when training begins."""
    if told("switches"):
        return
    backends = _torch.backends
    cudnn = getattr(backends, "cudnn", None)
    rec.event(
        "settings",
        deterministic=bool(getattr(_torch, "are_deterministic_algorithms_enabled", bool)()),
        cudnn_deterministic=bool(getattr(cudnn, "deterministic", False)),
        cudnn_benchmark=bool(getattr(cudnn, "benchmark", False)),
        precision=str(getattr(_torch, "get_float32_matmul_precision", str)()),
        threads=_torch.get_num_threads(),
    )


def on_pass_open():
    """Look whether the probe's patches are still in place."""
    rec.tamper()
