"""Real scripts run with the probe, and what it wrote, parsed without any checks."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INSIDE = Path(__file__).parent.parent / "repcheck" / "inside"
STEP = struct.Struct("<dddffIIIIHHHHHHHH")
NAMES = "t lr lr_last wait loss step rows rows_unsure rows_off opt groups fwd again bwd fwd_off"
STEP_FIELDS = (*NAMES.split(), "batches", "flags")
ROWS = struct.Struct("<BBHIIII")
INDICES = struct.Struct("<III")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBlock:
    """One block of BASE.rows."""

    layer: int
    flags: int
    step: int
    id: int
    pass_: int
    hashes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Everything one process wrote."""

    base: str
    events: list[dict[str, Any]]
    steps: list[dict[str, float]] = field(default_factory=list)
    rows: list[RowBlock] = field(default_factory=list)
    indices: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of one kind."""
        return [event for event in self.events if event["k"] == kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """How a script ended, and the records of its processes, the first one first."""

    out: str
    err: str
    rc: int
    folder: Path
    processes: list[Process]

    @property
    def main(self) -> Process:
        """Return the process that was started by us."""
        return self.processes[0]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of one kind, of all processes."""
        return [event for process in self.processes for event in process.of(kind)]


def probe_env(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment in which a Python has the probe in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "REPCHECK"))}
    path = [str(INSIDE / "path"), *filter(None, [more.pop("PYTHONPATH", "")])]
    return {
        **kept,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path),
        "REPCHECK_PROBE_OUT": str(folder),
        **more,
    }


def observe_raw(
    script_text: str,
    tmp_path: Path,
    *,
    env: dict[str, str] | None = None,
    python_args: tuple[str, ...] = (),
    argv: tuple[str, ...] = (),
    python: str = sys.executable,
    name: str = "script.py",
    timeout: float = 120,
) -> Raw:
    """Run a script as its own process with the probe in it; an `env` value of "" unsets a name."""
    script = tmp_path / name
    script.write_text(textwrap.dedent(script_text))
    folder = tmp_path / "record"
    folder.mkdir(exist_ok=True)
    surroundings = {k: v for k, v in probe_env(folder, **(env or {})).items() if v}
    done = subprocess.run(
        [python, *python_args, str(script), *argv],
        cwd=tmp_path,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Raw(
        out=done.stdout,
        err=done.stderr,
        rc=done.returncode,
        folder=folder,
        processes=read_records(folder),
    )


def run_plain(script_text: str, tmp_path: Path, **more: Any) -> Raw:
    """Run a script likewise, but without a probe."""
    env = {**more.pop("env", {}), "REPCHECK_PROBE_OUT": "", "PYTHONPATH": ""}
    script = tmp_path / more.pop("name", "script.py")
    script.write_text(textwrap.dedent(script_text))
    surroundings = {k: v for k, v in {**probe_env(tmp_path), **env}.items() if v}
    done = subprocess.run(
        [more.pop("python", sys.executable), *more.pop("python_args", ()), str(script)],
        cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return Raw(out=done.stdout, err=done.stderr, rc=done.returncode, folder=tmp_path, processes=[])


def read_records(folder: Path) -> list[Process]:
    """Return what each process wrote, in the order of their starts."""
    if not folder.is_dir():
        return []
    bases = {path.stem for path in folder.glob("*-*.jsonl")}
    found = [read_base(folder, base) for base in bases]
    found = [process for process in found if process.events]
    return sorted(found, key=lambda process: process.events[0].get("time", 0.0))


def read_base(folder: Path, base: str) -> Process:
    """Return what the process of this name wrote."""
    lines = _bytes(folder / f"{base}.jsonl").split(b"\n")
    return Process(
        base=base,
        events=list(filter(None, map(_event, lines))),
        steps=_steps(_bytes(folder / f"{base}.steps")),
        rows=_rows(_bytes(folder / f"{base}.rows")),
        indices=_indices(_bytes(folder / f"{base}.idx")),
    )


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "k" in event else None


def _steps(data: bytes) -> list[dict[str, float]]:
    whole = len(data) // STEP.size * STEP.size
    steps = [dict(zip(STEP_FIELDS, one, strict=True)) for one in STEP.iter_unpack(data[:whole])]
    return [step for step in steps if step["step"]]


def _rows(data: bytes) -> list[RowBlock]:
    blocks, at = [], 0
    while at + ROWS.size <= len(data):
        layer, flags, _, step, id_, pass_, n = ROWS.unpack_from(data, at)
        at += ROWS.size
        if at + 8 * n > len(data):
            break
        hashes = struct.unpack_from(f"<{n}Q", data, at)
        at += 8 * n
        blocks.append(
            RowBlock(layer=layer, flags=flags, step=step, id=id_, pass_=pass_, hashes=hashes)
        )
    return blocks


def _indices(data: bytes) -> list[tuple[int, int, tuple[int, ...]]]:
    blocks, at = [], 0
    while at + INDICES.size <= len(data):
        loader, it, n = INDICES.unpack_from(data, at)
        at += INDICES.size
        if at + 8 * n > len(data):
            break
        blocks.append((loader, it, struct.unpack_from(f"<{n}q", data, at)))
        at += 8 * n
    return blocks
