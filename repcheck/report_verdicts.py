"""Verdicts as the report holds them.

Beside what the verdict rests on::

    collapsed    {method, baseline}: how many of the finished seeds collapsed
    permutation  null, or {test, p, side, threshold, n, smallest_p, alpha, agrees, in_words}: the
                 permutation test beside a verdict on two arms of at least 5 seeds; it decides
                 nothing
    datasets     [{dataset, observed, interval, n, p, shown}] of a claim over several datasets, else
                 empty; p and shown are null where the mean over all of them did not pass
    claims[].descriptive  [{name, about, value, interval, level, n, words}] of such a claim
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from repcheck.answer import DatasetPart, Reproduction
from repcheck.descriptive import Described

Json = dict[str, Any]


def reproduction(found: Reproduction) -> Json:
    """Return the verdict on one number."""
    return {
        "verdict": found.verdict,
        "detail": found.detail,
        "axis": found.axis,
        "baseline": found.baseline or None,
        "claimed": found.claimed,
        "claimed_text": found.claimed_text,
        "observed": found.observed,
        "interval": list(found.interval) if found.interval else None,
        "level": found.level,
        "test": found.test,
        "n": {"method": found.n_method, "baseline": found.n_baseline},
        "seeds_needed": found.seeds_needed,
        "rule": found.rule,
        "caveats": list(found.caveats),
        "reason": found.reason.value if found.reason else None,
        "collapsed": {"method": found.collapsed_method, "baseline": found.collapsed_baseline},
        "permutation": asdict(found.permutation) if found.permutation else None,
        "datasets": [_dataset_part(part) for part in found.datasets],
    }


def _dataset_part(part: DatasetPart) -> Json:
    return {
        "dataset": part.dataset,
        "observed": part.observed,
        "interval": list(part.interval) if part.interval else None,
        "n": {"method": part.n_method, "baseline": part.n_baseline},
        "p": part.p,
        "shown": part.shown,
    }


def described(one: Described) -> Json:
    """Return one figure that describes and does not decide."""
    return {
        "name": one.name,
        "about": one.about,
        "value": one.value,
        "interval": list(one.interval) if one.interval else None,
        "level": one.level,
        "n": one.n,
        "words": one.words,
    }
