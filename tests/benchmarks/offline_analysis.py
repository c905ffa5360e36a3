"""How long the analysis of a very long record takes, and how much memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from _bench import CALM, Figure, figure, present

from repcheck.analysis import observe
from repcheck.records import IDX_HEADER, ROWS_HEADER, STEP, TRAIN
from tests.record_builder import Process

GOALS = {"steps": 2.0, "rows": 2.0, "memory": 500.0}
BATCH = 32


def long_record(folder: Path, steps: int) -> None:
    """Write a run of many steps: a warm-up and a cosine, a noisy loss, a hundred evaluations."""
    run = _begun(folder)
    table = _steps(steps)
    table.tofile(run.path("steps"))
    for n in range(1, 101):
        run.step = n * steps // 100
        run.t = run.step * 0.001
        run.event("beat", cpu=run.t, rss_kb=1, hashed=0, skipped=0)
        run.event(
            "eval", n=n, at=run.step, rows=10_000, fwd=40, roots={"0": 40}, batches=0, drawn=0,
            loaders={}, train_mode=False, grad=False, held=True, swapped=False,
            weights=f"{n:016x}", wall=1.0,
        )  # fmt: skip
    run.end()


def many_rows(folder: Path, rows: int) -> None:
    """Write a run whose every row was hashed and drawn by index: epochs of a million samples."""
    run = _begun(folder)
    run.loader(0, ds=0, batch_size=BATCH)
    steps = rows // BATCH
    size = min(1_000_000, rows // 2) // BATCH * BATCH
    _steps(steps).tofile(run.path("steps"))
    generator = np.random.default_rng(1)
    content = generator.integers(1, 2**63, size, dtype=np.uint64)
    order = np.concatenate([generator.permutation(size) for _ in range(-(-rows // size))])
    order = order[: steps * BATCH].reshape(steps, BATCH)
    _framed(ROWS_HEADER, content[order], layer=TRAIN, step=np.arange(steps), flags=1).tofile(
        run.path("rows")
    )
    _framed(IDX_HEADER, order, **{"pass": 1}).tofile(run.path("idx"))
    run.step = steps
    held = content[:1000].tolist()
    run.evaluate(1, 1, 1, [range(1000)], held)
    run.event("loader_end", i=0, it=1, batches=steps, drawn=steps * BATCH, done=True, begin=0)
    run.end()


def _begun(folder: Path) -> Process:
    run = Process(folder)
    run.start()
    run.root()
    run.optimizer()
    return run


def _steps(steps: int) -> np.ndarray:
    table = np.zeros(steps, STEP)
    place = np.arange(steps)
    table["step"] = place + 1
    table["t"] = table["step"] * 0.001
    table["lr"] = table["lr_last"] = np.minimum(place / 1000, 1) * (
        1 + np.cos(place / steps * 3.14)
    )
    noise = np.random.default_rng(2).normal(size=steps)
    table["loss"] = np.where(place % 8, np.nan, 2 / (1 + place / 1000) + 0.1 * noise)
    table["rows"] = BATCH
    for name in ("fwd", "bwd", "batches", "groups"):
        table[name] = 1
    return table


def _framed(header: np.dtype, values: np.ndarray, **fields: object) -> np.ndarray:
    kind = np.dtype([("header", header), ("values", "<u8", (values.shape[1],))])
    framed = np.zeros(len(values), kind)
    framed["header"]["n"] = values.shape[1]
    for name, value in fields.items():
        framed["header"][name] = value
    framed["values"] = values
    return framed


def analysed(folder: Path) -> dict[str, float]:
    """Return the seconds and MB (peak, of a fresh process) that one analysis takes."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", str(folder)],
        env={**CALM, "PATH": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def one(folder: Path) -> None:
    """Analyse one record and print what it took."""
    begin = time.perf_counter()
    seen = observe(folder)
    took = time.perf_counter() - begin
    assert seen.training is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took, "memory": peak, "steps": seen.training.steps}))


def measure(quick: bool) -> list[Figure]:
    """Return the figures; the quick ones are of a tenth of the size, held to the same goals."""
    steps, rows = (100_000, 1_000_000) if quick else (1_000_000, 10_000_000)
    figures = []
    for name, count, write in (("steps", steps, long_record), ("rows", rows, many_rows)):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), count)
            found = [analysed(Path(folder)) for _ in range(1 if quick else 3)]
        best = min(found, key=lambda one: one["seconds"])
        what = f"a record of {count:,} {name}" + (", hashed and drawn" if name == "rows" else "")
        figures.append(figure(what, best["seconds"], "s", GOALS[name]))
        figures.append(figure(f"{what}, memory", best["memory"], "MB", GOALS["memory"]))
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(Path(sys.argv[2]))
    else:
        present(__doc__, measure)
