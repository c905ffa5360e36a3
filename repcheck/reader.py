"""What a reader is: it finds one number in what a run has left, or says in words why it cannot.

A `from:` text names its reader either by a scheme (`stdout:REGEX`) or by the file's ending
(`{out}/metrics.json:test.accuracy`). Each reader stands in one file of `readers/`.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from repcheck.confined import open_below
from repcheck.metric_names import is_standard

SIZE_CAP = 64 * 2**20
OTHERS_CAP = 16 * 2**20
MOST_OTHERS = 200
NAME_CAP = 120
OUT = "{out}"
DEEPEST = 100
LARGEST = 1e75  # its fourth power is still a number, so that no statistic overflows
PICKS = ("last", "max", "min", "mean")
_BEST = re.compile(r"@(max|min)\s*$")
_FOUND: dict[str, Read] = {}
_BESIDE: dict[str, Beside] = {}


class NoMetric(Exception):
    """A number that is not there, with the reason in words."""


class NoFile(NoMetric):
    """A file that a run did not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a run left: its output folder, its copy of the artifact (if kept), its stdout."""

    out: Path
    stdout: Path
    copy: Path | None = None


Read = Callable[[Left, str, str], float]
"""A reader takes what the run left, the path (empty for a scheme) and what to find there."""


Beside = Callable[[str, str], Iterable[tuple[str, float]]]
"""Takes a file's text and what is read from it; yields every number beside, by its path."""


def reader(*names: str) -> Callable[[Read], Read]:
    """Register a reader under a scheme (`stdout`) or a file ending (`.json`)."""

    def register(function: Read) -> Read:
        for name in names:
            _FOUND[name] = function
        return function

    return register


def beside(ending: str) -> Callable[[Beside], Beside]:
    """Register what finds the other numbers in a file of this ending."""

    def register(function: Beside) -> Beside:
        _BESIDE[ending] = function
        return function

    return register


def read(left: Left, text: str, *, scale: float = 1.0) -> float:
    """Return the number that a `from:` text names, times `scale`, always finite.

    Raises:
        NoMetric: if there is no such finite number, with the reason.
    """
    function, path, what = _choose(text)
    value = function(left, path, what) * scale
    if not math.isfinite(value):
        raise NoMetric(f"{text} is {value}, not a finite number")
    if abs(value) > LARGEST:
        raise NoMetric(f"{text} is {value:g}, too large to be compared with anything")
    return value


def _choose(text: str) -> tuple[Read, str, str]:
    scheme, colon, rest = text.partition(":")
    if colon and scheme in _FOUND:
        return _FOUND[scheme], "", rest
    for ending in sorted((name for name in _FOUND if name.startswith(".")), key=len, reverse=True):
        path, found, what = text.partition(f"{ending}:")
        if found and what:
            return _FOUND[ending], path + ending, what
    known = ", ".join(sorted(_FOUND))
    raise NoMetric(f"no reader for `{text}`: expected FILE:WHAT with one of {known}")


def others(left: Left, texts: Iterable[str]) -> dict[str, float] | None:
    """Return the numbers that stand beside the read ones in the same files, by their paths.

    Each is finite and one that can be compared; a number that `texts` read is not among them, and
    one of the same path in a second file is called `path (2)`. At most 200 of at most 120
    characters are kept, the names of standard metrics first, so that none is crowded out by
    thousands of others. None: nobody looked. So it is where all is read from what was printed, and
    where a file has more than 16 MiB or holds what cannot be understood.
    """
    found: dict[str, float] = {}
    try:
        files = _read_from(texts)
        for path, names in files.items():
            for name, value in _beside(left, path, names[0]):
                if name not in names and len(name) <= NAME_CAP:
                    found[f"{name} (2)" if name in found else name] = value
    except NoMetric:
        return None
    kept = sorted(found, key=lambda name: not is_standard(name))[:MOST_OTHERS]
    return {name: found[name] for name in kept} if files else None


def _read_from(texts: Iterable[str]) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for text in texts:
        _, path, what = _choose(text)
        if path:
            files.setdefault(path, []).append(split_pick(what)[0])
    return files


def _beside(left: Left, path: str, what: str) -> Iterable[tuple[str, float]]:
    look = _BESIDE.get(path[path.rindex(".") :])
    if look is None:
        raise NoMetric(f"nothing looks beside what is read from {path}")
    try:
        text = file_text(left, path, cap=OTHERS_CAP)
    except NoFile:  # of a metric that is only wished for
        return ()
    return look(text, what)


