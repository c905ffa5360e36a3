"""The report itself: what every other format is made from."""

from __future__ import annotations

import json
import re

from repcheck.reporter import Report, Reporter

# What could reorder or hide text in a terminal; JSON spells it as escapes without losing it.
_HIDDEN = re.compile(
    "[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def render(report: Report) -> str:
    """Return the report as JSON text."""
    text = json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


REPORTER = Reporter(
    name="json", about="everything, for programs", file="report.json", render=render
)
