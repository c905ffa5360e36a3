"""How long the page of a very large report takes, and how large it gets."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from repcheck.reporter import named
from tests.sample_report import large, sample

GOALS = {"render": 3.0, "size": 3.0, "first": 1.0, "markdown": 65_000}


def figure(name: str, value: float, unit: str, goal: float) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "goal": goal,
        "better": "lower",
        "met": value <= goal,
    }


def timed(name: str, report: dict[str, object]) -> tuple[float, str]:
    start = time.perf_counter()
    said = named(name).render(report)
    return time.perf_counter() - start, said


def measure(*, quick: bool) -> list[dict[str, object]]:
    claims, runs = (200, 2_000) if quick else (1_000, 10_000)
    first, _ = timed("html", sample())  # includes importing and compiling the templates
    report = large(claims, runs)
    seconds, html = min(timed("html", report) for _ in range(1 if quick else 3))
    _, markdown = timed("markdown", report)
    size = len(html.encode()) / 1e6
    about = f"{runs} runs, {claims} claims"
    return [
        figure(f"html of {about}", seconds, "s", GOALS["render"]),
        figure(f"html of {about}, size", size, "MB", GOALS["size"]),
        figure("html of a small report, cold", first, "s", GOALS["first"]),
        figure("markdown, size", len(markdown), "characters", GOALS["markdown"]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    figures = measure(quick=given.quick)
    machine = {"python": platform.python_version(), "cores": os.cpu_count()}
    if given.json:
        print(json.dumps({"benchmark": "report_render", "machine": machine, "figures": figures}))
        return
    for one in figures:
        said = "met" if one["met"] else "NOT met"
        print(f"{one['name']}: {one['value']} {one['unit']} (goal {one['goal']}: {said})")


if __name__ == "__main__":
    main()
