"""What one process writes down: events, steps, row hashes and indices (RECORD.md).

Everything is written with plain write(2), so what was written is there after `kill -9`. A shared
mapping would be a little cheaper, but a store into it kills the process where the disk is full or
somebody truncated the file.
"""

import os
import sys
import time

from .encode import encode
from .files import Appended

try:
    from _struct import Struct
except ImportError:
    from struct import Struct
try:
    from _thread import allocate_lock
except ImportError:
    from threading import Lock as allocate_lock

VERSION = 1
STEP = Struct("<dddffIIIIHHHHHHHH")
ROWS = Struct("<BBHIIII")
INDICES = Struct("<III")
HELD = 0.02
"""Seconds that a step's record may wait for others to be written with it: caches are cold in a
training, so that twenty records packed and written at once cost little more than one."""
ROOM = {
    "jsonl": 1 << 28,
    "steps": 1 << 32,
    "rows": 1 << 30,
    "idx": 1 << 30,
    "fed": 1 << 24,
    "prompts": 1 << 26,
}
"""Bytes that a file may grow to: a probe must not fill a disk."""
ERRORS = 20
PLAIN = ("module", "beat", "end", "exception", "error", "tamper", "open", "net", "proc", "seed")
"""Kinds of events that any process may have, whether it trains anything or not."""
ENV = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG")


