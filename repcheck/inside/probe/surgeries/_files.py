"""Which tensors came from files that this run did not write itself."""

import functools
import os
import sys

from .. import memory
from ..imports import when_imported
from ..recorder import rec
from ..surgery import put

VISITS = 20000
CONTENTS = 200000
SLACK = 0.1
"""Seconds that a file's time may lie behind the clock."""
HOMES = ("%shuggingface%shub%s" % (os.sep, os.sep, os.sep),)

_foreign = set()
_fetched = set()
_known = {"torch": None, "began": None}


def watch(torch):
    """Begin to see what is read from files; may be called again."""
    if _known["torch"] is not None:
        return
    _known["torch"] = torch
    for owner in (torch, torch.serialization):
        put(owner, "load", _reading)
    if hasattr(torch.hub, "download_url_to_file"):
        put(torch.hub, "download_url_to_file", _fetching)
    when_imported("safetensors.torch", _safetensors)
    when_imported("huggingface_hub.file_download", _hub)
    when_imported("numpy", _numpy)


def _safetensors(module):
    for name in ("load_file", "load_model"):
        if hasattr(module, name):
            put(module, name, _reading)


def _hub(module):
    put(module, "hf_hub_download", _downloading)


def _numpy(numpy):
    put(numpy, "load", _reading)
    archive = getattr(numpy.lib.npyio, "NpzFile", None)
    if archive is not None:
        put(archive, "__getitem__", _reading_member)


def _reading(original):
    def load(*args, **kwargs):
        result = original(*args, **kwargs)
        rec.guarded(_came, _path(args, kwargs), result)
        return result

    return load


def _path(args, kwargs):
    given = [*args, *[kwargs[name] for name in ("f", "file", "filename") if name in kwargs]]
    for one in given:
        one = one.__fspath__() if hasattr(one, "__fspath__") else getattr(one, "name", one)
        if isinstance(one, (str, bytes)):
            return os.fsdecode(one)
    return ""


def _reading_member(original):
    def __getitem__(self, *args):
        result = original(self, *args)
        rec.guarded(_came, getattr(getattr(self, "zip", None), "filename", None) or "", result)
        return result

    return __getitem__


def _fetching(original):
    def download_url_to_file(url, dst, *args, **kwargs):
        result = original(url, dst, *args, **kwargs)
        _fetched.add(os.path.realpath(os.fspath(dst)))
        return result

    return download_url_to_file


def _downloading(original):
    @functools.wraps(original)
    def hf_hub_download(*args, **kwargs):
        result = original(*args, **kwargs)
        if isinstance(result, str):
            _fetched.add(os.path.realpath(result))
        return result

    return hf_hub_download


def _came(path, what):
    if path and is_foreign(path):
        take(what)


def is_foreign(path):
    """Return whether a file was there before the run began, or was fetched by it."""
    real = os.path.realpath(path)
    home = getattr(_known["torch"].hub, "get_dir", str)()
    if real in _fetched or any(one in path for one in HOMES):
        return True
    if home and real.startswith(os.path.realpath(home) + os.sep):
        return True
    try:
        return os.stat(path).st_mtime < _began() - SLACK
    except OSError:
        return False


def _began():
    """Return when the first process of the run began, in unix seconds."""
    if _known["began"] is None:
        times = []
        for name in os.listdir(rec.folder):
            if name.endswith(".jsonl"):
                with open(os.path.join(rec.folder, name), "rb") as file:
                    text = file.readline(1 << 16).rpartition(b'"time":')[2]
                times.append(float(text.partition(b",")[0].rstrip(b"}\n")))
        _known["began"] = min(times)
    return _known["began"]


def take(what):
    """Take every tensor and array within for one that came from elsewhere."""
    torch, np = _known["torch"], sys.modules.get("numpy")
    waiting, visits = [what], 0
    while waiting and visits < VISITS:
        what, visits = waiting.pop(), visits + 1
        if isinstance(what, torch.Tensor):
            _note(memory.numbers(what))
        elif np is not None and isinstance(what, np.ndarray) and what.dtype.kind == "f":
            _note(memory.numbers(torch.as_tensor(what.reshape(-1))) if what.size else None)
        elif isinstance(what, torch.nn.Module):
            waiting.extend(what.state_dict().values())
        elif isinstance(what, dict):
            waiting.extend(what.values())
        elif isinstance(what, (list, tuple)):
            waiting.extend(what[:VISITS])


def _note(values):
    if values and len(set(values)) >= 4 and len(_foreign) < CONTENTS:
        _foreign.add(hash(tuple(values)))


def share(state):
    """Return the share of the tensors with values of their own that came from elsewhere."""
    told = []
    for value in list(state.values()):
        values = memory.numbers(value) if isinstance(value, _known["torch"].Tensor) else None
        if values and len(set(values)) >= 4:
            told.append(hash(tuple(values)) in _foreign)
    return sum(told) / len(told) if told else 0.0
