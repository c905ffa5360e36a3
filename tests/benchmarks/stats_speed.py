"""How fast the resampling statistics are beside the libraries in use, and that they agree.

    python tests/benchmarks/stats_speed.py --json [--quick]

Both sides are timed in turn in one process of one environment, the rivals' own: rliable 1.2.0 fails
on import with pandas 3, so it is kept apart, in a folder of the system's temporary ones, and made
once. Where it cannot be made the figures stay, not met, with the reason. Slow rivals are timed on
fewer repetitions and scaled, which the figure's name says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from _bench import CALM, ROOT, Figure, figure, present

PINS = ("rliable==1.2.0", "deepsig==1.2.8", "pandas<3")
READY = "ready"
TASKS, RUNS, METHODS, DRAWS = 26, 5, 5, 10_000
COMPARISONS = 200
ERRORS = "standard errors of the draws"
# Name: the rival, how many times faster we are to be, how far results may lie apart and in what.
AIMS: Mapping[str, tuple[str, float, float, str]] = {
    "interval of the interquartile mean": ("rliable", 100, 4, ERRORS),
    "probability of improvement": ("rliable", 1000, 4, ERRORS),
    "almost stochastic order": ("deepsig", 1000, 0.03, "of 0 to 1"),
    "200 comparisons of 5 + 5 seeds, all splits": ("scipy", 500, 1e-9, "in p"),
    "200 comparisons of 11 + 11 seeds, 9,999 splits": ("scipy", 500, 4, ERRORS),
}


def environment() -> tuple[Path | None, str]:
    """Return the Python of the rivals' environment, made where it is not yet, or why there is
    none.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = Path(tempfile.gettempdir()) / f"repcheck-rivals-{os.getuid()}" / f"stats-{version}"
    python = folder / "bin" / "python"
    if (folder / READY).exists():
        return python, ""
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "-q", *PINS],
        [str(python), "-c", "import rliable.library, deepsig"],
    )
    for command in commands:
        try:
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = str(error.stderr or error).strip().splitlines()
            return None, f"the rivals cannot be installed: {said[-1]}"
    (folder / READY).touch()
    return python, ""


