"""All rules, one file each. Adding a file here (and its fixtures) adds a rule."""

from __future__ import annotations

import importlib
import sys

from repcheck.discover import modules
from repcheck.rule import RULES, Rule


def load() -> dict[str, Rule]:
    """Import every rule module and return the rules by code."""
    modules(sys.modules[__name__])
    return dict(sorted(RULES.items()))


def load_family(family: str) -> dict[str, Rule]:
    """Import one family's rules only, which is quicker."""
    package = f"{__name__}.{family}"
    modules(importlib.import_module(package))
    return {code: rule for code, rule in sorted(RULES.items()) if rule.family == family}
