"""The verdicts of attribution on real trainings: seven cases, each at five and at eight seeds.

The cases are claims files of `tests/lab/attribution`. Method, baseline and arm train on seeds of
their own, as they would in two laboratories; nothing is kept from one call to the next.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from _bench import CALM, ROOT, Figure, figure

from repcheck.stats.attribution import attribute
from repcheck.stats.compare import Summary

LAB = ROOT / "tests" / "lab" / "attribution"
EXPECTED = {
    "norm": "gone",
    "pool": "gone",
    "epochs": "gone",
    "lr": "gone",
    "leak": "gone",
    "honest_norm": "survives",
    "honest_pool": "survives",
}
QUICK = ("norm", "honest_norm")
METHOD, BASELINE, ARM = 0, 100, 200
UNIT = 0.1
Training = tuple[tuple[str, ...], int]
Row = dict[str, Any]


def words(claims: dict[str, Any], method: str, override: dict[str, Any]) -> tuple[str, ...]:
    """Return a method's command without seed and folder; of two equal flags the last one counts."""
    stated = claims["methods"][method]
    optimizer = stated.get("optimizer", claims["defaults"]["optimizer"])
    values = {"epochs": stated["train"]["epochs"], "lr": optimizer["lr"], **override}
    command = stated["train"]["command"].removesuffix(" --seed {seed} --out {out}")
    for name, value in values.items():
        fragment = claims.get("overrides", {}).get(name)
        command = command.replace(f"{{{name}}}", str(value))
        if fragment and name in override:
            command += " " + fragment.replace("{value}", str(value))
    return tuple(shlex.split(command)[1:])


def trainings(name: str) -> dict[str, tuple[str, ...]]:
    """Return the commands of a case: the two sides between which the gain remains, and the gain's.

    An arm made of the baseline stands beside the method, one made of the method beside the
    baseline.
    """
    claims = yaml.safe_load((LAB / f"{name}.yaml").read_text(encoding="utf-8"))
    [arm] = claims["arms"]
    return {
        "method": words(claims, "ours", {}),
        "baseline": words(claims, "plain", {}),
        "arm": words(claims, arm["of"], arm["override"]),
        "of": (arm["of"],),
        "claimed": (str(claims["claims"][0]["improvement"]),),
    }


def train(training: Training) -> float:
    """Return the accuracy of one training, in percent.

    Raises:
        SystemExit: if the training fails: a missing score must not look like a bad one.
    """
    command, seed = training
    with TemporaryDirectory() as out:
        done = subprocess.run(
            [sys.executable, *command, "--seed", str(seed), "--out", out],
            cwd=LAB, env={**os.environ, **CALM}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{command}: ended with {done.returncode}\n{done.stderr}")
        return float(json.loads((Path(out) / "metrics.json").read_text())["test_accuracy"])


def rows(quick: bool) -> list[Row]:
    """Train what the cases need, each training once, and return a row a case and number of seeds.

    Quickly: two cases at five seeds, twenty trainings in place of 120.
    """
    sizes = (5,) if quick else (5, 8)
    cases = {name: trainings(name) for name in (QUICK if quick else EXPECTED)}
    first = {"method": METHOD, "baseline": BASELINE, "arm": ARM}
    wanted = {
        (case[side], start + k)
        for case in cases.values()
        for side, start in first.items()
        for k in range(max(sizes))
    }
    ordered = sorted(wanted)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        scores = dict(zip(ordered, pool.map(train, ordered), strict=True))
    found = []
    for name, case in cases.items():
        for n in sizes:
            summaries = {
                side: Summary.of([scores[case[side], start + k] for k in range(n)])
                for side, start in first.items()
            }
            found.append(row(name, n, case, summaries))
    return found


def row(name: str, n: int, case: dict[str, tuple[str, ...]], found: dict[str, Summary]) -> Row:
    """Return the verdict on one case, beside the one that is right."""
    upper, lower = ("method", "arm") if case["of"] == ("plain",) else ("arm", "baseline")
    judged = attribute(
        claimed=float(case["claimed"][0]),
        unit=UNIT,
        tolerance=None,
        upper=found[upper],
        lower=found[lower],
    )
    assert judged.interval is not None
    return {
        "case": name,
        "n": n,
        "claimed": judged.claimed,
        "gain": round(found["method"].mean - found["baseline"].mean, 2),
        "remains": round(judged.interval.estimate, 2),
        "low": round(judged.interval.low, 2),
        "high": round(judged.interval.high, 2),
        "high90": round(judged.hi90 or 0.0, 2),
        "margin": round(judged.margin, 2),
        "explained_at_least": round(judged.explained_at_least or 0.0, 3),
        "verdict": judged.verdict,
        "expected": EXPECTED[name],
    }


def figures(quick: bool) -> list[Figure]:
    """Return how many verdicts on real trainings differ from the expected ones, and how many of
    these let a guilty factor off or accuse an innocent one.

    A factor explains a gain where the verdict is `gone`, or `reduced` with half of it at least.
    """
    found = rows(quick)
    other = sum(one["verdict"] != one["expected"] for one in found)
    wrong = sum(_explains(one) != (one["expected"] == "gone") for one in found)
    return [
        figure(f"verdicts on {len(found)} rows of trainings unlike the expected", other,
               "verdicts", 0, cells=found),
        figure("of these, the factor wrongly explains the gain or wrongly does not", wrong,
               "verdicts", 0),
    ]  # fmt: skip


def _explains(one: Row) -> bool:
    half = one["verdict"] == "reduced" and one["explained_at_least"] >= 0.5
    return one["verdict"] == "gone" or half
