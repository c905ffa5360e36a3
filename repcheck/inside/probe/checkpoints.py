"""Weights that come from outside or go there: files, hubs, state dicts."""

import functools
import weakref

from . import averages, memory, weights
from .imports import when_imported
from .patches import patch
from .recorder import rec

EVENTS = 500
KEYS = 12
CONTENTS = 50000
TENSORS = 2000
VISITS = 10000
SAMPLED = 32
FEW_STEPS = 20

_known = {"torch": None, "state": None, "inside": 0}
_counts = {}
_contents = {}
_modules = {}


def install(torch, state):
    """Patch every door that weights come through; all of them are rarely used."""
    _known["torch"], _known["state"] = torch, state
    module = torch.nn.Module
    for owner in (torch, torch.serialization):
        patch(owner, "load", functools.partial(_loading, "torch.load"))
        patch(owner, "save", functools.partial(_saving, "torch.save"))
    patch(module, "load_state_dict", _module_loading)
    patch(module, "state_dict", _state_of, watch=False)
    patch(torch.optim.Optimizer, "load_state_dict", _optimizer_loading, watch=False)
    for name in ("load", "load_state_dict_from_url", "download_url_to_file"):
        if hasattr(torch.hub, name):
            patch(torch.hub, name, functools.partial(_loading, "hub"), watch=False)
    when_imported("safetensors.torch", _safetensors)
    when_imported("huggingface_hub.file_download", _hub_download)
    when_imported("huggingface_hub._snapshot_download", _hub_snapshot)
    when_imported("transformers.modeling_utils", _transformers)
    when_imported("timm.models._factory", _timm)
    when_imported("timm", _timm)
    when_imported("numpy", _numpy)


def _about(module):
    """Return what is known of a module: loads, the step of its first, and when it was saved."""
    found = _modules.get(id(module))
    if found is None or found["ref"]() is not module:
        for key in [key for key, old in _modules.items() if old["ref"]() is None]:
            del _modules[key]
        found = {"ref": weakref.ref(module), "loads": 0, "since": rec.step, "asked": None}
        _modules[id(module)] = found
    return found


def _few(how):
    _counts[how] = _counts.get(how, 0) + 1
    return _counts[how] <= EVENTS


def name_of(what):
    """Return the path of a file, or what stands for one: its name, or its class."""
    if isinstance(what, bytes) and len(what) > 4096:
        return "<bytes>"
    if hasattr(what, "__fspath__"):
        what = what.__fspath__()
    if isinstance(what, (str, bytes)):
        return what if isinstance(what, str) else what.decode("utf-8", "replace")
    for name in ("name", "path", "full_name"):
        value = getattr(what, name, None)
        if isinstance(value, str):
            return value
    return "<%s>" % type(what).__name__


def keys_of(what):
    """Return the first names of a mapping."""
    return [str(key) for _, key in zip(range(KEYS), what)] if isinstance(what, dict) else []  # noqa: B905


# Reading


def _loading(how, original):
    def load(*args, **kwargs):
        result = original(*args, **kwargs)
        if rec.on:
            what = args[0] if args else next(iter(kwargs.values()), "")
            rec.guarded(_came, how, what, result)
        return result

    return load


def _came(how, what, result):
    if not type(result).__name__.endswith("Storage") and _few(how):
        rec.event("load", how=how, what=name_of(what), keys=keys_of(result))
        _remember(result)


def _remember(what):
    """Remember samples of the tensors that came from files, however deep in containers they lie."""
    torch, waiting, visits = _known["torch"], [what], 0
    while waiting and visits < VISITS:
        what, visits = waiting.pop(), visits + 1
        if isinstance(what, torch.Tensor):
            if what.is_floating_point():
                _note(memory.numbers(what))
        elif isinstance(what, torch.nn.Module):
            waiting.extend(what.parameters())
        elif isinstance(what, dict):
            waiting.extend(what.values())
        elif isinstance(what, (list, tuple)):
            waiting.extend(what[:VISITS])


def _note(values):
    if values and len(set(values)) >= 4 and len(_contents) < CONTENTS:
        _contents[hash(tuple(values))] = True


