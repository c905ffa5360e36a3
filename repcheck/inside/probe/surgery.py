"""Changes in the running process that repcheck itself was asked for (`REPCHECK_SURGERY`).

Without that variable nothing of this is imported. Each kind is a module of `surgeries/` that is
found by its name; one whose name begins with an underscore is shared by several. What is put in
place lies below the probe's own patches, so that the probe sees what came of it.
"""

import importlib
import os
import sys

from . import patches
from .imports import when_imported
from .recorder import rec

NAME = "REPCHECK_SURGERY"
_asked = []


class Surgery:
    """One change that was asked for, and how often it applied in this process."""

    def __init__(self, number, kind, args):
        self.i = number
        self.kind = kind
        self.args = args
        self.what = ", ".join("%s: %s" % item for item in args.items())
        self.times = 0
        self.places = 0
        self.told = ()
        self.failed = set()

    def applied(self, times=1, places=0):
        """Count; written down whenever a power of two is passed."""
        before = self.times
        self.times += times
        self.places += places
        if before.bit_length() != self.times.bit_length():
            self.tell()

    def tell(self):
        """Write how often it applied so far, unless that was the last that was written."""
        if self.told != (self.times, self.places):
            self.told = (self.times, self.places)
            rec.event(
                "surgery",
                i=self.i,
                kind=self.kind,
                what=self.what,
                times=self.times,
                places=self.places,
            )

    def fail(self, why):
        """Write down why it cannot apply, once for each reason."""
        if why not in self.failed:
            self.failed.add(why)
            rec.error("surgery %s" % self.kind, ValueError(why))

    def guarded(self, function, *args):
        """Call a function of the surgery's; what it raises is written down."""
        try:
            return function(*args)
        except Exception as error:
            self.fail("%s: %s" % (type(error).__name__, error))
            return None

    def take(self, *names, **optional):
        """Return the arguments of these names, needed ones first.

        Raises:
            ValueError: if a needed one is missing, or there are others.
        """
        missing = [name for name in names if name not in self.args]
        others = [name for name in self.args if name not in names and name not in optional]
        if missing or others:
            raise ValueError("missing: %s; not known: %s" % (missing, others))
        wanted = [self.args[name] for name in names]
        wanted += [self.args.get(name, usual) for name, usual in optional.items()]
        return wanted[0] if len(wanted) == 1 else wanted


def begin():
    """Read what is asked for, and put it in place as soon as torch is imported.

    Raises:
        ValueError: if the variable holds no list of mappings.
    """
    for number, one in enumerate(_read(os.environ[NAME])):
        args = {str(key): value for key, value in one.items()}
        _asked.append(Surgery(number, str(args.pop("kind", "")), args))
    rec.after_fork.append(_forget)
    rec.at_end.append(_tell)
    when_imported("torch", _install)


def _read(text):
    try:
        from _json import make_scanner

        found = make_scanner(_Plain)(text.strip(), 0)[0]
    except (ImportError, StopIteration) as error:
        raise ValueError("%s holds no JSON" % NAME) from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("%s holds no list of mappings" % NAME)
    return found


class _Plain:
    """What the scanner asks for; the module `json` may be one of the artifact's own."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float, parse_int = float, int
    memo = {}

    @staticmethod
    def parse_constant(name):
        """Return a constant that is no number of JSON's."""
        return float(name.replace("Infinity", "inf"))


def _forget():
    """Count anew in a forked child."""
    for one in _asked:
        one.times = one.places = 0
        one.told = (0, 0)


def _tell():
    for one in _asked:
        one.tell()


def _install(torch):
    for one in _asked:
        try:
            _kind(one.kind).install(torch, one)
        except Exception as error:
            plain = isinstance(error, ValueError)
            one.fail(str(error) if plain else "%s: %s" % (type(error).__name__, error))
        one.tell()


def _kind(kind):
    """Return the module of a kind.

    Raises:
        ValueError: if there is none.
    """
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "surgeries")
    name = kind.replace("-", "_")
    if name.startswith("_") or name + ".py" not in os.listdir(folder):
        raise ValueError("no such kind of surgery")
    return importlib.import_module("%s.surgeries.%s" % (__package__, name))


def put(owner, name, make):
    """Set `owner.name` to `make(original)`, which looks like the original; may be done again.

    Nothing of it is a patch of the probe's: those come on top, and go without this.
    """
    kin = [one for one in getattr(owner, "__mro__", (owner,)) if name in vars(one)]
    raw = vars(kin[0])[name] if kin else getattr(owner, name)
    wrapping = type(raw) if isinstance(raw, (staticmethod, classmethod)) else None
    function = raw.__func__ if wrapping else raw
    made = make(function)
    patches.dress(made, function, owner, name)
    # The probe's own mark is for what the probe must not wrap twice.
    del made.__repcheck__
    setattr(owner, name, wrapping(made) if wrapping else made)


def optimizers():
    """Return the module torch.optim.optimizer, which torch.optim hides by another name."""
    return sys.modules["torch.optim.optimizer"]
