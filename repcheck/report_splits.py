"""The report's part on how a gain divides, how wide it is, and what equally many trials give.

::

    splits[] {claim, comparison, method, baseline, axis, reported, unit,
              n: {baseline, baseline_at, method_at, method},
              total, phi_method, phi_budget, interaction: {estimate, low, high, level} | null,
              share: {estimate, low, high, level} | null, depends_on_order,
              orders: {method_first, method_last} | null, words,
              waterfall: [{part, estimate, low, high, level}], lacking: [{what, would_decide}]}
    sweeps[] {claim, comparison, method, baseline, declared, n: {method, baseline}, width,
              counted, kept, open, lost, apart,
              settings: [{setting, standing, gain, n: {method, baseline}, why}]}
    tuned[]  {claim, comparison, method, baseline, trials: {method, baseline}, k, at_own, at_equal,
              best: {method, baseline}, small, interval, to_match, ahead_from, behind_from, words}

An entry of `splits` whose `phi_method` is null lacks a cell, named in `lacking`; the parts of its
waterfall are then the measured gain as a whole and what was reported beyond it. Means are kept so
that higher is better; intervals are 95 %.
"""

from __future__ import annotations

from typing import Any

from repcheck.claims.comparison import Comparison, comparisons
from repcheck.claims.model import Claim
from repcheck.errors import Inapplicable, Missing
from repcheck.fact import Evidence
from repcheck.facts.sensitivity import Sensitivity, Setting, Sweep
from repcheck.facts.split import Divided, Splits
from repcheck.facts.trials import Trials, Tuned
from repcheck.sweep import asked

Json = dict[str, Any]
_CELLS = ("baseline", "baseline_at", "method_at", "method")


def splits(evidence: Evidence) -> list[Json]:
    """Return every gain of which a budget was made equal, divided as far as its cells exist."""
    return [_split(one) for one in evidence.get(Splits).divided]


def sweeps(evidence: Evidence) -> list[Json]:
    """Return what each sweep that was asked for and run shows, metric by metric."""
    found: list[Json] = []
    for comparison in comparisons(evidence.claims):
        if not evidence.runs or not (asked(comparison.method) or asked(comparison.baseline)):
            continue
        shown = evidence.get(Sensitivity).each(comparison)
        found += [_sweep(comparison, one) for one in shown if isinstance(one, Sweep)]
    return found


def tuned(evidence: Evidence) -> list[Json]:
    """Return both sides' trials at equal numbers, where the scores of both are known."""
    found: list[Json] = []
    for comparison in comparisons(evidence.claims):
        stated = [one.tuning for one in (comparison.method, comparison.baseline)]
        if not all(one.scores.known or one.scores_from.known for one in stated):
            continue
        for claim in _one_a_metric(comparison):
            try:
                found.append(_tuned(comparison, evidence.get(Trials).both(comparison, claim)))
            except (Missing, Inapplicable):
                continue
    return found


def _one_a_metric(comparison: Comparison) -> list[Claim]:
    asked = [one for one in comparison.claims if one.metric.known and one.kind != "equivalence"]
    named = {claim.metric.value: claim for claim in asked[::-1]}
    return [claim for claim in asked if claim in named.values()]


def _about(comparison: Comparison, claim: Claim) -> Json:
    return {
        "claim": claim.id.get(""),
        "comparison": comparison.id,
        "method": comparison.method.id,
        "baseline": comparison.baseline.id,
    }


def _split(one: Divided) -> Json:
    found = one.split
    laid = one.waterfall
    parts = (
        laid.parts
        if laid is not None
        else {"idea and compute together": one.total, "luck": one.luck}
    )
    return _about(one.comparison, one.claim) | {
        "axis": one.axis,
        "reported": one.stated.value,
        "unit": one.stated.unit,
        "n": {name: cell.n if cell else 0 for name, cell in zip(_CELLS, one.cells, strict=True)},
        "total": _ends(one.total),
        "phi_method": _ends(found.idea) if found else None,
        "phi_budget": _ends(found.compute) if found else None,
        "interaction": _ends(found.interaction) if found else None,
        "share": _ends(found.share) if found and found.share else None,
        "depends_on_order": found.depends_on_order if found else None,
        "orders": {
            "method_first": _ends(found.idea_first),
            "method_last": _ends(found.idea_last),
        }
        if found
        else None,
        "words": found.in_words(one.stated.unit) if found else "",
        "waterfall": [{"part": name} | _ends(part) for name, part in parts.items()],
        "lacking": [{"what": gap.what, "would_decide": gap.would_decide} for gap in one.lacking],
    }


def _sweep(comparison: Comparison, found: Sweep) -> Json:
    return _about(comparison, found.claim) | {
        "declared": _ends(found.declared),
        "n": {"method": found.n_method, "baseline": found.n_baseline},
        "width": found.width,
        "counted": found.counted,
        "kept": found.count("kept"),
        "open": found.count("open"),
        "lost": found.count("lost"),
        "apart": found.count("apart"),
        "settings": [_setting(one) for one in found.settings],
    }


def _setting(one: Setting) -> Json:
    return {
        "setting": one.point.label,
        "standing": one.standing,
        "gain": _ends(one.gain) if one.gain else None,
        "n": {
            "method": one.method.n if one.method else 0,
            "baseline": one.baseline.n if one.baseline else 0,
        },
        "why": one.why,
    }


def _tuned(comparison: Comparison, found: Tuned) -> Json:
    equal = found.equal
    return _about(comparison, found.claim) | {
        "trials": {"method": len(found.ours.values), "baseline": len(found.theirs.values)},
        "k": equal.k,
        "at_own": equal.at_own,
        "at_equal": equal.at_equal,
        "best": {
            "method": found.sign * equal.ours.estimate,
            "baseline": found.sign * equal.theirs.estimate,
        },
        "small": found.small,
        "interval": None if found.low is None else [found.low, found.high],
        "to_match": equal.to_match,
        "ahead_from": found.ahead_from,
        "behind_from": found.behind_from,
        "words": found.in_words(),
    }


def _ends(one: Any) -> Json:  # noqa: ANN401 - an interval or a ratio
    return {"estimate": one.estimate, "low": one.low, "high": one.high, "level": one.level}
