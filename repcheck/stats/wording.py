"""Numbers and counts as a sentence shows them: never a figure without its interval and its n."""

import math
from dataclasses import dataclass

from repcheck.stats.compare import Interval
from repcheck.stats.criteria import require_positive

MOST_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers with one digit more than the paper printed; `unit` is one unit of its last."""

    unit: float

    def __post_init__(self) -> None:
        require_positive("the unit of the last digit", self.unit)

    @property
    def decimals(self) -> int:
        """Digits after the point."""
        # 0.1 has the logarithm -0.99999... on some machines: round before flooring.
        return max(0, 1 - math.floor(round(math.log10(self.unit), 9)))

    def plain(self, value: float) -> str:
        """92.84."""
        return self._print(value, "")

    def signed(self, value: float) -> str:
        """+4.84, -0.30, 0.00."""
        return self._print(value, "+")

    def span(self, interval: Interval) -> str:
        """[+3.12, +6.56]."""
        return f"[{self.signed(interval.low)}, {self.signed(interval.high)}]"

    def plain_span(self, interval: Interval) -> str:
        """[91.20, 93.60]."""
        return f"[{self.plain(interval.low)}, {self.plain(interval.high)}]"

    def _print(self, value: float, sign: str) -> str:
        if self.decimals > MOST_DECIMALS or abs(value) >= 1e15:
            return f"{value:{sign}.6g}"
        # "+0.00" and "-0.00" would claim a direction that the printed digits do not show.
        rounded = round(value, self.decimals) + 0.0
        return f"{rounded:{sign if rounded else ''}.{self.decimals}f}"


def percent(share: float) -> str:
    """0.95 -> 95 %, 0.9751 -> 97.51 %."""
    return f"{100 * share:.4g} %"


def counted(count: int, noun: str) -> str:
    """1 seed, 2 seeds."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
