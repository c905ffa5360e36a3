"""One cell of a results table as papers print it: a number, its spread, and how it is marked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from repcheck.stats.printed import LONGEST, Printed, parse

_NUMBER = r"(?:\d[\d.,]*|[.,]\d+)(?:[eE][-+]?\d+)?"
_CELL = re.compile(
    rf"(?P<bound>~|≈|>=|<=|≥|≤|>|<|about\s|ca\.?\s)?\s*(?P<value>[-+]?{_NUMBER})(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_SPREAD = re.compile(rf"\s*(?P<percent>%)?\s*±\s*(?P<spread>{_NUMBER})\s*%?\s*")
_CONCISE = re.compile(r"\((?P<digits>\d+)\)\s*%?")
_IN_BRACKETS = re.compile(r"\s*%?\s*\((?:std\s*)?(?P<spread>\d*[.,]\d+)\)\s*%?")
_GAIN = re.compile(rf"\s*%?\s*\(?\s*(?P<gain>[-+↑↓]\s*{_NUMBER})\s*(?P<percent>%)?\s*\)?\s*")
_UNIT = re.compile(r"\s*(?P<unit>%|[A-Za-zµμ]{1,12}(?:/[a-z]{1,4})?)?\s*")
_SEEDS = re.compile(
    r"\s*[(\[]\s*(?:n\s*=\s*(?P<n>\d{1,6})|(?P<m>\d{1,6})\s*(?:seeds|runs|trials))\s*[)\]]\s*$",
    re.IGNORECASE,
)
_MISSING = frozenset(
    {"", "-", "--", "---", "–", "—", "n/a", "na", "n.a.", "nan", "none", "oom", "?", "/", "x", "✗"}
)
_BOLD = re.compile(r"\*\*(.+?)\*\*|__(.+?)__|<b>(.+?)</b>|\\(?:textbf|mathbf|bm|bf)\s*\{([^{}]*)\}")
_MARKED = re.compile(r"\\(?:underline|textit|emph|mathrm|text|uline)\s*\{([^{}]*)\}|<u>(.+?)</u>")
_ARROW = re.compile(r"\\(up|down)arrow\b", re.IGNORECASE)
_CITED = re.compile(r"~?\\cite[a-z]*\s*(?:\[[^\]]*\])*\{[^{}]*\}")
_RAISED = re.compile(r"\^\s*(?:\{[^{}]*\}|\\?[a-zA-Z]+|[*†‡§])")
_FOOTNOTE = re.compile(r"(?:[*†‡§¶♠♣]|\^\{[^{}]*\}|\^[*a-z]|\s*\[\d+\])+$")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_EUROPEAN = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+")


class NoCell(ValueError):
    """Text that is not read as a number; the message says why and how to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A number as printed; no `value` where nothing stands there.

    `inexact` is the mark of a bound or an estimate (`~93`, `>99`): no arithmetic is done on it.
    `gain` is what stands behind the number with a sign, `unit` the word behind it, `n` the seeds
    that the cell itself names (`93.4 ± 0.2 (n=5)`), 0 if none. `empty` is the text of a cell
    without a number (`-`, `NaN`).
    """

    value: Printed | None = None
    spread: Printed | None = None
    gain: Printed | None = None
    inexact: str = ""
    unit: str = ""
    bold: bool = False
    n: int = 0
    empty: str = ""


def read_cell(text: str) -> Cell:
    """Read one cell.

    Raises:
        NoCell: if it is neither empty nor one number with at most a spread or a gain.
    """
    plain, bold = _undressed(text)
    if plain.casefold() in _MISSING:
        return Cell(bold=bold, empty=text.strip())
    seeds = _SEEDS.search(plain)
    if seeds is not None:
        count = int(seeds["n"] or seeds["m"])
        return replace(read_cell(plain[: seeds.start()]), bold=bold, n=count)
    match = _CELL.fullmatch(plain)
    if match is None:
        raise NoCell(f"`{_short(text)}` is no number: write one, or `-` where there is none")
    value = number(match["value"])
    rest, inexact = match["rest"], (match["bound"] or "").strip()
    cell = Cell(value=value, inexact=inexact, bold=bold)
    return _with_rest(cell, rest, text) if rest.strip() else cell


def plain_name(text: str) -> str:
    """Return the name of a method or column without LaTeX and markdown; its arrows are kept."""
    plain = _ARROW.sub(lambda mark: "↑" if mark[1].lower() == "up" else "↓", text)
    plain = _CITED.sub("", plain).replace("\\%", "%").replace("\\_", "_").replace("\\&", "&")
    for _ in range(4):
        plain = _MARKED.sub(_inner, _BOLD.sub(_inner, plain))
    plain = _RAISED.sub("", plain).replace("$", "").replace("{", "").replace("}", "")
    return " ".join(plain.split())


def _undressed(text: str) -> tuple[str, bool]:
    """Return a cell without LaTeX, markdown and footnote marks, and whether it is bold."""
    plain = text.replace("\N{MINUS SIGN}", "-").replace("\\pm", "±").replace("\\%", "%")
    plain = plain.replace("$", "").replace("\\,", "").replace("\N{NO-BREAK SPACE}", " ")
    plain = plain.replace("\N{THIN SPACE}", "").replace("+/-", "±").replace("+-", "±")
    bold = bool(_BOLD.search(plain))
    for _ in range(4):
        plain = _MARKED.sub(_inner, _BOLD.sub(_inner, plain))
    plain = re.sub(r"[_^]?\{\s*±", "±", plain).replace("_±", "±").replace("^±", "±")
    plain = _FOOTNOTE.sub("", plain.strip())
    return plain.replace("{", "").replace("}", "").strip(), bold


def _inner(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


def _with_rest(cell: Cell, rest: str, text: str) -> Cell:
    assert cell.value is not None
    if match := _SPREAD.fullmatch(rest):
        spread = number(match["spread"])
    elif match := _CONCISE.fullmatch(rest):
        unit = cell.value.unit
        spread = Printed(value=int(match["digits"]) * unit, unit=unit, text=match["digits"])
    elif match := _IN_BRACKETS.fullmatch(rest):
        spread = number(match["spread"])
    elif match := _GAIN.fullmatch(rest):
        return _gained(cell, match)
    elif match := _UNIT.fullmatch(rest):
        return _made(cell, unit=match["unit"] or "")
    elif re.fullmatch(r"\s+\(\d+\)\s*", rest):
        raise NoCell(f"`{_short(text)}`: a spread or a rank? Write `±` before a spread")
    else:
        raise NoCell(f"`{_short(text)}` is more than one number: give each a column of its own")
    return _made(cell, spread=spread, unit="%" if "%" in rest else "")


def _gained(cell: Cell, match: re.Match[str]) -> Cell:
    words = re.sub(r"\s", "", match["gain"])
    sign, digits = (-1 if words[0] in "-↓" else 1), words[1:]
    return _made(cell, gain=number(digits).scaled(sign), unit="%" if match["percent"] else "")


def _made(
    cell: Cell, *, spread: Printed | None = None, gain: Printed | None = None, unit: str = ""
) -> Cell:
    if gain is not None and gain.value < 0:
        gain = replace(gain, text=f"-{gain.text}")
    return replace(cell, spread=spread, gain=gain, unit=unit)


def number(text: str) -> Printed:
    """Read one number with a decimal point or comma, and thousands marked without doubt.

    Raises:
        NoCell: if it is none, or can be read in two ways (`12,345`).
    """
    if len(text) > LONGEST:
        raise NoCell(f"`{_short(text)}` is far too long for a number")
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text.removeprefix("+"))
    mantissa, mark, exponent = digits.partition("e" if "e" in digits else "E")
    if _EUROPEAN.fullmatch(mantissa):
        mantissa = mantissa.replace(".", "").replace(",", ".")
    elif "," in mantissa:
        mantissa = _without_commas(mantissa, text)
    try:
        shown = parse(f"{sign}{mantissa}{mark}{exponent}")
        whole = Fraction(f"{sign}{mantissa}{mark}{exponent}")
    except (ValueError, OverflowError):
        raise NoCell(f"`{_short(text)}` is no number") from None
    if shown.value != whole:
        raise NoCell(f"`{_short(text)}` is no number")
    return shown


def _without_commas(mantissa: str, text: str) -> str:
    if "." in mantissa or mantissa.count(",") > 1:
        if _THOUSANDS.fullmatch(mantissa):
            return mantissa.replace(",", "")
        raise NoCell(f"`{_short(text)}` is no number")
    before, after = mantissa.split(",")
    if len(after) == 3 and 1 <= len(before) <= 3 and before != "0":
        raise NoCell(f"`{_short(text)}` can be {before}.{after} or {before}{after}: write it so")
    return f"{before}.{after}"


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 40 else f"{plain[:37]}..."