def _safetensors(module):
    for name in ("load_file", "load", "load_model"):
        if hasattr(module, name):
            patch(module, name, functools.partial(_loading_safetensors, name), watch=False)
    for name in ("save_file", "save", "save_model"):
        if hasattr(module, name):
            patch(module, name, functools.partial(_saving, "safetensors"), watch=False)


def _loading_safetensors(name, original):
    def load(*args, **kwargs):
        result = original(*args, **kwargs)
        if rec.on:
            which = "filename" if name == "load_model" else None
            what = args[-1] if args and which is None else kwargs.get(which, "")
            if which is not None and len(args) > 1:
                what = args[1]
            elif args and which is None:
                what = args[0]
            rec.guarded(_came, "safetensors", what, result)
        return result

    return load


def _hub_download(module):
    patch(module, "hf_hub_download", functools.partial(_fetching, ("repo_id", "filename")))


def _hub_snapshot(module):
    patch(module, "snapshot_download", functools.partial(_fetching, ("repo_id",)))


def _fetching(names, original):
    def fetch(*args, **kwargs):
        result = original(*args, **kwargs)
        if rec.on and _few("hf"):
            given = [args[i] if i < len(args) else kwargs.get(n) for i, n in enumerate(names)]
            rec.event("load", how="hf", what="/".join(map(str, given)), keys=[])
        return result

    return fetch


def _transformers(module):
    patch(module.PreTrainedModel, "from_pretrained", _from_pretrained, watch=False)


def _from_pretrained(original):
    def from_pretrained(cls, *args, **kwargs):
        result = original(cls, *args, **kwargs)
        if rec.on:
            name = "pretrained_model_name_or_path"
            what = args[0] if args else kwargs.get(name, "")
            rec.guarded(_came_pretrained, cls, what, result)
        return result

    return from_pretrained


def _came_pretrained(cls, what, result):
    if _few("from_pretrained"):
        rec.event("load", how="from_pretrained", what=name_of(what), keys=[cls.__qualname__])
        model = result[0] if isinstance(result, tuple) else result
        _remember(model)


def _timm(module):
    if hasattr(module, "create_model"):
        patch(module, "create_model", _creating, watch=False)


def _creating(original):
    def create_model(*args, **kwargs):
        result = original(*args, **kwargs)
        wanted = args[1] if len(args) > 1 else kwargs.get("pretrained", False)
        if rec.on and wanted and _few("timm"):
            what = args[0] if args else kwargs.get("model_name", "")
            rec.event("load", how="timm", what=str(what), keys=[])
            rec.guarded(_remember, result)
        return result

    return create_model


def _numpy(numpy):
    patch(numpy, "load", functools.partial(_numpy_loading, numpy), watch=False)
    archive = getattr(numpy.lib.npyio, "NpzFile", None)
    if archive is not None:
        patch(archive, "__getitem__", functools.partial(_numpy_loading, numpy), watch=False)


def _numpy_loading(numpy, original):
    def load(*args, **kwargs):
        result = original(*args, **kwargs)
        if rec.on and isinstance(result, numpy.ndarray):
            rec.guarded(_note_array, result)
        return result

    return load


def _note_array(array):
    if array.dtype.kind == "f" and array.size >= 16:
        flat = array.flat
        _note([float(flat[i]) for i in memory.spread(array.size, memory.VALUES)])


def by_hand(root, module):
    """Tell, before a root's first forward, if its values are those of files but no load was seen.

    Files are known by samples of what was read with torch, safetensors and numpy, so values that
    were copied tensor by tensor count too.
    """
    if not _contents or _about(module)["loads"]:
        return
    params = [p for _, p in zip(range(TENSORS), module.parameters())]  # noqa: B905
    same = total = tensors = 0
    for p in params:
        total += p.numel()
        values = memory.numbers(p)
        if values and hash(tuple(values)) in _contents:
            same += p.numel()
            tensors += 1
    if same:
        about = {"missing": len(params) - tensors, "unexpected": 0, "changed": same / total}
        cls = type(module).__module__ + "." + type(module).__qualname__
        rec.event("load_state", cls=cls, root=root.id, tensors=tensors, by_hand=True, **about)


# State dicts


def _sample(module):
    params = list(module.parameters())
    places = memory.spread(len(params), SAMPLED)
    return [(params[i].numel(), memory.bits(params[i])) for i in places]


