"""Reads the sheets of a record: rows as they were fed (`BASE.fed`, see inside/RECORD.md).

Nothing in them is trusted: a sheet counts up to the first byte that makes no sense.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from repcheck import confined

CAP = 2**24
MOST_ROWS = 2000
MOST_VALUES = 4096
MOST_SHEETS = 16
LARGEST = 1e9
TRAIN, EVAL = 1, 2
HEADER = np.dtype(
    [("layer", "u1"), ("size", "u1"), ("zero", "<u2")]
    + [(name, "<u4") for name in ("step", "root", "pass", "n")]
    + [(name, "<u2") for name in ("channels", "height", "width", "nought")]
)
Form = tuple[int, int, int]
Key = tuple[int, int, int, Form]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Different rows as they were fed to one module, in order: (n, channels, height, width).

    `number` is the evaluation pass, 0 in training. Rows that are no images have height 1.
    """

    layer: int
    root: int
    number: int
    rows: Floats


def read(folder: Path, base: str) -> tuple[Sheet, ...]:
    """Return the sheets that one process left; none where it left none that can be read."""
    content = memoryview(_content(folder, f"{base}.fed"))
    parts: dict[Key, list[Floats]] = {}
    at = 0
    while at + HEADER.itemsize <= len(content):
        head = np.frombuffer(content, HEADER, count=1, offset=at)[0]
        made = _block(content, at + HEADER.itemsize, head)
        if made is None:
            break
        at += HEADER.itemsize + made.size * int(head["size"])
        form: Form = (made.shape[1], made.shape[2], made.shape[3])
        key = (int(head["layer"]), int(head["root"]), int(head["pass"]), form)
        if key in parts or len(parts) < MOST_SHEETS:
            parts.setdefault(key, []).append(made)
    return tuple(
        Sheet(layer=key[0], root=key[1], number=key[2], rows=np.concatenate(some)[:MOST_ROWS])
        for key, some in parts.items()
    )


def _content(folder: Path, name: str) -> bytes:
    try:
        descriptor = confined.open_below(folder, [name])
    except OSError:
        return b""
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return b""
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(CAP)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _block(content: memoryview, at: int, head: Any) -> Floats | None:  # noqa: ANN401 - a numpy row
    form = tuple(int(head[name]) for name in ("channels", "height", "width"))
    size, n = int(head["size"]), int(head["n"])
    values = form[0] * form[1] * form[2]
    if head["layer"] not in (TRAIN, EVAL) or size not in (2, 4) or head["zero"] or head["nought"]:
        return None
    if not 0 < n <= MOST_ROWS or not 0 < values <= MOST_VALUES:
        return None
    if at + n * values * size > len(content):
        return None
    found = np.frombuffer(content, f"<f{size}", count=n * values, offset=at).astype(np.float32)
    found = np.clip(np.nan_to_num(found, posinf=LARGEST, neginf=-LARGEST), -LARGEST, LARGEST)
    return found.reshape(n, *form)
