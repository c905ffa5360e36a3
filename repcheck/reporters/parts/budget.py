"""Budgets in one currency: a table and bars for the methods of each comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from repcheck.reporters.parts import text

Json = Mapping[str, Any]
MOST_GROUPS = 6
MOST_BASELINES = 5
_NAMES = {
    "steps": "optimizer steps",
    "samples": "samples",
    "tokens": "tokens",
    "epochs": "epochs, as stated",
    "effective_epochs": "effective epochs",
    "train_flops": "training FLOPs",
    "inference_flops": "inference FLOPs, one example",
    "params": "parameters",
    "wall": "time of a run here",
}
_ALIKE = 1.05
_BRIEF = {
    "samples": ("{} samples", "samples"),
    "train_flops": ("{} to train", "training FLOPs"),
    "inference_flops": ("{} an example", "inference FLOPs"),
    "params": ("{} parameters", "parameters"),
}
_DRAWN = ("samples", "train_flops", "inference_flops")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One amount of one method, and the ratio of the first method's to it; `more`: above 1.05."""

    said: str = ""
    how: str = ""
    bound: str = ""
    span: str = ""
    unknown: str = ""
    ratio: str = ""
    more: bool = False
    no_ratio: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One currency, in every method of the group; `apart` where a ratio is not within 5 % of 1."""

    key: str
    name: str
    cells: tuple[Cell, ...]
    apart: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One method's amount; `open` where it is a lower bound, empty `width` where it is unknown."""

    method: str
    width: str
    said: str
    seen: bool
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """The bars of one currency."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A method with the baselines that claims compare it with, in one dataset."""

    title: str
    methods: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    drawings: tuple[Drawing, ...]
    more: int

    @property
    def first(self) -> str:
        """Return the method that ratios are of."""
        return self.methods[0][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """All groups that find room, and how many more there are."""

    groups: tuple[Group, ...]
    more: int
    included: str


def budgets(report: Json) -> Budgets:
    """Return the budgets of every comparison, of a file without one those of all methods."""
    told = report.get("budget") or {}
    methods = {method["id"]: method for method in told.get("methods", ())}
    grouped: dict[tuple[str, str], list[Json]] = {}
    for one in told.get("comparisons", ()):
        if one["method"] in methods and one["baseline"] in methods:
            grouped.setdefault((one["method"], one["dataset"]), []).append(one)
    wanted = [_group(methods, *key, found) for key, found in list(grouped.items())[:MOST_GROUPS]]
    if not grouped and methods:
        wanted = [_alone(list(methods.values()))]
    return Budgets(
        groups=tuple(wanted),
        more=max(0, len(grouped) - MOST_GROUPS),
        included=str(told.get("included", "")),
    )


def brief(group: Group) -> list[tuple[str, list[str]]]:
    """Return what each method of a group takes: `36,000 samples (cnn ×3.33)`, ...

    An amount that was not observed says how it is known, and an unknown one that it is not.
    """
    rows = [row for row in group.rows if row.key in _BRIEF]
    return [
        (name, [_in_brief(row.key, row.cells[nth], group.first) for row in rows])
        for nth, (name, _) in enumerate(group.methods)
    ]


def _in_brief(key: str, cell: Cell, first: str) -> str:
    pattern, name = _BRIEF[key]
    if not cell.said:
        return f"{name} not known"
    how = "" if cell.how == "observed" else cell.how
    ratio = f"{first} {cell.ratio}" if cell.ratio else ""
    said = ", ".join(part for part in (how, ratio) if part)
    bound = "at least " if cell.bound else ""
    return f"{bound}{pattern.format(cell.said)}{f' ({said})' if said else ''}"


def _group(methods: Mapping[str, Json], name: str, dataset: str, found: Sequence[Json]) -> Group:
    shown = found[:MOST_BASELINES]
    sides = [methods[name], *(methods[one["baseline"]] for one in shown)]
    on = f" on {dataset}" if dataset else ""
    title = f"{name} beside {', '.join(one['baseline'] for one in shown)}{on}"
    return _made(title, sides, [one["ratios"] for one in shown], len(found) - len(shown))


def _alone(methods: Sequence[Json]) -> Group:
    shown = methods[: MOST_BASELINES + 1]
    return _made("All methods", shown, [], len(methods) - len(shown))


def _made(title: str, sides: Sequence[Json], ratios: Sequence[Json], more: int) -> Group:
    keys = [key for key in _NAMES if any(key in side["cells"] for side in sides)]
    return Group(
        title=text.short(title, 160),
        methods=tuple((side["id"], side["role"]) for side in sides),
        rows=tuple(_row(key, sides, ratios) for key in keys),
        drawings=tuple(
            made for key in _DRAWN if key in keys and (made := _drawing(key, sides)) is not None
        ),
        more=more,
    )


def _row(key: str, sides: Sequence[Json], ratios: Sequence[Json]) -> Row:
    found = [{}, *(one.get(key) or {} for one in ratios)]
    found += [{} for _ in sides[len(found) :]]
    cells = [_cell(side["cells"].get(key), one) for side, one in zip(sides, found, strict=True)]
    if key == "wall":  # of a machine that others use too
        cells = [replace(cell, more=False) for cell in cells]
    apart = any(not 1 / _ALIKE <= (one.get("ratio") or 1.0) <= _ALIKE for one in found)
    return Row(key=key, name=_NAMES[key], cells=tuple(cells), apart=apart)


def _cell(cell: Json | None, ratio: Json) -> Cell:
    if cell is None or cell.get("value") is None:
        return Cell(unknown=str((cell or {}).get("reason") or "not known"))
    times = ratio.get("ratio")
    return Cell(
        said=str(cell.get("text") or text.number(cell["value"])),
        how=str(cell.get("how") or cell.get("level") or ""),
        bound=str(cell.get("at_least") or ""),
        span=str(cell.get("span") or ""),
        ratio=_times(times, lower=bool(ratio.get("at_least"))) if times is not None else "",
        more=(times or 1.0) > _ALIKE,
        no_ratio=str(ratio.get("reason") or "") if times is None else "",
    )


def _times(ratio: float, *, lower: bool) -> str:
    """1.371 -> ×1.37; a ratio of a lower bound is at least that."""
    said = f"×{ratio:.2f}" if 0.005 <= ratio < 1000 else f"×{ratio:.3g}"
    return f"at least {said}" if lower else said


def _drawing(key: str, sides: Sequence[Json]) -> Drawing | None:
    values = [(side["cells"].get(key) or {}).get("value") for side in sides]
    most = max((value for value in values if value), default=0)
    if not most:
        return None
    bars = [_bar(side, key, value, most) for side, value in zip(sides, values, strict=True)]
    return Drawing(title=_NAMES[key], bars=tuple(bars))


def _bar(side: Json, key: str, value: float | None, most: float) -> Bar:
    cell = side["cells"].get(key) or {}
    return Bar(
        method=side["id"],
        width="" if value is None else f"{96 * value / most:.4g}%",
        said="not known" if value is None else str(cell.get("text") or ""),
        seen=cell.get("how") == "observed",
        open=bool(cell.get("at_least")),
    )
