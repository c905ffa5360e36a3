"""Three-way verdicts, one function for each kind of claim.

A threshold is set by the claim, an interval by the reruns. The whole interval on the good side:
reproduced; on the bad side: not reproduced; otherwise inconclusive, with the number of seeds that
would decide.
"""

from repcheck.stats.direction import decide_direction
from repcheck.stats.equivalence import decide_equivalence
from repcheck.stats.gain import decide_gain
from repcheck.stats.threshold import decide_threshold
from repcheck.stats.value import decide_value

__all__ = [
    "decide_direction",
    "decide_equivalence",
    "decide_gain",
    "decide_threshold",
    "decide_value",
]
