"""Opening what a run may have left: no link is followed, and nothing in a file's place hangs us."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""For files: opening a named pipe in place of one returns at once."""


def open_below(base: Path, parts: Sequence[str]) -> int:
    """Return a descriptor of `base/part/part`, each step below the last, with no link on the way.

    What it is of is not looked at: it may be no regular file.

    Raises:
        OSError: if anything on the way is missing, a link, or no folder.
    """
    here = os.open(base, FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(parts[-1], FILE, dir_fd=here)
    finally:
        os.close(here)
