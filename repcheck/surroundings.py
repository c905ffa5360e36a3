"""Where a check was made: versions, machine, and how the runs were kept apart."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version

from repcheck import __version__
from repcheck.runs import Runs, Status

_TOLD = ("numpy", "scipy", "pydantic", "PyYAML", "Jinja2", "click")
LEVEL_WORDS = {
    "limits": "own session, scrubbed environment, private copy, time and output limits; no sandbox:"
    " the runs had the rights of the person who started them",
}


def environment() -> dict[str, str]:
    """Return versions and the machine, as the report's provenance shows them."""
    found = {
        "repcheck": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": f"{platform.machine()}, {os.cpu_count() or 1} cores",
    }
    for name in _TOLD:
        try:
            found[name.lower()] = version(name)
        except PackageNotFoundError:
            found[name.lower()] = "not installed"
    return found


def isolation(runs: Runs) -> dict[str, str]:
    """Return how the runs were kept apart from the machine, and from the network."""
    levels = sorted({run.isolation for run in runs if run.isolation})
    level = ", ".join(levels) or "nothing was run"
    return {
        "level": level,
        "words": "; ".join(LEVEL_WORDS.get(one, one) for one in levels),
        "network": "not restricted" if runs else "",
        "probe": _probe(runs),
    }


def _probe(runs: Runs) -> str:
    """Return in how many runs a probe was, in how many it saw something, and its own errors."""
    probed = [run.observation for run in runs if run.observation is not None]
    if not probed:
        return "off: nothing was observed" if runs else ""
    share = "" if len(probed) == len(runs) else f" in {len(probed)} of {len(runs)} runs"
    seen = sum(one.seen for one in probed)
    blind = "" if seen == len(probed) else f"; it saw something in {seen} of {len(probed)}"
    count = sum(len(one.probe_errors) for one in probed)
    errors = f"; {count} error{'s' if count > 1 else ''} of its own" if count else ""
    return f"on{share}{blind}{errors}"


def without_probe(runs: Runs) -> str:
    """Return what to say of results that were made without a probe; "" if there are none."""
    ended = [run for run in runs if run.status is Status.OK]
    blind = sum(run.observation is None for run in ended)
    if not blind:
        return ""
    return (
        f"{blind} of {len(ended)} results in use were made without a probe: nothing is observed of"
        " them; `--rerun all` makes them again with one"
    )


def command_line() -> str:
    """Return the command as it could be typed again."""
    return shlex.join(["repcheck", *sys.argv[1:]])


def local_jobs() -> int:
    """Return how many runs at once suit this machine: one thread each, a core each."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