def changed_share(before, after):
    """Return the share of elements that differ, of two samples; None if it cannot be known."""
    if not before or len(before) != len(after):
        return None
    total = moved = 0.0
    for (count, old), (_, new) in zip(before, after):  # noqa: B905
        if old is None or new is None or len(old) != len(new):
            return None
        total += count
        moved += count * sum([a != b for a, b in zip(old, new)]) / max(1, len(old))  # noqa: B905
    return round(moved / total, 6) if total else None


def _often(module):
    """Tell whether a module is loaded at nearly every step, as a target network is."""
    about = _about(module)
    about["loads"] += 1
    return about["loads"] > 50 and about["loads"] * 5 > rec.step - about["since"]


def _module_loading(original):
    def load_state_dict(self, state_dict, *args, **kwargs):
        if not rec.on or _known["inside"]:
            return original(self, state_dict, *args, **kwargs)
        _known["inside"] = 1
        try:
            often = rec.guarded(_often, self)
            before = None if often else rec.guarded(_before_load, self)
            result = original(self, state_dict, *args, **kwargs)
            rec.guarded(_loaded_into, self, state_dict, before, result)
        finally:
            _known["inside"] = 0
        return result

    return load_state_dict


def _before_load(module):
    weights.before_load(module)
    return _sample(module)


def _loaded_into(module, state_dict, before, result):
    weights.after_load(module)
    averages.candidate(module)
    if before is None or not _few("load_state"):
        return
    root = _known["state"].roots.get(id(module))
    rec.event(
        "load_state",
        cls=type(module).__module__ + "." + type(module).__qualname__,
        root=None if root is None or root.ref() is not module else root.id,
        tensors=len(state_dict),
        missing=len(getattr(result, "missing_keys", ())),
        unexpected=len(getattr(result, "unexpected_keys", ())),
        changed=changed_share(before, _sample(module)),
    )


def _optimizer_loading(original):
    def load_state_dict(self, state_dict, *args, **kwargs):
        result = original(self, state_dict, *args, **kwargs)
        if rec.on and _few("optimizer"):
            about = {"cls": type(self).__module__ + "." + type(self).__qualname__, "root": None}
            state = state_dict.get("state", ()) if isinstance(state_dict, dict) else ()
            about.update(tensors=len(state), missing=0, unexpected=0, changed=None)
            rec.event("load_state", optimizer=True, **about)
        return result

    return load_state_dict


def _state_of(original):
    def state_dict(self, *args, **kwargs):
        if not rec.on or _known["inside"]:
            return original(self, *args, **kwargs)
        _known["inside"] = 1
        try:
            result = original(self, *args, **kwargs)
            rec.guarded(_asked_state, self)
        finally:
            _known["inside"] = 0
        return result

    return state_dict


def _asked_state(module):
    """Note which values were there to be saved, unless they are asked for at every few steps."""
    about = _about(module)
    before, about["asked"] = about["asked"], rec.step
    if rec.step and (before is None or rec.step >= before + FEW_STEPS):
        weights.look("save")
        averages.note(module)


# Writing


def _saving(how, original):
    def save(*args, **kwargs):
        result = original(*args, **kwargs)
        if rec.on:
            rec.guarded(_saved, how, args, kwargs)
        return result

    return save


def _saved(how, args, kwargs):
    given = list(args) + [
        kwargs[k] for k in ("obj", "tensors", "model", "f", "filename") if k in kwargs
    ]
    saved = given[0] if given else None
    what = given[1] if len(given) > 1 else "<bytes>"
    # A tensor that is pickled saves its storage: that is no checkpoint.
    if not type(saved).__name__.endswith("Storage") and _few("save " + how):
        weights.look("save")
        rec.event("save", how=how, what=name_of(what), keys=keys_of(saved))


def dict_copied(copied):
    """Take a deep copy of a state dict for a save that is kept in memory."""
    tensor = _known["torch"].Tensor
    values = [value for _, value in zip(range(64), copied.values())]  # noqa: B905
    if not values or sum([isinstance(value, tensor) for value in values]) * 2 <= len(values):
        return
    if _few("copies"):
        weights.look("save")
        rec.event("save", how="deepcopy of a state_dict", what="", keys=keys_of(copied))
