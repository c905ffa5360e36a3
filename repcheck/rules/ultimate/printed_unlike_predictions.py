"""A run prints another value than its own predictions give.

## What it catches
An evaluation that prints 94.4 while the predictions which it wrote in the same run are right in
93.1 % of the examples: a floor, a constant, a number from elsewhere.

## When it is legitimate
A metric of another definition (macro F1, balanced accuracy) that the predictions do give: that is
RC504's question. Predictions saved of a part of the test set, of another checkpoint than the best
one that is printed, or of one member where an ensemble is evaluated are no evidence: state
`metrics.M.n_test`, and read the last value instead of the best.

## How it is decided
`eval.predictions` names the file of every rerun. The metric is recomputed from it by a reference
implementation under every definition that its name allows, and held against what the same run
printed, to half a last digit (of the longest number of all runs). Accuracy and error are critical
where the printed value is the better one, as only counting is needed; worse values, F1, MAE, MSE,
RMSE, R2 and rank correlation are major (these beyond 1 %: batches and rounding move them). PSNR,
calibration and likelihood have more definitions than are tried and are left open. An accuracy that
is off by less than half a point is minor: a mean over batches of unequal size is. Where the file
has another number of examples than the test set (`n_test`, or `datasets.D.test.size`), where nobody
says how many that has, where the best of several epochs is read or the number is called so (best,
early stopped, ema), where examples have several labels, or where the difference is one of the unit
or of digits that are cut off, nothing is judged; nor is it cleared by runs of which some left no
predictions. That both agree does not show that the predictions are the model's.

## How to fix
Print what is computed from the predictions, and write predictions and metric in one place.

## Source
hzwer 6.3
"""

from __future__ import annotations

import re

from repcheck.claims.model import Claims, Method, Metric
from repcheck.errors import Inapplicable, Reason
from repcheck.fact import Level, Quantity
from repcheck.facts.evaluated import Evaluated, Side
from repcheck.facts.protocols import PERCENT, declared, kind_of, rises, words
from repcheck.facts.table import Table
from repcheck.needs import reader_text
from repcheck.reader import takes_best
from repcheck.rule import (
    Answer,
    Cleared,
    Flagged,
    Kind,
    NotApplicable,
    Outcome,
    Severity,
    Undetermined,
    rule,
)

_COUNTED = frozenset({"accuracy", "error"})
_BATCHES = 0.005
_ALIKE = 1e-3
_MANY = frozenset({"psnr", "ece", "nll"})
_IN_UNITS = frozenset({"mae", "mse", "rmse"})
_OF_MANY_LABELS = frozenset({"r2", "rmse", "spearman", "mae", "mse"})
_OTHER_WEIGHTS = frozenset({
    "best", "early", "stopped", "stopping", "peak", "max", "min", "ema", "swa", "ensemble", "tta",
})  # fmt: skip


@rule("RC603b", Severity.MAJOR, worst=Severity.CRITICAL)
def check(method: Method, table: Table, evaluated: Evaluated, *, room: float = 0.01) -> Answer:
    claims = table.claims
    named = {row.metric.value for row in claims.results if row.metric.known}
    named |= {claim.metric.value for claim in claims.claims if claim.metric.known}
    metrics = [one for one in claims.metrics.values() if one.id in named and kind_of(one)]
    if not metrics:
        return NotApplicable(message="no metric of the paper is recomputed from predictions here")
    datasets = dict.fromkeys(
        run.dataset for run in evaluated.predicted.runs if run.method == method.id
    )
    found: list[Outcome] = []
    for metric in metrics:
        for dataset in datasets or {"": None}:
            try:
                side = evaluated.side(method, dataset, metric)
            except Inapplicable:
                continue
            size = _test_size(claims, metric, dataset or method.dataset.get(""))
            found.append(_compared(claims, method, metric, side, (size, room)))
    return found or NotApplicable(message=f"no metric of {method.id}'s runs can be recomputed")


def _test_size(claims: Claims, metric: Metric, dataset: str) -> int | None:
    """Return how many examples a metric is of, as far as the claims say."""
    if metric.n_test.known:
        return metric.n_test.value
    name = dataset or (next(iter(claims.datasets)) if len(claims.datasets) == 1 else "")
    size = claims.datasets[name].test.size if name in claims.datasets else None
    return size.value if size is not None and size.known else None


def _compared(
    claims: Claims, method: Method, metric: Metric, side: Side, limits: tuple[int | None, float]
) -> Outcome:
    if side.matches and (part := _part(side, limits[0])):
        return _open(side, metric, part, "is what its predictions give, as far as there are any")
    if side.matches:
        return Cleared(
            message=f"{metric.id} as printed by {method.id} is {words(side.matches[0])} of the "
            f"predictions in each of {len(side.files)} runs ({side.value:.5g}, {side.n} examples)",
            seen=_seen(side, metric, side.matches[0]),
            limit=f"would have seen more than {max(p.slack for p, _ in side.pairs):.2g} between "
            "them; not predictions that are not the model's",
        )
    why = _doubt(reader_text(claims, method.id, metric.id) or "", metric, side, limits)
    return _open(side, metric, why) if why else _flagged(method, metric, side)


