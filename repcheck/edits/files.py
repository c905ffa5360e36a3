"""Reading and replacing one file of a copy of the artifact, with no link followed on the way."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from repcheck.claims.problems import nearest
from repcheck.confined import FOLDER, open_below
from repcheck.edits.edit import Edit, failed

MAX_BYTES = 5_000_000
_TEMPORARY = ".repcheck-edit"


def parts_of(edit: Edit) -> tuple[str, ...]:
    """Return the steps from the artifact's root to a file.

    Raises:
        EditFailed: if the path does not lead to a file below the root.
    """
    path = PurePosixPath(edit.file)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in edit.file:
        hint = "name a file below the artifact's root, such as `conf/train.yaml`"
        raise failed(edit, "is sought in a file outside of the artifact", hint)
    return path.parts


def read(edit: Edit, root: Path) -> bytes:
    """Return the content of the file that an edit names.

    Raises:
        EditFailed: if it is missing, a link, no regular file, too large or not readable.
    """
    parts = parts_of(edit)
    try:
        descriptor = open_below(root, parts)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise failed(edit, "is sought in something that is no regular file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        hint = nearest(parts[-1], _beside(root, parts))
        raise failed(edit, "is sought in a file that does not exist", hint) from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            hint = "links are not followed: name the file itself, below the artifact's root"
            raise failed(edit, "is sought through a symbolic link or a file", hint) from None
        raise failed(edit, f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        what = f"is sought in a file larger than {MAX_BYTES // 1_000_000} MB"
        raise failed(edit, what, "is this a configuration?")
    return data


def write(edit: Edit, root: Path, data: bytes) -> None:
    """Put a new file in the place of the one that an edit names.

    The old file is replaced, not overwritten: one that is read-only, or shares its content with
    the original by a hard link, is changed in the copy alone. It becomes writable for its owner.

    Raises:
        EditFailed: if it cannot be written.
    """
    parts = parts_of(edit)
    name, made = parts[-1], f".{parts[-1][:100]}{_TEMPORARY}"
    try:
        with _folder(root, parts[:-1]) as folder:
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                with os.fdopen(os.open(made, flags, 0o600, dir_fd=folder), "wb") as file:
                    file.write(data)
                    os.fchmod(file.fileno(), stat.S_IMODE(mode) | stat.S_IWUSR)
                os.replace(made, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with suppress(OSError):
                    os.unlink(made, dir_fd=folder)
                raise
    except OSError as error:
        raise failed(edit, f"cannot be written: {error.strerror}") from None


@contextmanager
def _folder(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    here = os.open(root, FOLDER)
    try:
        for part in parts:
            inner = os.open(part, FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def _beside(root: Path, parts: tuple[str, ...]) -> list[str]:
    try:
        with _folder(root, parts[:-1]) as folder:
            return os.listdir(folder)[:1000]  # noqa: PTH208 - of a descriptor
    except OSError:
        return []
