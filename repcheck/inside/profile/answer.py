"""What is found, kept in a file after every stage: a process that is ended leaves what it had."""

import json
import os
import re
import traceback

CAP = 12 * 2**20
MOST_TEXT = 300
_GPU = re.compile(
    r"no CUDA|No CUDA GPUs|no NVIDIA driver|not compiled with CUDA|CUDA-capable|CUDA error"
    r"|CUDA driver|cuda.is_available\(\) is False|No HIP GPUs|MPS backend|not linked with support"
    r" for (?:cuda|mps|xpu)",
    re.IGNORECASE,
)
_MEMORY = re.compile(
    r"can't allocate memory|out of memory|not enough memory|std::bad_alloc|Cannot allocate memory"
)


class Problem(Exception):
    """Why nothing, or no more, can be counted; `kind` is one of repcheck.profiled.Kind."""

    def __init__(self, kind, what, mend="", place=""):
        super().__init__(what)
        self.kind, self.what, self.mend, self.place = kind, what, mend, place


class Answer:
    """The one JSON object that this process leaves."""

    def __init__(self, path):
        self.path = path
        self.found = {"schema": 1, "stage": "", "done": False, "failure": None, "notes": []}

    def stage(self, words):
        self.found["stage"] = words
        self.write()

    def put(self, **found):
        self.found.update(found)

    def note(self, kind, text):
        self.found["notes"].append({"kind": kind, "text": text[: 3 * MOST_TEXT]})

    def fail(self, problem):
        self.found["failure"] = {
            "kind": problem.kind,
            "what": problem.what[: 3 * MOST_TEXT],
            "mend": problem.mend[: 3 * MOST_TEXT],
            "place": problem.place[:MOST_TEXT],
        }

    def write(self):
        text = self._text()
        for dropped in ("ops", "modules"):
            if len(text) > CAP and self.found.get(dropped):
                self.found[dropped] = []
                self.note("cut", "%s: left out, the answer became too large" % dropped)
                text = self._text()
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)

    def _text(self):
        return json.dumps(_plain(self.found), allow_nan=False)


def _plain(value):
    """Return a value with nothing in it that JSON cannot hold."""
    if isinstance(value, dict):
        return {str(key)[:MOST_TEXT]: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not abs(value) < 1e300:
        return None
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)[: 3 * MOST_TEXT].encode("utf-8", "replace").decode("utf-8")


def last_line(error):
    """Return an exception as Python's last line of a traceback shows it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else ""
    return ("%s: %s" % (type(error).__name__, said) if said else type(error).__name__)[:MOST_TEXT]


def place_of(error, root):
    """Return FILE:LINE of the innermost of the artifact's own lines that an exception names."""
    if isinstance(error, SyntaxError) and error.filename:
        return "%s:%s" % (_below(error.filename, root) or error.filename, error.lineno or 1)
    found = ""
    for frame in traceback.extract_tb(error.__traceback__):
        below = _below(frame.filename, root)
        if below:
            found = "%s:%s" % (below, frame.lineno)
    return found


def _below(path, root):
    real, top = os.path.realpath(path), os.path.realpath(root)
    return os.path.relpath(real, top) if real.startswith(top + os.sep) else ""


def below(path, root):
    """Return a file's path below the artifact's folder, or the path itself."""
    return _below(path, root) or path


def told(error, doing, root):
    """Return the problem that an exception of the artifact's code is."""
    said, place = last_line(error), place_of(error, root)
    text = str(error)
    if _GPU.search(text):
        return Problem(
            "needs-gpu",
            "%s needs a GPU: %s" % (doing, said),
            "run it on a machine that has one, or let the entry build on the CPU",
            place,
        )
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return Problem(
            "memory",
            "%s took more memory than it may: %s" % (doing, said),
            "give a smaller input, or more with --memory",
            place,
        )
    return Problem("raises", "%s failed: %s" % (doing, said), _mend(error), place)


def _mend(error):
    if isinstance(error, SystemExit):
        return (
            "it ends the program; what reads the command line or trains belongs under"
            ' `if __name__ == "__main__":`'
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return "%s is not installed for that interpreter; name another with --python" % error.name
    return ""
