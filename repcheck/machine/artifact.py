"""The artifact's tree: what it is hashed as, and the copies in which its runs are made.

Left out of both: version control, caches, environments, the output folder and claims files (a
comment there must not change a run). Symbolic links are never followed; those that lead out of the
tree are not copied, and said so.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from repcheck import confined
from repcheck.errors import RepcheckError, UsageError

SIZE_CAP = 2**30
COUNT_CAP = 20_000
DEPTH_CAP = 100
CONTENT_CAP = 64 * 2**20
_CACHES = frozenset({
    "__pycache__", ".git", ".hg", ".svn", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox",
    ".nox", ".hypothesis", ".ipynb_checkpoints", ".cache", "repcheck-out",
})  # fmt: skip
_ENVIRONMENTS = frozenset({".venv", "venv", "node_modules"})
_CHANGED = "changed after it was planned, perhaps by a run; run again"
_CLAIMS = re.compile(rb"^repcheck\s*:\s*\d", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One folder, file or link, by its path below the root."""

    path: str
    kind: str
    executable: bool = False
    content: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """An artifact as it stands: its hash, its entries (folders first) and what was left out.

    `outside` are links that leave the tree, `environments` folders that runs only look into;
    `size` is in bytes.
    """

    root: Path
    digest: str
    entries: tuple[Entry, ...]
    outside: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    size: int = 0


