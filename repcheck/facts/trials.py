"""What the tuning trials of both sides scored, and what each would have with equally many.

The scores are stated (`tuning.scores`) or stand in a column of a file of the artifact
(`tuning.scores_from: "sweep.csv:val_accuracy"`), one a trial, in the unit of the claim's metric.
They are validation scores as a rule: what is compared is what tuning alone gave, not the test gain.
Nothing is executed, and no link is followed on the way to the file.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from repcheck.claims.comparison import Comparison
from repcheck.claims.model import Claim, Claims, Method
from repcheck.errors import Inapplicable, Missing, Reason
from repcheck.fact import Evidence, Fact, Level, Quantity
from repcheck.facts.gains import row_of, stated_gain
from repcheck.facts.scores import SUPPORT, Scores, alike, in_unit, named_for
from repcheck.reader import Left, NoFile, NoMetric, file_text, number

if TYPE_CHECKING:  # brings scipy, which linting can do without
    from repcheck.stats.compare import Interval
    from repcheck.stats.tuning import EqualTrials

SEED = 0
"""Of the bootstrap: the same trials always give the same interval."""
EACH = 0.975
"""Level of each side's band, so that both hold together at 95 %."""
FEWEST = 3
FEWEST_TRUSTED = 2
MOST = 10_000
"""Trials of a side: more cannot be resampled while somebody waits."""
_SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """Both sides' trials at equal numbers, put to one claim; all scores oriented.

    The estimate is at `equal.k`, the smaller of both numbers of trials. No interval can be trusted
    there; `low` and `high` bound the difference, method less baseline, of the best of `small`
    trials, a fifth of that number (bootstrap, each side's at 97.5 %, both together at 95 %), and
    are None below ten trials. `ahead_from` and `behind_from` are the least equal numbers of trials
    at which the method's distribution-free band lies over the baseline's, or under it; None at
    none, or where the metric's bounds are not known. `half` is half of the claimed gain, None if
    none is.
    """

    claim: Claim
    ours: Scores
    theirs: Scores
    equal: EqualTrials
    small: int
    low: float | None
    high: float | None
    ahead_from: int | None
    behind_from: int | None
    half: float | None
    sign: int = 1
    unit: float = 0.1

    @property
    def at_equal(self) -> float:
        """Return the difference at equally many trials."""
        return self.equal.at_equal

    def quantities(self) -> tuple[Quantity, ...]:
        """Return both numbers of trials and the difference at equal ones as evidence."""
        unit = self.claim.metric.get("")
        level = min(self.ours.level, self.theirs.level, key=lambda one: one.rank)
        found = [
            ("best at own trials, difference", round(self.equal.at_own, 6), unit),
            (f"best of {self.equal.k}, difference", round(self.at_equal, 6), unit),
            ("given by more trials", round(self.equal.from_tuning, 6), unit),
            ("baseline's trials to match", self.equal.to_match or "more than it has", "trials"),
        ]
        return (
            self.ours.quantity(),
            self.theirs.quantity(),
            *(Quantity(name=n, value=v, unit=u, level=level) for n, v, u in found),
        )

    def in_words(self) -> str:
        """Return one sentence, without its full stop."""
        from repcheck.stats.wording import Numbers, counted

        numbers, equal = Numbers(self.unit), self.equal
        span = "no interval for so few"
        if self.low is not None and self.high is not None:
            ends = f"[{numbers.signed(self.low)}, {numbers.signed(self.high)}]"
            span = f"95 % interval with {counted(self.small, 'trial')} each {ends}"
        if equal.to_match is None:
            match = f"all {len(self.theirs.values)} of its own do not reach that"
        else:
            match = f"it reaches that with {counted(equal.to_match, 'trial')}"
        return (
            f"with {counted(equal.k, 'trial')} each, the expected best of `{self.ours.method}` is"
            f" {numbers.plain(self.sign * equal.ours.estimate)} and that of"
            f" `{self.theirs.method}` {numbers.plain(self.sign * equal.theirs.estimate)} ({match}):"
            f" at equal trials {numbers.signed(self.at_equal)} ({span}) instead of"
            f" {numbers.signed(equal.at_own)} with {len(self.ours.values)} and"
            f" {len(self.theirs.values)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials(Fact):
    """The scores of the tuning trials, as far as they are stated."""

    label: ClassVar[str] = "scores of the tuning trials"
    claims: Claims
    root: Path

    @classmethod
    def draw(cls, evidence: Evidence) -> Self:
        """Take the claims; files are read when they are asked for."""
        return cls(claims=evidence.claims, root=evidence.root)

    def of(self, method: Method, claim: Claim) -> Scores:
        """Return one method's trials.

        Raises:
            Missing: if they are not stated, cannot be read, or are not those of all trials.
        """
        stated = method.tuning
        if stated.scores.known:
            found = Scores(
                method=method.id, values=tuple(map(float, stated.scores.value)),
                source=str(stated.scores.place), level=Level.DECLARED,
            )  # fmt: skip
        elif stated.scores_from.known:
            text = stated.scores_from.value
            named_for(text, self.claims.metrics[claim.metric.value])
            try:
                values = _column(self.root, text)
            except NoMetric as problem:
                raise Missing(
                    Reason.UNDECLARED_KEY, f"mend `{stated.scores_from.path}`: {problem}"
                ) from None
            found = Scores(method=method.id, values=values, source=text, level=Level.STATIC)
        else:
            raise Missing(
                Reason.UNDECLARED_KEY,
                f"declare `{stated.scores.path}` (one score a trial), or"
                f' `{stated.scores_from.path}: "sweep.csv:COLUMN"`',
            )
        return _whole(method, found)

    def both(self, comparison: Comparison, claim: Claim) -> Tuned:
        """Return both sides' trials at equal numbers.

        Raises:
            Missing: if those of either side are not known, or too few.
        """
        import numpy as np

        from repcheck.stats.tuning import equal_trials

        ours, theirs, sign = self._sides(comparison, claim)
        metric = self.claims.metrics[claim.metric.value]
        support = _support(metric.unit.get(""), sign, (*ours.values, *theirs.values))
        scores = [[sign * value for value in side.values] for side in (ours, theirs)]
        found, behind = (
            equal_trials(*pair, random=np.random.default_rng(SEED), support=support)
            for pair in (scores, scores[::-1])
        )
        small, low, high = _trusted(sign, ours.values, theirs.values)
        half, unit = self._claimed(comparison, claim)
        return Tuned(
            claim=claim, ours=ours, theirs=theirs, equal=found, small=small, low=low, high=high,
            ahead_from=found.clear_from, behind_from=behind.clear_from, half=half, sign=sign,
            unit=unit,
        )  # fmt: skip

    def _sides(self, comparison: Comparison, claim: Claim) -> tuple[Scores, Scores, int]:
        """Return both sides' trials if they can be compared, and the sign of the metric."""
        ours, theirs = (self.of(one, claim) for one in (comparison.method, comparison.baseline))
        metric = self.claims.metrics[claim.metric.value]
        sign = 1 if metric.higher_is_better.value else -1
        for one, side in ((comparison.method, ours), (comparison.baseline, theirs)):
            row = row_of(self.claims, one, comparison.dataset, metric.id)
            in_unit(metric, side, sign, row)
        alike(metric.unit.get(""), ours, theirs)
        return ours, theirs, sign

    def _claimed(self, comparison: Comparison, claim: Claim) -> tuple[float | None, float]:
        """Return half of the claimed gain, and one unit of its last printed digit."""
        try:
            gain = stated_gain(self.claims, claim, comparison.baseline, comparison.dataset, None)
        except (Missing, Inapplicable):
            return None, 0.1
        return (gain.value / 2 if gain.value > 0 else None), gain.unit

    def gain(self, comparison: Comparison, claim: Claim) -> Interval:
        """Return what tuning more trials than the other side's gave, oriented, with 95 %.

        Raises:
            Missing: if the trials of either side are not known.
        """
        import numpy as np

        from repcheck.stats.tuning import tuning_gain

        ours, theirs, sign = self._sides(comparison, claim)
        return tuning_gain(
            [sign * one for one in ours.values],
            [sign * one for one in theirs.values],
            random=np.random.default_rng(SEED),
        )


def _whole(method: Method, found: Scores) -> Scores:
    trials = method.tuning.trials
    count = len(found.values)
    if trials.known and trials.value != count:
        raise Missing(
            Reason.CONFLICTING_EVIDENCE,
            f"the scores of all trials of `{method.id}`: `{trials.path}` is {trials.value}, and"
            f" {found.source} has {count}",
        )
    if count > MOST:
        raise Missing(
            Reason.NOT_TESTABLE,
            f"at most {MOST:,} trials of `{method.id}`: {found.source} has {count:,}",
        )
    if bad := sum(not math.isfinite(one) for one in found.values):
        raise Missing(
            Reason.NOT_TESTABLE,
            f"a score for every trial of `{method.id}`: {bad} of {count} have none (a trial that"
            " diverged has the score that it earned)",
        )
    if count < FEWEST:
        raise Missing(Reason.UNDERPOWERED, f"{FEWEST} trials of `{method.id}`: {count} is too few")
    return found


def _support(unit: str, sign: int, values: Sequence[float]) -> tuple[float, float] | None:
    """Return between which ends an oriented score of a unit lies; None if that is not known."""
    ends = SUPPORT.get(unit)
    if ends is None or min(values) < ends[0] or max(values) > ends[1]:
        return None
    return ends if sign > 0 else (-ends[1], -ends[0])


def _trusted(
    sign: int, ours: Sequence[float], theirs: Sequence[float]
) -> tuple[int, float | None, float | None]:
    """Return the largest equal number of trials whose bootstrap is trusted on both sides, and the
    ends of the difference there; none below 2 trials, which is no search.
    """
    import numpy as np

    from repcheck.stats.tuning import BOOTSTRAP_SHARE, best_at

    k = min(len(ours), len(theirs)) // BOOTSTRAP_SHARE
    if k < FEWEST_TRUSTED:
        return k, None, None
    random = np.random.default_rng(SEED)
    mine, other = (
        best_at([sign * one for one in side], k, random=random, level=EACH)
        for side in (ours, theirs)
    )
    if mine.low is None or mine.high is None or other.low is None or other.high is None:
        return k, None, None
    return k, mine.low - other.high, mine.high - other.low


def _column(root: Path, text: str) -> tuple[float, ...]:
    """Return every value of a column of a CSV file, or of a key of a JSONL file.

    Raises:
        NoMetric: if it cannot be read, with the reason; a blank cell is a value that is not there.
    """
    path, colon, name = text.rpartition(":")
    if not colon or not path or not name.strip():
        raise NoMetric(f"`{text}` names no file and column: write `sweep.csv:val_accuracy`")
    shown = path if len(path) <= _SHOWN else f"{path[:_SHOWN]}..."
    if path.startswith("/") or ".." in path.split("/"):
        raise NoMetric(f"{shown} leads out of the artifact")
    rows = _ROWS.get(Path(path).suffix.lower())
    if rows is None:
        raise NoMetric(f"{shown} is neither .csv nor .jsonl")
    try:
        content = file_text(Left(out=root, stdout=root, copy=root), path)
    except NoFile:
        raise NoMetric(f"the artifact has no {shown}") from None
    values = rows(content, name.strip(), path)
    return tuple(values)


def _of_csv(content: str, name: str, path: str) -> list[float]:
    try:
        rows = list(csv.reader(io.StringIO(content, newline="")))
    except csv.Error as error:
        raise NoMetric(f"{path} is not a table: {error}") from None
    header = [cell.strip() for cell in rows[0]] if rows else []
    if name not in header:
        raise NoMetric(f"{path} has no column {name!r}; it has {', '.join(header[:8]) or 'none'}")
    at = header.index(name)
    cells = [row[at].strip() if len(row) > at else "" for row in rows[1:] if any(row)]
    return [number(cell, f"column {name!r} of {path}") if cell else math.nan for cell in cells]


def _of_jsonl(content: str, name: str, path: str) -> list[float]:
    found: list[float] = []
    for count, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise NoMetric(f"{path}, line {count} is not JSON: {error}") from None
        value = row.get(name) if isinstance(row, dict) else None
        found.append(math.nan if value is None else number(value, f"{name} in {path}"))
    if found and all(math.isnan(one) for one in found):
        raise NoMetric(f"no line of {path} has {name!r}")
    return found


_ROWS = {".csv": _of_csv, ".jsonl": _of_jsonl}
