"""What policies decided, from the sums that each process wrote down."""

from __future__ import annotations

import math
from collections.abc import Sequence

from repcheck.agent_seen import PolicySeen
from repcheck.analysis.processes import Process
from repcheck.records import Event, finite, whole

MOST = 16
ACTIONS = 64


def policies_of(processes: Sequence[Process]) -> tuple[PolicySeen, ...]:
    """Return every policy that was drawn from, the one with the most decisions first."""
    found: list[PolicySeen] = []
    for process in processes:
        events = process.record.of("policy")
        last = {(event.text("via"), event.count("actions")): event for event in events}
        found += [one for event in last.values() if (one := _policy(event)) is not None]
    found.sort(key=lambda one: -one.total)
    return tuple(found[:MOST])


def _policy(event: Event) -> PolicySeen | None:
    actions, n = event.count("actions"), event.count("n")
    drawn = [whole(one) for one in event.items("drawn", ACTIONS)]
    probs = [finite(one) for one in event.items("probs", ACTIONS)]
    entropy = event.number("entropy")
    counts = [one for one in drawn if one is not None]
    shares = [one for one in probs if one is not None and 0 <= one <= 1]
    if not actions or not n or entropy is None or not 0 <= entropy <= math.log2(ACTIONS):
        return None
    if len(counts) != actions or len(shares) != actions or abs(sum(shares) - 1) > 0.01:
        return None
    within, within_n = event.number("within"), event.count("within_n") or 0
    return PolicySeen(
        via=event.text("via"),
        actions=actions,
        total=max(n, event.count("total") or 0),
        n=n,
        drawn=tuple(counts),
        entropy=entropy,
        marginal=-sum(one * math.log2(one) for one in shares if one > 0),
        information=within,
        information_n=within_n if within is not None else 0,
        frozen=event.flag("frozen") is True,
        scored=bool(event.count("scored")),
    )
