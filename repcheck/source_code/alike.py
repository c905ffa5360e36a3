"""How much of some functions stands in others, by their fingerprints."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from repcheck.source_code.prints import Print

FEWEST_HASHES = 6
IDIOM = 6
"""A fingerprint in so many functions of one reference is a way to write, and shows no copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One function beside the one of the reference that shares most of it (`share`, 0 to 1)."""

    own: Print
    other: Print
    share: float

    def said(self) -> str:
        """Return `models.py:Poly.forward` and `ref/se.py:SE.forward` with what they share."""
        return f"`{self.own.where}` and `{self.other.where}` share {self.share:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """All own functions against one reference: the matches, best first, and the share of all.

    `whole` is the share of the own fingerprints that stand in the reference; `statements` those of
    all own functions.
    """

    matches: tuple[Match, ...]
    whole: float
    statements: int

    def copied(self, share: float, statements: int, whole: float) -> tuple[Match, ...]:
        """Return the matches that are too alike: long functions, or all where the whole is."""
        long = tuple(one for one in self.matches
                     if one.share >= share and one.own.statements >= statements)  # fmt: skip
        if long or self.whole < whole or self.statements < statements:
            return long
        return tuple(one for one in self.matches if one.share >= whole)


def compared(own: Sequence[Print], other: Sequence[Print]) -> Alike:
    """Return how much of the own functions stands in the others; short ones count in the whole."""
    holders: dict[int, list[int]] = defaultdict(list)
    for number, one in enumerate(other):
        for code in one.hashes:
            holders[code].append(number)
    idioms = {code for code, found in holders.items() if len(found) >= IDIOM}
    matches: list[Match] = []
    shared = total = 0
    for one in own:
        telling = one.hashes - idioms
        if len(telling) < FEWEST_HASHES:
            continue
        counts = Counter(number for code in telling for number in holders.get(code, ()))
        total += len(telling)
        shared += sum(code in holders for code in telling)
        if counts:
            best, most = max(counts.items(), key=lambda item: (item[1], -item[0]))
            matches.append(Match(own=one, other=other[best], share=most / len(telling)))
    return Alike(
        matches=tuple(sorted(matches, key=lambda one: -one.share)),
        whole=shared / total if total else 0.0,
        statements=sum(one.statements for one in own),
    )
