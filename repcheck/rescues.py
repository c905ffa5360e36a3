"""Arms that evaluate a baseline as it was trained, where it was seen to be evaluated otherwise.

Both the baseline and, as a control, the method are evaluated with their test input changed by what
the statistics suggest; nothing is trained otherwise. Where no mismatch was seen, none is made.
"""

from __future__ import annotations

from collections.abc import Iterator

from repcheck.arms import Arm
from repcheck.claims.comparison import Comparison
from repcheck.errors import Missing
from repcheck.fact import Evidence
from repcheck.facts.feeds import Feeds, hit
from repcheck.facts.rescued import FACTOR


def rescues(evidence: Evidence, comparison: Comparison) -> Iterator[Arm]:
    """Yield the arm of the baseline and that of the method, none without a mismatch to undo."""
    if not evidence.runs or not evidence.claims.budget.allow_surgery.get(True):
        return
    try:
        found = hit(comparison, evidence.get(Feeds))
    except Missing:
        return
    if found is None or not found.apart.transform:
        return
    transform = found.apart.transform
    for method in (comparison.baseline, comparison.method):
        yield Arm(
            id=f"{method.id} evaluated with {transform}",
            kind="counterfactual",
            method=method.id,
            surgery=({"kind": "input", "transform": transform, "when": "evaluation"},),
            factors=(FACTOR,),
            change="eval-only",
            decides=f"whether `{comparison.baseline.id}` alone is evaluated on an input that it was"
            " not trained on",
        )
