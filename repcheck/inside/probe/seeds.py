"""Which random generators were seeded, with what; no generator's state is ever touched."""

import os
import sys

from . import resets
from .imports import when_imported
from .patches import patch
from .recorder import rec

MOST = 200
STANDARD = os.path.dirname(os.__file__) + os.sep
NOT_ON_BEHALF = ("numpy", "scipy", "sklearn", "pandas", "torch", "joblib")
"""Libraries that seed for purposes of their own, with functions that have `seed` in their name."""

_told = [0]


def install():
    """Watch the generators of each library once it is imported."""
    when_imported("random", _python, again=True)
    when_imported("numpy.random", _numpy, again=True)
    when_imported("torch", _torch)
    when_imported("torch.cuda", _cuda)
    rec.after_fork.append(_fork)


def _fork():
    _told[0] = 0


def _python(module):
    patch(module, "seed", lambda original: _telling("python", original))


def _numpy(module):
    patch(module, "seed", lambda original: _telling("numpy", original))
    patch(module, "default_rng", lambda original: _telling("numpy.generator", original))


def _torch(module):
    patch(module.random, "manual_seed", lambda original: _telling("torch", original))
    patch(module, "manual_seed", lambda _: module.random.manual_seed)


def _cuda(module):
    for name in ("manual_seed", "manual_seed_all"):
        # Not watched: what brings in other devices replaces these for good reasons.
        patch(module, name, lambda original: _telling("cuda", original), watch=False)


def _telling(lib, original):
    def seed(*args, **kwargs):
        if rec.on and args and sys._getframe(1).f_code.co_name == "reset":
            resets.look(args[0], sys._getframe(1))
        if rec.on and _told[0] < MOST:
            try:
                _tell(lib, args, kwargs, sys._getframe(1))
            except Exception as error:
                rec.error("seed", error)
        return original(*args, **kwargs)

    return seed


def _tell(lib, args, kwargs, frame):
    if not on_behalf_of_the_artifact(frame):
        return
    _told[0] += 1
    value = args[0] if args else next(iter(kwargs.values()), None)
    rec.event("seed", lib=lib, v=_plain(value))


def _plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    index = getattr(type(value), "__index__", None)
    if index is not None and not getattr(value, "shape", ()):
        return index(value)
    return repr(value)


def on_behalf_of_the_artifact(frame):
    """Return whether a caller is the artifact, or a library's function for setting seeds."""
    file = frame.f_code.co_filename.replace("\\", "/")
    at = max(file.rfind("/site-packages/"), file.rfind("/dist-packages/"))
    if at < 0:
        return not (file.startswith(STANDARD) or file.startswith("<frozen"))
    package = file[at + len("/site-packages/") :].partition("/")[0]
    name = frame.f_code.co_name.lower()
    return "seed" in name and "worker" not in name and package not in NOT_ON_BEHALF