def peak_rss_kb():
    """Return the largest resident set of this process so far, in kB; 0 if unknown."""
    try:
        fd = os.open("/proc/self/status", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            text = os.read(fd, 8192)
        finally:
            os.close(fd)
        return int(text.partition(b"VmHWM:")[2].split(None, 1)[0])
    except (OSError, ValueError, IndexError):
        resource = sys.modules.get("resource")
        usage = getattr(resource, "getrusage", None)
        return int(usage(0).ru_maxrss) if usage else 0


class Recorder:
    """The record of this process; `rec` is the only one."""

    def __init__(self):
        self.on = False
        self.stopped = False
        self.folder = ""
        self.base = ""
        self.parent = ""
        self.budget = 0.01
        self.at_end = []
        self.after_fork = []
        self.broken = lambda: []
        self._clear()

    def _clear(self):
        self.step = 0
        self.spent = 0.0
        self.hashed = 0
        self.skipped = 0
        self.begun = False
        self.used = False
        self.errors = 0
        self.files = {}
        self.full = set()
        self.held = []
        self.held_since = 0.0
        self.beaten = 0.0
        self.lock = allocate_lock()
        self.tampered = set()
        self.begin = time.perf_counter()
        self.pid = os.getpid()

    def start(self, folder):
        """Begin the record of this process.

        Raises:
            OSError: if the folder is missing or cannot be written to.
        """
        self.folder = os.path.abspath(folder)
        try:
            self.budget = float(os.environ.get("REPCHECK_PROBE_BUDGET", "") or 0.01)
        except ValueError:
            self.budget = 0.01
        self._clear()
        self._name()
        self.begun = True
        self._file("jsonl").write(self._line("start", self._about()))
        self.on = True

    def fork(self):
        """Begin another record in a forked child, at its first event; run in the child."""
        was_on, parent, files = self.on, self.base, self.files
        self.on = False
        for file in files.values():
            file.leave()
        self._clear()
        self.parent = parent
        self._name()
        self.on = was_on
        for function in list(self.after_fork):
            self.guarded(function)

    def now(self):
        """Return the seconds since the probe of this process began."""
        return time.perf_counter() - self.begin

    def event(self, kind, /, **fields):
        """Write one event; never raises."""
        if not self.on:
            return
        try:
            if self.held:
                self.flush()
            if not self.begun:
                self.begun = True
                self._write("jsonl", self._line("start", self._about()))
            self.used = self.used or kind not in PLAIN
            self._write("jsonl", self._line(kind, fields))
        except Exception as error:
            self.error("event %s" % kind, error)

    def error(self, where, exc):
        """Write down an error of the probe's own; never raises."""
        if self.errors >= ERRORS:
            return
        self.errors += 1
        try:
            text = "%s: %s" % (type(exc).__name__, exc)
        except Exception:
            text = type(exc).__name__
        self.event("error", where=where, err=text)

    def guarded(self, function, *args):
        """Call a function of the probe's; what it raises becomes an event."""
        try:
            return function(*args)
        except Exception as error:
            self.error(getattr(function, "__qualname__", "?"), error)
            return None

    def put_step(self, *fields):
        """Write one step, its fields in RECORD.md's order; the first is the time `t`."""
        if not self.on:
            return
        try:
            self.used = True
            self.held.append(fields)
            now = fields[0]
            if now - self.held_since >= HELD:
                self.held_since = now
                self.flush()
                if now - self.beaten >= 1.0:
                    self.beat()
        except Exception as error:
            self.error("put_step", error)

    def flush(self):
        """Write the steps that are held back."""
        lock = self.lock
        if not lock.acquire(False):
            return
        try:
            held = self.held
            count = len(held)
            pack = STEP.pack
            try:
                data = b"".join([pack(*fields) for fields in held[:count]])
            except Exception:  # a number too large for its field
                data = b"".join([pack(*_clamped(fields)) for fields in held[:count]])
            del held[:count]
            if data:
                self._write("steps", data)
        finally:
            lock.release()

    def beat(self):
        """Write a sign of life, with what it took so far."""
        self.beaten = self.now()
        self.event(
            "beat",
            cpu=round(time.process_time(), 3),
            rss_kb=peak_rss_kb(),
            hashed=self.hashed,
            skipped=self.skipped,
        )

    def put_rows(self, layer, flags, id, pass_, n, data, step=None):
        """Write the hashes of `n` rows: `data` is n little-endian u64."""
        at = self.step if step is None else step
        self.put_blocks([(layer, flags, id, pass_, n, data, at)])

    def put_blocks(self, blocks):
        """Write several blocks of hashes at once: (layer, flags, id, pass, n, data, step)."""
        if not self.on:
            return
        try:
            parts, rows = [], 0
            for layer, flags, id, pass_, n, data, at in blocks:
                rows += n
                parts.append(ROWS.pack(layer, flags, 0, at & 0xFFFFFFFF, id & 0xFFFFFFFF, pass_, n))
                parts.append(bytes(data))
            self.used = True
            if not self._write("rows", b"".join(parts)):
                # Who hashed them counts them as hashed.
                self.hashed -= rows
                self.skipped += rows
        except Exception as error:
            self.error("put_rows", error)

    def put_fed(self, data):
        """Write rows of a sheet, header and values; return whether there was room for them."""
        self.used = True
        room = self.on and not self._file("fed").full(len(data))
        return room and self._write("fed", data)

    def put_indices(self, loader, it, n, data):
        """Write `n` indices that a loader drew: `data` is n little-endian i64."""
        if not self.on:
            return
        try:
            self.used = True
            self._write("idx", INDICES.pack(loader, it, n) + bytes(data))
        except Exception as error:
            self.error("put_indices", error)

    def tamper(self):
        """Write down what is no longer in place, each once."""
        gone = [name for name in self.broken() if name not in self.tampered]
        if not gone:
            return
        self.tampered.update(gone)
        if "jsonl" in self.lost():
            # Nobody will read what is written there: the rest has a record of its own.
            for file in self.files.values():
                file.leave()
            self.files, self.begun = {}, False
            self._name()
        self.event("tamper", what=gone[:40])

    def lost(self):
        """Return the files of this record that are gone, or shorter than what was written."""
        return [suffix for suffix, file in list(self.files.items()) if file.lost()]

    def switched_off(self):
        """Return whether somebody else than the probe itself ended the recording."""
        return self.begun and not self.on and not self.stopped

    def end(self, reason):
        """Write the end of this process's record; harmless if it is not the end after all."""
        if self.switched_off():
            gone = self.broken()
            self.on = True
            self.event("tamper", what=gone[:40])
        if not self.on:
            return
        # A forked child that only read files for its parent has nothing to add, and may hang in
        # libraries whose threads the fork left behind.
        if self.used or not self.parent:
            for function in list(self.at_end):
                self.guarded(function)
        self.guarded(self.tamper)
        self.event(
            "end",
            reason=reason,
            wall=round(self.now(), 4),
            cpu=round(time.process_time(), 4),
            rss_kb=peak_rss_kb(),
            steps=self.step,
            hashed=self.hashed,
            skipped=self.skipped,
            self_s=round(self.spent, 6),
        )

    def _name(self):
        self.base = "%d-%08x" % (self.pid, time.time_ns() & 0xFFFFFFFF)

    def _line(self, kind, fields):
        line = {"k": kind, "t": round(self.now(), 6), "s": self.step}
        line.update(fields)
        return (encode(line) + "\n").encode("ascii")

    def _about(self):
        try:
            cwd = os.getcwd()
        except OSError:
            cwd = ""
        return {
            "v": VERSION,
            "pid": self.pid,
            "ppid": os.getppid(),
            "parent": self.parent,
            "argv": _argv()[:40],
            "py": sys.version,
            "exe": sys.executable,
            "cwd": cwd,
            "time": time.time(),
            "env": {name: os.environ[name] for name in ENV if name in os.environ},
        }

    def _file(self, suffix):
        file = self.files.get(suffix)
        if file is None:
            path = os.path.join(self.folder, "%s.%s" % (self.base, suffix))
            file = self.files[suffix] = Appended(path, ROOM[suffix])
        return file

    def _write(self, suffix, data):
        file = self._file(suffix)
        if file.full(len(data)):
            self._tell_full(suffix)
            return False
        try:
            file.write(data)
        except OSError as error:
            self._give_up(error)
            return False
        return True

    def _tell_full(self, suffix):
        if suffix not in self.full:
            self.full.add(suffix)
            self.error("%s is full" % suffix, OSError("no more than %d bytes" % ROOM[suffix]))

    def _give_up(self, error):
        # A torn line may stand at the end of the file, so this one begins with a new line.
        self.on, self.stopped = False, True
        text = self._line("error", {"where": "recording stopped", "err": str(error)})
        try:
            self._file("jsonl").write(b"\n" + text)
        except OSError:
            pass


def _clamped(fields):
    """Return a step's fields, counts cut to what their places in the record hold."""
    most = [None] * 5 + [0xFFFFFFFF] * 4 + [0xFFFF] * 8
    return [one if top is None else min(one, top) for one, top in zip(fields, most)]  # noqa: B905


def _argv():
    argv = getattr(sys, "orig_argv", None) or getattr(sys, "argv", None)
    if argv:
        return list(argv)
    try:
        fd = os.open("/proc/self/cmdline", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            return [os.fsdecode(word) for word in os.read(fd, 65536).split(b"\0")[:-1]]
        finally:
            os.close(fd)
    except OSError:
        return [sys.executable]


rec = Recorder()