def scan(root: Path, *, exclude: tuple[Path, ...] = (), size_cap: int = SIZE_CAP) -> Tree:
    """Return the tree below a folder.

    Raises:
        UsageError: if it is no readable folder.
        RepcheckError: if it is too large to be copied for every run.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: the artifact's root is not a folder; mend `artifact.root`")
    if root.resolve() == Path(root.resolve().anchor):
        raise UsageError(f"{root}: the artifact's root is the whole disk; mend `artifact.root`")
    walk = _Walk(root, frozenset(path.absolute() for path in exclude), size_cap)
    try:
        entries = tuple(sorted(walk.entries(""), key=lambda entry: entry.path))
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be read ({error.strerror})") from None
    whole = hashlib.sha256()
    for entry in entries:
        line = f"{entry.path}\0{entry.kind}\0{entry.executable}\0{entry.content}\n"
        whole.update(line.encode("utf-8", errors="surrogateescape"))
    return Tree(
        root=root,
        digest=whole.hexdigest(),
        entries=entries,
        outside=tuple(sorted(walk.outside)),
        environments=tuple(sorted(walk.environments)),
        size=walk.size,
    )


class _Walk:
    def __init__(self, root: Path, exclude: frozenset[Path], size_cap: int) -> None:
        self.root, self.exclude, self.size_cap = root, exclude, size_cap
        self.outside: list[str] = []
        self.environments: list[str] = []
        self.size = self.count = 0

    def entries(self, below: str) -> Iterator[Entry]:
        if below.count("/") >= DEPTH_CAP:
            raise RepcheckError(
                f"{self.root}: folders are nested deeper than {DEPTH_CAP} (at {below[:80]}...)"
            )
        with os.scandir(self.root / below) as items:
            children = sorted(items, key=lambda item: item.name)
        for item in children:
            path = f"{below}/{item.name}" if below else item.name
            if item.name in _CACHES or (self.root / path).absolute() in self.exclude:
                continue
            if item.is_symlink():
                yield from self._link(path)
            elif item.is_dir(follow_symlinks=False):
                if item.name in _ENVIRONMENTS or (self.root / path / "pyvenv.cfg").exists():
                    self.environments.append(path)
                    continue
                yield Entry(path=path, kind="folder")
                yield from self.entries(path)
            elif item.is_file(follow_symlinks=False):
                yield from self._file(path, item.stat(follow_symlinks=False))

    def _link(self, path: str) -> Iterator[Entry]:
        target = os.readlink(self.root / path)  # noqa: PTH115 - the text, not a normalised path
        landing = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120
        if os.path.isabs(target) or landing.split("/")[0] == "..":  # noqa: PTH117
            self.outside.append(path)
        else:
            yield Entry(path=path, kind="link", content=target)

    def _file(self, path: str, about: os.stat_result) -> Iterator[Entry]:
        if path.endswith((".pyc", ".pyo")) or path.endswith(".DS_Store"):
            return
        if path.endswith((".yaml", ".yml")) and _is_claims_file(self.root / path):
            return
        self.size += about.st_size
        self.count += 1
        if self.size > self.size_cap or self.count > COUNT_CAP:
            raise RepcheckError(
                f"{self.root}: the artifact holds more than {self.size_cap / 2**20:.0f} MiB or"
                f" {COUNT_CAP} files (at {path}), too much to copy for every run; keep data outside"
                " of `artifact.root` and give its absolute path in `datasets`"
            )
        digest = file_sha256(self.root / path)
        executable = bool(about.st_mode & stat.S_IXUSR)
        yield Entry(path=path, kind="file", executable=executable, content=digest)


def _is_claims_file(path: Path) -> bool:
    with path.open("rb") as file:
        return bool(_CLAIMS.search(file.read(8192)))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    # Not blocking, and nothing is read of an empty file: /proc/kmsg has size 0 and never ends.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if not about.st_size:
            return hashlib.sha256().hexdigest()
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path) -> str:
    """Return what stands for data outside the tree: content up to 64 MiB, else size and time."""
    try:
        about = path.stat()
    except OSError:
        return "absent"
    if stat.S_ISREG(about.st_mode) and about.st_size <= CONTENT_CAP:
        with suppress(OSError):
            return file_sha256(path)
    return f"{about.st_size}:{about.st_mtime_ns}"


def copy(tree: Tree, target: Path) -> None:
    """Copy a tree into a folder that does not exist yet; environments become links."""
    target.mkdir()
    root = str(tree.root)
    for entry in tree.entries:
        there = f"{target}/{entry.path}"
        if entry.kind == "folder":
            os.mkdir(there)  # noqa: PTH102 - texts are several times faster here
        elif entry.kind == "link":
            os.symlink(entry.content, there)  # noqa: PTH211
        else:
            mode = 0o755 if entry.executable else 0o644
            if _copy_file(f"{root}/{entry.path}", there, mode) != entry.content:
                raise RepcheckError(f"{root}/{entry.path}: {_CHANGED}")
    for path in tree.environments:
        (target / path).symlink_to((tree.root / path).resolve())
    for path in tree.outside:
        # Only in a snapshot, where such a link is our own link to an environment.
        if (tree.root / path).is_symlink() and tree.root.name == tree.digest:
            (target / path).symlink_to(os.readlink(tree.root / path))  # noqa: PTH115


def _copy_file(source: str, target: str, mode: int) -> str:
    """Copy one file and return the hash of what was copied."""
    whole = hashlib.sha256()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    taken = os.open(source, confined.FILE)
    try:
        given = os.open(target, flags, mode)
        try:
            while content := os.read(taken, 2**20):
                whole.update(content)
                view = memoryview(content)
                while view:
                    view = view[os.write(given, view) :]
        finally:
            os.close(given)
    finally:
        os.close(taken)
    return whole.hexdigest()


def snapshot(tree: Tree, folder: Path) -> Tree:
    """Keep a tree below `folder` under its hash, and return the kept tree.

    A later edit of the artifact then changes no run that is already planned.

    Raises:
        RepcheckError: if the artifact changed while it was being copied.
    """
    kept = folder / tree.digest
    if kept.is_dir():
        found = scan(kept)
        if found.digest == tree.digest:
            return found
        shutil.rmtree(kept)
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        copy(tree, made / tree.digest)
        found = scan(made / tree.digest)
        if found.digest != tree.digest:
            raise RepcheckError(
                f"{tree.root}: the artifact changed after it was planned; run again"
            )
        with suppress(FileExistsError):  # somebody else was faster: the same tree
            _rename(made / tree.digest, kept)
    except FileNotFoundError as error:
        raise RepcheckError(f"{error.filename}: vanished while it was copied; run again") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return scan(kept)


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise
