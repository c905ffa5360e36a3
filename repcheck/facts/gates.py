"""Learnable gates as a network shows them: `x + beta * f(x)`, whatever `beta` is called."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from repcheck.claims.comparison import Comparison
from repcheck.facts.networks import Networks

if TYPE_CHECKING:  # linting has nothing observed
    from repcheck.observation import NetworkSeen, OpSeen


def gates_of(network: NetworkSeen) -> tuple[str, ...]:
    """Return the module path of every gate, in call order.

    A gate is a product with a parameter of its own that has at most one element a channel, and
    whose only use is a sum with another branch. The scale of a norm is followed by a shift, which
    is a parameter and no branch.
    """
    users: dict[int, list[OpSeen]] = defaultdict(list)
    for op in network.ops:
        for source in set(op.inputs):
            users[source].append(op)
    return tuple(
        op.module
        for at, op in enumerate(network.ops)
        if op.op == "mul"
        and 0 < op.params <= max((*op.shape, 1))
        and len(op.inputs) == 1
        and len(users[at]) == 1
        and _joins(users[at][0])
    )


def more_gates(comparison: Comparison, networks: Networks) -> tuple[str, ...]:
    """Return the gates of the method's network where the baseline's has fewer of them.

    Raises:
        Missing: if the network of either was not seen whole.
    """
    ours, theirs = (
        gates_of(networks.network(one, comparison.dataset))
        for one in (comparison.method, comparison.baseline)
    )
    return ours if len(ours) > len(theirs) else ()


def _joins(op: OpSeen) -> bool:
    return op.op == "add" and not op.params and len(set(op.inputs)) > 1
