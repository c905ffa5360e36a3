"""The few numbers a verdict depends on, in one place, so that a report can print them."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """How much evidence a verdict needs.

    `alpha` is the one-sided error of each bound at this look; `rho` the share of a claimed gain
    that must be shown; `crash_share` the largest share of crashed seeds an arm may have; `power`
    and `seed_cap` belong to the number of seeds still needed. Raises ValueError when a number is
    outside its range.
    """

    alpha: float = 0.05
    rho: float = 0.5
    crash_share: float = 0.2
    power: float = 0.8
    seed_cap: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha must lie between 0 and 0.5, not {self.alpha}")
        if not 0 < self.rho <= 1:
            raise ValueError(f"rho must be above 0 and at most 1, not {self.rho}")
        if not 0 <= self.crash_share < 1:
            raise ValueError(f"crash_share must be at least 0 and below 1, not {self.crash_share}")
        if not self.alpha < self.power < 1:
            raise ValueError(f"power must lie between alpha and 1, not {self.power}")
        if self.seed_cap < 2:
            raise ValueError(f"seed_cap must be at least 2, not {self.seed_cap}")


DEFAULT = Criteria()


def require_finite(name: str, value: float) -> float:
    """Return the value, or raise ValueError saying which number is NaN or infinite."""
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value}")
    return value


def require_positive(name: str, value: float) -> float:
    """Return the value, or raise ValueError unless it is finite and above zero."""
    if require_finite(name, value) <= 0:
        raise ValueError(f"{name} must be above zero, not {value}")
    return value
