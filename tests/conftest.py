"""What every test run needs of its surroundings."""

from __future__ import annotations

import compileall
import os
import signal
from pathlib import Path

import hypothesis
import pytest

# The files that take longest, longest first: pytest-xdist else begins with those of most tests and
# ends with one worker in the trainings of a single test.
LONG = (
    "test_lab_attribution", "test_benchmarks", "test_lab_tricks", "test_probe_scripts",
    "test_lab_honest", "test_lab_probe",
)  # fmt: skip

# A test run that a script started in the background inherits ignored signals, and hands them on to
# every process it starts; tests of Ctrl-C need the default.
for _number, _default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _default)

# The same examples in every run, and none fails because the machine was busy.
hypothesis.settings.register_profile(
    "steady", deadline=None, derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)  # fmt: skip
hypothesis.settings.load_profile("steady")

if "PYTEST_XDIST_WORKER" not in os.environ:
    # Where Python is told to write no bytecode, each process that a test starts would compile the
    # whole package again.
    compileall.compile_dir(Path(__file__).parents[1] / "repcheck", quiet=2)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    turn = {name: at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: turn.get(item.path.stem, len(turn)))
