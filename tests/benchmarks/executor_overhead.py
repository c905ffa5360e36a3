"""What the local executor costs above a bare subprocess: no-op runs, interleaved in one process.

    python tests/benchmarks/executor_overhead.py --json [--quick]

A run here is all a real one is: a claim on the store, a copy of a small artifact, private folders,
two logs, a record published, one metric read; only the command does nothing but write the metric.
Compared are the least disturbed batches of each, because a busy machine disturbs the longer of two
pieces of work more; the difference of the medians stands beside it. The same is measured with the
store in memory, which is the executor's own cost, and on disk, whose metadata may cost several
times as much (a run makes 5 folders and 8 files).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from repcheck.executor import Options, silent
from repcheck.executors.local import execute
from repcheck.store import Store
from tests.run_support import artifact, plan, spec

GOAL_MS = 2.0
BATCH = 20
SCRIPT = '#!/bin/sh\necho \'{"acc": 0.5}\' > "$1/m.json"\n'


def batches(root: Path, count: int) -> tuple[list[float], list[float]]:
    """Return milliseconds a no-op, through the executor and bare, batch by batch in turn."""
    source = artifact(root, "pass\n")
    noop = source / "noop"
    noop.write_text(SCRIPT)
    noop.chmod(0o755)
    store = Store.open(root / "store")
    (root / "out").mkdir()
    ours: list[float] = []
    bare: list[float] = []
    for batch in range(count + 1):
        seeds = range(batch * BATCH, (batch + 1) * BATCH)
        command = ("./noop", "{out}")
        made = plan(source, *(spec(seed, command=command) for seed in seeds))
        argv = [str(noop), str(root / "out")]
        ours.append(_timed(lambda made=made: execute(made, store, Options(), silent)))
        bare.append(_timed(lambda argv=argv: _bare(argv)))
    return ours[1:], bare[1:]  # the first of each warms the caches


def _bare(argv: list[str]) -> None:
    for _ in range(BATCH):
        subprocess.run(argv, check=True)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000 / BATCH


def figure(place: Path | None, name: str, count: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(dir=place) as folder:
        ours, bare = batches(Path(folder), count)
    above = min(ours) - min(bare)
    return {
        "name": f"milliseconds of a no-op run above a bare subprocess, {name}",
        "value": round(above, 2),
        "unit": "ms",
        "goal": GOAL_MS,
        "better": "lower",
        "met": above <= GOAL_MS,
        "rival": "subprocess.run",
        "rival_value": round(min(bare), 2),
        "median": round(median(ours) - median(bare), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer batches")
    options = parser.parse_args()
    count = 10 if options.quick else 50
    memory = Path("/dev/shm")
    figures = [figure(None, "store on the disk of temporary files", count)]
    if memory.is_dir() and os.access(memory, os.W_OK):
        figures.insert(0, figure(memory, "store in memory", count))
    machine = {"cpu_count": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()}
    report = {"benchmark": "executor_overhead", "machine": machine, "figures": figures}
    if options.json:
        print(json.dumps(report))
        return
    for one in figures:
        print(f"{one['name']}: {one['value']} (goal {GOAL_MS}, met: {one['met']})")


if __name__ == "__main__":
    main()
