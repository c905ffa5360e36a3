"""A large model is compared with a small rival whose large form is left out.

## What it catches
A method with over 1.25 times the parameters (or FLOPs) of its baseline, where the baseline exists
in a larger size that no row shows; a baseline that was measured and left out; a method trained on
the very metric, beside one that was not.

## When it is legitimate
Unequal sizes on a cost and quality curve, a rival of equal size in the same table, no larger form
to be had. A larger baseline is no finding.

## How it is decided
The parameters (else FLOPs) of both, as a rerun measured them, else as declared;
`variants_available`, `measured_not_reported.baselines` and the names of the losses.

## How to fix
Add the rival at your size (or yourself at its size), or a curve over sizes.

## Source
hzwer 5.6
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from repcheck.budget import figure
from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claims, Loss, Method, Model
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Quantity
from repcheck.facts.costs import Cost, Costs, counted
from repcheck.facts.table import Table
from repcheck.finding import maybe_macs, times
from repcheck.rule import Answer, Cleared, Flagged, Kind, NotApplicable, Outcome, Severity, rule

_SIZES = ("nano", "tiny", "small", "base", "large", "huge", "giant")
_SHORT = {"n": 0, "t": 1, "s": 2, "b": 3, "medium": 3, "m": 3, "l": 4, "xl": 5, "h": 5, "g": 6}
_SURROGATES = {
    "dice": ("dice",), "iou": ("iou", "jaccard", "lovasz"), "miou": ("iou", "jaccard", "lovasz"),
    "ssim": ("ssim",), "lpips": ("lpips", "perceptual"), "f1": ("f1",),
    "bleu": ("bleu", "scst"), "cider": ("cider", "scst"), "psnr": ("mse", "l2"),
}  # fmt: skip


@rule("RC506", Severity.MAJOR, factors=("model.variant", "width"))
def check(comparison: Comparison, table: Table, costs: Costs, *, heavier: float = 1.25) -> Answer:
    found = [*_left_out(comparison, table), *_trained_on_the_metric(comparison)]
    size = None if found else _by_size(comparison, table, costs, heavier)
    return found if size is None else size


def _by_size(comparison: Comparison, table: Table, costs: Costs, heavier: float) -> Outcome:
    ours, theirs, unit = _sizes(comparison, costs)
    ratio = ours.value / theirs.value if theirs.value else float("inf")
    seen = (
        replace(ours.quantity, name=f"{unit} of {comparison.method.id}"),
        replace(theirs.quantity, name=f"{unit} of {comparison.baseline.id}"),
    )
    counted(ours, theirs, above=ratio > heavier)
    if ratio <= heavier:
        words = f"{comparison.method.id} has {times(ratio)} the {unit} of {comparison.baseline.id}"
        return Cleared(message=words, seen=seen, limit=f"would have seen {times(heavier)}")
    if ours.looks_like_macs(theirs):
        return maybe_macs(f"{ours} vs {theirs}", comparison.method, seen)
    rival = _equal(comparison, costs, ratio, heavier)
    if rival:
        words = f"{rival} stands in the same table: a comparison at equal size"
        return Cleared(message=words, seen=seen, limit=f"would have seen {times(heavier)}")
    larger = _larger(comparison.baseline.model, table.claims)
    if not larger:
        return NotApplicable(message=f"{comparison.baseline.id} has no larger form left out")
    return Flagged(
        message=f"{comparison.method.id} ({figure(ours.value)} {unit}, {times(ratio)}) is compared "
        f"with {comparison.baseline.id} ({figure(theirs.value)}); its larger form "
        f"{', '.join(larger)} has no row",
        kind=Kind.ASYMMETRY,
        seen=seen,
        at=comparison.baseline.model.variants_available.place,
    )


def _sizes(comparison: Comparison, costs: Costs) -> tuple[Cost, Cost, str]:
    """Return both sizes in parameters, or in FLOPs where only those are to be had for both."""
    try:
        return *costs.both("params", comparison), "parameters"
    except (Missing, Inapplicable) as lacking:
        try:
            return *costs.both("forward", comparison), "FLOPs"
        except (Missing, Inapplicable):
            raise lacking from None


def _equal(comparison: Comparison, costs: Costs, ratio: float, heavier: float) -> str:
    """Return a baseline as large as the method, or a form of the method as small as the rival."""
    named = {name for claim in comparison.claims for name in claim.baselines.get(())}
    for name, method in costs.claims.methods.items():
        try:
            mine, its = costs.both("params", replace(comparison, baseline=method))
        except (Missing, Inapplicable):
            continue
        if not its.value or its.at_least or mine.at_least:
            continue
        if name in named - {comparison.baseline.id} and mine.value <= heavier * its.value:
            return name
        smaller = ratio * its.value <= heavier * mine.value
        if smaller and method.role.get("trivial") == "proposed":
            return name
    return ""


def _larger(model: Model, claims: Claims) -> list[str]:
    """Return the larger forms of a model that no method of the file is.

    Raises:
        Missing: if its forms are not stated.
    """
    available, own = model.variants_available.value, model.variant.get("")
    # A proposed method may call its own sizes alike; it is no form of the baseline.
    others = [m for m in claims.methods.values() if m.role.get("baseline") != "proposed"]
    listed = {m.model.variant.value for m in others if m.model.variant.known}
    return [
        name
        for position, name in enumerate(available)
        if name not in listed and _is_larger(name, own, position, available)
    ]


def _is_larger(name: str, own: str, position: int, available: tuple[str, ...]) -> bool:
    a, b = _rank(name), _rank(own)
    if a is not None and b is not None:
        return a > b
    return own in available and position > available.index(own)


def _rank(name: str) -> float | None:
    """Return how large a name sounds: `large`, `L` or `101`."""
    word = name.casefold()
    number = re.search(r"\d+(?:\.\d+)?", word)
    if number:
        return 100 + float(number.group())
    return float(_SIZES.index(word)) if word in _SIZES else _SHORT.get(word)


def _left_out(comparison: Comparison, table: Table) -> Iterator[Flagged]:
    leaf = table.claims.measured_not_reported.baselines
    if not leaf.known:
        return
    rows = {method for method, _, _ in table.index}
    names = [name for name in leaf.value if name not in rows]
    if names:
        reasoned = table.claims.measured_not_reported.reason.known
        yield Flagged(
            message=f"measured and left out beside {comparison.baseline.id}: {', '.join(names)}",
            kind=Kind.OMISSION,
            severity=Severity.NOTE if reasoned else Severity.MINOR,
            seen=Quantity(name="baselines left out", value=len(names), source=str(leaf.place)),
            at=leaf.place,
        )


def _trained_on_the_metric(comparison: Comparison) -> Iterator[Flagged]:
    ours, theirs = _losses(comparison.method), _losses(comparison.baseline)
    if not ours or not theirs or comparison.contributes("losses"):
        return
    for name in sorted({c.metric.value for c in comparison.claims if c.metric.known}):
        words = {word for part in _parts(name) for word in _SURROGATES.get(part, ())}
        hit = next((loss for loss in ours if _is_one_of(loss, words)), None)
        if hit is not None and not any(_is_one_of(loss, words) for loss in theirs):
            yield Flagged(
                message=f"{comparison.method.id} is trained with {hit.name}, close to the metric "
                f"{name}; {comparison.baseline.id} is not",
                kind=Kind.ASYMMETRY,
                severity=Severity.MINOR,
                seen=Quantity(name="loss", value=str(hit.name), source=str(hit.name.place)),
                at=hit.place,
            )


def _losses(method: Method) -> tuple[Loss, ...]:
    return tuple(loss for loss in method.losses or () if loss.name.known)


def _is_one_of(loss: Loss, words: set[str]) -> bool:
    return bool(words & set(_parts(loss.name.value)))


def _parts(name: str) -> list[str]:
    return re.findall(r"[a-z]+\d*", name.lower())