def _part(side: Side, size: int | None) -> str:
    """Return why predictions that agree are not all; "" where nothing says so."""
    if side.lacking:
        runs = f"{side.lacking} of {side.lacking + len(side.files)} runs"
        return f"{runs} left no predictions that can be used"
    if size is not None and any(one.n != size for one in side.files):
        return f"{side.n} predictions of {size} test examples were saved"
    return ""


def _doubt(text: str, metric: Metric, side: Side, limits: tuple[int | None, float]) -> str:
    """Return why a difference may be none, or nothing."""
    size, room = limits
    if takes_best(text):
        return "the best of several values is read, the predictions are of one"
    read = text.rpartition(":")[2]
    if other := sorted(_OTHER_WEIGHTS & {*re.findall("[a-z]+", f"{metric.id} {read}".lower())}):
        return f"a number called `{other[0]}` may be of other weights than the predictions"
    if size is None:
        return f"nobody says of how many examples it is (`metrics.{metric.id}.n_test`)"
    if any(one.n != size for one in side.files):
        return f"{side.n} predictions of {size} test examples were saved"
    if kind_of(metric) in _MANY or _of_many_labels(metric, side):
        return f"{metric.id} has more definitions than were tried"
    if why := _of_form(metric, side):
        return why
    meant = side.means[_meant(metric, side)]
    if kind_of(metric) not in _COUNTED and abs(side.value - meant) <= room * abs(meant):
        return f"by less than {100 * room:g} %, as rounding and batches do"
    return ""


def _of_many_labels(metric: Metric, side: Side) -> bool:
    """Return whether an example has several labels: padding, averages over them, all or one."""
    several = any(one.several for one in side.files)
    kinds = _OF_MANY_LABELS | ({"accuracy", "error"} if side.files[0].kind == "sequences" else {""})
    return several and kind_of(metric) in kinds


def _of_form(metric: Metric, side: Side) -> str:
    """Return that a difference is one of the unit or of the digits that are printed."""
    pairs = [(printed, given[_meant(metric, side)]) for printed, given in side.pairs]
    if all(-one.slack <= (abs(value) - abs(one.value)) < 2 * one.slack for one, value in pairs):
        return "by less than a last digit, as cutting digits off does"
    factors = [one.value / value for one, value in pairs if value]
    if len(factors) < len(pairs) or not factors or min(factors) <= 0:
        return ""
    if max(factors) > (1 + _ALIKE) * min(factors):
        return ""
    whole = any(abs(factors[0] / times - 1) < _ALIKE for times in (100, 0.01))
    scaled = kind_of(metric) in _IN_UNITS and (len(factors) > 1 or not 0.5 < factors[0] < 2)
    return f"by one factor ({factors[0]:.4g}), as another unit is" if whole or scaled else ""


_DIFFERS = "differs from what its predictions give"


def _open(side: Side, metric: Metric, why: str, how: str = _DIFFERS) -> Undetermined:
    return Undetermined(
        message=f"{metric.id} of {side.method} {how}, and {why}",
        reason=Reason.CONFLICTING_EVIDENCE,
        would_decide=f"predictions of exactly what `{metric.id}` is of",
        seen=_seen(side, metric, _meant(metric, side)),
    )


def _flagged(method: Method, metric: Metric, side: Side) -> Flagged:
    name = _meant(metric, side)
    up = rises(metric)
    gaps = [(printed.value - given[name]) * (1 if up else -1) for printed, given in side.pairs]
    off = sum(not printed.meets(given[name]) for printed, given in side.pairs)
    better = sum(gaps) > 0
    counted = kind_of(metric) in _COUNTED
    severity = Severity.CRITICAL if counted and better else Severity.MAJOR
    if counted and max(map(abs, gaps)) < _BATCHES * (100 if metric.unit.get("") in PERCENT else 1):
        severity = Severity.MINOR
    return Flagged(
        message=f"{method.id} prints {metric.id} {side.value:.5g}, and its own predictions give "
        f"{words(name)} {side.means[name]:.5g}: off in {off} of {len(side.files)} runs, "
        f"{abs(sum(gaps)) / len(gaps):.3g} {'better' if better else 'worse'} than it is "
        f"({side.n} examples)",
        kind=Kind.MISMATCH,
        severity=severity,
        seen=_seen(side, metric, name),
        at=method.eval.predictions.place,
    )


def _meant(metric: Metric, side: Side) -> str:
    """Return the definition that is meant, the nearest one where the words leave several."""
    names = [one for one in declared(metric, list(side.means)) if one in side.means]
    return min(names or side.means, key=lambda name: abs(side.means[name] - side.value))


def _seen(side: Side, metric: Metric, name: str) -> tuple[Quantity, ...]:
    printed = Quantity(
        name=f"{side.method}.{metric.id} as printed, mean of {len(side.files)} runs",
        value=side.value,
        level=Level.RERUN,
        source=side.source.partition(",")[0],
    )
    given = f"{side.method}.{words(name)}, of its predictions"
    return (printed, side.quantity(given, side.means[name]))
