"""Text and numbers as a reader sees them; nothing invisible stays invisible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from repcheck.visible import line as line
from repcheck.visible import visible as visible

_UNSAFE_IN_ID = re.compile(r"[^A-Za-z0-9_.-]+")


def short(text: object, most: int) -> str:
    """Return text on one line of at most so many characters."""
    whole = line(text)
    return whole if len(whole) <= most else f"{whole[: most - 1].rstrip()}…"


def number(value: object) -> str:
    """Return a number as people read it (`600,000`, `0.00123`), any other value as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:,.6g}"


def decimals(printed: str) -> int:
    """Return how many decimals to show beside a printed number: one more than it has."""
    found = re.search(r"\d\.(\d+)", printed)
    return min(6, len(found[1]) + 1) if found else 1


def fixed(value: float, places: int, *, sign: bool = False) -> str:
    """Return a number with so many decimals; `+0.00` and `-0.00` claim no direction."""
    if abs(value) >= 1e7 or 0 < abs(value) < 10.0 ** -(places + 1):
        return f"{value:+.3g}" if sign else f"{value:.3g}"
    rounded = round(value, places) + 0.0
    return f"{rounded:{'+' if sign and rounded else ''}.{places}f}".replace("-", "−")


def interval(bounds: list[float] | None, places: int, *, sign: bool = False) -> str:
    """Return `[+3.12, +6.56]`, or nothing where there is no interval."""
    if not bounds:
        return ""
    return "[" + ", ".join(fixed(bound, places, sign=sign) for bound in bounds) + "]"


def percent(share: float | None) -> str:
    """0.95 -> 95 %."""
    return f"{100 * share:.4g} %" if share is not None else ""


def seconds(value: float) -> str:
    """12.3 -> 12.3 s, 754 -> 12 min 34 s, 7512 -> 2 h 5 min."""
    if value < 60:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def count(n: int, noun: str) -> str:
    """1 seed, 2 seeds, 10,000 runs."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def place(where: Mapping[str, Any] | None) -> str:
    """Return `claims.yaml:8:16`, or nothing where the thing stands nowhere."""
    if not where or not where.get("line"):
        return ""
    return f"{where['file']}:{where['line']}:{where['column']}"


def anchor(text: str) -> str:
    """Return text as an id that can stand in a link."""
    return _UNSAFE_IN_ID.sub("-", text) or "-"


def link(url: object) -> str:
    """Return a web address that is safe to link to, or nothing."""
    text = str(url)
    if not text.isprintable() or visible(text) != text or " " in text:
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.netloc else ""
