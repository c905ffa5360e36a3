"""Under which definitions of a metric a printed value is what the predictions give."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from repcheck.claims.model import Metric
from repcheck.facts.predicted import Scored
from repcheck.metric_names import meaning, question

SHARES = frozenset({"accuracy", "error", "f1"})
SINGLE = ("mae", "mse", "rmse", "r2", "spearman", "nll", "ece")
PERCENT = frozenset({"percent", "%"})
RELATIVE = 2e-5
"""Half a float32 has more room than this; two definitions of a metric hardly ever have less."""
_F1 = ("macro_f1", "micro_f1", "weighted_f1", "binary_f1")
_WORDS = {
    "macro_f1": "macro averaged F1", "micro_f1": "micro averaged F1", "weighted_f1": "weighted F1",
    "binary_f1": "F1 of the second class", "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy", "psnr_rgb": "PSNR on RGB", "psnr_y": "PSNR on Y",
    "exact_match": "share of examples that are right throughout",
}  # fmt: skip
_PLAIN = {"accuracy": {"accuracy", "balanced"}, "error": {"error"},
          "f1": {"f1", "macro", "micro", "weighted", "binary"},
          "psnr": {"psnr", "rgb", "y"}}  # fmt: skip
_FALLING = frozenset({"error", "mae", "mse", "rmse", "nll", "ece"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A value that was printed, and how far from it its truth may lie; in the metric's unit."""

    value: float
    slack: float

    @classmethod
    def of_runs(cls, values: Sequence[float]) -> list[Printed]:
        """Return the values of metrics files: half a last digit, or what single precision leaves.

        A last digit of zero is not written in such files: the longest number tells that of all.
        """
        unit = 10.0 ** -max(map(_decimals, values))
        return [cls(value=v, slack=max(unit / 2, RELATIVE * abs(v), 1e-9)) for v in values]

    def meets(self, other: float) -> bool:
        """Return whether a number, rounded as this one was, is this one."""
        return abs(other - self.value) <= self.slack * (1 + 1e-9)


def _decimals(value: float) -> int:
    mantissa, _, exponent = repr(float(f"{value:.12g}")).removesuffix(".0").partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


Pair = tuple[Printed, Mapping[str, float]]
"""What was printed, and what each definition gives for the same predictions."""


def words(name: str) -> str:
    """Return a definition in words: `psnr_y@4` is PSNR on Y, cut by 4."""
    bare, _, rest = name.removesuffix("_pooled").partition("@")
    said = _WORDS.get(bare, bare)
    cut = f", cut by {rest}" if rest else ""
    return said + cut + (" of the mean squared error of all" if name.endswith("_pooled") else "")


def rises(metric: Metric) -> bool:
    """Return whether more of a metric is better: as stated, else by its name."""
    return metric.higher_is_better.get(kind_of(metric) not in _FALLING)


def kind_of(metric: Metric) -> str:
    """Return the metric that a name is of (`accuracy`, `f1`, `psnr`, ...), or nothing."""
    read = metric.from_.get("").rpartition(":")[2].partition("@")[0]
    for text in (metric.id, read, metric.definition.get("")):
        asked = question(text)
        if meaning(text).split == "train" or meaning(text).split == "val":
            return ""
        for kind, allowed in _PLAIN.items():
            if kind in asked and asked <= allowed:
                return "" if metric.top_k.get(1) > 1 else kind
        for kind in SINGLE:
            if asked == {kind}:
                return kind
    return ""


def definitions(metric: Metric, scored: Scored) -> dict[str, float]:
    """Return what each definition of a metric gives for predictions, in the metric's unit.

    Empty where it is none that is recomputed here, or its unit is not stated.
    """
    kind, unit = kind_of(metric), metric.unit.get("")
    if not kind or (kind in SHARES and unit not in {*PERCENT, "fraction"}):
        return {}
    scale = 100.0 if kind in SHARES and unit in PERCENT else 1.0
    if kind == "error":
        if "accuracy" not in scored.values:
            return {}
        return {"accuracy": scale * (1 - scored.values["accuracy"])}
    names = [name for name in scored.values if _of_kind(name, kind)]
    return {name: scale * scored.values[name] for name in names}


def _of_kind(name: str, kind: str) -> bool:
    if kind == "accuracy":
        return name in {"accuracy", "balanced_accuracy", "exact_match"}
    if kind == "f1":
        return name in _F1
    return name.startswith("psnr_") if kind == "psnr" else name == kind


def declared(metric: Metric, names: Sequence[str]) -> list[str]:
    """Return the definitions that agree with what the authors say; all where they say nothing."""
    text = f"{metric.id} {metric.definition.get('')} {metric.average.get('')}".lower()
    said = set(re.findall(r"[a-z0-9]+", text.replace("_", " ")))
    kind = kind_of(metric)
    if kind in {"accuracy", "error"}:
        balanced = bool(said & {"balanced", "macro"})
        return [name for name in names if name.startswith("balanced") is balanced]
    if kind == "f1":
        stated = [name for name in names if name.removesuffix("_f1") in said]
        return stated if len(stated) == 1 else list(names)
    if kind == "psnr":
        channel = metric.colour_channel.get("").lower()
        kept = list(names)
        for short, named in (("y", {"y", "luma", "luminance"}), ("rgb", {"rgb"})):
            if channel in named or (not channel and named & said):
                kept = [name for name in kept if name.startswith(f"psnr_{short}")]
        if metric.crop_border.known:
            tail = f"@{metric.crop_border.value}" if metric.crop_border.value else ""
            kept = [name for name in kept if _tail(name) == tail]
        return kept
    return list(names)


def _tail(name: str) -> str:
    at = name.removesuffix("_pooled").partition("@")
    return at[1] + at[2]


def matching(pairs: Sequence[Pair]) -> list[str]:
    """Return the definitions under which every printed value is what its predictions give."""
    if not pairs:
        return []
    return [
        name
        for name in pairs[0][1]
        if all(name in given and printed.meets(given[name]) for printed, given in pairs)
    ]


def means(pairs: Sequence[Pair]) -> dict[str, float]:
    """Return the mean that each definition gives over all files that it is defined for."""
    names = dict.fromkeys(name for _, given in pairs for name in given)
    shared = [name for name in names if all(name in given for _, given in pairs)]
    return {name: math.fsum(given[name] for _, given in pairs) / len(pairs) for name in shared}


def printed_mean(pairs: Sequence[Pair]) -> float:
    """Return the mean of what was printed."""
    return math.fsum(printed.value for printed, _ in pairs) / len(pairs)


def apart(pairs: Sequence[Pair], names: Sequence[str]) -> Iterator[str]:
    """Yield the definitions whose numbers can be told from those of all of `names`."""
    for name in pairs[0][1]:
        if name not in names and any(
            abs(given[name] - given[one]) > 2 * printed.slack
            for printed, given in pairs
            for one in names
            if name in given and one in given
        ):
            yield name
