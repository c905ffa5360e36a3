"""Whether forward and backward costs are what formulas of the layers say, and at what price.

    python tests/benchmarks/flops_accuracy.py --json [--quick]

For each network and operation of tests/flop_models.py the larger deviation of our forward and
backward counts from the formula, in percent; beside it the same of torch's FlopCounterMode and of
fvcore (forward only, no number for what it does not know). Every count is made in a process of its
own. `--quick` takes small sizes. The price is one forward and backward of a ResNet-50 with our
counter around it over the same without, in turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from _bench import CALM, ROOT, Figure, figure, present

MODELS = ROOT / "tests" / "flop_models.py"
WITHIN = 0.5  # percent
PRICE = 3.0
NONE = "no count"


def counted(who: str, *more: str) -> dict[str, Any]:
    """Return what one counter says of each case."""
    done = subprocess.run(
        [sys.executable, str(MODELS), who, *more],
        cwd=ROOT, env={**os.environ, **CALM}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{who}: ended with {done.returncode}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def deviation(row: dict[str, Any], *, backward: bool = True) -> float | None:
    """Return the larger deviation of both directions in percent; None: nothing was counted.

    A cost of nothing that was counted as something deviates by 100 %. What a fused backward makes
    anew belongs to the cost of a counter that cannot tell it apart.
    """
    if "failed" in row:
        return None
    forward, back, again, _ = row["true"]
    pairs = [(row["forward"], forward)]
    if back is not None and backward and "backward" in row:
        mine = row["backward"] + row.get("recompute", 0)
        pairs.append((mine, back + again))
    return 100 * max(abs(found / true - 1) if true else float(bool(found)) for found, true in pairs)


def said(found: float | None) -> str:
    """Return a rival's deviation as text."""
    return NONE if found is None else f"{found:.1f} % off"


def row_of(name: str, ours: dict[str, Any], torchs: dict[str, Any], fvcores: Any) -> Figure:
    """Return the figure of one case; a coverage below all of it is no exact count."""
    found = deviation(ours)
    if found is None:
        raise SystemExit(f"{name}: {ours['failed']}")
    coverage = ours["counted"] / ours["matrix"] if ours["matrix"] else 1.0
    theirs = deviation(torchs)
    return figure(
        f"{name}: off by", found, "%", WITHIN,
        rival=f"FlopCounterMode; fvcore forward {said(deviation(fvcores, backward=False))}",
        rival_value=None if theirs is None else round(theirs, 1),
        coverage=coverage,
    )  # fmt: skip


def measure(quick: bool) -> list[Figure]:
    """Return how far off each case is, how many cases lack a formula, and the price."""
    size = [] if quick else ["--full"]
    ours, torchs, fvcores = (counted(who, *size) for who in ("ours", "torch", "fvcore"))
    figures = [row_of(name, row, torchs[name], fvcores[name]) for name, row in ours.items()]
    lacking = sum(figure["coverage"] < 1 for figure in figures)
    figures.append(figure("cases with an operation that lacks a formula", lacking, "cases", 0))
    price = counted("time", *size, "ResNet-50")["ResNet-50"]
    theirs = counted("time-torch", *size, "ResNet-50")["ResNet-50"]
    figures.append(
        figure("a counted forward and backward of ResNet-50", price, "ratio", PRICE,
               rival="FlopCounterMode", rival_value=round(theirs, 3))
    )  # fmt: skip
    return figures


if __name__ == "__main__":
    present(__doc__, measure)
