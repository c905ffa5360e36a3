"""Prediction files: one row an example, with what is right and what was predicted.

`csv` with the columns `index,label,pred` (and `p0..pK`, the probability of class k), or `npz` with
arrays of these names (and `p`, examples x classes). Nothing is ever unpickled. A file that cannot
be trusted as it stands (an index twice, a NaN, unequal shapes) is refused whole: a metric of the
rest would be one of another test set.
"""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from repcheck.tabular import SHOWN, Columns, Unreadable, columns, open_file

ARRAYS_CAP = 2**29
"""Bytes of all arrays of a file together, unpacked."""
MOST_MEMBERS = 64
HEADER_CAP = 10_000
MOST_CLASSES = 10_000
MOST_LETTERS = 1_000
"""Of one name of an example or a class."""
MOST_AXES = 8
LARGEST = 1e100
"""Of a number: its square, and a sum of many, is still one."""
SUM_SLACK = 1e-2
_CHANNELS = (1, 3)

Array = npt.NDArray[Any]
Kind = Literal["classes", "numbers", "sequences", "images"]
NAMES = ("index", "label", "pred")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What one evaluation predicted.

    `index` names the examples, each once (whole numbers where all are). By `kind`: `classes` (codes
    into `classes`, which are in order), `numbers` (one float an example), `sequences` (examples x
    positions of whole numbers), `images` (examples x channels x height x width, as stored).
    `probabilities` are examples x classes where the file has them, else None.
    """

    path: str
    kind: Kind
    index: Array
    label: Array
    pred: Array
    classes: tuple[str, ...] = ()
    probabilities: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.index)


def read(base: Path, path: str, names: Mapping[str, str] | None = None) -> Predictions:
    """Read a prediction file below a folder; `names` are the file's own names of the columns.

    Raises:
        Unreadable: if it cannot be used, with the reason in words.
    """
    wanted = {name: (names or {}).get(name, name) for name in NAMES}
    if path.lower().endswith(".npz"):
        return _arrays(base, path, wanted)
    if path.lower().endswith(".csv"):
        return _table(columns(base, path), wanted)
    raise Unreadable(f"{path[:SHOWN]} is neither .csv nor .npz")


# --- csv ----------------------------------------------------------------------------------------


def _table(found: Columns, wanted: Mapping[str, str]) -> Predictions:
    index = _index(list(found.get(wanted["index"])), found.path)
    texts = [list(found.get(wanted[name])) for name in ("label", "pred")]
    for name, cells in zip(("label", "pred"), texts, strict=True):
        if "" in cells:
            raise Unreadable(f"{found.path}: {name} is empty in row {cells.index('') + 1}")
    numbers = [_floats(cells) for cells in texts]
    if numbers[0] is None or numbers[1] is None:
        label, pred, classes = _coded(texts[0], texts[1], found.path)
    else:
        whole = _finite(numbers[0], "label", found.path), _finite(numbers[1], "pred", found.path)
        if not all(_are_whole(one) for one in whole):
            return Predictions(
                path=found.path, kind="numbers", index=index, label=whole[0], pred=whole[1]
            )
        return _of_classes(found.path, index, *whole, _probabilities(found))
    return Predictions(
        path=found.path, kind="classes", index=index, label=label, pred=pred, classes=classes
    )


def _probabilities(found: Columns) -> Array | None:
    """Return the columns p0 to pK side by side, None where they do not begin with p0."""
    names = [f"p{k}" for k in range(len(found.cells)) if f"p{k}" in found.cells]
    if not names or names[-1] != f"p{len(names) - 1}":
        return None
    given = [_floats(found.cells[name]) for name in names]
    kept = [one for one in given if one is not None]
    if len(kept) < len(given):
        raise Unreadable(f"{found.path}: {names[0]} to {names[-1]} must be numbers")
    return np.stack(kept, axis=1)


def _floats(cells: Sequence[str]) -> npt.NDArray[np.float64] | None:
    try:
        return np.array([float(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        return None


def _coded(label: list[str], pred: list[str], path: str) -> tuple[Array, Array, tuple[str, ...]]:
    classes = sorted({*label, *pred})
    _few(len(classes), path)
    _short(classes, path)
    code = {name: at for at, name in enumerate(classes)}
    right, said = (np.array([code[one] for one in cells]) for cells in (label, pred))
    return right, said, tuple(classes)


# --- both forms ---------------------------------------------------------------------------------


def _index(cells: Sequence[Any], path: str) -> Array:
    try:
        index: Array = np.array([int(cell) for cell in cells], dtype=np.int64)
    except (ValueError, OverflowError):
        texts = [str(cell) for cell in cells]
        _short(texts, path)
        index = np.array(texts)
    kept, counts = np.unique(index, return_counts=True)
    if len(kept) < len(index):
        twice = str(kept[int(np.argmax(counts > 1))])[:SHOWN]
        raise Unreadable(f"{path}: index {twice} stands there {counts.max()} times")
    return index


def _short(names: Sequence[str], path: str) -> None:
    # In an array each takes the space of the longest.
    longest = max(names, key=len)
    if len(longest) > MOST_LETTERS or 4 * len(longest) * len(names) > ARRAYS_CAP:
        raise Unreadable(
            f"{path}: {longest[:SHOWN]!r}... has {len(longest):,} letters; examples and classes go"
            " by numbers or short names"
        )


def _finite(values: Array, name: str, path: str) -> Array:
    if values.dtype.kind == "f":
        most = min(LARGEST, float(np.finfo(values.dtype).max))
        rows = (np.abs(values) <= most).reshape(len(values), -1).all(axis=1)
        if not rows.all():
            row = int(np.argmin(rows))
            raise Unreadable(f"{path}: {name} is not a finite number in row {row + 1}")
    return values


def _are_whole(values: Array) -> bool:
    return values.dtype.kind in "iub" or bool((values == np.round(values)).all())


def _of_classes(
    path: str, index: Array, label: Array, pred: Array, table: Array | None
) -> Predictions:
    """Return predictions of whole numbers; class k has column k of the probabilities."""
    both = np.concatenate([label, pred]).astype(np.float64)
    shares = None
    if table is not None and both.min() >= 0 and both.max() < table.shape[1]:
        shares = _shares(table, path)
        classes, codes = np.arange(table.shape[1], dtype=np.float64), both.astype(np.int64)
    else:
        classes, codes = np.unique(both, return_inverse=True)
    _few(len(classes), path)
    return Predictions(
        path=path,
        kind="classes",
        index=index,
        label=codes[: len(label)],
        pred=codes[len(label) :],
        classes=tuple(f"{one:.0f}" for one in classes),
        probabilities=shares,
    )


def _few(count: int, path: str) -> None:
    if count > MOST_CLASSES:
        raise Unreadable(f"{path}: {count:,} different classes; at most {MOST_CLASSES:,} are read")


def _shares(table: Array, path: str) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = _finite(table.astype(np.float64), "p", path)
    sums = shares.sum(axis=1)
    if shares.min() < 0 or shares.max() > 1 or np.abs(sums - 1).max() > SUM_SLACK:
        raise Unreadable(f"{path}: the probabilities of an example must lie in [0, 1] and sum to 1")
    return shares


# --- npz ----------------------------------------------------------------------------------------


def _arrays(base: Path, path: str, wanted: Mapping[str, str]) -> Predictions:
    with open_file(base, path, cap=ARRAYS_CAP) as file:
        found = _members(file, path, {*wanted.values(), "p"})
    missing = [name for name in wanted.values() if name not in found]
    if missing:
        raise Unreadable(f"{path} has no array {missing[0]!r}")
    cells, label, pred = (found[wanted[name]] for name in NAMES)
    if cells.ndim != 1 or label.ndim < 1 or not label.size or len(cells) == 0:
        raise Unreadable(f"{path}: index must have one axis, of at least one example")
    if label.shape != pred.shape or len(label) != len(cells):
        raise Unreadable(
            f"{path}: index, label and pred have the shapes {cells.shape}, {label.shape} and "
            f"{pred.shape}"
        )
    if cells.dtype.kind == "f" and not _are_whole(_finite(cells, "index", path)):
        raise Unreadable(f"{path}: index holds numbers that are not whole")
    return _made(path, _index(cells.tolist(), path), label, pred, found.get("p"))


def _made(path: str, index: Array, label: Array, pred: Array, table: Array | None) -> Predictions:
    kinds = {label.dtype.kind, pred.dtype.kind}
    if "U" in kinds:
        if kinds != {"U"} or label.ndim != 1:
            raise Unreadable(f"{path}: label is text and pred is not, or the other way round")
        codes = _coded(label.tolist(), pred.tolist(), path)
        return Predictions(
            path=path, kind="classes", index=index, label=codes[0], pred=codes[1], classes=codes[2]
        )
    label, pred = _finite(label, "label", path), _finite(pred, "pred", path)
    if label.ndim == 4:
        label, pred = (_channels_first(one, path) for one in (label, pred))
        return Predictions(path=path, kind="images", index=index, label=label, pred=pred)
    whole = _are_whole(label) and _are_whole(pred)
    if label.ndim > 1:
        kind: Kind = "sequences" if whole else "numbers"
        return Predictions(path=path, kind=kind, index=index, label=label, pred=pred)
    if not whole:
        return Predictions(path=path, kind="numbers", index=index, label=label, pred=pred)
    if table is not None and (
        table.ndim != 2 or len(table) != len(index) or table.dtype.kind == "U"
    ):
        what = "text" if table.dtype.kind == "U" else f"of the shape {table.shape}"
        raise Unreadable(f"{path}: p must be numbers, examples x classes, and is {what}")
    return _of_classes(path, index, label, pred, table)


def _channels_first(images: Array, path: str) -> Array:
    first, last = images.shape[1] in _CHANNELS, images.shape[3] in _CHANNELS
    if first == last:
        raise Unreadable(
            f"{path}: of images of the shape {images.shape} it is not clear which axis holds the "
            "channels"
        )
    return images if first else images.transpose(0, 3, 1, 2)


def _members(file: IO[bytes], path: str, wanted: set[str]) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_MEMBERS:
                raise Unreadable(f"{path} holds {len(entries):,} arrays")
            chosen = [one for one in entries if one.filename.removesuffix(".npy") in wanted]
            if len({one.filename.removesuffix(".npy") for one in chosen}) < len(chosen):
                raise Unreadable(f"{path} holds one array twice")
            if sum(one.file_size for one in chosen) > ARRAYS_CAP:
                raise Unreadable(
                    f"{path} unpacks to more than the {ARRAYS_CAP // 2**20} MiB that are read"
                )
            found = {}
            for one in chosen:
                with archive.open(one) as member:
                    found[one.filename.removesuffix(".npy")] = _array(member, one, path)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, OSError) as error:
        raise Unreadable(f"{path} is not an npz file: {str(error)[:SHOWN]}") from None
    # Encrypted, packed in an odd way, or with names that are no text.
    except (NotImplementedError, RuntimeError, OverflowError, UnicodeError) as error:
        raise Unreadable(f"{path} cannot be unpacked: {str(error)[:SHOWN]}") from None


def _array(member: IO[bytes], about: zipfile.ZipInfo, path: str) -> Array:
    name = about.filename[:SHOWN]
    try:
        version = np.lib.format.read_magic(member)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise Unreadable(f"{path}: {name} is of an unknown format {version}")
        shape, fortran, dtype = readers[version](member, max_header_size=HEADER_CAP)
    except (
        ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError,
        tokenize.TokenError,
    ) as error:  # fmt: skip
        raise Unreadable(f"{path}: {name} is no array: {str(error)[:SHOWN]}") from None
    plain = dtype.kind in "iufbU" and (dtype.kind == "U" or dtype.itemsize <= 8)
    if dtype.hasobject or not plain or dtype.itemsize == 0:
        raise Unreadable(f"{path}: {name} holds {str(dtype)[:SHOWN]}; only plain numbers are read")
    size = dtype.itemsize * math.prod(shape)
    odd = len(shape) > MOST_AXES or any(isinstance(one, bool) or one < 0 for one in shape)
    if odd or (not size and max(shape) > ARRAYS_CAP):
        raise Unreadable(f"{path}: {name} has the impossible shape {str(shape)[:SHOWN]}")
    content = member.read(ARRAYS_CAP + 1) if size <= ARRAYS_CAP else b""
    if size != len(content):
        raise Unreadable(f"{path}: {name} is shorter or longer than its header says")
    flat = np.frombuffer(content, dtype=dtype)
    if dtype.kind == "U":
        letters = flat.view(np.uint32 if dtype.isnative else np.dtype(np.uint32).newbyteorder())
        if ((letters > 0x10FFFF) | ((letters >= 0xD800) & (letters < 0xE000))).any():
            raise Unreadable(f"{path}: {name} holds text that is none")
    return flat.reshape(shape, order="F" if fortran else "C")
