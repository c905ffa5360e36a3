"""Functions that run right after a module of the artifact's was imported."""

import sys

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from .recorder import rec

LIBRARIES = """
accelerate catboost cupy cv2 datasets deepspeed diffusers flax h5py jax keras lightgbm lightning
mlxtend mxnet numpy onnxruntime paddle pandas peft polars pyarrow pytorch_lightning scipy sklearn
tensorflow timm torch torchvision transformers xgboost
"""

_wanted = {}
_late = set()
_met = set()
_finding = set()


def install():
    """Put the finder first, and have the versions of well-known libraries written down."""
    sys.meta_path.insert(0, FINDER)
    for name in LIBRARIES.split():
        when_imported(name, _version)


def when_imported(name, function, again=False):
    """Call `function(module)` after the module's own code ran; at once if it did already.

    With `again`, it is called again after each reload and each new import.
    """
    module = sys.modules.get(name)
    if module is not None and (name in _met or not _importing(module)):
        rec.guarded(function, module)
        if not again:
            return
    elif module is not None:
        # Half imported, and perhaps found before anybody asked for it.
        _late.add(name)
    _wanted.setdefault(name, []).append((function, again))


def in_place():
    """Return whether the finder still is where imports ask it."""
    return FINDER in sys.meta_path


def _version(module):
    version = vars(module).get("__version__", "")
    rec.event("module", name=module.__name__, version=str(version))


def _importing(module):
    return getattr(getattr(module, "__spec__", None), "_initializing", False)


def _ran(name, module):
    functions = _wanted.pop(name, ())
    kept = [(function, again) for function, again in functions if again]
    if kept:
        _wanted[name] = kept
    _met.add(name)
    for function, _ in functions:
        rec.guarded(function, module)
    _met.discard(name)


class Finder:
    """Finds nothing itself: it asks the others, and has their loader tell when it is done."""

    def find_spec(self, name, path=None, target=None):
        """Return the spec that the other finders find, with its loader wrapped if it can be."""
        if _late:
            _look_for_late_ones()
        if name not in _wanted:
            return None
        asked = (name, get_ident())
        if asked in _finding:
            return None
        _finding.add(asked)
        try:
            spec = _found_by_others(self, name, path, target)
        finally:
            _finding.discard(asked)
        if spec is not None:
            _tell_when_loaded(spec, name)
        return spec


def _found_by_others(me, name, path, target):
    for finder in list(sys.meta_path):
        find = None if finder is me else getattr(finder, "find_spec", None)
        spec = find(name, path, target) if find is not None else None
        if spec is not None:
            return spec
    return None


def _tell_when_loaded(spec, name):
    loader = spec.loader
    # A loader that is a class is everybody's, an old one has no exec_module, and one that is
    # wrapped is waiting for another module: this one is looked for at the next import.
    run = None if isinstance(loader, type) else getattr(loader, "exec_module", None)
    if run is None or hasattr(run, "__repcheck__"):
        _late.add(name)
        return

    def exec_module(module):
        if getattr(module, "__name__", None) != name:
            run(module)
            return
        try:
            run(module)
        finally:
            if vars(loader).get("exec_module") is exec_module:
                del loader.exec_module
        _ran(name, module)

    exec_module.__repcheck__ = run
    try:
        loader.exec_module = exec_module
    except Exception:
        _late.add(name)


def _look_for_late_ones():
    for name in list(_late):
        module = sys.modules.get(name)
        if module is not None and not _importing(module):
            _late.discard(name)
            _ran(name, module)


FINDER = Finder()
