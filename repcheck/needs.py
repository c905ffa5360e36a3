"""Which methods, datasets and metrics a rerun of the claims needs, and what cannot be rerun."""

from __future__ import annotations

from dataclasses import dataclass

from repcheck.arms import has_command, takes
from repcheck.claims.commands import FROM_DATASET
from repcheck.claims.model import Claim, Claims
from repcheck.errors import Missing, Reason

_NOT_BY_METRIC = {
    "qualitative": (Reason.NEEDS_HUMAN, "a person has to look at the examples"),
    "existence": (Reason.NOT_TESTABLE, "the claim names no metric that a run could write"),
    "efficiency": (Reason.NOT_OBSERVED, "the claim is about cost and names no metric of a run"),
    "speed": (Reason.NOT_OBSERVED, "the claim is about cost and names no metric of a run"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One method on one dataset, with the claims and metrics that need it."""

    method: str
    dataset: str
    metrics: tuple[str, ...]
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRun:
    """Something a claim needs that cannot be run, and what would make it possible."""

    claim: str
    method: str
    dataset: str
    reason: Reason
    would_decide: str


@dataclass(frozen=True, slots=True)
class _Gathered:
    metrics: dict[str, None]
    claims: dict[str, None]


def claim_name(claims: Claims, index: int) -> str:
    """Return a claim's id, or `#2` for the second where it has none."""
    return claims.claims[index].id.get(f"#{index + 1}")


def needs(claims: Claims) -> tuple[tuple[Need, ...], tuple[NotRun, ...]]:
    """Return what must be run for the claims that can be rerun, and what cannot, in file order."""
    wanted: dict[tuple[str, str], _Gathered] = {}
    refused: list[NotRun] = []
    for index, claim in enumerate(claims.claims):
        name = claim_name(claims, index)
        metric = claim.metric.get("")
        if not metric:
            refused.append(_without_metric(claim, name))
            continue
        methods = dict.fromkeys((claim.method.get(""), *claim.baselines.get(())))
        for method in filter(None, methods):
            for dataset in datasets_of(claims, claim, method):
                try:
                    _check(claims, method, dataset, metric)
                except Missing as missing:
                    refused.append(_not_run(name, method, dataset, missing))
                    continue
                found = wanted.setdefault((method, dataset), _Gathered({}, {}))
                found.metrics[metric] = None
                found.claims[name] = None
    gathered = tuple(
        Need(method=method, dataset=dataset, metrics=tuple(g.metrics), claims=tuple(g.claims))
        for (method, dataset), g in wanted.items()
    )
    return gathered, tuple(refused)


def datasets_of(claims: Claims, claim: Claim, method: str) -> tuple[str, ...]:
    """Return the datasets a claim is about for one method; "" where the file names none."""
    named = claim.datasets.get(())
    if claim.dataset.known:
        named = (claim.dataset.value, *named)
    if not named and method in claims.methods and claims.methods[method].dataset.known:
        named = (claims.methods[method].dataset.value,)
    if not named and len(claims.datasets) == 1:
        named = tuple(claims.datasets)
    return tuple(dict.fromkeys(named)) or ("",)


def readers(claims: Claims, need: Need) -> tuple[dict[str, str], dict[str, float], tuple[str, ...]]:
    """Return the `from:` texts of a run, their scales, and which metrics are only wished for.

    Wished for are the metrics that the results table gives of this method and no claim needs.
    """
    reported = (
        row.metric.value
        for row in claims.results
        if row.metric.known and row.method.content == need.method
    )
    texts: dict[str, str] = {}
    scales: dict[str, float] = {}
    for metric in dict.fromkeys((*need.metrics, *reported)):
        text = reader_text(claims, need.method, metric)
        if text is None:
            continue
        texts[metric] = text
        scale = _scale(claims, metric)
        if scale != 1.0:
            scales[metric] = scale
    return texts, scales, tuple(metric for metric in texts if metric not in need.metrics)


def reader_text(claims: Claims, method: str, metric: str) -> str | None:
    """Return how a metric is read from a method's runs: its `read`, else the metric's `from`."""
    own = claims.methods[method].read.get(metric) if method in claims.methods else None
    if own is not None and own.known:
        return own.value
    return claims.metrics[metric].from_.content if metric in claims.metrics else None


def _scale(claims: Claims, metric: str) -> float:
    about = claims.metrics.get(metric)
    if about is None or not about.read_as.known:
        return 1.0
    unit = {"%": "percent"}.get(about.unit.get(""), about.unit.get(""))
    return {("fraction", "percent"): 100.0, ("percent", "fraction"): 0.01}.get(
        (about.read_as.value, unit), 1.0
    )


def _check(claims: Claims, name: str, dataset: str, metric: str) -> None:
    method = claims.methods.get(name)
    if method is None or not has_command(method):
        raise Missing(Reason.NO_COMMAND, f"declare `methods.{name}.train.command`")
    if reader_text(claims, name, metric) is None:
        raise Missing(Reason.UNDECLARED_KEY, f"declare `metrics.{metric}.from`")
    own = method.dataset.content
    if own is None or own == dataset or any(takes(claims, method, p) for p in FROM_DATASET):
        return
    raise Missing(
        Reason.NO_PLACEHOLDER,
        f"the command of `{name}` runs on `{own}`: give it {{data}}, {{train}} or {{test}} to"
        f" run on `{dataset}`",
    )


def _without_metric(claim: Claim, name: str) -> NotRun:
    fallback = (Reason.UNDECLARED_KEY, f"declare `{claim.metric.path or 'metric'}`")
    reason, words = _NOT_BY_METRIC.get(claim.kind, fallback)
    return NotRun(
        claim=name, method=claim.method.get(""), dataset="", reason=reason, would_decide=words
    )


def _not_run(claim: str, method: str, dataset: str, missing: Missing) -> NotRun:
    return NotRun(
        claim=claim,
        method=method,
        dataset=dataset,
        reason=missing.reason,
        would_decide=missing.would_decide,
    )
