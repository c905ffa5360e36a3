"""JSON on disk, taken in with suspicion: regular files, capped, checked against a type."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from repcheck import confined
from repcheck.observation import OBSERVATION_SCHEMA, Observation
from repcheck.reader import LARGEST
from repcheck.record import RECORD_SCHEMA, Record
from repcheck.runs import RunSpec

SIZE_CAP = 4 * 2**20
PLAN_CAP = 256 * 2**20
OBSERVATION_CAP = 32 * 2**20
T = TypeVar("T")
_HALF = re.compile(rb"\\u[dD]")


def content(path: Path, *, cap: int = SIZE_CAP) -> bytes | None:
    """Return a regular file's bytes, or None: absent, a link, something else, or too large."""
    try:
        descriptor = os.open(path, confined.FILE)
    except OSError:
        return None
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_size > cap:
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(cap)


def dumps(content: object) -> bytes:
    """Return JSON of mappings and dataclasses; a non-finite number is refused."""
    return json.dumps(content, allow_nan=False, default=_fields).encode()


def _fields(item: Any) -> dict[str, Any]:  # noqa: ANN401
    return {field.name: getattr(item, field.name) for field in fields(item)}


def mapping(path: Path) -> dict[str, Any] | None:
    """Return a JSON mapping, or None if the file holds none."""
    text = content(path)
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a generic type is no Hashable
    return _made(kind)


@cache
def _made(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401
    return TypeAdapter(kind)


@cache
def _records() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


@cache
def _specs() -> TypeAdapter[RunSpec]:
    return TypeAdapter(RunSpec)


@cache
def _observations() -> TypeAdapter[Observation]:
    return TypeAdapter(Observation)


def observation(path: Path) -> Observation | None:
    """Return a stored observation, or None: absent, torn, not finite or of another schema."""
    text = content(path, cap=OBSERVATION_CAP)
    return None if text is None else _observation(text)


def sound(seen: Observation) -> Observation | None:
    """Return an observation as the store gives it back; None if a forged record made it absurd.

    What is no character (a file's name may hold such) becomes a question mark.
    """
    try:
        text = json.dumps(seen, allow_nan=False, ensure_ascii=False, default=_fields)
    except ValueError:
        return None
    return _observation(text.encode("utf-8", errors="replace"))


def _observation(text: bytes) -> Observation | None:
    try:
        found = _finite(text)
        if not isinstance(found, dict) or found.get("schema") != OBSERVATION_SCHEMA:
            return None
        return _observations().validate_python(found)
    except (ValueError, RecursionError):  # ValidationError and UnicodeError are ValueErrors
        return None


def typed(path: Path, kind: type[T], *, cap: int = SIZE_CAP) -> T | None:
    """Return what a JSON file holds as a `kind`, or None: absent, torn, not finite or no such."""
    text = content(path, cap=cap)
    if text is None:
        return None
    try:
        found: T = _adapter(kind).validate_python(_finite(text))
        return found
    except (ValueError, RecursionError):
        return None


def _finite(text: bytes) -> Any:  # noqa: ANN401
    found = json.loads(text, parse_float=_possible, parse_int=_possible, parse_constant=_never)
    if _HALF.search(text):  # half a character could be written nowhere
        json.dumps(found, ensure_ascii=False).encode()
    return found


def _possible(text: str) -> float | int:
    number = float(text) if any(mark in text for mark in ".eE") else int(text)
    if not abs(number) <= LARGEST:
        raise ValueError(f"{text[:40]} is beyond all that can be counted")
    return number


def _never(text: str) -> float:
    raise ValueError(f"{text} is no number")


def record(path: Path) -> Record | None:
    """Return a stored record, or None: absent, torn, not finite or of a newer schema."""
    text = content(path)
    if text is None:
        return None
    try:
        found = _records().validate_json(text)
    except ValidationError:
        return None
    numbers = (found.wall_s, found.cpu_s, found.peak_rss_mb, *found.metrics.values())
    possible = all(abs(number) <= LARGEST for number in numbers)  # false for nan too
    return found if found.schema <= RECORD_SCHEMA and possible else None


def spec(path: Path) -> RunSpec | None:
    """Return a stored specification, or None if it is absent or torn."""
    text = content(path)
    if text is None:
        return None
    try:
        return _specs().validate_json(text)
    except ValidationError:
        return None


def planned(path: Path, key: str, kind: type[T]) -> tuple[T, ...] | None:
    """Return the lines of a stored plan that hold `key`, each as a `kind`; None if it is torn."""
    text = content(path, cap=PLAN_CAP)
    if text is None:
        return None
    try:
        lines = [json.loads(line) for line in text.splitlines()]
        check = _adapter(kind)
        return tuple(check.validate_python(line[key]) for line in lines if key in line)
    except (ValueError, TypeError, RecursionError):
        return None
