"""Files, connections and programs that the artifact opens, by Python's own audit events."""

import os
import sys

try:
    from _thread import get_ident
except ImportError:
    from threading import get_ident

from . import children, processes
from .recorder import rec

MOST = {"open": 5000, "net": 500, "proc": 1000}
CODE = (".py", ".pyc", ".pyo", ".pyi", ".pyd", ".so", ".pth", ".dll", ".dylib")
NOT_DATA = ("/proc/", "/sys/", "/etc/", "/lib/", "/lib64/", "/usr/lib/", "/usr/share/")
PACKAGES = ("/site-packages/", "/dist-packages/", "/__pycache__/")
PARTS = ("lib", "lib64", "share", "include", "bin", "Lib", "DLLs")
WRITING = os.O_WRONLY | os.O_RDWR
NO_FILE = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NONBLOCK", 0)

_told = set()
_counts = {}
_mine = set()


def install(path):
    """Listen to the audit events; `path` is the folder by which children get the probe."""
    if not hasattr(sys, "addaudithook"):
        return
    children.LED_BY.append(path)
    for kept in (_counts, _told, _mine):
        rec.after_fork.append(kept.clear)
    libraries = set(NOT_DATA)
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        libraries.update(os.path.join(prefix, part) + os.sep for part in PARTS)
    libraries.add(os.path.dirname(os.__file__) + os.sep)
    sys.addaudithook(_hook(tuple(libraries)))


def _hook(libraries):
    def opened(args):
        _opened(args, libraries)

    known = {
        "open": opened,
        "socket.connect": _connected,
        "socket.sendto": _connected,
        "socket.getaddrinfo": _looked_up,
        "socket.gethostbyname": _looked_up,
        "subprocess.Popen": _started,
        "os.posix_spawn": _started_by_path,
        "os.spawn": _spawned,
        "os.system": _ran_line,
        "os.exec": _replaced,
        "os.kill": _killed,
        "signal.pthread_kill": _killed,
    }
    # Bound here, because the names of a module are gone when an interpreter is taken down.
    mine, ident, recorder = _mine, get_ident, rec

    def hook(event, args):
        # Most events are `id` and the like: leave those at once.
        if event not in known or not recorder.on:
            return
        me = ident()
        if me in mine:
            return
        mine.add(me)
        try:
            known[event](args)
        except Exception as error:
            recorder.error("audit " + event, error)
        finally:
            mine.discard(me)

    return hook


def _once(kind, key):
    if (kind, key) in _told or _counts.get(kind, 0) >= MOST[kind]:
        return False
    _told.add((kind, key))
    _counts[kind] = _counts.get(kind, 0) + 1
    return True


def _opened(args, libraries):
    path, mode, flags = args
    if isinstance(path, int) or _counts.get("open", 0) >= MOST["open"]:
        return
    path = os.fsdecode(path)
    writing = bool(flags & WRITING) if isinstance(flags, int) else False
    if isinstance(mode, str):
        writing = writing or any(letter in mode for letter in "wax+")
    elif isinstance(flags, int) and flags & NO_FILE:
        return
    if not path or path.endswith(CODE):
        return
    path = os.path.abspath(path)
    if ("open", (path, writing)) in _told or _is_left_out(path, writing, libraries):
        return
    # The event comes before the file is opened, which may fail: then nothing was read.
    if not os.path.exists(os.path.dirname(path) if writing else path) or os.path.isdir(path):
        return
    if _once("open", (path, writing)):
        rec.event("open", p=path, w=writing)


def _is_left_out(path, writing, libraries):
    if path.startswith(rec.folder + os.sep):
        return True
    if path.startswith("/dev/"):
        return not path.startswith("/dev/shm/")
    if any(part in path for part in PACKAGES) or path.startswith(libraries):
        return not writing or "/__pycache__/" in path
    return False


def _connected(args):
    address = args[-1]
    if isinstance(address, tuple) and len(address) >= 2:
        _reached("connect", address[0], address[1])


def _looked_up(args):
    _reached("lookup", args[0], args[1] if len(args) > 1 else None)


def _reached(op, host, port):
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    if not isinstance(host, str) or _is_here(host):
        return
    port = port if isinstance(port, int) else str(port or "")
    if _once("net", (op, host, port)):
        rec.event("net", op=op, host=host, port=port)


def _is_here(host):
    plain = host.lower().strip("[]")
    if plain.startswith("::ffff:"):
        plain = plain[7:]
    name = os.uname().nodename.lower() if hasattr(os, "uname") else ""
    here = ("", "localhost", "localhost.localdomain", "::1", "::", "0.0.0.0", "<broadcast>", name)
    return plain in here or plain.startswith("127.")


def _started(args):
    executable, words, _, env = args
    _program("subprocess", executable, words, env)


def _started_by_path(args):
    path, words, env = args
    _program("posix_spawn", path, words, env)


def _spawned(args):
    _, path, words, env = args
    _program("spawn", path, words, env)


def _ran_line(args):
    line = os.fsdecode(args[0])
    _program("system", "/bin/sh", ["/bin/sh", "-c", line], None)


def _replaced(args):
    path, words, env = args
    # os.execvp tries one folder of PATH after the other.
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        return
    _program("exec", path, words, env)
    processes.leaving()


def _killed(_):
    rec.flush()


def _program(op, executable, words, env):
    words = children.plain_words(executable, words)
    unseen = children.why_unseen(executable, words, env)
    # Without the op: subprocess may start its programs by posix_spawn, and that is told, too.
    if _once("proc", (tuple(words), unseen)):
        rec.event("proc", op=op, argv=words[:20], unseen=unseen)
