"""What the probe costs a training: steps with it recording and silent in turn, in one process.

    python tests/benchmarks/probe_overhead.py --json [--quick]

Steps of about 1 ms and 30 ms; the ratio is that of the lower quartiles, which a busy machine
disturbs least. Where the probe is silent its thin wrappers are still in place, so what they cost by
themselves is measured apart: whole processes with and without a probe, in turn. The rival, in the
same run, logs one number a step with mlflow, from a cached environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median

from _bench import CALM, ROOT, Figure, figure, present

STEPS = Path(__file__).with_name("_probe_steps.py")
PATH = ROOT / "repcheck" / "inside" / "path"
RIVAL = "mlflow-skinny"
QUARTILE = 4  # of the nineteen cuts that part times into twenty
GOALS = {"tiny": (1.03, "1 ms"), "mid": (1.01, "30 ms")}
START_MS = 50.0


def clean() -> dict[str, str]:
    """Return the environment without anything of a probe in it."""
    return {k: v for k, v in os.environ.items() if "REPCHECK" not in k and k != "PYTHONPATH"} | CALM


def with_probe(folder: str) -> dict[str, str]:
    """Return the environment in which Python starts with the probe."""
    return clean() | {"PYTHONPATH": str(PATH), "REPCHECK_PROBE_OUT": folder}


def steps(
    size: str, what: str, blocks: int, count: int, python: str = sys.executable
) -> list[float]:
    """Return [ratio of the lower quartiles, seconds added, seconds of a step] of one process."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, str(STEPS), size, what, str(blocks), str(count)],
            env=with_probe(folder) if what == "probe" else clean(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{size} {what}: ended with {done.returncode}\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    on, off = found["True"][QUARTILE], found["False"][QUARTILE]
    return [on / off, on - off, off]


def rival(*, make: bool = True) -> tuple[str, str]:
    """Return the Python of the rival's own environment, or "" and why there is none.

    `make` says whether it is made where it does not lie in the cache.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = home / "repcheck-benchmarks" / f"{RIVAL}-{sys.version_info[0]}.{sys.version_info[1]}"
    python = place / "bin" / "python"
    if not (place / "ready").exists() and not make:
        return "", f"{RIVAL} is not installed: run this without --quick"
    if not (place / "ready").exists():
        venv.create(place, with_pip=True, clear=True)
        site = next((place / "lib").glob("python*")) / "site-packages"
        ours = [path for path in sys.path if path.endswith("site-packages")]
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "-q", RIVAL], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            return "", f"{RIVAL} cannot be installed: {done.stderr.strip()[-200:]}"
        (site / "ours.pth").write_text("\n".join(ours))
        (place / "ready").touch()
    return str(python), ""


def starts(times: int) -> float:
    """Return how many milliseconds later a Python with a probe ends that does nothing else."""
    added = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(times + 1):
            pair = [
                _milliseconds([sys.executable, "-c", "pass"], environment)
                for environment in (with_probe(folder), clean())
            ]
            added.append(pair[0] - pair[1])
    return median(added[1:])


def passed_through(times: int, count: int) -> float:
    """Return the ratio of whole trainings with a silent probe to those without any."""
    script = (
        f"import sys; sys.path.insert(0, {str(STEPS.parent)!r}); import time, _probe_steps\n"
        "step = _probe_steps.training('tiny')\n"
        "r = sys.modules.get('_repcheck_inside.recorder')\n"
        "for _ in range(50): step()\n"
        "if r: r.rec.on = False\n"
        f"found = []\nfor _ in range({count}):\n"
        "    b = time.perf_counter(); step(); found.append(time.perf_counter() - b)\n"
        "found.sort(); print(found[len(found) // 4])"
    )
    least: list[list[float]] = [[], []]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(times):
            for found, environment in zip(least, (with_probe(folder), clean()), strict=True):
                said = subprocess.check_output(
                    [sys.executable, "-c", script], env=environment, text=True
                )
                found.append(float(said))
    return min(least[0]) / min(least[1])


def _milliseconds(command: list[str], environment: dict[str, str]) -> float:
    import time

    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True)
    return 1000 * (time.perf_counter() - began)


def measure(quick: bool) -> list[Figure]:
    """Return the ratios of a step, the start-up, and what the rival costs in the same run."""
    figures = []
    python, why = rival(make=not quick)
    theirs = steps("tiny", "mlflow", 2 if quick else 4, 50, python) if python else None
    for size, (goal, named) in GOALS.items():
        blocks, count = ((4, 50) if quick else (60, 150)) if size == "tiny" else (
            (2, 10) if quick else (30, 24)
        )  # fmt: skip
        ratio, added, step = steps(size, "probe", blocks, count)
        about = {"rival": "mlflow.log_metric each step" if theirs else why}
        if theirs and size == "tiny":
            about["rival_value"] = round(theirs[0], 3)
        elif theirs:
            about["rival_value"] = round(1 + theirs[1] / step, 3)
        name = f"a step of about {named} ({1000 * step:.2f}), +{1e6 * added:.0f} us"
        figures.append(figure(name, ratio, "ratio", goal, **about))
    through = passed_through(1 if quick else 7, 200 if quick else 1000)
    figures.append(
        figure("the same 1 ms step, probe silent, over none at all", through, "ratio", 1.03)
    )
    figures.append(figure("start of Python", starts(5 if quick else 25), "ms", START_MS))
    return figures


if __name__ == "__main__":
    present(__doc__, measure)
