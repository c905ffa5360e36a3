"""Seeds that environments are reset with, by the line of the artifact that resets them.

An environment is an object with `reset` and `step`. Its seed is seen where `reset` seeds numpy's
`default_rng`, a `random.Random` or torch, and where gymnasium's own `Env.reset` is called. No class
of the artifact's is replaced.
"""

import sys

from .imports import when_imported
from .patches import patch
from .recorder import rec

SITES = 40
SEEDS = 20000
RANGES = 500

_sites = {}


def install():
    """Watch generators that are seeded, and gymnasium's environments."""
    when_imported("random", _python)
    for name in ("gymnasium.core", "gym.core"):
        when_imported(name, _gym)
    rec.at_end.append(_tell)
    rec.after_fork.append(_sites.clear)


def _python(module):
    if hasattr(module, "Random"):  # else a module of the artifact's own name
        patch(module.Random, "seed", _seeding, watch=False)


def _seeding(original):
    def seed(self, a=None, *args, **kwargs):
        if rec.on and a is not None:
            frame = sys._getframe(1)
            if frame.f_code.co_name == "__init__" and frame.f_back is not None:
                frame = frame.f_back
            look(a, frame)
        return original(self, a, *args, **kwargs)

    return seed


def _gym(module):
    patch(module.Env, "reset", _resetting, watch=False)


def _resetting(original):
    def reset(self, *args, **kwargs):
        if rec.on and kwargs.get("seed") is not None:
            rec.guarded(_note, kwargs["seed"], type(self), sys._getframe(1))
        return original(self, *args, **kwargs)

    return reset


def look(value, frame):
    """Take a seed for an environment's if it is set within the `reset` of one."""
    if frame.f_code.co_name == "reset":
        rec.guarded(_look, value, frame)


def _look(value, frame):
    cls = type(frame.f_locals.get("self"))
    if callable(getattr(cls, "step", None)):
        _note(value, cls, frame.f_back)


def _note(value, cls, frame):
    index = getattr(type(value), "__index__", None)
    while frame is not None and frame.f_code.co_name == "reset":
        frame = frame.f_back  # an environment around the environment
    if index is None or frame is None:
        return
    site = "%s:%d" % (frame.f_code.co_filename, frame.f_lineno)
    known = _sites.get(site)
    if known is None:
        if len(_sites) >= SITES:
            return
        known = _sites[site] = [
            cls.__qualname__,
            frame.f_code.co_name,
            0,
            rec.step,
            rec.step,
            set(),
        ]
    known[2] += 1
    known[4] = rec.step
    if len(known[5]) < SEEDS:
        known[5].add(index(value))
    if known[2] >= 16 and known[2] & (known[2] - 1) == 0:
        _say(site, known)


def _tell():
    for site, known in list(_sites.items()):
        _say(site, known)


def _say(site, known):
    cls, within, count, first, last, seeds = known
    ranges = []
    for one in sorted(seeds):
        if ranges and one == ranges[-1][1] + 1:
            ranges[-1][1] = one
        else:
            ranges.append([one, one])
    rec.event(
        "resets", site=site, within=within, cls=cls, n=count, first=first, last=last,
        seeds=ranges[:RANGES], cut=len(ranges) > RANGES or len(seeds) >= SEEDS,
    )  # fmt: skip
