"""How a process of the artifact ends, and how another one begins in it."""

import atexit
import os
import sys

from . import patches
from .recorder import rec

_before = [None]


def install():
    """Have forks, the end and `os._exit` written down."""
    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
    _before[0] = _uncaught()
    # Children of multiprocessing end by os._exit, which runs nothing that was registered.
    patches.patch(os, "_exit", _leaving, watch=False)


def leaving():
    """Write the end: this process is about to become another program."""
    _tell_uncaught()
    rec.end("exec")


def _leaving(original):
    def _exit(status):
        rec.guarded(_end, "_exit")
        return original(status)

    return _exit


def _at_exit():
    rec.guarded(_end, "exit")
    rec.on, rec.stopped = False, True


def _end(reason):
    _tell_uncaught()
    rec.end(reason)


def _in_child():
    _before[0] = _uncaught()
    rec.fork()


def _uncaught():
    # Python leaves an uncaught exception here, so that sys.excepthook can stay as it is.
    return getattr(sys, "last_value", None)


def _tell_uncaught():
    error = _uncaught()
    if error is None or error is _before[0]:
        return
    _before[0] = error
    try:
        text = str(error)
    except Exception:
        text = ""
    rec.event("exception", type=type(error).__name__, msg=text)
