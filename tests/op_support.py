"""The traces of tests/op_models.py: made once, in a Python of their own that has torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from repcheck.observation import NetworkSeen

SCRIPT = Path(__file__).with_name("op_models.py")
ADAPTER: TypeAdapter[NetworkSeen] = TypeAdapter(NetworkSeen)


@cache
def told() -> dict[str, Any]:
    """Return everything the script says."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SCRIPT)],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@cache
def network(name: str) -> NetworkSeen:
    """Return one network as it was seen."""
    return ADAPTER.validate_python(told()["networks"][name])
