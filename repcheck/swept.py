"""What the rules that rest on sweeps say alike: of a setting, and of a sweep that shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repcheck.claims.comparison import Comparison
from repcheck.errors import Inapplicable, Missing
from repcheck.rule import NotApplicable, Undetermined

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.facts.sensitivity import Setting, Sweep


def told(one: Setting) -> str:
    """Return `lr ×2 +0.42 [-0.80, +1.65] (n = 5 and 5)`, or why there is no gain."""
    if one.gain is None or one.method is None or one.baseline is None:
        return f"{one.point.label} {one.why}"
    ends = f"[{one.gain.low:+.3g}, {one.gain.high:+.3g}]"
    n = f"n = {one.method.n} and {one.baseline.n}"
    return f"{one.point.label} {one.gain.estimate:+.3g} {ends} ({n})"


def gain(comparison: Comparison, found: Sweep) -> str:
    """Return the gain as declared: `gain of `ours` over `base` (+5, n = 5 and 5)`."""
    return (
        f"gain of `{comparison.method.id}` over `{comparison.baseline.id}`"
        f" ({found.declared.estimate:+.3g}, n = {found.n_method} and {found.n_baseline})"
    )


def undecided(found: Missing | Inapplicable) -> Undetermined | NotApplicable:
    """Return a sweep that does not apply, or that lacks something, as a rule's answer."""
    if isinstance(found, Inapplicable):
        return NotApplicable(message=str(found))
    return Undetermined(
        message=f"the sweep decides nothing yet: {found.would_decide}",
        reason=found.reason,
        would_decide=found.would_decide,
    )
