"""Attributes of the artifact's libraries that the probe replaced, and whether they still are."""

import sys

_patches = {}
_ABSENT = object()


class Patch:
    """One attribute: what it was, what it is now, and whether the owner itself had it."""

    __slots__ = ("existed", "label", "name", "original", "owner", "put", "watch")

    def __init__(self, owner, name, original, watch):
        self.owner = owner
        self.name = name
        self.original = original
        self.existed = original is not _ABSENT
        self.put = None
        self.watch = watch
        module = getattr(owner, "__module__", "") if isinstance(owner, type) else ""
        own = getattr(owner, "__qualname__", None) or getattr(owner, "__name__", None)
        self.label = ".".join(filter(None, (module, own or type(owner).__name__, name)))


def patch(owner, name, make, watch=True):
    """Set `owner.name` to `make(original)`, which looks like the original; once only.

    With `watch`, `broken()` tells when the artifact put something else in its place.
    """
    held = vars(owner).get(name, _ABSENT)
    known = _patches.get((id(owner), name))
    if known is not None and known.owner is owner and held is known.put:
        return
    raw = _inherited(owner, name) if held is _ABSENT else held
    wrapping = type(raw) if isinstance(raw, (staticmethod, classmethod)) else None
    function = raw.__func__ if wrapping else raw
    made = make(function)
    if isinstance(made, (staticmethod, classmethod)):
        wrapping, made = type(made), made.__func__
    dress(made, function, owner, name)
    record = Patch(owner, name, held, watch)
    record.put = wrapping(made) if wrapping else made
    setattr(owner, name, record.put)
    _patches[(id(owner), name)] = record


def _inherited(owner, name):
    for base in getattr(owner, "__mro__", ()):
        if name in vars(base):
            return vars(base)[name]
    return getattr(owner, name)


def unpatch(owner, name):
    """Put the original back, unless somebody else replaced ours, and forget the patch."""
    record = _patches.pop((id(owner), name), None)
    if record is None or vars(owner).get(name) is not record.put:
        return
    if record.existed:
        setattr(owner, name, record.original)
    else:
        delattr(owner, name)


def broken():
    """Return the names of watched attributes that no longer hold what the probe put there."""
    return [
        record.label
        for record in list(_patches.values())
        if record.watch and not _holds(vars(record.owner).get(record.name), record.put)
    ]


def holds(owner, name):
    """Return whether the probe patched an attribute, whatever became of it since."""
    record = _patches.get((id(owner), name))
    return record is not None and record.owner is owner


def _holds(value, put):
    # Another tool may have wrapped ours in turn: then ours still runs.
    for _ in range(20):
        if value is put:
            return True
        inner = getattr(value, "__wrapped__", None) or getattr(value, "__func__", None)
        if inner is None:
            return False
        value = inner
    return False


def dress(made, function, owner, name):
    """Make a wrapper look like what it wraps: name, docs, signature, and how it is pickled."""
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
        try:
            setattr(made, attribute, getattr(function, attribute))
        except (AttributeError, TypeError):
            pass
    try:
        vars(made).update(vars(function))
    except TypeError:
        pass
    made.__wrapped__ = function
    made.__repcheck__ = function
    home = sys.modules.get(getattr(made, "__module__", None) or "")
    if isinstance(owner, type(sys)) and (home is not owner or made.__qualname__ != name):
        # Pickled by its name, a function is looked for at home: that has to be where ours is.
        made.__module__ = owner.__name__
        made.__qualname__ = name
