"""Two shares held against each other, exactly."""

from __future__ import annotations

import math


def greater(hits: int, n: int, other_hits: int, other_n: int) -> float:
    """Return the one-sided p of Fisher's exact test (Fisher 1935).

    That is how likely a share of at least `hits` of `n` is, where both samples come from one
    population, given how many hits there are in all. 1 where one of the samples is empty.

    Raises:
        ValueError: if there are more hits than there could be.
    """
    if not (0 <= hits <= n and 0 <= other_hits <= other_n):
        raise ValueError("hits must lie between 0 and n")
    drawn, total = hits + other_hits, n + other_n
    most = min(n, drawn)
    if not n or not other_n:
        return 1.0
    whole = _choose(total, drawn)
    tail = [_choose(n, k) + _choose(other_n, drawn - k) - whole for k in range(hits, most + 1)]
    return min(1.0, math.fsum(map(math.exp, tail)))


def _choose(n: int, k: int) -> float:
    """Return the logarithm of a binomial coefficient, -inf where it is 0."""
    if not 0 <= k <= n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
