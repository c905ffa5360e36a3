"""What the benchmarks share: the machine, a figure, two commands timed in turn, one JSON object."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CALM = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "", "NO_COLOR": "1"}

Figure = dict[str, Any]


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code; the load says how far to trust them."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def figure(name: str, value: float, unit: str, goal: float, **more: Any) -> Figure:
    """Return one figure of which less is better; `rival` and `rival_value` may be given."""
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "goal": goal,
        "better": "lower",
        "met": value <= goal,
        **more,
    }


def seconds(command: Sequence[str], *, ends: frozenset[int] = frozenset({0})) -> float:
    """Return the wall time of one process, from the repository's root.

    Raises:
        SystemExit: if it ends otherwise than it should: a crash is quick and proves nothing.
    """
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **CALM}, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - began
    if done.returncode not in ends:
        raise SystemExit(f"{command}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return took


def in_turn(ours: Sequence[str], rival: Sequence[str], times: int) -> tuple[float, float, float]:
    """Time two commands in alternating runs: median ratio of neighbours, then both medians in s.

    What slows the machine down for a while slows both, so ratios of neighbours stand where seconds
    do not. The first pair fills the caches and is dropped.
    """
    pairs = [(seconds(ours), seconds(rival)) for _ in range(times + 1)][1:]
    ratio = median(mine / theirs for mine, theirs in pairs)
    return ratio, median(mine for mine, _ in pairs), median(theirs for _, theirs in pairs)


def repcheck(*arguments: str) -> list[str]:
    """Return the command of one repcheck process."""
    return [sys.executable, "-m", "repcheck", *arguments]


def present(doc: str | None, measure: Callable[[bool], list[Figure]]) -> None:
    """Read `--json` and `--quick`, measure (quickly or not), and print what was found."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="within a minute, from fewer runs")
    given = parser.parse_args()
    name = Path(sys.argv[0]).stem
    report = {"benchmark": name, "machine": machine(), "figures": measure(given.quick)}
    print(json.dumps(report) if given.json else table([report]))


def table(reports: Sequence[dict[str, Any]]) -> str:
    """Return all figures as a table: benchmark, figure, value, goal, met, rival."""
    rows = [("benchmark", "figure", "value", "goal", "met", "rival")]
    rows += [_row(report["benchmark"], found) for report in reports for found in report["figures"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(benchmark: str, found: Figure) -> tuple[str, ...]:
    sign = {"lower": "<=", "higher": ">="}[found["better"]]
    rival = str(found.get("rival") or "-")
    if found.get("rival_value") is not None:
        rival += f" ({found['rival_value']})"
    value = f"{found['value']} {found['unit']}"
    goal = "-" if found.get("goal") is None else f"{sign} {found['goal']}"
    met = {True: "yes", False: "NO", None: "-"}[found.get("met")]
    return benchmark, found["name"], value, goal, met, rival
