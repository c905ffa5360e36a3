"""Tests of equivalence: is a difference shown to be smaller than a margin?

Two one-sided tests (Schuirmann 1987): the difference is above minus the margin, and below it, each
at `alpha`. That is the same as the 1 - 2 alpha interval lying between the margins. A difference
that is merely not significant is no evidence of equivalence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from repcheck.stats.compare import Interval, Summary, paired, welch
from repcheck.stats.criteria import require_positive
from repcheck.stats.decision import level_words
from repcheck.stats.wording import Numbers

ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """The 1 - 2 alpha interval of a difference beside a margin; `p` is the larger of the two."""

    interval: Interval
    margin: float
    p: float

    @property
    def equivalent(self) -> bool:
        """Whether the whole interval lies between minus the margin and the margin."""
        return -self.margin < self.interval.low and self.interval.high < self.margin

    @property
    def not_worse(self) -> bool:
        """Whether the difference is above minus the margin beyond doubt (non-inferiority)."""
        return self.interval.low > -self.margin

    def in_words(self, unit: float) -> str:
        """One sentence, without its full stop; `unit` is one unit of the last printed digit."""
        numbers = Numbers(unit)
        found = "equivalent within" if self.equivalent else "not shown to be equivalent within"
        return (
            f"{found} ±{numbers.plain(self.margin)}: the difference is "
            f"{numbers.signed(self.interval.estimate)}, "
            f"{level_words(self.interval)} {numbers.span(self.interval)}"
        )


def equivalence(a: Summary, b: Summary, margin: float, *, alpha: float = ALPHA) -> Equivalence:
    """Test mean(a) - mean(b) against the margin with Welch's interval.

    Raises ValueError for a margin that is not above zero and where a spread is unknown.
    """
    return _against(welch(a, b, alpha), margin)


def equivalence_of_pairs(
    values_a: Sequence[float], values_b: Sequence[float], margin: float, *, alpha: float = ALPHA
) -> Equivalence:
    """Test the mean of a - b, seed by seed, against the margin with the paired t.

    Raises ValueError for unequal lengths, a single pair, or a margin that is not above zero.
    """
    return _against(paired(values_a, values_b, alpha), margin)


def _against(interval: Interval, margin: float) -> Equivalence:
    require_positive("the margin", margin)
    p = max(interval.p_above(-margin), interval.p_below(margin))
    return Equivalence(interval=interval, margin=margin, p=p)