def measure(quick: bool) -> list[Figure]:
    """Return ratios and differences, from the rivals' environment."""
    python, reason = environment()
    if python is not None:
        done = subprocess.run(
            [str(python), __file__, "--inside", *(["--quick"] if quick else [])],
            cwd=ROOT, env={**os.environ, **CALM}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return figures(json.loads(done.stdout))
        reason = f"the rivals broke: {(done.stderr.strip().splitlines() or ['?'])[-1]}"
    return missing(reason)


def figures(found: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Return two figures for each comparison."""
    shown = []
    for name, (rival, goal, most, unit) in AIMS.items():
        one = found[name]
        ratio = figure(
            f"{name}{one['scaled']}", one["rival"] / one["ours"], "times faster", goal, rival=rival,
            rival_value=f"{one['rival']:.3g} s against {1e3 * one['ours']:.3g} ms",
        )  # fmt: skip
        ratio |= {"better": "higher", "met": ratio["value"] >= goal}
        shown += [ratio, figure(f"{name}, largest difference", one["apart"], unit, most)]
    return shown


def missing(reason: str) -> list[Figure]:
    """Return the figures nobody could measure: none is met."""
    shown = []
    for name, (rival, goal, _, _) in AIMS.items():
        one = figure(name, 0.0, "times faster", goal, rival=rival, reason=reason)
        shown.append(one | {"better": "higher", "met": False})
    return shown


# --- in the rivals' environment ---------------------------------------------------------------


def best(work: Callable[[], Any], times: int) -> tuple[float, Any]:
    """Return the least seconds of so many, and the last result."""
    took, result = [], None
    for _ in range(times):
        began = time.perf_counter()
        result = work()
        took.append(time.perf_counter() - began)
    return min(took), result


def inside(quick: bool) -> dict[str, dict[str, Any]]:
    """Time both sides."""
    import numpy as np

    random = np.random.default_rng(20261121)
    np.random.seed(20261121)  # rliable draws from it, whatever it is given
    arms = {f"method {i}": random.gamma(2, 0.5, (RUNS, TASKS)) for i in range(METHODS)}
    names = list(AIMS)
    return {
        names[0]: interquartile(arms, random, 1 if quick else 3),
        names[1]: improvement(arms, random, 50 if quick else 300),
        names[2]: order(random, 1 if quick else 5),
        names[3]: permutations(5, random, 10 if quick else COMPARISONS),
        names[4]: permutations(11, random, 3 if quick else 20),
    }


def interquartile(arms: Mapping[str, Any], random: Any, times: int) -> dict[str, Any]:
    import numpy as np
    from rliable import library, metrics

    from repcheck.stats.aggregate import iqm_intervals

    def theirs() -> Any:
        return library.get_interval_estimates(
            arms, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=DRAWS
        )

    tasks = {name: scores.T for name, scores in arms.items()}
    slow, (estimates, intervals) = best(theirs, times)
    quick, found = best(lambda: iqm_intervals(tasks, random=random, draws=DRAWS), 5)
    for name, one in found.items():
        assert abs(one.estimate - estimates[name][0]) < 1e-9
    apart = max(errors(one, intervals[name][:, 0], DRAWS) for name, one in found.items())
    what = f", {METHODS} methods x {TASKS} tasks x {RUNS} runs x {DRAWS:,} draws"
    return {"ours": quick, "rival": slow, "apart": apart, "scaled": what}


def errors(one: Any, ends: Any, draws: int) -> float:
    """Return how many Monte-Carlo standard errors our interval, unstretched, lies from theirs.

    Of a normal sample of d draws, 3.92 sd wide between its 2.5 % and 97.5 % points, each of these
    has the standard error sqrt(.025 x .975 / d) sd / phi(1.96).
    """
    own = [one.estimate + (end - one.estimate) / one.stretch for end in (one.low, one.high)]
    width = max(ends[1] - ends[0], own[1] - own[0])
    error = (0.025 * 0.975 * (1 / draws + 1 / DRAWS)) ** 0.5 / 0.05844 * width / 3.92
    return max(abs(mine - other) for mine, other in zip(own, ends, strict=True)) / error


def improvement(arms: Mapping[str, Any], random: Any, draws: int) -> dict[str, Any]:
    from rliable import library, metrics

    from repcheck.stats.aggregate import probability_of_improvement

    first, second = list(arms.values())[:2]

    def theirs() -> Any:
        return library.get_interval_estimates(
            {"pair": (first, second)}, metrics.probability_of_improvement, reps=draws
        )

    slow, (estimates, intervals) = best(theirs, 1)
    quick, found = best(
        lambda: probability_of_improvement(first.T, second.T, random=random, draws=DRAWS), 5
    )
    assert abs(found.estimate - estimates["pair"]) < 1e-9
    return {
        "ours": quick, "rival": slow * DRAWS / draws,
        "apart": errors(found, intervals["pair"].ravel(), draws),
        "scaled": f", {TASKS} tasks x {RUNS} runs x {DRAWS:,} draws, scaled from {draws}",
    }  # fmt: skip


def order(random: Any, times: int) -> dict[str, Any]:
    from deepsig import aso

    from repcheck.stats.aggregate import almost_stochastic_order

    slow = quick = apart = 0.0
    for n in (5, 10, 30)[: 3 if times > 1 else 1]:
        a, b = random.normal(0.5, 1, n), random.normal(0, 1, n)
        one, bound = best(lambda a=a, b=b: aso(a, b, seed=1, show_progress=False), min(times, 2))
        two, found = best(lambda a=a, b=b: almost_stochastic_order(a, b, random=random), 5)
        slow, quick, apart = slow + one, quick + two, max(apart, abs(float(bound) - found))
    return {"ours": quick, "rival": slow, "apart": apart, "scaled": ", 1,000 draws"}


def permutations(n: int, random: Any, compared: int) -> dict[str, Any]:
    import numpy as np
    from scipy.stats import permutation_test

    from repcheck.stats.permutation import two_samples

    a, b = random.normal(0.5, 1, (COMPARISONS, n)), random.normal(0, 1, (COMPARISONS, n))

    def difference(x: Any, y: Any, axis: int) -> Any:
        return x.mean(axis=axis) - y.mean(axis=axis)

    def theirs() -> list[float]:
        return [
            permutation_test(
                (x, y), difference, vectorized=True, alternative="greater",
                n_resamples=np.inf if n == 5 else 9_999, random_state=1,
            ).pvalue
            for x, y in zip(a[:compared], b[:compared], strict=True)
        ]  # fmt: skip

    slow, expected = best(theirs, 1)
    quick, found = best(lambda: two_samples(a, b, random=random), 5)
    p = found.p_greater[:compared]
    error = 1.0 if found.exact else np.sqrt(2 * p * (1 - p) / found.splits)
    return {
        "ours": quick, "rival": slow * COMPARISONS / compared,
        "apart": float((np.abs(p - expected) / error).max()),
        "scaled": "" if compared == COMPARISONS else f", scaled from {compared}",
    }  # fmt: skip


if __name__ == "__main__":
    if "--inside" in sys.argv:
        warnings.simplefilter("ignore")
        print(json.dumps(inside("--quick" in sys.argv)))
    else:
        present(__doc__, measure)
