"""All rules, one file each. Adding a file here (and its fixtures) adds a rule."""

from __future__ import annotations

import sys

from repcheck.discover import modules
from repcheck.rule import RULES, Rule


def load() -> dict[str, Rule]:
    """Import every rule module and return the rules by code."""
    modules(sys.modules[__name__])
    return dict(sorted(RULES.items()))