def usable(value: object) -> float | None:
    """Return a JSON number as one that can be compared, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if abs(found) <= LARGEST else None


def takes_best(text: str) -> bool:
    """Return whether a `from:` text takes the best of several values, which is evidence itself."""
    return not text.startswith("stdout:") and bool(_BEST.search(text))


def split_pick(what: str) -> tuple[str, str]:
    """Split `column@last` into the column and the way to choose among its values.

    Raises:
        NoMetric: if the path has more keys than a reader descends.
    """
    if what.count(".") > DEEPEST:
        raise NoMetric(f"more than {DEEPEST} dots in {what[:60]!r}")
    name, at, pick = what.rpartition("@")
    if at and pick.strip() in PICKS:
        return name.strip(), pick.strip()
    return what.strip(), "last"


def choose(values: Sequence[float], pick: str, what: str) -> float:
    """Return the last, largest, smallest or mean value.

    Raises:
        NoMetric: if there is none, or one of those that are compared is not finite.
    """
    if not values:
        raise NoMetric(f"{what} has no values")
    if pick == "last":
        return values[-1]
    bad = next((value for value in values if not math.isfinite(value)), None)
    if bad is not None:
        raise NoMetric(f"{what} contains {bad}: its {pick} is not defined")
    if pick == "mean":
        try:
            return math.fsum(values) / len(values)
        except OverflowError:
            return math.inf
    return max(values) if pick == "max" else min(values)


def number(value: object, what: str) -> float:
    """Return a value as a float (it may be non-finite).

    Raises:
        NoMetric: if it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise NoMetric(f"{what} is {_shown(value)}, not a number")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise NoMetric(f"{what} is {_shown(value)}, not a number") from None


def _shown(value: object) -> str:
    names = {dict: "a mapping", list: "a list", bool: str(value).lower(), type(None): "null"}
    return names.get(type(value), f"{str(value)[:60]!r}")


def file_text(left: Left, path: str, *, cap: int = SIZE_CAP) -> str:
    """Return the text of a file below the run's own folders.

    No symbolic link is followed on the way and only a regular file of at most `cap` bytes (64 MiB)
    is read: what a run wrote is not trusted.

    Raises:
        NoMetric: if there is no such file, with the reason.
    """
    base, parts = _below(left, path)
    with regular(_open_below(base, parts, path), path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > cap:
            most = f"at most {cap / 2**20:.0f} MiB are read"
            raise NoMetric(f"{path} has {size / 2**20:.0f} MiB; {most}")
        return file.read(cap).decode("utf-8-sig", errors="replace")


def log_file(path: Path) -> IO[bytes]:
    """Open a log of an ended run for reading; the run may have put anything in its place.

    Raises:
        NoMetric: if it is gone or no regular file.
    """
    return regular(_open_below(path.parent, [path.name], path.name), path.name)


def regular(descriptor: int, path: str) -> IO[bytes]:
    """Return an open descriptor as a file, if it is a regular one.

    Raises:
        NoMetric: if it is not.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoMetric(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")


def _below(left: Left, path: str) -> tuple[Path, list[str]]:
    if path.startswith(f"{OUT}/"):
        base, rest = left.out, path.removeprefix(f"{OUT}/")
    elif left.copy is not None:
        base, rest = left.copy, path
    else:
        raise NoMetric(f"{path} is not kept after a run: write it below {OUT}")
    parts = [part for part in rest.split("/") if part not in {"", "."}]
    if rest.startswith("/") or ".." in parts or not parts:
        raise NoMetric(f"{path} leads out of the run's own folder")
    return base, parts


def _open_below(base: Path, parts: list[str], path: str) -> int:
    try:
        return open_below(base, parts)
    except OSError as error:
        if not _is_folder(base):
            why = f"the run replaced or removed its own folder ({error.strerror})"
            raise NoMetric(f"{path} cannot be read: {why}") from None
        if isinstance(error, FileNotFoundError):
            raise NoFile(f"the run wrote no {path}") from None
        raise NoMetric(
            f"{path} cannot be read ({error.strerror}); links are not followed"
        ) from None


def _is_folder(path: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISDIR(path.lstat().st_mode)
    return False
