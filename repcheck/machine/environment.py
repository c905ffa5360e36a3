"""What a run may see: listed variables, private folders, and the artifact's interpreter."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from repcheck.errors import UsageError
from repcheck.machine.processes import MARKER

_THREADS = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")
_PASSED = (
    "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "TZ",
    "SYSTEMROOT",
)  # fmt: skip
_SHIM = '#!/bin/sh\nexec {interpreter} "$@"\n'


def interpreter(python: Path | None = None) -> Path:
    """Return the Python that a run's `python` means: the one given, else repcheck's own.

    The link of a virtual environment is not resolved: its folder is what makes the environment.

    Raises:
        UsageError: if there is no such program.
    """
    if python is None:
        return Path(sys.executable)
    found = python / "bin" / "python" if python.is_dir() else python
    if not os.access(found, os.X_OK) or found.is_dir():
        raise UsageError(f"{python}: no Python interpreter there; mend --python")
    return found.absolute()


@contextmanager
def short(home: Path) -> Iterator[Path]:
    """Yield a short path to a private folder, for sockets: their paths end at 107 characters.

    Loaders with several workers open some below TMPDIR, and hang where they cannot.
    """
    above = Path(tempfile.mkdtemp(prefix="rc-"))
    link = above / "t"
    try:
        link.symlink_to(home.absolute(), target_is_directory=True)
        yield link
    finally:
        with suppress(OSError):
            link.unlink()
        with suppress(OSError):
            above.rmdir()


def environment(
    home: Path, python: Path, stated: Mapping[str, str], marker: str, scratch: Path
) -> dict[str, str]:
    """Return all the variables of one attempt, whose private folder is `home`.

    `scratch` is a short path to it, for temporary files.
    The claims file's own variables come last, and its PATH stands after the interpreter's folder.
    """
    path = stated.get("PATH") or os.environ.get("PATH", os.defpath)
    found = {name: os.environ[name] for name in _PASSED if name in os.environ}
    found |= {
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **{f"{name}_NUM_THREADS": "1" for name in _THREADS},
    }
    if virtual := _virtual(python):
        found["VIRTUAL_ENV"] = virtual
    return {
        **found,
        **stated,
        "PATH": os.pathsep.join([str(_programs(home, python)), path]),
        "HOME": str(home),
        "TMPDIR": str(scratch),
        MARKER: marker,
    }


@cache
def _virtual(python: Path) -> str:
    above = python.parent.parent
    return str(above) if (above / "pyvenv.cfg").exists() else ""


@cache
def _plain_name(python: Path) -> bool:
    return (python.parent / "python").exists()


def _programs(home: Path, python: Path) -> Path:
    """Return the folder in which `python` is the interpreter, made if it has another name there."""
    if _plain_name(python):
        return python.parent
    shim = home / "bin" / "python"
    shim.parent.mkdir(exist_ok=True)
    quoted = "'" + str(python).replace("'", "'\\''") + "'"
    shim.write_text(_SHIM.format(interpreter=quoted))
    shim.chmod(0o755)
    return shim.parent


def program(name: str, cwd: Path, path: str) -> Path | None:
    """Return the program that an argument list names, or None if there is none."""
    if "/" in name:
        found = cwd / name
        return found if found.is_file() and os.access(found, os.X_OK) else None
    where = shutil.which(name, path=path)
    return Path(where) if where else None
