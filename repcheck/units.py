"""FLOPs, MACs, percent, seconds: read and print them one way."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit a number of the claims file is kept in; `"12 GFLOPs"` is read into it."""

    name: str


@dataclass(frozen=True, slots=True)
class Ge:
    """The least that a number of the claims file may be."""

    ge: float


@dataclass(frozen=True, slots=True)
class Gt:
    """What a number of the claims file must be above."""

    gt: float


@dataclass(frozen=True, slots=True)
class Le:
    """The most that a number of the claims file may be."""

    le: float


class NotANumber(ValueError):
    """Text that cannot be read as a number in this unit; `hint` says how to write it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class Reading(NamedTuple):
    """A number in its unit, and the unit text that was printed behind it (or none)."""

    value: int | float
    unit: str = ""


def decimals_for(size: float) -> int:
    """Return the decimals that show a number of this size with three figures: 5.1 -> 2, 26 -> 1."""
    if not math.isfinite(size) or size == 0:
        return 2
    # 0.1 has the logarithm -0.99999... on some machines: round before flooring.
    return min(6, max(0, 2 - math.floor(round(math.log10(abs(size)), 9))))


_PLAIN = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?").fullmatch
_WHOLE = re.compile(r"[-+]?[0-9]+").fullmatch
_BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+").fullmatch
_NOT_FINITE = re.compile(r"[-+]?\.?(?:inf|infinity|nan)", re.IGNORECASE).fullmatch
_WITH_UNIT = re.compile(
    r"([-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?:[eE][-+]?[0-9]+)?)\s*(\S.*)?",
    re.DOTALL,
).fullmatch
_IN_BRACKETS = re.compile(r"\(\s*[0-9.,]+\s*\)\s*%?").fullmatch
_INEQUALITY = re.compile(r"^(?:[pP]\s*)?(?:<=|>=|<|>|=|≤|≥)?\s*")
_DIGITS = 400  # longer than any number that a float can hold

_SCALE = {
    "": 1.0,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "B": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
}
_WORDS = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_COUNT = {key: scale for key, scale in _SCALE.items() if key in "kKMGBT"} | _WORDS
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "secs": 1.0,
    "second": 1.0, "seconds": 1.0, "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0,
    "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
_BYTES = {
    "B": 1e-6, "KB": 1e-3, "kB": 1e-3, "MB": 1.0, "GB": 1e3, "TB": 1e6,
    "KiB": 1024e-6, "MiB": 1.048576, "GiB": 1073.741824, "TiB": 1099511.627776,
}  # fmt: skip
_OPERATIONS = re.compile(r"([kKMGTPE]?)\s*-?(flops?|macs?|madds?|mult-adds|multiply-adds)", re.I)
_RATE = re.compile(r"[\w -]*/\s*(s|sec|second)|[\w -]+ per second|fps|it/s|QPS|qps")
_POINTS = {
    "pp", "pps", "p.p.", "pt", "pts", "point", "points", "percentage points", "percentage point",
    "percent points", "%-points", "%p", "% points",
}  # fmt: skip
_PERCENT = {"%", "percent", "per cent", "pct"}
_KNOWN = {
    "count": "k, M, G or B, T, million, billion",
    "seconds": "ns, us, ms, s, min, h, d",
    "minutes": "s, min, h, d",
    "hours": "s, min, h, d, GPU hours",
    "ms": "ns, us, ms, s",
    "MB": "B, KB, MB, GB, TB, KiB, MiB, GiB",
    "GB": "B, KB, MB, GB, TB, KiB, MiB, GiB",
    "flops": "FLOPs, kFLOPs, MFLOPs, GFLOPs, TFLOPs, PFLOPs, EFLOPs, and the same with MACs",
    "rate": "/s, images/s, samples/s, tokens/s, fps",
    "": "no unit here",
}


def read_number(text: str, unit: str = "count") -> Reading:
    """Read a printed number into a unit.

    The units: seconds, minutes, hours, ms, MB, GB, flops, rate, count, score, gain, p (a p-value,
    which may be a bound: `"< .05"`).
    MACs are scaled by their prefix only and never doubled: the unit text says what they are.
    A percentage keeps its printed size (`"94.3 %"` is 94.3, unit `%`).

    Raises:
        NotANumber: if the text is no finite number, or its unit is not known.
    """
    if _PLAIN(text) and len(text) < _DIGITS:
        broken = "." in text or "e" in text or "E" in text
        return Reading(_finite(float(text) if broken else int(text), text))
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    if len(text) >= _DIGITS:
        raise NotANumber("is far too long for a number", "write the digits that the paper prints")
    if _BASED(text):
        return Reading(int(text, 0))
    if _NOT_FINITE(text):
        raise NotANumber(f"`{text}` is not a finite number", "write the number, or `undeclared`")
    if unit == "p":
        text = _INEQUALITY.sub("", text)
    match = _WITH_UNIT(text)
    if match is None:
        raise NotANumber(f"`{_short(text)}` is not a number", _inexact(text))
    number, printed = match[1].replace(",", ""), (match[2] or "").strip()
    value = int(number) if _WHOLE(number) else float(number)
    return _in_unit(value, printed, unit, text) if printed else Reading(_finite(value, text))


def _in_unit(value: int | float, printed: str, unit: str, text: str) -> Reading:
    if any(mark in printed for mark in ("±", "+-", "+/-")):
        raise NotANumber(f"`{_short(text)}` is two numbers", "write the spread beside it, as `std`")
    if printed.startswith(",") and printed[1:].isdigit():
        raise NotANumber(f"`{_short(text)}` has a decimal comma", "write a decimal point")
    if unit in ("score", "gain"):
        return Reading(_finite(value, text), _printed_score(printed, text))
    factor = _factor(printed, unit)
    if factor is None:
        known = _KNOWN.get(unit, _KNOWN[""])
        raise NotANumber(f"`{_short(printed)}` is not a unit known here", f"known: {known}")
    scaled = value * factor
    whole = unit == "count" and math.isfinite(scaled) and scaled == round(scaled, 6)
    return Reading(_finite(round(scaled) if whole else scaled, text), printed)


def _printed_score(printed: str, text: str) -> str:
    if printed in _PERCENT:
        return "%"
    if printed in _POINTS:
        return "points"
    if _IN_BRACKETS(printed):
        raise NotANumber(f"`{_short(text)}` is two numbers", "write the spread beside it, as `std`")
    if printed[0].isdigit() or printed[0] in ",;:-+.(_/" or len(printed) > 40:
        raise NotANumber(f"`{_short(text)}` is not one number", "write each number by itself")
    return printed


def _inexact(text: str) -> str:
    """Return how to write what is no exact number: a bound, an estimate, marked or empty text."""
    if not text or not any(character.isdigit() for character in text):
        return "write the number, or `undeclared`"
    if text[0] in "~≈<>≤≥":
        return "write the number as the paper's table has it; a bound is no number"
    return "write the digits alone, without marks"


def _factor(printed: str, unit: str) -> float | None:
    if unit == "count":
        return _COUNT.get(printed)
    if unit == "rate":
        return 1.0 if _RATE.fullmatch(printed) else None
    if unit in ("MB", "GB"):
        factor = _BYTES.get(printed)
        return factor if factor is None or unit == "MB" else factor / 1e3
    if unit == "flops":
        match = _OPERATIONS.fullmatch(printed)
        return _SCALE[match[1].upper()] if match else _COUNT.get(printed)
    if unit == "hours":
        printed = re.sub(r"^(?:GPU|TPU|CPU|device)[ -]?", "", printed, flags=re.IGNORECASE)
    factor = _SECONDS.get(printed)
    base = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "ms": 1e-3}.get(unit)
    return None if factor is None or base is None else factor / base


def convention_of(printed: str) -> str:
    """Return what an operation count's unit text says it counts: `flops`, `macs` or nothing."""
    match = _OPERATIONS.fullmatch(printed)
    if match is None:
        return ""
    return "flops" if match[2].lower().startswith("flop") else "macs"


def _finite(value: int | float, text: str) -> int | float:
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise NotANumber(f"`{_short(text)}` is not a finite number")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def decimals(text: str) -> int:
    """Return how many decimals a printed number shows: `"93.40"` has two, `"1e-3"` three."""
    match = _WITH_UNIT(text.strip().replace("\N{MINUS SIGN}", "-"))
    if match is None:
        return 0
    mantissa, _, exponent = match[1].lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))


_STEPS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def print_scaled(value: float, unit: str = "") -> str:
    """Print a count or an operation count with a prefix: `210 kFLOPs`, `7.66 M`."""
    for step, prefix in _STEPS:
        if abs(value) >= step * 0.9995:
            return f"{value / step:.3g} {prefix}{unit}".rstrip()
    return f"{value:.3g} {unit}".rstrip()


def print_duration(seconds: float) -> str:
    """Print a time: `0.5 s`, `12 min`, `3.2 h`, `4 ms`."""
    for limit, divisor, unit in ((1.0, 1e-3, "ms"), (120.0, 1.0, "s"), (7200.0, 60.0, "min")):
        if abs(seconds) < limit:
            return f"{seconds / divisor:.3g} {unit}"
    return f"{seconds / 3600:.3g} h"
