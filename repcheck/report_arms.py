"""The report's part on arms: what each changed, whether it is valid, what it showed of each claim.

::

    arms[] {id, kind, method, beside, factors, change, changes, how, made_by, decides, runs,
            diff: [{key, before, after, allowed}], reach: {axis, wanted, reached, ratio} | null,
            effects: [{claim, setting, cause, verdict, remaining, interval, hi90, margin,
                       explained_at_least, seeds_needed, n, means, words, reason, contribution,
                       shown, apart, apart_words}]}

A declared arm has no changes and no effects; an arm that was not run says why in `reason`. Where
what an arm shows is not held against the claim, `apart` says why (contribution, beyond, moot,
unnamed); `shown` says that `claimed` is the smaller gain of the reruns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from repcheck.arms import Arm, NoArm
from repcheck.effect import cause, sentence, setting
from repcheck.facts.effects import Effect
from repcheck.plan import Plan
from repcheck.stats.compare import Summary

Json = dict[str, Any]


def arms(plan: Plan, effects: Sequence[Effect]) -> list[Json]:
    """Return every arm of a plan, the declared ones first, those that were not run last."""
    declared = dict.fromkeys(
        (run.arm, run.method) for run in plan.runs if run.arm_kind == "declared"
    )
    found: list[Json] = [
        {"id": arm, "kind": "declared", "method": method, "effects": []} for arm, method in declared
    ]
    found += [_arm(arm, plan, [one for one in effects if one.arm == arm]) for arm in plan.arms]
    return found + [_lacking(none) for none in plan.no_arms]


def _arm(arm: Arm, plan: Plan, effects: Sequence[Effect]) -> Json:
    first = effects[0] if effects else None
    reach = first.reach if first else None
    return {
        "id": arm.id,
        "kind": arm.kind,
        "method": arm.method,
        "beside": arm.beside,
        "factors": list(arm.factors),
        "change": arm.change,
        "changes": arm.changes,
        "how": arm.how,
        "made_by": "repcheck" if arm.ours else "authors",
        "decides": arm.decides,
        "runs": sum(run.arm == arm.id and arm.dataset in {"", run.dataset} for run in plan.runs),
        "diff": [
            {"key": one.key, "before": one.before, "after": one.after, "allowed": one.allowed}
            for one in (first.changes if first else ())
        ],
        "reach": None
        if reach is None
        else {
            "axis": reach.axis,
            "wanted": reach.wanted,
            "reached": reach.reached,
            "ratio": round(reach.ratio, 4),
        },
        "effects": [_effect(one) for one in effects],
        "reason": None,
        "would_decide": "",
    }


def _effect(effect: Effect) -> Json:
    found = effect.attribution
    made: Json = {
        "claim": effect.claim.id.get(""),
        "comparison": effect.comparison.id,
        "setting": setting(effect),
        "cause": cause(effect),
        "contribution": effect.contribution,
        "shown": effect.shown,
        "apart": _apart(effect)[0],
        "apart_words": _apart(effect)[1],
        "verdict": found.verdict if found else None,
        "reason": effect.reason.value if effect.reason else None,
        "words": sentence(effect) if found else effect.why,
    }
    if found is None:
        return made
    return made | {
        "remaining": found.remaining,
        "interval": _ends(found.interval),
        "hi90": found.hi90,
        "margin": found.margin,
        "claimed": found.claimed,
        "explained_at_least": found.explained_at_least,
        "explained_at_most": found.explained_at_most,
        "seeds_needed": found.seeds_needed,
        "test": found.test,
        "n": {"upper": found.n_upper, "lower": found.n_lower},
        "means": dict(zip(("method", "baseline", "arm"), map(_mean, effect.means), strict=False)),
    }


def _apart(effect: Effect) -> tuple[str, str]:
    """Return why an effect is not held against the claim, in a word and in words."""
    if effect.contribution:
        return "contribution", "what the paper offers"
    if effect.beyond:
        return "beyond", "trained longer than the method"
    if effect.moot:
        return "moot", effect.moot
    if effect.asks:
        return "unnamed", "the file does not say whether that is what the paper offers"
    return "", ""


def _ends(interval: Any) -> list[float] | None:  # noqa: ANN401 - an interval of any test
    return [interval.low, interval.high] if interval is not None else None


def _mean(summary: Summary | None) -> Json | None:
    if summary is None:
        return None
    return {"mean": summary.mean, "sd": summary.sd, "n": summary.n}


def _lacking(none: NoArm) -> Json:
    return {
        "id": none.id,
        "kind": "counterfactual",
        "method": none.method,
        "beside": none.beside,
        "factors": list(none.factors),
        "change": none.change,
        "runs": 0,
        "effects": [],
        "reason": none.reason.value,
        "would_decide": none.would_decide,
    }
