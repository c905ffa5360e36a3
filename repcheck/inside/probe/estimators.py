"""Calls of scikit-learn's estimators, and the rows they got.

Methods are replaced in the classes that define them, never in an instance, so that nothing of the
probe's gets into a pickle. A call inside another (a pipeline's step) is not told apart.
"""

import sys

try:
    from _thread import get_ident
    from _weakref import ref
except ImportError:
    from threading import get_ident
    from weakref import ref

from . import rowhash
from .imports import when_imported
from .patches import patch
from .recorder import rec

METHODS = ("fit", "partial_fit", "fit_transform", "predict", "predict_proba", "score", "transform")
FIT, PREDICT = 6, 7
MOST = 5000
ALWAYS = 3
"""The first calls of a method are hashed whatever they cost, up to so many elements:"""
ALWAYS_ELEMENTS = 20_000_000
GRACE = 0.05
"""Seconds of hashing that are free."""

_serials = {}
_state = {"next": 0, "told": 0, "spent": 0.0}
_times = {}
_inside = {}
_main = [get_ident()]


def install():
    """Watch every estimator class, from the moment on when scikit-learn is imported."""
    when_imported("sklearn.base", _base)
    rec.after_fork.append(_fork)


def _fork():
    _inside.clear()
    _times.clear()
    _state.update(told=0, spent=0.0)
    _main[0] = get_ident()


def _base(module):
    base = module.BaseEstimator
    own = vars(base).get("__init_subclass__")
    patch(base, "__init_subclass__", lambda _: _adopting(base, own), watch=False)
    for item in list(vars(module).values()):
        if isinstance(item, type):
            adopt(item)


def _adopting(base, own):
    def __init_subclass__(cls, **kwargs):
        if own is None:
            super(base, cls).__init_subclass__(**kwargs)
        else:
            own.__func__(cls, **kwargs)
        rec.guarded(adopt, cls)

    return classmethod(__init_subclass__)


def adopt(cls):
    """Replace the methods of a class, each in the class that defines it."""
    for name in METHODS:
        for owner in cls.__mro__:
            if name in vars(owner):
                if _can_be_found_again(owner):
                    _replace(owner, name)
                break


def _can_be_found_again(owner):
    # Classes that pickles cannot name are pickled by value, with their methods: those would
    # then hold the probe's.
    return owner.__module__ not in ("builtins", "__main__") and "<" not in owner.__qualname__


def _replace(owner, name):
    held = vars(owner)[name]
    if hasattr(held, "__repcheck__"):
        # Ours, or what the library wrapped round ours.
        return
    if isinstance(held, type(_replace)):
        patch(owner, name, lambda original: _watching(name, original), watch=False)
    elif callable(getattr(held, "fn", None)) and hasattr(type(held), "__get__"):
        # `available_if` hides the function in a descriptor that decides whether it is there.
        patch(held, "fn", lambda original: _watching(name, original), watch=False)


def _watching(name, original):
    def method(self, *args, **kwargs):
        if not rec.on:
            return original(self, *args, **kwargs)
        me = get_ident()
        nested = _inside.get(me, 0) or _inside.get(_main[0], 0)
        _inside[me] = _inside.get(me, 0) + 1
        try:
            if not nested:
                rec.guarded(_tell, self, name, args, kwargs)
            return original(self, *args, **kwargs)
        finally:
            _inside[me] -= 1
            if not _inside[me]:
                del _inside[me]

    return method


def _tell(estimator, name, args, kwargs):
    data = args[0] if args else kwargs.get("X")
    serial = _serial(estimator)
    if _state["told"] < MOST:
        _state["told"] += 1
        cls = type(estimator)
        label = "%s.%s" % (cls.__module__, cls.__qualname__)
        rec.event("fit", id=serial, cls=label, method=name, n=_count(data))
    layer = FIT if name in ("fit", "partial_fit", "fit_transform") else PREDICT
    began = rec.now()
    if _hash(data, layer, serial, name):
        took = rec.now() - began
        _state["spent"] += took
        rec.spent += took


def _serial(estimator):
    known = _serials.get(id(estimator))
    if known is not None and known[0]() is estimator:
        return known[1]
    _state["next"] += 1
    _serials[id(estimator)] = (ref(estimator), _state["next"])
    return _state["next"]


def _count(data):
    shape = getattr(data, "shape", None)
    if isinstance(shape, tuple):
        return int(shape[0]) if shape else 0
    try:
        return len(data)
    except TypeError:
        return 0


def _hash(data, layer, serial, name):
    table = _as_table(data)
    if table is None or not len(table):
        return False
    _times[name] = _times.get(name, 0) + 1
    freely = _times[name] <= ALWAYS and table.size <= ALWAYS_ELEMENTS
    if not freely and _state["spent"] > rec.budget * rec.now() + GRACE:
        rec.skipped += len(table)
        return False
    flags = 2 if rowhash.is_sampled(table.shape[1]) else 0
    rec.put_rows(layer, flags, serial, 0, len(table), rowhash.hash_rows(table))
    rec.hashed += len(table)
    return True


def _as_table(data):
    np = sys.modules.get("numpy")
    if np is None or data is None:
        return None
    if not isinstance(data, np.ndarray):
        pandas = sys.modules.get("pandas")
        frame = getattr(pandas, "DataFrame", None)
        if frame is None or type(data) is not frame or len(set(data.dtypes)) != 1:
            return None
        data = data.to_numpy()
    if data.ndim < 2 or data.dtype.kind not in "fiub" or not data.size:
        return None
    return np.asarray(data).reshape(len(data), -1)
